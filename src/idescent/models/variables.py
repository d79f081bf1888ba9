r"""The memories of the half-step model: which values of a declaration it needs, and when.

What lives here: :class:`Variables`, which resolves the names that the functions of a declaration ask for.
What does not: lags (:mod:`idescent.models.lags`), the equation (:mod:`idescent.models.half_step`).

Every variable represents a value at the middle of step k.  A memory may be needed after its update in this
step (lateness 0), before it (1), or after it at the end of the step (1/2), for a gradient at another point.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.models.lags import Lag, VaryingLag
from idescent.optimizers.declared import average
from idescent.optimizers.layout import Dims, layout
from idescent.optimizers.plan import Plan
from idescent.optimizers.structure import feeds, inputs

Array = NDArray[np.float64]

OLD = "_old"
STEP, PLACE = "step", "place"
# Ages at mid-step of what a source may read.
_INPUTS = ("gradient", "theta", "point")


@dataclass(frozen=True)
class Variable:
    """One memory of the equation.

    Attributes
    ----------
    key : str
        Name in the equation.
    memory : str or None
        Declared memory; None for an input: the gradient, theta or the point half an iteration ago.
    kind : {"input", "linear", "maximum", "start"}
        ``start`` is the initial value of a memory, which is constant.
    lag : Lag
        Of a linear memory or an input.  A linear memory has the age of half an iteration: with this age the
        variance of its lag is that of the discrete memory plus a quarter; with another age it would be wrong
        by more, the longer the memory.  Its value at another lateness follows from its rate.  Only a memory
        that a point reads has the lateness of the point: a point cannot depend on the gradient there.
    flat : bool
        Whether the source is a function of the present gradient, theta or point.
    late : float
        Lateness.
    """

    key: str
    memory: str | None
    kind: str
    lag: Lag
    flat: bool = True
    late: float = 0.0


class Variables:
    """The variables that a declaration needs, in an order in which each depends on those before it.

    Attributes
    ----------
    plan : Plan
    items : dict of str to Variable
        By key.
    asked : dict of str to tuple of str
        Names that each reader asks for: the step, the point with the stored iterate, and the sources.
    lookup : dict of (str, str) to str
        Key of the variable that a reader finds under a name.
    """

    def __init__(self, plan: Plan, first: int) -> None:
        self.plan = plan
        self.items: dict[str, Variable] = {}
        self._first = first
        self.lookup: dict[tuple[str, str], str] = {}
        self._dims: dict[int, Dims] = {}
        self._names = {name: list(plan.memories).index(name) for name in plan.memories}
        self.asked = {STEP: inputs(plan, plan.optimizer.step)}
        optimizer = plan.optimizer
        self.asked[PLACE] = tuple(
            name
            for function in (optimizer.point, optimizer.evaluate)
            if function is not None
            for name in inputs(plan, function)
        )
        for name, memory in plan.memories.items():
            self.asked[name] = inputs(plan, memory.of) if callable(memory.of) else ()
        late = {self.late(reader, name) for reader, names in self.asked.items() for name in names}
        self._needed: set[tuple[str, float]] = {pair for pair in late if pair is not None}
        for reader in (PLACE, STEP):
            for name in self.asked[reader]:
                self._resolve(reader, name)
        for name in plan.memories:
            if not any(pair[0] == name for pair in self._needed):
                self._add(name, self._natural(name))

    def dims(self, n: int) -> Dims:
        """Return the shapes of the memories for ``n`` parameters."""
        if n not in self._dims:
            self._dims[n] = layout(self.plan, n)
        return self._dims[n]

    def simple(self, reader: str) -> list[tuple[str, int, Lag | None]] | None:
        """Return the values of a reader, if each is a value of the equation or a mass times one.

        For each name the index of the variable, and the lag with the mass; None for an input.  The result is
        None if a value needs more: its initial value, another lateness, the shape of the parameters.
        """
        simple: list[tuple[str, int, Lag | None]] = []
        index = {key: i for i, key in enumerate(self.items)}
        for asked in self.asked[reader]:
            if (reader, asked) not in self.lookup:
                continue
            key = self.lookup[reader, asked]
            variable = self.items[key]
            if variable.kind == "input":
                simple.append((asked, index[key], None))
                continue
            start, pair = self.plan.memories[variable.memory or ""].start, self.late(reader, asked)
            moved = pair is not None and pair[1] != variable.late
            if variable.kind != "linear" or moved or callable(start) or np.any(start):
                return None
            simple.append((asked, index[key], variable.lag))
        return None if self.plan.shape is not None else simple

    def _natural(self, name: str) -> float:
        return 1.0 if self.plan.memories[name].read == "old" else 0.0

    def late(self, reader: str, asked: str) -> tuple[str, float] | None:
        """Return the memory and the lateness of the value that a reader finds under a name."""
        name = asked.removesuffix(OLD)
        if name not in self.plan.memories:
            return None
        if reader == PLACE:
            return name, 0.5
        if asked.endswith(OLD):
            return name, 1.0
        if reader == STEP:
            return name, self._natural(name)
        read, reads = self.plan.memories[name].read, self.plan.memories[reader].read
        earlier = self._names[name] < self._names[reader]
        if read == reads:
            return name, 0.0 if earlier else 1.0
        return name, 0.0 if read == "new" else 1.0

    def _resolve(self, reader: str, asked: str) -> None:
        """Add the variable that a reader finds under a name, and everything that it depends on."""
        pair = self.late(reader, asked)
        if pair is not None:
            self.lookup[reader, asked] = self._add(*pair)
        elif asked.removesuffix(OLD) in _INPUTS and reader != PLACE:
            self.lookup[reader, asked] = self._input(asked.removesuffix(OLD))

    def _input(self, name: str) -> str:
        if name not in self.items:
            if name == "point":
                for asked in self.asked[PLACE]:
                    self._resolve(PLACE, asked)
            # An average with the decay rate 0 has the lag of half an iteration.
            self.items[name] = Variable(name, None, "input", Lag(average(0.0)))
        return name

    def _add(self, name: str, late: float) -> str:
        memory = self.plan.memories[name]
        # A point cannot depend on the gradient that is evaluated there.
        apart = (
            late == 0.5 and memory.constant and memory.decay < 1.0 and "gradient" in feeds(self.plan, memory)
        )
        key = self._named(name, late) if apart or memory.kind == "maximum" else name
        if key in self.items:
            return key
        asked = [x for x in self.asked[name] if x != "alpha"]
        ages = {-0.5 if x == "theta" and memory.read == "old" else 0.5 for x in asked}
        flat = (
            set(asked) <= {"gradient", "theta", f"theta{OLD}"} and len(ages) <= 1 and memory.kind != "maximum"
        )
        if memory.kind == "maximum" and not callable(memory.of):
            self._input("gradient")
        if not flat:
            for x in asked:
                self._resolve(name, x)
        age = (ages or {0.5}).pop() if flat else 0.0
        if memory.kind == "maximum":
            self.items[key] = Variable(key, name, "maximum", Lag(average(0.0)), False, late)
            return key
        if not apart:
            late = 0.5 - age
        lag = Lag(memory, late, age) if memory.constant else VaryingLag(memory, late, age, self._decays(name))
        self.items[key] = Variable(key, name, "linear", lag, flat, late)
        if callable(memory.start) and float(lag.kept(np.array([self._first + 1.0]))[0]) != 0.0:
            start = f"{name}_start"
            self.items[start] = Variable(start, name, "start", lag, True, late)
        return key

    def _named(self, name: str, late: float) -> str:
        """Return a key: the memory's own name for the value that the step reads, or the only one needed."""
        lates = {x for memory, x in self._needed if memory == name}
        own = self._natural(name)
        own = own if own in lates or not lates else max(lates - {0.5}, default=0.5)
        return name if late == own else f"{name}_{({0.0: 'new', 0.5: 'end', 1.0: 'old'})[late]}"

    def _decays(self, name: str) -> Callable[[Array], list[float]]:
        """Return the decay rates of a memory as a function of iterations ``k``."""
        beta: Any = self.plan.memories[name].beta
        asked = list(inspect.signature(beta).parameters)

        def decays(k: Array) -> list[float]:
            values = self.plan.continued(k)
            columns = [np.broadcast_to(values[x], k.shape).tolist() for x in asked if x in values]
            return [float(beta(*row)) for row in zip(*columns, strict=True)]

        return decays
