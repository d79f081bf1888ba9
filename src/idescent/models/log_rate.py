"""Kernels with logarithmic rates, whose mass is that of the discrete averages at every iteration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from idescent.models.averages import UNCORRECTED, Average, corrected_ratio, local_gradient, refusal, structure
from idescent.models.equation import Equation, LearningRate
from idescent.models.local import HeldRoot
from idescent.models.paper import mass
from idescent.optimizers.optimizer import Optimizer

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LogRate:
    r"""The paper's equations with the rate :math:`\lambda = -\ln\beta` in place of :math:`1-\beta`.

    .. math::
        m' &= \lambda_1(g - m), \qquad v' = \lambda_2(g^2 - v), \\
        \text{Adam}\quad \theta' &= -\alpha\,\frac{m/(1-\beta_1^s)}{\sqrt{v/(1-\beta_2^s)}+\varepsilon}, \\
        \text{RMSProp}\quad \theta' &= -\alpha\,\frac{g}{\sqrt{\beta v + (1-\beta)g^2}+\varepsilon}

    The kernel's mass at ``s`` is :math:`1-\beta^s`, which is the discrete one at whole ``s``: a constant
    gradient gives no error.  :math:`\beta = 0` means no memory.  The mean lag is :math:`1/\lambda`, and that
    of the discrete average over a step is :math:`1/(1-\beta)-\tfrac12`: they differ by 0.9 % of an iteration
    at :math:`\beta = 0.9`, and by half an iteration at 0.  So the term of first order is small unless
    :math:`\beta_1 = 0`.

    In RMSProp, :math:`\beta v + (1-\beta) g^2` is v one iteration later for a constant gradient.  AdamW and
    AdamL2 are as in :class:`idescent.models.Paper`.  This variant of the paper's equations is this package's
    own; it has no source.

    Raises
    ------
    ValueError
        For AdaGrad, whose sum has no rate: the model would be the paper's.  For a first moment without bias
        correction, as with :math:`\beta_1 = 0` the velocity would be infinite at the start.
    """

    name: str = "log-rate"
    order: int = 1

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the equation for the structure of ``optimizer``."""
        ratio = structure("LogRate", optimizer)
        if ratio.sums:
            raise refusal("LogRate", optimizer, "a sum has no rate")
        if ratio.first is not None and not ratio.corrected:
            raise refusal("LogRate", optimizer, UNCORRECTED)
        second, decay = log_average(ratio.beta2), alpha * optimizer.decoupled_decay
        if ratio.corrected:
            return corrected_ratio(optimizer, alpha, log_average(ratio.beta1), second)
        root = HeldRoot(optimizer, ratio.eps, ratio.beta2, 1.0 - ratio.beta2)

        def mobility(s: Array, memories: Sequence[Array]) -> Array:
            return alpha * root.slope(memories[0], memories[1])

        def velocity(s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
            return -alpha * root.direction(gradient, memories[1]) - decay * theta

        memories = (local_gradient(), second.memory(ratio.second_name, squared=True))
        return Equation(memories, velocity, mobility, coupled_decay=optimizer.coupled_decay)


def log_average(beta: float) -> Average:
    r"""Return the average of rate :math:`-\ln\beta`, corrected by its mass :math:`1-\beta^s`."""
    return Average(-math.log(beta) if beta else math.inf, partial(mass, beta))
