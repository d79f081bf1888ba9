r"""Derivatives by central differences, with an error estimate, and the rounding noise of a function.

What lives here: the numerical methods.  What does not: the comparison with an objective's own derivatives
(:mod:`idescent.check.derivatives`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Line = Callable[[float], Array]
"""A function along a line: its value at a signed distance from the point."""

LEVELS = 14  # halvings of the step
_ORDER = 6  # of the differences that measure noise
_SPACINGS = (1e-7, 1e-6, 1e-5)
_SIGMAS = 4.0  # noise counts with so many standard deviations


def noise(line: Line, scale: float) -> float:
    r"""Estimate the rounding noise of a function.

    The estimate uses sixth differences at seven equidistant points (Hamming; Moré and Wild, "Estimating
    computational noise", 2011).  Those of a smooth function vanish as :math:`h^6`, while independent noise of
    standard deviation :math:`\sigma` gives them the variance :math:`\sigma^2 (2k)!/(k!)^2`, k = 6.  The
    result is the largest estimate of three spacings, and at least half a unit in the last place.

    Parameters
    ----------
    line : callable
        The function along a line.
    scale : float
        Length over which the function changes.

    Returns
    -------
    float
        Standard deviation, the largest of all components.
    """
    gain = math.sqrt(math.factorial(2 * _ORDER)) / math.factorial(_ORDER)
    sigma = 0.5 * float(np.finfo(np.float64).eps) * float(np.max(np.abs(line(0.0))))
    for spacing in _SPACINGS:
        values = np.stack([line((i - 3) * spacing * scale) for i in range(_ORDER + 1)])
        if np.isfinite(values).all():
            sigma = max(sigma, float(np.max(np.abs(np.diff(values, _ORDER, axis=0)))) / gain)
    return sigma


def derivative(line: Line, scale: float, sigma: float) -> tuple[Array, float]:
    r"""Return the derivative of a function along a line at 0, and an estimate of its error.

    Central differences for the steps ``scale`` :math:`/(10 \cdot 2^j)`, j = 0, 1, ..., are extrapolated
    (Richardson; Ridders 1982).  The error of an entry of the tableau is estimated by the larger distance from
    the two entries of lower order from which it is computed, plus its noise: extrapolation at most doubles
    the noise :math:`\sigma/h` of the smallest step.  The entry with the smallest estimate is returned.

    Parameters
    ----------
    line : callable
        The function along a line.
    scale : float
        Length over which the function changes.
    sigma : float
        Standard deviation of the function's noise (:func:`noise`).

    Returns
    -------
    ndarray, float
        The derivative, and the largest error estimate of all components; infinity if the function is finite
        at no two successive steps.
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
