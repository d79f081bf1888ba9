"""Layout of a figure of paths: size, panels, limits and ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from idescent.drawing import style, ticks
from idescent.products.paths.curves import Curve
from idescent.products.paths.legends import panel_notes
from idescent.products.paths.lines import curve_id
from idescent.products.paths.spec import FigureSpec, Panel

# In inches.
_PANEL_HEIGHT = 2.1
_ROW_HEIGHT = 0.17  # of a line of notes


def canvas_and_axes(spec: FigureSpec, panels: Sequence[Sequence[Curve]]) -> tuple[Figure, list[Axes]]:
    """Create a figure with one pair of axes for each panel, with room for a legend of one row.

    Parameters
    ----------
    spec : FigureSpec
    panels : sequence of sequence of Curve
        The curves of each panel: notes about them need height.
    """
    columns = 1 if spec.width == "single" else min(len(spec.panels), 2)
    rows = math.ceil(len(spec.panels) / columns)
    notes = panel_notes(spec, panels)
    note_rows = sum(max(map(len, notes[i * columns : (i + 1) * columns])) for i in range(rows))
    height = _PANEL_HEIGHT * rows + _ROW_HEIGHT * note_rows + 0.3
    size = (style.WIDTHS[spec.width], height)
    canvas = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.025, w_pad=0.03))
    axes = canvas.subplots(rows, columns, squeeze=False).ravel().tolist()
    for ax in axes[len(spec.panels) :]:
        ax.remove()
    for i, ax in enumerate(axes[: len(spec.panels)]):
        if i >= len(spec.panels) - columns or notes[i]:
            ax.set_xlabel(spec.x_label or "iteration $k$")
    return canvas, axes[: len(spec.panels)]


def frame(ax: Axes, panel: Panel, curves: Sequence[Curve]) -> None:
    """Set the title of a panel, and the limits and ticks of a linear axis of iterations."""
    ax.set_title(panel.title or rf"$\alpha = {panel.alpha:g}$")
    last = panel.k_max or max((curve.cell["steps"] for curve in curves), default=1)
    if ax.get_xscale() == "linear":
        ax.set_xlim(-0.02 * last, 1.02 * last)
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 2.5, 5, 10]))
        ax.xaxis.set_major_formatter(FuncFormatter(_grouped))


def keep_limits(ax: Axes, panel: Panel) -> None:
    """Set the configured limits of the y axis; equal limits have equal ticks, whatever the values are."""
    if panel.y is not None:
        ax.set_ylim(panel.y)
    if ax.get_yscale() == "linear":
        ax.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))


def keep_in_view(ax: Axes, curves: Sequence[Curve]) -> None:
    """Scale the y axis without the implausible paths: they leave the panel, and the legend notes them."""
    implausible = {curve_id(curve) for curve in curves if curve.implausible}
    lines = [line for line in ax.lines if line.get_gid() in implausible]
    # A panel with implausible paths only is scaled to them.
    if lines and any(len(curve.y) for curve in curves if not curve.implausible):
        for line in lines:
            line.set_visible(False)
        ax.relim(visible_only=True)
        ax.autoscale_view(scalex=False)
        for line in lines:
            line.set_visible(True)


def log_ticks(ax: Axes) -> None:
    """Set the ticks of a logarithmic y axis, whose limits must be final."""
    ticks.log_ticks(ax.yaxis, most=8)


def _grouped(value: float, _: int | None = None) -> str:
    """Format an iteration; numbers of more than four digits have thin spaces between the thousands."""
    return f"{value:,.0f}".replace(",", "\u2009" if abs(value) >= 1e4 else "")
