"""Loss curves of runs and of their models, and the relative errors of the models.

What lives here: :func:`render_fidelity`, one figure for each objective and optimizer, a column for each cell.
What does not: the numbers (:mod:`idescent.products.fidelity.rows`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from idescent.analysis.errors import MEANINGLESS, status
from idescent.drawing import style
from idescent.drawing.drawable import Account, account, drawable, held, say, without_scale
from idescent.drawing.legends import draw_legend
from idescent.drawing.looks import SCHEMES, displayed, model_look
from idescent.drawing.remarks import tell
from idescent.drawing.saving import save, styled
from idescent.drawing.ticks import log_ticks
from idescent.products.fidelity.rows import SMALLEST_LOSS, horizon, negative, relative_errors, unsolved
from idescent.products.paths.clipped import clipped_key, mark_clipped
from idescent.products.paths.curves import MOST_POINTS, first_measured
from idescent.products.paths.envelopes import draw_envelope, separated
from idescent.products.product import Task
from idescent.store.trajectories import read_with_metadata
from idescent.study import registry
from idescent.trajectory import Trajectory

CAPTION = (
    "Loss along the runs of {optimizer} (objective: {objective}; wide grey line) and along the solutions of "
    "its continuous models; below, the relative error of the models; if a model starts from the optimizer's "
    "own first iterations, after these. Bands: smallest and largest value where a curve oscillates faster "
    "than the figure resolves. Arrowheads: curves continue outside. "
    "Horizontal lines: the bounds {bounds}; "
    "markers: the last iteration before a model exceeds a bound for the first time. {floor} Cross at the end "
    "of a curve, or at the lower left where there is no curve: the solution did not reach its tolerance, or "
    "diverged."
)
_FLOOR = "Dotted: a thousandth of the first loss, by which errors of smaller losses are divided."
_SHIFTED = "If a run has negative losses, the error is relative to the range of its losses."
MOST_COLUMNS = 4

_LEAST_ERROR, _LARGEST_ERROR = 1e-7, 10.0
_CLOSE = 4.0  # least ratio of two bounds whose names are at the same height as their lines

# Losses below this share of the first one are not drawn: most of their digits are rounding.
_DRAWN = 1e-3 * SMALLEST_LOSS


def render_fidelity(
    files: Iterable[Path],
    models: Mapping[str, str],
    within: Sequence[float],
    objective: str,
    optimizer: str,
    outputs: Sequence[Path],
) -> None:
    """Draw loss and relative error of cells of one objective and optimizer.

    Parameters
    ----------
    files : iterable of path
        Trajectory files, one folder for each cell, at most ``MOST_COLUMNS`` folders.
    models : mapping of str to str
        Name of the model of each solution, which determines its colour.
    within : sequence of float
        Bounds of the relative error.
    objective, optimizer : str
    outputs : sequence of path
        Where to write: any of .pdf, .svg and .png.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    cells: dict[Path, dict[str, tuple[Trajectory, dict[str, Any]]]] = {}
    for file in map(Path, files):
        cells.setdefault(file.parent, {})[file.stem] = read_with_metadata(file)
    bounds = ", ".join(f"{bound:.0%}" for bound in within)
    floor = _SHIFTED if _negative(cells.values()) else _FLOOR
    caption = CAPTION.format(optimizer=optimizer, objective=objective, bounds=bounds, floor=floor)
    with styled():
        picture = fidelity_figure(list(cells.values()), models, within)
        save(picture, outputs, f"Loss curves of {optimizer} and its continuous models", caption)


def fidelity_figure(
    cells: Sequence[Mapping[str, tuple[Trajectory, Mapping[str, Any]]]],
    models: Mapping[str, str],
    within: Sequence[float],
) -> Figure:
    """Build the picture; call it inside the style's context."""
    columns = len(cells)
    looks = _looks((name for cell in cells for name in cell if name != "discrete"), models)
    figure = Figure(
        figsize=(style.WIDTHS["double"] if columns > 1 else 3.6, 4.2),
        layout=ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.03),
    )
    grid = figure.subplots(2, columns, sharex="col", sharey="row", squeeze=False)
    names: dict[str, None] = {}
    odd, empty = False, True
    curves: dict[Axes, list[Line2D]] = {ax: [] for ax in grid.ravel()}
    lowest = math.inf
    # A negative loss has no logarithm: all losses are then drawn on a linear axis.
    log = not _negative(cells)
    for (above, below), cell in zip(grid.T, cells, strict=True):
        run, metadata = cell["discrete"]
        ended = {name: status(run, path) for name, (path, _) in cell.items()}
        remarked = [f"{displayed(name)}: {of}" for name, of in ended.items() if of in MEANINGLESS]
        kept = {name: path for name, (path, _) in cell.items() if ended[name] not in MEANINGLESS}
        first = abs(float(run.loss[0]))
        if log and drawable(_DRAWN * first, log=True):
            lowest = min(lowest, _DRAWN * first)
            above.axhline(SMALLEST_LOSS * first, color=style.GREY, linewidth=0.6, linestyle=":", zorder=0)
        above.set_title(_title(metadata["cell"]), fontsize=7)
        diverged = all(path.report.diverged_at is not None for path in kept.values())
        losses = [path.loss for path in kept.values()]
        told = ("zero", "too small", "not finite")
        drawn_losses = account(losses, log=log, noun="loss value", diverged=diverged, told=told)
        say(above, drawn_losses)
        if drawn_losses.drawn:
            look = {"color": "#B8B8B8", "linewidth": 3.2, "solid_capstyle": "butt", "zorder": 1}
            curves[above] += _plot(above, run.k, held(run.loss, log=log), log=log, **look)
        all_errors: list[Any] = []
        names |= dict.fromkeys(name for name in cell if name != "discrete")
        for name, path in kept.items():
            if name == "discrete":
                continue
            colour, marker, size, line = model_look(looks[name])
            if drawn_losses.drawn:
                look = {"color": colour, "linestyle": line, "linewidth": 0.9, "gid": name}
                curves[above] += _plot(above, path.k, held(path.loss, log=log), log=log, **look)
            k, errors = relative_errors(run, path)
            all_errors.append(errors["loss"])
            seen = drawable(errors["loss"], log=True)
            look = {"color": colour, "linestyle": line, "linewidth": 0.9}
            drawn_k, drawn_errors = k[seen], errors["loss"][seen]
            first_row = first_measured(drawn_errors, _LEAST_ERROR)
            curves[below] += _plot(below, drawn_k[first_row:], drawn_errors[first_row:], log=True, **look)
            for bound in within:
                left = horizon(k, errors["loss"], bound)
                if left < run.steps and not unsolved(path, k, left):
                    # The smaller marker is in front: a larger one would hide it.
                    look = {"color": colour, "markersize": size, "zorder": 3.9 - 0.1 * size}
                    below.plot([max(left, 0)], [bound], marker, **look)
            if not path.report.ok:
                odd = True
                # Without any solved iteration the cross lies at the start, where the error is 0.
                end = (k[seen][-1], errors["loss"][seen][-1]) if seen.any() else (0, _LEAST_ERROR)
                end = (end[0], min(max(end[1], _LEAST_ERROR), _LARGEST_ERROR))
                below.plot(*([x] for x in end), "x", color=colour, markersize=6, zorder=4, clip_on=False)
        inside = _in_frame(all_errors, diverged)
        say(below, inside)
        tell(below, remarked)
        if not drawn_losses.drawn and not inside.drawn:
            below.set_xlim(-0.05 * run.steps, 1.05 * run.steps)
        empty = empty and not drawn_losses.drawn
        _dress(above, below, log=log)
    _bounds(grid[1], within)
    if log:
        _losses(grid[0], lowest)
    clipped = [mark_clipped(ax, lines) for ax, lines in curves.items()]
    for ax in (*grid[0], *grid[1]):
        if ax.get_yscale() == "log" and not (empty and ax in grid[0]):
            log_ticks(ax.yaxis, most=6)
    if empty:
        without_scale(grid[0], "y")
    grid[0, 0].set_ylabel("loss")
    grid[1, 0].set_ylabel("relative error of the loss")
    draw_legend(figure, [*_keys(names, looks, odd), [clipped_key()] if any(clipped) else []])
    return figure


def _negative(cells: Iterable[Mapping[str, tuple[Trajectory, Any]]]) -> bool:
    return any(negative(cell["discrete"][0]) for cell in cells)


def _in_frame(errors: Sequence[Any], diverged: bool) -> Account:
    """Count the relative errors that a panel can draw within its frame."""
    drawn = account(errors, log=True, noun="error", diverged=diverged, told=("zero", "not finite"))
    values = np.concatenate([error[drawable(error, log=True)] for error in errors]) if errors else np.empty(0)
    for outside, where in ((values < _LEAST_ERROR, "below"), (values > _LARGEST_ERROR, "above")):
        if drawn.drawn and outside.all():
            limit = _LEAST_ERROR if where == "below" else _LARGEST_ERROR
            why = "all runs diverged" if diverged else f"all errors are {where} {limit:g}"
            return replace(drawn, drawn=0, whole=why)
    return drawn


def _looks(names: Iterable[str], models: Mapping[str, str]) -> dict[str, str]:
    """Return the key of each solution's look: its model, or its name if a scheme or a second solution."""
    looks: dict[str, str] = {}
    for name in dict.fromkeys(names):
        again = name in SCHEMES or models[name] in looks.values()
        looks[name] = name if again else models[name]
    return looks


def _keys(names: Iterable[str], looks: Mapping[str, str], odd: bool) -> list[list[Line2D]]:
    """Return the legend's entries: the run and its models, and the mark of failed solutions."""
    keys = [Line2D([], [], color="#B8B8B8", linewidth=3.2, label="discrete run")]
    for name in names:
        colour, marker, size, line = model_look(looks[name])
        look = {"color": colour, "marker": marker, "markersize": size, "linestyle": line}
        keys.append(Line2D([], [], linewidth=0.9, label=displayed(name), **look))
    failed = Line2D([], [], color="black", marker="x", linestyle="", label="did not converge")
    return [keys, [failed] if odd else []]


def _dress(above: Axes, below: Axes, *, log: bool) -> None:
    if log:
        above.set_yscale("log")
    below.set_yscale("log")
    below.set_ylim(_LEAST_ERROR, _LARGEST_ERROR)
    below.set_xlabel("iteration $k$")
    for ax in (above, below):
        ax.grid(axis="both", color="#E9E9E9", linewidth=0.4)
        ax.set_axisbelow(True)


def _losses(row: Sequence[Axes], lowest: float) -> None:
    """Set the limits of the losses: far below the first one they are cut off."""
    values = [y[y > 0.0] for ax in row for y in _values(ax)]
    positive = np.concatenate(values) if values else np.empty(0)
    if positive.size and math.isfinite(lowest):
        row[0].set_ylim(max(0.5 * float(positive.min()), lowest), 2.0 * float(positive.max()))


def _values(ax: Axes) -> list[Any]:
    return [np.asarray(line.get_ydata(), dtype=np.float64) for line in ax.lines if line.get_zorder() > 0]


def _bounds(row: Sequence[Axes], within: Sequence[float]) -> None:
    """Draw the bounds with their names at the right."""
    for bound in within:
        for ax in row:
            ax.axhline(bound, color=style.GREY, linewidth=0.5, zorder=0)
    for bound, where in _names_of_bounds(within).items():
        row[-1].annotate(
            f"{100.0 * bound:g} %",
            (1.0, bound),
            xycoords=("axes fraction", "data"),
            xytext=(2, 0),
            textcoords="offset points",
            va=where,
            fontsize=5.5,
            color=style.GREY,
        )


def _names_of_bounds(within: Iterable[float]) -> dict[float, str]:
    """Return the vertical alignment of the name of each bound: two close ones move apart.

    A third name between two close ones would overlap them: it is left out.
    """
    names: dict[float, str] = {}
    for bound in sorted(within, reverse=True):
        above = min(names, default=math.inf)
        if _CLOSE * bound <= above:
            names[bound] = "center_baseline"
        elif names[above] == "center_baseline":
            names[above], names[bound] = "bottom", "top"
    return names


def _plot(ax: Axes, k: Any, y: Any, *, log: bool, **look: Any) -> list[Line2D]:
    """Draw a curve as lines, and its dense oscillations as bands of their values; return the lines."""
    positive = np.isfinite(y) & (y > 0.0) if log else np.isfinite(y)
    if not positive.any():
        return ax.plot(*_thin(k, y), **look)
    # Values without a logarithm, and values far below the largest, are as low as the panel shows.
    low = max(float(y[positive].min()), 1e-8 * float(y[positive].max())) if log else -math.inf
    level = np.maximum(y, low) if log else y
    whole = bool(np.isfinite(level).all())
    values = np.log(level) if log and whole else level
    height = float(np.ptp(values)) if whole else 0.0
    k = np.asarray(k, dtype=np.float64)
    lines, envelopes = separated(k, values, float(k[0]), float(k[-1]), height)
    drawn: list[Line2D] = []
    for i, part in enumerate(lines or [slice(0, 0)]):
        drawn += ax.plot(*_thin(k[part], y[part]), **look if i == 0 else look | {"gid": None})
    for one in envelopes:
        ends = (np.exp(v) if log else v for v in (one.low, one.high))
        draw_envelope(ax, one.k, *ends, **look | {"gid": "envelope"})
    return drawn


def _thin(x: Any, y: Any) -> tuple[Any, Any]:
    chosen = np.unique(np.linspace(0, max(len(x) - 1, 0), min(len(x), MOST_POINTS)).astype(int))
    return x[chosen], y[chosen]


def _title(cell: Mapping[str, Any]) -> str:
    name, *rates = style.configuration(cell["optimizer"]).split(", ")
    # Two in each line: three are wider than a column of four.
    parts = rates or [name]
    lines = [", ".join(parts[i : i + 2]) for i in range(0, len(parts), 2)]
    return "\n".join([*lines, f"$\\alpha = {cell['alpha']:g}$"])


def job(task: Task) -> str:
    """Draw loss curves of the runs of one optimizer and their models; return a line about it."""
    given = task.given
    models = {name: str(registry.model(spec).name) for name, spec in given["models"].items()}
    render_fidelity(task.files, models, given["within"], given["objective"], given["optimizer"], task.outputs)
    return f"{len(task.outputs)} files"
