"""Numerical probes of a declaration: steps and sources at a constant gradient, and what they depend on.

What lives here: the probes.  What does not: the claim that follows from them
(:mod:`idescent.optimizers.structure`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.optimizers.layout import Dims, layout
from idescent.optimizers.plan import Plan, Values

Array = NDArray[np.float64]

OLD = "_old"
# Functions with a value at which there is no derivative.
_BRANCHES = frozenset(
    (
        *("sign", "absolute", "fabs", "maximum", "minimum", "fmax", "fmin", "clip", "where", "select"),
        *("greater", "less", "greater_equal", "less_equal", "heaviside", "copysign", "floor", "ceil"),
        *("rint", "trunc", "sort", "argmax", "argmin"),
    )
)
# Iterations of a run with a constant gradient, and the change of a source that counts as a transient.
_RUN, _CHANGE = 64, 1e-6
# Iteration at which the step is tested for smoothness.
LATE = 1e4
# Largest relative change of the step by a relative change of the gradient, in units of the latter.
_STEEP = 5.0


def initial(plan: Plan) -> tuple[Values, Array]:
    """Return values before the first iteration, at an irregular point, and a gradient."""
    n, dims = _shapes(plan)
    gradient = 1.0 + 0.5 * np.sin(1.9 + 2.3 * np.arange(1.0, n + 1.0))
    gradient[0] *= -1.0
    theta = 1.0 + 0.5 * np.sin(0.7 + 2.3 * np.arange(1.0, n + 1.0))
    return plan.starts(theta, gradient, dims), gradient


# The trials of a layout take longer than a probe, and a claim takes dozens of probes of one plan.
@lru_cache(maxsize=1)
def _shapes(plan: Plan) -> tuple[int, Dims]:
    """Return a number of parameters that the declaration fits, and the shapes of its memories."""
    if plan.shape is not None:
        n = int(np.prod(plan.shape))
        return n, layout(plan, n)
    starts = (m.start for m in plan.memories.values() if not callable(m.start) and np.ndim(m.start))
    for n in (2, *(int(np.shape(start)[-1]) for start in starts)):
        try:
            return n, layout(plan, n)
        except ValueError:
            continue
    return 2, layout(plan, 2)


def transient(plan: Plan, nested: list[str]) -> bool:
    """Whether the source of a nested memory changes in a run with a constant gradient."""
    values, gradient = initial(plan)
    with np.errstate(all="ignore"):
        sources: dict[str, Array] = {}
        for k in range(1, _RUN + 1):
            before = {name: values[name] for name in nested}
            plan.place(values, k, 1e-12)
            plan.advance(values, gradient.copy())
            for name in nested:
                memory = plan.memories[name]
                if not memory.constant:
                    continue
                source = values[name]
                if memory.kind != "maximum":
                    source = (source - memory.decay * before[name]) / (memory.gain or 1.0)
                size = max(float(np.max(np.abs(source))), 1e-300)
                if name in sources and float(np.max(np.abs(source - sources[name]))) > _CHANGE * size:
                    return True
                sources[name] = source
    return False


def steady(plan: Plan, gradient: Array, k: float, shifts: dict[str, float]) -> Any:
    """Return D after ``k`` iterations with a constant gradient; ``shifts`` are relative shifts of its inputs.

    The shift of a memory fed by other memories is not supported: it follows from theirs.
    """
    values, _ = initial(plan)
    values |= plan.continued(np.asarray(k)) | {"alpha": 1e-12}
    values["theta"] = np.zeros_like(values["theta"])
    values["point"] = values["theta"]
    shape = np.shape(values["theta"])
    values["gradient"] = gradient.reshape(shape)
    names = list(plan.memories)
    for _ in range(len(names) + 1):
        for name in names:
            memory = plan.memories[name]
            local = values | {f"{x}{OLD}": values[x] for x in ("theta", *names)}
            source = np.asarray(plan.sources[name](local)) * (1.0 + shifts.get(name, 0.0))
            mass = 1.0
            if memory.constant and memory.kind != "maximum":
                mass = memory.gain * _length(memory.decay, k)
            values[name] = mass * source
    values |= {f"{x}{OLD}": values[x] for x in ("theta", *names)}
    values["gradient"] = values["gradient"] * (1.0 + shifts.get("gradient", 0.0))
    return np.asarray(plan.direction(values))


def _length(beta: float, k: float) -> float:
    """Return the sum of the weights of a memory with the gain 1 after ``k`` iterations."""
    if beta == 1.0:
        return k
    return -math.expm1(k * math.log(beta)) / (1.0 - beta) if beta else 1.0


def smooth(plan: Plan, flat: Sequence[str], nested: bool) -> bool:
    """Whether D has a derivative by the gradient and by every flat memory at a constant gradient.

    The root of a variance has none.  If the variance is itself a memory, ``nested``, D may have a kink there,
    but must not change steeply.
    """
    _, gradient = initial(plan)
    with np.errstate(all="ignore"):
        base = steady(plan, gradient, LATE, {})
        size = float(np.max(np.abs(base)))
        if not np.isfinite(base).all():
            return False
        for name in (*(["gradient"] if "gradient" in plan.asked else []), *flat):
            slopes = [
                (steady(plan, gradient, LATE, {name: shift}) - base) / shift for shift in (1e-4, -1e-4, 1e-6)
            ]
            largest = max(float(np.max(np.abs(slope))) for slope in slopes)
            if not largest <= _STEEP * max(size, 1e-300) and nested:
                return False
            allowed = 1e-3 * largest + 1e-6
            if not nested and not all(
                np.allclose(slope, slopes[0], rtol=0.1, atol=allowed) for slope in slopes
            ):
                return False
    return True


class _Traced(np.ndarray[Any, Any]):
    """An array that records the functions applied to it."""

    names: set[str] = set()  # noqa: RUF012  # reset by each trace

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **more: Any) -> Any:
        _Traced.names.add(ufunc.__name__)
        plain = [np.asarray(x) if isinstance(x, _Traced) else x for x in inputs]
        if "out" in more:
            more["out"] = tuple(np.asarray(x) for x in more["out"])
        result = getattr(ufunc, method)(*plain, **more)
        return result.view(_Traced) if isinstance(result, np.ndarray) else np.asarray(result).view(_Traced)

    def __array_function__(self, function: Any, types: Any, arguments: Any, more: Any) -> Any:
        _Traced.names.add(function.__name__)
        return super().__array_function__(function, types, arguments, more)


def switches(plan: Plan) -> tuple[str, ...]:
    """Return the functions without a derivative somewhere that the step, the sources and the point use."""
    values, gradient = initial(plan)
    switches = [f"maximum {name}" for name, memory in plan.memories.items() if memory.kind == "maximum"]
    with np.errstate(all="ignore"):
        for k in (1, 2, 3):
            plan.place(values, k, 0.1)
            plan.advance(values, gradient.copy())
        arrays = {
            name: value.view(_Traced) if isinstance(value, np.ndarray) else value
            for name, value in values.items()
        }
        arrays |= {f"{x}{OLD}": arrays[x] for x in ("theta", *plan.memories)}
        places: list[tuple[str, Callable[[Values], Any]]] = [
            (f"the source of {name}", source) for name, source in plan.sources.items()
        ]
        for where, function in (*places, ("the step", plan.direction)):
            _Traced.names = set()
            function(dict(arrays))
            switches += [f"{name} in {where}" for name in sorted(_Traced.names & _BRANCHES)]
    return tuple(switches)
