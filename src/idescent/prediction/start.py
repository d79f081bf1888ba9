"""Where a prediction starts: parameters, a trajectory, or a checkpoint of a training run.

What lives here: arrays of any library in a start, the first true iterations, and the first state of the
model.  What does not: the forms of ``start`` (:mod:`idescent.discrete.start`), and the steps after it
(:mod:`idescent.prediction.leapfrog`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from idescent.common.numeric import is_number, numbers, shown
from idescent.discrete import start as checkpoints
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.plan import Values
from idescent.optimizers.structure import FIRST
from idescent.prediction.arrays import Array, Counted, finite, namespace, plain, sent, understood, wrapped
from idescent.prediction.leapfrog import Leapfrog, State


@dataclass(frozen=True)
class Start:
    """Parameters and moments after iteration ``k``.

    Attributes
    ----------
    theta : array, shape (n,)
    moments : dict of str to array, or None
        By name, as a run stores them: not corrected.  None: the initial values of the optimizer.
    k : int
    iterations : int
        Number of true iterations to make first.
    """

    theta: Array
    moments: dict[str, Array] | None
    k: int
    iterations: int


def parsed(start: Any, optimizer: Optimizer) -> Start:
    """Return a start from one of its forms (:func:`idescent.discrete.start.parsed`).

    Raises
    ------
    ValueError
        If it has none of them, or a part of it has a wrong name, shape or value.
    """
    begin = checkpoints.parsed(start, optimizer, _vector)
    iterations = (0 if begin.k else FIRST) if begin.iterations is None else begin.iterations
    return Start(begin.theta, begin.moments, begin.k, iterations)


def _vector(name: str, value: Any) -> Array:
    """Return a value as one array of floats, shape (n,); a list of arrays is joined in its order."""
    if isinstance(value, list | tuple) and value and hasattr(value[0], "shape") and np.ndim(value[0]):
        parts = [_vector(name, part) for part in value]
        return namespace(parts[0]).concat(parts)
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        array: Array = np.array(value)
    elif is_number(value) or isinstance(value, list | tuple | np.ndarray):
        array = np.atleast_1d(numbers(name, value))
    elif hasattr(value, "shape"):
        array = value.detach() if hasattr(value, "detach") else value
    else:
        raise ValueError(f"{name}: {shown(value)} is not allowed: {checkpoints.FORMS}")
    xp = namespace(array)
    if not xp.isdtype(array.dtype, "real floating"):
        raise ValueError(f"{name}: {array.dtype} is not allowed: must be an array of floats")
    if not finite(array):
        raise ValueError(f"{name}: {shown(value)} is not allowed: every value must be finite")
    array = xp.reshape(array, (-1,))
    if not array.shape[0]:
        raise ValueError(f"{name}: shape {tuple(array.shape)} is not allowed: must have a parameter")
    return array


def run(leapfrog: Leapfrog, objective: Counted, start: Start) -> Iterator[tuple[int, Array] | State]:
    """Make the first true iterations; yield k and theta after each of them, and last the state of the model.

    The model starts at the middle of one more iteration, with the mean of its two ends: up to there it keeps
    the memories that this iteration reads.

    Raises
    ------
    ValueError
        If theta is not finite after one of the iterations.
    """
    plan = leapfrog.plan
    gradient = objective.gradient(start.theta)
    if not finite(gradient):
        raise ValueError("objective.gradient: not finite at the start")
    foreign = not isinstance(start.theta, np.ndarray)
    call = partial(understood, plan.owner) if foreign else _called
    values = call(partial(_initial, leapfrog, start, gradient))
    origin = {name: values[name] for name in plan.memories if callable(plan.memories[name].start)}
    for k in range(start.k + 1, start.k + start.iterations + 2):
        before = plain(plan.flat(values["theta"]))
        yield k - 1, before
        plan.place(values, k, leapfrog.alpha)
        if k > start.k + 1:
            gradient = objective.gradient(before)
        call(partial(plan.advance, values, wrapped(gradient)))
        theta = plain(plan.flat(values["theta"]))
        if not finite(theta):
            raise ValueError(f"start: theta is not finite after iteration {k}: alpha is too large")
    memories = []
    read, kappa = plain(plan.flat(values["gradient"])), np.array([float(k)])
    for variable in leapfrog.items:
        if variable.memory is None:
            memories.append(read if variable.key == "gradient" else before)
            continue
        zero = origin.get(variable.memory, plan.memories[variable.memory].start)
        if start.k and variable.memory in origin:
            # The gradient at the start of the run is not known: the moment contains what is left of it.
            zero = 0.0 * origin[variable.memory]
        if variable.kind == "start":
            memories.append(plain(zero))
            continue
        value = values[variable.memory]
        if callable(plan.memories[variable.memory].start) or np.any(zero):
            value = value - float(variable.lag.kept(kappa)[0]) * sent(zero, value)
        memories.append(plain(value / float(variable.lag.mass(kappa)[0])))
    middle = 0.5 * (before + theta)
    yield State(k - 0.5, middle, tuple(memories), leapfrog.gradient(objective, middle), read, 0.5)


def _called(call: Callable[[], Any]) -> Any:
    return call()


def _initial(leapfrog: Leapfrog, start: Start, gradient: Array) -> Values:
    """Return the values before the first iteration, by name."""
    plan, theta = leapfrog.plan, start.theta
    shape = tuple(theta.shape) if plan.shape is None else plan.shape
    if plan.shape is not None and int(np.prod(shape)) != theta.shape[0]:
        raise ValueError(f"{plan.owner}.shape: {shape} is not allowed: there are {theta.shape[0]} parameters")
    inputs = {"gradient": wrapped(gradient).reshape(shape), "theta": wrapped(theta).reshape(shape)}
    values: Values = {"theta": inputs["theta"], "alpha": leapfrog.alpha, "k": start.k}
    for name, memory in plan.memories.items():
        zero = 0.0 * plan.sources[name]({**inputs, "theta_old": inputs["theta"], "alpha": leapfrog.alpha})
        if start.moments is not None:
            moment, size = start.moments[name], int(np.prod(zero.shape))
            if type(moment) is not type(theta) or moment.shape[0] != size:
                raise ValueError(
                    f"start: moment {name!r}: {type(moment).__name__} of shape {tuple(moment.shape)}: "
                    f"must be {type(theta).__name__} of shape ({size},)"
                )
            values[name] = wrapped(moment).reshape(zero.shape)
        elif callable(memory.start):
            values[name] = zero + plan.begin(name, inputs)
        else:
            values[name] = zero + sent(memory.start, zero)
    return values


def restarted(leapfrog: Leapfrog, state: State) -> Values:
    """Return the values of a run after the iteration whose middle a state is: the inverse of :func:`run`."""
    k = state.s + 0.5
    values: Values = {"theta": leapfrog.shaped(ahead(leapfrog, state)), "alpha": leapfrog.alpha, "k": int(k)}
    values |= leapfrog.moments(state, k)
    return values


def ahead(leapfrog: Leapfrog, state: State) -> Array:
    """Return theta at the end of the iteration whose middle a state is."""
    return state.theta + 0.5 * leapfrog.velocity(state)


def iterated(leapfrog: Leapfrog, objective: Counted, values: Values, count: int) -> Array:
    """Make iterations of the optimizer; return theta after the last one."""
    plan = leapfrog.plan
    for _ in range(count):
        plan.place(values, values["k"] + 1, leapfrog.alpha)
        plan.advance(values, wrapped(objective.gradient(plain(plan.flat(values["theta"])))))
    return plain(plan.flat(values["theta"]))
