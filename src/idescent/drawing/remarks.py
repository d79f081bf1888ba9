"""What a panel says in words of solutions that it does not draw: those that are refused or implausible."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from idescent.analysis.errors import MEANINGLESS
from idescent.drawing.style import GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_RATES = 4


def remarks(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line for each solution of a panel and status: at which learning rates, or in how many cells.

    Parameters
    ----------
    rows : iterable of mapping
        One for each cell and solution: ``solution``, ``status`` and ``alpha``, and ``configuration`` if they
        are of several.
    """
    rows = list(rows)
    several = len({row.get("configuration") for row in rows}) > 1
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row.get("status") in MEANINGLESS:
            found.setdefault((row["solution"], row["status"]), []).append(row["alpha"])
    lines = []
    for (solution, status), alphas in found.items():
        where = "in 1 cell" if len(alphas) == 1 else f"in {len(alphas)} cells"
        if not several and len(alphas) <= _MOST_RATES:
            where = "at α = " + ", ".join(f"{alpha:g}" for alpha in alphas)
        lines.append(f"{solution}: {status} {where}")
    return lines


def titled(title: str, lines: Iterable[str], letters: int) -> str:
    """Return a panel's title with the remarks below, in lines of at most so many letters."""
    return "\n".join([title, *textwrap.wrap("; ".join(lines), letters)])


def tell(ax: Axes, lines: Iterable[str]) -> None:
    """Write lines into a panel, above its curves."""
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
        # A long line must not squeeze the panel.
        note.set_in_layout(False)
