"""Shared parts of the two dot plots of errors (:mod:`.overview` and :mod:`.split`).

What lives here: reading and filtering the rows of a table of errors, labels, and the look of the axes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from idescent.analysis.errors import MEANINGLESS
from idescent.drawing import style
from idescent.drawing.ticks import log_ticks
from idescent.products.formats import in_order
from idescent.store.tables import HYPERPARAMETERS, hyperparameters, is_other, read_errors

# The columns that the figures use.
_COLUMNS = ["objective", "optimizer", "label", *HYPERPARAMETERS, "alpha", "solution", "status"]
_COLUMNS += ["discrete_status", "quantity", "norm", "kind", "error"]


def read_rows(errors: str | Path | Iterable[str | Path]) -> list[dict[str, Any]]:
    """Read tables of errors (Parquet) and return their rows, sorted by cell.

    Raises
    ------
    ValueError
        If a table is damaged.
    """
    files = [errors] if isinstance(errors, str | Path) else list(errors)
    table = in_order(read_errors(files))
    names = [*_COLUMNS, *filter(is_other, table.column_names)]
    rows: list[dict[str, Any]] = table.select(names).to_pylist()
    return rows


def theta_sup(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with sup errors of theta, of all kinds."""
    return [row for row in rows if row["quantity"] == "theta" and row["norm"] == "sup"]


def configuration(row: Mapping[str, Any]) -> str:
    """Return the label of the optimizer and its hyper-parameters in a row of a table of errors."""
    return style.configuration({"class": row["optimizer"], "arguments": hyperparameters(row)})


def meaningless(row: Mapping[str, Any]) -> bool:
    """Whether the solution of a row is refused or implausible, so that its error has no meaning."""
    return row.get("status") in MEANINGLESS


def style_axes(ax: Axes, title: str, labels: Sequence[str], *, every: int, margin: float, ticks: int) -> None:
    """Set title, scales, ticks and grid of a panel with one row for each label, the first row on top.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    title : str
    labels : sequence of str
        One for each row.
    every : int
        Distance in rows between two labels.
    margin : float
        Distance in rows from the frame to the first row, and to the last.
    ticks : int
        Largest number of major ticks on the logarithmic axis of the errors.
    """
    ax.set(xscale="log", title=title)
    ax.set_yticks(range(0, len(labels), every), labels[::every])
    ax.set_ylim(len(labels) - 1 + margin, -margin)
    ax.grid(axis="both", color="#DDDDDD", linewidth=0.5)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0)
    log_ticks(ax.xaxis, most=ticks)
