"""The naive model of any declared optimizer: the increment of one iteration as the velocity."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.models.averages import local_gradient
from idescent.models.equation import (
    Equation,
    FirstIterations,
    HessianVector,
    LearningRate,
    Memory,
    Source,
)
from idescent.optimizers.declared import DeclaredMemory
from idescent.optimizers.layout import Dims, layout
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.plan import Plan, Values

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Naive:
    r"""The increment of the discrete map as a differential equation, for every declared optimizer.

    .. math:: z' = \Phi(z, s + 1) - z, \qquad z = (\theta, M_1, M_2, \dots)

    with the iteration :math:`z_k = \Phi(z_{k-1}, k)`.  Euler's method with one step for each iteration is the
    optimizer itself.  For RMSProp and AdaGrad this is :class:`idescent.models.Local`: Propositions 1 and 2 of
    the paper with the local closure.  The model is of first order, and of that order at the switch of a
    maximum or a sign too.  Sequences are continued smoothly between iterations.

    Rows of the solution contain the memories at ``s = k``.
    """

    name: str = "naive"
    order: int = 1

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the model's equation for the declaration of ``optimizer``."""
        iteration = _Iteration(Plan(optimizer), alpha)
        plan = iteration.plan
        parts = [local_gradient()]
        for name, memory in plan.memories.items():
            squared = memory.of == "square"
            if not memory.constant and memory.kind == "average":
                source, change = iteration.source(name, memory, linear=True), iteration.change(name)
                parts.append(Memory(name, 1.0, 0.0, squared=squared, source=source, change=change))
                continue
            # A linear memory keeps its exponential kernel; any other one relaxes to its next value.
            linear = memory.constant and memory.kind != "maximum" and memory.gain > 0.0
            gain, rate = (memory.gain, 1.0 - memory.decay) if linear else (1.0, 1.0)
            source = iteration.source(name, memory, linear)
            parts.append(Memory(name, gain, rate, squared=squared, source=source))
        return Equation(
            tuple(parts),
            iteration.velocity,
            mobility=None,
            coupled_decay=optimizer.coupled_decay,
            begin=iteration.begin if iteration.starts_elsewhere() else None,
            point=None if optimizer.point is None else iteration.point,
            evaluate=None if optimizer.evaluate is None else iteration.evaluate,
        )


class _Iteration:
    """One iteration of an optimizer from any point of k-time, vectorised over the points."""

    def __init__(self, plan: Plan, alpha: LearningRate) -> None:
        self.plan, self.alpha = plan, alpha
        self._dims: dict[int, Dims] = {}

    def starts_elsewhere(self) -> bool:
        """Whether the state at ``s = 0`` is not theta and memories of 0 of its width."""
        plan = self.plan
        if plan.shape is not None or plan.optimizer.point is not None or plan.optimizer.evaluate is not None:
            return True
        if not all(memory.from_nothing for memory in plan.memories.values()):
            return True
        try:
            dims = layout(plan, 2)
        except ValueError:  # it fits another number of parameters
            return True
        return any(dims[name] != (2,) for name, memory in plan.memories.items() if memory.of != "square")

    def velocity(self, s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
        """Return the increment of theta."""
        values = self._advanced(s, theta, memories[0], memories)
        direction = self.plan.flat(np.asarray(values["direction"]))
        return np.asarray(-self.alpha * (direction + self.plan.decoupled * theta))

    def source(self, name: str, memory: DeclaredMemory, linear: bool) -> Source:
        """Return the source of a memory: that of its declaration, or its next value."""
        index = 1 + list(self.plan.memories).index(name)

        def source(
            s: Array, theta: Array, gradient: Array, memories: Sequence[Array], hessian_vector: HessianVector
        ) -> Array:
            after = self._advanced(s, theta, gradient, memories)[name]
            value = np.reshape(after, (*np.shape(s)[:-1], -1))
            if not linear:
                return value
            beta = memory.decay if memory.constant else 1.0 - self.change(name)(s)
            gain = memory.gain if memory.constant else 1.0 - beta
            return np.asarray((value - beta * memories[index]) / gain)

        return source

    def change(self, name: str) -> Callable[[Array], Array]:
        """Return one minus the decay rate of a memory, in the iteration that begins at ``s``."""
        beta: Any = self.plan.memories[name].beta
        asked = list(inspect.signature(beta).parameters)

        def change(s: Array) -> Array:
            values = self.plan.continued(s + 1.0)
            columns = [np.broadcast_to(values[x], s.shape).ravel().tolist() for x in asked if x in values]
            rates = [float(beta(*row)) for row in zip(*columns, strict=True)]
            return 1.0 - np.reshape(rates, s.shape)

        return change

    def point(self, s: Array, theta: Array, memories: Sequence[Array]) -> Array:
        """Return the point of the gradient in the iteration after ``s``."""
        return self.plan.flat(self._before(s, theta, memories, s + 1.0)["point"])

    def evaluate(self, s: Array, theta: Array, memories: Sequence[Array]) -> Array:
        """Return the iterate that the optimizer stores after iteration ``s``."""
        return self.plan.evaluated(self._before(s, theta, memories, s))

    def begin(
        self, theta: Array, gradient: Callable[[Array], Array], steps: int, factors: Array | None = None
    ) -> FirstIterations:
        """Return the state before the first iteration."""
        plan, dims = self.plan, self._shapes(len(theta))
        first = gradient(theta) if plan.starts_from_gradient else np.zeros_like(theta)
        values = plan.starts(theta, first, dims)
        iterate = plan.evaluated(values)
        memories = {name: np.ravel(values[name]) for name in plan.memories}
        point = plan.place(values, 1, float(np.ravel(self.alpha)[0]))
        local = gradient(point) + plan.coupled * point
        rows = {name: value[None] for name, value in memories.items()}
        return FirstIterations(0, iterate[None], rows, (local, *memories.values()), last=theta)

    def _shapes(self, n: int) -> Dims:
        if n not in self._dims:
            self._dims[n] = layout(self.plan, n)
        return self._dims[n]

    def _before(self, s: Array, theta: Array, memories: Sequence[Array], k: Array) -> Values:
        """Return the values before the gradient of iteration ``k`` is evaluated."""
        lead, plan = np.shape(s)[:-1], self.plan
        shape = plan.shape or np.shape(theta)[-1:]
        values: Values = {"theta": theta.reshape(*lead, *shape), "alpha": self.alpha}
        values |= plan.continued(np.reshape(k, (*lead, *[1] * len(shape))))
        dims = self._shapes(np.shape(theta)[-1])
        for name, value in zip(plan.memories, memories[1:], strict=True):
            values[name] = np.reshape(value, (*lead, *dims[name]))
        plan.locate(values)
        return values

    def _advanced(self, s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Values:
        """Return the values after the iteration that begins at ``s``."""
        values = self._before(s, theta, memories, s + 1.0)
        if self.plan.coupled:
            # The gradient contains the decay already.
            gradient = gradient - self.plan.coupled * self.plan.flat(values["point"])
        self.plan.advance(values, gradient)
        return values
