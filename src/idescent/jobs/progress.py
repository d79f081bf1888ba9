"""Progress on the screen: one line for each finished job, with a count such as ``12 of 26``."""

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
        JSON file with the output files that this run creates, by stage.  Those that are newer than the plan
        are counted.  Without a plan no count is printed.
    text : str
    """
    sys.stderr.write(f"{stage}{count(stage, plan)}: {text}\n")


def count(stage: str, plan: str | Path | None) -> str:
    """Return `` 12 of 26``, or an empty string if there is no plan for this stage."""
    if plan is None or not Path(plan).is_file():
        return ""
    planned = json.loads(Path(plan).read_text(encoding="utf-8")).get(stage, [])
    if not planned:
        return ""
    start = Path(plan).stat().st_mtime_ns
    done = sum(_modified(Path(file)) >= start for file in planned)
    return f" {done:{len(str(len(planned)))}d} of {len(planned)}"


def _modified(path: Path) -> int:
    """Return the modification time in nanoseconds; 0 if there is no such file."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
