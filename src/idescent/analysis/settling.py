r"""How long a run is until its optimizer has settled.

What lives here: the horizon that a configuration asks for with ``until``, found by running the optimizer.
What does not: the keys (:mod:`idescent.study.keys`), runs that are kept (:mod:`idescent.discrete.loop`).

A horizon is counted in every cell, not scaled from one learning rate to another: only that of AdaGrad goes
like a power of :math:`\alpha` (-2, within a tenth).  With an average the time :math:`\alpha k` depends on how
much of the memory fits into the run, and with a momentum that passes the minimum it can differ tenfold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.discrete.loop import simulate
from idescent.objectives import CountedObjective, Objective
from idescent.optimizers.optimizer import Optimizer
from idescent.schedules import Schedule

_FIRST = 1024


@dataclass(frozen=True)
class Horizon:
    """A horizon in iterations, and whether the run has settled there or was cut off.

    Attributes
    ----------
    steps : int
    settled : bool
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
              \qquad\text{for all } K \le k \le 2K :

    the run stays near the minimum for as long as it took to get there, so that passing it does not count.

    Parameters
    ----------
    optimizer : Optimizer
    objective : Objective
    alpha : float in (0, 1]
    theta0 : float or array_like, shape (n,)
    within : float in (0, 1)
    at_most : int, >= 1
        The horizon if K would be larger, or does not exist: the run circles the minimum, or diverges.
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
    Runs are made anew with twice as many iterations until K is known: less than ``8 K`` iterations, and
    never more than ``4 at_most``.
    """
    counted = CountedObjective(objective)
    length = min(_FIRST, 2 * at_most)
    while True:
        run = simulate(optimizer, objective, alpha=alpha, theta0=theta0, steps=length, schedule=schedule)
        with np.errstate(over="ignore", invalid="ignore"):
            slopes = np.linalg.norm(counted.gradient(run.theta), axis=-1)
        # A row that is not finite is not near the minimum: comparing it gives False.
        rest, known = _first_rest(slopes <= within * slopes[0])
        if known or rest > at_most or run.report.diverged_at is not None:
            settled = known and rest <= at_most
            return Horizon(rest if settled else at_most, settled)
        length = min(2 * length, 2 * at_most)


def _first_rest(inside: NDArray[np.bool_]) -> tuple[int, bool]:
    """Return the smallest K >= 1 with ``inside`` true from K to 2 K, and whether the rows suffice to say so.

    If they do not, no smaller K has it.
    """
    last = len(inside) - 1
    outside = np.flatnonzero(~inside[1:]) + 1
    starts = np.concatenate([[1], outside + 1])
    ends = np.concatenate([outside, [last + 1]])
    resting = ends > 2 * starts
    return (int(starts[np.argmax(resting)]), True) if resting.any() else (int(starts[-1]), False)
