r"""Collocation of several iterations of an optimizer in one: long elements along an oscillation.

What lives here: :class:`Branches`, an element with a polynomial for even and one for odd iterations, and
:func:`collocate`, its equations and Newton's method.  What does not: elements with a single polynomial and
their fixed point (:mod:`idescent.solvers.difference`), and the choice of elements
(:mod:`idescent.solvers.walk`).

Near a minimum RMSProp steps over it in every iteration: :math:`\theta_k = a_k + (-1)^k b_k` with smooth a
and b.  Every second iterate is then smooth.  With the map :math:`F_k` of iteration k on the state S (theta
and the memories) it satisfies

.. math:: S(k) = F_k\bigl(F_{k-1}(S(k-2))\bigr)

at the Gauss nodes of an element, and the iterates between are :math:`F_k(S(k-1))`.  A fixed point of this
equation diverges on a long element, as a step over the minimum has a derivative near -1.  Newton's method
takes the derivative of the gradient from difference quotients, at n gradients for each node and iteration;
that of the declared functions costs no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from idescent.optimizers.plan import Plan
from idescent.solvers.difference import LOCAL, REST, ROUNDING, Aim, Difference, Outcome, UnableError
from idescent.solvers.element import NODES, Element, Operators, State, tail
from idescent.solvers.walk_checks import EPSILON, Rows, meets, noise, tolerances

Array = NDArray[np.float64]
Gradient = Callable[[Array], Array]

# Most parameters: the Jacobian is dense, and its gradients must cost less than the iterations.
PARAMETERS = 16
# Most Newton steps, the one that computes the derivatives of the gradient again, and most shorter steps.
NEWTON, AGAIN, SHORTER = 10, 3, 3
# Relative steps of the difference quotients: forward ones of a gradient, central ones of declared functions.
FORWARD, CENTRAL = 2.0**-26, 2.0**-14
# Points of an element after its start, and all of them, in (0, 1] and [0, 1].
POINTS = 0.5 * (1.0 - np.cos(np.pi * np.arange(NODES + 1) / NODES))


@dataclass(frozen=True)
class Stable(Element):
    """An element with a known stability.

    Attributes
    ----------
    growth : float
        Growth of a neighbour by iteration: the logarithm of the spectral radius of the iteration, or half of
        that of two, where it is above 1; a mean over all nodes.
    """

    growth: float


@dataclass(frozen=True)
class Branches(Stable):
    """Polynomials of every other iteration from ``first`` to ``first + length``, an even number.

    Attributes
    ----------
    odd : Element
        Polynomials of the iterations between, from ``first + 1``.
    """

    odd: Element

    def state(self, k: Array) -> State:
        """Return theta and the memories after iterations ``k``, shape (m,)."""
        even, odd = super().state(k), self.odd.state(k)
        between = np.floor(np.asarray(k) - self.first) % 2.0 == 1.0
        return {
            name: np.where(between.reshape((-1,) + (1,) * (value.ndim - 1)), odd[name], value)
            for name, value in even.items()
        }


def able(plan: Plan, parameters: int) -> bool:
    """Whether :func:`collocate` takes an optimizer.

    It takes no maximum, which switches, no decay rate that depends on k, which need not take arrays, and few
    parameters.
    """
    simple = all(memory.constant and memory.kind != "maximum" for memory in plan.memories.values())
    return simple and parameters <= PARAMETERS


def alternate(rows: list[Array]) -> list[Array]:
    """Return every second one of the last 33 rows, the last one included."""
    return rows[-33:][::-2][::-1]


def growth(element: Element, probe: Callable[[int], float]) -> float:
    """Return the growth of a neighbour, by iteration: known at all nodes, or from ``probe``."""
    if not isinstance(element, Stable):
        return probe(element.length)
    return element.growth if probe(0) < math.inf else math.inf


def collocate(equation: Difference, rows: Rows, first: int, length: int, period: int, aim: Aim) -> Outcome:
    """Solve the equations of an element by Newton's method.

    Parameters
    ----------
    equation : Difference
    rows : dict of str to list of ndarray
        Theta and the memories of the last iterations, at least 25, up to ``first``.
    first, length : int
        A length that is not a multiple of ``period`` is shortened.
    period : {1, 2}
        2 along an oscillation.
    aim : Aim
        The noise is computed again along an oscillation.
    """
    if period == 2:
        aim = replace(aim, noise=noise({name: alternate(values) for name, values in rows.items()}))
    start, last, past = ({name: values[-1 - j] for name, values in rows.items()} for j in (0, 8, 16))
    outcome = _Newton(equation, start, first, length, period, aim).solve((last, past))
    element, near = outcome.element, tolerances(aim)
    for at in range(1, period + 1):
        before = {name: values[-1 - at] for name, values in rows.items()}
        if element is not None and not meets(element, first - at, before, near):
            # An oscillation is left out of a branch.
            return Outcome(None, outcome.sweeps)
    return outcome


class _Newton:
    """Newton's method on one element; states are rows: theta, then the memories."""

    def __init__(
        self, equation: Difference, start: State, first: int, length: int, period: int, aim: Aim
    ) -> None:
        self.equation, self.first, self.period, self.aim = equation, first, period, aim
        self.length = length - length % period
        self.shapes = {name: value.shape for name, value in start.items()}
        self.start, self.initial = start, self.row(start)
        # A unit of the operators is a period.
        self.operators = Operators(self.length // period)
        self.back = self.operators.at - self.operators.difference
        self.k = first + period * self.operators.x
        self.growth = math.inf
        self.n, self.size = start["theta"].size, self.initial.size
        self.largest = np.concatenate(
            [np.full(value.size, aim.largest.get(name, 0.0)) for name, value in start.items()]
        )
        self.noise = np.concatenate(
            [np.full(value.size, aim.noise.get(name, 0.0)) for name, value in start.items()]
        )

    def row(self, state: State) -> Array:
        """Return a state as a row, shape (size,)."""
        return np.concatenate([state[name].ravel() for name in self.shapes])

    def states(self, rows: Array) -> State:
        """Return rows, shape (m, size), by name."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes.values()])
        parts = zip(self.shapes.items(), np.split(rows, ends[:-1], axis=1), strict=True)
        return {name: part.reshape((-1, *shape)) for (name, shape), part in parts}

    def solve(self, before: tuple[State, State]) -> Outcome:
        """Return an element, from a parabola through the states 8 and 16 iterations before its start."""
        near, far = (self.row(state) - self.initial for state in before)
        x = self.length / 8.0 * POINTS[1:, None]
        changes = 0.5 * far * x * (x + 1.0) - near * x * (x + 2.0)
        slopes, step, part, shorter = list[Array](), np.zeros_like(changes), 1.0, 0
        size = math.inf
        enough = max(0.1 * self.aim.relative, ROUNDING) * self.largest
        enough[: self.n] = max(0.03 * self.aim.theta, 4.0 * EPSILON * np.abs(self.initial[: self.n]).max())
        for count in range(1, NEWTON + 1):
            chain = self.chain(changes)
            if chain is None:
                shorter += 1
                if count == 1 or shorter > SHORTER:
                    break
                changes, part = changes - 0.75 * part * step, 0.25 * part
                continue
            if count == 1 or count == AGAIN:
                slopes = [self.hessian(iteration) for iteration in chain]
            step, part = self.correction(changes, chain, slopes), 1.0
            if not np.isfinite(step).all():
                break
            changes = changes + step
            last, size = size, float((np.abs(step).max(axis=0) / np.maximum(enough, 1e-300)).max())
            # The moves have the error of the last step: they sum up over the element.
            if size <= 1.0 and (size <= 1.0 / self.length or size > 0.1 * last):
                return self.outcome(changes, chain, float(np.abs(step[:, : self.n]).max()), count)
        return Outcome(None, count)

    def chain(self, changes: Array) -> list[_Iteration] | None:
        """Return the iterations of a period up to the nodes; None if a number is not finite."""
        old, chain = self.initial + self.back @ changes, list[_Iteration]()
        for left in range(self.period - 1, -1, -1):
            chain.append(self.iteration(old, self.k - left, self.equation.objective.gradient))
            old = chain[-1].new
            if not np.isfinite(old).all():
                return None
        return chain

    def iteration(self, old: Array, k: Array, gradient: Gradient) -> _Iteration:
        """Compute iterations ``k``, shape (m,), of states, shape (m, size)."""
        plan, values = self.equation.plan, self.equation.values(self.states(old), k)
        try:
            point = plan.locate(values)
            slope = gradient(point)
            theta, rate = values["theta"], values["alpha"]
            plan.advance(values, slope)
        except (TypeError, ValueError, np.linalg.LinAlgError) as error:
            raise UnableError("a function of the declaration takes one iteration at a time") from error
        # The difference of two thetas would lose the last digits of a move.
        moves = np.broadcast_to(-rate * values["direction"], theta.shape)
        if plan.decoupled:
            moves = moves - (1.0 - (1.0 - rate * plan.decoupled)) * theta
        new = [np.broadcast_to(values[name], (len(k), *shape)) for name, shape in self.shapes.items()]
        rows = np.hstack([value.reshape(len(k), -1) for value in new])
        return _Iteration(old, k, point, slope, rows, moves.reshape(len(k), -1))

    def hessian(self, iteration: _Iteration) -> Array:
        """Return the derivative of the gradient at the points of an iteration, shape (m, n, n)."""
        (m, n), point = iteration.point.shape, iteration.point
        change = FORWARD * max(float(np.abs(point).max()), float(np.abs(iteration.moves).max()))
        moved = (point + change * np.eye(n)[:, None]).reshape(-1, n)
        slopes = self.equation.objective.gradient(moved).reshape(n, m, n)
        return np.moveaxis((slopes - iteration.slope) / change, 0, -1)

    def jacobian(self, iteration: _Iteration, hessian: Array) -> Array:
        """Return the derivative of an iteration by the state before it, shape (m, size, size)."""
        (m, n), old, size = iteration.point.shape, iteration.old, self.size

        def linear(point: Array) -> Array:
            away = point.reshape(-1, m, n) - iteration.point
            slope: Array = (iteration.slope + np.einsum("mij,pmj->pmi", hessian, away)).reshape(-1, n)
            return slope

        sizes = np.abs(iteration.new)
        sizes = np.maximum(sizes, 1e-6 * sizes.max(axis=0))
        theta = np.abs(old[:, :n]).max()
        sizes[:, :n] = max(float(np.abs(iteration.moves).max()), EPSILON / CENTRAL**2 * theta)
        steps = np.maximum(CENTRAL * sizes, 1e-300)
        shifts = np.eye(size)[:, None] * steps
        both = np.concatenate((old + shifts, old - shifts)).reshape(-1, size)
        moved = self.iteration(both, np.tile(iteration.k, 2 * size), linear)
        moved.new[:, :n] = moved.moves
        up, down = moved.new.reshape(2, size, m, size)
        derivative: Array = np.moveaxis((up - down) / (2.0 * steps.T[:, :, None]), 0, -1)
        derivative[:, :n, :n] += np.eye(n)
        return derivative

    def source(self, chain: list[_Iteration]) -> Array:
        """Return the moves of theta in a period, shape (m, n)."""
        return np.asarray(np.sum([iteration.moves for iteration in chain], axis=0))

    def correction(self, changes: Array, chain: list[_Iteration], slopes: list[Array]) -> Array:
        """Return a Newton step of the changes."""
        n, size = self.n, self.size
        residual = self.operators.at @ changes + self.initial - chain[-1].new
        residual[:, :n] = self.operators.difference @ changes[:, :n] - self.source(chain)
        product = np.eye(size)
        for iteration, slope in zip(chain, slopes, strict=True):
            product = self.jacobian(iteration, slope) @ product
        finite = np.isfinite(product).all()
        radii = np.abs(np.linalg.eigvals(product)).max(axis=1) if finite else np.full(NODES, math.inf)
        self.growth = float(np.log(np.maximum(radii, 1.0)).mean()) / self.period
        product[:, :n, :n] -= np.eye(n)
        matrix = -np.einsum("mij,ml->milj", product, self.back)
        for i in range(size):
            matrix[:, i, :, i] += self.operators.difference if i < n else self.operators.at
        try:
            step = np.linalg.solve(matrix.reshape(NODES * size, -1), -residual.ravel())
        except np.linalg.LinAlgError:
            return np.full_like(changes, np.nan)
        return step.reshape(NODES, size)

    def outcome(self, changes: Array, chain: list[_Iteration], correction: float, count: int) -> Outcome:
        """Return the element of these changes, with the measures of its resolution."""
        n, moves = self.n, np.stack([iteration.moves for iteration in chain])
        source, largest = self.source(chain), max(float(np.abs(moves).max()), 1e-300)
        values = (self.operators.at @ changes + self.initial)[:, n:]
        # Rounding errors of the run are no part of the resolution.
        tails = np.maximum(tail(values) - 4.0 * self.noise[n:], 0.0)
        noise = 4.0 * EPSILON * float(np.abs(self.initial[:n]).max())
        relative = float((tails / np.maximum(np.abs(values).max(axis=0), 1e-300)).max(initial=0.0))
        units = self.length / self.period
        error = units * max(float(tail(source).max()) - noise, 0.0)
        error = max(error, relative * (units * float(np.abs(source).max()) + largest))
        rest = self.period == 1 and units * largest <= REST * float(np.abs(self.initial[:n]).max())
        error = units * largest if rest else error
        relative = (
            0.0
            if rest
            else max(relative, (max(float(tail(part).max()) for part in moves) - noise) / largest) / LOCAL
        )
        relative = max(relative, float((tails / (self.aim.relative * self.largest[n:])).max(initial=0.0)))
        if self.period == 1:
            element = Stable(self.first, self.length, self.start, self.flat(changes), self.growth)
            return Outcome(element, count, error, correction, relative)
        # The iterates between follow by one iteration from those at the points of the element.
        rows = self.initial + np.concatenate((np.zeros((1, self.size)), changes))
        k = self.first + 1.0 + self.length * POINTS
        rows = self.iteration(rows, k, self.equation.objective.gradient).new
        start = {name: value[0] for name, value in self.states(rows).items()}
        odd = Element(self.first + 1, self.length, start, self.flat(rows[1:] - rows[0]))
        element = Branches(self.first, self.length, self.start, self.flat(changes), self.growth, odd)
        return Outcome(element, count, error, correction, relative)

    def flat(self, changes: Array) -> dict[str, Array]:
        """Return changes by name, shape (n, width) each."""
        return {name: value.reshape(NODES, -1) for name, value in self.states(changes).items()}


@dataclass(frozen=True)
class _Iteration:
    """Iterations ``k`` of states ``old``: points and gradients, states after them, and moves of theta."""

    old: Array
    k: Array
    point: Array
    slope: Array
    new: Array
    moves: Array
