"""The solution of one pass as the mesh and the first guess of the next, finer one.

Without look-ahead and with a Hessian, Newton's sweeps converge on many elements at once if the guess is near:
a few sweeps over one long window replace a few sweeps over each of its elements.  The guess does not change
the equations that the finer pass solves, and its mesh is its own.

What lives here: the stored path, and the relaxation of windows made from it.  What does not: the pass
(:mod:`idescent.solvers.march`).
"""

from __future__ import annotations

import bisect

import numpy as np
from numpy.typing import NDArray

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


class Path:
    """The accepted elements of one pass.

    Attributes
    ----------
    complete : bool
        Whether all elements are stored.
    starts, lengths, tails : list of float
        Of each element; tails as the march computes them.
    values : list of ndarray, shape (p + 1, n)
        Path at the left end and the nodes of each element.
    """

    def __init__(self, problem: Problem, n: int) -> None:
        self.problem = problem
        equation = problem.equation
        lagging = equation.point is not None or any(m.maximum is not None for m in equation.memories)
        # Sweeps do not linearise a maximum or the point of the gradient: they converge on short windows only.
        self.complete = not (equation.lookahead or lagging or problem.matrix_free(n))
        self.starts: list[float] = []
        self.lengths: list[float] = []
        self.tails: list[float] = []
        self.values: list[Array] = []

    def add(self, s: float, length: float, values: Array, tail: float) -> None:
        """Store the element [s, s + length]."""
        if not self.complete:
            return
        if (len(self.values) + 1) * values.size > MOST_STORED:
            self.complete = False
            self.values.clear()
            return
        self.starts.append(s)
        self.lengths.append(length)
        self.tails.append(tail)
        self.values.append(values)


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
        self.path, self.finer, self.most, self._failures = path, finer, most, 0

    def window(self, start: State, steps: int, *, whole: bool) -> Window:
        """Return a window from a state to the horizon, or as far as the limits allow.

        ``whole`` is that of :func:`idescent.solvers.mesh.fitted_length`.
        """
        path, problem = self.path, self.path.problem
        method, (nodes, n) = problem.method, path.values[0].shape
        unknowns = (nodes - 1) ** 2 * (n if problem.diagonal(n) else n * n)
        most = min(self.most, max(1, MOST_MATRIX // unknowns))
        s, lengths = start.s, list[float]()
        while s < steps and len(lengths) < most:
            lengths.append(mesh.fitted_length(problem.equation, s, self.length(s), whole=whole))
            s += lengths[-1]
        edges = start.s + np.concatenate(([0.0], np.cumsum(lengths)))
        at = (edges[:-1, None] + np.array(lengths)[:, None] * method.nodes).ravel()
        element = np.clip(np.searchsorted(path.starts, at, side="right") - 1, 0, None)
        local = (at - np.array(path.starts)[element]) / np.array(path.lengths)[element]
        theta = np.einsum("tq,tqn->tn", method.weights(local), np.stack(path.values)[element])
        return Window(start, np.array(lengths), theta.reshape(len(lengths), nodes - 1, n))

    def length(self, s: float) -> float:
        """Return the length of an element at ``s`` whose tail will be about 1."""
        i = max(bisect.bisect_right(self.path.starts, s) - 1, 0)
        length = self._scaled(i)
        if i + 1 < len(self.path.starts):
            # Where a shorter element follows, do not reach into it with a longer one.
            length = min(length, max(self.path.starts[i + 1] - s, self._scaled(i + 1)))
        return length

    def relax(self, window: Window, first: int, tolerance: float, limit: int) -> Outcome:
        """Relax the elements of a window from the index ``first`` on; those before it are solved already."""
        problem, limit = self.path.problem, min(MOST_SWEEPS, limit)
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

    def _scaled(self, i: int) -> float:
        stages = self.path.problem.method.stages
        ratio = mesh.growth(self.path.tails[i] / self.finer, stages, plain=False)
        return self.path.lengths[i] * min(ratio, LONGEST)
