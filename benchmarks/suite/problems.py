"""What is solved for the work-precision diagrams, and how finely Algorithm 4 can be asked to solve it.

What lives here: problems, the model of momentum alone, and a model in a finer unit of time.  What does not:
the same equations by hand (:mod:`suite.chains`), solving and timing (:mod:`suite.worker`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import idescent as ide
from idescent.models import HalfStep, Paper
from idescent.models.equation import Equation, Memory, Model
from idescent.optimizers import Optimizer
from idescent.optimizers.ratio import ratio_of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cosine:
    """``f = 1 - cos(theta)``: a nonlinear gradient that stays bounded, whatever a sweep makes of the path."""

    def value(self, theta: Array) -> Array:
        return np.sum(1.0 - np.cos(theta), axis=-1)

    def gradient(self, theta: Array) -> Array:
        return np.sin(theta)


@dataclass(frozen=True)
class Momentum:
    r"""Adam's first moment alone, which IDESolver's form ``c + d * (integral of k F)`` can express.

    .. math:: \theta' = -\alpha\,m(s), \quad m(s) = \int_0^s (1-\beta_1)e^{-(1-\beta_1)(s-\sigma)} g\,d\sigma
    """

    name: str = "momentum"
    order: int = 1

    def equation(self, optimizer: Optimizer, alpha: float) -> Equation:
        rate = 1.0 - ratio_of(optimizer).beta1

        def mobility(s: Array, memories: Sequence[Array]) -> Array:
            return np.full_like(memories[0], alpha)

        def velocity(s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
            return -alpha * memories[0]

        memory = Memory("m", gain=rate, rate=rate, squared=False)
        return Equation(
            (memory,),
            velocity,
            mobility,
            direction=0,
            eliminates={"v": "the problem has m alone"},
        )


@dataclass(frozen=True)
class Finer:
    """A model in a unit of time that is ``parts`` times shorter, so that a step of one unit is a finer one.

    Solved for ``alpha / parts`` and ``parts`` times as many steps, it is the same equation in time t.
    """

    model: Model
    parts: int
    name: str = "finer"
    order: int = 1

    def equation(self, optimizer: Optimizer, alpha: float) -> Equation:
        whole, parts = self.model.equation(optimizer, alpha * self.parts), self.parts

        def mobility(s: Array, memories: Sequence[Array]) -> Array:
            return whole.mobility(s / parts, memories) / parts

        def velocity(s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
            return whole.velocity(s / parts, theta, gradient, memories) / parts

        memories = tuple(replace(m, gain=m.gain / parts, rate=m.rate / parts) for m in whole.memories)
        lookahead = whole.lookahead * parts
        return replace(whole, memories=memories, velocity=velocity, mobility=mobility, lookahead=lookahead)


@dataclass(frozen=True)
class Problem:
    """One equation; ``gradient`` is its objective's name for the other packages."""

    title: str
    model: Model
    optimizer: Optimizer
    steps: int
    alpha: float = 0.1
    gradient: str = "quadratic"

    @property
    def objective(self) -> Any:
        return Cosine() if self.gradient == "cosine" else ide.Quadratic(4.0)

    @property
    def theta0(self) -> float:
        return 2.0 if self.gradient == "cosine" else 1.0


@dataclass(frozen=True)
class CellProblem:
    """One equation of one cell of a study, with one parameter."""

    title: str
    model: Model
    optimizer: Optimizer
    steps: int
    alpha: float
    theta0: float


ADAM = ide.Adam(0.9, 0.99)
PAPERS = {
    "momentum": Problem(r"momentum alone, $1-\cos\theta$", Momentum(), ADAM, 40, gradient="cosine"),
    "adam": Problem("Adam", Paper(), ADAM, 100),
    "rmsprop": Problem("RMSProp", Paper(), ide.RMSProp(0.9), 60),
    "adagrad": Problem("AdaGrad", Paper(), ide.AdaGrad(), 200),
}
HALF_STEPS = {
    "adam, half-step": Problem("Adam", HalfStep(), ADAM, 100),
    "rmsprop, half-step": Problem("RMSProp", HalfStep(), ide.RMSProp(0.9), 60),
    "adagrad, half-step": Problem("AdaGrad", HalfStep(), ide.AdaGrad(), 200),
}
PROBLEMS = PAPERS | HALF_STEPS
