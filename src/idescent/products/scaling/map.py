"""Maps of the error over learning rate and memory: one figure for each objective and optimizer.

What lives here: :func:`render_heatmap`.  What does not: the numbers (:mod:`idescent.products.scaling.rows`),
curves over the learning rate alone (:mod:`idescent.products.scaling.figure`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from idescent.analysis.errors import BELOW, IMPLAUSIBLE
from idescent.analysis.floor import ABOVE_FLOOR
from idescent.drawing import style
from idescent.drawing.drawable import account_of, drawable, say
from idescent.drawing.legends import draw_legend
from idescent.drawing.looks import displayed
from idescent.drawing.saving import save, styled
from idescent.products.product import Task
from idescent.products.scaling.rows import good, meaningless, sup_errors
from idescent.store.tables import hyperparameters, read_errors
from idescent.trajectory import REFUSED

CAPTION = (
    "Largest error of θ over all iterations, relative to the largest θ of the discrete run, for each "
    "continuous model of {optimizer} (objective: {objective}): a row for each learning rate α, a column for "
    "each decay rate β of the second moment. Dashed: α = 1 − β, interpolated between the cells; the memory "
    "of the second moment, 1/(1 − β) iterations, is then a time of 1. Hatched: the solution did not reach "
    "its tolerance, or a run diverged; the error is then that up to the last finite iteration. Dotted: the "
    f"error is within {ABOVE_FLOOR:g} times the estimated error of solver and rounding. "
    "White: not solved, or no error. "
    "Errors above 1 have the colour of the upper arrow."
)
_FAILED, _DROWNED = "not converged", "near solver and rounding error"
_HATCHES = {_FAILED: "////", _DROWNED: "....", BELOW: r"\\\\", IMPLAUSIBLE: "xxxx", REFUSED: "----"}
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
    """Select the rows of the map: sup errors of theta of cells whose second moment decays."""
    return [row for row in sup_errors(rows, objective, optimizer) if _mapped(row) is not None]


def heatmap_figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Build the picture, models across and other hyper-parameters down; call it inside the style's context.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of :func:`heatmap_rows`.

    Raises
    ------
    ValueError
        If there are none.
    """
    if not rows:
        raise ValueError("heatmap: no error of theta is given: there must be at least one")
    cells = pd.DataFrame(
        {
            "solution": [row["solution"] for row in rows],
            "other": [_other(row) for row in rows],
            "alpha": [float(row["alpha"]) for row in rows],
            "beta": [_mapped(row) for row in rows],
            "value": [math.log10(row["relative"]) if _coloured(row) else math.nan for row in rows],
            "sign": [_sign(row) for row in rows],
        }
    ).drop_duplicates(["solution", "other", "alpha", "beta"], keep="last")
    # Errors near rounding would stretch the scale of the others; without others the scale is theirs, or one
    # decade below 1.
    values = cells["value"].where(cells["sign"] != _DROWNED).dropna()
    values = values if len(values) else cells["value"].dropna()
    colours = _colours(*((values.min(), values.max()) if len(values) else (0.0, 0.0)))
    solutions, others = cells["solution"].unique(), cells["other"].unique()
    # Very many models make it wider than a page: narrower panels show nothing.
    width = max(min(style.WIDTHS["double"], 1.5 + 1.55 * len(solutions)), _LEAST_PANEL * len(solutions))
    figure = Figure(
        figsize=(width, 0.75 + 1.45 * len(others)),
        layout=ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.03),
    )
    grid = figure.subplots(len(others), len(solutions), sharex=True, sharey=True, squeeze=False)
    alphas, betas = (sorted(cells[name].unique()) for name in ("alpha", "beta"))
    for line, other in zip(grid, others, strict=True):
        for ax, solution in zip(line, solutions, strict=True):
            chosen = cells[(cells["other"] == other) & (cells["solution"] == solution)]
            _panel(ax, chosen, alphas[::-1], betas, colours)
            ax.set_title(displayed(solution) if ax in grid[0] else "", fontsize=7.5)
            # Meaningless errors have a hatch of their own.
            comparable = [
                row
                for row in rows
                if (_other(row), row["solution"]) == (other, solution) and not meaningless(row)
            ]
            errors = account_of(comparable, "relative")
            if comparable and errors.whole:
                say(ax, errors)
        line[0].set_ylabel(f"{other}\n" + r"learning rate $\alpha$" if other else r"learning rate $\alpha$")
    symbol = r"\beta_2" if rows[0]["beta2"] is not None else r"\beta"
    for ax in grid[-1]:
        ax.set_xlabel(f"${symbol}$")
    _legend(figure, rows, symbol)
    if cells["value"].notna().any():
        _colour_bar(figure, grid, colours)
    return figure


def _colours(low: float, high: float) -> BoundaryNorm:
    """Return bands of half a decade, for decimal logarithms of errors from ``low`` to ``high``."""
    # The size of a relative error above 1 is of no interest.
    extend: Any = "both" if high > 0.0 else "min"
    high = max(min(high, 0.0), low + 1.0)
    low = max(low, high - _MOST_DECADES)
    levels = np.arange(math.floor(_BANDS * low), math.ceil(_BANDS * high) + 1) / _BANDS
    return BoundaryNorm(levels, 256, extend=extend)


def _panel(
    ax: Axes, cells: pd.DataFrame, alphas: list[float], betas: list[float], colours: BoundaryNorm
) -> None:
    """Draw the errors of one model: a row for each learning rate, falling, and a column for each beta."""
    values = cells.pivot(index="alpha", columns="beta", values="value").reindex(index=alphas, columns=betas)
    values = values.rename(index="{:g}".format, columns="{:g}".format)
    # Without limits seaborn takes those of the values, and warns if there is no value.
    limits = {"vmin": colours.vmin, "vmax": colours.vmax}
    sns.heatmap(values, cmap="viridis", norm=colours, cbar=False, linewidths=0.25, ax=ax, **limits)
    ax.set(xlabel="", ylabel="")
    ax.spines[:].set(visible=True, linewidth=0.4, color=style.GREY)
    ax.tick_params(labelsize=6, length=0)
    ax.tick_params(axis="y", labelrotation=0)
    cell: Any
    for cell in cells.dropna(subset="sign").itertuples():
        corner = betas.index(cell.beta), alphas.index(cell.alpha)
        # Without an error there is no colour: the grey below the hatch distinguishes it from an empty cell.
        face = style.GREY if math.isnan(cell.value) else "none"
        box = Rectangle(
            corner, 1, 1, facecolor=face, edgecolor="white", linewidth=0.0, zorder=2, gid=cell.sign
        )
        box.set_hatch(_HATCHES[cell.sign])
        ax.add_patch(box)
    across, up = _unit_memory(alphas, betas)
    for colour, width, dashes in (("white", 1.6, "solid"), ("black", 0.8, _DASHES)):
        ax.plot(across, up, color=colour, linewidth=width, linestyle=dashes, zorder=3)


def _unit_memory(alphas: Sequence[float], betas: Sequence[float]) -> tuple[NDArray[np.float64], ...]:
    """Return the line alpha = 1 - beta in columns and rows, straight in logarithms within each cell."""
    memories, rates = _borders([1.0 / (1.0 - beta) for beta in betas]), _borders(alphas[::-1])
    # The line bends only at borders of cells.  On it the logarithms of memory and rate are opposite.
    points = np.union1d(memories, -rates)
    low, high = max(memories[0], -rates[-1]), min(memories[-1], -rates[0])
    points = points[(points >= low) & (points <= high)]
    across = np.interp(points, memories, np.arange(len(memories)))
    up = np.interp(-points, rates, np.arange(len(rates)))
    return across, len(alphas) - up


def _colour_bar(figure: Figure, grid: Any, colours: BoundaryNorm) -> None:
    mesh = grid[0, 0].collections[0]
    bar = figure.colorbar(mesh, ax=grid, pad=0.015, aspect=14 * len(grid), shrink=0.95)
    decades = [level for level in colours.boundaries if level == round(level)]
    decades = decades[:: 1 + len(decades) // _MOST_TICKS]
    bar.set_ticks(decades, labels=[rf"$10^{{{level:.0f}}}$" for level in decades])
    bar.set_label(r"relative error of $\theta$")
    bar.ax.yaxis.set_minor_locator(NullLocator())


def _borders(values: Sequence[float]) -> NDArray[np.float64]:
    """Return the logarithms of the borders between rising values and beyond, one more than values."""
    logs = np.log(np.asarray(values, dtype=np.float64))
    if len(logs) == 1:
        return np.array([logs[0] - 0.5, logs[0] + 0.5])
    inner = 0.5 * (logs[1:] + logs[:-1])
    return np.array([2.0 * logs[0] - inner[0], *inner, 2.0 * logs[-1] - inner[-1]])


def _legend(figure: Figure, rows: Sequence[Mapping[str, Any]], symbol: str) -> None:
    keys: list[Any] = [
        Line2D([], [], color="black", linestyle=_DASHES, linewidth=0.8, label=rf"$\alpha = 1 - {symbol}$")
    ]
    signs = {_sign(row) for row in rows}
    keys += [
        Patch(
            facecolor=style.GREY,
            edgecolor="white",
            hatch=hatch,
            label="did not converge" if sign == _FAILED else sign,
            linewidth=0.0,
        )
        for sign, hatch in _HATCHES.items()
        if sign in signs
    ]
    draw_legend(figure, [keys])


def _sign(row: Mapping[str, Any]) -> str | None:
    """Return the mark of a cell: its status, a failed solution, or an error near rounding; None without."""
    if meaningless(row):
        return str(row["status"])
    if not good(row):
        return _FAILED
    drowned = row["error"] and row["error"] <= ABOVE_FLOOR * row["floor"]
    return _DROWNED if drowned else None


def _coloured(row: Mapping[str, Any]) -> bool:
    """Whether a cell has the colour of its error."""
    return bool(drawable(row["relative"], log=True)) and not meaningless(row)


def _mapped(row: Mapping[str, Any]) -> Any:
    """Return the decay rate of the second moment; None without one."""
    return row["beta"] if row["beta2"] is None else row["beta2"]


def _other(row: Mapping[str, Any]) -> str:
    """Return the label of the other hyper-parameters of a row."""
    mapped = "beta" if row["beta2"] is None else "beta2"
    arguments = {name: value for name, value in hyperparameters(row).items() if name != mapped}
    return style.configuration({"class": "", "arguments": arguments}).removeprefix(", ")


def job(task: Task) -> str:
    """Draw a map of errors over learning rate and memory from a scaling table; return a line about it."""
    render_heatmap(task.files[0], task.given["objective"], task.given["optimizer"], task.outputs)
    return f"{len(task.outputs)} files"
