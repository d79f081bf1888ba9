"""The paper's models: Propositions 1-3, and AdamW and AdamL2 derived as in its Section 3."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import Equation, LearningRate, Memory
from idescent.models.recipe import recipe
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.ratio import Ratio, ratio_of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Paper:
    r"""First-order integro-differential equations (Heredia, Propositions 1-3), in k-time :math:`s =
    t/\alpha`.

    .. math::
        \text{AdaGrad (3)}\quad \theta' &= -\alpha\,\frac{g}{\sqrt{G(s+1)}+\varepsilon}, &
            G(s) &= \int_0^s g^2\,d\sigma \\
        \text{RMSProp (4)}\quad \theta' &= -\alpha\,\frac{g}{\sqrt{v(s+1)}+\varepsilon}, &
            v(s) &= \int_0^s (1-\beta)e^{-(1-\beta)(s-\sigma)} g^2\,d\sigma \\
        \text{Adam (5)}\quad \theta' &= -\alpha\,\frac{\sqrt{1-\beta_2^s}}{1-\beta_1^s}\,
            \frac{m(s)}{\sqrt{v(s)}+\varepsilon\sqrt{1-\beta_2^s}}, &
            m(s) &= \int_0^s (1-\beta_1)e^{-(1-\beta_1)(s-\sigma)} g\,d\sigma

    Equations (3) and (4) look ahead by one iteration: they are advanced functional equations, and their
    solution is that on :math:`[0,\infty)`, restricted to the horizon.  AdamL2 is (5) with
    :math:`g + w'\theta` for the gradient.  AdamW is (5) plus the term :math:`-\alpha w'\theta`, from
    :math:`\theta_{k+1} = (1-\alpha w')\theta_k - \dots` by the shift in the proof of Proposition 3 and
    Assumption 2.  The same shift gives the equations of other members of the family: with a first moment and
    without bias correction, (5) has :math:`\beta_i^s = 0`, and both kinds of weight decay enter (3) and (4)
    as they enter (5).  The same derivation gives the equation of any other declared optimizer
    (:func:`idescent.models.recipe.recipe`).

    Near the start (5) is 0/0; its limit is
    :math:`-\alpha\,\mathrm{sign}(g_0)\,\frac{1-\beta_1}{-\ln\beta_1}\sqrt{\frac{-\ln\beta_2}{1-\beta_2}}`,
    and 0 for :math:`\beta_1 = 0`.
    """

    name: str = "paper"
    order: int = 1

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the equation of the proposition for the structure of ``optimizer``."""
        ratio = ratio_of(optimizer)
        if ratio is None:
            return recipe(optimizer, alpha)
        if ratio.corrected or ratio.first is not None:
            return _adam(optimizer, ratio, alpha)
        return _gradient_over_root(optimizer, ratio, alpha)


def _gradient_over_root(optimizer: Optimizer, ratio: Ratio, alpha: LearningRate) -> Equation:
    """Propositions 1 and 2: the local gradient over the root of the memory one iteration ahead."""
    eps, decay = ratio.eps, alpha * optimizer.decoupled_decay

    def mobility(s: Array, memories: Sequence[Array]) -> Array:
        return alpha / (np.sqrt(memories[0]) + eps)

    def velocity(s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
        return -mobility(s, memories) * gradient - decay * theta

    memories = (_second(ratio),)
    return Equation(memories, velocity, mobility, lookahead=1.0, coupled_decay=optimizer.coupled_decay)


def _adam(optimizer: Optimizer, ratio: Ratio, alpha: LearningRate) -> Equation:
    """Proposition 3; without bias correction both masses are 1."""
    eps, decay = ratio.eps, alpha * optimizer.decoupled_decay
    rate1 = 1.0 - ratio.beta1

    def mobility(s: Array, memories: Sequence[Array]) -> Array:
        if not ratio.corrected:
            return alpha / (np.sqrt(memories[1]) + eps)
        root_mass2 = np.sqrt(mass(ratio.beta2, s))
        scale = alpha * root_mass2 / mass(ratio.beta1, s)
        return scale / (np.sqrt(memories[1]) + eps * root_mass2)

    def velocity(s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
        return -mobility(s, memories) * memories[0] - decay * theta

    memories = (
        Memory(ratio.first_name, gain=rate1, rate=rate1, squared=False, stored=ratio.first is not None),
        _second(ratio),
    )
    return Equation(memories, velocity, mobility, direction=0, coupled_decay=optimizer.coupled_decay)


def _second(ratio: Ratio) -> Memory:
    return Memory(ratio.second_name, ratio.second.gain, 1.0 - ratio.beta2, squared=True)


def mass(beta: float, s: Array) -> Array:
    r"""Return :math:`1 - \beta^s` for ``s > 0`` without cancellation; 1 for :math:`\beta = 0`."""
    return np.ones_like(s) if beta == 0.0 else -np.expm1(s * math.log(beta))
