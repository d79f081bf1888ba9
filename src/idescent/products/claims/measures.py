"""Measures of a path, for the thresholds of claims.

What lives here: functions of a scalar path over the iterations k, in plain numpy.  What does not: selecting
paths and comparing numbers with thresholds (:mod:`.audit`).

Every measure takes the iterations ``k`` and the values ``y``, both of shape (rows,), and its options by
keyword.  A measure of two paths also takes the reference ``other`` on the same iterations.  The result is NaN
for a path without the measured feature; NaN fulfils no threshold.  Infinity means "never".
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def settling(k: Array, y: Array, *, within: float, target: str = "zero") -> float:
    """Return the first iteration from which ``y`` remains close to its target.

    Parameters
    ----------
    within : float
        Largest distance from the target that is close, as a fraction of the greatest distance.
    target : {"zero", "last"}
        Zero, or the value of the last row.

    Returns
    -------
    float
        Infinity if the last row is not close.
    """
    distance = np.abs(y - (y[-1] if target == "last" else 0.0))
    far = np.flatnonzero(distance > within * distance.max())
    if far.size == 0:
        return float(k[0])
    return math.inf if far[-1] == len(y) - 1 else float(k[far[-1] + 1])


def reach(k: Array, y: Array, *, within: float) -> float:
    """Return the first iteration with ``|y| <= within * |y[0]|`` or with another sign than ``y[0]``.

    Infinity if there is none.  Unlike :func:`settling`, later rows do not count.
    """
    close = np.flatnonzero((np.abs(y) <= within * abs(y[0])) | (y * y[0] < 0.0))
    return float(k[close[0]]) if close.size else math.inf


def sign_changes(k: Array, y: Array, *, floor: float) -> float:
    """Count the sign changes of ``y``, without the rows where ``|y| <= floor * max |y|``."""
    return float(len(_changes(k, y, floor)))


def oscillation_delay(k: Array, y: Array, *, within: float, floor: float) -> float:
    """Return the number of iterations from the arrival at zero to the first swing back through zero.

    The arrival is the iteration of :func:`reach`.  The swing back is the second sign change that
    :func:`sign_changes` counts, because the first one is the crossing.  NaN if there is no swing back.
    """
    changes = _changes(k, y, floor)
    return float(changes[1] - reach(k, y, within=within)) if len(changes) > 1 else math.nan


def overshoot(k: Array, y: Array) -> float:
    """Return the greatest ``|y|`` beyond zero, as a fraction of the greatest ``|y|`` on the starting side.

    The starting side is the sign of the first value that is not zero; NaN if all values are zero.
    """
    nonzero = y[np.flatnonzero(y)]
    if nonzero.size == 0:
        return math.nan
    forward = y * np.sign(nonzero[0])
    return float(max(0.0, -forward.min()) / forward.max())


def peak(k: Array, y: Array) -> float:
    """Return the greatest ``|y|``."""
    return float(np.abs(y).max())


def last(k: Array, y: Array) -> float:
    """Return the last ``|y|`` as a fraction of the greatest."""
    return _ratio(abs(float(y[-1])), peak(k, y))


def jump(k: Array, y: Array) -> float:
    """Return the greatest change of ``y`` between consecutive rows; NaN for a single row."""
    return float(np.abs(np.diff(y)).max()) if len(y) > 1 else math.nan


def rise(k: Array, y: Array) -> float:
    """Return the greatest increase of ``y`` over an earlier value, as a fraction of its range.

    Zero for a path that never increases.
    """
    return _ratio(float((y - np.minimum.accumulate(y)).max()), float(np.ptp(y)))


def decay(k: Array, y: Array, *, to: float) -> float:
    """Return the iterations from the peak of ``|y|`` to the first ``|y| <= to * peak``; infinity if none."""
    top = int(np.argmax(np.abs(y)))
    below = np.flatnonzero(np.abs(y[top:]) <= to * abs(y[top]))
    return float(k[top + below[0]] - k[top]) if below.size else math.inf


def bump_at(k: Array, y: Array) -> float:
    """Return the iteration of the most prominent inner local maximum; NaN if there is none."""
    return float(k[_bump(y)[0]]) if _bump(y)[1] > 0.0 else math.nan


def bump_height(k: Array, y: Array) -> float:
    """Return the prominence of the most prominent inner local maximum, as a fraction of the range."""
    return _ratio(_bump(y)[1], float(np.ptp(y)))


def gap(k: Array, y: Array, other: Array) -> float:
    """Return the greatest distance from the other path, as a fraction of the other path's range."""
    return _ratio(float(np.abs(y - other).max()), float(np.ptp(other)))


def gap_at(k: Array, y: Array, other: Array) -> float:
    """Return the iteration of the greatest distance from the other path."""
    return float(k[np.argmax(np.abs(y - other))])


@dataclass(frozen=True)
class Measure:
    """A measure with the names of its options; ``pairs`` tells whether it compares two paths."""

    function: Callable[..., float]
    required: tuple[str, ...]
    optional: tuple[str, ...]
    pairs: bool

    def __call__(self, k: Array, y: Array, other: Array | None, options: Mapping[str, Any]) -> float:
        """Measure a path, or its distance from the other path if the measure compares two."""
        return self.function(k, y, other, **options) if self.pairs else self.function(k, y, **options)


def _measure(function: Callable[..., float]) -> Measure:
    parameters = inspect.signature(function).parameters.values()
    options = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    return Measure(
        function,
        tuple(p.name for p in options if p.default is p.empty),
        tuple(p.name for p in options if p.default is not p.empty),
        any(p.name == "other" for p in parameters),
    )


MEASURES: dict[str, Measure] = {
    function.__name__: _measure(function)
    for function in (
        settling,
        reach,
        sign_changes,
        oscillation_delay,
        overshoot,
        peak,
        last,
        jump,
        rise,
        decay,
        bump_at,
        bump_height,
        gap,
        gap_at,
    )
}


def _changes(k: Array, y: Array, floor: float) -> Array:
    """Return the iterations of the sign changes of ``y``, ignoring rows where ``|y| <= floor * max |y|``."""
    rows = np.flatnonzero(np.abs(y) > floor * np.abs(y).max())
    changed = rows[1:][np.diff(np.sign(y[rows])) != 0.0]
    iterations: Array = k[changed]
    return iterations


def _bump(y: Array) -> tuple[int, float]:
    """Return row and prominence of the most prominent inner local maximum; (0, 0.0) if there is none."""
    # Prominence as in topography: take the lowest value on each side, up to the next higher value; the
    # prominence is the height above the higher one of the two.
    best = (0, 0.0)
    inner = np.flatnonzero((y[1:-1] > y[:-2]) & (y[1:-1] >= y[2:])) + 1
    for row in inner:
        higher_left = np.flatnonzero(y[:row] > y[row])
        higher_right = np.flatnonzero(y[row + 1 :] > y[row])
        left = y[(higher_left[-1] if higher_left.size else 0) : row].min()
        right = y[row : row + 1 + (higher_right[0] + 1 if higher_right.size else len(y))].min()
        prominence = float(y[row] - max(left, right))
        if prominence > best[1]:
            best = (int(row), prominence)
    return best


def _ratio(a: float, b: float) -> float:
    if b == 0.0:
        return math.nan if a == 0.0 else math.copysign(math.inf, a)
    return a / b
