"""The paper's derivation for any declared optimizer: exponential kernels and the declared step.

What lives here: the equation of :class:`idescent.models.Paper` for optimizers that the paper does not treat.
What does not: Propositions 1-3 (:mod:`idescent.models.paper`).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from idescent.models.averages import local_gradient, refusal
from idescent.models.equation import Equation, HessianVector, LearningRate, Memory
from idescent.optimizers.declared import DeclaredMemory
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.plan import Plan, Values

Array = NDArray[np.float64]


def recipe(optimizer: Optimizer, alpha: LearningRate) -> Equation:
    r"""Return the equation that the paper's derivation gives for a declared optimizer.

    .. math::
        M' = c\,h - (1-\beta)\,M, \quad M(0) = 0, \qquad
        \theta' = -\alpha\,D(M(s), \theta, s) - \alpha w\,\theta \quad\text{or}\quad
        -\alpha\,D(M(s+1), g, \theta, s+1) - \alpha w\,\theta

    with the source h, the gain c and the decay rate :math:`\beta` of each memory M (rate 0 for a sum), the
    declared step D and the weight decay w.  The first form, of Proposition 3, applies if the step depends on
    memories only.  The second form, of Propositions 1 and 2, applies if the step depends on the gradient g
    itself: memories with ``read="new"`` are then those of the next iteration, :math:`M(s+1)`; memories with
    ``read="old"`` are :math:`M(s)`.

    Parameters
    ----------
    optimizer : Optimizer
    alpha : float or ndarray
        Learning rate.

    Raises
    ------
    ValueError
        If the optimizer has a maximum, a decay rate that depends on k, a memory that does not start at 0, a
        memory whose source depends on more than the gradient and the memories before it, a step that reads
        values before the iteration, parameters with a shape, or a gradient at another point than theta.
    """
    plan = Plan(optimizer)
    _check(plan)
    direct = "gradient" in plan.asked
    new = any(memory.read == "new" for memory in plan.memories.values())
    decay, count = alpha * optimizer.decoupled_decay, 1.0 if direct else 0.0
    parts = [local_gradient()] if direct else []
    for name, memory in plan.memories.items():
        parts.append(_memory(plan, name, memory, [part.name for part in parts]))
    names = [part.name for part in parts]
    lead = next((i for i, part in enumerate(parts) if part.source is None and not part.squared), None)

    def step(s: Array, theta: Array, state: Sequence[Array]) -> Array:
        values: Values = {"alpha": alpha, "theta": theta, **plan.continued(s + count)}
        return np.asarray(plan.direction(values | dict(zip(names, state, strict=True))))

    def velocity(s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
        # The gradient at s: memories[0] is the gradient one look-ahead later.
        state = [gradient, *memories[1:]] if direct else memories
        return -alpha * step(s, theta, state) - decay * theta

    def mobility(s: Array, memories: Sequence[Array]) -> Array:
        if lead is None:
            return np.zeros_like(memories[0]) if memories else np.zeros_like(s)
        size, theta, steps = difference(memories[lead]), np.zeros_like(memories[lead]), []
        for sign in (1.0, -1.0):
            shifted = list(memories)
            shifted[lead] = shifted[lead] + sign * size
            steps.append(step(s, theta, shifted))
        return alpha * (steps[0] - steps[1]) / (2.0 * size)

    return Equation(
        tuple(parts),
        velocity,
        mobility,
        lookahead=1.0 if direct and new else 0.0,
        direction=None if direct else lead,
        coupled_decay=optimizer.coupled_decay,
    )


def difference(values: Array) -> Array:
    """Return the step of a difference quotient; for a value of 0, a thousandth of that of the largest."""
    size = np.abs(values)
    return np.asarray(1e-6 * (size + 1e-3 * size.max(initial=0.0) + 1e-12))


def _check(plan: Plan) -> None:
    """Refuse an optimizer with a memory that the derivation does not cover."""
    for name, memory in plan.memories.items():
        why = None
        if memory.kind == "maximum":
            why = f"its memory {name!r} is a maximum"
        elif not memory.constant:
            why = f"the decay of its memory {name!r} depends on k"
        elif not memory.from_nothing:
            why = f"its memory {name!r} does not start at 0"
        elif callable(memory.of):
            before = list(plan.memories)[: list(plan.memories).index(name)]
            allowed = {"gradient", *(other for other in before if plan.memories[other].read == memory.read)}
            if not set(inspect.signature(memory.of).parameters) <= allowed:
                why = f"its memory {name!r} is fed by more than the gradient and memories before it"
        if why is not None:
            raise refusal("Paper", plan.optimizer, why)
    refuse_structure("Paper", plan)


def refuse_structure(model: str, plan: Plan) -> None:
    """Refuse an optimizer whose step or point neither this derivation nor ``HalfStep`` covers."""
    if plan.optimizer.point is not None or plan.optimizer.evaluate is not None:
        raise refusal(model, plan.optimizer, "its gradient is taken elsewhere than at theta")
    if plan.shape is not None:
        raise refusal(model, plan.optimizer, "its parameter is a matrix")
    if any(name.endswith("_old") for name in plan.asked):
        raise refusal(model, plan.optimizer, "its step asks for values before the iteration")


def _memory(plan: Plan, name: str, memory: DeclaredMemory, before: Sequence[str]) -> Memory:
    """Return the exponential memory of a declared one; ``before`` names the memories listed before it."""
    rate = 0.0 if memory.kind == "sum" else 1.0 - memory.decay
    if not callable(memory.of):
        return Memory(name, memory.gain, rate, squared=memory.of == "square", ahead=memory.read == "new")
    declared = plan.sources[name]

    def source(
        s: Array, theta: Array, gradient: Array, memories: Sequence[Array], hessian_vector: HessianVector
    ) -> Array:
        return np.asarray(declared({**dict(zip(before, memories, strict=False)), "gradient": gradient}))

    return Memory(name, memory.gain, rate, squared=False, source=source, ahead=memory.read == "new")
