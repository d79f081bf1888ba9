"""What a person sees: tables, numbers as JSON, and a line of progress.

What lives here: text and nothing else.  What does not: the numbers.
"""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from idescent.store.files import plain

Say = Callable[[str], None]

_WIDTH = 24
_PAUSE = 0.1
_PLACE = re.compile(r"s = ([-+.\de]+) of (\d+)")


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with columns set right, the first one left."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    texts = (
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
    return "".join(f"{text.rstrip()}\n" for text in texts)


def write_json(value: Any) -> None:
    """Print a value as JSON on one line; numbers that are not finite become null."""
    sys.stdout.write(json.dumps(plain(value), allow_nan=False) + "\n")


def note(text: str) -> None:
    """Say something beside the result, on standard error."""
    sys.stderr.write(f"note: {text}\n")


@contextmanager
def progress(what: str) -> Iterator[Say | None]:
    """Give a function that shows a line which replaces itself; None where nobody looks at a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    shown = -math.inf

    def say(text: str) -> None:
        nonlocal shown
        now = time.monotonic()
        if now >= shown + _PAUSE:
            shown = now
            sys.stderr.write(f"\r\033[K{what}: {text}")
            sys.stderr.flush()

    try:
        yield say
    finally:
        if shown > -math.inf:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def bar(done: float, total: float) -> str:
    """Return ``[######......] 50 %``."""
    share = min(1.0, done / total)
    filled = int(share * _WIDTH)
    return f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {100.0 * share:.0f} %"


def solver_lines(say: Say | None) -> Say | None:
    """Return a function that turns a solver's lines into progress: the k-time reached, and the pass."""
    if say is None:
        return None
    march, reached = 1, 0.0

    def heard(line: str) -> None:
        nonlocal march, reached
        found = _PLACE.match(line)
        if found is None:
            say(line)
            return
        s, steps = float(found[1]), float(found[2])
        if s < reached:  # the certificate is a second solution, to a stricter tolerance
            march += 1
        reached = s
        say(f"pass {march}, s = {s:.6g} of {steps:.6g} iterations {bar(s, steps)}")

    return heard


class Watched:
    """An objective that tells how often it was asked for a gradient at a single point."""

    def __init__(self, objective: Any, tell: Callable[[int], None]) -> None:
        self.objective, self.tell, self.asked = objective, tell, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.objective, name)

    def gradient(self, theta: Any) -> Any:
        """Return the objective's own."""
        if theta.ndim == 1:
            self.asked += 1
            self.tell(self.asked)
        return self.objective.gradient(theta)
