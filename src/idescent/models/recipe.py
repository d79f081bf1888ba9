"""The paper's derivation for any declared optimizer: exponential kernels, and the step as it is declared.

What lives here: the equation of :class:`idescent.models.Paper` where the paper has none.  What does not:
Propositions 1-3 (:mod:`idescent.models.paper`).
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
    r"""Return the paper's equation of any declared optimizer.

    .. math::
        M' = c\,h - (1-\beta)\,M, \quad M(0) = 0, \qquad
        \theta' = -\alpha\,D(M(s), \theta, s) - \alpha w\,\theta \quad\text{or}\quad
        -\alpha\,D(M(s+1), g, \theta, s+1) - \alpha w\,\theta

    The second form is that of Propositions 1 and 2: where the step takes the gradient itself, memories that
    are read new are those of the iteration to come; those read old are not ahead.  Where it takes memories
    only the first form is that of Proposition 3.

    Raises
    ------
    ValueError
        For maxima, decays that depend on k, starts other than 0, memories of what is not made of the gradient
        and other memories, values before the iteration, parameters of a shape, and gradients taken elsewhere
        than at theta.
    """
    plan = Plan(optimizer)
    _check(plan)
    direct = "gradient" in plan.asked
    new = any(memory.read == "new" for memory in plan.memories.values())
    decay, count = alpha * optimizer.decoupled_decay, 1.0 if direct else 0.0
    memories = [local_gradient()] if direct else []
    for name, memory in plan.memories.items():
        memories.append(_memory(plan, name, memory, [m.name for m in memories]))
    names = [memory.name for memory in memories]
    lead = next((i for i, m in enumerate(memories) if m.source is None and not m.squared), None)

    def step(s: Array, theta: Array, felt: Sequence[Array]) -> Array:
        values: Values = {"alpha": alpha, "theta": theta, **plan.continued(s + count)}
        return np.asarray(plan.direction(values | dict(zip(names, felt, strict=True))))

    def velocity(s: Array, theta: Array, gradient: Array, felt: Sequence[Array]) -> Array:
        state = [gradient, *felt[1:]] if direct else felt
        return -alpha * step(s, theta, state) - decay * theta

    def mobility(s: Array, felt: Sequence[Array]) -> Array:
        if lead is None:
            return np.zeros_like(felt[0]) if felt else np.zeros_like(s)
        size, theta, moved = 1e-6 * (np.abs(felt[lead]) + 1e-12), np.zeros_like(felt[lead]), []
        for sign in (1.0, -1.0):
            shifted = list(felt)
            shifted[lead] = shifted[lead] + sign * size
            moved.append(step(s, theta, shifted))
        return alpha * (moved[0] - moved[1]) / (2.0 * size)

    return Equation(
        tuple(memories),
        velocity,
        mobility,
        lookahead=1.0 if direct and new else 0.0,
        direction=None if direct else lead,
        coupled_decay=optimizer.coupled_decay,
    )


def _check(plan: Plan) -> None:
    """Refuse what the derivation does not cover."""
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
            known = {"gradient", *(other for other in before if plan.memories[other].read == memory.read)}
            if not set(inspect.signature(memory.of).parameters) <= known:
                why = f"its memory {name!r} is fed by more than the gradient and memories before it"
        if why is not None:
            raise refusal("Paper", plan.optimizer, why)
    refuse_structure("Paper", plan)


def refuse_structure(model: str, plan: Plan) -> None:
    """Refuse what neither this derivation nor that of second order covers."""
    if plan.optimizer.point is not None or plan.optimizer.evaluate is not None:
        raise refusal(model, plan.optimizer, "its gradient is taken elsewhere than at theta")
    if plan.shape is not None:
        raise refusal(model, plan.optimizer, "its parameter is a matrix")
    if any(name.endswith("_old") for name in plan.asked):
        raise refusal(model, plan.optimizer, "its step asks for values before the iteration")


def _memory(plan: Plan, name: str, memory: DeclaredMemory, before: Sequence[str]) -> Memory:
    rate = 0.0 if memory.kind == "sum" else 1.0 - memory.decay
    if not callable(memory.of):
        return Memory(name, memory.gain, rate, squared=memory.of == "square", ahead=memory.read == "new")
    fed = plan.sources[name]

    def source(s: Array, gradient: Array, felt: Sequence[Array], hessian_vector: HessianVector) -> Array:
        return np.asarray(fed({**dict(zip(before, felt, strict=True)), "gradient": gradient}))

    return Memory(name, memory.gain, rate, squared=False, source=source, ahead=memory.read == "new")
