r"""The fixed point on one window of elements, on a given mesh.

A window is a mesh of E elements behind a known state.  On the element :math:`[a, a + L]` path and memories
are polynomials through the left end and the p Radau nodes :math:`s_i = a + c_i L`
(:mod:`idescent.solvers.radau`).  With the integration matrix A the unknowns satisfy the collocation equations

.. math:: \theta_i = \theta_a + L \sum_j A_{ij} V_j, \qquad
          M_i = M_a + L \sum_j A_{ij}\,(c\,h_j - \lambda M_j),

where :math:`V_j = V(s_j, \theta_j, g_j, M(s_j + \ell))` is the velocity at a node, h the source of a memory,
c its gain, :math:`\lambda` its rate and :math:`\ell` the look-ahead (:mod:`idescent.models.equation`).
:func:`relax_window` solves them by waveform relaxation.  One sweep over the whole window

1. evaluates the gradient at every node of the last path;
2. solves the memories' equations, which are linear: on each element
   :math:`M = \text{carry}\,M_a + \text{drive}\,h` (:mod:`idescent.solvers.memories`);
3. evaluates the memories at :math:`s + \ell`, if the equation looks ahead (:func:`_lookahead`);
4. computes the residual :math:`\theta_a + L A V - \theta` at every node;
5. converts it to a correction of the path, by a Newton step (:mod:`idescent.solvers.newton`) or, where
   there is no Hessian, by Anderson acceleration (:mod:`idescent.solvers.acceleration`), which a Newton step
   with an approximate diagonal may precondition (:mod:`idescent.solvers.fallback`).

The sweeps converge when the largest correction is at most the tolerance.  They fail when a correction is not
finite, no longer decreases, or the limit of sweeps is reached.

What lives here: this fixed point.  What does not: the mesh and which elements are accepted
(:mod:`idescent.solvers.march`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import Memory
from idescent.solvers.acceleration import Anderson, secants
from idescent.solvers.maximum import sampled_maximum
from idescent.solvers.memories import propagated, propagators_of
from idescent.solvers.newton import (
    BLOCK,
    NewtonMatrix,
    Propagator,
    Term,
    hessian_at,
    memory_terms,
    newton_step,
)
from idescent.solvers.problem import Problem, State

Array = NDArray[np.float64]

# Relative size of the rounding errors that accumulate in one window's sums, some 20 units in the last place:
# neither a finer mesh nor another sweep can do better.
ROUNDING = 4e-15

# Differences of earlier sweeps that Anderson's acceleration uses.
DEPTH = 5

# A sweep stalls if its correction is more than this share of the smallest one so far.  A single stalled sweep
# is no failure; so many in a row end the relaxation.
STALLED, MOST_STALLED = 0.9, 8

# Newton's matrix of one sweep serves the next ones while they reduce the correction to this share.
REUSED = 0.1


class ExhaustedError(Exception):
    """The budget of gradients is spent."""


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
        Memories at the nodes, computed by :func:`relax_window`.
    samples : dict of int to ndarray, shape (E, width)
        Last samples of maxima at the right ends of the elements, by index of the memory.
    gradient : ndarray, shape (E, p, n), or None
        Gradient at the nodes, from the last sweep.
    tails : ndarray, shape (E,)
        Legendre tails, once they are known.
    """

    start: State
    lengths: Array
    theta: Array
    memories: list[Array] = field(default_factory=list)
    samples: dict[int, Array] = field(default_factory=dict)
    gradient: Array | None = None
    tails: Array = field(default_factory=lambda: np.empty(0))

    @property
    def edges(self) -> Array:
        """Element boundaries, shape (E + 1,)."""
        edges = np.zeros(len(self.lengths) + 1)
        self.lengths.cumsum(out=edges[1:])
        edges += self.start.s
        return edges

    def with_left(self, values: Array, first: Array) -> Array:
        """Prepend each element's left value: from values at the nodes to shape (E, p + 1, width).

        The left value is the last node of the element before, and ``first`` for the first element.
        """
        left = np.concatenate((first[None], values[:-1, -1]))
        return np.concatenate((left[:, None], values), axis=1)


@dataclass(frozen=True)
class Outcome:
    """Result of a relaxation.

    Attributes
    ----------
    sweeps : int
    correction : float
        Largest entry of the last correction; infinite or NaN if the path diverged.
    converged : bool
    curvature : float
        Largest absolute entry of the last Hessian; 0 where none was computed.
    secants : ndarray, shape (n,), or None
        Diagonal of a Hessian from plain sweeps that did not converge.
    """

    sweeps: int
    correction: float
    converged: bool
    curvature: float = 0.0
    secants: Array | None = None


def relax_window(
    problem: Problem,
    window: Window,
    tolerance: float,
    max_sweeps: int,
    known: Array | None = None,
    *,
    thorough: bool = False,
    diagonal: Array | None = None,
) -> Outcome:
    """Sweep over a window until the path's correction converges; see the module for the steps of a sweep.

    The window's path and memories are replaced by the last sweep's.

    Parameters
    ----------
    problem : Problem
    window : Window
        With a first guess of the path.
    tolerance : float
        Largest entry of the correction of a converged path; at least half of :data:`ROUNDING` times the path.
    max_sweeps : int
    known : ndarray, shape (E, p, n), optional
        Gradients of all elements.  Only the first element is then swept, and its gradients are overwritten;
        the other elements are its fixed look-ahead.
    thorough : bool
        Newton's step includes the change of memories of the square.  Otherwise it keeps them fixed.
    diagonal : ndarray, shape (n,), optional
        Its approximate diagonal, where there is no Hessian: a Newton step preconditions each plain sweep.
        The correction that has to converge is still the plain one, because the diagonal may be wrong.

    Raises
    ------
    ExhaustedError
        If the budget of gradients is spent when a sweep begins.
    """
    equation, method = problem.equation, problem.method
    lengths, start = window.lengths, window.start
    s = (window.edges[:-1, None] + lengths[:, None] * method.nodes)[..., None]
    step = lengths[:, None, None]
    held = (window.edges[:-1] < (1.0 - 1e-9) * equation.held_until)[:, None, None]
    propagators = propagators_of(equation.memories, s, lengths, held, method)
    look_ahead = _lookahead(problem, window) if equation.lookahead else None
    acceleration = Anderson(DEPTH) if problem.matrix_free(window.theta.shape[-1]) else None
    # Nodes of the elements that are swept.
    inner = s if known is None else s[:1]
    smallest, stalled, correction, curvature = np.inf, 0, np.inf, 0.0
    slopes, before = diagonal, None
    matrix: NewtonMatrix | None = None
    reusable = True
    reads_memories = equation.point is not None or any(m.source is not None for m in equation.memories)
    for sweep in range(1, max_sweeps + 1):
        if problem.objective.gradients >= problem.most_gradients:
            raise ExhaustedError
        place, sensitivity = window.theta, None
        # Memories of the last sweep, for the point of the gradient and for sources of earlier memories.
        last = window.memories
        if sweep == 1 and reads_memories:
            shape = window.theta.shape[:2]
            last = [np.broadcast_to(value, (*shape, len(value))) for value in start.memories]
        if equation.point is not None:
            place = equation.point(s, window.theta, last)
            shift = 1e-6 * (1.0 + np.abs(window.theta))
            sensitivity = (equation.point(s, window.theta + shift, last) - place) / shift
        if known is None:
            gradient = problem.gradient(place)
        else:
            known[0] = problem.gradient(window.theta[0])
            gradient = known
        window.memories, window.gradient = [], gradient
        # The memories as the velocity reads them: at s + lookahead.
        ahead: list[Array] = []
        parts = zip(equation.memories, propagators, start.memories, strict=True)
        for i, (memory, propagator, first) in enumerate(parts):
            source = problem.source(memory, s, window.theta, gradient, [*ahead, *last[i:]])
            if memory.maximum is None:
                values = propagated(propagator, source, first)
            else:
                values, window.samples[i] = sampled_maximum(
                    memory.maximum, window.edges, method, source, start.samples[i], held[:, 0, 0]
                )
            window.memories.append(values)
            ahead.append(look_ahead(memory, values, source, first) if look_ahead and memory.ahead else values)
        path, swept = window.theta, gradient
        if known is not None:
            path, swept, ahead = path[:1], gradient[:1], [values[:1] for values in ahead]
        velocity = equation.velocity(inner, path, swept, ahead)
        delta = step[: len(path)] * (method.integration @ velocity)
        delta[0] += start.theta
        delta[1:] += path[:-1, -1:]
        delta -= path
        terms: list[Term] = []
        if matrix is None and (acceleration is None or diagonal is not None):
            full = thorough and look_ahead is None
            terms = _terms(
                problem, s, window.theta, gradient, ahead, velocity, propagators, sensitivity, full
            )
        if acceleration is not None:
            better = None
            if diagonal is not None:
                better = newton_step(delta, np.broadcast_to(diagonal, delta.shape), terms, lengths, method)
            # The residual of an element assumes the old left value: add the changes before it.
            delta[1:] += np.cumsum(delta[:-1, -1], axis=0)[:, None]
            correction = float(np.abs(delta).max())
            delta = delta if better is None else better
            if known is None:
                if before is not None:
                    slopes = secants(before, (place, gradient), slopes)
                before = place, gradient
            delta = acceleration.step(path, delta)
        else:
            last_correction = correction
            if matrix is None:
                hessian = hessian_at(problem, place, gradient)
                curvature = float(np.abs(hessian).max())
                if hessian.ndim == 4 or hessian.shape[-1] > BLOCK:
                    delta = newton_step(delta, hessian, terms, lengths, method)
                else:
                    matrix = NewtonMatrix(hessian, terms, lengths, method)
                    delta = matrix.step(delta)
                correction = float(np.abs(delta).max())
            else:
                delta = matrix.step(delta)
                correction = float(np.abs(delta).max())
                # Not the sweep that built the matrix: its first correction is from the guess.
                reusable = correction <= REUSED * last_correction
            matrix = matrix if reusable else None
        if equation.point is not None:
            # The gradient was evaluated at a point made of the memories of the last sweep.
            moved = equation.point(s, window.theta, window.memories) - place
            correction = max(correction, float(np.abs(moved).max()))
        # Not in place: the acceleration keeps a reference to the path before the correction.
        window.theta = np.concatenate((path + delta, window.theta[len(path) :]))
        if not np.isfinite(correction):
            break
        if correction <= max(tolerance, 0.5 * ROUNDING * float(np.abs(window.theta).max())):
            return Outcome(sweep, correction, True, curvature)
        stalled = stalled + 1 if correction > STALLED * smallest else 0
        smallest = min(smallest, correction)
        if stalled >= MOST_STALLED:
            break
    return Outcome(sweep, correction, False, curvature, slopes)


def _terms(
    problem: Problem,
    s: Array,
    theta: Array,
    gradient: Array,
    ahead: list[Array],
    velocity: Array,
    propagators: Sequence[Propagator],
    sensitivity: Array | None,
    full: bool,
) -> list[Term]:
    """Return the terms of Newton's step; ``full`` adds memories of the square to those of a mobility."""
    equation = problem.equation
    terms: list[Term] = []
    if equation.mobility is not None:
        mobility = np.broadcast_to(equation.mobility(s, ahead), velocity.shape)
        direction = equation.direction
        terms.append((mobility, None, None if direction is None else propagators[direction]))
    if equation.mobility is None or full:
        terms += memory_terms(problem, s, theta, gradient, ahead, velocity, propagators)
    if sensitivity is None:
        return terms
    return [
        (mobility, sensitivity if factor is None else factor * sensitivity, propagator)
        for mobility, factor, propagator in terms
    ]


def _lookahead(problem: Problem, window: Window) -> Callable[[Memory, Array, Array, Array], Array]:
    r"""Return a function that evaluates a memory one look-ahead later than the nodes.

    Its arguments are the memory, its values and its source at the nodes, and its value at the window's start.

    Within the window the memory is its own interpolating polynomial.  Beyond the window's end s_E, by a
    distance d, the closure applies: the source keeps its last value h_E, so that the memory there is

    .. math:: M(s_E + d) = e^{-\lambda d} M(s_E) + \frac{c}{\lambda}\,(1 - e^{-\lambda d})\,h_E

    and :math:`M(s_E) + c\,d\,h_E` for :math:`\lambda = 0`.  The overlap of windows makes the effect of this
    closure on accepted elements negligible (:mod:`idescent.solvers.march`).
    """
    method, edges = problem.method, window.edges
    # T = E p times, one for each node.
    target = (edges[:-1, None] + window.lengths[:, None] * method.nodes + problem.equation.lookahead).ravel()
    inside = target <= edges[-1]
    element = np.minimum(np.searchsorted(edges, target, side="left") - 1, len(window.lengths) - 1)
    local = np.where(inside, (target - edges[element]) / window.lengths[element], 1.0)
    weights = method.weights(local)
    beyond = np.where(inside, 0.0, target - edges[-1])[:, None]
    shape = window.theta.shape[:2]

    def look_ahead(memory: Memory, values: Array, source: Array, first: Array) -> Array:
        at = np.einsum("tq,tqw->tw", weights, window.with_left(values, first)[element])
        if memory.rate == 0.0:
            at += memory.gain * beyond * source[-1, -1]
        elif memory.rate < np.inf:
            fade = np.exp(-memory.rate * beyond)
            at = at * fade + (1.0 - fade) * (memory.gain / memory.rate) * source[-1, -1]
        if memory.squared and memory.source is None:
            # A polynomial may undershoot 0 by rounding where the memory has almost vanished.
            np.maximum(at, 0.0, out=at)
        reshaped: Array = at.reshape(*shape, -1)
        return reshaped

    return look_ahead
