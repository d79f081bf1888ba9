"""Arrange the entries of a legend by one rule for all figures.

All entries are in one row if it fits.  Otherwise each group of entries begins a row of its own, and the
legend has the number of columns with the fewest rows.  What does not live here: the handles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from matplotlib import rcParams
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

_SPACING = 1.4  # gap between two columns, in units of the font size
_POINTS = 72.0  # points in an inch
_ROW = 0.15  # height of a row, in inches


def draw_legend(figure: Figure, groups: Sequence[Sequence[Any]]) -> Legend:
    """Draw one legend of several groups of handles above the panels; each handle has a label.

    The figure grows by the height of every row after the first one.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    groups : sequence of sequence of artist
        Handles in the order of reading, from left to right.
    """
    groups = [list(group) for group in groups if group]
    labels = [[str(handle.get_label()) for handle in group] for group in groups]
    count, rows = _columns_and_rows(labels, figure.get_figwidth())
    figure.set_figheight(figure.get_figheight() + _ROW * (rows - 1))
    return figure.legend(
        handles=_by_column(groups, count), loc="outside upper center", ncols=count, columnspacing=_SPACING
    )


def _columns_and_rows(groups: Sequence[Sequence[str]], width: float) -> tuple[int, int]:
    """Return the numbers of columns and rows of a legend from its labels, inside the style's context.

    Parameters
    ----------
    groups : sequence of sequence of str
        Labels in TeX notation.
    width : float
        Width of the figure in inches.
    """
    size = float(rcParams["legend.fontsize"])
    handle = size * (rcParams["legend.handlelength"] + rcParams["legend.handletextpad"] + _SPACING)
    widths = [[handle + _width(label, size) for label in group] for group in groups]
    entries = [one for group in widths for one in group]
    # The last column has no gap behind it, but the legend has a border.
    most = width * _POINTS + size * (_SPACING - 2.0 * rcParams["legend.borderpad"])
    if not entries or sum(entries) <= most:
        return max(len(entries), 1), 1
    choices = []
    for count in range(1, max(map(len, widths)) + 1):
        rows = [group[i : i + count] for group in widths for i in range(0, len(group), count)]
        total = sum(max((row[i] for row in rows if i < len(row)), default=0.0) for i in range(count))
        if count == 1 or total <= most:
            choices.append((len(rows), count))
    rows_of, count = min(choices)
    return count, rows_of


def _width(label: str, size: float) -> float:
    """Return the width of a label in points."""
    font = FontProperties(size=size)
    return float(text_to_path.get_text_width_height_descent(label, font, label.count("$") >= 2)[0])


def _by_column(groups: Sequence[Sequence[Any]], count: int) -> list[Any]:
    """Reorder handles because matplotlib fills a legend column by column; empty entries end short rows."""
    entries = sum(map(len, groups))
    if count >= entries:
        return [handle for group in groups for handle in group]
    cells: list[Any] = []
    for group in groups:
        cells += group
        cells += [Line2D([], [], linestyle="none", label=" ") for _ in range(-len(group) % count)]
    return [handle for column in range(count) for handle in cells[column::count]]
