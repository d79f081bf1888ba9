"""The data of a march: a model's equation on an objective, the solver's settings, and the sink of elements.

What lives here: the gradient, the sources of memories, and products with the Hessian.  What does not: the
fixed point (:mod:`idescent.solvers.window`), Newton's matrix (:mod:`idescent.solvers.newton`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import Equation, FirstIterations, Memory
from idescent.objectives.protocol import CountedObjective
from idescent.optimizers.optimizer import Optimizer
from idescent.solvers.radau import Radau

Array = NDArray[np.float64]

# Up to this many parameters a missing Hessian is approximated by differences: n more gradients at each node.
MOST_DIFFERENCED = 16

# Up to this many parameters a full Hessian is used: an element is then one system of p*n unknowns.
MOST_COUPLED = 64


class Settings(Protocol):
    """The solver's settings that a march reads."""

    @property
    def stages(self) -> int:
        """Nodes per element."""

    @property
    def max_sweeps(self) -> int:
        """Sweeps on one window before its elements are shortened."""

    @property
    def max_elements(self) -> int:
        """Elements in a window."""


class Sink(Protocol):
    """The receiver of the accepted elements, in increasing order of ``s``."""

    def take(self, s: Array, lengths: Array, theta: Array, memories: Sequence[Array]) -> None:
        """Receive the elements [s, s + length], shape (E,), with values at (left end, nodes) of each.

        ``theta`` and each of ``memories`` have the shape (E, p + 1, width).
        """


@dataclass
class State:
    """The solution at one point of k-time.

    Attributes
    ----------
    s : float
    theta : ndarray, shape (n,)
    memories : list of ndarray, shape (n,) or (1,)
    samples : dict of int to ndarray
        Last sample of each memory that is a maximum, by index.
    """

    s: float
    theta: Array
    memories: list[Array]
    samples: dict[int, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """An equation on an objective, its collocation method, and its budget.

    Attributes
    ----------
    equation : Equation
    optimizer : Optimizer
        Its accumulator decides whether squares are coordinates or their sum.
    objective : CountedObjective
    method : Radau
    most_gradients : float
        Count of the objective's gradients at which sweeps stop.
    """

    equation: Equation
    optimizer: Optimizer
    objective: CountedObjective
    method: Radau
    most_gradients: float = math.inf

    def matrix_free(self, n: int) -> bool:
        """Whether n parameters are too many for the objective's full Hessian, or for one by differences."""
        objective = self.objective.objective
        if hasattr(objective, "hessian_diagonal"):
            return False
        return n > (MOST_COUPLED if hasattr(objective, "hessian") else MOST_DIFFERENCED)

    def diagonal(self, n: int) -> bool:
        """Whether Newton's step uses a diagonal Hessian."""
        return n == 1 or hasattr(self.objective.objective, "hessian_diagonal")

    def gradient(self, theta: Array) -> Array:
        """Gradient of the objective and its coupled decay, shape of ``theta``."""
        gradient = self.objective.gradient(theta)
        if self.equation.coupled_decay:
            gradient = gradient + self.equation.coupled_decay * theta
        return gradient

    def source(
        self, memory: Memory, s: Array, theta: Array, gradient: Array, memories: Sequence[Array]
    ) -> Array:
        """Source h of a memory at points ``s``.

        ``memories`` are those listed before it, as the velocity reads them: at ``s + lookahead``.
        """
        if memory.source is None:
            return self.optimizer.squares(gradient) if memory.squared else gradient
        return memory.source(
            s, theta, gradient, memories, lambda direction: self.hessian_vector(theta, direction)
        )

    def initial_source(self, memory: Memory, theta: Array, gradient: Array) -> Array:
        """Source of a memory at ``s = 0``; 0 for a source of its own that the initial value does not need."""
        if memory.source is not None and memory.initial == 0.0:
            return np.zeros_like(self.optimizer.squares(gradient) if memory.squared else gradient)
        return self.source(memory, np.zeros(1), theta, gradient, ())

    def begin(self, theta: Array, first: FirstIterations | None) -> tuple[State, list[Array]]:
        """Return the state from which the equation is solved, and the source of each memory there.

        It is the state at ``s = 0``, or after the ``first`` iterations of the optimizer itself.  Memories are
        then normalised averages, and the source is set to their values: a memory has the size of its source.
        """
        if first is not None:
            last = first.theta[-1] if first.last is None else first.last
            parts = zip(self.equation.memories, first.memories, strict=True)
            samples = {i: value for i, (memory, value) in enumerate(parts) if memory.maximum is not None}
            return State(float(first.count), last, list(first.memories), samples), list(first.memories)
        gradient, memories = self.gradient(theta), self.equation.memories
        sources = [self.initial_source(memory, theta, gradient) for memory in memories]
        values = [memory.initial * source for memory, source in zip(memories, sources, strict=True)]
        return State(0.0, theta, values), sources

    def first_iterations(self, theta: Array, steps: int) -> FirstIterations | None:
        """Run the optimizer's first iterations, if the equation begins after them; else return None."""
        begin = self.equation.begin
        return None if begin is None else begin(theta, self.objective.gradient, steps)

    def hessian_vector(self, theta: Array, direction: Array) -> Array:
        """Hessian, coupled decay included, times ``direction``: shape of ``theta``.

        From the objective's ``hessian_vector``, ``hessian_diagonal`` or ``hessian``, the first that it has;
        else by differences of four gradients at each node, each counted.
        """
        objective, coupled = self.objective, self.equation.coupled_decay * direction
        if hasattr(objective.objective, "hessian_vector"):
            return objective.call("hessian_vector", theta, direction) + coupled
        if hasattr(objective.objective, "hessian_diagonal"):
            return objective.call("hessian_diagonal", theta) * direction + coupled
        if hasattr(objective.objective, "hessian"):
            product: Array = (objective.call("hessian", theta) @ direction[..., None])[..., 0]
            return product + coupled
        size = np.abs(direction).max(axis=-1, keepdims=True)
        # Fourth-order central differences: a shift of the machine's eps^(1/5) ~ 1e-3 balances truncation and
        # rounding.
        shift = 1e-3 * (1.0 + np.abs(theta).max(axis=-1, keepdims=True)) / np.where(size > 0.0, size, 1.0)
        points = theta + np.array([-2.0, -1.0, 1.0, 2.0]).reshape(-1, *[1] * theta.ndim) * shift * direction
        far, near, right, beyond = objective.gradient(points)
        differences: Array = (far - beyond + 8.0 * (right - near)) / (12.0 * shift)
        return differences + coupled
