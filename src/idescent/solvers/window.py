"""One window of elements: memories from the path, path from the memories, until both agree.

What lives here: the fixed point (waveform relaxation) on a given mesh.  Where the mesh ends, how long
elements are and what is accepted is decided in :mod:`idescent.solvers.collocation`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import Equation, Memory
from idescent.objectives.protocol import CountedObjective
from idescent.optimizers import Optimizer
from idescent.solvers.acceleration import Anderson
from idescent.solvers.radau import Radau

Array = NDArray[np.float64]
Chain = tuple[Array, Array]

# Relative size of the rounding that piles up in one window's sums: no mesh or sweep can do better.
ROUNDING = 4e-15

# Up to this many parameters a missing Hessian is taken from n extra gradients a node.
MOST_DIFFERENCED = 16

# Up to this many parameters a full Hessian is used: an element is then one system of p*n unknowns.
MOST_COUPLED = 64

# Sweeps that the next one is made from where there is no Hessian.
DEPTH = 5

# Where elements are relaxed in turn: each to this share of the last round's correction.
INNER = 0.1

# Coordinates whose systems are solved at a time where the Hessian is diagonal.
BLOCK = 4096


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
        Filled by :func:`relax`.
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
class Problem:
    """What a window needs to know of the equation, and the number of gradients at which to stop."""

    equation: Equation
    optimizer: Optimizer
    objective: CountedObjective
    method: Radau
    most_gradients: float = math.inf

    def matrix_free(self, n: int) -> bool:
        """Whether n parameters are too many for the Hessian that there is, or would have to be made."""
        objective = self.objective.objective
        if hasattr(objective, "hessian_diagonal"):
            return False
        return n > (MOST_COUPLED if hasattr(objective, "hessian") else MOST_DIFFERENCED)

    def gradient(self, theta: Array) -> Array:
        """Gradient of the objective and its coupled decay, shape of ``theta``."""
        gradient = self.objective.gradient(theta)
        if self.equation.coupled_decay:
            gradient = gradient + self.equation.coupled_decay * theta
        return gradient

    def source(self, memory: Memory, s: Array, theta: Array, gradient: Array, felt: Sequence[Array]) -> Array:
        """What a memory remembers."""
        if memory.source is None:
            return self.optimizer.squares(gradient) if memory.squared else gradient
        return memory.source(s, gradient, felt, lambda direction: self.hessian_vector(theta, direction))

    def initial_source(self, memory: Memory, theta: Array, gradient: Array) -> Array:
        """What a memory remembers at ``s = 0``; 0 where that need not exist."""
        if memory.source is not None and memory.initial == 0.0:
            return np.zeros_like(self.optimizer.squares(gradient) if memory.squared else gradient)
        return self.source(memory, np.zeros(1), theta, gradient, ())

    def hessian_vector(self, theta: Array, direction: Array) -> Array:
        """Hessian times ``direction`` with its coupled decay, shape of ``theta``.

        From the objective where it has one of ``hessian_vector``, ``hessian_diagonal`` and ``hessian``; else
        from four gradients a node, each counted.
        """
        objective, coupled = self.objective, self.equation.coupled_decay * direction
        if hasattr(objective.objective, "hessian_vector"):
            return objective.call("hessian_vector", theta, direction) + coupled
        if hasattr(objective.objective, "hessian_diagonal"):
            return objective.call("hessian_diagonal", theta) * direction + coupled
        if hasattr(objective.objective, "hessian"):
            product: Array = (objective.call("hessian", theta) @ direction[..., None])[..., 0]
            return product + coupled
        size = np.abs(direction).max(axis=-1, keepdims=True)
        # Fourth-order differences: eps^(1/5) balances their truncation against rounding.
        shift = 1e-3 * (1.0 + np.abs(theta).max(axis=-1, keepdims=True)) / np.where(size > 0.0, size, 1.0)
        points = theta + np.array([-2.0, -1.0, 1.0, 2.0]).reshape(-1, *[1] * theta.ndim) * shift * direction
        far, near, right, beyond = objective.gradient(points)
        differences: Array = (far - beyond + 8.0 * (right - near)) / (12.0 * shift)
        return differences + coupled


@dataclass(frozen=True)
class Outcome:
    """How a relaxation ended: sweeps, size of the last correction, whether it converged."""

    sweeps: int
    correction: float
    converged: bool


def relax(
    problem: Problem, window: Window, tolerance: float, max_sweeps: int, known: Array | None = None
) -> Outcome:
    """Sweep until the path's correction is below ``tolerance`` (sup norm) or rounding, or no longer falls.

    One sweep takes the gradient on the whole window, integrates the memories exactly for the polynomial
    that interpolates it, and corrects the path by one Newton step with the memories frozen.  Where there is
    no Hessian the plain correction is accelerated instead, from the last few of them.

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
    best, rising, correction = np.inf, 0, np.inf
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
            hessian = _hessian(problem, window.theta, gradient)
            mobility = np.broadcast_to(problem.equation.mobility(s, felt), delta.shape)
            direction = problem.equation.direction
            delta = _newton(
                delta, hessian, mobility, lengths, method, None if direction is None else chains[direction]
            )
            correction = float(np.abs(delta).max())
        # Not in place: the acceleration remembers the path that this one was made from.
        window.theta = np.concatenate((path + delta, window.theta[len(path) :]))
        if not np.isfinite(correction):
            return Outcome(sweep, correction, False)
        if correction <= max(tolerance, 0.5 * ROUNDING * float(np.abs(window.theta).max())):
            return Outcome(sweep, correction, True)
        rising = rising + 1 if correction > 0.9 * best else 0
        best = min(best, correction)
        if rising >= 8:
            return Outcome(sweep, correction, False)
    return Outcome(max_sweeps, correction, False)


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
            outcome = relax(problem, part, max(tolerance, INNER * correction), max_sweeps, gradient[e:])
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


def _hessian(problem: Problem, theta: Array, gradient: Array) -> Array:
    """Hessian at the nodes: (E, p, n) if the objective has a diagonal one, else (E, p, n, n).

    Not for problems that are ``matrix_free``.
    """
    objective, n = problem.objective, theta.shape[-1]
    coupled = problem.equation.coupled_decay
    if hasattr(objective.objective, "hessian_diagonal"):
        return objective.call("hessian_diagonal", theta) + coupled
    if hasattr(objective.objective, "hessian"):
        full: Array = objective.call("hessian", theta) + coupled * np.eye(n)
        return full
    # Newton's matrix only steers the convergence, so a one-sided difference is good enough.
    shift = 1e-7 * (1.0 + np.abs(theta).max())
    shifted = theta[..., None, :] + shift * np.eye(n)
    differences: Array = np.swapaxes(problem.gradient(shifted) - gradient[..., None, :], -1, -2) / shift
    return differences[..., 0] if n == 1 else differences


def _newton(
    residual: Array, hessian: Array, mobility: Array, lengths: Array, method: Radau, chain: Chain | None
) -> Array:
    """Solve the path's equation linearised about its last iterate, element by element.

    With the velocity along the local gradient: delta = residual + left - h A (mobility * H delta).  Along a
    memory (``chain``): H delta is replaced by the change of that memory, carry * left + drive (H delta).  A
    diagonal Hessian gives one system of p unknowns per coordinate, a full one a system of p*n unknowns.
    """
    elements, p, n = residual.shape
    if hessian.ndim == 3 and n > BLOCK:
        blocks = [slice(i, i + BLOCK) for i in range(0, n, BLOCK)]
        corrections = [
            _newton(residual[..., b], hessian[..., b], mobility[..., b], lengths, method, chain)
            for b in blocks
        ]
        return np.concatenate(corrections, axis=2)
    weighted = (lengths[:, None, None] * method.integration)[:, None] * np.swapaxes(mobility, 1, 2)[
        :, :, None
    ]
    # Right-hand sides per coordinate, shape (E, n, p): what a unit change of path and memory at the left
    # brings.
    columns = [np.ones((elements, n, p))]
    if chain is not None:
        carry, drive = chain
        columns.append(-(weighted @ carry[:, None, :, None])[..., 0])
        weighted = weighted @ drive[:, None]
    if hessian.ndim == 3:
        system = np.eye(p) + weighted * np.swapaxes(hessian, 1, 2)[:, :, None]
        right = np.stack((np.swapaxes(residual, 1, 2), *columns), axis=-1)
        solved: Any = np.linalg.solve(system, right)
        delta, *responses = np.moveaxis(solved, (3, 2, 1), (0, 2, 3))
        delta = np.ascontiguousarray(delta, dtype=np.float64)
        product: Callable[[Array, Array], Array] = np.multiply
    else:
        system = np.einsum("eaij,ejab->eiajb", weighted, hessian).reshape(elements, p * n, p * n) + np.eye(
            p * n
        )
        spread = [(np.swapaxes(c, 1, 2)[..., None] * np.eye(n)).reshape(elements, p * n, n) for c in columns]
        right = np.concatenate((residual.reshape(elements, p * n, 1), *spread), axis=2)
        solved = np.linalg.solve(system, right)
        delta = np.ascontiguousarray(solved[..., 0].reshape(elements, p, n))
        parts = np.split(solved[..., 1:], len(columns), axis=2)
        responses = [part.reshape(elements, p, n, n) for part in parts]
        product = np.matmul
    left, remembered = np.zeros(n), np.zeros(n)
    for e in range(elements):
        delta[e] += product(responses[0][e], left)
        if chain is not None:
            delta[e] += product(responses[1][e], remembered)
            turn = hessian[e]
            turned = turn * delta[e] if turn.ndim == 2 else (turn @ delta[e][..., None])[..., 0]
            remembered = chain[0][e, -1] * remembered + chain[1][e, -1] @ turned
        left = delta[e, -1]
    return np.asarray(delta, dtype=np.float64)
