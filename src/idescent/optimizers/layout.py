"""The shapes of an optimizer's memories, found by an iteration on made-up numbers, and its faults.

What lives here: :func:`layout`.  What does not: names (:mod:`idescent.optimizers.plan`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.optimizers.plan import Plan, Values

Array = NDArray[np.float64]
Dims = dict[str, tuple[int, ...]]
"""Shapes of the memories of one run, by name."""

_K, _ALPHA, _ROUNDING = 3, 0.0625, 1e-9


def layout(plan: Plan, n: int) -> Dims:
    """Return the shapes of the memories of one run of ``n`` parameters.

    Raises
    ------
    ValueError
        In one line, if the declaration does not fit ``n`` parameters, a function of it raises, D or a memory
        has a wrong shape or is not finite, a function changes an argument, or runs beside each other are
        mixed up.
    """
    if plan.shape is not None and int(np.prod(plan.shape)) != n:
        raise ValueError(f"{plan.owner}.shape: {plan.shape} is not allowed: there are {n} parameters")
    count = 3 if n == 2 else 2
    theta, gradients = _numbers((count, n), 0.7), [_numbers((count, n), 1.9 + k) for k in range(_K)]
    dims = _dims(plan, theta[0], gradients[0][0])
    rows = [_iterated(plan, dims, theta[i], [g[i] for g in gradients]) for i in range(count)]
    whole = _iterated(plan, dims, theta, gradients)
    for name, value in whole.items():
        alone = np.stack([row[name] for row in rows])
        if value.shape != alone.shape or not np.allclose(value, alone, rtol=_ROUNDING, atol=_ROUNDING):
            raise ValueError(
                f"{plan.owner}: {name} of {count} runs beside each other is not that of each by itself: "
                "leading axes are runs; take sums over axis=-1"
            )
    return dims


def _numbers(shape: tuple[int, ...], seed: float) -> Array:
    """Return positive numbers of no pattern, from 0.5 to 1.5."""
    count = np.arange(1.0, np.prod(shape) + 1.0).reshape(shape)
    return np.asarray(1.0 + 0.5 * np.sin(seed + 2.3 * count))


def _dims(plan: Plan, theta: Array, gradient: Array) -> Dims:
    """Return the shapes: those of the starts where they are arrays, else of what memories are fed with."""
    natural = plan.shape or theta.shape
    given = {"gradient": gradient.reshape(natural), "theta": theta.reshape(natural)}
    dims: Dims = dict.fromkeys(plan.memories, natural)
    fixed = set()
    for name, memory in plan.memories.items():
        start = memory.start
        if callable(start):
            start = _called(plan, f"memories {name!r}, start", partial(plan.begin, name, given))
        if np.ndim(start):
            dims[name] = np.shape(start)
            fixed.add(name)
    # A memory that is read old may feed one whose shape is found before its own.
    for _ in range(2):
        values = _state(plan, dims, theta)
        _called(plan, "point", partial(plan.place, values, _K, _ALPHA))
        values["gradient"] = given["gradient"]
        for name, source in plan.sources.items():
            if plan.memories[name].read == "old" and "direction" not in values:
                values["direction"] = _called(plan, "step", partial(plan.direction, values))
            fed = np.shape(_called(plan, f"memories {name!r}", partial(source, values)))
            if name in fixed and fed != dims[name]:
                text = f"it has shape {dims[name]} but remembers what has shape {fed}: they must be equal"
                raise ValueError(f"{plan.owner}.memories {name!r}: {text}")
            dims[name] = fed
            values[name] = _numbers(fed, 4.1)
    return dims


def _state(plan: Plan, dims: Dims, theta: Array) -> Values:
    lead = theta.shape[:-1]
    values: Values = {"theta": theta.reshape(lead + (plan.shape or theta.shape[-1:]))}
    for i, (name, shape) in enumerate(dims.items()):
        one = _numbers(shape, 3.1 + i)
        values[name] = np.array(np.broadcast_to(one, lead + shape))
    return values


def _iterated(plan: Plan, dims: Dims, theta: Array, gradients: Sequence[Array]) -> dict[str, Array]:
    """Return D, theta and the memories after some iterations, checked."""
    values = plan.starts(theta, gradients[0], dims)
    for k, gradient in enumerate(gradients[:-1], start=1):
        _called(plan, "point", partial(plan.place, values, k, _ALPHA))
        _advance(plan, values, gradient)
    gradient = gradients[-1]
    _called(plan, "point", partial(plan.place, values, _K, _ALPHA))
    kept, remembered = dict(values), dict(values)
    before = {name: np.array(value) for name, value in values.items() if isinstance(value, np.ndarray)}
    direction = _advance(plan, values, gradient)
    for name, value in before.items():
        if not np.array_equal(value, kept[name]):
            raise ValueError(f"{plan.owner}: it changes {name} in place: return a new array")
    plan.remember(remembered, gradient.copy())
    for name in ("gradient", *(name for name, memory in plan.memories.items() if memory.read == "new")):
        if not np.array_equal(remembered[name], values[name], equal_nan=True):
            raise ValueError(f"{plan.owner}.step: it changes {name} in place: return a new array")
    lead, theta_shape = theta.shape[:-1], kept["theta"].shape
    found = {"D": direction, "theta": plan.flat(values["theta"])}
    shapes = {"theta": theta_shape, **{name: lead + shape for name, shape in dims.items()}}
    for name, shape in shapes.items():
        if np.shape(values[name]) != shape:
            raise ValueError(
                f"{plan.owner}: {name} has shape {np.shape(values[name])} after an iteration: must be {shape}"
            )
    found |= {name: np.asarray(values[name]) for name in dims}
    evaluated = _called(plan, "evaluate", partial(plan.evaluated, values))
    if np.shape(evaluated) != theta.shape:
        raise ValueError(f"{plan.owner}.evaluate: shape {np.shape(evaluated)}: must be {theta.shape}")
    return found


def _advance(plan: Plan, values: Values, gradient: Array) -> Array:
    """Make an iteration, if D has the shape that it must have; return D."""
    shape = np.shape(values["theta"])
    _called(plan, "step", partial(plan.advance, values, gradient.copy()))
    direction = np.asarray(values["direction"])
    if direction.shape != shape:
        text = f"D has shape {direction.shape}: it must be {shape}, that of theta"
        raise ValueError(f"{plan.owner}.step: {text}")
    for name, value in (("D", direction), *((name, values[name]) for name in plan.memories)):
        if not np.isfinite(value).all():
            where, k = "step" if name == "D" else f"memories {name!r}", values["k"]
            raise ValueError(
                f"{plan.owner}.{where}: {name} is not finite in iteration {k} on gradients of about 1"
            )
    return direction


def _called(plan: Plan, where: str, call: Callable[[], Any]) -> Any:
    try:
        with np.errstate(all="ignore"):
            return call()
    except Exception as error:  # a declaration of the user's own, which may raise anything
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{plan.owner}.{where} raises {text}") from error
