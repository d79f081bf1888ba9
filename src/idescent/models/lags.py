r"""Linear memories with the mean lag of the discrete memory: lag, rate and mass at every iteration.

What lives here: :class:`Lag`, the functions of one declared memory.  What does not: the model that uses them
(:mod:`idescent.models.half_step`).

Let :math:`\hat M` be a memory M divided by its mass, and :math:`L(s)` its mean lag.  The equation is
:math:`\hat M' = \frac{1-L'}{L}(h - \hat M)`: if the source h is linear in s, its solution is
:math:`h(s - L)`.  All functions depend on :math:`\kappa = s+\frac12`, which equals k at the middle of step k.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from idescent.optimizers.declared import DeclaredMemory

Array = NDArray[np.float64]


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

    Attributes
    ----------
    rate : float
        Limit of :math:`(1-L')/L` for a long run.
    """

    def __init__(self, memory: DeclaredMemory) -> None:
        self.beta, self.gain = memory.decay, memory.gain
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
