r"""The card of an optimizer: its memories with mass and mean lag, and the order that each model claims.

What lives here: :class:`Card`, :func:`card` and :func:`claim`, computed from a declaration alone.  What does
not: the structure of a declaration (:mod:`idescent.optimizers.structure`), and measured orders
(:mod:`idescent.analysis.verification`).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from idescent import models
from idescent.models.equation import Model, derive
from idescent.models.lags import Lag
from idescent.optimizers.declared import DeclaredMemory
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.plan import Plan
from idescent.optimizers.structure import MemoryStructure, structure

GENERAL = ("HalfStep", "Naive", "Paper")
"""Models that are derived from any declaration, in the order of a card."""

# Learning rate at which an equation is derived, to see whether the model refuses the optimizer.
_ALPHA = 0.05
_VARIES = "depends on k"
# Beginnings of a natural horizon of 1/alpha iterations or more.
_SLOW = ("1/alpha", "exp(1/alpha)")


@dataclass(frozen=True)
class MemoryCard:
    r"""One memory of an optimizer, in iterations.

    Attributes
    ----------
    kind : {"average", "accumulation", "sum", "maximum"}
    beta : float or None
        Decay rate per iteration; None if it depends on k.
    read : {"new", "old"}
        Whether the step reads the memory after its update or before it.
    fed_by : tuple of str
        Quantities on which its source depends.
    age : float
        Age of its source at the middle of a step, 1 more with ``read="old"``: 0.5 for the gradient and theta,
        -0.5 for theta after the step, 0 for a source with other memories, whose lags add to this one.
    mass, lag : str
        Mass N and mean lag L at iteration k, as formulas.
    mass_limit, lag_limit : float
        Their limits for a long run; ``inf`` if they grow, NaN if there is no mean lag.
    depth : int
        0 if no other memory feeds it; else 1 more than the depth of the deepest memory that does.
    cyclic : bool
        Whether its source depends on the memory itself, through the step or another memory.
    """

    kind: str
    beta: float | None
    read: str
    fed_by: tuple[str, ...]
    age: float
    mass: str
    mass_limit: float
    lag: str
    lag_limit: float
    depth: int
    cyclic: bool


@dataclass(frozen=True)
class Claim:
    """Order in the learning rate that a model claims for an optimizer.

    Attributes
    ----------
    model : str
        Name of the model.
    order : int or None
        None: no claim.
    why : str
        Reason, in one line.
    refused : bool
        Whether the model refuses the optimizer.
    """

    model: str
    order: int | None
    why: str
    refused: bool = False


@dataclass(frozen=True)
class Card:
    """Everything that follows from the declaration of an optimizer; ``print(card)`` shows it as text.

    Attributes
    ----------
    optimizer : str
    memories : dict of str to MemoryCard
    switches : tuple of str
        Signs and other jumps of the step.
    start : str
        Rule by which the second-order model starts.
    horizon : str
        Number of iterations over which an order is observed.
    models : tuple of Claim
    """

    optimizer: str
    memories: dict[str, MemoryCard]
    switches: tuple[str, ...]
    start: str
    horizon: str
    models: tuple[Claim, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the card as plain data."""
        return asdict(self)

    def __str__(self) -> str:
        """Return the card as text."""
        return "\n".join([self.optimizer, "", *_memories(self), "", *_rules(self), "", *_models(self)])


def card(optimizer: Optimizer) -> Card:
    """Return the card of an optimizer.

    Raises
    ------
    ValueError
        If the declaration has a fault.
    """
    declared, parts = Plan(optimizer).memories, structure(optimizer)
    memories = {name: _memory(declared[name], part) for name, part in parts.memories.items()}
    claims = tuple(claim(getattr(models, name)(), optimizer) for name in GENERAL)
    return Card(repr(optimizer), memories, parts.switches, parts.start, parts.horizon, claims)


def claim(model: Model, optimizer: Optimizer) -> Claim:
    r"""Return the order that a model claims for an optimizer.

    A model claims its ``order``, with three exceptions: it refuses the optimizer; its order is 2 or more and
    the structure of the optimizer supports no claim; or theta changes by O(1) within fewer than
    :math:`1/\alpha` iterations, or an unknown number, so that a fixed time holds ever more of its path.
    """
    try:
        derive(model, optimizer, _ALPHA)
    except ValueError as refused:
        reason = str(refused).partition(": ")[2] or str(refused)
        return Claim(model.name, None, f"refused: {reason}", refused=True)
    parts = structure(optimizer)
    if not parts.horizon.startswith(_SLOW):
        return Claim(
            model.name, None, parts.why if model.order >= 2 else f"its natural horizon is {parts.horizon}"
        )
    if model.order < 2:
        return Claim(model.name, model.order, "declared by the model")
    return Claim(model.name, None if parts.order is None else model.order, parts.why)


def _memory(declared: DeclaredMemory, part: MemoryStructure) -> MemoryCard:
    """Return the card of one memory; only memories with a constant decay rate have a mean lag."""
    fed_by = (f"square of {part.feeds[0]}",) if declared.of == "square" else part.feeds
    linear = Lag(declared, age=_source_age(part))
    mass = lag = "none" if declared.kind == "maximum" else _VARIES
    limits = (math.nan, math.nan)
    if declared.kind != "maximum" and declared.constant:
        (mass, lag), limits = _formulas(linear)
    return MemoryCard(
        declared.kind,
        part.beta,
        part.read,
        fed_by,
        linear.age,
        mass,
        limits[0],
        lag,
        limits[1],
        part.depth,
        part.cyclic,
    )


def _source_age(part: MemoryStructure) -> float:
    """Return the age of a memory's source at the middle of the step that updates it."""
    if part.depth or part.cyclic:
        return 0.0
    return -0.5 if part.read == "old" and set(part.feeds) <= {"theta", "k"} else 0.5


def _formulas(lag: Lag) -> tuple[tuple[str, str], tuple[float, float]]:
    """Return mass and mean lag as formulas in k, and their limits."""
    beta, gain, count = lag.beta, lag.gain, "(k - 1)" if lag.late else "k"
    if beta == 1.0:
        offset = lag.age - 0.5
        mean = f"{offset:g} + {count} / 2" if offset else f"{count} / 2"
        return (count.strip("()") if gain else "0", mean), (math.inf if gain else 0.0, math.inf)
    limits = gain / (1.0 - beta), lag.age + beta / (1.0 - beta)
    if beta == 0.0:
        return (f"{limits[0]:g}", f"{limits[1]:g}"), limits
    present = f"1 - {beta:g}^{count}"
    mass = present if math.isclose(limits[0], 1.0) else f"{limits[0]:g} ({present})"
    return (mass, f"{limits[1]:g} - {count} / ({beta:g}^-{count} - 1)"), limits


def _memories(shown: Card) -> list[str]:
    if not shown.memories:
        return ["no memories"]
    head = ("memory", "kind", "beta", "read", "fed by", "age", "mass", "limit", "mean lag", "limit", "depth")
    rows: list[tuple[str, ...]] = [head]
    for name, memory in shown.memories.items():
        beta = _VARIES if memory.beta is None else f"{memory.beta:g}"
        declared = (name, memory.kind, beta, memory.read, ", ".join(memory.fed_by), f"{memory.age:g}")
        limits = [
            *(memory.mass, _limit(memory.mass_limit), memory.lag, _limit(memory.lag_limit)),
            f"{memory.depth}{', cyclic' if memory.cyclic else ''}",
        ]
        rows.append((*declared, *limits))
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return ["  ".join(x.ljust(width) for x, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _limit(value: float) -> str:
    return "-" if math.isnan(value) else "grows" if math.isinf(value) else f"{value:g}"


def _rules(shown: Card) -> list[str]:
    rules = {"start": shown.start, "horizon": shown.horizon, "switches": ", ".join(shown.switches)}
    return [f"{name:8}  {text}" for name, text in rules.items() if text]


def _models(shown: Card) -> list[str]:
    rows = [
        (one.model, "no claim" if one.order is None else f"order {one.order}", one.why)
        for one in shown.models
    ]
    width = max(len(name) for name, _, _ in rows)
    return [f"{name:{width}}  {order:8}  {why}".rstrip() for name, order, why in rows]
