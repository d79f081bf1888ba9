r"""Linear memories with the mean lag of the discrete memory: lag, rate and mass at every iteration.

What lives here: :class:`Lag`, the functions of one declared memory.  What does not: the model that uses them
(:mod:`idescent.models.half_step`).

Let :math:`\hat M` be a memory M divided by its mass, and :math:`L(s)` its mean lag.  The equation is
:math:`\hat M' = \frac{1-L'}{L}(h - \hat M)`: if the source h is linear in s, its solution is
:math:`h(s - L)`.  All functions depend on :math:`\kappa = s+\frac12`, which equals k at the middle of step k.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from idescent.optimizers.declared import DeclaredMemory

Array = NDArray[np.float64]

# Number of neighbours whose values continue a table between whole numbers, and the last of them below.
_NEIGHBOURS, _BELOW = 8, 3
_LAGRANGE = np.array(
    [math.prod(i - j for j in range(_NEIGHBOURS) if j != i) for i in range(_NEIGHBOURS)], dtype=np.float64
)


class Lag:
    r"""Mean lag, rate and mass of one declared memory, equal to the discrete ones at the middle of each step.

    With the number of updates :math:`\kappa' = \kappa - \ell`,

    .. math:: L = d + \ell + \frac{\beta}{1-\beta} - \frac{\kappa'}{\beta^{-\kappa'} - 1} \quad\text{or}\quad
              d + \ell + \frac{\kappa'-1}2 \;(\beta = 1), \qquad N = c\,\frac{1-\beta^{\kappa'}}{1-\beta}
              \quad\text{or}\quad c\,\kappa',

    where L is the mean lag, N the mass, c the gain, d the age of the source, :math:`\ell` the lateness.  If
    :math:`\beta` depends on k, mass and lag follow from their recursions (:class:`VaryingLag`).

    Parameters
    ----------
    memory : DeclaredMemory
        A linear memory with a constant decay rate.
    late : float, optional
        :math:`\ell`: 0 for the value after the update of step k, 1 for the value before it, 1/2 for the value
        after the update at the end of the step.  Default: the value that the step reads.
    age : float
        d: half an iteration for the gradient or theta before the step, 0 for a source that consists of values
        at mid-step, minus a half for theta after the step.

    Attributes
    ----------
    rate : float
        Limit of :math:`(1-L')/L` for a long run; infinite for a memory without lag.
    """

    def __init__(self, memory: DeclaredMemory, late: float | None = None, age: float = 0.5) -> None:
        self.late = float(memory.read == "old") if late is None else late
        self.age = age + self.late
        if not memory.constant:
            return
        self.beta, self.gain = memory.decay, memory.gain
        self.log = -math.log(self.beta) if self.beta > 0.0 else math.inf
        lag = math.inf if self.beta == 1.0 else self.age + self.beta / (1.0 - self.beta)
        self.rate = 1.0 / lag if lag else math.inf

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


class VaryingLag(Lag):
    r"""Mean lag, rate and mass of a memory whose decay rate depends on k, by recursion.

    .. math:: N_k = \beta_k N_{k-1} + c_k, \qquad N_k S_k = \beta_k N_{k-1}\,(S_{k-1} + 1), \qquad
              L = d + \ell + S(\kappa')

    Between whole numbers polynomials through eight neighbours continue S, N and the factor of the initial
    value.

    Parameters
    ----------
    memory, late, age
        As for :class:`Lag`.
    decays : callable
        :math:`\beta_k` for an array of k.
    """

    def __init__(
        self, memory: DeclaredMemory, late: float | None, age: float, decays: Callable[[Array], list[float]]
    ) -> None:
        super().__init__(memory, late, age)
        self.average, self.decays, self.rate = memory.kind == "average", decays, 0.0
        # Rows: number of updates; columns: mass, S, its slope, factor of the initial value.
        self._table = np.zeros((0, 4))

    def mass(self, kappa: Array) -> Array:
        """Return the mass N."""
        return self._continued(kappa - self.late)[..., 0]

    def kept(self, kappa: Array) -> Array:
        """Return the factor of the memory's initial value."""
        return self._continued(kappa - self.late)[..., 3]

    def change(self, kappa: Array) -> Array:
        """Return the rate of the normalised memory."""
        values = self._continued(kappa - self.late)
        return np.asarray((1.0 - values[..., 2]) / (self.age + values[..., 1]))

    def _continued(self, count: Array) -> Array:
        """Return the columns of the table at real numbers, with a new last axis."""
        last = math.ceil(float(np.max(count))) + _NEIGHBOURS
        if len(self._table) <= last:
            self._extend(2 * last)
        first = np.clip(np.floor(count).astype(np.int64) - _BELOW, 0, len(self._table) - _NEIGHBOURS)
        at = np.arange(_NEIGHBOURS)
        away = (count - first)[..., None] - at
        ones = np.ones_like(away[..., :1])
        left = np.concatenate((ones, np.cumprod(away[..., :-1], axis=-1)), axis=-1)
        right = np.concatenate((np.cumprod(away[..., :0:-1], axis=-1)[..., ::-1], ones), axis=-1)
        weights, rows = left * right / _LAGRANGE, self._table[first[..., None] + at]
        return np.asarray(np.einsum("...i,...ij->...j", weights, rows))

    def _extend(self, last: int) -> None:
        """Compute the table up to a number of updates."""
        mass, moment, kept = 0.0, 0.0, 1.0
        rows = [[mass, moment, kept]]
        for beta in self.decays(np.arange(1.0, last + 1.0)):
            source = 1.0 - beta if self.average else 1.0
            mass, moment, kept = beta * mass + source, beta * (moment + mass), beta * kept
            rows.append([mass, moment, kept])
        masses, moments, factors = np.array(rows).T
        lags = moments / np.where(masses > 0.0, masses, 1.0)
        slopes = np.gradient(lags)
        slopes[2:-2] = (8.0 * (lags[3:-1] - lags[1:-3]) - (lags[4:] - lags[:-4])) / 12.0
        self._table = np.stack((masses, lags, slopes, factors), axis=1)
