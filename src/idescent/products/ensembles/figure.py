"""Mini-batch runs and what models expect of them: one figure for an objective and optimizer.

What lives here: :func:`render_ensembles`.  What does not: the numbers
(:mod:`idescent.products.ensembles.rows`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from idescent.analysis.errors import MEANINGLESS
from idescent.drawing import style
from idescent.drawing.drawable import account, held, say
from idescent.drawing.looks import model_look
from idescent.drawing.remarks import tell
from idescent.drawing.saving import save, styled
from idescent.products.ensembles.rows import RUNS
from idescent.products.product import Task
from idescent.store.tables import read_errors

CAPTION = (
    "Loss along {runs} runs of {optimizer} on mini-batches (objective: {objective}): their mean (wide grey "
    "line) and the range of the middle 90 % (grey), and the expectation of each model. Below, the absolute "
    "difference from the mean of the runs, with its 95 % band; where the band reaches the lower end of the "
    "figure, the difference is not told from 0. Stochastic equations begin after a few iterations, which are "
    "those of the runs."
)
# Colours that no other model has, told apart by their brightness too.
_LOOKS = {"malladi": ("#B2182B", (0, (5, 1.5))), "compagnoni": ("#4DAC26", "solid")}
_LOWEST = 1e-6


def render_ensembles(files: Sequence[Path], outputs: Sequence[Path]) -> None:
    """Draw the loss of some ensembles of one objective and optimizer.

    Parameters
    ----------
    files : sequence of path
        Curves of :func:`idescent.products.ensembles.rows.make`, one file an ensemble.
    outputs : sequence of path
        Where to write: any of .pdf, .svg and .png.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    panels = []
    for file in files:
        rows = read_errors([file]).to_pylist()
        panels.append([row for row in rows if row["quantity"] == "loss"])
    first = panels[0][0]
    optimizer = first["optimizer"].rpartition(":")[2]
    caption = CAPTION.format(runs=first["runs"], optimizer=optimizer, objective=first["objective"])
    with styled():
        save(ensembles_figure(panels), outputs, f"Mini-batch runs of {optimizer} and their models", caption)


def ensembles_figure(panels: Sequence[Sequence[Mapping[str, Any]]]) -> Figure:
    """Build the picture; call it inside the style's context."""
    columns = len(panels)
    figure = Figure(
        figsize=(style.WIDTHS["double"] if columns > 1 else 3.6, 4.2),
        layout=ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.03),
    )
    grid = figure.subplots(2, columns, sharex="col", sharey="row", squeeze=False)
    names: dict[str, None] = {}
    for (above, below), rows in zip(grid.T, panels, strict=True):
        curves: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            curves.setdefault(row["model"], []).append(row)
        names |= dict.fromkeys(name for name in curves if name != RUNS)
        odd = {n: c[0]["status"] for n, c in curves.items() if c[0]["status"] in MEANINGLESS}
        curves = {name: curve for name, curve in curves.items() if name not in odd}
        runs = curves.pop(RUNS)
        means = account(
            [_column(curve, "mean") for curve in (runs, *curves.values())], log=True, told=("not finite",)
        )
        if means.drawn:
            _runs(above, runs)
        for name, curve in curves.items():
            if means.drawn:
                _mean(above, name, curve)
        differences = [np.abs(_column(curve, "error")) for curve in curves.values()]
        found = account(differences, log=True, noun="difference", told=("zero", "not finite"))
        if found.drawn:
            for name, curve in curves.items():
                _difference(below, name, curve)
        say(above, means)
        say(below, found)
        tell(below, (f"{name}: {status}" for name, status in odd.items()))
        above.set_title(_title(rows[0]), fontsize=7)
        above.set_yscale("log")
        below.set_yscale("log")
        below.set_ylim(_LOWEST, max(below.get_ylim()[1], 10.0 * _LOWEST))
        below.set_xlabel("iteration k")
        for ax in (above, below):
            ax.grid(axis="both", color="#E9E9E9", linewidth=0.4)
            ax.set_axisbelow(True)
    grid[0, 0].set_ylabel("loss")
    grid[1, 0].set_ylabel("|difference from the mean|")
    keys: list[Any] = [Line2D([], [], color="#8C8C8C", linewidth=3.2, label="mean of runs")]
    keys.append(Patch(color="#DDDDDD", label="90 % of runs"))
    for name in names:
        colour, line = _look(name)
        keys.append(Line2D([], [], color=colour, linestyle=line, linewidth=1.0, label=name))
    figure.legend(handles=keys, loc="outside upper center", ncols=6 if columns > 1 else 3)
    return figure


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> Any:
    return np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=np.float64)


def _runs(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    import seaborn as sns

    k = _column(rows, "k")
    low, high = (held(_column(rows, name), log=True) for name in ("q05", "q95"))
    ax.fill_between(k, low, high, color="#DDDDDD", linewidth=0, zorder=1)
    look = {"color": "#8C8C8C", "linewidth": 3.2, "solid_capstyle": "butt", "zorder": 1.5}
    sns.lineplot(x=k, y=held(_column(rows, "mean"), log=True), estimator=None, ax=ax, **look)


def _mean(ax: Axes, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    colour, line = _look(name)
    mean = held(_column(rows, "mean"), log=True)
    ax.plot(_column(rows, "k"), mean, color=colour, linestyle=line, linewidth=0.9, gid=name)


def _difference(ax: Axes, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    colour, line = _look(name)
    k = _column(rows, "k")
    low, high = _column(rows, "band_low"), _column(rows, "band_high")
    smallest = np.where((low > 0.0) | (high < 0.0), np.minimum(np.abs(low), np.abs(high)), _LOWEST)
    largest = np.maximum(np.abs(low), np.abs(high))
    ax.fill_between(
        k, np.maximum(smallest, _LOWEST), held(largest, log=True), color=colour, alpha=0.18, linewidth=0
    )
    difference = held(np.abs(_column(rows, "error")), log=True)
    difference[difference == 0.0] = np.nan
    ax.plot(k, difference, color=colour, linestyle=line, linewidth=0.9)


def _look(name: str) -> tuple[str, Any]:
    if name in _LOOKS:
        return _LOOKS[name]
    colour, _, _, line = model_look(name)
    return colour, line


def _title(row: Mapping[str, Any]) -> str:
    arguments = {name: row[name] for name in ("beta", "beta1", "beta2") if row[name] is not None}
    name, _, rates = style.configuration({"class": row["optimizer"], "arguments": arguments}).partition(", ")
    return f"{rates or name}\n$\\alpha = {row['alpha']:g}$, batches of {row['batch']}"


def job(task: Task) -> str:
    """Draw mini-batch runs of one optimizer and what models expect of them; return a line about it."""
    render_ensembles(task.files, task.outputs)
    return f"{len(task.outputs)} files"
