"""The solution of one pass as the mesh and the first guess of the next, finer one; or a discrete run.

Without look-ahead and with a Hessian, Newton's sweeps converge on many elements at once if the guess is near:
a few sweeps over one long window replace a few sweeps over each of its elements.  The guess does not change
the equations that the finer pass solves, and its mesh is its own.

The first pass has no path yet.  Where the objective has a closed form, the discrete run costs less than a
sweep, and differs from the model by one order of ``alpha`` only: it is the guess on a mesh whose elements
grow with the distance from the start.  On a long horizon each iteration of that run replaces several.

What lives here: the stored path, and the relaxation of windows made from it.  What does not: the pass
(:mod:`idescent.solvers.march`).
"""

from __future__ import annotations

import bisect
import math
from copy import copy
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from idescent.discrete.setup import Setup
from idescent.objectives.protocol import CountedObjective
from idescent.optimizers.ratio import own
from idescent.solvers import mesh
from idescent.solvers.problem import Problem, State
from idescent.solvers.window import Outcome, Window, relax_window

Array = NDArray[np.float64]

# Numbers that a stored path may have: a path of many parameters or elements is not stored.
MOST_STORED = 2**20
# Largest length relative to the stored element there: on a common mesh two passes would share their errors,
# and their difference would not measure them.
LONGEST = 0.7
# Numbers in the matrices of one window.
MOST_MATRIX = 2**20
# Sweeps on a window, and windows that do not converge, each half as long as the one before, after which the
# march goes on element by element.
MOST_SWEEPS, MOST_FAILURES = 12, 3
# Iterations of the run that is the first guess, and how many of the optimizer's each one replaces at most.
RUN, MOST_REPLACED = 200, 16
# Length of an element of the mesh for a discrete run, relative to its distance from the start, in the first
# iterations and later; and of the first element.
EARLY_SHARE, SHARE, FIRST_LENGTH = 10.0, 2.0, 0.25


class Path:
    """The accepted elements of one pass.

    Attributes
    ----------
    complete : bool
        Whether all elements are stored.
    starts, lengths, tails : ndarray, shape (E,)
        Of each element; tails as the march computes them.
    values : ndarray, shape (E, p + 1, n)
        Path at the left end and the nodes of each element.
    """

    def __init__(self, problem: Problem, n: int) -> None:
        self.problem = problem
        equation = problem.equation
        lagging = equation.point is not None or any(m.maximum is not None for m in equation.memories)
        # Sweeps do not linearise a maximum or the point of the gradient: they converge on short windows only.
        self.complete = not (equation.lookahead or lagging or problem.matrix_free(n))
        self._parts: list[tuple[Array, Array, Array, Array]] = []
        self._numbers = 0

    def add(self, s: Array, lengths: Array, values: Array, tails: Array) -> None:
        """Store the elements [s, s + length]."""
        self._numbers += values.size
        self.complete = self.complete and self._numbers <= MOST_STORED
        if self.complete:
            self._parts.append((s, lengths, tails, values))
        else:
            self._parts.clear()

    @cached_property
    def _joined(self) -> tuple[Array, ...]:
        # Read when the pass is over.
        return tuple(np.concatenate(parts) for parts in zip(*self._parts, strict=True))

    @property
    def starts(self) -> Array:
        """See above."""
        return self._joined[0]

    @property
    def lengths(self) -> Array:
        """See above."""
        return self._joined[1]

    @property
    def tails(self) -> Array:
        """See above."""
        return self._joined[2]

    @property
    def values(self) -> Array:
        """See above."""
        return self._joined[3]


class Guide:
    """Windows whose mesh and first guess are from a stored path.

    Parameters
    ----------
    path : Path
        Complete.
    finer : float
        Tolerance relative to that of the path.
    most : int
        Limit of the elements in a window.
    """

    def __init__(self, path: Path, finer: float, most: int) -> None:
        self.path, self.problem, self.most, self._failures = path, path.problem, most, 0
        stages = self.problem.method.stages
        ratios = [mesh.growth(tail / finer, stages, plain=False) for tail in path.tails.tolist()]
        # Of each stored element: its start, and the length there whose tail will be about 1.
        self._starts: list[float] = path.starts.tolist()
        self._lengths: list[float] = (path.lengths * np.minimum(ratios, LONGEST)).tolist()

    def window(self, start: State, steps: int, *, whole: bool) -> Window:
        """Return a window from a state to the horizon, or as far as the limits allow.

        ``whole`` is that of :func:`idescent.solvers.mesh.fitted_length`.
        """
        method, n = self.problem.method, len(start.theta)
        unknowns = method.stages**2 * (n if self.problem.diagonal(n) else n * n)
        most = min(self.most, max(1, MOST_MATRIX // unknowns))
        # Rounding of the edges must not leave a remainder before the horizon.
        s, lengths, end = start.s, list[float](), steps + 8.0 * math.ulp(steps)
        while s < steps and len(lengths) < most:
            length = min(self.length(s), end - s)
            lengths.append(mesh.fitted_length(self.problem.equation, s, length, whole=whole))
            s += lengths[-1]
        edges = start.s + np.concatenate(([0.0], np.cumsum(lengths)))
        at = (edges[:-1, None] + np.array(lengths)[:, None] * method.nodes).ravel()
        return Window(start, np.array(lengths), self.guess(at).reshape(len(lengths), method.stages, n))

    def guess(self, s: Array) -> Array:
        """Return the guess of the path at points ``s``, shape (len(s), n)."""
        path = self.path
        element = np.maximum(path.starts.searchsorted(s, side="right") - 1, 0)
        weights = self.problem.method.weights((s - path.starts[element]) / path.lengths[element])
        guess: Array = np.einsum("tq,tqn->tn", weights, path.values[element])
        return guess

    def length(self, s: float) -> float:
        """Return the length of an element at ``s`` whose tail will be about 1."""
        starts, lengths = self._starts, self._lengths
        i = max(bisect.bisect_right(starts, s) - 1, 0)
        if i + 1 == len(starts):
            return lengths[i]
        # Where a shorter element follows, do not reach into it with a longer one.
        return min(lengths[i], max(starts[i + 1] - s, lengths[i + 1]))

    def relax(self, window: Window, first: int, tolerance: float, limit: int) -> Outcome:
        """Relax the elements of a window from the index ``first`` on; those before it are solved already."""
        problem, limit = self.problem, min(MOST_SWEEPS, limit)
        if first == 0:
            # Over a long window Newton's step needs the changes of all memories.
            return relax_window(problem, window, tolerance, limit, thorough=True)
        solved = [values[:first] for values in window.memories]
        state = State(
            float(window.edges[first]), window.theta[first - 1, -1], [values[-1, -1] for values in solved]
        )
        rest = Window(state, window.lengths[first:], window.theta[first:])
        outcome = relax_window(problem, rest, tolerance, limit, thorough=True)
        assert window.gradient is not None
        assert rest.gradient is not None
        window.theta = np.concatenate((window.theta[:first], rest.theta))
        window.gradient = np.concatenate((window.gradient[:first], rest.gradient))
        window.memories = [np.concatenate(pair) for pair in zip(solved, rest.memories, strict=True)]
        return outcome

    def fails(self, window: Window) -> bool:
        """Whether to go on without a guide after a window that did not converge; else windows are halved."""
        self._failures += 1
        self.most = len(window.lengths) // 2
        return self._failures > MOST_FAILURES or self.most == 0


class RunGuide(Guide):
    """Windows whose first guess is the discrete run, on a mesh that grows with the distance from the start.

    Parameters
    ----------
    problem : Problem
    theta : ndarray, shape (r, n)
        The run: each ``parts``-th iteration.
    parts : int
    begin : float
        Start of the equation.
    most : int
        Limit of the elements in a window.
    """

    def __init__(self, problem: Problem, theta: Array, parts: int, begin: float, most: int) -> None:
        self.problem, self.most = problem, most
        self.theta, self.parts, self.begin = theta, parts, begin

    def length(self, s: float) -> float:
        """Return the length of an element at ``s``."""
        distance = s - self.begin
        share = EARLY_SHARE if distance < mesh.EARLY else SHARE
        return max(share * distance, FIRST_LENGTH, self.problem.equation.held_until - s)

    def fails(self, window: Window) -> bool:
        """Return True: where the run oscillates, shorter windows would not converge either."""
        return True

    def guess(self, s: Array) -> Array:
        """Interpolate the run to points ``s``, shape (len(s), n)."""
        at = s / self.parts
        k = np.minimum(at.astype(np.int64), len(self.theta) - 2)
        guess: Array = self.theta[k] + (at - k)[:, None] * (self.theta[k + 1] - self.theta[k])
        return guess


def run_guide(problem: Problem, setup: Setup, begin: float, most: int) -> RunGuide | None:
    """Return the guide of the first pass; None if the run has no closed form, is long or diverges.

    Parameters
    ----------
    problem : Problem
        Its objective counts the gradients of the run.
    setup : Setup
    begin : float
        Start of the equation.
    most : int
        Limit of the elements in a window.
    """
    # A solution at a tight tolerance does not load the loops.
    from idescent.discrete.loop import DiscreteRun, has_kernel

    objective, steps, n = setup.objective.objective, setup.steps, len(setup.start)
    ratio, parts = own(setup.optimizer), math.ceil(setup.steps / RUN)
    if ratio is None or parts > MOST_REPLACED or steps * n > MOST_STORED or not Path(problem, n).complete:
        return None
    if begin >= steps or not has_kernel(setup.optimizer, objective):
        return None
    # One iteration for several: a sum of squares has fewer terms, the rates of averages multiply.
    alpha = setup.alpha * (math.sqrt(parts) if ratio.sums else parts)
    coarser = copy(setup.optimizer)
    for name in vars(coarser).keys() & {"beta", "beta1", "beta2"}:
        # Optimizers are frozen; a subclass may have another constructor.
        object.__setattr__(coarser, name, getattr(coarser, name) ** parts)
    count = math.ceil(steps / parts)
    # The loop in Python counts gradients, the compiled one does not.
    counted = CountedObjective(objective)
    run = DiscreteRun(Setup(coarser, counted, min(alpha, 1.0), setup.start, count), None).go()
    problem.objective.gradients += count
    return RunGuide(problem, run.theta, parts, begin, most) if run.report.ok else None
