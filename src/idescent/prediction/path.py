"""The path of a prediction: choice of the steps, and theta at any iteration between them.

What lives here: the march over the steps, and the dense output.  What does not: one step
(:mod:`idescent.prediction.leapfrog`), and the errors (:mod:`idescent.prediction.passes`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop

from idescent.optimizers.plan import Values
from idescent.prediction.arrays import Array, Counted, finite
from idescent.prediction.leapfrog import Leapfrog, State
from idescent.prediction.start import Start, run

# Numbers in the nodes of a path that are stored.  A longer path is integrated again for every call.
STORED = 2**24
# Largest ratio of successive steps, the first one, and the least ratio after an unstable step.
_GROWTH, _FIRST, _CUT = 1.4, 1.0, 0.4
# The next step aims at this fraction of the indicator allowed.
_SAFETY = 0.9


@dataclass(frozen=True)
class Node:
    """A point of the path: a state of the model, or theta after a true iteration, with the velocity None."""

    s: float
    theta: Array
    velocity: Array


class Planned:
    """Steps that are known before the march.

    Parameters
    ----------
    steps : sequence of float
    watch : bool
        Whether to compute the indicators.
    """

    def __init__(self, steps: Sequence[float], watch: bool = False) -> None:
        self.count, self.length = len(steps), math.fsum(steps)
        self.watch, self._steps = watch, iter(steps)

    def next(self, indicator: float) -> float | None:
        """Return the next step, or None after the last one."""
        return next(self._steps, None)


class Adaptive:
    """Pairs of equal steps that keep the indicator of a step near a value.

    Parameters
    ----------
    allowed : float
        Indicator aimed at.
    """

    watch = True

    def __init__(self, allowed: float) -> None:
        self.count = self.length = None
        self.allowed, self.d = allowed, _FIRST
        self._made, self._largest = 0, 0.0

    def next(self, indicator: float) -> float:
        """Return the next step, an integer."""
        self._largest = max(self._largest, indicator)
        if self._made == 2:
            self.d = grown(self.d, _SAFETY * (self.allowed / max(self._largest, 1e-12)) ** 0.5)
            self._made, self._largest = 0, 0.0
        self._made += 1
        return self.d


def grown(d: float, factor: float) -> float:
    """Return an integer step near ``factor`` times ``d``, within the limits of the growth."""
    factor = min(_GROWTH, max(_CUT, factor))
    wanted = float(int(d * factor))
    # Small steps grow by 1 although the ratio is larger than the limit.
    return max(1.0, max(wanted, d + 1.0) if factor > 1.2 else max(wanted, d) if factor >= 1.0 else wanted)


def fixed(s: float, end: float, h: float) -> list[float]:
    """Return pairs of equal steps from ``s`` to ``end`` that grow from 1 to ``h``."""
    steps: list[float] = []
    d = min(h, _FIRST)
    while s < end:
        steps += [d, d]
        s += 2.0 * d
        d = min(h, grown(d, _GROWTH)) if d < h else h
    return steps


def march(
    leapfrog: Leapfrog,
    objective: Counted,
    state: State,
    end: float,
    steps: Planned | Adaptive,
    most: float,
) -> Iterator[tuple[State, float]]:
    """Yield the state after each step, and the step's indicator.

    The march ends at ``end``, after the last step, before the objective has more than ``most`` gradients, and
    before a state that is not finite.
    """
    indicator = 0.0
    while state.s < end and objective.gradients < most:
        d = steps.next(indicator)
        if d is None:
            return
        state, indicator = leapfrog.step(objective, state, d, steps.watch)
        if not finite(state.theta) or not finite(state.gradient):
            return
        yield state, indicator


def between(a: Node, b: Node, k: float) -> Array:
    """Interpolate theta by the cubic polynomial with the values and slopes at two nodes."""
    d = b.s - a.s
    x = (k - a.s) / d
    value = (1.0 + 2.0 * x) * (1.0 - x) ** 2 * a.theta + x * x * (3.0 - 2.0 * x) * b.theta
    return value + (x * (1.0 - x) ** 2 * d) * a.velocity - (x * x * (1.0 - x) * d) * b.velocity


def interpolated(nodes: Iterable[Node], due: list[int]) -> Iterator[tuple[int, Array]]:
    """Yield iterations and theta there while the nodes pass by.

    ``due`` is a heap of iterations, from which those that are yielded are removed; the caller may add later
    ones.
    """
    before = None
    for node in nodes:
        while due and due[0] <= node.s:
            k = heappop(due)
            yield k, node.theta if before is None or k == node.s else between(before, node, k)
        if not due:
            return
        before = node


@dataclass
class Path:
    """A path from a start through steps, as nodes that are stored or computed again.

    Attributes
    ----------
    leapfrog, objective
    start : Start
    state : State
        First state of the model.
    steps : list of float
    nodes : list of Node or None
        None if they have more than ``STORED`` numbers.
    states : list of State or None
        States after each step; None until the moments are asked for, or if they are too many.
    """

    leapfrog: Leapfrog
    objective: Counted
    start: Start
    state: State
    steps: list[float]
    nodes: list[Node] | None = field(default=None, repr=False)
    states: list[State] | None = field(default=None, repr=False)

    def node(self, state: State) -> Node:
        """Return the node of a state, and store it."""
        node = Node(state.s, state.theta, self.leapfrog.velocity(state))
        self.nodes = stored(self.nodes, node)
        return node

    @property
    def last(self) -> float:
        """k-time of the last node."""
        return self.state.s + sum(self.steps)

    def moments(self, k: int) -> Values:
        """Return the memories of the optimizer after iteration ``k``, as operands of its declaration.

        The model's state at :math:`k - 1/2` is a step from the last one before it.  The states are computed
        once and stored if they have at most ``STORED`` numbers; else each call computes them again.
        """
        s, state = k - 0.5, self.state
        for after in self._states():
            if after.s > s:
                break
            state = after
        if state.s < s:
            state = self.leapfrog.step(self.objective, state, s - state.s, False)[0]
        return self.leapfrog.moments(state, float(k))

    def _states(self) -> Iterator[State]:
        """Yield the states of the model after the first one."""
        if self.states is None:
            width = (3 + len(self.state.memories)) * self.state.theta.shape[0]
            march_again = march(
                self.leapfrog, self.objective, self.state, math.inf, Planned(self.steps), math.inf
            )
            states = (state for state, _ in march_again)
            if len(self.steps) * width > STORED:
                return states
            self.states = list(states)
        return iter(self.states)

    def walk(self) -> Iterator[Node]:
        """Yield the nodes, the true iterations among them."""
        if self.nodes is not None:
            yield from self.nodes
            return
        for part in run(self.leapfrog, self.objective, self.start):
            if not isinstance(part, State):
                yield Node(float(part[0]), part[1], None)
        yield from self.model()

    def model(self) -> Iterator[Node]:
        """Compute the nodes of the model."""
        yield Node(self.state.s, self.state.theta, self.leapfrog.velocity(self.state))
        steps = Planned(self.steps)
        for state, _ in march(self.leapfrog, self.objective, self.state, math.inf, steps, math.inf):
            yield Node(state.s, state.theta, self.leapfrog.velocity(state))


def stored(nodes: list[Node] | None, node: Node) -> list[Node] | None:
    """Append a node; return None if the nodes have more numbers than are stored."""
    if nodes is None or 2 * (len(nodes) + 1) * node.theta.shape[0] > STORED:
        return None
    nodes.append(node)
    return nodes


def halves(steps: Sequence[float]) -> list[float]:
    """Return the steps with each one divided: into integers, or into halves of 1."""
    parts = []
    for d in steps:
        half = float(int(d / 2.0)) if d >= 2.0 else d / 2.0
        parts += [half, d - half]
    return parts
