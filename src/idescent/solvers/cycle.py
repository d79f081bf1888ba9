"""The end of a run that repeats itself to the last digit.

What lives here: :class:`Cycle`, the iterations from a repetition to the end of the run, and :func:`find`.
What does not: the iterations before it (:mod:`idescent.solvers.walk`).

An iteration is a function of theta and the memories.  If all of their digits return to an earlier state, the
run repeats the iterations between until its end: theta at rest, or an oscillation about a minimum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idescent.discrete.generic import GenericLoop
from idescent.optimizers.declared import Recursion
from idescent.solvers.element import Element, State

Array = NDArray[np.float64]

# Longest period.
LONGEST = 1024
# Iterations at which the learning rate is compared.
RATES = 257


@dataclass(frozen=True)
class Cycle(Element):
    """A repetition from iteration ``first`` to ``first + length``.

    Attributes
    ----------
    rows : dict of str to ndarray, shape (period, ...)
        Theta and the memories of one period, row 0 after ``first``.
    """

    rows: dict[str, Array]

    @property
    def period(self) -> int:
        """Number of iterations after which the run repeats itself."""
        return len(self.rows["theta"])

    def state(self, k: Array) -> State:
        """Return theta and the memories after iterations ``k``, shape (m,)."""
        at = (np.asarray(k, dtype=np.int64) - self.first) % self.period
        return {name: rows[at] for name, rows in self.rows.items()}

    def end(self) -> State:
        """Return the state after the last iteration."""
        return {name: rows[0] for name, rows in self.state(np.array([self.first + self.length])).items()}


def find(
    loop: GenericLoop, rows: dict[str, list[Array]], k: int, steps: int, rate: Callable[[Array], Array]
) -> Cycle | None:
    """Return the repetition that begins after iteration ``k``, or None.

    An iteration may depend on its number, for example in a bias correction, as long as this changes a digit:
    one period is computed again from the middle and at the end of the iterations left.

    Parameters
    ----------
    loop : GenericLoop
        The run after iteration ``k``.
    rows : dict of str to list of ndarray
        Theta and the memories of the last iterations, up to ``k``.
    k, steps : int
        Last iteration, and that of the end of the run.
    rate : callable
        Learning rate of iterations; it does not jump after ``k``.
    """
    period, left = _period(rows), steps - k
    if not 0 < 4 * period < left or _counts(loop):
        return None
    rates = rate(np.linspace(k + 1.0, steps, RATES).round())
    if (rates != rates[0]).any():
        return None
    states = {name: np.array(values[-1 - period : -1]) for name, values in rows.items()}
    saved = loop.values
    for first in (k + (left - period) // 2, steps - period):
        loop.values = dict(saved)
        for at in range(1, period + 1):
            loop.iterate(first + at, float(rates[0]))
            if any(not np.array_equal(loop.values[name], states[name][at % period]) for name in states):
                loop.values = saved
                return None
    loop.values = saved
    start = {name: values[-1] for name, values in rows.items()}
    return Cycle(k, left, start, {}, states)


def _period(rows: dict[str, list[Array]]) -> int:
    """Return the number of iterations since the last state was met before; 0 if it was not."""
    for period in range(1, min(LONGEST, len(rows["theta"]) - 1) + 1):
        if all(np.array_equal(values[-1], values[-1 - period]) for values in rows.values()):
            return period
    return 0


def _counts(loop: GenericLoop) -> bool:
    """Whether a sequence has a state of its own: one defined by recursion."""
    return any(isinstance(sequence, Recursion) for sequence in loop.plan.optimizer.sequences().values())
