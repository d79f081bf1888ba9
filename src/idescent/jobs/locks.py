"""Locks: one run of a study at a time.

What lives here: the locks by which a run of Snakemake detects another run, or jobs left by a killed run, that
use the same results.  What does not: atomic writes (:mod:`idescent.store.files`).

There are two lock files for each study.  A run holds the first one exclusively until it ends.  Every job
holds the second one shared while it runs; a new run starts only if it can lock both exclusively.

The locks are those of the kernel (``flock``).  The kernel releases them when the process ends, also when it
is killed, so no stale lock remains.  On network file systems they work between machines if the file system
supports it.  Where locks are not supported, nothing is locked and the run prints a warning.
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
    """Another process uses the results of a study."""


def hold(folder: Path, results: str) -> None:
    """Lock the results of a study until this process ends, and tell jobs where their lock file is.

    Parameters
    ----------
    folder : path
        Folder of the lock files.
    results : str
        Folder of the study, which gives the lock files their names.

    Raises
    ------
    BusyError
        If another run, or a job that has outlived its run, uses the results; the message names the processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = results.replace("/", "_")
    run, jobs = folder / f"{name}.run", folder / f"{name}.jobs"
    if run in _held:  # another workflow uses this one twice, as modules
        return
    held = _try(run)
    if held is None:
        raise BusyError(
            f"{results}: another run is at work{_holders(run)}: wait until it ends; nothing was changed"
        )
    _held[run] = held
    free = _try(jobs)
    if free is None:
        raise BusyError(
            f"{results}: jobs of a run that was killed are still at work{_holders(jobs)}: "
            "wait until they end, or kill them; nothing was changed"
        )
    free.close()
    os.environ[VARIABLE] = str(jobs.absolute())


@contextmanager
def signed_in() -> Iterator[None]:
    """Hold the jobs' lock, shared with other jobs, so that no other run starts meanwhile."""
    path = os.environ.get(VARIABLE)
    if path is None:  # not started by the workflow
        yield
        return
    with Path(path).open("a", encoding="utf-8") as file:
        _flock(file, fcntl.LOCK_SH)
        yield


def _try(path: Path) -> IO[str] | None:
    """Return the locked file; None if another process holds the lock."""
    file = path.open("a", encoding="utf-8")
    try:
        if not _flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB):
            sys.stderr.write(
                f"{path}: this file system does not support locks: do not start two runs at once\n"
            )
    except BlockingIOError:
        file.close()
        return None
    return file


def _flock(file: IO[str], operation: int) -> bool:
    """Lock a file; return whether its file system supports locks."""
    try:
        fcntl.flock(file, operation)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def _holders(path: Path) -> str:
    """Return the processes of this machine that hold a lock, as `` (process 4711)``; empty if unknown."""
    table = Path("/proc/locks")
    lines = table.read_text(encoding="utf-8").splitlines() if table.is_file() else []
    holder = re.compile(rf"\d+: FLOCK +\w+ +\w+ +(\d+) +\w+:\w+:{path.stat().st_ino} ")
    pids = sorted({int(match[1]) for line in lines if (match := holder.match(line))})
    if not pids:
        return ""
    return f" ({'process' if len(pids) == 1 else 'processes'} {', '.join(map(str, pids))})"
