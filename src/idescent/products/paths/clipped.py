"""Mark where curves leave a panel: an arrowhead on the frame, so that no curve seems to end there."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from idescent.drawing import style

SUFFIX = ":clipped"
LABEL = "continues outside"
_MARK: dict[str, Any] = {"linestyle": "none", "markersize": 3.6, "markeredgewidth": 0.0}
# Least distance of two marks of a curve, as a fraction of the panel's width.
_APART = 0.025


def mark_clipped(ax: Axes) -> None:
    """Mark the curves of a panel at the lower and the upper frame; its limits must be final."""
    bottom, top = ax.get_ylim()
    left, right = ax.get_xlim()
    for line in list(ax.lines):
        gid = line.get_gid() or ""
        if ":" not in gid or gid.endswith(":markers") or not line.get_visible():
            continue
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
                ax.plot(apart, [limit] * len(apart), **look, gid=gid + SUFFIX)


def clipped_key() -> Line2D:
    """Return the legend handle of the marks."""
    return Line2D([], [], color=style.GREY, marker="v", **_MARK, label=LABEL)


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
