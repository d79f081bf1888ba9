r"""The discrete run of any declared optimizer, with smooth stretches of iterations in one element.

What lives here: :func:`leap` and its result :class:`Leap`.  What does not: the choice and the checks of
elements (:mod:`idescent.solvers.walk`), and their equations (:mod:`idescent.solvers.difference`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.common.numeric import fraction, integer, iterations
from idescent.discrete.setup import Setup
from idescent.objectives.protocol import Objective
from idescent.optimizers.optimizer import Optimizer
from idescent.schedules import Schedule, check
from idescent.solvers.difference import Difference
from idescent.solvers.element import Element, Iterations, State
from idescent.solvers.walk import Walk
from idescent.trajectory import Report

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Leap:
    """A run whose smooth stretches were computed element by element.

    Attributes
    ----------
    steps : int
        Horizon: the last iteration asked for.
    reached : int
        Last iteration that was computed: ``steps``, unless the report has another status than ``converged``.
    report : Report
        ``gradient_evaluations`` counts everything.  ``error_estimate`` is that of theta in the sup norm over
        k = ``first`` ... ``reached``, the rounding of the discrete run included.  Details: ``elements``,
        ``iterations`` (made one by one), ``where`` (their first and last k, by stretch), ``lengths`` of the
        elements, ``rejected`` elements, the parts ``resolution`` and ``rounding`` of the estimate, and the
        ``period`` of the iterations that the run repeats until its end, or None.
    """

    steps: int
    reached: int
    report: Report
    parts: tuple[Iterations | Element, ...] = field(repr=False)
    equation: Difference = field(repr=False)

    @property
    def first(self) -> int:
        """Iteration at which it starts."""
        return self.parts[0].first

    def __call__(self, k: ArrayLike) -> Array:
        """Return theta after any iterations, the iterate that the discrete run stores.

        Parameters
        ----------
        k : array_like of int, shape (m,) or ()
            Iterations in [first, reached], in any order.

        Returns
        -------
        ndarray, shape (m, n) or (n,)

        Raises
        ------
        ValueError
            If an iteration is no integer or was not computed.
        """
        points = iterations(k, self.first, self.reached)
        plan = self.equation.plan
        theta = np.empty((points.size, self.parts[0].state(np.array([self.first]))["theta"].size))
        for chosen, values in self._states(points.ravel()):
            if plan.optimizer.evaluate is not None:
                numbers = points.ravel()[chosen]
                before = np.maximum(numbers - 1, self.first)
                old = self._gathered(before)
                values = self.equation.values(values, numbers.astype(np.float64)) | {
                    f"{name}_old": value for name, value in old.items()
                }
            theta[chosen] = plan.evaluated(values).reshape(len(chosen), -1)
        return theta.reshape((*points.shape, theta.shape[-1]))

    def moments(self, k: ArrayLike) -> dict[str, Array]:
        """Return the memories by name after any iterations, shape (m, width) or (width,) each.

        Raises
        ------
        ValueError
            If an iteration is no integer or was not computed.
        """
        points = iterations(k, self.first, self.reached)
        states = self._gathered(points.ravel())
        shapes = {name: (*points.shape, int(np.prod(value.shape[1:]))) for name, value in states.items()}
        return {name: value.reshape(shapes[name]) for name, value in states.items() if name != "theta"}

    def _gathered(self, k: NDArray[np.int64]) -> State:
        initial = self.parts[0].state(np.array([self.first]))
        gathered = {name: np.empty((k.size, *value.shape[1:])) for name, value in initial.items()}
        for chosen, values in self._states(k):
            for name, value in values.items():
                gathered[name][chosen] = value
        return gathered

    def _states(self, k: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], State]]:
        """Return the states after iterations ``k`` by part, with their indices in ``k``."""
        firsts = np.array([part.first for part in self.parts])
        part_of = np.searchsorted(firsts, k, side="right") - 1
        chosen = [(int(i), np.flatnonzero(part_of == i)) for i in np.unique(part_of)]
        return [(at, self.parts[i].state(k[at].astype(np.float64))) for i, at in chosen]


def leap(
    optimizer: Optimizer,
    objective: Objective,
    *,
    alpha: float,
    theta0: ArrayLike | None = None,
    start: Any = None,
    steps: int,
    rtol: float = 1e-10,
    schedule: Schedule | None = None,
    limit: int = 100_000,
) -> Leap:
    r"""Compute the discrete run of a declared optimizer, without making each of its iterations.

    On a stretch on which the run is smooth, theta and every memory are polynomials of the iteration that
    satisfy the optimizer's own difference equation at collocation points, the shift by one iteration
    included.  The stretch costs about a hundred gradients, however many iterations it has, and there is no
    error of a model.  In an oscillation of period 2 of at most 16 parameters, as of RMSProp beside a minimum,
    even and odd iterations have a polynomial each.  A run that returns to an earlier state to the last digit
    repeats the iterations between.  Where the run is not smooth otherwise (the first iterations, a zero of a
    gradient, chaos) the iterations are made one by one, as in a discrete run, at two gradients each: a
    neighbour of the run measures how an error grows.

    At an iteration k of an element, with memories :math:`M_k = \beta M_{k-1} + c\,h_k`, polynomials satisfy

    .. math::
        M(k) - \beta\,M(k-1) = c\,h(k), \qquad
        \theta(k) - \theta(k-1) = -\alpha\,\bigl(D(k) + w\,\theta(k-1)\bigr)

    at 16 real numbers k, at most a tenth of the element apart.  Elements end at the breaks of a schedule, and
    where a jump of the gradient is found.  A change of the gradient that begins and ends between two of these
    numbers is passed unseen.

    The error estimate is three times the sum of two parts: the resolution of the elements, and the rounding
    errors that the discrete run makes in them, both with their growth.  Where neighbours part in chaos, it is
    the distance of two points there: no method predicts such a run.  The growth within an element is
    interpolated from neighbours at its two ends.

    Multi-revolution methods (Calvo, Jay, Montijano and Rández 2004, Numer. Math. 97) and envelope
    following (Petzold 1981, SIAM J. Numer. Anal. 18) skip revolutions of an oscillation in this way.

    Parameters
    ----------
    optimizer : Optimizer
    objective : Objective
        Without noise.
    alpha : float in (0, 1]
        Learning rate.
    theta0 : float or array_like, shape (n,)
        Initial parameters.
    start : array, tuple or dict, optional
        Replaces ``theta0``; one of

        - theta, shape (n,);
        - ``(trajectory, k)``: a :class:`~idescent.Trajectory` and one of its iterations;
        - ``{"theta": ..., "moments": {...}, "k": ...}``, or an object with these attributes: a checkpoint.
          Moments are not bias-corrected.  Names of ``torch.optim`` (``exp_avg``, ``exp_avg_sq``, ``step``)
          and of ``optax`` (``mu``, ``nu``, ``count``) are accepted.  A list of arrays is joined in its order;
        - ``{"theta": ..., "iterations": 20}``: makes at least 20 iterations one by one first.

        Iterations count from the start of the run: the path begins at ``k`` and ends at ``k + steps``, with
        the learning rates of a schedule there.
    steps : int, >= 1
        Number of iterations.
    rtol : float in (0, 1)
        Tolerance of an element, relative to the size of theta.
    schedule : Schedule, optional
        Factors of the learning rate.
    limit : int, >= 1
        Number of gradients after which the computation ends, with the status ``not converged``.

    Returns
    -------
    Leap
        Call it with any iterations.

    Raises
    ------
    ValueError
        If an argument is outside its range, or an iteration computed twice is not the same: leap takes no
        noise, neither of the objective nor of the optimizer.
    """
    setup = Setup.checked(
        optimizer, objective, alpha=alpha, theta0=theta0, start=start, steps=steps, schedule=schedule
    )
    fraction("rtol", rtol)
    integer("limit", limit)
    if schedule is not None:
        check(schedule)
    walk = Walk(setup, float(rtol), limit)
    walk.go()
    return Leap(setup.steps, walk.reached, walk.report(), tuple(walk.parts), walk.equation)
