"""Text in a panel about the errors without a meaning: refused, implausible or below the reference.

What does not live here: notes about single values that cannot be drawn (:mod:`.drawable`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from idescent.analysis.errors import BELOW, MEANINGLESS
from idescent.drawing.style import GREY, legend_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_RATES = 4


def remarks(rows: Iterable[Mapping[str, Any]], name: Callable[[str], str] = legend_name) -> list[str]:
    """Describe the meaningless errors of a panel, one line for each solution and status.

    A line lists the learning rates, or counts the cells if there are many or several configurations.  Errors
    below the reference at all learning rates from one on have only this one in their line.

    Parameters
    ----------
    rows : iterable of mapping
        One row for each cell and solution, with ``solution``, ``status`` and ``alpha``, and with
        ``configuration`` if the panel has several.
    name : callable
        Returns the displayed name of a solution.
    """
    rows = list(rows)
    several = len({row.get("configuration") for row in rows}) > 1
    rates: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row.get("status") in MEANINGLESS:
            rates.setdefault((row["solution"], row["status"]), []).append(row["alpha"])
    lines = []
    for (solution, status), alphas in rates.items():
        where = "in 1 cell" if len(alphas) == 1 else f"in {len(alphas)} cells"
        if not several and len(alphas) <= _MOST_RATES:
            where = "at α = " + ", ".join(f"{alpha:g}" for alpha in alphas)
        smaller = [r for r in rows if r["solution"] == solution and r["alpha"] <= max(alphas)]
        if status == BELOW and not several and len(alphas) == len(smaller) > 1:
            where = f"at α ≤ {max(alphas):g}"
        lines.append(f"{name(solution)}: {status} {where}")
    return lines


def titled(title: str, lines: Iterable[str], letters: int) -> str:
    """Return a panel's title followed by its remarks, wrapped to lines of at most ``letters`` characters."""
    return "\n".join([title, *textwrap.wrap("; ".join(lines), letters)])


def tell(ax: Axes, lines: Iterable[str]) -> None:
    """Write lines of text into the upper left corner of a panel, in front of its curves."""
    text = "\n".join(lines)
    if text:
        note = ax.text(
            *(0.02, 0.98, text),
            transform=ax.transAxes,
            ha="left",
            va="top",
            fontsize=5.5,
            color=GREY,
            zorder=10,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0},
            gid="remark",
        )
        # The constrained layout would shrink the panel to the width of a long line.
        note.set_in_layout(False)
