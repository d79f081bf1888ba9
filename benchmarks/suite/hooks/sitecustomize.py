"""Loaded by every Python process of a measured workflow: it writes the processor time of the process.

The folder of this file is on ``PYTHONPATH`` of the workflow.  A forked worker of the shared process runs many
jobs; its time is divided by job, at the line that each job prints at its end.
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


def _write() -> None:
    """Write the time of this process: by kind of job where it ran several."""
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
    if command is None or not hasattr(command, "announce"):
        return
    announce = command.announce

    def announce_and_note(name: str, *arguments: Any) -> None:
        announce(name, *arguments)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        before = sum(_shares.values())
        _shares[name] = _shares.get(name, 0.0) + usage.ru_utime + usage.ru_stime - before

    command.announce = announce_and_note


atexit.register(_write)
os._exit = _write_and_exit
os.register_at_fork(after_in_child=_begin_child)
