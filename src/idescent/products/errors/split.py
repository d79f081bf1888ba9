"""Dot plot of model error, solver error and total error.

What lives here: :func:`render_split`.  What does not: computing the errors (:mod:`idescent.analysis.errors`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from idescent.drawing import style
from idescent.drawing.drawable import account_of, drawable, say, without_scale
from idescent.drawing.legends import draw_legend
from idescent.drawing.remarks import remarks, titled
from idescent.drawing.saving import save, styled
from idescent.products.errors.dots import configuration, meaningless, read_rows, style_axes, theta_sup
from idescent.trajectory import ended_well

TITLE = "Model error, solver error and total error of the parameters"
CAPTION = (
    "Largest error of θ over all iterations for every cell: model error (discrete run against exact "
    "solution), solver error (exact solution against the scheme) and total error (discrete run against the "
    "scheme). Crosses: the scheme did not converge."
)

# Colour, marker and label.  Blue, orange and black differ in hue, lightness and shape.
_KINDS = {
    "model": ("#0072B2", "o", "model: |discrete − exact|"),
    "solver": ("#E69F00", "D", "solver: |exact − scheme|"),
    "total": ("#000000", "s", "total: |discrete − scheme|"),
}
# Each kind has its own line within the row of a configuration, so that no mark hides another.
_OFFSETS = {"model": -0.27, "solver": 0.0, "total": 0.27}
_ROW = 0.32  # inches
FAILED = "not converged"  # id of the crosses in the SVG


def render_split(errors: str | Path | Iterable[str | Path], outputs: Iterable[str | Path]) -> None:
    """Draw the three sup errors of theta: one row for each configuration, one column for each learning rate.

    Parameters
    ----------
    errors : path or iterable of path
        Tables of errors (Parquet) of the parts of a study, with cells in any order.
    outputs : iterable of path
        Files to write: .pdf, .svg or .png.

    Raises
    ------
    ValueError
        If a table is damaged, or no solution has an exact solution as its reference.
    """
    rows = split_rows(read_rows(errors))
    with styled():
        save(split_figure(rows), outputs, TITLE, CAPTION)


def split_rows(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the sup errors of theta, in three kinds, of the first solution with a reference in each cell."""
    rows = theta_sup(rows)
    schemes: dict[tuple[str, str, str], str] = {}
    for row in rows:
        if row["kind"] == "solver":
            schemes.setdefault(_cell(row), row["solution"])
    return [row for row in rows if schemes.get(_cell(row)) == row["solution"]]


def split_figure(rows: list[dict[str, Any]]) -> Figure:
    """Build the figure inside :func:`~idescent.drawing.saving.styled`, from :func:`split_rows`.

    Raises
    ------
    ValueError
        If there is no row.
    """
    if not rows:
        raise ValueError("errors: no solution has an exact solution as reference: there must be at least one")
    alphas = sorted({row["alpha"] for row in rows}, reverse=True)
    labels: dict[str, list[str]] = {}
    for row in rows:
        panel_labels = labels.setdefault(row["objective"], [])
        if configuration(row) not in panel_labels:
            panel_labels.append(configuration(row))
    counts = [len(panel_labels) for panel_labels in labels.values()]
    height = _ROW * sum(counts) + 0.35 * len(labels) + 0.7
    figure = Figure(figsize=(style.WIDTHS["double"], height), layout=ConstrainedLayoutEngine(h_pad=0.03))
    grid = figure.subplots(
        len(labels), len(alphas), sharex=True, sharey="row", squeeze=False, height_ratios=counts
    )
    for i, (objective, panel_labels) in enumerate(labels.items()):
        for j, alpha in enumerate(alphas):
            panel = [row for row in rows if row["objective"] == objective and row["alpha"] == alpha]
            title = f"{objective}, $\\alpha = {alpha:g}$"
            _draw_panel(grid[i, j], title, panel, panel_labels, letters=90 // len(alphas))
    if all(meaningless(row) or account_of([row]).whole for row in rows):
        without_scale(grid.ravel(), "x")
    for ax in grid[-1]:
        ax.set_xlabel(r"largest error of $\theta$")
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", markerfacecolor=_face(kind), label=label)
        for kind, (colour, marker, label) in _KINDS.items()
    ]
    if any(line.get_gid() == FAILED for ax in grid.ravel() for line in ax.lines):
        label = "scheme did not converge"
        handles.append(Line2D([], [], color="black", marker="x", linestyle="", label=label))
    draw_legend(figure, [handles])
    return figure


def _draw_panel(
    ax: Axes, title: str, rows: Sequence[Mapping[str, Any]], labels: Sequence[str], *, letters: int
) -> None:
    for row in rows:
        if meaningless(row) or not drawable(row["error"], log=True):
            continue
        colour, marker, _ = _KINDS[row["kind"]]
        y = labels.index(configuration(row)) + _OFFSETS[row["kind"]]
        ax.plot(row["error"], y, marker, color=colour, markerfacecolor=_face(row["kind"]), markersize=4.0)
        if row["kind"] == "solver" and not ended_well(row["status"]):
            ax.plot(row["error"], y, "x", color="black", markersize=6, gid=FAILED)
    odd = {(row["solution"], configuration(row)): row for row in rows if meaningless(row)}
    lines = remarks({**row, "configuration": label} for (_, label), row in odd.items())
    style_axes(ax, titled(title, lines, letters), labels, every=1, margin=0.6, ticks=8)
    if rows:
        say(ax, account_of([row for row in rows if not meaningless(row)]))


def _face(kind: str) -> str:
    return "none" if kind == "solver" else _KINDS[kind][0]


def _cell(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["objective"], row["optimizer"], row["label"]
