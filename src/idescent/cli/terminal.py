"""Output on the terminal: tables, JSON, notes and a line of progress.

What lives here: the layout of text.  What does not: the numbers in it.
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

Show = Callable[[str], None]
"""Function that displays a text in the line of progress."""

_WIDTH = 24  # characters of the bar
_PAUSE = 0.1  # seconds between two updates of the line, at least
# A solver's line about the k-time that it has reached.
_PLACE = re.compile(r"s = ([-+.\de]+) of (\d+)")


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as text; the first column is aligned left, all others right."""
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
    """Print a value as JSON in one line; numbers that are not finite become null."""
    sys.stdout.write(json.dumps(plain(value), allow_nan=False) + "\n")


def note(text: str) -> None:
    """Print a note on standard error, apart from the result."""
    sys.stderr.write(f"note: {text}\n")


@contextmanager
def progress(title: str) -> Iterator[Show | None]:
    """Yield a function that updates the line of progress; None if standard error is no terminal.

    The line is erased at the end.
    """
    if not sys.stderr.isatty():
        yield None
        return
    updated = -math.inf

    def show(text: str) -> None:
        nonlocal updated
        now = time.monotonic()
        if now >= updated + _PAUSE:
            updated = now
            sys.stderr.write(f"\r\033[K{title}: {text}")
            sys.stderr.flush()

    try:
        yield show
    finally:
        if updated > -math.inf:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def bar(done: float, total: float) -> str:
    """Return ``[######......] 50 %``."""
    share = min(1.0, done / total)
    filled = int(share * _WIDTH)
    return f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {100.0 * share:.0f} %"


def solver_lines(show: Show | None) -> Show | None:
    """Return a function that displays a solver's messages as progress: the pass, and the k-time reached."""
    if show is None:
        return None
    march, reached = 1, 0.0

    def listen(line: str) -> None:
        nonlocal march, reached
        match = _PLACE.match(line)
        if match is None:
            show(line)
            return
        s, steps = float(match[1]), float(match[2])
        # The certificate solves again from the start, to a stricter tolerance.
        if s < reached:
            march += 1
        reached = s
        show(f"pass {march}, s = {s:.6g} of {steps:.6g} iterations {bar(s, steps)}")

    return listen


class Watched:
    """An objective that reports the number of points at which its gradient was evaluated.

    Attributes
    ----------
    objective : object
        The objective itself.
    report : callable
        Called with the number before each evaluation.
    evaluations : int
    """

    def __init__(self, objective: Any, report: Callable[[int], None]) -> None:
        self.objective, self.report, self.evaluations = objective, report, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.objective, name)

    def gradient(self, theta: Any) -> Any:
        """Return the gradient of the objective."""
        self.evaluations += theta.size // theta.shape[-1]
        self.report(self.evaluations)
        return self.objective.gradient(theta)
