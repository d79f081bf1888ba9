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

from idescent.optimizers.declared import DeclaredMemory
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.plan import Plan
from idescent.optimizers.probes import LATE, OLD, initial, smooth, steady, switches, transient

DIRECTION = "direction"
# Iterations at which the decay of the step in k is measured.
_DECAY = (1e4, 4e4)
# Number of discrete iterations first, if no memory is fed by a memory with a transient.
FIRST = 8


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
    """Memories of an optimizer, and the claim of the half-step model.

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
    """Return the decay rate that determines the number of first iterations; None if it is ``FIRST``.

    It is the largest one of memories that are fed by other memories, and of the memories that feed them, if
    the source of one of the former changes at a constant gradient: such a memory needs a source without
    transients.  The value 1 belongs to a sum.
    """
    plan = Plan(optimizer)
    memories = _memories(plan)
    nested = [name for name, memory in memories.items() if memory.depth and not memory.cyclic]
    if not nested or not transient(plan, nested):
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
    memories, branches = _memories(plan), switches(plan)
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
    blocked = _blocked(plan, memories, branches)
    if blocked is not None:
        return Structure(memories, branches, None, blocked, start, _horizon(plan, memories))
    return Structure(memories, branches, order, why, start, _horizon(plan, memories))


_cached = lru_cache(maxsize=256)(_structure)


def _blocked(plan: Plan, memories: dict[str, MemoryStructure], branches: tuple[str, ...]) -> str | None:
    """Return the reason why no order is claimed; None if order 2 is."""
    reason = unsolvable(plan, memories)
    if reason is not None:
        return reason
    if "sign in the step" in branches:
        return "a sign: exact until the sign changes, and of first order there"
    return None


def unsolvable(plan: Plan, memories: dict[str, MemoryStructure]) -> str | None:
    """Return the reason why the half-step model refuses an optimizer; None if it does not."""
    cycle = next((name for name, memory in memories.items() if memory.cyclic), None)
    if cycle is not None:
        through = " through D" if DIRECTION in memories[cycle].feeds else ""
        return f"its memory {cycle!r} feeds on itself{through}: no second-order model is claimed"
    fed = next((name for name, memory in memories.items() if DIRECTION in memory.feeds), None)
    if fed is not None:
        return f"its memory {fed!r} is fed by D: no second-order model is claimed"
    if not _is_smooth(plan, memories):
        return "its step is not smooth where the gradient is constant, for example the root of a variance"
    return None


def _is_smooth(plan: Plan, memories: dict[str, MemoryStructure]) -> bool:
    flat = [name for name, memory in memories.items() if not memory.depth and memory.kind != "maximum"]
    return smooth(plan, flat, any(memory.depth for memory in memories.values()))


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


def _horizon(plan: Plan, memories: dict[str, MemoryStructure]) -> str:
    """Return the natural number of iterations from the size of D at a constant gradient."""
    if any(memory.cyclic or DIRECTION in memory.feeds for memory in memories.values()):
        return "unknown: the size of its step depends on its own history"
    _, gradient = initial(plan)
    last = [name for name, memory in memories.items() if not memory.depth][-1:]

    def size(k: float, shift: float = 0.0) -> float:
        return float(np.max(np.abs(steady(plan, gradient, k, dict.fromkeys(last, shift)))))

    with np.errstate(all="ignore"):
        if not _is_smooth(plan, memories):
            # D falls as the change of the gradient in one iteration if it is the root of a variance.
            return "alpha^(-1/2)" if size(LATE, 1e-5) > 6.0 * size(LATE, 1e-3) else "1/alpha"
        if any(memory.beta == 1.0 and memory.kind == "sum" for memory in memories.values()):
            ends = [size(k) for k in _DECAY]
            power = math.log(ends[0] / ends[1]) / math.log(_DECAY[1] / _DECAY[0]) if min(ends) > 0 else 0.0
            for value, text in ((0.5, "1/alpha^2"), (1.0, "exp(1/alpha)"), (-1.0, "alpha^(-1/2)")):
                if abs(power - value) < 0.05:
                    return text
    return "1/alpha"
