"""The half-step model: continuous memories that match the discrete ones in mass and mean lag at mid-step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import integer
from idescent.models.averages import UNCORRECTED, refusal, structure
from idescent.models.equation import Equation, LearningRate, Memory
from idescent.optimizers.optimizer import Optimizer

Array = NDArray[np.float64]


@dataclass(frozen=True)
class HalfStep:
    r"""Second-order models of the whole family, without look-ahead (derivation: ``docs/theory.md``).

    In k-time :math:`s = t/\alpha` every memory is constant, equal to the optimizer's moment after one
    iteration, until :math:`s = \frac12`; from then on it has the bilinear rate
    :math:`\lambda_a = 2(1-\beta_a)/(1+\beta_a)`.  Its mass is
    :math:`N_a(s) = 1 - \beta_a e^{-\lambda_a (s-\frac12)}`, or :math:`s + \frac12` for AdaGrad.

    .. math::
        m' &= \lambda_1 (g - m), \quad m(\tfrac12) = (1-\beta_1) g_0, \qquad
        v' = \lambda_2 (g^2 - v), \quad v(\tfrac12) = (1-\beta_2) g_0^2, \qquad
        G' = g^2, \quad G(\tfrac12) = g_0^2, \\
        \text{Adam}\quad \theta' &= -\alpha\,\frac{m/N_1}{\sqrt{v/N_2} + \varepsilon}, \\
        \text{RMSProp}\quad \theta' &= -\alpha\,\frac{m}{\sqrt{(1-\beta^{\lceil s\rceil})\,v/N_2} +
        \varepsilon},
            \quad \beta_1 = 0, \\
        \text{AdaGrad}\quad \theta' &= -\alpha\,\frac{m}{\sqrt{\lceil s\rceil\,G/(s+\frac12)} + \varepsilon},
            \quad \beta_1 = 0.

    AdamL2 is Adam with :math:`g + w'\theta` for g.  For constant d AdamW's step
    :math:`(1-\alpha w')\theta - \alpha d` is the exact solution, one iteration later, of
    :math:`\theta' = -c\,\theta - \alpha\frac{c}{\alpha w'}\,d` with :math:`c = -\ln(1-\alpha w')`.

    Moments are read at mid-step: row k of a solution contains
    :math:`(1-\beta_1^k)\,m(k-\frac12)/N_1(k-\frac12)`, the same expression of v, and :math:`G(k-\frac12)`.

    Parameters
    ----------
    frozen : int, >= 1
        For this many iterations :math:`\lceil s\rceil` is constant in each step, so that every step is an
        element of the mesh; afterwards a smooth function with the same step averages replaces it
        (:func:`smooth_count`).

    Raises
    ------
    ValueError
        If ``frozen`` is below 1, or AdamW's ``alpha * weight_decay`` is not below 1; for a first moment
        without bias correction.
    """

    frozen: int = 30
    name: str = "half-step"
    order: int = 2

    def __post_init__(self) -> None:
        """Check the number of frozen iterations."""
        integer("HalfStep.frozen", self.frozen)

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the model's equation for the structure of ``optimizer``."""
        ratio = structure("HalfStep", optimizer)
        if ratio.first is not None and not ratio.corrected:
            raise refusal("HalfStep", optimizer, UNCORRECTED)
        beta1, beta2, eps, sums = ratio.beta1, ratio.beta2, ratio.eps, ratio.sums
        shrink, push = decoupled_decay(alpha, optimizer.decoupled_decay)
        corrected, frozen = ratio.corrected, self.frozen

        def count(s: Array) -> Array:
            # The last node of an element is the right end of its step, up to rounding.
            return np.where(s < frozen + 1e-6, np.ceil(s - 1e-9), smooth_count(beta2, s))

        def normaliser(s: Array, second: Array) -> Array:
            if sums:
                return count(s) * second / half_step_mass(1.0, s)
            hat = second / half_step_mass(beta2, s)
            return hat if corrected else -np.expm1(count(s) * _log(beta2)) * hat

        def mobility(s: Array, memories: Sequence[Array]) -> Array:
            scale = push * alpha / half_step_mass(beta1, s)
            return scale / (np.sqrt(normaliser(s, memories[1])) + eps)

        def velocity(s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
            return -mobility(s, memories) * memories[0] - shrink * theta

        def first_moment(k: Array) -> Array:
            return -np.expm1(k * _log(beta1)) / half_step_mass(beta1, k - 0.5)

        def second_moment(k: Array) -> Array:
            if sums:
                return np.ones_like(k)
            return -np.expm1(k * _log(beta2)) / half_step_mass(beta2, k - 0.5)

        rate1, name = half_step_rate(beta1), ratio.second_name
        if sums:
            second = Memory(name, gain=1.0, rate=0.0, squared=True, initial=1.0, readout=second_moment)
        else:
            rate2 = half_step_rate(beta2)
            second = Memory(name, rate2, rate2, squared=True, initial=1.0 - beta2, readout=second_moment)
        return Equation(
            memories=(
                Memory(
                    ratio.first_name,
                    rate1,
                    rate1,
                    squared=False,
                    initial=1.0 - beta1,
                    readout=first_moment,
                    stored=ratio.first is not None,
                ),
                second,
            ),
            velocity=velocity,
            mobility=mobility,
            direction=0,
            coupled_decay=optimizer.coupled_decay,
            moment_offset=-0.5,
            breaks_until=0.0 if corrected else float(frozen),
            held_until=0.5,
        )


def half_step_rate(beta: float) -> float:
    r"""Return the bilinear transform :math:`2(1-\beta)/(1+\beta)` of a decay per iteration."""
    return 2.0 * (1.0 - beta) / (1.0 + beta)


def half_step_mass(beta: float, s: Array) -> Array:
    r"""Return a memory's mass :math:`1 - \beta e^{-\lambda(s - 1/2)}`; for a sum, ``beta = 1``, s + 1/2."""
    after = np.maximum(s - 0.5, 0.0)
    if beta == 1.0:
        return 1.0 + after
    return 1.0 - beta * np.exp(-half_step_rate(beta) * after)


def smooth_count(beta: float, s: Array) -> Array:
    r"""Return a smooth n(s) that replaces :math:`\lceil s\rceil` in the normaliser.

    .. math:: n = \kappa + \frac{1}{16\kappa} \quad(\beta = 1), \qquad
              n = \kappa + \frac{y}{24} + \frac{y}{16\,(e^{y\kappa} - 1)}, \qquad
              \kappa = s + \tfrac12, \quad y = -\ln\beta

    The averages of :math:`n^{-1/2}` and :math:`(1-\beta^n)^{-1/2}` over step k are then their values at
    ``n = k``, up to a relative error :math:`O(k^{-4})`.
    """
    middle = s + 0.5
    if beta == 1.0:
        return middle + 1.0 / (16.0 * middle)
    if beta == 0.0:
        return middle
    y = -math.log(beta)
    # The exponential overflows to inf, where its term is 0.
    with np.errstate(over="ignore"):
        return np.asarray(middle + y / 24.0 + y / (16.0 * np.expm1(y * middle)))


def _log(beta: float) -> float:
    return math.log(beta) if beta > 0.0 else -math.inf


def decoupled_decay(alpha: LearningRate, decay: float) -> tuple[LearningRate, LearningRate]:
    """Return the rate c of decoupled decay per iteration, and the factor c / (alpha * decay) of the step."""
    if decay == 0.0:
        return 0.0, 1.0
    if np.any(np.asarray(alpha) * decay >= 1.0):
        largest = float(np.max(alpha))  # alpha is an array under a schedule
        raise ValueError(
            f"weight_decay: {decay!r} is not allowed with alpha = {largest!r}: alpha*weight_decay must be < 1"
        )
    share = alpha * decay
    if not isinstance(share, np.ndarray):
        rate = -math.log1p(-share)
        return rate, rate / share
    rates: Array = -np.log1p(-share)
    # At a learning rate of 0 theta is constant: rate 0, and any factor.
    return rates, np.divide(rates, share, out=np.ones_like(share), where=share != 0.0)
