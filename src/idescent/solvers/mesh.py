"""The mesh of a window: lengths and tails of elements, and guesses of the path on new ones.

What lives here: functions of a window, an equation and a method.  What does not: the march that decides when
to append, halve or accept elements (:mod:`idescent.solvers.march`).
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import Equation
from idescent.solvers.newton import source_derivative
from idescent.solvers.problem import Problem
from idescent.solvers.radau import Radau
from idescent.solvers.window import Window

Array = NDArray[np.float64]

# Edges are sums of lengths, off by rounding: a point this near to an edge, relative to its size, is on it.
SLACK = 1e-9

# Limits of the ratio of an element's length to that of the one before: a tail is known for one length only.
LEAST_GROWTH, MOST_GROWTH = 0.3, 3.0
# Largest ratio in this many iterations from the start, where elements begin far shorter than a smooth path
# needs.
EARLY_GROWTH, EARLY = 10.0, 5.0
# Safety factor of that ratio, and the one without a Hessian: an element that proves too long is solved in
# vain, which costs most there.
SAFETY, SAFETY_PLAIN = 0.9, 0.8


def fitted_length(equation: Equation, s: float, length: float, *, whole: bool) -> float:
    """Return the length of an element at ``s`` that ends at or before the equation's next jump.

    A polynomial cannot follow a jump of the velocity or of its derivatives, so each jump is an element
    border.

    Parameters
    ----------
    equation : Equation
    s : float
    length : float
        Upper bound of the length, unless ``whole`` applies.
    whole : bool
        Where the velocity may jump at every whole ``s``, the element reaches to the next one.
    """
    if s < equation.breaks_until:
        to_next = math.floor(s + SLACK) + 1.0 - s
        length = to_next if whole else min(length, to_next)
    if equation.breaks:
        i = bisect.bisect_right(equation.breaks, s + SLACK * (1.0 + s))
        if i < len(equation.breaks):
            length = min(length, equation.breaks[i] - s)
    if s < (1.0 - SLACK) * equation.held_until:
        length = min(length, equation.held_until - s)
    return length


def continued(method: Radau, length: float, values: Array, theta: Array, beyond: float, degree: int) -> Array:
    """Continue the path of one element to the nodes of the next: shape (p, n).

    The Legendre series of the path, truncated to a degree and shifted so that it begins at ``theta``.

    Parameters
    ----------
    method : Radau
    length : float
        Length of the element.
    values : ndarray, shape (p + 1, n)
        Path at the element's left end and nodes.
    theta : ndarray, shape (n,)
        Path at the common border.
    beyond : float
        Length of the next element.
    degree : int
    """
    # P_k(1 + 2y) - 1 without P_k(1) = 1, by powers of y: all terms are positive, nothing cancels.
    powers = np.power.outer(method.nodes * (beyond / length), np.arange(1, degree + 1))
    polynomials = powers @ _shifted_legendre(degree)
    return theta + np.asarray(polynomials @ (method.transform[1 : degree + 1] @ values))


@cache
def _shifted_legendre(degree: int) -> Array:
    r"""Return the coefficients of :math:`P_k(1 + 2y) - 1`, shape (degree, degree).

    .. math:: P_k(1 + 2y) = \sum_j \binom{k}{j} \binom{k + j}{j}\,y^j

    Rows: the powers j = 1 ... degree; columns: k = 1 ... degree.
    """
    k = range(1, degree + 1)
    rows = [[math.comb(i, j) * math.comb(i + j, j) for i in k] for j in k]
    return np.array(rows, dtype=np.float64).reshape(degree, degree)


def appended(window: Window, tail: Window) -> Window:
    """Append the elements of ``tail``, with their path and memories, to those of a window."""
    if len(window.lengths) == 0:
        return tail
    return Window(
        window.start,
        np.concatenate((window.lengths, tail.lengths)),
        np.concatenate((window.theta, tail.theta)),
        [np.concatenate(pair) for pair in zip(window.memories, tail.memories, strict=True)],
    )


def halve(window: Window, split: NDArray[np.bool_], method: Radau) -> None:
    """Halve the elements marked in ``split``, shape (E,), in place; interpolate the path to the new nodes."""
    weights = method.weights(np.concatenate((0.5 * method.nodes, 0.5 + 0.5 * method.nodes)))
    values = window.with_left(window.theta, window.start.theta)
    lengths, paths = [], []
    for e, bad in enumerate(split):
        if bad:
            lengths += [window.lengths[e] / 2.0] * 2
            paths += [*(weights @ values[e]).reshape(2, method.stages, -1)]
        else:
            lengths.append(window.lengths[e])
            paths.append(window.theta[e])
    window.lengths, window.theta = np.array(lengths), np.stack(paths)


def legendre_tails(
    problem: Problem, window: Window, target: float, targets: Sequence[float | Array]
) -> Array:
    """Compute the Legendre tail of each element, shape (E,): 1 is as long as the tolerances allow.

    The size of the two highest Legendre coefficients in units of the tolerance, the largest over the path and
    the memories.

    Parameters
    ----------
    problem : Problem
    window : Window
        Its path and memories.
    target : float
        Tolerance of the path.
    targets : sequence of float or ndarray, shape (E,)
        Tolerance of each memory.
    """
    start, transform = window.start, problem.method.transform[-2:]
    plain = problem.matrix_free(window.theta.shape[-1])
    worst = np.abs(transform @ window.with_left(window.theta, start.theta)).max(axis=(1, 2)) / target
    parts = zip(problem.equation.memories, window.memories, start.memories, targets, strict=True)
    for memory, values, first, allowed in parts:
        tail = np.abs(transform @ window.with_left(values, first)).max(axis=(1, 2))
        if plain and memory.rate == math.inf:
            # Not a memory: its error acts on the path only within the element, so for its length.
            tail = tail * np.minimum(1.0, window.lengths)
        worst = np.maximum(worst, tail / allowed)
    return np.asarray(worst)


def resolvable(
    problem: Problem, window: Window, targets: Sequence[float | Array], rtol: float
) -> list[float | Array]:
    """Return tolerances of the memories, at least the change by a relative change ``rtol`` of the gradient.

    A memory of differences of gradients is small beside them: to resolve it to its own size would ask for
    more digits than the gradient has.  Only for normalised memories with a source of their own.
    """
    gradient, targets = window.gradient, list(targets)
    s = (window.edges[:-1, None] + window.lengths[:, None] * problem.method.nodes)[..., None]
    for i, memory in enumerate(problem.equation.memories):
        if memory.source is None or memory.change is None or gradient is None:
            continue
        if window.memories[i].shape == gradient.shape == window.theta.shape:
            factor = source_derivative(problem, memory, s, window.theta, gradient, window.memories)
            if factor is not None:
                targets[i] = np.maximum(targets[i], rtol * float(np.abs(factor * gradient).max()))
    return targets


def evaluated(problem: Problem, s: Array, lengths: Array, theta: Array, memories: Sequence[Array]) -> Array:
    """Return the iterates that the solution contains in elements from ``s`` on, shape (E, p + 1, n)."""
    evaluate = problem.equation.evaluate
    if evaluate is None:
        return theta
    nodes = np.concatenate(([0.0], problem.method.nodes))
    return evaluate((s[:, None] + lengths[:, None] * nodes)[..., None], theta, memories)


def growth(tail: float, stages: int, plain: bool, *, early: bool = False) -> float:
    """Return the ratio of the next element's length to that of an element with this Legendre tail.

    Parameters
    ----------
    tail : float
    stages : int
        Nodes p of an element.
    plain : bool
        Whether sweeps are without a Hessian.
    early : bool
        Whether the element is among the first ones of a pass with Newton's steps.
    """
    # A tail falls like a power of the length; the exponent p + 1 is cautious for tails below 1.
    ratio: float = (SAFETY_PLAIN if plain else SAFETY) * (1.0 / max(tail, 1e-12)) ** (1.0 / (stages + 1))
    return min(max(ratio, LEAST_GROWTH), EARLY_GROWTH if early else MOST_GROWTH)


def last_before_closure(window: Window, lookahead: float) -> int:
    """Return the index of the last element that ends where the closure, the last look-ahead, begins."""
    edges = window.edges
    closure = edges[-1] - (1.0 - SLACK) * lookahead
    return max(0, int(np.searchsorted(edges, closure)) - 2)
