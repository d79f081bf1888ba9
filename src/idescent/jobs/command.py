"""``idescent job``: the command that runs the job of a rule; it also prints the configuration's schema.

What lives here: running one job from its job file.  What does not: the work itself (the function that the job
file names), and the commands for people (:mod:`idescent.cli`).

A job prints one line to standard error; details go to its log.  For bad input the line names the problem, and
the exit status is 1.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from idescent.jobs import job_files
from idescent.jobs.locks import signed_in
from idescent.jobs.progress import announce
from idescent.products.product import Task
from idescent.store.files import DamagedError

HELP = "Run one of the workflow's jobs: for its rules, not for people."
EPILOG = ""

Log = Callable[[str], None]


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="description of the job, or 'schema'")
    parser.add_argument("--log", type=Path, metavar="FILE", help="log of the job")
    parser.add_argument(
        "--serve",
        nargs="+",
        metavar=("DESCRIPTOR", "MODULE"),
        help="be that process, with the listening socket FILE, after importing these modules",
    )


def run(given: Any) -> int:
    """Run one job, or serve jobs; return the exit status."""
    if str(given.file) == "schema":
        return _schema()
    if given.serve is not None:
        from idescent.jobs import shared_process

        shared_process.serve(given.file, int(given.serve[0]), given.serve[1:], run_job)
        return 0
    return run_job(given.file, given.log)


def run_job(file: Path, log_file: Path | None) -> int:
    """Run the job that ``file`` describes; return its exit status."""
    # A job creates few reference cycles and ends soon: the default collection threshold costs a tenth of the
    # time of a figure.
    gc.set_threshold(100_000, 20, 20)
    warnings.filterwarnings("ignore", "no compiled kernels")  # the session prints it, once a run
    name, subject = "job", ""
    log: Log = _nowhere
    with ExitStack() as stack:
        try:
            job = job_files.read(file)
            name, outputs = job["name"], [Path(name) for name in job["output"]]
            subject = f"{_subject(job, outputs[0])}: "
            log = _log(log_file, stack)
            stack.enter_context(signed_in())
            files = [Path(name) for name in job["files"]]
            text = _function(job["function"])(Task(files, outputs, job["given"], job["code"], log))
            log(f"{text}\ncode {job['code']}")
        except (ValueError, OSError) as error:
            message = " ".join(str(error).split())
            if isinstance(error, DamagedError):
                message += _discard(error.path)
            sys.stderr.write(f"{name}: {subject}{message}\n")
            with suppress(OSError):  # the disk may be full, as the line above then says
                log(f"error: {message}")
            return 1
        except BaseException:
            with suppress(OSError):  # a log that cannot be written must not hide the exception
                log(traceback.format_exc())
            raise
        announce(name, Path(job["plan"]), f"{subject}{text}")
    return 0


def _function(name: str) -> Callable[[Task], str]:
    """Return the function ``module:function``; a user's own function only if user code is allowed."""
    module, _, attribute = name.partition(":")
    function: Callable[[Task], str]
    if module.startswith("idescent."):
        function = getattr(importlib.import_module(module), attribute)
    else:
        from idescent.study.registry import resolve

        function = resolve("function", name)
    return function


def _discard(path: Path) -> str:
    """Remove a damaged file, so that the next run creates it again; return the end of the message."""
    try:
        path.unlink()
    except OSError as error:
        return f": delete it and run again ({error.strerror})"
    return ": removed; run again to create it again"


def _subject(job: Mapping[str, Any], output: Path) -> str:
    """Return the name of a job's result: a cell or a pack, with the solution's name, or a file."""
    cells = job["given"].get("cells")
    if job["name"] not in ("simulate", "solve") or not cells:
        return str(output.with_suffix(""))
    objective, optimizer, label = cells[0]["folder"].split("/")
    words = [objective, optimizer, label if len(cells) == 1 else output.parent.name]
    solution = job["given"].get("solution")
    return " ".join(words + ([solution["name"]] if solution else []))


def _schema() -> int:
    from idescent import config

    sys.stdout.write(json.dumps(config.schema(), indent=2) + "\n")
    return 0


def _nowhere(_: str) -> None:
    """Discard a line of the log."""


def _log(path: Path | None, stack: ExitStack) -> Log:
    if path is None:
        return _nowhere
    path.parent.mkdir(parents=True, exist_ok=True)
    # Unbuffered: lines of a long job appear at once, and closing cannot fail on a full disk.
    file = stack.enter_context(path.open("wb", buffering=0))

    def write(line: str) -> None:
        file.write(f"{line}\n".encode())

    return write
