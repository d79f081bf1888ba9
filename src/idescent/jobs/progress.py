"""What a person sees of a running study: one line for each finished cell, with its place in the whole."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def announce(stage: str, plan: str | Path | None, text: str) -> None:
    """Print ``stage 12 of 26: text`` to standard error.

    Parameters
    ----------
    stage : str
    plan : path or None
        JSON file with the output files that this run makes, by stage; those that are newer than it are
        counted.  Without it no count is shown.
    text : str
    """
    sys.stderr.write(f"{stage}{count(stage, plan)}: {text}\n")


def count(stage: str, plan: str | Path | None) -> str:
    """Return `` 12 of 26``, or nothing if there is no plan for this stage."""
    if plan is None or not Path(plan).is_file():
        return ""
    planned = json.loads(Path(plan).read_text(encoding="utf-8")).get(stage, [])
    if not planned:
        return ""
    start = Path(plan).stat().st_mtime_ns
    done = sum(_made(Path(file)) >= start for file in planned)
    return f" {done:{len(str(len(planned)))}d} of {len(planned)}"


def _made(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
