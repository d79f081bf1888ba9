"""All errors of a study in one picture.

What lives here: :func:`render_overview`, a dot plot.  What does not: the figures of
trajectories (:mod:`.draw`).
"""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from idescent.analysis.errors import MEANINGLESS
from idescent.drawing import style
from idescent.drawing.drawable import account_of, drawable, say, without_scale
from idescent.drawing.remarks import remarks, titled
from idescent.drawing.saving import save, styled
from idescent.products.formats import in_order
from idescent.products.product import Task
from idescent.store.tables import HYPERPARAMETERS, hyperparameters, read_errors
from idescent.study.cells import spread
from idescent.trajectory import ended_well

TITLE = "Largest error of the parameters, all cells"
CAPTION = (
    "Largest distance over all iterations between the discrete path of θ and that of its continuous model, "
    "for every optimizer and learning rate of the study. Crosses: the solution did not reach its tolerance, "
    "or a run diverged; the error is then that up to the last finite iteration."
)

# What is drawn of a table.
_COLUMNS = ["objective", "optimizer", *HYPERPARAMETERS, "alpha", "solution", "status", "discrete_status"]
_COLUMNS += ["quantity", "norm", "kind", "error"]

# In inches: the lowest row in which marks can be seen, and the lowest that has room for a label.
_LEAST_ROW, _LEAST_LABELLED = 0.03, 0.13
_LARGEST_MARK = 4.7  # in points
_POINTS = 72.0  # an inch

_MARKERS = ("o", "s", "D", "^", "v", "P")


def render_overview(errors: str | Path | Iterable[str | Path], outputs: Iterable[str | Path]) -> None:
    """Draw the sup error of theta for every cell: configurations down, errors across, a line for each alpha.

    Parameters
    ----------
    errors : path or iterable of path
        Tables of errors (Parquet), of parts of a study in any order of their cells.
    outputs : iterable of path
        Where to write: any of .pdf, .svg and .png.

    Raises
    ------
    ValueError
        If a table is damaged or holds no error of theta.
    """
    files = [errors] if isinstance(errors, str | Path) else list(errors)
    rows = overview_rows(in_order(read_errors(files)).select(_COLUMNS).to_pylist())
    with styled():
        save(overview_figure(rows), outputs, TITLE, CAPTION)


def overview_rows(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Choose and name the rows of the figure: one for each cell and solution, in order."""
    chosen = []
    for row in rows:
        if row["quantity"] != "theta" or row["norm"] != "sup" or row["kind"] != "total":
            continue
        chosen.append(
            {
                "objective": row["objective"],
                "configuration": style.configuration(
                    {"class": row["optimizer"], "arguments": hyperparameters(row)}
                ),
                "alpha": row["alpha"],
                "solution": row["solution"],
                "error": row["error"],
                "status": row["status"],
                "discrete_status": row["discrete_status"],
                "good": ended_well(row["status"], row["discrete_status"]),
            }
        )
    return chosen


def _meaningless(row: Mapping[str, Any]) -> bool:
    return row.get("status") in MEANINGLESS


class _Layout(NamedTuple):
    """Sizes that depend on the number of rows.

    Attributes
    ----------
    figure : float
        Its height in inches.
    mark : float
        Its width in points.
    every : int
        Every how many-th row has a label.
    outside : float
        How far, in rows, the frame is from the first row and from the last.
    """

    figure: float
    mark: float
    every: int
    outside: float


def _layout(counts: Sequence[int], alphas: int) -> _Layout:
    """Make room for so many rows in each panel: of a large grid they are lower, so that all fit on a page."""
    around = 0.3 * len(counts) + 0.75
    row = min(0.12 + 0.08 * min(alphas, 4), (style.HEIGHT - around) / sum(counts))
    row = max(row, _LEAST_ROW)
    mark = min(_LARGEST_MARK, 0.6 * _POINTS * row)
    # No mark is cut by the frame.
    outside = max(0.5, 0.35 + 0.7 * mark / (_POINTS * row))
    return _Layout(row * sum(counts) + around, mark, math.ceil(_LEAST_LABELLED / row), outside)


def overview_figure(rows: list[dict[str, Any]]) -> Figure:
    """Build the picture; call it inside the style's context."""
    if not rows:
        raise ValueError("errors: no sup error of theta is given: there must be at least one")
    objectives: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        objectives.setdefault(row["objective"], []).append(row)
    said = {name: remarks(members) for name, members in objectives.items()}
    accounts = {
        name: account_of([row for row in members if not _meaningless(row)])
        for name, members in objectives.items()
    }
    # Where some can be drawn, those that cannot have no row; where none can, all have one.
    rows = [
        row
        for row in rows
        if _meaningless(row) or accounts[row["objective"]].whole or drawable(row["error"], log=True)
    ]
    names: dict[str, list[str]] = {}
    for row in rows:
        known = names.setdefault(row["objective"], [])
        if row["configuration"] not in known:
            known.append(row["configuration"])
    counts = [len(known) for known in names.values()]
    rows = [row for row in rows if not _meaningless(row)]
    alphas = sorted({row["alpha"] for row in rows}, reverse=True)
    # Greys, the smaller the rate the lighter: colours are taken, each by its configuration.
    palette = {a: str(0.6 * i / max(1, len(alphas) - 1)) for i, a in enumerate(alphas)}
    # Each rate has a line of its own within the row of its configuration: fewer marks lie on each other.
    lines = {a: 0.7 * (i + 0.5) / len(alphas) - 0.35 for i, a in enumerate(alphas)}
    solutions = list(dict.fromkeys(row["solution"] for row in rows))
    shapes = dict(zip(solutions, itertools.cycle(_MARKERS), strict=False))
    layout = _layout(counts, len(alphas))
    size = (style.WIDTHS["double"], layout.figure)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.03))
    axes = figure.subplots(len(names), 1, sharex=True, squeeze=False, height_ratios=counts).ravel()
    for ax, (objective, known) in zip(axes, names.items(), strict=True):
        place = {name: i for i, name in enumerate(known)}
        part = [
            (row, row["error"], place[row["configuration"]] + lines[row["alpha"]])
            for row in rows
            if row["objective"] == objective and drawable(row["error"], log=True)
        ]
        for solution, shape in shapes.items():
            if marks := [(x, y, palette[row["alpha"]]) for row, x, y in part if row["solution"] == solution]:
                across, up, greys = zip(*marks, strict=True)
                # Hollow: one does not hide another.
                ax.scatter(
                    across, up, layout.mark**2, marker=shape,
                    edgecolors=greys, facecolors="none", linewidths=layout.mark / _LARGEST_MARK,
                )  # fmt: skip
        bad = [(x, y) for row, x, y in part if not row["good"]]
        ax.plot(
            *zip(*bad, strict=True) if bad else ((), ()),
            "x",
            color="black",
            markersize=layout.mark,
            gid="not converged",
        )
        ax.set(xscale="log", title=titled(f"objective: {objective}", said[objective], 90))
        common, labels = style.told_apart(known)
        ax.set(ylabel=common)
        # Rows in between are told by their neighbours.
        ax.set_yticks(range(0, len(known), layout.every), labels[:: layout.every])
        ax.set_ylim(len(known) - 1 + layout.outside, -layout.outside)
        ax.grid(axis="both", color="#DDDDDD", linewidth=0.5)
        ax.set_axisbelow(True)
        ax.tick_params(axis="y", length=0)
        ax.xaxis.set_major_locator(LogLocator(numticks=9))
        ax.xaxis.set_minor_formatter(NullFormatter())
        say(ax, accounts[objective])
    if all(found.whole for found in accounts.values()):
        without_scale(axes, "x")
    axes[-1].set_xlabel(r"$\max_k\,\Vert\theta_\mathrm{discrete} - \theta_\mathrm{model}\Vert$")
    # Greys in between are told by their neighbours.
    keys = {
        rf"$\alpha$ = {alpha:.3g}": ("o", grey, grey) for alpha, grey in spread(list(palette.items()), 12)
    }
    if len(solutions) > 1:
        keys |= {
            textwrap.shorten(style.solution(name), 40): (shape, "black", "none")
            for name, shape in shapes.items()
        }
    handles = [
        Line2D([], [], linestyle="none", marker=shape, color=edge, markerfacecolor=face, markersize=4.2)
        for shape, edge, face in keys.values()
    ]
    if not all(row["good"] for row in rows):
        keys["not converged"] = ("x", "black", "black")
        handles.append(Line2D([], [], linestyle="none", marker="x", color="black", markersize=5))
    figure.legend(handles, list(keys), loc="outside upper center", ncols=min(max(len(handles), 1), 4))
    return figure


def job(task: Task) -> str:
    """Draw the errors of all cells, or the three errors of all cells; return a line about it."""
    from idescent.products.errors.split import render_split

    figures = {"errors_overview": render_overview, "errors_split": render_split}
    figures[task.outputs[0].stem](task.files, task.outputs)
    return f"{len(task.outputs)} files"
