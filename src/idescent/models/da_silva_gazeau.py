"""Da Silva and Gazeau's system of equations, for Adam."""

from __future__ import annotations

from dataclasses import dataclass

from idescent.models.averages import adams, corrected_ratio
from idescent.models.equation import Equation, LearningRate
from idescent.models.log_rate import log_average
from idescent.optimizers.optimizer import Optimizer


@dataclass(frozen=True)
class DaSilvaGazeau:
    r"""Equations of the bias-corrected moments (da Silva & Gazeau 2020).

    .. math::
        \hat m' = \frac{\lambda_1}{1-e^{-\lambda_1 s}}(g - \hat m), \qquad
        \hat v' = \frac{\lambda_2}{1-e^{-\lambda_2 s}}(g^2 - \hat v), \qquad \lambda_a = -\ln\beta_a, \qquad
        \theta' = -\alpha\,\frac{\hat m}{\sqrt{\hat v + \varepsilon^2}}

    The bounded solution of the first two is :math:`\hat M = M/(1-\beta^s)` with :math:`M' = \lambda(h - M)`,
    :math:`M(0) = 0`, and they are solved in this form: except for the position of :math:`\varepsilon` this is
    :class:`idescent.models.LogRate`.  Rows of the solution contain M, the moment that the optimizer stores.
    :math:`\varepsilon` is inside the root, squared, so that the smallest denominator is that of the
    optimizer.

    Source: "A general system of differential equations to model first-order adaptive algorithms", JMLR 21
    (2020).  Confirmed: a non-autonomous system that is the continuous limit of adaptive methods.  The
    coefficients are from memory.  The source is not known to state an order; 1 is derived here.  The other
    methods that it covers are omitted.

    Raises
    ------
    ValueError
        For optimizers other than Adam and AdamL2.
    """

    name: str = "da-silva-gazeau"
    order: int = 1

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the equation for Adam, on the regularised gradient for AdamL2."""
        ratio = adams("DaSilvaGazeau", optimizer, "only its equation of Adam is implemented")
        first, second = log_average(ratio.beta1), log_average(ratio.beta2)
        return corrected_ratio(optimizer, alpha, first, second, eps_inside=True)
