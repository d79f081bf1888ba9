"""The relaxation of one window, and a second method where the first one fails.

What lives here: :class:`Relaxation` and :func:`relax_in_turn`.  What does not: the sweeps
(:mod:`idescent.solvers.window`), and the shorter elements of a window that neither method solves
(:mod:`idescent.solvers.march`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from idescent.solvers.problem import Problem, State
from idescent.solvers.window import ROUNDING, Outcome, Window, relax_window

Array = NDArray[np.float64]

# Elements in turn: each is relaxed until its correction is this share of the last round's.  A smaller
# share would solve against neighbours that change in the next round anyway.
INNER = 0.1

# Sweeps with secants that do not converge within this number are no better than plain ones on shorter
# elements.
MOST_SECANT = 14


class Relaxation:
    r"""Sweeps over windows; without a Hessian, a second method where plain sweeps fail.

    With a look-ahead, the elements are relaxed in turn.  Otherwise sweeps are preconditioned by Newton steps
    with a diagonal Hessian, from secants of the sweeps that failed, and later windows begin with it.

    Where a coordinate has converged its average of squared gradients v decays, so the stiffness
    :math:`\alpha h/\sqrt v` grows, for example by :math:`\beta^{-1/2}` in each iteration of RMSProp.  Plain
    sweeps then need elements as short as the inverse of the largest stiffness, and among many coordinates
    some converge early.  A diagonal that does not help is given up for the rest of the pass.

    Parameters
    ----------
    problem : Problem
    limit : int
        Sweeps on one window.
    """

    def __init__(self, problem: Problem, limit: int) -> None:
        self.problem, self.limit = problem, limit
        self.diagonal: Array | None = None
        self._separable = True

    def relax(self, window: Window, tolerance: float, *, thorough: bool) -> tuple[Outcome, int]:
        """Relax a window; return the outcome, and the number of sweeps that failed before it."""
        problem = self.problem
        matrix_free = problem.matrix_free(window.theta.shape[-1])
        guess = window.theta.copy()
        outcome = relax_window(
            problem, window, tolerance, self.limit, thorough=thorough, diagonal=self.diagonal
        )
        if outcome.converged or not matrix_free:
            return outcome, 0
        if problem.equation.lookahead:
            window.theta = guess
            return relax_in_turn(problem, window, tolerance, self.limit), outcome.sweeps
        if not self._separable:
            return outcome, 0
        window.theta = guess
        self.diagonal, failed = outcome.secants, outcome.sweeps
        outcome = relax_window(problem, window, tolerance, MOST_SECANT, diagonal=self.diagonal)
        if not outcome.converged:
            self._separable, self.diagonal = False, None
        return outcome, failed


def relax_in_turn(problem: Problem, window: Window, tolerance: float, max_sweeps: int) -> Outcome:
    """Relax one element after another against fixed neighbours, until a round corrects none of them.

    A nonlinear block Gauss-Seidel method, for an equation that looks ahead and has no Hessian.  Plain sweeps
    of a long window would amplify its stiff components from element to element; the look-ahead, in contrast,
    couples the elements weakly.

    Parameters
    ----------
    problem : Problem
    window : Window
        With a first guess of the path.
    tolerance : float
        Largest change of a converged path in one round; at least half of :data:`ROUNDING` times the path.
    max_sweeps : int
        Limit of the rounds, and of the sweeps on one element in one round.
    """
    gradient = problem.gradient(window.theta)
    # In sweeps over the whole window: one for the gradient above, and 1/E for each sweep over an element.
    sweeps, correction = 1.0, np.inf
    for _ in range(max_sweeps):
        start, largest = window.start, 0.0
        memories = []
        for e, edge in enumerate(window.edges[1:]):
            remainder = Window(start, window.lengths[e:], window.theta[e:])
            outcome = relax_window(
                problem, remainder, max(tolerance, INNER * correction), max_sweeps, gradient[e:]
            )
            sweeps += outcome.sweeps / len(window.lengths)
            if not outcome.converged:
                return Outcome(math.ceil(sweeps), outcome.correction, False)
            largest = max(largest, float(np.abs(remainder.theta[0] - window.theta[e]).max()))
            window.theta[e] = remainder.theta[0]
            memories.append([values[:1] for values in remainder.memories])
            start = State(
                float(edge), remainder.theta[0, -1], [values[0, -1] for values in remainder.memories]
            )
        window.memories = [np.concatenate(values) for values in zip(*memories, strict=True)]
        if largest <= max(tolerance, 0.5 * ROUNDING * float(np.abs(window.theta).max())):
            return Outcome(math.ceil(sweeps), largest, True)
        correction = largest
    return Outcome(math.ceil(sweeps), correction, False)
