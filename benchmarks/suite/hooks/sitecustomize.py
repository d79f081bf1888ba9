"""Loaded by every Python process of a measured workflow: it writes the processor time of the process.

The folder of this file is on ``PYTHONPATH`` of the workflow.  A forked worker of the shared process runs many
jobs; its time is divided by job, at the description that each job reads at its beginning.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

_FOLDER = os.environ["BENCHMARK_PROCESSES"]
_exit = os._exit
_shares: dict[str, float] = {}
_unreaped = False
_kind = ""


def _write() -> None:
    """Write the time of this process: by kind of job where it ran several."""
    _note()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    record = {
        "arguments": sys.orig_argv,
        "seconds": usage.ru_utime + usage.ru_stime,
        "shares": _shares,
        "unreaped": _unreaped,
    }
    # A process number may return; its start is unique.
    name = (
        f"{os.getpid()}-{Path('/proc/self/stat').read_text(encoding='utf-8').rpartition(')')[2].split()[19]}"
    )
    Path(_FOLDER, name).write_text(json.dumps(record), encoding="utf-8")


def _write_and_exit(status: int) -> NoReturn:
    _write()
    _exit(status)


def _begin_child() -> None:
    """In a forked process: begin a new record, and divide the time of a worker by job."""
    global _unreaped
    _shares.clear()
    # Linux adds the time of a child to its parent's only when the parent waits for the child.
    _unreaped = signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN
    command: Any = sys.modules.get("idescent.jobs.command")
    if command is None or not hasattr(command, "job_files"):
        return
    read = command.job_files.read

    def read_and_note(file: Any) -> Any:
        """Each job begins with its description: what was used before belongs to the job before."""
        global _kind
        _note()
        job = read(file)
        solution = job["given"].get("solution")
        _kind = job["name"] + (f" {solution['name']}" if solution else "")
        return job

    command.job_files.read = read_and_note


def _note() -> None:
    """Add the time since the last note to the job of this time."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    if _kind:
        before = sum(_shares.values())
        _shares[_kind] = _shares.get(_kind, 0.0) + usage.ru_utime + usage.ru_stime - before


atexit.register(_write)
os._exit = _write_and_exit
os.register_at_fork(after_in_child=_begin_child)
