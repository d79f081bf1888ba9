"""Dot plot of all errors of a study.

What lives here: :func:`render_overview`.  What does not: errors over the iterations
(:mod:`idescent.products.paths.figure`).
"""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from idescent.drawing import style
from idescent.drawing.drawable import Account, account_of, drawable, say, without_scale
from idescent.drawing.legends import draw_legend
from idescent.drawing.remarks import remarks, titled
from idescent.drawing.saving import save, styled
from idescent.products.errors.dots import configuration, meaningless, read_rows, style_axes, theta_sup
from idescent.products.product import Task
from idescent.study.cells import spread
from idescent.trajectory import ended_well

TITLE = "Largest error of the parameters, all cells"
CAPTION = (
    "Largest distance over all iterations between the discrete path of θ and the path of its continuous "
    "model, for every optimizer and learning rate of the study. Crosses: the solution did not reach its "
    "tolerance or a run diverged; the error then covers the iterations up to the last finite one."
)

# In inches: the least height of a row with visible marks, and of a row with a label.
_LEAST_ROW, _LEAST_LABELLED = 0.03, 0.13
_LARGEST_MARK = 4.7  # in points
_POINTS = 72.0  # points in an inch
_AXES = 4.5  # inches, the least width of the panels
_LEGEND = 0.45  # inches, room on a full page for the rows of the legend after the first one
_ROOM = 0.8  # part of a row with marks

_MARKERS = ("o", "s", "D", "^", "v", "P")


def render_overview(errors: str | Path | Iterable[str | Path], outputs: Iterable[str | Path]) -> None:
    """Draw the sup error of theta for every cell: one row for each configuration, errors on the x axis.

    Parameters
    ----------
    errors : path or iterable of path
        Tables of errors (Parquet) of the parts of a study, with cells in any order.
    outputs : iterable of path
        Files to write: .pdf, .svg or .png.

    Raises
    ------
    ValueError
        If a table is damaged or has no error of theta.
    """
    rows = overview_rows(read_rows(errors))
    with styled():
        save(overview_figure(rows), outputs, TITLE, CAPTION)


def overview_rows(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the total errors of the figure: one row for each cell and solution, in their order."""
    return [
        {
            "objective": row["objective"],
            "configuration": configuration(row),
            "alpha": row["alpha"],
            "solution": row["solution"],
            "error": row["error"],
            "status": row["status"],
            "discrete_status": row["discrete_status"],
            "good": ended_well(row["status"], row["discrete_status"]),
        }
        for row in theta_sup(rows)
        if row["kind"] == "total"
    ]


class _Layout(NamedTuple):
    """Sizes that depend on the number of rows.

    Attributes
    ----------
    height : float
        Height of the figure in inches.
    mark : float
        Width of a mark in points.
    every : int
        Distance in rows between two labels.
    margin : float
        Distance in rows from the frame to the first row, and to the last.
    """

    height: float
    mark: float
    every: int
    margin: float


class _Look(NamedTuple):
    """Greys and offsets of the learning rates, markers of the solutions, and the layout."""

    greys: dict[float, str]
    offsets: dict[float, float]
    markers: dict[str, str]
    layout: _Layout


def _layout(counts: Sequence[int], rates: int) -> _Layout:
    """Compute the layout for panels with ``counts`` rows: rows shrink until the figure fits on a page."""
    around = 0.3 * len(counts) + 0.75
    row = min(0.12 + 0.12 * min(rates, 4), (style.HEIGHT - around - _LEGEND) / sum(counts))
    row = max(row, _LEAST_ROW)
    mark = min(_LARGEST_MARK, 0.6 * _POINTS * row)
    # The frame must not cut a mark.
    margin = max(0.5, 0.35 + 0.7 * mark / (_POINTS * row))
    return _Layout(row * sum(counts) + around, mark, math.ceil(_LEAST_LABELLED / row), margin)


def _look(rows: Sequence[Mapping[str, Any]], counts: Sequence[int]) -> _Look:
    alphas = sorted({row["alpha"] for row in rows}, reverse=True)
    solutions = dict.fromkeys(row["solution"] for row in rows)
    return _Look(
        # Grey, lighter for smaller rates: colours would suggest configurations, as in the other figures.
        greys={alpha: str(0.6 * i / max(1, len(alphas) - 1)) for i, alpha in enumerate(alphas)},
        # The marks of different rates overlap less if each rate has its own line within the row.
        offsets={alpha: _ROOM * ((i + 0.5) / len(alphas) - 0.5) for i, alpha in enumerate(alphas)},
        markers=dict(zip(solutions, itertools.cycle(_MARKERS), strict=False)),
        layout=_layout(counts, len(alphas)),
    )


def overview_figure(rows: list[dict[str, Any]]) -> Figure:
    """Build the figure inside :func:`~idescent.drawing.saving.styled`, from :func:`overview_rows`.

    Raises
    ------
    ValueError
        If there is no row.
    """
    if not rows:
        raise ValueError("errors: the tables have no sup error of theta: there must be at least one")
    objectives: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        objectives.setdefault(row["objective"], []).append(row)
    accounts = {
        name: account_of([row for row in group if not meaningless(row)]) for name, group in objectives.items()
    }
    # A panel with drawable errors omits the other rows; a panel without any keeps all rows.
    rows = [
        row
        for row in rows
        if meaningless(row) or accounts[row["objective"]].whole or drawable(row["error"], log=True)
    ]
    labels: dict[str, list[str]] = {}
    for row in rows:
        panel_labels = labels.setdefault(row["objective"], [])
        if row["configuration"] not in panel_labels:
            panel_labels.append(row["configuration"])
    counts = [len(panel_labels) for panel_labels in labels.values()]
    rows = [row for row in rows if not meaningless(row)]
    look = _look(rows, counts)
    figure = Figure(
        figsize=(style.WIDTHS["double"], look.layout.height),
        layout=ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.03),
    )
    axes = figure.subplots(len(labels), 1, sharex=True, squeeze=False, height_ratios=counts).ravel()
    for ax, (objective, panel_labels) in zip(axes, labels.items(), strict=True):
        panel = [row for row in rows if row["objective"] == objective]
        title = titled(f"objective: {objective}", remarks(objectives[objective]), 90)
        _draw_panel(ax, title, panel, panel_labels, look, accounts[objective])
    if all(account.whole for account in accounts.values()):
        without_scale(axes, "x")
    axes[-1].set_xlabel(r"$\max_k\,\Vert\theta_\mathrm{discrete} - \theta_\mathrm{model}\Vert$")
    _legend(figure, look, crossed=not all(row["good"] for row in rows))
    return figure


def _draw_panel(
    ax: Axes,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    labels: Sequence[str],
    look: _Look,
    account: Account,
) -> None:
    places = {label: i for i, label in enumerate(labels)}
    mark = look.layout.mark
    drawn = [row for row in rows if drawable(row["error"], log=True)]
    dodges = _dodges(drawn, look)
    points = [
        (row, row["error"], places[row["configuration"]] + look.offsets[row["alpha"]] + dodge)
        for row, dodge in zip(drawn, dodges, strict=True)
    ]
    for solution, marker in look.markers.items():
        marks = [(x, y, look.greys[row["alpha"]]) for row, x, y in points if row["solution"] == solution]
        if marks:
            across, up, greys = zip(*marks, strict=True)
            # A hollow mark does not hide the marks behind it.
            ax.scatter(
                across, up, mark**2, marker=marker,
                edgecolors=greys, facecolors="none", linewidths=mark / _LARGEST_MARK,
            )  # fmt: skip
    failed = [(x, y) for row, x, y in points if not row["good"]]
    ax.plot(
        *zip(*failed, strict=True) if failed else ((), ()),
        "x",
        color="black",
        # Inside the mark: a larger cross would hide its shape.
        markersize=0.5 * mark,
        markeredgewidth=0.5,
        gid="not converged",
    )
    common, values = style.told_apart(labels)
    ax.set(ylabel=common)
    # Readers infer the labels that `every` skips from the neighbouring ones.
    style_axes(ax, title, values, every=look.layout.every, margin=look.layout.margin, ticks=9)
    say(ax, account)


def _dodges(rows: Sequence[Mapping[str, Any]], look: _Look) -> list[float]:
    """Return shifts, in rows of the panel, that separate marks of one configuration and learning rate."""
    decades = [math.log10(row["error"]) for row in rows]
    span = max(max(decades, default=0.0) - min(decades, default=0.0), 1.0)
    # Width of a mark in decades; the axes are about five inches wide.
    width = 1.3 * look.layout.mark / (_AXES * _POINTS) * span
    lanes: dict[tuple[str, float], list[list[float]]] = {}
    chosen: dict[int, tuple[int, tuple[str, float]]] = {}
    for i in sorted(range(len(rows)), key=lambda i: decades[i]):
        key = rows[i]["configuration"], rows[i]["alpha"]
        taken = lanes.setdefault(key, [])
        lane = next((j for j, marks in enumerate(taken) if decades[i] - marks[-1] > width), len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append(decades[i])
        chosen[i] = lane, key
    room = _ROOM / len(look.offsets)
    return [
        room * ((lane + 0.5) / len(lanes[key]) - 0.5) for lane, key in (chosen[i] for i in range(len(rows)))
    ]


def _legend(figure: Figure, look: _Look, *, crossed: bool) -> None:
    # At most twelve greys: readers infer the rates between them.
    rates = spread(list(look.greys.items()), 12)
    alphas = [_handle(rf"$\alpha$ = {alpha:.3g}", "o", grey, grey) for alpha, grey in rates]
    solutions = [
        _handle(textwrap.shorten(style.legend_name(name), 40), marker, "black", "none")
        for name, marker in look.markers.items()
    ]
    if crossed:
        solutions.append(_handle("did not converge", "x", "black", "black"))
    draw_legend(figure, [alphas, solutions])


def _handle(label: str, marker: str, edge: str, face: str) -> Line2D:
    look: dict[str, Any] = {"marker": marker, "color": edge, "markerfacecolor": face, "markersize": 4.2}
    return Line2D([], [], linestyle="none", label=label, **look)


def job(task: Task) -> str:
    """Draw the overview of all errors or the figure of the three errors; return a line for the screen."""
    from idescent.products.errors.split import render_split

    figures = {"errors_overview": render_overview, "errors_split": render_split}
    figures[task.outputs[0].stem](task.files, task.outputs)
    return f"{len(task.outputs)} files"
