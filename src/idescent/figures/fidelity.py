"""Loss curves of runs and of their models, and how far apart they are.

What lives here: :func:`render_fidelity`, one figure for an objective and optimizer, a column for each cell.
What does not: the numbers (:mod:`idescent.fidelity`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from idescent.errors import MEANINGLESS, status
from idescent.fidelity import SMALLEST_LOSS, horizon, relative_errors, unsolved
from idescent.figures import style
from idescent.figures.data import MOST_POINTS
from idescent.figures.looks import model_look
from idescent.figures.remarks import tell
from idescent.figures.saving import save, styled
from idescent.trajectory import Trajectory, read_with_metadata

CAPTION = (
    "Loss along the runs of {optimizer} (objective: {objective}; wide grey line) and as its continuous "
    "models predict it, and below the relative error of the prediction. Horizontal lines: the bounds "
    "{bounds}; markers: where a model leaves them for the first time. Dotted: a thousandth of the first "
    "loss; smaller losses count as that in the relative error. Crosses at the end of a curve, or at the "
    "lower left where there is none: the solution did not reach its tolerance, or diverged."
)
MOST_COLUMNS = 4

_LEAST_ERROR = 1e-7

# Losses below this share of the first one are not drawn: mostly they are rounding.
_DRAWN = 1e-3 * SMALLEST_LOSS


def render_fidelity(
    files: Iterable[Path],
    models: Mapping[str, str],
    within: Sequence[float],
    objective: str,
    optimizer: str,
    outputs: Sequence[Path],
) -> None:
    """Draw loss and relative error of some cells of one objective and optimizer.

    Parameters
    ----------
    files : iterable of path
        Trajectory files, one folder a cell, at most ``MOST_COLUMNS`` of them.
    models : mapping of str to str
        Name of the model of each solution: it decides about the colour.
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
    caption = CAPTION.format(optimizer=optimizer, objective=objective, bounds=bounds)
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
    figure = Figure(
        figsize=(style.WIDTHS["double"] if columns > 1 else 3.6, 4.2),
        layout=ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.03),
    )
    grid = figure.subplots(2, columns, sharex="col", sharey="row", squeeze=False)
    names: dict[str, None] = {}
    odd = False
    lowest = math.inf
    for (above, below), cell in zip(grid.T, cells, strict=True):
        run, metadata = cell["discrete"]
        told: list[str] = []
        first = abs(float(run.loss[0]))
        lowest = min(lowest, _DRAWN * first)
        above.axhline(SMALLEST_LOSS * first, color=style.GREY, linewidth=0.6, linestyle=":", zorder=0)
        above.set_title(_title(metadata["cell"]), fontsize=7)
        above.plot(*_thin(run.k, run.loss), color="#B8B8B8", linewidth=3.2, solid_capstyle="butt", zorder=1)
        for name, (path, _) in cell.items():
            if name == "discrete":
                continue
            names[name] = None
            colour, marker, size, line = model_look(models[name])
            ended = status(run, path)
            if ended in MEANINGLESS:
                told.append(f"{name}: {ended}")
                continue
            above.plot(*_thin(path.k, path.loss), color=colour, linestyle=line, linewidth=0.9, gid=name)
            k, errors = relative_errors(run, path)
            seen = np.isfinite(errors["loss"]) & (errors["loss"] > 0.0)
            below.plot(*_thin(k[seen], errors["loss"][seen]), color=colour, linestyle=line, linewidth=0.9)
            for bound in within:
                left = horizon(k, errors["loss"], bound)
                if left < run.steps and not unsolved(path, k, left):
                    below.plot([max(left, 0)], [bound], marker, color=colour, markersize=size, zorder=3)
            if not path.report.ok:
                odd = True
                # Where nothing was solved the cross lies at the start, where the error is 0.
                end = (k[seen][-1], errors["loss"][seen][-1]) if seen.any() else (0, _LEAST_ERROR)
                below.plot(*([x] for x in end), "x", color=colour, markersize=6, zorder=4, clip_on=False)
        tell(below, told)
        _dress(above, below)
    _bounds(grid[1], within)
    _losses(grid[0], lowest)
    grid[0, 0].set_ylabel("loss")
    grid[1, 0].set_ylabel("relative error of the loss")
    figure.legend(
        handles=_keys(names, models, odd), loc="outside upper center", ncols=5 if columns > 1 else 3
    )
    return figure


def _keys(names: Iterable[str], models: Mapping[str, str], odd: bool) -> list[Line2D]:
    keys = [Line2D([], [], color="#B8B8B8", linewidth=3.2, label="discrete run")]
    for name in names:
        colour, marker, size, line = model_look(models[name])
        look = {"color": colour, "marker": marker, "markersize": size, "linestyle": line}
        keys.append(Line2D([], [], linewidth=0.9, label=name, **look))
    if odd:
        keys.append(Line2D([], [], color="black", marker="x", linestyle="", label="not converged"))
    return keys


def _dress(above: Axes, below: Axes) -> None:
    above.set_yscale("log")
    below.set_yscale("log")
    below.set_ylim(_LEAST_ERROR, 10.0)
    below.set_xlabel("iteration k")
    for ax in (above, below):
        ax.grid(axis="both", color="#E9E9E9", linewidth=0.4)
        ax.set_axisbelow(True)


def _losses(row: Sequence[Axes], lowest: float) -> None:
    """Cut off what is far below the first loss."""
    bottom = min(float(np.nanmin(np.where(y > 0.0, y, np.nan))) for ax in row for y in _values(ax))
    row[0].set_ylim(bottom=max(0.5 * bottom, lowest))


def _values(ax: Axes) -> list[Any]:
    return [np.asarray(line.get_ydata(), dtype=np.float64) for line in ax.lines[1:]]


def _bounds(row: Sequence[Axes], within: Sequence[float]) -> None:
    """Draw the bounds, and name them at the right."""
    for bound in within:
        for ax in row:
            ax.axhline(bound, color=style.GREY, linewidth=0.5, zorder=0)
    named = math.inf
    for bound in sorted(within, reverse=True):
        if 4.0 * bound > named:
            continue  # its name would lie on the one above
        named = bound
        row[-1].annotate(
            f"{100.0 * bound:g} %",
            (1.0, bound),
            xycoords=("axes fraction", "data"),
            xytext=(2, 0),
            textcoords="offset points",
            va="center",
            fontsize=5.5,
            color=style.GREY,
        )


def _thin(x: Any, y: Any) -> tuple[Any, Any]:
    chosen = np.unique(np.linspace(0, max(len(x) - 1, 0), min(len(x), MOST_POINTS)).astype(int))
    return x[chosen], y[chosen]


def _title(cell: Mapping[str, Any]) -> str:
    name, _, rates = style.configuration(cell["optimizer"]).partition(", ")
    return f"{rates or name}\n$\\alpha = {cell['alpha']:g}$"
