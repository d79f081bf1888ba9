"""A job's file, as the workflow writes it: what the tests of jobs share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from idescent.jobs import job_files


def job_words(
    name: str,
    folder: Path,
    outputs: Iterable[str | Path],
    inputs: Iterable[str | Path] = (),
    given: Any = None,
) -> list[str]:
    """Write what a job is given below ``folder``; return the words that run it."""
    file = folder / "jobs" / f"{name}.json"
    paths = {"input": [str(path) for path in inputs], "output": [str(path) for path in outputs]}
    job_files.write(file, {"code": "c", "given": given, "plan": "", **paths})
    return ["job", name, str(file)]
