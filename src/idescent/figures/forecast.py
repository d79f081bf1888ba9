"""Cost of predicting against cost of running, and the error of the prediction.

What lives here: :func:`render_forecast`.  What does not: predicting (:mod:`idescent.forecast`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from idescent.figures import style
from idescent.figures.remarks import tell
from idescent.figures.saving import save, styled
from idescent.trajectory import REFUSED, ended_well

TITLE = "Fast-forward: cost and error of predicted runs"
CAPTION = (
    "Left: gradient evaluations of a prediction (solid) and of the run that it predicts (dashed) against the "
    "learning rate. Right: largest error of θ against the run, where the run was made (solid), and the "
    "estimate that comes with the prediction (dotted). Crosses: the solver did not reach its tolerance."
)


def render_forecast(rows: Sequence[Mapping[str, Any]], outputs: Iterable[str | Path]) -> None:
    """Draw the rows of :func:`idescent.stages.forecast.predict`.

    Parameters
    ----------
    rows : sequence of mapping
    outputs : iterable of path
        Where to write: any of .pdf, .svg and .png.
    """
    with styled():
        save(forecast_figure(rows), outputs, TITLE, CAPTION)


def forecast_figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Build the picture; call it inside the style's context."""
    figure = Figure(figsize=(style.WIDTHS["double"], 2.9), layout=ConstrainedLayoutEngine(w_pad=0.04))
    cost, error = figure.subplots(1, 2)
    refused = [f"{_name(row)}: {row['status']}" for row in rows if row["status"] == REFUSED]
    tell(error, refused)
    curves: dict[str, list[Mapping[str, Any]]] = {}
    for row in (row for row in rows if row["status"] != REFUSED):
        curves.setdefault(style.configuration(row["look"]), []).append(row)
    handles = []
    for name, members in curves.items():
        colour, marker = style.look(members[0]["look"])
        alphas = [row["alpha"] for row in members]
        drawn: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 3.5}
        cost.plot(alphas, [row["gradients"] for row in members], **drawn)
        cost.plot(alphas, [row["steps"] for row in members], **drawn, linestyle="--", markerfacecolor="white")
        error.plot(alphas, [row["estimate"] for row in members], color=colour, linestyle=":")
        made = [row for row in members if row["error"] != ""]
        error.plot([row["alpha"] for row in made], [row["error"] for row in made], **drawn)
        bad = [row for row in members if not ended_well(row["status"])]
        error.plot([r["alpha"] for r in bad], [r["estimate"] for r in bad], "x", color="black", markersize=5)
        handles.append(Line2D([], [], **drawn, label=name))
    for ax in (cost, error):
        ax.set(xscale="log", yscale="log", xlabel=r"learning rate $\alpha$")
        ax.invert_xaxis()
    cost.set_ylabel("gradient evaluations")
    error.set_ylabel(r"largest error of $\theta$")
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    keys: list[tuple[str, Any]] = [("predicting", "-"), ("running", "--"), ("estimate (right)", ":")]
    styles = [Line2D([], [], color=style.GREY, linestyle=line, label=label) for label, line in keys]
    figure.legend(handles=styles, loc="outside lower center", ncols=3)
    return figure


def _name(row: Mapping[str, Any]) -> str:
    return rf"{style.configuration(row['look'])}, $\alpha = {row['alpha']:g}$"
