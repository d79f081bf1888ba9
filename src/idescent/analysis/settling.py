r"""Horizon at which a run has settled.

What lives here: the horizon for the key ``until`` of a configuration, computed by running the optimizer.
What does not: the keys (:mod:`idescent.study.keys`), the loop itself (:mod:`idescent.discrete.loop`).

The horizon is computed for every cell, not scaled from one learning rate to another.  Only for AdaGrad it
follows a power of :math:`\alpha` (-2, to within a tenth).  With an exponential average, the time
:math:`\alpha k` depends on the ratio of the memory to the length of the run; with a momentum that overshoots
the minimum, it can differ tenfold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.discrete.loop import simulate
from idescent.objectives import CountedObjective, Objective
from idescent.optimizers.optimizer import Optimizer
from idescent.schedules import Schedule

_FIRST = 1024  # iterations of the first attempt


@dataclass(frozen=True)
class Horizon:
    """A horizon in iterations.

    Attributes
    ----------
    steps : int
    settled : bool
        Whether the run has settled at ``steps``; False if it was cut off there.
    """

    steps: int
    settled: bool


def settling(
    optimizer: Optimizer,
    objective: Objective,
    *,
    alpha: float,
    theta0: ArrayLike,
    within: float,
    at_most: int,
    schedule: Schedule | None = None,
) -> Horizon:
    r"""Return the iteration at which a run has settled.

    It is the smallest :math:`K \ge 1` such that

    .. math:: \Vert\nabla f(\theta_k)\Vert \le \text{within}\cdot\Vert\nabla f(\theta_0)\Vert
              \qquad\text{for all } K \le k \le 2K.

    The run must stay near the minimum for as long as it took to reach it: a run that only passes the minimum
    has not settled.

    Parameters
    ----------
    optimizer : Optimizer
    objective : Objective
    alpha : float in (0, 1]
    theta0 : float or array_like, shape (n,)
    within : float in (0, 1)
    at_most : int, >= 1
        Largest horizon.  It is returned if K is larger or does not exist, because the run oscillates around
        the minimum or diverges.
    schedule : Schedule, optional

    Returns
    -------
    Horizon

    Raises
    ------
    ValueError
        As :func:`idescent.simulate`.

    Notes
    -----
    The run is repeated with twice as many iterations until K is known.  This takes less than ``8 K``
    iterations in total, and never more than ``4 at_most``.
    """
    counted = CountedObjective(objective)
    length = min(_FIRST, 2 * at_most)
    while True:
        run = simulate(optimizer, objective, alpha=alpha, theta0=theta0, steps=length, schedule=schedule)
        with np.errstate(over="ignore", invalid="ignore"):
            norms = np.linalg.norm(counted.gradient(run.theta), axis=-1)
        # A row that is not finite compares as False: it is not near the minimum.
        settled_at, known = _first_settled(norms <= within * norms[0])
        if known or settled_at > at_most or run.report.diverged_at is not None:
            settled = known and settled_at <= at_most
            return Horizon(settled_at if settled else at_most, settled)
        length = min(2 * length, 2 * at_most)


def _first_settled(near: NDArray[np.bool_]) -> tuple[int, bool]:
    """Return the smallest K >= 1 with ``near`` true from K to 2 K, and True if the rows suffice to find it.

    If they do not suffice, it returns a lower bound of K, and False.
    """
    last = len(near) - 1
    away = np.flatnonzero(~near[1:]) + 1
    # Intervals between iterations away from the minimum: near is true from starts[i] to ends[i] - 1.
    starts = np.concatenate([[1], away + 1])
    ends = np.concatenate([away, [last + 1]])
    long_enough = ends > 2 * starts
    if long_enough.any():
        return int(starts[np.argmax(long_enough)]), True
    return int(starts[-1]), False
