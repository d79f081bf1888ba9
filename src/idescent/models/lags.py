r"""Linear memories with the mean lag of the discrete memory: lag, rate and mass at every iteration.

What lives here: :class:`Lag`, the functions of one declared memory.  What does not: the model that uses them
(:mod:`idescent.models.second_order`).

Let :math:`\hat M` be a memory M divided by its mass, and :math:`L(s)` its mean lag.  The equation is
:math:`\hat M' = \frac{1-L'}{L}(h - \hat M)`: if the source h is linear in s, its solution is
:math:`h(s - L)`.  All functions but :meth:`Lag.weight` depend on :math:`\kappa = s+\frac12`, which equals k
at the middle of step k.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from idescent.optimizers.declared import DeclaredMemory

Array = NDArray[np.float64]

# Ratio of neighbouring points in the table of a weight: the interpolation error is of the size of rounding.
_RATIO = 1.004
# Value of -ln(beta^kappa) beyond which the lag equals its limit for a long run, up to rounding.
_FADED = 45.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)


class Lag:
    r"""Mean lag, rate and mass of one declared memory, equal to the discrete ones at the middle of each step.

    With :math:`\kappa' = \kappa`, or :math:`\kappa' = \kappa - 1` for a memory with ``read="old"``,

    .. math:: L = d + \frac{\beta}{1-\beta} - \frac{\kappa'}{\beta^{-\kappa'} - 1} \quad\text{or}\quad
              d + \frac{\kappa'-1}2 \;(\beta = 1), \qquad N = c\,\frac{1-\beta^{\kappa'}}{1-\beta}
              \quad\text{or}\quad c\,\kappa',

    where L is the mean lag, N the mass, c the gain, and d the age of the last source: half an iteration, or
    one and a half with ``read="old"``.

    Parameters
    ----------
    memory : DeclaredMemory
        A linear memory with a constant decay rate.
    begin : float
        Point s of k-time from which the memory changes.

    Attributes
    ----------
    rate : float
        Limit of :math:`(1-L')/L` for a long run.
    """

    def __init__(self, memory: DeclaredMemory, begin: float) -> None:
        self.beta, self.gain, self.begin = memory.decay, memory.gain, begin
        self.late = 1.0 if memory.read == "old" else 0.0
        self.age = 0.5 + self.late
        self.log = -math.log(self.beta) if self.beta > 0.0 else math.inf
        self.rate = 0.0 if self.beta == 1.0 else 1.0 / (self.age + self.beta / (1.0 - self.beta))

    def mass(self, kappa: Array) -> Array:
        """Return the mass N: the sum of the weights of the discrete memory."""
        count = kappa - self.late
        if self.beta == 1.0:
            return self.gain * count
        if self.beta == 0.0:
            return np.full_like(count, self.gain)
        return np.asarray(self.gain * -np.expm1(-self.log * count) / (1.0 - self.beta))

    def kept(self, kappa: Array) -> Array:
        """Return the factor of the memory's initial value, beta to the power of the number of updates."""
        count = kappa - self.late
        return np.where(count == 0.0, 1.0, 0.0) if self.beta == 0.0 else np.exp(-self.log * count)

    def change(self, kappa: Array) -> Array:
        """Return the rate :math:`(1-L')/L` of the normalised memory, per iteration."""
        count = kappa - self.late
        if self.beta == 1.0:
            return np.asarray(0.5 / (self.age + 0.5 * (count - 1.0)))
        if self.beta == 0.0:
            return np.full_like(count, self.rate)
        x = self.log * count
        with np.errstate(over="ignore"):
            grown = np.expm1(x)
            lag = self.age + self.beta / (1.0 - self.beta) - count / grown
            # L' = -(e^x - 1 - x e^x)/(e^x - 1)^2, in a form that does not overflow.
            slope = -(1.0 - x / -np.expm1(-x)) / grown
        return np.asarray((1.0 - slope) / lag)

    def weight(self, s: Array) -> Array:
        r"""Return n with :math:`\hat M = W/n`, where W has a constant rate.

        With the rate r of :meth:`change` and its limit :math:`\lambda` (``rate``),
        :math:`n = \exp\int (r - \lambda)\,ds` from ``begin`` on, and :math:`W' = n r h - \lambda W`.
        """
        kappa, first = np.maximum(s, self.begin) + 0.5, self.begin + 0.5
        if self.beta == 1.0:
            return np.asarray(self.change(np.array(first)) / self.change(kappa))
        if self.beta == 0.0:
            return np.ones_like(kappa)
        at, values, slopes, bends = _table(self.beta, self.late, self.begin)
        x = np.minimum(kappa, at[-1])
        i = np.clip(np.searchsorted(at, x, side="right") - 1, 0, len(at) - 2)
        length = at[i + 1] - at[i]
        u = (x - at[i]) / length
        # Quintic Hermite interpolation: the solver would resolve the kinks of a lower degree with very short
        # elements.
        squared, cubed = u * u, u * u * u
        rise = cubed * (10.0 - 15.0 * u + 6.0 * squared)
        first_slope, last_slope = (
            u - cubed * (6.0 - 8.0 * u + 3.0 * squared),
            cubed * (7.0 * u - 4.0 - 3.0 * squared),
        )
        first_bend = 0.5 * squared * (1.0 - 3.0 * u + 3.0 * squared - cubed)
        last_bend = 0.5 * cubed * (1.0 - 2.0 * u + squared)
        value = values[i] + (values[i + 1] - values[i]) * rise
        value += length * (slopes[i] * first_slope + slopes[i + 1] * last_slope)
        value += length * length * (bends[i] * first_bend + bends[i + 1] * last_bend)
        return np.asarray(np.exp(value))


@lru_cache(maxsize=256)
def _table(beta: float, late: float, begin: float) -> tuple[Array, Array, Array, Array]:
    """Return points kappa, the integral of ``change - rate`` up to them, and its two derivatives."""
    from idescent.optimizers.declared import average

    lag = Lag(average(beta, read="old" if late else "new"), begin)
    first, last = begin + 0.5, begin + 0.5 + late + _FADED / lag.log
    count = max(2, math.ceil(math.log(last / first) / math.log(_RATIO)) + 1)
    at = first * (last / first) ** np.linspace(0.0, 1.0, count)
    middle, half = 0.5 * (at[1:] + at[:-1]), 0.5 * np.diff(at)
    integrand = lag.change(middle[:, None] + half[:, None] * _NODES) - lag.rate
    values = np.concatenate(([0.0], np.cumsum(half * (integrand @ _WEIGHTS))))
    shift = 1e-3 * at
    far, near = (lag.change(at + m * shift) - lag.change(at - m * shift) for m in (2.0, 1.0))
    return at, values, lag.change(at) - lag.rate, (8.0 * near - far) / (12.0 * shift)
