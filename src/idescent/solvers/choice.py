"""The choice of the equations of an element of a leap, and of their solver.

What lives here: :class:`Choice`.  What does not: the fixed point (:mod:`idescent.solvers.difference`),
Newton's method (:mod:`idescent.solvers.branches`), and the checks of their elements
(:mod:`idescent.solvers.walk`).
"""

from __future__ import annotations

import numpy as np

from idescent.solvers import branches
from idescent.solvers.difference import Aim, Difference, Outcome
from idescent.solvers.element import NODES
from idescent.solvers.walk_checks import EPSILON, FEW, Rows, falling, smooth

# Sweeps of a fixed point above which Newton's method takes over.
SLOW = 8
# Shortest element of a fixed point.
SHORTEST = 72


class Choice:
    """Elements by the fixed point while it is fast, then by Newton's method, in one or two branches.

    The fixed point needs more sweeps the stiffer the element is, and one within each sweep if a memory feeds
    itself.

    Parameters
    ----------
    equation : Difference
    """

    def __init__(self, equation: Difference) -> None:
        self.equation = equation
        self.slow = equation.cyclic

    def period(self, rows: Rows) -> int:
        """Return 1 if the last iterates are smooth, 2 if every second one is, and 0 otherwise."""
        if smooth(rows["theta"]):
            return 1
        return 2 if self._able(rows) and smooth(branches.alternate(rows["theta"])) else 0

    def shortest(self, rows: Rows) -> int:
        """Return the shortest length of an element, which costs fewer gradients than its iterations."""
        return SHORTEST if self.period(rows) == 1 else 4 * NODES * (rows["theta"][-1].size + 2)

    def collocate(self, rows: Rows, first: int, length: int, aim: Aim) -> Outcome | None:
        """Solve the equations of an element; None if a maximum has just changed between its branches.

        Parameters
        ----------
        rows : dict of str to list of ndarray
            Theta and the memories of the last iterations, up to ``first``.
        first, length : int
        aim : Aim

        Raises
        ------
        UnableError
            If the declaration of the optimizer takes one iteration at a time.
        """
        period, plan = self.period(rows), self.equation.plan
        guess = rows["theta"][-1] - rows["theta"][-2]
        # At rest the fixed point takes one sweep.
        rests = float(np.abs(guess).max()) <= FEW * EPSILON * float(np.abs(rows["theta"][-1]).max())
        if self._able(rows) and (period == 2 or (self.slow and not rests)):
            outcome = branches.collocate(self.equation, rows, first, length, period, aim)
            self.slow = self.equation.cyclic or outcome.element is not None
            return outcome
        decays = falling(plan, rows)
        if decays is None:
            return None
        state = {name: values[-1] for name, values in rows.items()}
        outcome = self.equation.collocate(state, first, length, guess, aim, decays)
        self.slow = self.equation.cyclic or outcome.sweeps > SLOW
        if outcome.element is None and length < 2 * SHORTEST and self._able(rows):
            outcome = branches.collocate(self.equation, rows, first, length, period, aim)
            self.slow = self.equation.cyclic or outcome.element is not None
        return outcome

    def _able(self, rows: Rows) -> bool:
        return branches.able(self.equation.plan, rows["theta"][-1].size)
