"""One figure of all optimizers: observed orders on each objective, and the gain over the reference.

What lives here: :func:`render_optimizers`.  What does not: the numbers
(:mod:`idescent.products.scaling.optimizers`), errors against the learning rate (:mod:`.figure`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter

from idescent.analysis.floor import ABOVE_FLOOR
from idescent.drawing import style
from idescent.drawing.legends import draw_legend
from idescent.drawing.looks import displayed, model_look
from idescent.drawing.saving import save, styled
from idescent.products.product import Task
from idescent.products.scaling.optimizers import last_rows, name_of, without_number
from idescent.products.scaling.rows import Row, counts
from idescent.store.tables import hyperparameters, read_errors

TITLE = "Observed orders of the continuous models of all optimizers"
_ORDERS = (
    "Observed order of each continuous model of each optimizer, a panel for each objective. Large markers: "
    "slope of the error of θ between the two smallest learning rates whose errors are above "
    f"{ABOVE_FLOOR:g} times the estimated error of solver and rounding; bars: slopes at larger learning "
    "rates; arrowheads: bars continue outside. Vertical lines: declared orders. Rounding: no error is above "
    "that level. Refused: the model cannot express the optimizer."
)
_GAIN = (
    " Right: error of {reference} divided by the error of the other model, at the smaller of these learning "
    "rates, a marker for each objective."
)
_OBJECTIVE_MARKERS = "osD^v<>P"
_LEAST, _MOST = 0.0, 3.0  # slopes on the axes: those at large learning rates can be anything


def render_optimizers(table: str | Path, reference: str | None, outputs: Iterable[str | Path]) -> None:
    """Draw the observed orders of all optimizers, and the gain over a reference.

    Parameters
    ----------
    table : path
        Complete scaling table (Parquet).
    reference : str or None
        Solution whose error is divided by those of the others.
    outputs : iterable of path
        Where to write: any of .pdf, .svg and .png.

    Raises
    ------
    ValueError
        If the table is damaged or holds no error of theta.
    """
    rows = read_errors([table]).to_pylist()
    caption = _ORDERS + (_GAIN.format(reference=displayed(reference)) if reference else "")
    with styled():
        save(optimizers_figure(rows, reference), outputs, TITLE, caption)


def optimizers_figure(rows: Sequence[Row], reference: str | None) -> Figure:
    """Build the figure inside :func:`~idescent.drawing.saving.styled`, from the complete scaling table.

    Raises
    ------
    ValueError
        If there is no error of theta.
    """
    last = last_rows(rows)
    if not last:
        raise ValueError("scaling: no error of theta is given: there must be at least one")
    labels = _labels(last)
    objectives = list(dict.fromkeys(row["objective"] for row in last))
    looks = {row["solution"]: row["model"] for row in last}
    panels = len(objectives) + bool(reference)
    figure = Figure(
        figsize=(max(style.WIDTHS["double"], 1.5 + 1.35 * panels), 0.19 * len(labels) + 1.05),
        layout=ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03),
    )
    axes = list(figure.subplots(1, panels, sharey=True, squeeze=False)[0])
    spans = _slopes(rows)
    for ax, objective in zip(axes, objectives, strict=False):
        _draw_orders(ax, [row for row in last if row["objective"] == objective], spans, labels, looks)
        ax.set_title(objective, fontsize=7.5)
    if reference:
        _draw_gain(axes[-1], [row for row in last if row["solution"] != reference], labels, objectives, looks)
        others = [name for name in looks if name != reference]
        axes[-1].set_title("ratio of errors", fontsize=7.5)
        other = displayed(others[0]) if len(others) == 1 else "other model"
        axes[-1].set_xlabel(f"{displayed(reference)} / {other}", fontsize=6.5)
    axes[0].set_yticks(range(len(labels)), list(labels.values()))
    axes[0].set_ylim(len(labels) - 0.5, -0.5)
    for ax in axes:
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="y", color="#E3E3E3", linewidth=0.4)
        ax.set_axisbelow(True)
    keys = [_key(displayed(name), *model_look(model)[:2]) for name, model in looks.items()]
    marks = []
    if reference:
        marks = [
            _key(objective, style.GREY, marker, face="none")
            for objective, marker in zip(objectives, _OBJECTIVE_MARKERS, strict=False)
        ]
    draw_legend(figure, [keys, marks])
    return figure


def _labels(rows: Iterable[Row]) -> dict[tuple[str, str], str]:
    """Return the labels of the rows by optimizer and configuration; hyper-parameters only if they vary."""
    first: dict[tuple[str, str], Row] = {}
    for row in rows:
        first.setdefault((row["optimizer"], row["configuration"]), row)
    names = [name_of(row) for row in first.values()]
    return {
        key: name_of(row)
        if names.count(name_of(row)) == 1
        else style.configuration({"class": row["optimizer"], "arguments": hyperparameters(row)})
        for key, row in first.items()
    }


def _slopes(rows: Iterable[Row]) -> dict[tuple[str, ...], list[float]]:
    """Return the pairwise slopes between errors that count, by objective, configuration and solution."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if (row["quantity"], row["norm"]) == ("theta", "sup"):
            groups.setdefault(_place(row), []).append(row)
    slopes = {}
    for key, members in groups.items():
        falling = sorted(members, key=lambda row: -row["alpha"])
        slopes[key] = [low["slope"] for high, low in pairwise(falling) if counts(high) and counts(low)]
    return slopes


def _draw_orders(
    ax: Axes,
    rows: Sequence[Row],
    slopes: Mapping[tuple[str, ...], list[float]],
    labels: Mapping[tuple[str, str], str],
    looks: Mapping[str, str],
) -> None:
    for order in {row["declared_order"] for row in rows}:
        ax.axvline(order, color=style.GREY, linewidth=0.6, zorder=1)
    places = list(labels)
    for row in rows:
        y = places.index((row["optimizer"], row["configuration"]))
        if row["coefficient"] is None:
            words: dict[str, Any] = {"fontsize": 5.0, "color": style.GREY, "ha": "center", "va": "center"}
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
            ax.text(row["declared_order"], y, without_number(row), bbox=box, **words)
        if row["slope"] is None:
            continue
        colour, marker, size, _ = model_look(looks[row["solution"]])
        span = slopes[_place(row)]
        ax.plot([min(span), max(span)], [y, y], color=colour, linewidth=1.0, alpha=0.45, zorder=2)
        for limit, beyond, arrow in ((_LEAST, min(span) < _LEAST, "<"), (_MOST, max(span) > _MOST, ">")):
            if beyond:
                ax.plot(limit, y, arrow, color=colour, markersize=3.0, clip_on=False, gid="continues outside")
        ax.plot(row["slope"], y, marker, color=colour, markersize=size, zorder=3, gid=row["solution"])
    ax.set(xlabel="observed order", xlim=(_LEAST, _MOST))
    ax.xaxis.set_major_locator(FixedLocator([0, 1, 2, 3]))


def _draw_gain(
    ax: Axes,
    rows: Sequence[Row],
    labels: Mapping[tuple[str, str], str],
    objectives: Sequence[str],
    looks: Mapping[str, str],
) -> None:
    places = list(labels)
    for row in rows:
        if not row["ratio"]:
            continue
        colour = model_look(looks[row["solution"]])[0]
        marker = _OBJECTIVE_MARKERS[objectives.index(row["objective"]) % len(_OBJECTIVE_MARKERS)]
        y = places.index((row["optimizer"], row["configuration"]))
        ax.plot(row["ratio"], y, marker, color=colour, markerfacecolor="none", markersize=3.6, gid="gain")
    ax.set(xscale="log")
    ax.xaxis.set_major_locator(LogLocator(numticks=6))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _key(label: str, colour: str, marker: str, face: str | None = None) -> Line2D:
    return Line2D(
        [], [], color=colour, marker=marker, linestyle="", markersize=4, markerfacecolor=face, label=label
    )


def _place(row: Mapping[str, Any]) -> tuple[str, ...]:
    return row["objective"], row["optimizer"], row["configuration"], row["solution"]


def job(task: Task) -> str:
    """Draw the observed orders of all optimizers from a complete scaling table; return a line about it."""
    render_optimizers(task.files[0], task.given["reference"], task.outputs)
    return f"{len(task.outputs)} files"
