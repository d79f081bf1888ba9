r"""Linear memories that are as old as the discrete ones: mean lag, rate and mass for every iteration.

What lives here: :class:`Lag`, of one declared memory.  What does not: the model made of them
(:mod:`idescent.models.second_order`).

A memory divided by its mass, with mean lag :math:`L(s)`, obeys
:math:`\hat M' = \frac{1-L'}{L}(h - \hat M)`: for an h that is linear in s its solution is :math:`h(s - L)`.
Everything is a function of :math:`\kappa = s+\frac12`, which is k at the middle of step k.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from idescent.optimizers.declared import DeclaredMemory

Array = NDArray[np.float64]

# Ratio of neighbours in the table of a mass: its interpolation is good to rounding.
_RATIO = 1.004
# Where beta^kappa is below this the memory is as old as that of an endless run.
_FADED = 45.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)


class Lag:
    r"""One declared memory, as old at the middle of every step as the discrete one is.

    With :math:`\kappa' = \kappa`, or :math:`\kappa - 1` for a memory that is read old,

    .. math:: L = d + \frac{\beta}{1-\beta} - \frac{\kappa'}{\beta^{-\kappa'} - 1} \quad\text{or}\quad
              d + \frac{\kappa'-1}2 \;(\beta = 1), \qquad N = c\,\frac{1-\beta^{\kappa'}}{1-\beta}
              \quad\text{or}\quad c\,\kappa',

    where d, the age of what it is fed with, is half an iteration, and one more if it is read old.

    Parameters
    ----------
    memory : DeclaredMemory
        A linear one with a constant decay.
    begin : float
        Where in k-time it begins to change.

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
        """Return the mass N of the discrete memory."""
        count = kappa - self.late
        if self.beta == 1.0:
            return self.gain * count
        if self.beta == 0.0:
            return np.full_like(count, self.gain)
        return np.asarray(self.gain * -np.expm1(-self.log * count) / (1.0 - self.beta))

    def kept(self, kappa: Array) -> Array:
        """Return the share of the start that is left."""
        count = kappa - self.late
        return np.where(count == 0.0, 1.0, 0.0) if self.beta == 0.0 else np.exp(-self.log * count)

    def change(self, kappa: Array) -> Array:
        """Return the rate :math:`(1-L')/L` of the normalised memory."""
        count = kappa - self.late
        if self.beta == 1.0:
            return np.asarray(0.5 / (self.age + 0.5 * (count - 1.0)))
        if self.beta == 0.0:
            return np.full_like(count, self.rate)
        x = self.log * count
        with np.errstate(over="ignore"):
            grown = np.expm1(x)
            lag = self.age + self.beta / (1.0 - self.beta) - count / grown
            # (e^x - 1 - x e^x)/(e^x - 1)^2, without overflow.
            slope = -(1.0 - x / -np.expm1(-x)) / grown
        return np.asarray((1.0 - slope) / lag)

    def weight(self, s: Array) -> Array:
        r"""Return n with :math:`\hat M = W/n`, where :math:`W' = n r h - \lambda W` has the constant rate."""
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
        # Hermite's quintic: a kink of a lower one would be resolved by the shortest of elements.
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
    """Return kappa, the integral of ``change - rate`` from the beginning, and its two derivatives."""
    from idescent.optimizers.declared import average

    lag = Lag(average(beta, read="old" if late else "new"), begin)
    first, last = begin + 0.5, begin + 0.5 + late + _FADED / lag.log
    count = max(2, math.ceil(math.log(last / first) / math.log(_RATIO)) + 1)
    at = first * (last / first) ** np.linspace(0.0, 1.0, count)
    middle, half = 0.5 * (at[1:] + at[:-1]), 0.5 * np.diff(at)
    inner = lag.change(middle[:, None] + half[:, None] * _NODES) - lag.rate
    values = np.concatenate(([0.0], np.cumsum(half * (inner @ _WEIGHTS))))
    shift = 1e-3 * at
    far, near = (lag.change(at + m * shift) - lag.change(at - m * shift) for m in (2.0, 1.0))
    return at, values, lag.change(at) - lag.rate, (8.0 * near - far) / (12.0 * shift)
