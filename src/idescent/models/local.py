"""The paper's equations with the look-ahead closed locally: initial-value problems."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from idescent.models.averages import local_gradient, structure
from idescent.models.equation import Equation, LearningRate, Memory
from idescent.models.paper import Paper
from idescent.optimizers.optimizer import Optimizer

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Local:
    r"""Propositions 1 and 2 of the paper with a constant gradient over the iteration of their look-ahead.

    .. math::
        \text{AdaGrad}\quad G(s+1) &\approx G(s) + g(s)^2, \\
        \text{RMSProp}\quad v(s+1) &\approx b\,v(s) + (1-b)\,g(s)^2, \qquad
            b = \beta \text{ (step)}\quad\text{or}\quad e^{-(1-\beta)} \text{ (relaxed)}

    ``"step"`` is the paper's Assumption 2, an Euler step of one iteration: Euler's method with step alpha for
    this model is then the discrete optimizer.  ``"relaxed"`` solves the memory's equation over the iteration.
    The equations of optimizers with a first moment or bias correction (Adam, AdamW, AdamL2) have no
    look-ahead and are those of :class:`idescent.models.Paper`.

    Parameters
    ----------
    closure : {"step", "relaxed"}

    Raises
    ------
    ValueError
        If ``closure`` is another value.
    """

    closure: Literal["step", "relaxed"] = "step"
    name: str = "local"
    order: int = 1

    def __post_init__(self) -> None:
        """Check the closure."""
        if self.closure not in ("step", "relaxed"):
            raise ValueError(f"Local.closure: {self.closure!r} is not allowed: must be 'step' or 'relaxed'")

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the closed equation of the proposition for the structure of ``optimizer``."""
        ratio = structure("Local", optimizer)
        if ratio.corrected or ratio.first is not None:
            return Paper().equation(optimizer, alpha)
        rate, decay = 1.0 - ratio.beta2, alpha * optimizer.decoupled_decay
        if ratio.sums:
            root = HeldRoot(optimizer, ratio.eps, 1.0, 1.0)
        elif self.closure == "step":
            root = HeldRoot(optimizer, ratio.eps, ratio.beta2, rate)
        else:
            root = HeldRoot(optimizer, ratio.eps, math.exp(-rate), -math.expm1(-rate))

        def mobility(s: Array, memories: Sequence[Array]) -> Array:
            return alpha * root.slope(memories[0], memories[1])

        def velocity(s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
            return -alpha * root.direction(gradient, memories[1]) - decay * theta

        memory = Memory(ratio.second_name, ratio.second.gain, rate, squared=True)
        memories = (local_gradient(), memory)
        return Equation(memories, velocity, mobility, coupled_decay=optimizer.coupled_decay)


@dataclass(frozen=True)
class HeldRoot:
    r"""The direction :math:`g/(\sqrt{k M + c\,g^2}+\varepsilon)` of a memory with a constant gradient.

    Attributes
    ----------
    optimizer : Optimizer
        Defines :math:`g^2`, by coordinate or norm.
    eps : float
        :math:`\varepsilon`.
    keep, add : float
        ``k`` and ``c``.
    """

    optimizer: Optimizer
    eps: float
    keep: float
    add: float

    def direction(self, gradient: Array, memory: Array) -> Array:
        """Return the direction, shape of ``gradient``; 0 where the gradient is 0."""
        full = self._root(gradient, memory) + self.eps
        return np.asarray(gradient / np.where(full > 0.0, full, 1.0))

    def slope(self, gradient: Array, memory: Array) -> Array:
        """Return the diagonal of the direction's derivative by the gradient, for a fixed memory."""
        root = self._root(gradient, memory)
        full = np.maximum(root + self.eps, 1e-300)
        # Where the root is 0 so is the gradient, and the limit is 1/full.
        slope: Array = (
            1.0 - self.add * gradient * gradient / (np.where(root > 0.0, root, 1.0) * full)
        ) / full
        return slope

    def _root(self, gradient: Array, memory: Array) -> Array:
        return np.sqrt(self.keep * memory + self.add * self.optimizer.squares(gradient))
