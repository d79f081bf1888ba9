"""Draw a figure of paths, and its companion of errors, into files.

What lives here: :func:`render`, :func:`render_errors`, and their assembly from panels.  What does not: layout
and limits of the axes (``axes.py``), curves inside a panel (``lines.py``), legends (``legends.py``).

Figures use matplotlib's objects without pyplot: this saves a second of imports for each figure, and avoids
global state.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from idescent.drawing import style
from idescent.drawing.drawable import Account, say, without_scale
from idescent.drawing.saving import save, styled
from idescent.products.paths.axes import canvas_and_axes, frame, keep_in_view, keep_limits, log_ticks
from idescent.products.paths.clipped import mark_clipped
from idescent.products.paths.curves import Curve, drawn_part, error_curves, panel_curves, read_sources
from idescent.products.paths.legends import draw_legends, line_key, marker_key, reference_keys
from idescent.products.paths.lines import draw_curves, draw_errors, draw_inset, draw_minimum
from idescent.products.paths.spec import FigureSpec, parse
from idescent.products.product import Task
from idescent.store import DISCRETE


def render(spec: FigureSpec, files: Iterable[str | Path], outputs: Iterable[str | Path]) -> None:
    """Draw a figure.

    Parameters
    ----------
    spec : FigureSpec
    files : iterable of path
        Trajectory files in any order; files that the figure does not need are ignored.
    outputs : iterable of path
        Files to write: .pdf, .svg or .png.

    Raises
    ------
    ValueError
        If a cell or a path of the figure is missing, a file is damaged, or an output has another suffix.
    """
    sources = read_sources(files)
    panels = [panel_curves(spec, panel, sources) for panel in spec.panels]
    with styled():
        save(figure(spec, panels), outputs, spec.title, spec.caption)


def render_errors(spec: FigureSpec, files: Iterable[str | Path], outputs: Iterable[str | Path]) -> None:
    """Draw the companion of a figure: ``|discrete - solution|`` over k on a logarithmic axis.

    Parameters and exceptions are those of :func:`render`.
    """
    sources = read_sources(files)
    panels = [error_curves(spec, panel, sources) for panel in spec.panels]
    with styled():
        save(error_figure(spec, panels), outputs, f"{spec.title}: errors", errors_caption(spec))


def errors_caption(spec: FigureSpec) -> str:
    """Return the caption of a figure's companion."""
    quantity = {"theta": "θ"}.get(spec.quantity, spec.quantity)
    text = (
        f"Distance between discrete run and model, of {quantity} in “{spec.title}”, in the same colours and "
        "markers, over the iterations on a logarithmic axis. The curves start at k = 1, because both paths "
        "have the same starting point; if a model starts from the optimizer's own first iterations, after "
        "these. Iterations with distance zero have no point. Bands: smallest and "
        "largest distance where it oscillates faster than the figure resolves. The panels end ten decades "
        "below the largest distance; arrowheads: curves continue outside."
    )
    if spec.quantity == "theta":
        text += (
            " Dotted, where in range: the solver's estimate of its own error. Distances below it do not "
            "measure the model."
        )
    return text


def figure(spec: FigureSpec, panels: Sequence[Sequence[Curve]]) -> Figure:
    """Build the figure from the curves of each panel, inside :func:`~idescent.drawing.saving.styled`."""
    keys = [marker_key("discrete", "o")] if DISCRETE in spec.show and spec.solutions else []
    if len(spec.show) > 1:
        keys += [line_key(spec, name) for name in spec.solutions]
    canvas, axes = canvas_and_axes(spec, panels)
    for ax, panel, every_curve in zip(axes, spec.panels, panels, strict=True):
        curves, account = part(spec, every_curve)
        if account.drawn:
            draw_minimum(ax, spec, curves)
            draw_curves(ax, spec, curves, with_line=not spec.solutions, window=panel)
        ax.set_xscale(spec.x_scale)
        ax.set_yscale(spec.y_scale)
        frame(ax, panel, curves)
        keep_in_view(ax, curves)
        if account.drawn:
            keep_limits(ax, panel)
            mark_clipped(ax)
        if panel.inset is not None and account.drawn:
            draw_inset(ax, spec, panel.inset, curves)
        _note(ax, account)
    label = rf"${style.symbol(spec.quantity, vector=_any_vector(panels))}$"
    axes[0].set_ylabel(spec.y_label or (f"loss {label}" if spec.quantity == "loss" else label))
    keys += reference_keys(axes)
    draw_legends(canvas, spec, panels, keys, with_markers=DISCRETE in spec.show)
    return canvas


def error_figure(spec: FigureSpec, panels: Sequence[Sequence[Curve]]) -> Figure:
    """Build the companion from the error curves, inside :func:`~idescent.drawing.saving.styled`."""
    keys = [line_key(spec, name) for name in spec.solutions]
    canvas, axes = canvas_and_axes(spec, panels)
    for ax, panel, every_curve in zip(axes, spec.panels, panels, strict=True):
        curves, account = part(spec, every_curve, errors=True)
        floor = draw_errors(ax, spec, curves) if account.drawn else 0.0
        ax.set_yscale("log")
        ax.set_xscale(spec.x_scale)
        keep_in_view(ax, curves)
        if floor > 0.0:
            ax.set_ylim(bottom=max(floor, ax.get_ylim()[0]))
        frame(ax, panel, curves)
        log_ticks(ax)
        if account.drawn:
            mark_clipped(ax)
        _note(ax, account)
    symbol = "L" if spec.quantity == "loss" else style.symbol(spec.quantity)
    bars = r"\Vert" if _any_vector(panels) else "|"
    axes[0].set_ylabel(rf"${bars}\,{symbol}_\mathrm{{discrete}} - {symbol}_\mathrm{{model}}\,{bars}$")
    keys += reference_keys(axes)
    draw_legends(canvas, spec, panels, keys, with_markers=True)
    return canvas


def part(spec: FigureSpec, curves: Sequence[Curve], *, errors: bool = False) -> tuple[list[Curve], Account]:
    """Return the drawable part of a panel's curves, and the account of the undrawn values.

    Parameters
    ----------
    spec : FigureSpec
    curves : sequence of Curve
    errors : bool
        Whether the panel belongs to :func:`error_figure` instead of :func:`figure`.
    """
    if errors:
        # The start is never drawn: all errors are 0 there, except for traces in the memories of schemes that
        # begin just after 0.  The caption explains why zero errors have no points.
        return drawn_part(curves, x_log=True, y_log=True, noun="error", told=("zero",))
    return drawn_part(curves, x_log=spec.x_scale == "log", y_log=spec.y_scale == "log")


def _note(ax: Axes, account: Account) -> None:
    say(ax, account)
    if account.whole:
        without_scale([ax], "y")


def _any_vector(panels: Sequence[Sequence[Curve]]) -> bool:
    return any(curve.vector for curves in panels for curve in curves)


def job(task: Task) -> str:
    """Draw a figure and, if the outputs include it, its companion of errors; return a line for the screen."""
    name = task.outputs[0].stem
    spec = parse(name, task.given["figure"])
    render(spec, task.files, [output for output in task.outputs if output.stem == name])
    if companion := [output for output in task.outputs if output.stem != name]:
        render_errors(spec, task.files, companion)
    return f"{len(task.outputs)} files"
