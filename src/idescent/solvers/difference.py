r"""Collocation of an optimizer's own difference equation on one long element of iterations.

What lives here: :class:`Difference`, the equations and their fixed point.  What does not: the polynomials of
an element (:mod:`idescent.solvers.element`), the choice of elements and the checks between them
(:mod:`idescent.solvers.walk`), and continuous models.

On an element of H iterations after iteration a, theta and every memory are polynomials of degree n of the
iteration k, with the values after iteration k.  P evaluates them at the n Gauss nodes k = a + x, and E takes
their backward difference there, so that P - E evaluates them one iteration earlier.  An average or sum
:math:`M_k = \beta M_{k-1} + c\,h_k` and the step
:math:`\theta_k = (1-\alpha w)\,\theta_{k-1} - \alpha D_k` are, at the nodes,

.. math::
    \bigl((1-\beta)P + \beta E\bigr) M &= c\,h, \\
    E\,\theta &= -\alpha\,\bigl(D + w\,(P-E)\,\theta\bigr)

with :math:`c = 1-\beta` for an average, 1 for an accumulation, and :math:`\beta = c = 1` for a sum.  A
maximum is its source, or decays by :math:`\beta`, all over the element.  The gradient is evaluated where the
optimizer does, from :math:`(P-E)\theta`; D and h have the memories PM, or (P - E)M if they read the old ones.
These n equations and the state after iteration a determine the n + 1 coefficients of each polynomial.

No term is approximated by a derivative: a polynomial that satisfies them is the run, up to its own
resolution, for any number of iterations.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from idescent.objectives.protocol import CountedObjective
from idescent.optimizers.declared import DeclaredMemory
from idescent.optimizers.plan import Plan, Values
from idescent.optimizers.structure import structure
from idescent.solvers.acceleration import Anderson
from idescent.solvers.element import NODES, Element, Operators, State, tables, tail

Array = NDArray[np.float64]
Rate = Callable[[Array], Array]
"""Learning rate of any iterations k, real numbers."""

# Differences that the acceleration stores, and the most sweeps of an element.
DEPTH, SWEEPS, INNER = 10, 30, 60
# Resolution of D and the memories, relative to their size on the element.
LOCAL = 1e-4
# Corrections smaller than this, relative to a field, are rounding.
ROUNDING = 1e-14
# Largest change of theta on an element at rest, relative to theta.
REST = 256.0 * float(np.finfo(np.float64).eps)
# A fixed point whose correction exceeds its smallest one by this factor diverges.
DIVERGED = 1e3


class UnableError(Exception):
    """The declaration of the optimizer cannot be evaluated at several iterations in one call."""


@dataclass(frozen=True)
class Outcome:
    r"""An element with the measures of its resolution.

    Attributes
    ----------
    element : Element or None
        None if the fixed point did not converge.
    sweeps : int
    error : float
        Estimated error of theta from the resolution of the element: the largest of the last two Legendre
        coefficients of :math:`\alpha D` and of the memories, relative to their size, times the change H max
        :math:`|\alpha D|` of theta.
    correction : float
        Last change of theta in the fixed point.
    relative : float
        The largest last coefficient of D and the memories, relative to the limit 1e-4 of their size, and that
        of the memories to the tolerance of their size in the run; at most 1 in an element that is accepted.
    """

    element: Element | None
    sweeps: int
    error: float = math.inf
    correction: float = math.inf
    relative: float = math.inf


@dataclass(frozen=True)
class Aim:
    """Accuracy of an element.

    Attributes
    ----------
    theta : float
        Error of theta.
    relative : float
        Error of a memory, relative to its largest absolute value ``largest`` in the run, by name.
    largest : dict of str to float
    noise : dict of str to float
        Rounding of a memory in the last iterations: its own digits need not be resolved below.
    """

    theta: float
    relative: float
    largest: dict[str, float]
    noise: dict[str, float]


class Difference:
    """The difference equation of an optimizer on an objective.

    Parameters
    ----------
    plan : Plan
    objective : CountedObjective
    rate : callable
        Learning rate of iterations k.

    Attributes
    ----------
    cyclic : bool
        Whether a memory feeds itself through others or D: its equations are solved by an inner fixed point,
        with the gradients of a sweep.
    """

    def __init__(self, plan: Plan, objective: CountedObjective, rate: Rate) -> None:
        self.plan, self.objective, self.rate = plan, objective, rate
        self.ndim = len(plan.shape or (1,))
        memories = structure(plan.optimizer).memories.values()
        self.cyclic = any(memory.cyclic or "direction" in memory.feeds for memory in memories)

    def values(self, old: State, k: Array) -> Values:
        """Return the values by name before iterations ``k``, shape (m,), in a new dict."""
        shape = (-1,) + (1,) * self.ndim
        values: Values = {name: value.reshape(shape) for name, value in self._numbers(k).items()}
        values["alpha"] = self.rate(k).reshape(shape)
        return values | old

    def _numbers(self, k: Array) -> dict[str, Array]:
        try:
            numbers = self.plan.continued(k)
            return {name: np.broadcast_to(value, k.shape) for name, value in numbers.items()}
        except (TypeError, ValueError) as error:
            raise UnableError("a sequence takes one iteration at a time") from error

    def decay(self, memory: DeclaredMemory, values: Values) -> Any:
        """Return the decay rate of a memory: a number, or one for each iteration."""
        if memory.constant:
            return memory.decay
        names = [name for name in inspect.signature(memory.beta).parameters if name in values]  # type: ignore[arg-type]
        # One by one: a decay rate need not take arrays.
        columns = [np.ravel(values[name]).tolist() for name in names]
        rates = [memory.beta(*numbers) for numbers in zip(*columns, strict=True)]  # type: ignore[operator]
        return np.array(rates, dtype=np.float64)

    def collocate(
        self, start: State, first: int, length: int, guess: Array, aim: Aim, falling: dict[str, Array]
    ) -> Outcome:
        """Solve the equations of an element by an accelerated fixed point.

        Parameters
        ----------
        start : dict of str to ndarray
            State after iteration ``first``.
        first, length : int
        guess : ndarray, shape (n,)
            Change of theta in an iteration.
        aim : Aim
        falling : dict of str to ndarray of bool
            For each maximum, the coordinates at which it decays.

        Returns
        -------
        Outcome
            The fixed point has converged if theta changes by less than 3 % of its error allowed, and each
            memory by less than 10 % of its own.  Where theta moves by rounding alone, it need not converge.

        Raises
        ------
        UnableError
            If a function of the declaration takes one iteration at a time.
        """
        sweep = _Sweep(self, start, first, length, falling)
        changes = {name: np.zeros((NODES, value.size)) for name, value in start.items()}
        points = 0.5 * (1.0 - np.cos(np.pi * np.arange(1, NODES + 1) / NODES))
        changes["theta"] = length * points[:, None] * guess.ravel()
        mixing, least = _Mixing(), math.inf
        for count in range(1, SWEEPS + 1):
            new = sweep(changes)
            if new is not None and self.cyclic:
                new = self._inner(sweep, changes, new)
            if new is None:
                return Outcome(None, count)
            scales = sweep.scales(new)
            floors = {name: aim.noise.get(name, 0.0) / (0.1 * LOCAL) for name in new}
            size = max(
                float((np.abs(new[name] - changes[name]) / np.maximum(scale, floors[name])).max())
                for name, scale in scales.items()
            )
            least = min(least, size)
            # At rest theta moves by rounding, and so do its gradient and the memories, beside their size.
            change = float(np.abs(new["theta"]).max())
            rest = change <= REST * float(np.abs(start["theta"]).max())
            if not rest and (not size <= DIVERGED * least or (count > 12 and size > 1e-2)):
                return Outcome(None, count)
            least_change = max(ROUNDING, min(0.1 * LOCAL, 0.03 * aim.theta / max(sweep.size, 1e-300)))
            if (rest or size <= least_change) and sweep.memories_meet(new, changes, aim):
                error = change if rest else sweep.size * sweep.resolution(new, scales, {})
                relative = 0.0 if rest else sweep.resolution(new, scales, floors) / LOCAL
                element = Element(first, length, start, new) if sweep.one_branch() else None
                relative = max(relative, sweep.unresolved(new, aim))
                correction = change if rest else sweep.size * min(size, 1.0)
                return Outcome(element, count, error, correction, relative)
            changes = mixing.step(changes, new, scales)
        return Outcome(None, SWEEPS)

    def _inner(self, sweep: _Sweep, changes: dict[str, Array], new: dict[str, Array] | None) -> Any:
        """Solve the equations of memories that feed themselves, with the gradients of the last sweep."""
        mixing = _Mixing()
        for _ in range(INNER):
            if new is None:
                return None
            scales = sweep.scales(new)
            size = max(float((np.abs(new[n] - changes[n]) / scale).max()) for n, scale in scales.items())
            if size <= 1e-13:
                break
            changes = mixing.step(changes, new, scales)
            new = sweep(changes, fresh=False)
        return new


class _Mixing:
    """Anderson acceleration of the fields of an element, in the scales of its first call."""

    def __init__(self) -> None:
        self.anderson, self.scales = Anderson(DEPTH), dict[str, Array]()

    def step(
        self, changes: dict[str, Array], new: dict[str, Array], scales: dict[str, Array]
    ) -> dict[str, Array]:
        """Return the next fields from the last ones, and from those that a sweep returned."""
        if not self.scales:
            self.scales = scales
            return new
        point = np.concatenate([(changes[n] / scale).ravel() for n, scale in self.scales.items()])
        moves = [((new[n] - changes[n]) / scale).ravel() for n, scale in self.scales.items()]
        step, at, mixed = self.anderson.step(point, np.concatenate(moves)), 0, dict(changes)
        for name, value in changes.items():
            part = step[at : at + value.size].reshape(value.shape)
            mixed[name] = value + part * self.scales[name]
            at += value.size
        return mixed


class _Sweep:
    """One sweep over an element: gradients, memories in the order of their updates, and theta."""

    def __init__(
        self, equation: Difference, start: State, first: int, length: int, falling: dict[str, Array]
    ) -> None:
        self.equation, self.start, self.first, self.length = equation, start, first, length
        self.falling = falling
        self.operators = Operators(length)
        self.k = first + self.operators.x
        self.constants = equation.values({}, self.k)
        self.sources: dict[str, Array] = {}
        self.margins: list[Array] = []
        self.size, self.gradient = math.nan, np.empty(0)

    def __call__(self, changes: dict[str, Array], *, fresh: bool = True) -> dict[str, Array] | None:
        """Return new changes; None if a number is not finite.

        If it is not ``fresh``, the gradients are those of the last call.
        """
        equation, plan, start = self.equation, self.equation.plan, self.start
        old_matrix = self.operators.at - self.operators.difference
        old = {
            name: value + (old_matrix @ changes[name]).reshape((NODES, *value.shape))
            for name, value in start.items()
        }
        values = self.constants | old
        try:
            point = plan.locate(values)
        except (TypeError, ValueError) as error:
            raise UnableError("point takes one iteration at a time") from error
        if not np.isfinite(point).all():
            return None
        gradient = self.gradient = equation.objective.gradient(point) if fresh else self.gradient
        if plan.shape is not None:
            gradient = gradient.reshape(gradient.shape[:-1] + plan.shape)
        values["gradient"] = gradient + plan.coupled * values["point"] if plan.coupled else gradient
        values |= {f"{name}_old": value for name, value in old.items()}
        new: dict[str, Array] = {}
        self.margins = []
        try:
            for name, memory in plan.memories.items():
                if memory.read == "new":
                    new[name] = self._memory(name, memory, values)
            direction = np.broadcast_to(plan.direction(values), old["theta"].shape)
            rate = values["alpha"]
            moved = rate * direction
            if plan.decoupled:
                # The run multiplies by the rounded 1 - alpha w: its complement is exact.
                moved = moved + (1.0 - (1.0 - rate * plan.decoupled)) * old["theta"]
            flat = moved.reshape(NODES, -1)
            self.sources["theta"] = flat
            new["theta"] = self.operators.solve(1.0, -flat, np.zeros(flat.shape[1]))
            values["theta"] = self._at(new["theta"], start["theta"])
            values["direction"] = direction
            for name, memory in plan.memories.items():
                if memory.read == "old":
                    new[name] = self._memory(name, memory, values)
        except (TypeError, ValueError, np.linalg.LinAlgError) as error:
            raise UnableError("a function of the declaration takes one iteration at a time") from error
        self.size = self.length * float(np.abs(flat).max())
        new = {name: new[name] for name in start}
        return new if all(np.isfinite(value).all() for value in new.values()) else None

    def _at(self, change: Array, start: Array) -> Array:
        return start + (self.operators.at @ change).reshape((NODES, *start.shape))

    def _memory(self, name: str, memory: DeclaredMemory, values: Values) -> Array:
        start = self.start[name]
        source = np.broadcast_to(self.equation.plan.sources[name](values), (NODES, *start.shape))
        source = source.reshape(NODES, -1)
        rate = self.equation.decay(memory, values)
        if memory.kind == "maximum":
            falling = self.falling[name].ravel()
            change = self.operators.solve(0.0, source, start.ravel())
            if falling.any():
                zero = np.zeros_like(source)
                change = np.where(falling, self.operators.solve(rate, zero, start.ravel()), change)
            faded = np.reshape(rate, (-1, 1)) * values[name].reshape(NODES, -1)
            margin = np.where(falling, faded - source, source - faded)
            self.margins.append(margin + 1e-13 * np.abs(faded))
        else:
            gain = np.reshape(1.0 - np.asarray(rate), (-1, 1)) if memory.kind == "average" else 1.0
            self.sources[name] = source
            change = self.operators.solve(rate, gain * source, start.ravel())
        values[name] = self._at(change, start)
        return change

    def scales(self, new: dict[str, Array]) -> dict[str, Array]:
        """Return the size of each field by coordinate, shape (width,)."""
        sizes: dict[str, Array] = {}
        for name, start in self.start.items():
            size = np.abs(new[name] + start.ravel()).max(axis=0)
            if name == "theta":
                size = np.full_like(size, max(self.size, 1e-300))
            sizes[name] = np.maximum(size, max(float(size.max()) * 1e-12, 1e-300))
        return sizes

    def resolution(self, new: dict[str, Array], scales: dict[str, Array], floors: dict[str, float]) -> float:
        """Return the largest of the last coefficients, relative to the size of theta's change or a field."""
        worst = float(tail(self.sources["theta"]).max()) * self.length / max(self.size, 1e-300)
        for name, change in new.items():
            if name != "theta":
                at = self.operators.at @ change
                worst = max(worst, float((tail(at) / np.maximum(scales[name], floors.get(name, 0.0))).max()))
        return worst

    def memories_meet(self, new: dict[str, Array], old: dict[str, Array], aim: Aim) -> bool:
        """Whether the memories changed by less than their accuracy."""
        least = max(0.1 * aim.relative, ROUNDING)
        return all(
            float(np.abs(new[name] - old[name]).max()) <= least * largest
            for name, largest in aim.largest.items()
        )

    def unresolved(self, new: dict[str, Array], aim: Aim) -> float:
        """Return the largest last coefficient of a memory, relative to its accuracy."""
        tails = {name: float(tail(self.operators.at @ new[name]).max()) for name in aim.largest}
        parts = (value / (aim.relative * aim.largest[name]) for name, value in tails.items())
        return max(parts, default=0.0)

    def one_branch(self) -> bool:
        """Whether each maximum decays, or follows its source, all over the element."""
        if not self.margins:
            return True
        fine = legendre.legvander(np.linspace(-1.0, 1.0, 8 * NODES + 1), NODES - 1) @ tables()[3]
        return all(bool((fine @ margin >= 0.0).all()) for margin in self.margins)
