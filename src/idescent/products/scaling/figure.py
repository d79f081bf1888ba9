"""Errors against the learning rate: one figure for each objective and optimizer.

What lives here: :func:`render_scaling`.  What does not: the numbers (:mod:`idescent.products.scaling.rows`),
how each model looks (:mod:`.looks`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter

from idescent.analysis.floor import ABOVE_FLOOR
from idescent.drawing import style
from idescent.drawing.drawable import Account, account_of, drawable, say, without_scale
from idescent.drawing.legends import draw_legend
from idescent.drawing.looks import SCHEMES, displayed, model_look
from idescent.drawing.remarks import remarks, tell
from idescent.drawing.saving import save, styled
from idescent.drawing.ticks import log_ticks
from idescent.products.product import Task
from idescent.products.scaling.rows import good, meaningless, sup_errors
from idescent.store.tables import hyperparameters, read_errors

_STRONG = 6  # curves at full strength, the first ones of the study
CAPTION = (
    "Largest error of θ over all iterations against the learning rate α, for each continuous model of "
    "{optimizer} (objective: {objective}), a panel for each choice of its hyper-parameters. Filled markers: "
    "the asymptotic window in which the order is fitted; open markers: outside it; pale: models after the "
    f"first {_STRONG} of the study; crosses: the solution did not reach its tolerance, "
    "or a run diverged. The triangles have the slopes of orders 1, 2 and 3. Errors within "
    f"{ABOVE_FLOOR:g} times the estimated error of solver and rounding are not shown."
)

_COLUMNS = 3
_FAINT = 0.35  # opacity of the others
_LABELLED = 8  # most learning rates with a label each, in at most two columns of panels
_DECADE = 10.0
_SIZES = (1.0, 0.5, 0.25)  # widths of the triangles, in decades
_CLEARANCE = 0.035  # least distance of a triangle from a curve, as a fraction of the panel
_REMARK = 0.075  # height of a line of remarks, as a fraction of a panel


def render_scaling(table: str | Path, objective: str, optimizer: str, outputs: Iterable[str | Path]) -> None:
    """Draw the errors of theta of all models of one optimizer, a panel for each choice of hyper-parameters.

    Parameters
    ----------
    table : path
        Complete scaling table (Parquet).
    objective, optimizer : str
        Select the rows; the optimizer without module.
    outputs : iterable of path
        Where to write: any of .pdf, .svg and .png.

    Raises
    ------
    ValueError
        If the table is damaged or holds no error of theta of this objective and optimizer.
    """
    rows = sup_errors(read_errors([table]).to_pylist(), objective, optimizer)
    title = f"Errors of the continuous models of {optimizer} against the learning rate"
    with styled():
        save(scaling_figure(rows), outputs, title, CAPTION.format(optimizer=optimizer, objective=objective))


def _shown(row: Mapping[str, Any]) -> bool:
    """Whether an error is drawn: it is not meaningless, and above its floor."""
    if meaningless(row) or not drawable(row["error"], log=True):
        return False
    return bool(row["error"] > ABOVE_FLOOR * row["floor"])


def _account(rows: Sequence[Mapping[str, Any]]) -> Account:
    # The caption mentions errors near their floor, and 0 is one of them.
    errors = account_of([row for row in rows if not meaningless(row)], told=("zero",))
    if errors.drawn and not any(map(_shown, rows)):
        diverged = all(row["discrete_status"] == "diverged" for row in rows)
        why = "all runs diverged" if diverged else "all errors are within solver and rounding error"
        return replace(errors, drawn=0, whole=why)
    return errors


def scaling_figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Build the picture; call it inside the style's context."""
    if not rows:
        raise ValueError("scaling: no error of theta is given: there must be at least one")
    panels: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        panels.setdefault(row["configuration"], []).append(row)
    # Four panels are two by two: a row of three and one of one would leave half a page empty.
    columns = 2 if len(panels) == 4 else min(len(panels), _COLUMNS)
    lines = math.ceil(len(panels) / columns)
    width = style.WIDTHS["double"] if columns > 1 else 4.6
    figure = Figure(
        figsize=(width, 2.35 * lines + 0.75), layout=ConstrainedLayoutEngine(h_pad=0.04, w_pad=0.03)
    )
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    axes = list(grid.ravel())
    accounts = [_account(members) for members in panels.values()]
    shown = [row for row in rows if _shown(row)]
    solutions = _solutions(shown or rows)
    most_notes, room = 0, 0.0
    for ax, members in zip(axes, panels.values(), strict=False):
        for name in solutions:
            chosen = [row for row in members if row["solution"] == name and _shown(row)]
            _draw(ax, name, chosen, solutions)
        tell(ax, notes := remarks(members, displayed))
        most_notes = max(most_notes, len(notes))
        ax.set_title(_title(members[0]), fontsize=7.5)
        ax.grid(axis="both", color="#E3E3E3", linewidth=0.4)
        ax.set_axisbelow(True)
    first = axes[0]
    first.set(xscale="log", yscale="log")
    if shown:
        low, high = (math.log10(pick(row["error"] for row in shown)) for pick in (min, max))
        # The remarks are above the curves.
        room = _REMARK * most_notes * (high - low + 0.8)
        first.set_ylim(_DECADE ** (low - 0.4), _DECADE ** (high + 0.4 + room))
        small, large = (math.log10(pick(row["alpha"] for row in shown)) for pick in (min, max))
        margin = 0.1 + 0.04 * (large - small)
        first.set_xlim(_DECADE ** (small - margin), _DECADE ** (large + margin))
    else:
        alphas = [row["alpha"] for row in rows]
        first.set_xlim(0.8 * min(alphas), 1.25 * max(alphas))
        without_scale(axes, "y")
    for axis in (first.xaxis, first.yaxis):
        log_ticks(axis)
    _ladder_ticks(axes, rows, columns)
    for ax, members, errors in zip(axes, panels.values(), accounts, strict=False):
        if not errors.whole:
            _triangles(ax, [row for row in members if _shown(row)], room)
        say(ax, errors)
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    for i, ax in enumerate(axes[: len(panels)]):
        below = i + columns >= len(panels)
        ax.tick_params(labelbottom=below)
        if below:
            ax.set_xlabel(r"learning rate $\alpha$")
    for row_of in grid:
        row_of[0].set_ylabel(r"$\max_k\,\Vert\theta_\mathrm{discrete} - \theta_\mathrm{model}\Vert$")
    keys: list[Line2D] = []
    for used, label in ((True, "in the fit of the order"), (False, "outside the fit")):
        if any(row["used"] is used for row in shown):
            face = style.GREY if used else "white"
            look: dict[str, Any] = {"color": style.GREY, "markerfacecolor": face, "markersize": 3.6}
            keys.append(Line2D([], [], marker="o", linestyle="", label=label, **look))
    if not all(good(row) for row in shown):
        keys.append(Line2D([], [], color="black", marker="x", linestyle="", label="did not converge"))
    draw_legend(figure, [[_key(name, solutions) for name in solutions], keys])
    return figure


def _ladder_ticks(axes: Sequence[Axes], rows: Sequence[Mapping[str, Any]], columns: int) -> None:
    """Set a tick at each learning rate, with a label if there is room for all; the axes share their ticks."""
    rates = sorted({row["alpha"] for row in rows})
    axis = axes[0].xaxis
    if len(rates) <= _LABELLED and columns <= 2:
        axis.set_major_locator(FixedLocator(rates))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(FixedLocator([]))
        for ax in axes:
            ax.tick_params(axis="x", labelsize=6)
    else:
        axis.set_minor_locator(FixedLocator(rates))


def _strength(name: str, solutions: Mapping[str, tuple[str, bool]]) -> float:
    """Return the opacity of a curve."""
    return 1.0 if list(solutions).index(name) < _STRONG else _FAINT


def _solutions(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, bool]]:
    """Return the model of each solution, and whether it has its own look: a scheme, or a second solution."""
    solutions: dict[str, tuple[str, bool]] = {}
    for row in rows:
        if row["solution"] not in solutions:
            again = any(row["model"] == model for model, own in solutions.values() if not own)
            solutions[row["solution"]] = row["model"], again or row["solution"] in SCHEMES
    return solutions


def _draw(
    ax: Axes, name: str, rows: Sequence[Mapping[str, Any]], solutions: Mapping[str, tuple[str, bool]]
) -> None:
    if not rows:
        return
    model, again = solutions[name]
    colour, marker, size, line = model_look(name if again else model)
    x, y = ([row[key] for row in rows] for key in ("alpha", "error"))
    strength = _strength(name, solutions)
    behind = 0.0 if strength == 1.0 else 0.8
    look: dict[str, Any] = {"color": colour, "alpha": strength}
    ax.plot(x, y, **look, linestyle=line, linewidth=1.0, zorder=1.9 - behind, gid=f"{name} line")
    for used, face in ((True, colour), (False, "white")):
        chosen = [row for row in rows if row["used"] is used]
        ax.plot(
            [row["alpha"] for row in chosen],
            [row["error"] for row in chosen],
            marker,
            **look,
            markerfacecolor=face,
            markersize=size,
            zorder=3.0 - 0.1 * size - behind,
            gid=f"{name} {'window' if used else 'outside'}",
        )
    bad = [row for row in rows if not good(row)]
    if bad:
        ax.plot(
            [row["alpha"] for row in bad],
            [row["error"] for row in bad],
            "x",
            color="black",
            markersize=7,
            zorder=3.5,
            gid=f"{name} not converged",
        )


def _key(name: str, solutions: Mapping[str, tuple[str, bool]]) -> Line2D:
    model, again = solutions[name]
    colour, marker, size, line = model_look(name if again else model)
    look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": size, "linestyle": line}
    look["alpha"] = _strength(name, solutions)
    return Line2D([], [], linewidth=1.0, label=displayed(name), **look)


def _title(row: Mapping[str, Any]) -> str:
    text = style.configuration({"class": row["optimizer"], "arguments": hyperparameters(row)})
    name, comma, rest = text.partition(", ")
    return rest if comma else name


def _triangles(ax: Axes, rows: Sequence[Mapping[str, Any]], room: float) -> None:
    """Draw the slopes of orders 1, 2 and 3 as triangles, farthest from all points, below the remarks.

    The remarks take the upper ``room`` decades of the panel.
    """
    x_range, (bottom, top) = ([math.log10(v) for v in limits] for limits in (ax.get_xlim(), ax.get_ylim()))
    y_range = bottom, top - room
    # A decade wide, or less if the three decades of order 3 would fill the panel or touch a curve.
    sizes = [size for size in _SIZES if y_range[1] - y_range[0] > 7.0 * size]
    limits = (x_range[0], x_range[1]), (y_range[0], y_range[1])
    for size in sizes:
        corner = _free_corner(rows, size, *limits)
        if corner is not None:
            break
    else:
        return
    x, y = corner
    right = _DECADE ** (x + size)
    lines = {f"slope {p}": ([_DECADE**x, right], [_DECADE**y, _DECADE ** (y + p * size)]) for p in (1, 2, 3)}
    lines["base"] = [_DECADE**x, right], [_DECADE**y] * 2
    lines["side"] = [right] * 2, [_DECADE**y, _DECADE ** (y + 3 * size)]
    for gid, (across, up) in lines.items():
        ax.plot(across, up, color=style.GREY, linewidth=0.6, gid=gid)
        if gid.startswith("slope"):
            ax.annotate(
                gid[-1],
                (right, up[1]),
                xytext=(2, 0),
                textcoords="offset points",
                va="center",
                fontsize=6,
                color=style.GREY,
            )


def _free_corner(
    rows: Sequence[Mapping[str, Any]],
    size: float,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
) -> tuple[float, float] | None:
    """Return the lower left corner of the triangles, in decades, far from all points; None without room."""
    origin = np.array([x_range[0], y_range[0]])
    extent = np.array([x_range[1], y_range[1]]) - origin
    if extent[0] < size + 0.2 or extent[1] < 3.0 * size + 0.2:
        return None
    curves: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        curves.setdefault(row["solution"], []).append((math.log10(row["alpha"]), math.log10(row["error"])))
    # The triangles avoid the lines between markers, too.
    taken = np.concatenate(
        [
            np.concatenate([np.array(line[:1]), *(np.linspace(a, b, 25) for a, b in pairwise(line))])
            for line in curves.values()
        ]
    )
    # Points of the area, and behind its side, where the orders are written.
    fractions = np.linspace(0.0, 1.0, 7)
    outline = np.array([(u, 3.0 * min(u, 1.0) * v) for u in (*fractions, 1.1) for v in fractions]) * size
    places = [
        np.array([x, y])
        for x in np.linspace(x_range[0] + 0.1, x_range[1] - size - 0.15, 9)
        for y in np.linspace(y_range[0] + 0.1, y_range[1] - 3.0 * size - 0.1, 12)
    ]
    clearances = [
        np.linalg.norm(((place + outline)[:, None] - taken[None]) / extent, axis=-1).min() for place in places
    ]
    best = int(np.argmax(clearances))
    return None if clearances[best] < _CLEARANCE else (float(places[best][0]), float(places[best][1]))


def job(task: Task) -> str:
    """Draw errors against the learning rate from a complete scaling table; return a line about it."""
    render_scaling(task.files[0], task.given["objective"], task.given["optimizer"], task.outputs)
    return f"{len(task.outputs)} files"
