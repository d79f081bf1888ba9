"""Draw the curves, markers, insets and reference lines of one panel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from idescent.drawing import style
from idescent.drawing.drawable import drawable
from idescent.products.paths.curves import Curve, evenly, minimiser, spaced, thinned
from idescent.products.paths.spec import FigureSpec, Inset
from idescent.store import DISCRETE

MINIMUM: dict[str, Any] = {"color": "#999999", "linewidth": 0.6, "linestyle": (0, (5, 3))}
ESTIMATE: dict[str, Any] = {"linewidth": 0.6, "linestyle": ":"}

_MARKERS = 24
_ERROR_MARKERS = 7
_ERROR_MARK: dict[str, Any] = {"markersize": 2.8, "markerfacecolor": "white", "markeredgewidth": 0.6}
# Errors below this fraction of the largest error in the panel are rounding of double precision.
_DECADES = 1e-10
# The solver's estimate is drawn if it is at least this fraction of the smallest error.
_ESTIMATE_SHOWN = 1e-3


def curve_id(curve: Curve) -> str:
    """Return the ``id`` of a curve in the SVG: optimizer, hyper-parameters, learning rate and path."""
    optimizer = curve.cell["optimizer"]
    arguments = ",".join(f"{name}~{value}" for name, value in optimizer.get("arguments", {}).items())
    return f"{optimizer['class']}({arguments}):alpha~{curve.cell['alpha']}:{curve.name}"


def draw_minimum(ax: Axes, spec: FigureSpec, curves: Sequence[Curve]) -> None:
    """Draw a line at the minimum of the objective, if the panel shows a theta with one coordinate."""
    if spec.quantity != "theta" or any(curve.vector for curve in curves):
        return
    minimum = minimiser(curves[0].cell["objective"])
    if minimum is not None and drawable(minimum, log=spec.y_scale == "log"):
        ax.axhline(minimum, **MINIMUM, zorder=0.5, gid="minimum")


def draw_curves(ax: Axes, spec: FigureSpec, curves: Sequence[Curve], *, with_line: bool) -> None:
    """Draw solutions as lines and discrete runs as markers.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    spec : FigureSpec
    curves : sequence of Curve
    with_line : bool
        Whether a discrete run has a line through its markers.
    """
    runs = sum(curve.name == DISCRETE for curve in curves)
    run = 0
    for curve in curves:
        colour, marker = style.look(curve.cell["optimizer"])
        if curve.name != DISCRETE:
            look = style.line(curve.name, spec.solutions.index(curve.name), spec.lines)
            _draw_line(ax, curve, color=colour, linestyle=look.line, linewidth=look.width)
            continue
        marked = spaced(curve.k, curve.y, _MARKERS, run / runs)
        run += 1
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
            # The first and the last marker are on the frame, which must not cut them.
            clip_on=False,
            gid=f"{curve_id(curve)}:markers",
        )
        if curve.report.diverged_at is not None:
            ax.plot(curve.k[-1:], curve.y[-1:], marker="x", color=colour, markersize=6, gid="diverged")


def draw_errors(ax: Axes, spec: FigureSpec, curves: Sequence[Curve]) -> float:
    """Draw curves of errors, and the solver's error estimates; return the least error that is drawn.

    Smaller errors are drawn at that level: ten decades below the largest plausible error, or 0 if there is
    none.
    """
    plausible = [curve.y for curve in curves if len(curve.y) and not curve.implausible]
    floor = _DECADES * max((float(y.max()) for y in plausible), default=0.0)
    lowest = max(floor, min((float(y.min()) for y in plausible), default=0.0))
    for i, curve in enumerate(curves):
        colour, marker = style.look(curve.cell["optimizer"])
        k, y = curve.k, np.maximum(curve.y, floor)
        rows = thinned(np.log(y))
        line = style.line(curve.name, spec.solutions.index(curve.name), spec.lines)
        look: dict[str, Any] = {"color": colour, "linestyle": line.line, "linewidth": 0.9}
        # A few markers distinguish the curves in grey print.
        look |= {"marker": marker, "markevery": evenly(k[rows], _ERROR_MARKERS, (i + 0.5) / len(curves))}
        ax.plot(k[rows], y[rows], **look, **_ERROR_MARK, gid=curve_id(curve))
        estimate = curve.report.error_estimate
        # An estimate far below every error would compress the curves.
        in_range = max(floor, _ESTIMATE_SHOWN * lowest) <= estimate < math.inf
        if spec.quantity == "theta" and in_range:
            ax.axhline(estimate, **ESTIMATE, color=colour, gid="estimate")
    return floor


def draw_inset(ax: Axes, spec: FigureSpec, inset: Inset, curves: Sequence[Curve]) -> None:
    """Draw a magnified window of a panel, with a marker for every iteration of the discrete runs."""
    window = ax.inset_axes(inset.at)
    window.set_gid("inset")
    for curve in curves:
        colour, marker = style.look(curve.cell["optimizer"])
        inside = (curve.k >= inset.k[0] - 1) & (curve.k <= inset.k[1] + 1)
        discrete = curve.name == DISCRETE
        look = style.line(curve.name, spec.solutions.index(curve.name), spec.lines) if not discrete else None
        window.plot(
            curve.k[inside],
            curve.y[inside],
            color=colour,
            linestyle=look.line if look else ("solid" if not spec.solutions else "none"),
            linewidth=0.6 if look is None else look.width,
            marker=marker if discrete else None,
            markersize=2.0,
            markeredgewidth=0.5,
            markerfacecolor="white" if not spec.solutions else "none",
            gid=curve_id(curve),
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


def _draw_line(ax: Axes, curve: Curve, **look: Any) -> None:
    """Draw a curve in pieces, separated by its undrawn values; a piece with one value is a dot."""
    for piece in np.split(np.arange(len(curve.y)), curve.breaks):
        rows = piece[thinned(curve.y[piece])]
        if len(rows) == 1:
            look = look | {"marker": "."}
        ax.plot(curve.k[rows], curve.y[rows], **look, zorder=2, gid=curve_id(curve))
