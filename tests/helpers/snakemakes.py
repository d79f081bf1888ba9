"""Processes of Snakemake forked from a server that has imported it: a run starts a second of work sooner.

The server imports no module of idescent: each run imports the package of its own project.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        *("snakemake.cli", "snakemake.report.html_reporter", "snakemake.storage"),
        # Snakemake and idescent import these later in every run.
        *("smart_open", "requests", "platformdirs", "numpy", "pydantic"),
    ]
)


def start(arguments: list[str], folder: Path, environment: dict[str, str], screen: Path) -> ForkServerProcess:
    """Start ``python -m snakemake`` in ``folder``, in a process group of its own; print to a file."""
    process = _CONTEXT.Process(target=_main, args=(arguments, folder, environment, screen))
    process.start()
    return process


def _main(arguments: list[str], folder: Path, environment: dict[str, str], screen: Path) -> None:
    os.setsid()
    output = os.open(screen, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.close(output)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # As with ``-m``: the folder, then PYTHONPATH.
    sys.path[:0] = [str(folder), *environment["PYTHONPATH"].split(os.pathsep)]
    sys.argv = ["snakemake", *arguments]
    assert "idescent" not in sys.modules
    from snakemake.cli import main

    try:
        main(arguments)
    finally:
        # A forked process ends without the handlers that would store its coverage.
        coverage = sys.modules.get("coverage")
        if coverage is not None and (measured := coverage.Coverage.current()) is not None:
            measured.stop()
            measured.save()
