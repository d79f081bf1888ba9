r"""The level below which an error is not measured.

What lives here: the rounding of a run, and the factor that an error must be above it.  What does not: the
error of a leap (:mod:`idescent.analysis.reference`), fits of orders (:mod:`idescent.analysis.orders`).
"""

from __future__ import annotations

import math

import numpy as np

ABOVE_FLOOR = 100.0
"""An error is reported if it is at least so many times the reference's own error, and counts for an order if
it is more than so many times that of solver and reference."""


def floor(estimate: float, scale: float, steps: int) -> float:
    r"""Return an estimate of the solver's and rounding's share of an error.

    It is the solver's own estimate of its error, plus the size of a random walk of rounding errors over
    ``steps`` additions to parameters of size ``scale``:
    :math:`2^{-52}\,\text{scale}\,\sqrt{\text{steps}}`.
    """
    return estimate + float(np.finfo(np.float64).eps) * scale * math.sqrt(steps)
