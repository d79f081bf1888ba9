"""The structure of a declared optimizer: which memory feeds which, and what a second-order model can claim.

What lives here: :func:`structure`, a mechanical analysis of a declaration by its names and by numerical
probes.  What does not: the models that use it (:mod:`idescent.models`).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.optimizers.declared import DeclaredMemory
from idescent.optimizers.layout import layout
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.plan import Plan, Values

Array = NDArray[np.float64]

DIRECTION, OLD = "direction", "_old"
# Functions with a value at which there is no derivative.
_BRANCHES = frozenset(
    (
        *("sign", "absolute", "fabs", "maximum", "minimum", "fmax", "fmin", "clip", "where", "select"),
        *("greater", "less", "greater_equal", "less_equal", "heaviside", "copysign", "floor", "ceil"),
        *("rint", "trunc", "sort", "argmax", "argmin"),
    )
)
# Number of discrete iterations first, if no memory is fed by a memory with a transient.
FIRST = 8
# Iterations of a run with a constant gradient, and the change of a source that counts as a transient.
_RUN, _CHANGE = 64, 1e-6
# Iteration at which the step is tested for smoothness, and two at which its decay in k is measured.
_LATE, _DECAY = 1e4, (1e4, 4e4)
# Largest relative change of the step by a relative change of the gradient, in units of the latter.
_STEEP = 100.0


@dataclass(frozen=True)
class MemoryStructure:
    """One memory of a declaration.

    Attributes
    ----------
    name, kind, read : str
        As declared.
    beta : float or None
        Decay rate per iteration; None if it depends on k.
    feeds : tuple of str
        Inputs of its source: ``gradient``, ``theta``, ``point``, ``direction``, ``k``, or memories, followed
        by ``_old`` for the value before the iteration.
    depth : int
        0 for a source of gradient and theta only (flat); otherwise 1 + the depth of the deepest memory that
        feeds it.
    cyclic : bool
        Whether it feeds on itself, through other memories, the step D, or theta if the step reads ``alpha``.
    """

    name: str
    kind: str
    beta: float | None
    read: str
    feeds: tuple[str, ...]
    depth: int
    cyclic: bool


@dataclass(frozen=True)
class Structure:
    """Memories of an optimizer, and the claim of the automatic second-order model.

    Attributes
    ----------
    memories : dict of str to MemoryStructure
        In the order of their declaration.
    switches : tuple of str
        Functions without a derivative somewhere, and where they occur.
    order : int or None
        Order in alpha that :class:`idescent.models.HalfStep` claims.
    why : str
        Reason of the claim, in one sentence.
    start : str
        Rule for the number of discrete iterations at the start of the model.
    horizon : str
        Number of iterations after which theta has changed by O(1).
    """

    memories: dict[str, MemoryStructure]
    switches: tuple[str, ...]
    order: int | None
    why: str
    start: str
    horizon: str


def structure(optimizer: Optimizer) -> Structure:
    """Return the structure of a declared optimizer.

    Raises
    ------
    ValueError
        If the declaration has a fault.
    """
    try:
        return _cached(optimizer)
    except TypeError:  # a field that is not hashable
        return _structure(optimizer)


def slowest(optimizer: Optimizer) -> float | None:
    """Return the decay rate that determines the number of first iterations; None if it is :data:`FIRST`.

    It is the largest one of memories that are fed by other memories, and of the memories that feed them, if
    the source of one of the former changes at a constant gradient: such a memory needs a source without
    transients.  The value 1 belongs to a sum.
    """
    plan = Plan(optimizer)
    memories = _memories(plan)
    nested = [name for name, memory in memories.items() if memory.depth and not memory.cyclic]
    if not nested or not _transient(plan, nested):
        return None
    chain: set[str] = set()
    for name in nested:
        chain |= {name, *_behind(plan, name)} & set(memories)
    betas = [memories[name].beta for name in chain if memories[name].kind != "maximum"]
    largest = max((beta for beta in betas if beta is not None), default=0.0)
    return largest or None


def inputs(plan: Plan, function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names that a function of a declaration reads; sequences count as ``k``."""
    numbers = set(plan.continued(np.ones(1)))
    known = {"gradient", "theta", "point", "alpha", DIRECTION, *plan.memories, *numbers}
    known |= {f"{name}{OLD}" for name in ("theta", *plan.memories)}
    names = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in known:
            names.append("k" if parameter.name in numbers else parameter.name)
        elif parameter.default is not parameter.empty:
            break
    return tuple(dict.fromkeys(names))


def feeds(plan: Plan, memory: DeclaredMemory) -> tuple[str, ...]:
    """Return the names that the source and the decay rate of a memory read."""
    names = inputs(plan, memory.of) if callable(memory.of) else ("gradient",)
    return names if memory.constant else tuple(dict.fromkeys((*names, "k")))


def _structure(optimizer: Optimizer) -> Structure:
    plan = Plan(optimizer)
    memories, switches = _memories(plan), _switches(plan)
    order, why, start = 2, "flat: every memory is fed by the gradient or theta only", f"{FIRST} iterations"
    beta = slowest(optimizer)
    nested = [name for name, memory in memories.items() if memory.depth]
    if nested:
        why = f"nested: the memory {nested[0]!r} is fed by other memories"
    if beta is not None:
        start = f"2 ln(1/alpha)/(1-{beta:g}) iterations" if beta < 1.0 else "alpha^(-2/3) iterations"
        why += ", after a logarithmic start" if beta < 1.0 else ", after a long start"
    largest = next((name for name, memory in memories.items() if memory.kind == "maximum"), None)
    if largest is not None:
        why += f"; the maximum {largest!r} is sampled at the middle of every iteration"
    blocked = _blocked(plan, memories, switches)
    if blocked is not None:
        return Structure(memories, switches, None, blocked, start, _horizon(plan, memories))
    return Structure(memories, switches, order, why, start, _horizon(plan, memories))


_cached = lru_cache(maxsize=256)(_structure)


def _blocked(plan: Plan, memories: dict[str, MemoryStructure], switches: tuple[str, ...]) -> str | None:
    """Return the reason why no order is claimed; None if order 2 is."""
    reason = unsolvable(plan, memories)
    if reason is not None:
        return reason
    if "sign in the step" in switches:
        return "a sign: exact until the sign changes, and of first order there"
    return None


def unsolvable(plan: Plan, memories: dict[str, MemoryStructure]) -> str | None:
    """Return the reason why the automatic second-order model refuses an optimizer; None if it does not."""
    cycle = next((name for name, memory in memories.items() if memory.cyclic), None)
    if cycle is not None:
        through = " through D" if DIRECTION in memories[cycle].feeds else ""
        return f"its memory {cycle!r} feeds on itself{through}: no second-order model is claimed"
    fed = next((name for name, memory in memories.items() if DIRECTION in memory.feeds), None)
    if fed is not None:
        return f"its memory {fed!r} is fed by D: no second-order model is claimed"
    if not _smooth(plan):
        return "its step is not smooth where the gradient is constant, for example the root of a variance"
    return None


def _memories(plan: Plan) -> dict[str, MemoryStructure]:
    structures: dict[str, MemoryStructure] = {}
    for name, memory in plan.memories.items():
        beta = memory.decay if memory.constant else None
        cyclic = name in _behind(plan, name)
        structures[name] = MemoryStructure(
            name, memory.kind, beta, memory.read, feeds(plan, memory), _depth(plan, name, ()), cyclic
        )
    return structures


def _fed_by(plan: Plan, name: str) -> set[str]:
    """Return the memories and the direction that feed a memory, the direction, or theta."""
    if name == DIRECTION:
        names: tuple[str, ...] = inputs(plan, plan.optimizer.step)
    elif name == "theta":
        # theta moves by alpha D, a small change unless D is of the size of 1/alpha.
        names = (DIRECTION,) if "alpha" in plan.asked else ()
    else:
        names = feeds(plan, plan.memories[name])
    names = tuple(x.removesuffix(OLD) for x in names)
    return {x for x in names if x in plan.memories or x in (DIRECTION, "theta")}


def _behind(plan: Plan, name: str) -> set[str]:
    """Return everything that feeds a memory, directly or through others."""
    behind: set[str] = set()
    ahead = _fed_by(plan, name)
    while ahead:
        behind |= ahead
        ahead = {x for fed in ahead for x in _fed_by(plan, fed)} - behind
    return behind


def _depth(plan: Plan, name: str, seen: tuple[str, ...]) -> int:
    if name in seen:
        return 0
    fed = _fed_by(plan, name) - {"theta"}
    if DIRECTION in fed:
        fed = (fed - {DIRECTION}) | (_fed_by(plan, DIRECTION) - {"theta"})
    depths = [_depth(plan, x, (*seen, name)) for x in fed - {name, *seen}]
    return 1 + max(depths, default=0) if fed else 0


def _initial(plan: Plan) -> tuple[Values, Array]:
    """Return values before the first iteration, at an irregular point, and a gradient."""
    n = _size(plan)
    gradient = 1.0 + 0.5 * np.sin(1.9 + 2.3 * np.arange(1.0, n + 1.0))
    gradient[0] *= -1.0
    theta = 1.0 + 0.5 * np.sin(0.7 + 2.3 * np.arange(1.0, n + 1.0))
    return plan.starts(theta, gradient, layout(plan, n)), gradient


def _size(plan: Plan) -> int:
    """Return a number of parameters that the declaration fits."""
    if plan.shape is not None:
        return int(np.prod(plan.shape))
    starts = (m.start for m in plan.memories.values() if not callable(m.start) and np.ndim(m.start))
    for n in (2, *(int(np.shape(start)[-1]) for start in starts)):
        try:
            layout(plan, n)
        except ValueError:
            continue
        return n
    return 2


def _transient(plan: Plan, nested: list[str]) -> bool:
    """Whether the source of a nested memory changes in a run with a constant gradient."""
    values, gradient = _initial(plan)
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


def _steady(plan: Plan, gradient: Array, k: float, shifts: dict[str, float]) -> Any:
    """Return D after ``k`` iterations with a constant gradient; ``shifts`` are relative shifts of its inputs.

    The shift of a memory fed by other memories is not supported: it follows from theirs.
    """
    values, _ = _initial(plan)
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


def _smooth(plan: Plan) -> bool:
    """Whether D has a derivative by the gradient and by every flat memory at a constant gradient.

    The root of a variance has none.  If the variance is itself a memory, D may have a kink there, but must
    not change steeply.
    """
    _, gradient = _initial(plan)
    memories = _memories(plan)
    flat = [name for name, memory in memories.items() if not memory.depth and memory.kind != "maximum"]
    follows = any(memory.depth for memory in memories.values())
    with np.errstate(all="ignore"):
        base = _steady(plan, gradient, _LATE, {})
        size = float(np.max(np.abs(base)))
        if not np.isfinite(base).all():
            return False
        for name in (*(["gradient"] if "gradient" in plan.asked else []), *flat):
            slopes = [
                (_steady(plan, gradient, _LATE, {name: shift}) - base) / shift
                for shift in (1e-4, -1e-4, 1e-6)
            ]
            largest = max(float(np.max(np.abs(slope))) for slope in slopes)
            if not largest <= _STEEP * max(size, 1e-300) and follows:
                return False
            allowed = 1e-3 * largest + 1e-6
            if not follows and not all(
                np.allclose(slope, slopes[0], rtol=0.1, atol=allowed) for slope in slopes
            ):
                return False
    return True


def _horizon(plan: Plan, memories: dict[str, MemoryStructure]) -> str:
    """Return the natural number of iterations from the size of D at a constant gradient."""
    if any(memory.cyclic or DIRECTION in memory.feeds for memory in memories.values()):
        return "unknown: the size of its step depends on its own history"
    _, gradient = _initial(plan)
    last = [name for name, memory in memories.items() if not memory.depth][-1:]

    def size(k: float, shift: float = 0.0) -> float:
        return float(np.max(np.abs(_steady(plan, gradient, k, dict.fromkeys(last, shift)))))

    with np.errstate(all="ignore"):
        if not _smooth(plan):
            # D falls as the change of the gradient in one iteration if it is the root of a variance.
            return "alpha^(-1/2)" if size(_LATE, 1e-5) > 6.0 * size(_LATE, 1e-3) else "1/alpha"
        if any(memory.beta == 1.0 and memory.kind == "sum" for memory in memories.values()):
            ends = [size(k) for k in _DECAY]
            power = math.log(ends[0] / ends[1]) / math.log(_DECAY[1] / _DECAY[0]) if min(ends) > 0 else 0.0
            for value, text in ((0.5, "1/alpha^2"), (1.0, "exp(1/alpha)"), (-1.0, "alpha^(-1/2)")):
                if abs(power - value) < 0.05:
                    return text
    return "1/alpha"


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


def _switches(plan: Plan) -> tuple[str, ...]:
    """Return the functions without a derivative somewhere that the step, the sources and the point use."""
    values, gradient = _initial(plan)
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
