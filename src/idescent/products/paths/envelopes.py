"""Separate the dense oscillations of a curve, which are drawn as an envelope, from the rest of it.

What lives here: which rows oscillate faster than a panel resolves, their lower and upper bounds, and how an
envelope looks.  What does not: lines (:mod:`.lines`), and their thinning
(:func:`idescent.products.paths.curves.thinned`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

# A panel is about 220 points wide, so a window is about 4 points wide: a line that turns three times in a
# window fills it.
WINDOWS = 56
_TURNS = 3
# A shorter oscillation stays a line, and a shorter interruption does not end an envelope, in windows: patches
# of both in one curve look like different curves.
_SHORTEST, _INTERRUPTION = 3, 3
# Steps below this fraction of the panel's height cannot be seen and are no turns.
_VISIBLE = 0.004


@dataclass(frozen=True)
class Envelope:
    """Bounds of a dense oscillation, shape (windows,) each; ``k`` are the windows' iterations."""

    k: Array
    low: Array
    high: Array


def separated(
    k: Array, y: Array, first: float, last: float, height: float
) -> tuple[list[slice], list[Envelope]]:
    """Separate a curve into lines and envelopes.

    Parameters
    ----------
    k, y : ndarray, shape (rows,)
        In units of the axes: logarithms on a logarithmic axis.
    first, last : float
        Ends of the panel's horizontal axis.
    height : float
        Length of the panel's vertical axis.

    Returns
    -------
    list of slice
        Rows of each line.  A line includes the neighbouring row of an envelope, so that both meet.
    list of Envelope
    """
    width = (last - first) / WINDOWS
    if len(k) < WINDOWS or not width > 0.0 or not height > 0.0:
        return [slice(0, len(k))], []
    edges = np.searchsorted(k, first + width * np.arange(WINDOWS + 1))
    edges[0], edges[-1] = 0, len(k)
    steps = np.diff(y)
    moved = np.flatnonzero(np.abs(steps) > _VISIBLE * height)
    turned = moved[1:][np.diff(np.sign(steps[moved])) != 0.0]
    turns = np.diff(np.searchsorted(turned, edges))
    dense = _without_short(turns >= _TURNS)
    lines, envelopes, start = [], [], 0
    for a, b in _ranges(dense):
        if edges[a] > start:
            lines.append(slice(start, int(edges[a]) + 1))
        parts = [slice(int(edges[i]), int(edges[i + 1])) for i in range(a, b)]
        low, high = (np.array([pick(y[part]) for part in parts]) for pick in (np.min, np.max))
        middle = np.array([0.5 * (k[part.start] + k[part.stop - 1]) for part in parts])
        # The first and the last window extend to their ends.
        ends = k[parts[0].start], k[parts[-1].stop - 1]
        k_all = np.array([ends[0], *middle, ends[1]])
        low, high = (np.array([v[0], *v, v[-1]]) for v in (low, high))
        envelopes.append(Envelope(k_all, low, high))
        start = max(int(edges[b]) - 1, 0)
    if not envelopes or start < len(k) - 1:
        lines.append(slice(start, len(k)))
    return lines, envelopes


def draw_envelope(ax: Axes, x: Any, low: Any, high: Any, *, color: str, gid: str, **look: Any) -> None:
    """Draw the bounds of an oscillation in the line style of its curve, and a pale area between them."""
    zorder = look.get("zorder", 2)
    ax.fill_between(x, low, high, facecolor=color, alpha=0.15, linewidth=0.0, zorder=zorder, gid=gid)
    edge = {"linestyle": look.get("linestyle", "solid"), "linewidth": 0.6 * look.get("linewidth", 1.0)}
    for bound in (low, high):
        ax.plot(x, bound, color=color, zorder=zorder, gid="envelope's bound", **edge)


def _without_short(dense: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Join ranges of windows across short interruptions, and remove short ranges."""
    joined = dense.copy()
    ranges = list(_ranges(dense))
    for (_, end), (start, _) in pairwise(ranges):
        joined[end:start] = start - end < _INTERRUPTION
    for start, end in _ranges(joined):
        joined[start:end] = end - start >= _SHORTEST
    return joined


def _ranges(flags: NDArray[np.bool_]) -> Iterable[tuple[int, int]]:
    """Return the ranges [a, b) of consecutive true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
