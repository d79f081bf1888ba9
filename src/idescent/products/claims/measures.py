"""The measures that decide a claim: numbers read off a path.

What lives here: functions of a scalar path on the iterations k, plain numpy.  What does not: choosing paths
and comparing numbers (:mod:`.audit`).

Every measure takes the iterations ``k`` and the values ``y``, both of shape (rows,), and its own options by
keyword; one that compares two paths also takes the reference ``other`` on the same iterations.  A measure
that has nothing to measure returns NaN, which fulfils no threshold; "never" is infinity.
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
    """Return the first iteration from which on ``y`` stays close to its target.

    Parameters
    ----------
    within : float
        How close: a fraction of the greatest distance from the target.
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
    """Return the first iteration at which ``|y|`` is at most a fraction of its first value, or of other sign.

    Unlike :func:`settling`, what comes later does not count.  Infinity if that never happens.
    """
    there = np.flatnonzero((np.abs(y) <= within * abs(y[0])) | (y * y[0] < 0.0))
    return float(k[there[0]]) if there.size else math.inf


def sign_changes(k: Array, y: Array, *, floor: float) -> float:
    """Return how often ``y`` changes sign; rows where ``|y|`` is at most ``floor * max |y|`` do not count."""
    return float(len(_changes(k, y, floor)))


def oscillation_delay(k: Array, y: Array, *, within: float, floor: float) -> float:
    """Return the iterations from the arrival at zero to the first swing back through it.

    The arrival is :func:`reach`, the swing back the second sign change of those that :func:`sign_changes`
    counts: the first one only crosses.  NaN if there is no swing back.
    """
    changes = _changes(k, y, floor)
    return float(changes[1] - reach(k, y, within=within)) if len(changes) > 1 else math.nan


def overshoot(k: Array, y: Array) -> float:
    """Return how far ``y`` goes beyond zero, as a fraction of its greatest size on the side where it starts.

    It starts on the side of its first value that is not zero.
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
    """Return the greatest change of ``y`` from one row to the next."""
    return float(np.abs(np.diff(y)).max()) if len(y) > 1 else math.nan


def rise(k: Array, y: Array) -> float:
    """Return the greatest climb of ``y`` above an earlier value, as a fraction of its range.

    Zero for a path that never rises.
    """
    return _ratio(float((y - np.minimum.accumulate(y)).max()), float(np.ptp(y)))


def decay(k: Array, y: Array, *, to: float) -> float:
    """Return the iterations from the peak of ``|y|`` until at most ``to`` times it is left; or infinity."""
    top = int(np.argmax(np.abs(y)))
    below = np.flatnonzero(np.abs(y[top:]) <= to * abs(y[top]))
    return float(k[top + below[0]] - k[top]) if below.size else math.inf


def bump_at(k: Array, y: Array) -> float:
    """Return where the most prominent inner local maximum is; NaN if there is none."""
    return float(k[_bump(y)[0]]) if _bump(y)[1] > 0.0 else math.nan


def bump_height(k: Array, y: Array) -> float:
    """Return the prominence of the most prominent inner local maximum, as a fraction of the range."""
    return _ratio(_bump(y)[1], float(np.ptp(y)))


def gap(k: Array, y: Array, other: Array) -> float:
    """Return the greatest distance from the other path, as a fraction of that path's range."""
    return _ratio(float(np.abs(y - other).max()), float(np.ptp(other)))


def gap_at(k: Array, y: Array, other: Array) -> float:
    """Return where the distance from the other path is greatest."""
    return float(k[np.argmax(np.abs(y - other))])


@dataclass(frozen=True)
class Measure:
    """A measure by name, what it is called with, and whether it compares two paths."""

    function: Callable[..., float]
    required: tuple[str, ...]
    optional: tuple[str, ...]
    pairs: bool

    def __call__(self, k: Array, y: Array, other: Array | None, options: Mapping[str, Any]) -> float:
        """Measure a path, against the other one if it takes one."""
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
    """Return the iterations at which ``y`` has a sign other than before."""
    rows = np.flatnonzero(np.abs(y) > floor * np.abs(y).max())
    changed = rows[1:][np.diff(np.sign(y[rows])) != 0.0]
    at: Array = k[changed]
    return at


def _bump(y: Array) -> tuple[int, float]:
    """Return row and prominence of the most prominent inner local maximum; 0.0 if there is none."""
    # Prominence: the drop to the deeper-going side that is less deep, as in topography.
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
