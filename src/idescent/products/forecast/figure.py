"""Figure of the cost of leaping over runs and of making them, and of the error of the leaps.

What lives here: :func:`render_forecast`.  What does not: the leaps (:mod:`.rows`).
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
from idescent.drawing.legends import draw_legend
from idescent.drawing.remarks import tell
from idescent.drawing.saving import save, styled
from idescent.trajectory import REFUSED, ended_well

TITLE = "Leaps: cost and error of runs that are not made"
CAPTION = (
    "Left: gradient evaluations of the leap (solid) and of the run (dashed) against the learning rate. "
    "Middle: largest error of θ, for runs that were also made. Errors of 0, where all iterations were made "
    "one by one, are not drawn. Right: the leap's estimate of this error (dotted), and the estimated "
    "rounding of the run itself (dash-dotted). Crosses: the leap ended early."
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
    figure = Figure(figsize=(style.WIDTHS["double"], 3.0), layout=ConstrainedLayoutEngine(w_pad=0.04))
    cost, error, estimate = figure.subplots(1, 3)
    estimate.sharey(error)
    kept = [row for row in rows if row["status"] != REFUSED]
    refused = [f"{_name(row)}: {row['status']}" for row in rows if row["status"] == REFUSED]
    tell(estimate, refused)
    curves: dict[str, list[Mapping[str, Any]]] = {}
    for row in kept:
        curves.setdefault(style.configuration(row["look"]), []).append(row)
    handles = []
    for name, ladder in curves.items():
        colour, marker = style.look(ladder[0]["look"])
        look: dict[str, Any] = {"color": colour, "marker": marker}
        _plot(cost, ladder, "gradients", **look)
        _plot(cost, ladder, "steps", color=colour, linestyle="--", linewidth=0.8)
        _plot(error, [row for row in ladder if row["error"] != ""], "error", **look)
        _plot(estimate, ladder, "estimate", **look, linestyle=":")
        _plot(estimate, ladder, "rounding", color=colour, linestyle="-.", linewidth=0.8)
        early = [row for row in ladder if not ended_well(row["status"])]
        for ax, key in ((cost, "gradients"), (estimate, "estimate")):
            _plot(ax, early, key, marker="x", linestyle="none", color="black", markersize=5, zorder=3)
        handles.append(Line2D([], [], **look, label=name))
    panels: list[tuple[Axes, str, tuple[str, ...], str]] = [
        (cost, "gradient evaluations", ("gradients", "steps"), "value"),
        (error, r"largest error of $\theta$", ("error",), "error"),
        (estimate, r"estimated error of $\theta$", ("estimate", "rounding"), "error"),
    ]
    for ax, label, keys, noun in panels:
        values = [[row[key] for row in kept if row[key] != ""] for key in keys]
        counts = account(values, log=True, noun=noun, told=("zero",))
        say(ax, counts)
        ax.set(xscale="log", yscale="log", xlabel=r"learning rate $\alpha$", ylabel=label)
        if rows:
            rates = [row["alpha"] for row in rows]
            ax.set_xlim(2.0 * max(rates), 0.5 * min(rates))
        if counts.whole:
            without_scale([ax], "y")
    kinds = {"leap": "-", "run": "--", "error estimate": ":", "rounding of the run": "-."}
    looks: list[dict[str, Any]] = [{"label": label, "linestyle": line} for label, line in kinds.items()]
    styles = [Line2D([], [], color=style.GREY, **look) for look in looks]
    draw_legend(figure, [handles, styles])
    return figure


def _plot(ax: Axes, rows: Sequence[Mapping[str, Any]], key: str, **look: Any) -> None:
    kept = [row for row in rows if drawable(row[key], log=True)]
    # Matplotlib cannot scale an axis logarithmically if its only curves are empty.
    if kept or ax.lines:
        ax.plot([row["alpha"] for row in kept], [row[key] for row in kept], **look)


def _name(row: Mapping[str, Any]) -> str:
    return rf"{style.configuration(row['look'])}, $\alpha = {row['alpha']:g}$"
