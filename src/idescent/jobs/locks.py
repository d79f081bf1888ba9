"""One run of a study at a time.

What lives here: how a run of Snakemake knows that another one, or jobs that a killed one has left, are at
work on the same results.  What does not: files that appear whole or not at all (:mod:`idescent.store.files`).

The locks are the kernel's (``flock``): they end with the process that holds them, whichever way it ends, so
that no run can leave one behind.  On network file systems they hold between machines as far as these support
it; where there is no support at all, nothing is locked, and the run says so.
"""

from __future__ import annotations

import fcntl
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

VARIABLE = "IDESCENT_JOBS_LOCK"

_held: dict[Path, IO[str]] = {}


class BusyError(Exception):
    """Somebody else is at work on the results of a study."""


def hold(folder: Path, results: str) -> None:
    """Claim the results of a study until this process ends, and tell the jobs where to sign in.

    Parameters
    ----------
    folder : path
        Where the locks lie.
    results : str
        The folder that is claimed; the locks have its name.

    Raises
    ------
    BusyError
        If another run, or a job that has outlived its own, is at work; the message names the processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = results.replace("/", "_")
    run, jobs = folder / f"{name}.run", folder / f"{name}.jobs"
    if run in _held:  # the workflow stands twice in another one, as modules
        return
    held = _try(run)
    if held is None:
        raise BusyError(
            f"{results}: another run is at work{_holders(run)}: wait for it to end; nothing was done"
        )
    _held[run] = held
    free = _try(jobs)
    if free is None:
        raise BusyError(
            f"{results}: jobs of a run that was killed are still at work{_holders(jobs)}: "
            "wait for them to end, or end them; nothing was done"
        )
    free.close()
    os.environ[VARIABLE] = str(jobs.absolute())


@contextmanager
def signed_in() -> Iterator[None]:
    """Let a run that is started meanwhile know that a job is at work."""
    path = os.environ.get(VARIABLE)
    if path is None:  # not started by the workflow
        yield
        return
    with Path(path).open("a", encoding="utf-8") as file:
        _flock(file, fcntl.LOCK_SH)
        yield


def _try(path: Path) -> IO[str] | None:
    """Return the locked file; None if somebody else has it."""
    file = path.open("a", encoding="utf-8")
    try:
        if not _flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB):
            sys.stderr.write(f"{path}: no locks on this file system: do not start two runs at once\n")
    except BlockingIOError:
        file.close()
        return None
    return file


def _flock(file: IO[str], operation: int) -> bool:
    """Lock a file; return whether its file system can."""
    try:
        fcntl.flock(file, operation)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def _holders(path: Path) -> str:
    """Name the processes of this machine that hold a lock: `` (process 4711)``; empty if none is known."""
    table = Path("/proc/locks")
    lines = table.read_text(encoding="utf-8").splitlines() if table.is_file() else []
    found = re.compile(rf"\d+: FLOCK +\w+ +\w+ +(\d+) +\w+:\w+:{path.stat().st_ino} ")
    pids = sorted({int(match[1]) for line in lines if (match := found.match(line))})
    if not pids:
        return ""
    return f" ({'process' if len(pids) == 1 else 'processes'} {', '.join(map(str, pids))})"
