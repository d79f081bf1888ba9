"""Barakat and Bianchi's non-autonomous equation of Adam."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idescent.models.averages import Average, adams, corrected_ratio
from idescent.models.equation import Equation, LearningRate
from idescent.optimizers.optimizer import Optimizer

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BarakatBianchi:
    r"""Adam's moments with the bias correction that belongs to their continuous rates (Barakat & Bianchi
    2021).

    .. math::
        m' = \lambda_1(g - m), \qquad v' = \lambda_2(g^2 - v), \qquad \lambda_a = 1-\beta_a, \\
        \theta' = -\alpha\,\frac{m/(1-e^{-\lambda_1 s})}{\sqrt{v/(1-e^{-\lambda_2 s})}+\varepsilon}

    The paper's Proposition 3 with :math:`1-e^{-\lambda s}` in place of :math:`1-\beta^s`: regular at the
    start, where the direction is :math:`\mathrm{sign}(g_0)`.

    Both lags are half an iteration longer than the discrete lags averaged over a step.  With one accumulator
    for each coordinate and :math:`\varepsilon\ll|g|` this error cancels in :math:`m/\sqrt v` to the order of
    alpha, and the observed order away from minima is 2.  With one accumulator for all coordinates it does not
    cancel, and the observed order is 1.

    Source: "Convergence and dynamical behavior of the ADAM algorithm for nonconvex stochastic optimization",
    SIAM J. Optim. 31 (2021), arXiv 1810.02263.  Confirmed from its abstract: a non-autonomous
    equation to whose solution the interpolated iterates converge weakly.  From memory: the formula, and that
    :math:`1-\beta` is proportional to :math:`\alpha` there.  The source is not known to state an order; 1 is
    derived here, at fixed :math:`\beta`.

    Raises
    ------
    ValueError
        For optimizers other than Adam and AdamL2.
    """

    name: str = "barakat-bianchi"
    order: int = 1

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the equation for Adam, on the regularised gradient for AdamL2."""
        ratio = adams("BarakatBianchi", optimizer, "it is an equation of Adam")
        return corrected_ratio(optimizer, alpha, euler_average(ratio.beta1), euler_average(ratio.beta2))


def euler_average(beta: float) -> Average:
    r"""Return the average of rate :math:`1-\beta`, corrected by the mass of its kernel."""
    rate = 1.0 - beta

    def mass(s: Array) -> Array:
        return np.asarray(-np.expm1(-rate * s))

    return Average(rate, mass)
