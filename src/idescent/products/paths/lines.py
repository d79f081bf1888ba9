"""Draw the curves, markers, insets and reference lines of one panel.

What does not live here: marks of curves that leave the panel (:mod:`.clipped`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from idescent.drawing import style
from idescent.drawing.drawable import drawable
from idescent.products.paths.curves import Array, Curve, evenly, first_measured, minimiser, spaced, thinned
from idescent.products.paths.envelopes import WINDOWS, draw_envelope, separated
from idescent.products.paths.spec import FigureSpec, Inset, Panel
from idescent.store import DISCRETE

MINIMUM: dict[str, Any] = {"color": "#999999", "linewidth": 0.6, "linestyle": (0, (5, 3))}
ESTIMATE: dict[str, Any] = {"linewidth": 0.6, "linestyle": (0, (1, 3))}

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


def line_look(spec: FigureSpec, name: str) -> style.LineLook:
    """Return the line look of a solution in a figure."""
    return style.line(name, spec.solutions.index(name), spec.lines, len(spec.solutions))


def draw_curves(
    ax: Axes, spec: FigureSpec, curves: Sequence[Curve], *, with_line: bool, window: Panel | None = None
) -> None:
    """Draw solutions as lines and discrete runs as markers.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    spec : FigureSpec
    curves : sequence of Curve
    with_line : bool
        Whether a discrete run has a line through its markers.
    window : Panel, optional
        Its limits of the y axis: markers beyond them are not drawn.
    """
    draw_line = _line_drawer(ax, spec, curves, log=spec.y_scale == "log")
    runs = sum(curve.name == DISCRETE for curve in curves)
    run = 0
    for curve in curves:
        colour, marker = style.look(curve.cell["optimizer"])
        if curve.name != DISCRETE:
            look = line_look(spec, curve.name)
            tint = style.tinted(colour, look.tint)
            # A wide pale line is behind the narrow ones.
            draw_line(
                curve, curve.y, color=tint, linestyle=look.line, linewidth=look.width, zorder=2 - look.tint
            )
            continue
        marked = spaced(curve.k, curve.y, _MARKERS, run / runs)
        run += 1
        if window is not None and window.y is not None:
            marked = marked[(curve.y[marked] >= window.y[0]) & (curve.y[marked] <= window.y[1])]
        if with_line:
            draw_line(curve, curve.y, color=colour, linewidth=1.0)
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

    The panel ends there: ten decades below the largest plausible error, or 0 if there is none.
    """
    plausible = [curve.y for curve in curves if len(curve.y) and not curve.implausible]
    floor = _DECADES * max((float(y.max()) for y in plausible), default=0.0)
    lowest = max(floor, min((float(y.min()) for y in plausible), default=0.0))
    draw_line = _line_drawer(ax, spec, curves, log=True, floor=floor)
    for i, curve in enumerate(_measured(one, floor) for one in curves):
        colour, marker = style.look(curve.cell["optimizer"])
        line = line_look(spec, curve.name)
        look: dict[str, Any] = {"color": style.tinted(colour, line.tint), "linestyle": line.line}
        look |= {"linewidth": 0.8 * line.width, "zorder": 2 - line.tint, "marker": marker, **_ERROR_MARK}
        # A few markers distinguish the curves in grey print.
        draw_line(curve, curve.y, marks=(_ERROR_MARKERS, (i + 0.5) / len(curves)), **look)
        estimate = curve.report.error_estimate
        # An estimate far below every error would compress the curves.
        in_range = max(floor, _ESTIMATE_SHOWN * lowest) <= estimate < math.inf
        if spec.quantity == "theta" and in_range:
            ax.axhline(estimate, **ESTIMATE, color=colour, gid="estimate")
    return floor


def _measured(curve: Curve, floor: float) -> Curve:
    """Remove the first errors of a curve that are below ``floor``: the model copies these iterations."""
    first = first_measured(curve.y, floor)
    breaks = tuple(row - first for row in curve.breaks if row > first)
    return replace(curve, k=curve.k[first:], y=curve.y[first:], breaks=breaks)


def draw_inset(ax: Axes, spec: FigureSpec, inset: Inset, curves: Sequence[Curve]) -> None:
    """Draw a magnified window of a panel, with a marker for every iteration of the discrete runs."""
    window = ax.inset_axes(inset.at)
    window.set_gid("inset")
    for curve in sorted(curves, key=lambda one: one.name == DISCRETE):
        colour, marker = style.look(curve.cell["optimizer"])
        inside = (curve.k >= inset.k[0] - 1) & (curve.k <= inset.k[1] + 1)
        discrete = curve.name == DISCRETE
        look = None if discrete else line_look(spec, curve.name)
        window.plot(
            curve.k[inside],
            curve.y[inside],
            color=style.tinted(colour, look.tint) if look else colour,
            zorder=2 - look.tint if look else 3,
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
    window.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    window.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    window.spines[["top", "right"]].set_visible(True)
    for spine in window.spines.values():
        spine.set_linewidth(0.4)
    ax.indicate_inset_zoom(window, edgecolor="#888888", linewidth=0.4, alpha=1.0)


def _line_drawer(
    ax: Axes, spec: FigureSpec, curves: Sequence[Curve], *, log: bool, floor: float = 0.0
) -> Callable[..., None]:
    """Return a function that draws one curve of a panel: a line, and envelopes of its dense oscillations.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    spec : FigureSpec
    curves : sequence of Curve
        All curves of the panel, which determine its size.
    log : bool
        Whether the y axis is logarithmic.
    floor : float
        Lower end of the y axis, if it is known.
    """

    def across(k: Array) -> Array:
        return np.log(k) if spec.x_scale == "log" else k

    def up(y: Array) -> Array:
        return np.log(np.maximum(y, floor)) if log else y

    def ends(values: list[Array]) -> tuple[float, float]:
        return min((float(v.min()) for v in values), default=0.0), max(
            (float(v.max()) for v in values), default=0.0
        )

    plausible = [curve for curve in curves if len(curve.y) and not curve.implausible]
    first, last = ends([across(curve.k) for curve in plausible])
    low, high = ends([up(curve.y) for curve in plausible])

    def draw(curve: Curve, y: Array, marks: tuple[int, float] | None = None, **look: Any) -> None:
        rows: list[NDArray[np.int64]] = []
        shortest = (last - first) / WINDOWS
        pieces = np.split(np.arange(len(y)), [] if marks else curve.breaks)
        for piece in [
            part for one in pieces for part in _above_and_below(one, y, across(curve.k), floor, shortest)
        ]:
            k, values = across(curve.k[piece]), up(y[piece])
            lines, envelopes = separated(k, values, first, last, high - low)
            rows += [piece[part][thinned(values[part])] for part in lines]
            for one in envelopes:
                x = np.exp(one.k) if spec.x_scale == "log" else one.k
                ends = (np.exp(v) if log else v for v in (one.low, one.high))
                draw_envelope(ax, x, *ends, gid=f"{curve_id(curve)}:envelope", **look)
        # One line for all parts: missing values separate them.
        x, y = (
            np.concatenate([_ended(v[part]) for part in rows] or [np.empty(0)])[:-1] for v in (curve.k, y)
        )
        if marks is not None:
            at = evenly(np.maximum.accumulate(np.nan_to_num(x, nan=0.0)), *marks)
            look["markevery"] = [i for i in at if np.isfinite(x[i])]
        elif any(len(part) == 1 for part in rows):
            look |= {"marker": ".", "markevery": _alone(x)}
        ax.plot(x, y, **look, gid=curve_id(curve))

    return draw


def _above_and_below(
    piece: NDArray[np.int64], y: Array, x: Array, floor: float, shortest: float
) -> list[NDArray[np.int64]]:
    """Split a piece of a curve where it stays below ``floor`` for at least ``shortest`` along x.

    Otherwise the band of an oscillation that begins after such a stretch would extend to the floor.
    """
    if not len(piece):
        return []
    parts = np.split(piece, np.flatnonzero(np.diff((y[piece] < floor).astype(np.int8))) + 1)
    long = [y[part[0]] < floor and x[part[-1]] - x[part[0]] >= shortest for part in parts]
    joined: list[NDArray[np.int64]] = []
    for i, part in enumerate(parts):
        if i and not long[i] and not long[i - 1]:
            joined[-1] = np.concatenate([joined[-1], part])
        else:
            # A stretch below the floor includes its neighbours, so that the line is not interrupted.
            start = part[0] - (long[i] and i > 0)
            end = part[-1] + 1 + (long[i] and i < len(parts) - 1)
            joined.append(np.arange(start, end))
    return joined


def _ended(values: Array) -> Array:
    return np.append(values, np.nan)


def _alone(x: Array) -> list[int]:
    """Return the values between missing ones: a line without length is invisible."""
    missing = np.concatenate([[True], np.isnan(x), [True]])
    return [int(i) for i in np.flatnonzero(missing[:-2] & ~missing[1:-1] & missing[2:])]
