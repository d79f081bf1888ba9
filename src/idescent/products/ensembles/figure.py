"""Mini-batch runs and the expectations of models: one figure for each objective and optimizer.

What lives here: :func:`render_ensembles`.  What does not: the numbers
(:mod:`idescent.products.ensembles.rows`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from idescent.analysis.errors import MEANINGLESS
from idescent.drawing import style
from idescent.drawing.drawable import account, held, say
from idescent.drawing.legends import draw_legend
from idescent.drawing.looks import displayed, model_look
from idescent.drawing.remarks import tell
from idescent.drawing.saving import save, styled
from idescent.drawing.ticks import log_ticks
from idescent.products.ensembles.rows import NOISY, RUNS
from idescent.products.paths.curves import first_measured
from idescent.products.product import Task
from idescent.store.tables import hyperparameters, read_errors

CAPTION = (
    "Loss along {runs} runs of {optimizer} on mini-batches (objective: {objective}): their mean (wide grey "
    "line) and the range of the middle 90 % (grey), and the expectation of each model. Below: absolute "
    "difference of each model from the mean of the runs, with its 95 % band; where the band reaches the "
    "lower edge of the panel, the difference cannot be distinguished from 0. A stochastic equation starts "
    "after the first iterations, from the states of the runs."
)
# Colours that no other model has; they differ in brightness, too.
_LOOKS = {"malladi": ("#B2182B", (0, (5, 1.5))), "compagnoni": ("#4DAC26", "solid")}
_LOWEST = 1e-6
_GREY, _GREY_BAND = "#8C8C8C", 0.3
# More points than a panel has pixels cannot be seen; seaborn takes 0.2 ms for each.
_MOST_POINTS = 500
_NUMBERS = ("k", "mean", "q05", "q95", "error", "band_low", "band_high")
_ENDS = ("value", "low", "high")


def render_ensembles(files: Sequence[Path], outputs: Sequence[Path]) -> None:
    """Draw the loss of some ensembles of one objective and optimizer.

    Parameters
    ----------
    files : sequence of path
        Curves of :func:`idescent.products.ensembles.rows.make`, one file for each ensemble.
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
    """Build the picture; call it inside the style's context.

    Parameters
    ----------
    panels : sequence of sequence of mapping
        For each ensemble the rows of its loss, of runs and models.
    """
    columns = len(panels)
    figure = Figure(
        figsize=(style.WIDTHS["double"] if columns > 1 else 3.6, 4.2),
        layout=ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.03),
    )
    grid = figure.subplots(2, columns, sharex="col", sharey="row", squeeze=False)
    names: dict[str, None] = {}
    for (above, below), rows in zip(grid.T, panels, strict=True):
        curves = _curves(rows)
        names |= dict.fromkeys(name for name in curves if name != RUNS)
        statuses = {name: curve["status"].iloc[0] for name, curve in curves.items()}
        odd = {name: status for name, status in statuses.items() if status in MEANINGLESS}
        models = {name: curve for name, curve in curves.items() if name not in (*odd, RUNS)}
        means = account(
            [curve["mean"] for curve in (curves[RUNS], *models.values())], log=True, told=("not finite",)
        )
        if means.drawn:
            _runs(above, curves[RUNS])
            for name, curve in models.items():
                colour, line = _look(name)
                mean = _curve(curve["k"], curve["mean"])
                _draw(above, mean, color=colour, linestyle=line, linewidth=0.9, gid=name)
        differences = [curve["error"].abs() for curve in models.values()]
        errors = account(differences, log=True, noun="difference", told=("zero", "not finite"))
        if errors.drawn:
            for name, curve in models.items():
                _difference(below, name, curve)
        say(above, means)
        say(below, errors)
        tell(below, (f"{_displayed(name)}: {status}" for name, status in odd.items()))
        above.set_title(_title(rows[0]), fontsize=7)
        above.set(yscale="log", xlabel="", ylabel="")
        below.set(yscale="log", xlabel="iteration $k$", ylabel="")
        for ax in (above, below):
            ax.grid(axis="both", color="#E9E9E9", linewidth=0.4)
            ax.set_axisbelow(True)
    # The panels of a row share their limits: those that they have after the last panel.
    grid[1, 0].set_ylim(_LOWEST, max(grid[1, 0].get_ylim()[1], 10.0 * _LOWEST))
    for first in grid[:, 0]:
        log_ticks(first.yaxis)
    grid[0, 0].set_ylabel("loss")
    grid[1, 0].set_ylabel("|difference from the mean|")
    keys: list[Any] = [Line2D([], [], color=_GREY, linewidth=3.2, label="mean of runs")]
    keys.append(Patch(color=_GREY, alpha=_GREY_BAND, linewidth=0.0, label="90 % of runs"))
    for name in names:
        colour, line = _look(name)
        keys.append(Line2D([], [], color=colour, linestyle=line, linewidth=1.0, label=_displayed(name)))
    draw_legend(figure, [keys])
    return figure


def _curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """Return the rows of the runs and of each model, in their order."""
    frame = pd.DataFrame(rows).reindex(columns=["model", "status", *_NUMBERS])
    frame = frame.astype(dict.fromkeys(_NUMBERS, "float64"))
    return {str(name): curve for name, curve in frame.groupby("model", sort=False)}


def _curve(k: Any, value: Any, low: Any = None, high: Any = None) -> pd.DataFrame:
    """Return the values of a curve and its interval that a logarithmic axis can hold; NaN for the others."""
    columns = {name: held(values, log=True) for name, values in zip(_ENDS, (value, low, high), strict=True)}
    return pd.DataFrame({"k": np.asarray(k), **columns})


def _draw(ax: Axes, curve: pd.DataFrame, band: float = 0.0, **look: Any) -> None:
    """Draw a curve, and its interval as a band of opacity ``band``; missing values interrupt both."""
    curve = curve.iloc[np.unique(np.linspace(0, len(curve) - 1, min(len(curve), _MOST_POINTS)).astype(int))]
    known = curve[[*_ENDS]].notna()
    parts = known.ne(known.shift()).any(axis=1).cumsum()
    for _, part in curve[known["value"]].groupby(parts):
        interval = bool(band) and known.loc[part.index].all(axis=None)
        # The interval is known: the rows of an iteration are its value and both ends of the interval.
        sns.lineplot(
            part.melt("k", _ENDS if interval else "value", value_name="y"),
            x="k",
            y="y",
            estimator=lambda y: y.iloc[0],
            errorbar=(lambda y: (y.iloc[1], y.iloc[2])) if interval else None,
            err_kws={"alpha": band, "linewidth": 0, "zorder": 1},
            sort=False,
            ax=ax,
            **look,
        )


def _runs(ax: Axes, runs: pd.DataFrame) -> None:
    look = {"color": _GREY, "linewidth": 3.2, "solid_capstyle": "butt", "zorder": 1.5}
    _draw(ax, _curve(runs["k"], runs["mean"], runs["q05"], runs["q95"]), band=_GREY_BAND, **look)


def _difference(ax: Axes, name: str, curve: pd.DataFrame) -> None:
    """Draw the absolute difference of a model from the mean of the runs, with its simultaneous band.

    The first iterations, which model and runs have in common up to rounding, are not drawn.
    """
    first = first_measured(curve["error"].abs().fillna(0.0).to_numpy(), _LOWEST)
    curve = curve.iloc[first:]
    colour, line = _look(name)
    low, high = curve["band_low"], curve["band_high"]
    ends = np.abs(curve[["band_low", "band_high"]])
    smallest = np.where((low > 0.0) | (high < 0.0), ends.min(axis=1), 0.0)
    # A difference of exactly 0 has no logarithm.
    difference = curve["error"].abs().replace(0.0, np.nan)
    interval = _curve(curve["k"], difference, np.maximum(smallest, _LOWEST), ends.max(axis=1))
    _draw(ax, interval, band=0.18, color=colour, linestyle=line, linewidth=0.9)


def _look(name: str) -> tuple[str, Any]:
    if name in _LOOKS:
        return _LOOKS[name]
    colour, _, _, line = model_look(name.removesuffix(NOISY))
    return colour, (0, (1, 1)) if name.endswith(NOISY) else line


def _displayed(name: str) -> str:
    """Return the name of a model in the legend; a model with mini-batch noise keeps its ending."""
    model = name.removesuffix(NOISY)
    return displayed(model) + name.removeprefix(model)


def _title(row: Mapping[str, Any]) -> str:
    optimizer = {"class": row["optimizer"], "arguments": hyperparameters(row)}
    name, _, rates = style.configuration(optimizer).partition(", ")
    return f"{rates or name}\n$\\alpha = {row['alpha']:g}$, batches of {row['batch']}"


def job(task: Task) -> str:
    """Draw the mini-batch runs of one optimizer and its models; return a line about it."""
    render_ensembles(task.files, task.outputs)
    return f"{len(task.outputs)} files"
