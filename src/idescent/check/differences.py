r"""Derivatives by central differences, with an estimate of their error, and the rounding noise of a function.

What lives here: numbers.  What does not: what they are compared with.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Line = Callable[[float], Array]
"""A function along a line: its value at a signed distance from the point."""

LEVELS = 14
_ORDER = 6
_SPACINGS = (1e-7, 1e-6, 1e-5)
_SIGMAS = 4.0


def noise(line: Line, scale: float) -> float:
    r"""Estimate the rounding noise of a function (standard deviation, the largest of all components).

    From differences of sixth order at seven equidistant points (Hamming; Moré and Wild, "Estimating
    computational noise", 2011): of a smooth function they vanish as :math:`h^6`, while independent noise of
    deviation :math:`\sigma` leaves :math:`\sigma^2 (2k)!/(k!)^2`, k = 6.  The largest of three spacings, at
    least half a unit in the last place.

    Parameters
    ----------
    line : callable
    scale : float
        Length over which the function changes.
    """
    gain = math.sqrt(math.factorial(2 * _ORDER)) / math.factorial(_ORDER)
    found = 0.5 * float(np.finfo(np.float64).eps) * float(np.max(np.abs(line(0.0))))
    for spacing in _SPACINGS:
        values = np.stack([line((i - 3) * spacing * scale) for i in range(_ORDER + 1)])
        if np.isfinite(values).all():
            found = max(found, float(np.max(np.abs(np.diff(values, _ORDER, axis=0)))) / gain)
    return found


def derivative(line: Line, scale: float, sigma: float) -> tuple[Array, float]:
    r"""Return the derivative at 0 and an estimate of its error (the largest of all components).

    Central differences for the steps ``scale`` :math:`/(10 \cdot 2^j)`, extrapolated after Richardson and
    Ridders (1982).  The error of an entry of the tableau is estimated by its distance from the two entries
    of one order less that it is made of, plus what noise of deviation ``sigma`` does to it: extrapolation at
    most doubles the :math:`\sigma/h` of the smallest step.  The entry with the least estimate is taken.

    Returns
    -------
    ndarray, float
        An infinite estimate where the function is not finite on all steps.
    """
    best, least = np.asarray(np.full_like(line(0.0), np.nan)), math.inf
    above: list[Array] = []
    for level in range(LEVELS):
        h = 0.1 * scale / 2.0**level
        row = [(line(h) - line(-h)) / (2.0 * h)]
        if not np.isfinite(row[0]).all():
            above = []
            continue
        for m, coarse in enumerate(above, start=1):
            finer = row[m - 1] + (row[m - 1] - coarse) / (4.0**m - 1.0)
            truncation = max(np.max(np.abs(finer - row[m - 1])), np.max(np.abs(finer - coarse)))
            error = float(truncation) + 2.0 * _SIGMAS * sigma / h
            row.append(finer)
            if error < least:
                best, least = np.asarray(finer), error
        above = row
    return best, least
