"""Parts of models of Adam's structure: two corrected averages, and the refusal of other optimizers.

What lives here: parts that several models share.  What does not: a model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import Equation, LearningRate, Memory
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.ratio import Ratio, ratio_of

Array = NDArray[np.float64]

UNCORRECTED = "it has a first moment without bias correction"
NO_RATIO = "its step is not the gradient or its average over the root of a second moment"


@dataclass(frozen=True)
class Average:
    r"""An exponential average that starts at 0, and the mass that corrects its bias.

    .. math:: M' = \lambda(h - M), \quad M(0) = 0, \quad \hat M = M / N(s)

    Attributes
    ----------
    rate : float
        :math:`\lambda` per iteration; ``math.inf`` is :math:`M = h`.
    mass : callable
        ``N`` as a function of ``s > 0``.
    """

    rate: float
    mass: Callable[[Array], Array]

    def memory(self, name: str, *, squared: bool, stored: bool = True) -> Memory:
        """Return the average as a memory of the gradient or its square."""
        if self.rate == math.inf:
            return Memory(name, 1.0, math.inf, squared=squared, initial=1.0, stored=stored)
        return Memory(name, self.rate, self.rate, squared=squared, stored=stored)


def corrected_ratio(
    optimizer: Optimizer, alpha: LearningRate, first: Average, second: Average, *, eps_inside: bool = False
) -> Equation:
    r"""Return the equation of two corrected averages.

    .. math:: \theta' = -\alpha\,\frac{\hat m}{\sqrt{\hat v}+\varepsilon} - \alpha w'\theta
              \quad\text{or}\quad -\alpha\,\frac{\hat m}{\sqrt{\hat v + \varepsilon^2}} - \alpha w'\theta
    """
    ratio = structure("this equation", optimizer)
    eps, decay = ratio.eps, alpha * optimizer.decoupled_decay

    def mobility(s: Array, memories: Sequence[Array]) -> Array:
        hat = memories[1] / second.mass(s)
        root = np.sqrt(hat + eps * eps) if eps_inside else np.sqrt(hat) + eps
        return alpha / (first.mass(s) * root)

    def velocity(s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
        return -mobility(s, memories) * memories[0] - decay * theta

    memories = (
        first.memory(ratio.first_name, squared=False, stored=ratio.first is not None),
        second.memory(ratio.second_name, squared=True),
    )
    return Equation(memories, velocity, mobility, direction=0, coupled_decay=optimizer.coupled_decay)


def local_gradient() -> Memory:
    """Return the gradient itself as a memory, for a mobility that depends on it."""
    return Memory("gradient", 1.0, math.inf, squared=False, initial=1.0, stored=False)


def structure(model: str, optimizer: Optimizer) -> Ratio:
    """Return the structure of an optimizer whose step is a ratio; refuse any other optimizer.

    Raises
    ------
    ValueError
        Names, in one line, model and optimizer.
    """
    ratio = ratio_of(optimizer)
    if ratio is None:
        raise refusal(model, optimizer, NO_RATIO)
    return ratio


def adams(model: str, optimizer: Optimizer, why: str) -> Ratio:
    """Return the structure of Adam, on the regularised gradient for AdamL2; refuse any other optimizer."""
    ratio = structure(model, optimizer)
    if not ratio.corrected or optimizer.decoupled_decay:
        raise refusal(model, optimizer, why)
    return ratio


def refusal(model: str, optimizer: Optimizer, why: str) -> ValueError:
    """Return the error for an optimizer that a model cannot express."""
    return ValueError(f"{model} does not model {type(optimizer).__name__}: {why}")


def bilinear_rate(beta: float) -> float:
    r"""Return the bilinear transform :math:`2(1-\beta)/(1+\beta)` of a decay per iteration."""
    return 2.0 * (1.0 - beta) / (1.0 + beta)


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
