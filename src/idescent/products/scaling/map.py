"""Maps of the error over learning rate and memory: one figure for an objective and optimizer.

What lives here: :func:`render_heatmap`.  What does not: the numbers (:mod:`idescent.products.scaling.rows`),
curves over the learning rate alone (:mod:`idescent.products.scaling.figure`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from idescent.analysis.errors import IMPLAUSIBLE
from idescent.analysis.orders import ABOVE_FLOOR
from idescent.drawing import style
from idescent.drawing.drawable import account_of, drawable, say
from idescent.drawing.saving import save, styled
from idescent.products.product import Task
from idescent.products.scaling.rows import good, meaningless, sup_errors
from idescent.store.tables import read_errors
from idescent.trajectory import REFUSED

CAPTION = (
    "Largest error of θ over all iterations, relative to the largest θ of the discrete run, for each "
    "continuous model of {optimizer} (objective: {objective}), over the learning rate α and the decay rate β "
    "of the second moment, spaced as its memory 1/(1 − β) in iterations. Dashed: α = 1 − β, a memory of unit "
    "time. Hatched: the solution did not reach its tolerance, or a run diverged; the error is then that up "
    "to the last finite iteration. Dotted: the error is within ten times of what solver and rounding may "
    "make. White: not solved, or no error. Errors above 1 have the colour of the upper arrow."
)
_FAILED, _DROWNED = "not converged", "near solver and rounding error"
_HATCHES = {_FAILED: "////", _DROWNED: "....", IMPLAUSIBLE: "xxxx", REFUSED: "----"}
_DASHES: Any = (0, (3, 2))
_MOST_TICKS = 9
_LEAST_PANEL = 0.6  # inches
_BANDS = 2  # a decade
_MOST_DECADES = 100  # a colour map has 256 colours


def render_heatmap(table: str | Path, objective: str, optimizer: str, outputs: Iterable[str | Path]) -> None:
    """Draw the errors of theta of all models of one optimizer over learning rate and memory.

    Parameters
    ----------
    table : path
        Complete scaling table (Parquet).
    objective, optimizer : str
        Which of its rows; the optimizer without module.
    outputs : iterable of path
        Where to write: any of .pdf, .svg and .png.

    Raises
    ------
    ValueError
        If the table is damaged or holds no error of theta of cells with a memory.
    """
    rows = heatmap_rows(read_errors([table]).to_pylist(), objective, optimizer)
    title = f"Errors of the continuous models of {optimizer} over learning rate and memory"
    with styled():
        save(heatmap_figure(rows), outputs, title, CAPTION.format(optimizer=optimizer, objective=objective))


def heatmap_rows(rows: Iterable[dict[str, Any]], objective: str, optimizer: str) -> list[dict[str, Any]]:
    """Choose the values of the map: sup errors of theta of cells that have a memory."""
    return [row for row in sup_errors(rows, objective, optimizer) if _mapped(row) is not None]


def heatmap_figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Build the picture, models across and further rates down; call it inside the style's context."""
    # What drowns in rounding would stretch the scale of what does not.
    if not rows:
        raise ValueError("heatmap: no error of theta is given: there must be at least one")
    coloured = [row for row in rows if _coloured(row)]
    errors = [row["relative"] for row in coloured if _sign(row) != _DROWNED]
    # Without any, the scale of those that drown, or one decade below 1.
    errors = errors or [row["relative"] for row in coloured] or [1.0]
    solutions = list(dict.fromkeys(row["solution"] for row in rows))
    others = list(dict.fromkeys(_other(row) for row in rows))
    alphas, betas = (sorted({value(row) for row in rows}) for value in (_alpha, _mapped))
    low, high = (pick(math.log10(error) for error in errors) for pick in (min, max))
    # A relative error above 1 is none of interest, however large.
    ends: Any = "both" if high > 0.0 else "min"
    high = max(min(high, 0.0), low + 1.0)
    low = max(low, high - _MOST_DECADES)
    levels = np.arange(math.floor(_BANDS * low), math.ceil(_BANDS * high) + 1) / _BANDS
    # Very many models make it wider than a page: narrower panels show nothing.
    width = max(min(style.WIDTHS["double"], 1.5 + 1.55 * len(solutions)), _LEAST_PANEL * len(solutions))
    figure = Figure(
        figsize=(width, 0.75 + 1.45 * len(others)),
        layout=ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.03),
    )
    grid = figure.subplots(len(others), len(solutions), sharex=True, sharey=True, squeeze=False)
    colours = BoundaryNorm(levels, 256, extend=ends)
    for line, other in zip(grid, others, strict=True):
        for ax, solution in zip(line, solutions, strict=True):
            members = {
                (row["alpha"], _mapped(row)): row
                for row in rows
                if (_other(row), row["solution"]) == (other, solution)
            }
            mesh = _panel(ax, members, alphas, betas, colours)
            ax.set_title(solution if ax in grid[0] else "", fontsize=7.5)
            # Those that are refused or implausible have a hatch of their own.
            told = [row for row in members.values() if not meaningless(row)]
            found = account_of(told, "relative")
            if told and found.whole:
                say(ax, found)
        line[0].set_ylabel(f"{other}\n" + r"learning rate $\alpha$" if other else r"learning rate $\alpha$")
    symbol = r"\beta_2" if rows[0]["beta2"] is not None else r"\beta"
    for ax in grid[-1]:
        ax.set_xlabel(f"${symbol}$")
    _legend(figure, rows)
    if not coloured:
        return figure
    bar = figure.colorbar(mesh, ax=grid, pad=0.015, aspect=14 * len(others), shrink=0.95)
    decades = [level for level in levels if level == round(level)]
    decades = decades[:: 1 + len(decades) // _MOST_TICKS]
    bar.set_ticks(decades, labels=[rf"$10^{{{level:.0f}}}$" for level in decades])
    bar.set_label(r"relative error of $\theta$")
    bar.ax.yaxis.set_minor_locator(NullLocator())
    return figure


def _panel(
    ax: Axes,
    members: Mapping[tuple[float, float], Mapping[str, Any]],
    alphas: Sequence[float],
    betas: Sequence[float],
    colours: BoundaryNorm,
) -> Any:
    memories = [1.0 / (1.0 - beta) for beta in betas]
    across, up = _edges(memories), _edges(alphas)
    values = np.full((len(alphas), len(betas)), np.nan)
    for i, alpha in enumerate(alphas):
        for j, beta in enumerate(betas):
            row = members.get((alpha, beta))
            if row is None:
                continue
            if _coloured(row):
                values[i, j] = math.log10(row["relative"])
            sign = _sign(row)
            if sign:
                corner, wide, high = (across[j], up[i]), across[j + 1] - across[j], up[i + 1] - up[i]
                # Without an error there is no colour: the grey below the hatch tells it from an empty cell.
                face = "none" if _coloured(row) else style.GREY
                box = Rectangle(
                    corner, wide, high, facecolor=face, edgecolor="white", linewidth=0.0, zorder=2, gid=sign
                )
                box.set_hatch(_HATCHES[sign])
                ax.add_patch(box)
    mesh = ax.pcolormesh(across, up, values, cmap="viridis", norm=colours)
    ax.set(xscale="log", yscale="log", facecolor="white", xlim=across[[0, -1]], ylim=up[[0, -1]])
    for colour, width, dashes in (("white", 1.6, "solid"), ("black", 0.8, _DASHES)):
        ax.plot(across, 1.0 / across, color=colour, linewidth=width, linestyle=dashes, zorder=3)
    ax.xaxis.set_major_locator(FixedLocator(memories))
    ax.set_xticklabels([f"{beta:g}" for beta in betas], rotation=90, fontsize=6)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(LogLocator(numticks=9))
    ax.yaxis.set_minor_formatter(NullFormatter())
    return mesh


def _edges(values: Sequence[float]) -> NDArray[np.float64]:
    """Return the borders of cells around values on a logarithmic axis, one more than values."""
    logs = np.log(np.asarray(values, dtype=np.float64))
    if len(logs) == 1:
        return np.asarray(np.exp([logs[0] - 0.5, logs[0] + 0.5]))
    inner = 0.5 * (logs[1:] + logs[:-1])
    return np.asarray(np.exp([2.0 * logs[0] - inner[0], *inner, 2.0 * logs[-1] - inner[-1]]))


def _legend(figure: Figure, rows: Sequence[Mapping[str, Any]]) -> None:
    keys: list[Any] = [
        Line2D([], [], color="black", linestyle=_DASHES, linewidth=0.8, label=r"$\alpha = 1 - \beta$")
    ]
    found = {_sign(row) for row in rows}
    keys += [
        Patch(facecolor=style.GREY, edgecolor="white", hatch=hatch, label=sign, linewidth=0.0)
        for sign, hatch in _HATCHES.items()
        if sign in found
    ]
    figure.legend(handles=keys, loc="outside upper center", ncols=len(keys))


def _sign(row: Mapping[str, Any]) -> str | None:
    """Say what is wrong with a cell, if anything."""
    if meaningless(row):
        return str(row["status"])
    if not good(row):
        return _FAILED
    drowned = row["error"] and row["error"] <= ABOVE_FLOOR * row["floor"]
    return _DROWNED if drowned else None


def _coloured(row: Mapping[str, Any]) -> bool:
    """Whether a cell has the colour of its error."""
    return bool(drawable(row["relative"], log=True)) and not meaningless(row)


def _alpha(row: Mapping[str, Any]) -> float:
    return float(row["alpha"])


def _mapped(row: Mapping[str, Any]) -> Any:
    """Return the decay rate of the second moment, which the map is drawn over."""
    return row["beta"] if row["beta2"] is None else row["beta2"]


def _other(row: Mapping[str, Any]) -> str:
    """Name the further rates of a row."""
    given = {"beta1": row["beta1"], "weight_decay": row["weight_decay"]}
    arguments = {name: value for name, value in given.items() if value is not None}
    return style.configuration({"class": "", "arguments": arguments}).removeprefix(", ")


def job(task: Task) -> str:
    """Draw a map of errors over learning rate and memory from a scaling table; return a line about it."""
    render_heatmap(task.files[0], task.given["objective"], task.given["optimizer"], task.outputs)
    return f"{len(task.outputs)} files"
