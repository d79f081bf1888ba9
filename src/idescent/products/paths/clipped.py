"""Mark where curves leave a panel: an arrowhead on the frame, so that no curve seems to end there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from idescent.drawing import style

SUFFIX = ":clipped"
LABEL = "continues outside"
# The edge distinguishes the mark of a pale line from its end.
_MARK: dict[str, Any] = {
    "linestyle": "none",
    "markersize": 4.2,
    "markeredgewidth": 0.5,
    "markeredgecolor": "#333333",
}
# Least distance of two marks of a curve, as a fraction of the panel's width.
_APART = 0.025


def mark_clipped(ax: Axes, curves: Iterable[Line2D] | None = None) -> bool:
    """Mark the curves of a panel at the lower and the upper frame; its limits must be final.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    curves : iterable of Line2D, optional
        By default the visible lines of a figure of paths.

    Returns
    -------
    bool
        Whether any curve leaves the panel.
    """
    if curves is None:
        curves = [line for line in ax.lines if line.get_visible() and _is_path(line.get_gid() or "")]
    bottom, top = ax.get_ylim()
    left, right = ax.get_xlim()
    marked = False
    for line in list(curves):
        x, y = (np.asarray(values, dtype=np.float64) for values in line.get_data())
        kept = (x >= left) & (x <= right)
        for limit, beyond, marker in ((bottom, y < bottom, "v"), (top, y > top, "^")):
            places = _crossings(x[kept], y[kept], beyond[kept], limit, log=ax.get_yscale() == "log")
            apart: list[float] = []
            for place in places:
                if not apart or place - apart[-1] > _APART * (right - left):
                    apart.append(place)
            if apart:
                look = _MARK | {"color": line.get_color(), "marker": marker, "zorder": 4, "clip_on": False}
                ax.plot(apart, [limit] * len(apart), **look, gid=f"{line.get_gid() or ''}{SUFFIX}")
                marked = True
    return marked


def clipped_key() -> Line2D:
    """Return the legend handle of the marks."""
    return Line2D([], [], color=style.GREY, marker="v", **_MARK, label=LABEL)


def _is_path(gid: str) -> bool:
    return ":" in gid and not gid.endswith(":markers")


def _crossings(x: Any, y: Any, beyond: Any, limit: float, *, log: bool) -> list[float]:
    """Return where a curve crosses a limit, and where it starts if it starts beyond."""
    finite = np.isfinite(y)
    x, y, beyond = x[finite], y[finite], beyond[finite]

    def level(value: float) -> float:
        return math.log(max(value, 1e-300)) if log else value

    places = [float(x[0])] if len(x) and beyond[0] else []
    for a, b in pairwise(range(len(x))):
        if beyond[a] != beyond[b]:
            low, high = level(y[a]), level(y[b])
            places.append(float(x[a] + (x[b] - x[a]) * (level(limit) - low) / (high - low)))
    return sorted(places)
