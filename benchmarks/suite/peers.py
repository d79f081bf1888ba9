"""Other packages, each in an environment of its own, and processes that answer one question after another."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import venv
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "peers"
# Environments by name, and the peers that live in them.
ENVIRONMENTS = {"torch": ("torch",), "jax": ("optax", "diffrax"), "idesolver": ("idesolver",)}
NAMES = tuple(name for names in ENVIRONMENTS.values() for name in names)


class AbsentError(RuntimeError):
    """A peer is not there: it was left out, or it cannot be installed."""


class CutError(RuntimeError):
    """An answer took longer than the limit, and the process was ended."""


class Peers:
    """The environments, made when first asked for.

    Parameters
    ----------
    folder : path
        Where they are made; one that is there from an earlier run is used again.
    wanted : iterable of str
        Which peers may be used.
    """

    def __init__(self, folder: Path, wanted: Iterable[str]) -> None:
        self.folder, self.wanted = folder, frozenset(wanted)
        self._reasons: dict[str, str] = {}

    def worker(self, name: str) -> Worker:
        """Start a peer's process.

        Raises
        ------
        AbsentError
            If it was left out or cannot be installed.
        """
        return Worker(self._python(name), FOLDER / f"{name}_peer.py")

    def _python(self, name: str) -> Path:
        if name not in self.wanted:
            raise AbsentError("left out")
        home = _home(name)
        python = self.folder / home / "bin/python"
        whole = self.folder / f"{home}.installed"
        if home not in self._reasons and not whole.is_file():
            venv.create(self.folder / home, with_pip=True, clear=True)
            command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            command += ["--only-binary=:all:", "-r", str(FOLDER / f"requirements-{home}.txt")]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
                self._reasons[home] = (lines or ["pip failed and said nothing"])[-1].removeprefix("ERROR: ")
            else:
                whole.touch()
        if home in self._reasons:
            raise AbsentError(self._reasons[home])
        return python


def pinned(environment: str) -> list[str]:
    """Return the packages of an environment, ``name==version``."""
    lines = (FOLDER / f"requirements-{environment}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _home(name: str) -> str:
    return next(home for home, names in ENVIRONMENTS.items() if name in names)


class Worker:
    """A process that says that it is ready, then answers a question a line, in JSON, on one line.

    Raises
    ------
    RuntimeError
        From :meth:`ask`, if the process ends without an answer; what it said on standard error is the text.
    """

    def __init__(self, python: str | Path = sys.executable, script: str | Path | None = None) -> None:
        self._command = [str(python), str(script or Path(__file__).with_name("worker.py"))]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Worker:
        """Return itself; the process starts with the first question."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.close()

    def ask(self, question: Mapping[str, Any], limit: float | None = None) -> Any:
        """Return the answer.

        Raises
        ------
        CutError
            If it takes more than ``limit`` seconds; the next question starts another process.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            # What it says on the way is kept for an error, and read all the time: a full pipe would stop it.
            self._said: queue.Queue[str] = queue.Queue()
            self._reader = threading.Thread(
                target=_drain, args=(self._process.stderr, self._said), daemon=True
            )
            self._reader.start()
            self._process.stdout.readline()  # that it has imported all it needs
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        # Set before the process is killed: its output may end before the timer's thread does.
        cut = threading.Event()

        def kill() -> None:
            cut.set()
            process.kill()

        timer = threading.Timer(limit, kill) if limit is not None else None
        if timer is not None:
            timer.start()
        try:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            if timer is not None:
                timer.cancel()
        if line:
            return json.loads(line)
        self.close()
        if cut.is_set():
            raise CutError(f"more than {limit:g} s")
        raise RuntimeError(f"{self._command[1]} failed for {dict(question)}:\n{''.join(self._said.queue)}")

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.wait()
            self._reader.join()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()


def _drain(stream: Any, into: queue.Queue[str]) -> None:
    for line in stream:
        into.put(line)
