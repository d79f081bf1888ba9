"""Figure of the cost of predicted and simulated runs, and of the error of the predictions.

What lives here: :func:`render_forecast`.  What does not: the prediction
(:mod:`idescent.solvers.fast_forward`).
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
from idescent.drawing.drawable import account, drawable, say, without_scale
from idescent.drawing.remarks import tell
from idescent.drawing.saving import save, styled
from idescent.trajectory import REFUSED, ended_well

TITLE = "Fast-forward: cost and error of predicted runs"
CAPTION = (
    "Left: gradient evaluations of the prediction (solid) and of the run (dashed) against the learning rate. "
    "Right: largest error of θ, for the runs that were also simulated (solid), and the prediction's estimate "
    "of it (dotted). Crosses: the solver did not reach its tolerance."
)


def render_forecast(rows: Sequence[Mapping[str, Any]], outputs: Iterable[str | Path]) -> None:
    """Draw the rows of :func:`idescent.products.forecast.rows.predict`.

    Parameters
    ----------
    rows : sequence of mapping
    outputs : iterable of path
        Files to write: .pdf, .svg or .png.
    """
    with styled():
        save(forecast_figure(rows), outputs, TITLE, CAPTION)


def forecast_figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Build the figure inside :func:`~idescent.drawing.saving.styled`."""
    figure = Figure(figsize=(style.WIDTHS["double"], 2.9), layout=ConstrainedLayoutEngine(w_pad=0.04))
    cost, error = figure.subplots(1, 2)
    kept = [row for row in rows if row["status"] != REFUSED]
    refused = [f"{_name(row)}: {row['status']}" for row in rows if row["status"] == REFUSED]
    tell(error, refused)
    curves: dict[str, list[Mapping[str, Any]]] = {}
    for row in kept:
        curves.setdefault(style.configuration(row["look"]), []).append(row)
    handles = []
    for name, ladder in curves.items():
        colour, marker = style.look(ladder[0]["look"])
        look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 3.5}
        _plot(cost, ladder, "gradients", **look)
        _plot(cost, ladder, "steps", **look, linestyle="--", markerfacecolor="white")
        _plot(error, ladder, "estimate", color=colour, linestyle=":")
        _plot(error, [row for row in ladder if row["error"] != ""], "error", **look)
        failed = [row for row in ladder if not ended_well(row["status"])]
        _plot(error, failed, "estimate", marker="x", linestyle="none", color="black", markersize=5)
        handles.append(Line2D([], [], **look, label=name))
    costs = [[row[name] for row in kept] for name in ("gradients", "steps")]
    errors = [[row["estimate"] for row in kept], [row["error"] for row in kept if row["error"] != ""]]
    for ax, values, noun in ((cost, costs, "value"), (error, errors, "error")):
        counts = account(values, log=True, noun=noun)
        say(ax, counts)
        ax.set(xscale="log", yscale="log", xlabel=r"learning rate $\alpha$")
        if counts.whole:
            rates = [row["alpha"] for row in rows]
            ax.set_xlim(0.8 * min(rates), 1.25 * max(rates))
            without_scale([ax], "y")
        ax.invert_xaxis()
    cost.set_ylabel("gradient evaluations")
    error.set_ylabel(r"largest error of $\theta$")
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    keys: list[tuple[str, Any]] = [("prediction", "-"), ("run (left)", "--"), ("error estimate (right)", ":")]
    styles = [Line2D([], [], color=style.GREY, linestyle=line, label=label) for label, line in keys]
    figure.legend(handles=styles, loc="outside lower center", ncols=3)
    return figure


def _plot(ax: Axes, rows: Sequence[Mapping[str, Any]], key: str, **look: Any) -> None:
    kept = [row for row in rows if drawable(row[key], log=True)]
    # Matplotlib cannot scale an axis logarithmically if its only curves are empty.
    if kept or ax.lines:
        ax.plot([row["alpha"] for row in kept], [row[key] for row in kept], **look)


def _name(row: Mapping[str, Any]) -> str:
    return rf"{style.configuration(row['look'])}, $\alpha = {row['alpha']:g}$"
