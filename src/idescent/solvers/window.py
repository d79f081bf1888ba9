"""One window of elements: memories from the path, path from the memories, until both agree.

What lives here: the fixed point (waveform relaxation) on a given mesh.  Where the mesh ends, how long
elements are and what is accepted is decided in :mod:`idescent.solvers.collocation`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import Memory
from idescent.solvers.acceleration import Anderson
from idescent.solvers.newton import Chain, Term, hessian_at, newton_step, square_terms
from idescent.solvers.problem import Problem
from idescent.solvers.radau import Radau

Array = NDArray[np.float64]

# Relative size of the rounding that piles up in one window's sums: no mesh or sweep can do better.
ROUNDING = 4e-15

# Sweeps that the next one is made from where there is no Hessian.
DEPTH = 5

# Where elements are relaxed in turn: each to this share of the last round's correction.
INNER = 0.1


class ExhaustedError(Exception):
    """No more gradients may be taken."""


@dataclass
class State:
    """The solution at one point of k-time.

    Attributes
    ----------
    s : float
    theta : ndarray, shape (n,)
    memories : list of ndarray, shape (n,) or (1,)
    """

    s: float
    theta: Array
    memories: list[Array]


@dataclass
class Window:
    """A mesh of E elements behind a known state, with the path on it.

    Attributes
    ----------
    start : State
    lengths : ndarray, shape (E,)
    theta : ndarray, shape (E, p, n)
        Path at the nodes.
    memories : list of ndarray, shape (E, p, width)
        Filled by :func:`relax_window`.
    """

    start: State
    lengths: Array
    theta: Array
    memories: list[Array] = field(default_factory=list)

    @property
    def edges(self) -> Array:
        """Element boundaries, shape (E + 1,)."""
        return self.start.s + np.concatenate(([0.0], np.cumsum(self.lengths)))

    def with_left(self, values: Array, first: Array) -> Array:
        """Prepend each element's left value: shape (E, p + 1, width)."""
        left = np.concatenate((first[None], values[:-1, -1]))
        return np.concatenate((left[:, None], values), axis=1)


@dataclass(frozen=True)
class Outcome:
    """How a relaxation ended: sweeps, last correction, whether it converged; largest entry of the Hessian."""

    sweeps: int
    correction: float
    converged: bool
    curvature: float = 0.0


def relax_window(
    problem: Problem,
    window: Window,
    tolerance: float,
    max_sweeps: int,
    known: Array | None = None,
    *,
    thorough: bool = False,
) -> Outcome:
    """Sweep until the path's correction is below ``tolerance`` (sup norm) or rounding, or no longer falls.

    One sweep takes the gradient on the whole window, integrates the memories exactly for the polynomial
    that interpolates it, and corrects the path by one Newton step with the memories frozen; a ``thorough``
    step includes how memories of the square change.  Where there is no Hessian the plain correction is
    accelerated instead, from the last few of them.

    With gradients ``known``, shape (E, p, n), only the first element is swept; its gradients are renewed in
    there, and the others are what lies ahead of it.

    Raises
    ------
    ExhaustedError
        If a sweep would begin after the last gradient allowed.
    """
    method = problem.method
    lengths, start = window.lengths, window.start
    s = (window.edges[:-1, None] + lengths[:, None] * method.nodes)[..., None]
    step = lengths[:, None, None]
    held = (window.edges[:-1] < (1.0 - 1e-9) * problem.equation.held_until)[:, None, None]
    chains = [_chain(memory, lengths, held, method) for memory in problem.equation.memories]
    ahead = _lookahead(problem, window) if problem.equation.lookahead else None
    acceleration = Anderson(DEPTH) if problem.matrix_free(window.theta.shape[-1]) else None
    swept = slice(None) if known is None else slice(1)
    best, rising, correction, curvature = np.inf, 0, np.inf, 0.0
    for sweep in range(1, max_sweeps + 1):
        if problem.objective.gradients >= problem.most_gradients:
            raise ExhaustedError
        if known is None:
            gradient = problem.gradient(window.theta)
        else:
            known[0] = problem.gradient(window.theta[0])
            gradient = known
        window.memories = []
        felt: list[Array] = []
        for memory, chain, first in zip(problem.equation.memories, chains, start.memories, strict=True):
            source = problem.source(memory, s, window.theta, gradient, felt)
            values = _propagate(chain, source, first)
            window.memories.append(values)
            felt.append(ahead(memory, values, source, first) if ahead and memory.ahead else values)
        path, felt = window.theta[swept], [values[swept] for values in felt]
        velocity = problem.equation.velocity(s[swept], path, gradient[swept], felt)
        delta = step[swept] * (method.integration @ velocity)
        left = np.concatenate((start.theta[None], path[:-1, -1]))
        delta += left[:, None] - path
        if acceleration is not None:
            delta[1:] += np.cumsum(delta[:-1, -1], axis=0)[:, None]
            correction = float(np.abs(delta).max())
            delta = acceleration.step(path, delta)
        else:
            hessian = hessian_at(problem, window.theta, gradient)
            curvature = float(np.abs(hessian).max())
            mobility = np.broadcast_to(problem.equation.mobility(s, felt), delta.shape)
            direction = problem.equation.direction
            terms: list[Term] = [(mobility, None, None if direction is None else chains[direction])]
            if thorough and ahead is None:
                terms += square_terms(problem, s, window.theta, gradient, felt, velocity, chains)
            delta = newton_step(delta, hessian, terms, lengths, method)
            correction = float(np.abs(delta).max())
        # Not in place: the acceleration remembers the path that this one was made from.
        window.theta = np.concatenate((path + delta, window.theta[len(path) :]))
        if not np.isfinite(correction):
            return Outcome(sweep, correction, False, curvature)
        if correction <= max(tolerance, 0.5 * ROUNDING * float(np.abs(window.theta).max())):
            return Outcome(sweep, correction, True, curvature)
        rising = rising + 1 if correction > 0.9 * best else 0
        best = min(best, correction)
        if rising >= 8:
            return Outcome(sweep, correction, False, curvature)
    return Outcome(max_sweeps, correction, False, curvature)


def relax_in_turn(problem: Problem, window: Window, tolerance: float, max_sweeps: int) -> Outcome:
    """Relax element after element, each against what the others were last, until none is corrected any more.

    For an equation that looks ahead and has no Hessian.  Plain sweeps of a long window would let what is
    stiff in it grow through all elements; what lies ahead, on the other hand, is felt weakly.
    """
    gradient = problem.gradient(window.theta)
    sweeps, correction = 1.0, np.inf
    for _ in range(max_sweeps):
        start, moved = window.start, 0.0
        memories = []
        for e, edge in enumerate(window.edges[1:]):
            part = Window(start, window.lengths[e:], window.theta[e:])
            outcome = relax_window(
                problem, part, max(tolerance, INNER * correction), max_sweeps, gradient[e:]
            )
            sweeps += outcome.sweeps / len(window.lengths)
            if not outcome.converged:
                return Outcome(math.ceil(sweeps), outcome.correction, False)
            moved = max(moved, float(np.abs(part.theta[0] - window.theta[e]).max()))
            window.theta[e] = part.theta[0]
            memories.append([values[:1] for values in part.memories])
            start = State(float(edge), part.theta[0, -1], [values[0, -1] for values in part.memories])
        window.memories = [np.concatenate(values) for values in zip(*memories, strict=True)]
        if moved <= max(tolerance, 0.5 * ROUNDING * float(np.abs(window.theta).max())):
            return Outcome(math.ceil(sweeps), moved, True)
        correction = moved
    return Outcome(math.ceil(sweeps), correction, False)


def _chain(memory: Memory, lengths: Array, held: NDArray[np.bool_], method: Radau) -> Chain:
    """Matrices that carry a memory over each element: (E, p) for its left value, (E, p, p) for its source."""
    # Where memories are held no time passes for them.
    scaled = np.where(held, 0.0, lengths[:, None, None]) * method.integration
    if memory.rate == 0.0:
        return np.ones((len(lengths), method.stages)), memory.gain * scaled
    if memory.rate == np.inf:
        return np.zeros((len(lengths), method.stages)), memory.gain * np.broadcast_to(
            np.eye(method.stages), scaled.shape
        )
    system = np.eye(method.stages) + memory.rate * scaled
    right = np.concatenate((np.ones((len(lengths), method.stages, 1)), memory.gain * scaled), axis=2)
    solved: Any = np.linalg.solve(system, right)
    return solved[..., 0], solved[..., 1:]


def _propagate(chain: Chain, source: Array, first: Array) -> Array:
    """Memory at all nodes, shape (E, p, width)."""
    carry, drive = chain
    values = drive @ source
    left = first
    for e in range(len(values)):
        values[e] += carry[e][:, None] * left
        left = values[e, -1]
    return values


def _lookahead(problem: Problem, window: Window) -> Callable[[Memory, Array, Array, Array], Array]:
    """Return a function that evaluates a memory of the window, from its values, its source and its first
    value, one look-ahead later.

    Beyond the window's end the source is held at its last value; the overlap that
    :mod:`idescent.solvers.collocation` keeps makes the effect of this closure negligible.
    """
    method, edges = problem.method, window.edges
    target = (edges[:-1, None] + window.lengths[:, None] * method.nodes + problem.equation.lookahead).ravel()
    inside = target <= edges[-1]
    element = np.minimum(np.searchsorted(edges, target, side="left") - 1, len(window.lengths) - 1)
    local = np.where(inside, (target - edges[element]) / window.lengths[element], 1.0)
    weights = method.weights(local)
    beyond = np.where(inside, 0.0, target - edges[-1])[:, None]
    shape = window.theta.shape[:2]

    def ahead(memory: Memory, values: Array, source: Array, first: Array) -> Array:
        at = np.einsum("tq,tqw->tw", weights, window.with_left(values, first)[element])
        if memory.rate == 0.0:
            at += memory.gain * beyond * source[-1, -1]
        elif memory.rate < np.inf:
            fade = np.exp(-memory.rate * beyond)
            at = at * fade + (1.0 - fade) * (memory.gain / memory.rate) * source[-1, -1]
        if memory.squared and memory.source is None:
            # A polynomial may undershoot 0 by rounding where the memory has all but vanished.
            np.maximum(at, 0.0, out=at)
        reshaped: Array = at.reshape(*shape, -1)
        return reshaped

    return ahead
