"""The shapes of an optimizer's memories, from a trial of some iterations that also detects faults.

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

# Iterations of the trial, its learning rate, and the tolerance of its comparisons.
_K, _ALPHA, _ROUNDING = 3, 0.0625, 1e-9


def layout(plan: Plan, n: int) -> Dims:
    """Return the shapes of the memories of one run of ``n`` parameters.

    Raises
    ------
    ValueError
        In one line, if the declaration does not fit ``n`` parameters, one of its functions raises or changes
        an argument, D or a memory has a wrong shape or is not finite, or a run depends on other runs along
        the leading axes.
    """
    if plan.shape is not None and int(np.prod(plan.shape)) != n:
        raise ValueError(f"{plan.owner}.shape: {plan.shape} is not allowed: there are {n} parameters")
    count = 3 if n == 2 else 2
    theta, gradients = _numbers((count, n), 0.7), [_numbers((count, n), 1.9 + k) for k in range(_K)]
    dims = _dims(plan, theta[0], gradients[0][0])
    single_runs = [_iterated(plan, dims, theta[i], [g[i] for g in gradients]) for i in range(count)]
    together = _iterated(plan, dims, theta, gradients)
    for name, value in together.items():
        alone = np.stack([run[name] for run in single_runs])
        if value.shape != alone.shape or not np.allclose(value, alone, rtol=_ROUNDING, atol=_ROUNDING):
            raise ValueError(
                f"{plan.owner}: {name} of {count} runs in one call differs from that of single runs: "
                "leading axes are runs; take sums over axis=-1"
            )
    return dims


def _numbers(shape: tuple[int, ...], seed: float) -> Array:
    """Return irregular numbers from 0.5 to 1.5."""
    count = np.arange(1.0, np.prod(shape) + 1.0).reshape(shape)
    return np.asarray(1.0 + 0.5 * np.sin(seed + 2.3 * count))


def _dims(plan: Plan, theta: Array, gradient: Array) -> Dims:
    """Return the shapes of the memories: that of the start if it is an array, else that of the source."""
    theta_shape = plan.shape or theta.shape
    initial = {"gradient": gradient.reshape(theta_shape), "theta": theta.reshape(theta_shape)}
    dims: Dims = dict.fromkeys(plan.memories, theta_shape)
    fixed = set()
    for name, memory in plan.memories.items():
        start = memory.start
        if callable(start):
            start = _called(plan, f"memories {name!r}, start", partial(plan.begin, name, initial))
        if np.ndim(start):
            dims[name] = np.shape(start)
            fixed.add(name)
    # Twice: the source of a memory may depend on a later memory, whose shape is not yet known.
    for _ in range(2):
        values = _state(plan, dims, theta)
        _called(plan, "point", partial(plan.place, values, _K, _ALPHA))
        values["gradient"] = initial["gradient"]
        values |= {f"{name}_old": values[name] for name in ("theta", *plan.memories)}
        for name, source in plan.sources.items():
            if plan.memories[name].read == "old" and "direction" not in values:
                values["direction"] = _called(plan, "step", partial(plan.direction, values))
            shape = np.shape(_called(plan, f"memories {name!r}", partial(source, values)))
            if name in fixed and shape != dims[name]:
                text = f"start has shape {dims[name]} but the source has {shape}: they must be equal"
                raise ValueError(f"{plan.owner}.memories {name!r}: {text}")
            dims[name] = shape
            values[name] = _numbers(shape, 4.1)
    return dims


def _state(plan: Plan, dims: Dims, theta: Array) -> Values:
    lead = theta.shape[:-1]
    values: Values = {"theta": theta.reshape(lead + (plan.shape or theta.shape[-1:]))}
    for i, (name, shape) in enumerate(dims.items()):
        values[name] = np.array(np.broadcast_to(_numbers(shape, 3.1 + i), lead + shape))
    return values


def _iterated(plan: Plan, dims: Dims, theta: Array, gradients: Sequence[Array]) -> dict[str, Array]:
    """Compute and check some iterations; return D, theta and the memories after the last one."""
    values = plan.starts(theta, gradients[0], dims)
    for k, gradient in enumerate(gradients[:-1], start=1):
        _called(plan, "point", partial(plan.place, values, k, _ALPHA))
        _advance(plan, values, gradient)
    gradient = gradients[-1]
    _called(plan, "point", partial(plan.place, values, _K, _ALPHA))
    # References to the arrays, whose numbers are compared with those of copies.
    references, updated = dict(values), dict(values)
    copies = {name: np.array(value) for name, value in values.items() if isinstance(value, np.ndarray)}
    direction = _advance(plan, values, gradient)
    for name, value in copies.items():
        if not np.array_equal(value, references[name]):
            raise ValueError(f"{plan.owner}: it changes {name} in place: return a new array")
    plan.remember(updated, gradient.copy())
    for name in ("gradient", *(name for name, memory in plan.memories.items() if memory.read == "new")):
        if not np.array_equal(updated[name], values[name], equal_nan=True):
            raise ValueError(f"{plan.owner}.step: it changes {name} in place: return a new array")
    lead, theta_shape = theta.shape[:-1], references["theta"].shape
    results = {"D": direction, "theta": plan.flat(values["theta"])}
    shapes = {"theta": theta_shape, **{name: lead + shape for name, shape in dims.items()}}
    for name, shape in shapes.items():
        if np.shape(values[name]) != shape:
            raise ValueError(
                f"{plan.owner}: {name} has shape {np.shape(values[name])} after an iteration: must be {shape}"
            )
    results |= {name: np.asarray(values[name]) for name in dims}
    evaluated = _called(plan, "evaluate", partial(plan.evaluated, values))
    if np.shape(evaluated) != theta.shape:
        raise ValueError(f"{plan.owner}.evaluate: shape {np.shape(evaluated)}: must be {theta.shape}")
    return results


def _advance(plan: Plan, values: Values, gradient: Array) -> Array:
    """Compute an iteration; return D, after a check of its shape and of finite values."""
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
                f"{plan.owner}.{where}: {name} is not finite in iteration {k} with gradients of about 1"
            )
    return direction


def _called(plan: Plan, where: str, call: Callable[[], Any]) -> Any:
    try:
        with np.errstate(all="ignore"):
            return call()
    except Exception as error:  # a declaration of the user may raise anything
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{plan.owner}.{where} raises {text}") from error
