"""Drawing one figure into files.

What lives here: :func:`render`, :func:`render_errors` and the layout of both.  Matplotlib is used through its
objects, without pyplot: that is a second less for every figure, and no global state.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from idescent.drawing import style
from idescent.drawing.drawable import Account, drawable, say, without_scale
from idescent.drawing.saving import save, styled
from idescent.products.paths.curves import (
    Curve,
    drawn_part,
    error_curves,
    evenly,
    minimiser,
    panel_curves,
    read_sources,
    spaced,
    thinned,
)
from idescent.products.paths.spec import FigureSpec, Inset, Panel, parse
from idescent.products.product import Task
from idescent.store import DISCRETE

_MARKERS = 24
_ERROR_MARKERS = 7
_ERROR_MARK: dict[str, Any] = {"markersize": 2.8, "markerfacecolor": "white", "markeredgewidth": 0.6}
_PANEL_HEIGHT = 2.1
_ROW_HEIGHT = 0.17
_MARKS = "†‡§¶"
_MOST_NOTES = 8
# Below this fraction of the largest error in the panel an error has no meaning in double precision.
_DECADES = 1e-10
# The solver's estimate is drawn if it is at least this fraction of the smallest error.
_ESTIMATE_SHOWN = 1e-3
_MINIMUM: dict[str, Any] = {"color": "#999999", "linewidth": 0.6, "linestyle": (0, (5, 3))}
_ESTIMATE: dict[str, Any] = {"linewidth": 0.6, "linestyle": ":"}


def render(spec: FigureSpec, files: Iterable[str | Path], outputs: Iterable[str | Path]) -> None:
    """Draw a figure.

    Parameters
    ----------
    spec : FigureSpec
    files : iterable of path
        Trajectory files, in any order; more than needed do no harm.
    outputs : iterable of path
        Where to write: any of .pdf, .svg and .png.

    Raises
    ------
    ValueError
        If a cell or path that the figure shows is missing, a file is damaged, or a suffix is not known.
    """
    sources = read_sources(files)
    drawn = [panel_curves(spec, panel, sources) for panel in spec.panels]
    with styled():
        save(figure(spec, drawn), outputs, spec.title, spec.caption)


def render_errors(spec: FigureSpec, files: Iterable[str | Path], outputs: Iterable[str | Path]) -> None:
    """Draw the companion of a figure: ``|discrete - solution|`` over k on a logarithmic axis.

    Parameters and exceptions are those of :func:`render`.
    """
    sources = read_sources(files)
    drawn = [error_curves(spec, panel, sources) for panel in spec.panels]
    with styled():
        save(error_figure(spec, drawn), outputs, f"{spec.title}: errors", errors_caption(spec))


def errors_caption(spec: FigureSpec) -> str:
    """Return the caption of a figure's companion."""
    quantity = {"theta": "θ"}.get(spec.quantity, spec.quantity)
    text = (
        f"Distance |discrete − IDE| of the paths of {quantity} in “{spec.title}”, in the same colours and "
        "markers, over k on a logarithmic axis, from k = 1 on: both start from the same point. Where both "
        "are equal there is no point; errors more than ten decades below the largest are drawn on the "
        "lower edge."
    )
    if spec.quantity == "theta":
        text += (
            " Dotted, where in range: the solver's estimate of its own error, below which a distance says "
        )
        text += "nothing of the model."
    return text


def figure(spec: FigureSpec, drawn: Sequence[Sequence[Curve]]) -> Figure:
    """Build the figure from the curves of each panel, inside :func:`~idescent.drawing.saving.styled`."""
    discrete_only = not spec.solutions
    canvas, axes = _canvas(spec, drawn, len(spec.show) > 1)
    for ax, panel, offered in zip(axes, spec.panels, drawn, strict=True):
        curves, found = part(spec, offered)
        if found.drawn and spec.quantity == "theta" and not any(curve.vector for curve in curves):
            least = minimiser(curves[0].cell["objective"])
            if least is not None and drawable(least, log=spec.y_scale == "log"):
                ax.axhline(least, **_MINIMUM, zorder=0.5, gid="minimum")
        if found.drawn:
            _draw_curves(ax, spec, curves, with_line=discrete_only)
        ax.set_xscale(spec.x_scale)
        ax.set_yscale(spec.y_scale)
        _frame(ax, panel, curves)
        _keep_in_view(ax, curves)
        if panel.inset is not None and found.drawn:
            _draw_inset(ax, spec, panel.inset, curves)
        _say(ax, found)
    vector = any(curve.vector for curves in drawn for curve in curves)
    label = rf"${style.symbol(spec.quantity, vector=vector)}$"
    axes[0].set_ylabel(spec.y_label or (f"loss {label}" if spec.quantity == "loss" else label))
    keys = []
    if len(spec.show) > 1:
        keys += [_key("discrete (markers)", "none", "o")] if DISCRETE in spec.show else []
        keys += [_line_key(spec, name) for name in spec.solutions]
    if any(line.get_gid() == "minimum" for line in axes[0].lines):
        keys.append(Line2D([], [], **_MINIMUM, label="minimum"))
    _legends(canvas, spec, drawn, keys, line=True, marker=DISCRETE in spec.show)
    return canvas


def error_figure(spec: FigureSpec, drawn: Sequence[Sequence[Curve]]) -> Figure:
    """Build the companion from the error curves, inside :func:`~idescent.drawing.saving.styled`."""
    canvas, axes = _canvas(spec, drawn, True)
    estimates = spec.quantity == "theta"
    for ax, panel, offered in zip(axes, spec.panels, drawn, strict=True):
        curves, found = part(spec, offered, errors=True)
        shown = [curve.y for curve in curves if len(curve.y) and not curve.implausible]
        peak = max((float(y.max()) for y in shown), default=0.0)
        floor = peak * _DECADES
        positive = (float(y.min()) for y in shown)
        lowest = max(floor, min(positive, default=0.0))
        for i, curve in enumerate(curves if found.drawn else ()):
            colour, marker = style.look(curve.cell["optimizer"])
            k, y = curve.k, np.maximum(curve.y, floor)
            rows = thinned(np.log(y))
            look = style.line(curve.name, spec.solutions.index(curve.name), spec.lines)
            looks: dict[str, Any] = {"color": colour, "linestyle": look.line, "linewidth": 0.9}
            # A few markers tell the curves apart in grey.
            looks |= {"marker": marker, "markevery": evenly(k[rows], _ERROR_MARKERS, (i + 0.5) / len(curves))}
            ax.plot(k[rows], y[rows], **looks, **_ERROR_MARK, gid=_gid(curve))
            estimate = curve.report.error_estimate
            # Far below every error it would only squeeze the curves.
            if estimates and max(floor, _ESTIMATE_SHOWN * lowest) <= estimate < math.inf:
                ax.axhline(estimate, **_ESTIMATE, color=colour, gid="estimate")
        ax.set_yscale("log")
        ax.set_xscale(spec.x_scale)
        _keep_in_view(ax, curves)
        if peak > 0.0:
            ax.set_ylim(bottom=max(floor, ax.get_ylim()[0]))
        _frame(ax, panel, curves)
        _log_ticks(ax)
        _say(ax, found)
    vector = any(curve.vector for curves in drawn for curve in curves)
    symbol = style.symbol(spec.quantity)
    bars = r"\Vert" if vector else "|"
    axes[0].set_ylabel(rf"${bars}\,{symbol}_\mathrm{{discrete}} - {symbol}_\mathrm{{IDE}}\,{bars}$")
    if spec.quantity == "loss":
        axes[0].set_ylabel(r"$|\,L_\mathrm{discrete} - L_\mathrm{IDE}\,|$")
    keys = []
    if len(spec.solutions) > 1:
        keys += [_line_key(spec, name) for name in spec.solutions]
    if any(line.get_gid() == "estimate" for ax in axes for line in ax.lines):
        keys.append(Line2D([], [], **_ESTIMATE, color=style.GREY, label="solver's error estimate"))
    _legends(canvas, spec, drawn, keys, line=True, marker=True)
    return canvas


def part(spec: FigureSpec, curves: Sequence[Curve], *, errors: bool = False) -> tuple[list[Curve], Account]:
    """Return what a panel of :func:`figure`, or of :func:`error_figure`, draws, and what it leaves out."""
    if errors:
        # All start from the same point, but for a trace in the memories of schemes that begin just after 0.
        # The caption tells that there is no point where both are equal.
        return drawn_part(curves, x_log=True, y_log=True, noun="error", told=("zero",))
    return drawn_part(curves, x_log=spec.x_scale == "log", y_log=spec.y_scale == "log")


def _say(ax: Axes, found: Account) -> None:
    say(ax, found)
    if found.whole:
        without_scale([ax], "y")


def _canvas(spec: FigureSpec, drawn: Sequence[Sequence[Curve]], keys: bool) -> tuple[Figure, list[Axes]]:
    width = style.WIDTHS[spec.width]
    columns = 1 if spec.width == "single" else min(len(spec.panels), 2)
    rows = math.ceil(len(spec.panels) / columns)
    legend_rows = math.ceil(len(_configurations(spec, drawn)) / _legend_columns(spec)) + keys
    remarked = any(remarks for _, remarks in _configurations(spec, drawn).values())
    height = _PANEL_HEIGHT * rows + _ROW_HEIGHT * (legend_rows + remarked) + 0.15
    canvas = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(h_pad=0.025, w_pad=0.03))
    axes = canvas.subplots(rows, columns, squeeze=False).ravel().tolist()
    for ax in axes[len(spec.panels) :]:
        ax.remove()
    for ax in axes[max(0, len(spec.panels) - columns) : len(spec.panels)]:
        ax.set_xlabel(spec.x_label or "k-iterations $k$")
    return canvas, axes[: len(spec.panels)]


def _draw_curves(
    ax: Axes, spec: FigureSpec, curves: Sequence[Curve], *, with_line: bool, markers: int = _MARKERS
) -> None:
    runs = sum(curve.name == DISCRETE for curve in curves)
    seen = 0
    for curve in curves:
        colour, marker = style.look(curve.cell["optimizer"])
        if curve.name != DISCRETE:
            look = style.line(curve.name, spec.solutions.index(curve.name), spec.lines)
            _draw_line(ax, curve, color=colour, linestyle=look.line, linewidth=look.width)
            continue
        marked = spaced(curve.k, curve.y, markers, seen / runs)
        seen += 1
        if with_line:
            _draw_line(ax, curve, color=colour, linewidth=1.0)
        ax.plot(
            curve.k[marked],
            curve.y[marked],
            linestyle="none",
            marker=marker,
            color=colour,
            markerfacecolor="white" if with_line else "none",
            zorder=3,
            # Markers of the first and last iteration lie on the frame: they must not be cut.
            clip_on=False,
            gid=f"{_gid(curve)}:markers",
        )
        if curve.report.diverged_at is not None:
            ax.plot(curve.k[-1:], curve.y[-1:], marker="x", color=colour, markersize=6, gid="diverged")


def _draw_line(ax: Axes, curve: Curve, **look: Any) -> None:
    """Draw a curve, in pieces where values are left out; a piece of one value is a dot."""
    for piece in np.split(np.arange(len(curve.y)), curve.breaks):
        rows = piece[thinned(curve.y[piece])]
        if len(rows) == 1:
            look = look | {"marker": "."}
        ax.plot(curve.k[rows], curve.y[rows], **look, zorder=2, gid=_gid(curve))


def _draw_inset(ax: Axes, spec: FigureSpec, inset: Inset, curves: Sequence[Curve]) -> None:
    window = ax.inset_axes(inset.at)
    window.set_gid("inset")
    for curve in curves:
        colour, marker = style.look(curve.cell["optimizer"])
        shown = (curve.k >= inset.k[0] - 1) & (curve.k <= inset.k[1] + 1)
        discrete = curve.name == DISCRETE
        look = style.line(curve.name, spec.solutions.index(curve.name), spec.lines) if not discrete else None
        window.plot(
            curve.k[shown],
            curve.y[shown],
            color=colour,
            linestyle=look.line if look else ("solid" if not spec.solutions else "none"),
            linewidth=0.6 if look is None else look.width,
            marker=marker if discrete else None,
            markersize=2.0,
            markeredgewidth=0.5,
            markerfacecolor="white" if not spec.solutions else "none",
            gid=_gid(curve),
        )
    window.set_xlim(inset.k)
    window.set_ylim(inset.y)
    window.tick_params(labelsize=6, length=2, pad=1.5)
    window.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    window.yaxis.set_major_locator(MaxNLocator(3))
    window.spines[["top", "right"]].set_visible(True)
    for spine in window.spines.values():
        spine.set_linewidth(0.4)
    ax.indicate_inset_zoom(window, edgecolor="#888888", linewidth=0.4, alpha=1.0)


def _frame(ax: Axes, panel: Panel, curves: Sequence[Curve]) -> None:
    ax.set_title(panel.title or rf"$\alpha = {panel.alpha:g}$")
    last = panel.k_max or max((curve.cell["steps"] for curve in curves), default=1)
    if ax.get_xscale() == "linear":
        ax.set_xlim(-0.02 * last, 1.02 * last)
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 2.5, 5, 10]))
        ax.xaxis.set_major_formatter(FuncFormatter(_grouped))


def _keep_in_view(ax: Axes, curves: Sequence[Curve]) -> None:
    """Let no implausible path set the scale: it leaves the panel, and the legend says so."""
    odd = {_gid(curve) for curve in curves if curve.implausible}
    lines = [line for line in ax.lines if line.get_gid() in odd]
    # Where nothing else is drawn, there is no other scale.
    if lines and any(len(curve.y) for curve in curves if not curve.implausible):
        for line in lines:
            line.set_visible(False)
        ax.relim(visible_only=True)
        ax.autoscale_view(scalex=False)
        for line in lines:
            line.set_visible(True)


def _grouped(value: float, _: int | None = None) -> str:
    """Write an iteration, of more than four digits with thin spaces between thousands."""
    return f"{value:,.0f}".replace(",", "\u2009" if abs(value) >= 1e4 else "")


def _log_ticks(ax: Axes) -> None:
    ax.yaxis.set_major_locator(LogLocator(numticks=8))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _legends(
    canvas: Figure,
    spec: FigureSpec,
    drawn: Sequence[Sequence[Curve]],
    keys: Sequence[Line2D],
    *,
    line: bool,
    marker: bool,
) -> None:
    """Put configurations above the panels and the meaning of lines and markers below: nothing covers data."""
    handles = []
    notes: list[str] = []
    for optimizer, remarks in _configurations(spec, drawn).values():
        colour, shape = style.look(optimizer)
        label = style.configuration(optimizer)
        for remark in remarks:
            notes += [] if remark in notes else [remark]
            if (i := notes.index(remark)) < _MOST_NOTES:
                label += _MARKS[i % len(_MARKS)]
        handles.append(_key(label, "solid" if line else "none", shape if marker else "none", colour))
    columns = _legend_columns(spec)
    together = len(handles) + len(keys) <= columns
    above = [*handles, *keys] if together else handles
    canvas.legend(handles=_by_row(above, columns), loc="outside upper center", ncols=columns)
    if keys and not together:
        below = _key_columns(len(keys)) if spec.width == "double" else 1
        canvas.legend(handles=list(keys), loc="outside lower center", ncols=below)
    if notes:
        marked = [f"{_MARKS[i % len(_MARKS)]} {note}" for i, note in enumerate(notes[:_MOST_NOTES])]
        if len(notes) > _MOST_NOTES:
            marked.append(f"and {len(notes) - _MOST_NOTES} more: see the table of errors")
        below_all = canvas.axes[len(spec.panels) - 1]
        below_all.set_xlabel("\n".join([below_all.get_xlabel(), *marked]))


def _configurations(
    spec: FigureSpec, drawn: Sequence[Sequence[Curve]]
) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """Return the configurations of all panels by label, in order, with remarks on their runs."""
    found: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for curves in drawn:
        for curve in curves:
            optimizer = curve.cell["optimizer"]
            remarks = found.setdefault(style.configuration(optimizer), (optimizer, []))[1]
            if curve.remark:
                where = rf"$\alpha = {curve.cell['alpha']:g}$"
                remarks.append(f"{_called(spec, curve.name)}, {where}: {curve.remark}")
    return found


def _called(spec: FigureSpec, name: str) -> str:
    """Return the name of a path in the legend, without its line."""
    given = spec.lines[name].label if name in spec.lines else None
    line = r" \((line|solid|dashed|dotted|dashdot)\)$"
    return re.sub(line, "", given) if given else style.solution(name)


def _legend_columns(spec: FigureSpec) -> int:
    return 4 if spec.width == "double" else 1


def _key_columns(keys: int) -> int:
    return keys if keys <= 6 else 4


def _by_row(handles: Sequence[Line2D], columns: int) -> list[Line2D]:
    """Reorder for a legend that fills columns first, so that it reads row by row."""
    return [handle for column in range(columns) for handle in handles[column::columns]]


def _key(label: str, line: Literal["solid", "none"], marker: str, colour: str = style.GREY) -> Line2D:
    return Line2D([], [], color=colour, linestyle=line, marker=marker, markerfacecolor="white", label=label)


def _line_key(spec: FigureSpec, name: str) -> Line2D:
    look = style.line(name, spec.solutions.index(name), spec.lines)
    return Line2D([], [], color=style.GREY, linestyle=look.line, linewidth=look.width, label=look.label)


def _gid(curve: Curve) -> str:
    optimizer = curve.cell["optimizer"]
    arguments = ",".join(f"{name}~{value}" for name, value in optimizer.get("arguments", {}).items())
    return f"{optimizer['class']}({arguments}):alpha~{curve.cell['alpha']}:{curve.name}"


def job(task: Task) -> str:
    """Draw a figure and, where the rule has its files, its companion of errors; return a line about it."""
    name = task.outputs[0].stem
    spec = parse(name, task.given["figure"])
    render(spec, task.files, [output for output in task.outputs if output.stem == name])
    if companion := [output for output in task.outputs if output.stem != name]:
        render_errors(spec, task.files, companion)
    return f"{len(task.outputs)} files"
