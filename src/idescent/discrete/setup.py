"""What a run and every model of it have in common, as one value.

What lives here: :class:`Setup`, and the checks of the arguments in it.  What does not: a run
(:mod:`idescent.discrete.loop`), a model or its solver.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.common.numeric import fraction, is_number, is_whole, offers, shown
from idescent.discrete.start import parsed, restored
from idescent.objectives.protocol import CountedObjective, Objective
from idescent.optimizers.optimizer import Optimizer, check_declared
from idescent.optimizers.plan import Values
from idescent.schedules import Schedule

Array = NDArray[np.float64]

MOST_STEPS = 2**53


@dataclass(frozen=True)
class Setup:
    """An optimizer on an objective: the arguments that runs, solutions and predictions share.

    Attributes
    ----------
    optimizer : Optimizer
    objective : CountedObjective
        Counts the gradients of everything that is computed from this setup.
    alpha : float
        Learning rate.
    start : ndarray, shape (n,)
        Parameters after iteration ``first``.
    steps : int
        Horizon: the last iteration.
    schedule : Schedule or None
        Factors of the learning rate.
    first : int
        Iteration at which the run starts.
    values : dict or None
        Parameters and memories by name after iteration ``first``, in the shapes of one run; None for the
        initial values of the optimizer.
    iterations : int or None
        Number of iterations to make one by one at first; None if it is not stated.
    """

    optimizer: Optimizer
    objective: CountedObjective
    alpha: float
    start: Array
    steps: int
    schedule: Schedule | None = None
    first: int = 0
    values: Values | None = None
    iterations: int | None = None

    @classmethod
    def checked(
        cls,
        optimizer: Optimizer,
        objective: Objective,
        *,
        alpha: float,
        theta0: ArrayLike | None,
        steps: int,
        schedule: Schedule | None = None,
        start: Any = None,
    ) -> Setup:
        """Check the arguments of a public function, and return them as a setup.

        ``start`` replaces ``theta0`` (:func:`idescent.discrete.start.parsed`); ``steps`` then is the number
        of iterations from there on.

        Raises
        ------
        ValueError
            If an argument is outside its range, or the objective is not finite at the start.
        """
        check_declared(optimizer)
        offers("objective", objective, "value", "gradient")
        if theta0 is None and start is None:
            raise ValueError("theta0: None is not allowed: must be a number or a vector (n,), or have start")
        if theta0 is not None and start is not None:
            raise ValueError(f"start: {shown(start)} is not allowed: must be None beside theta0")
        begin = None if start is None else parsed(start, optimizer)
        theta = point(alpha, theta0 if begin is None else begin.theta, steps)
        # The gradients of the check do not count.
        check_objective(CountedObjective(objective), theta)
        counted = CountedObjective(objective)
        if begin is None:
            return cls(optimizer, counted, float(alpha), theta, int(steps), schedule)
        last = begin.k + int(steps)
        if last > MOST_STEPS:
            raise ValueError(f"start: k + steps = {last} is not allowed: must be <= 2**53")
        values = None if begin.moments is None else restored(begin, optimizer)
        return cls(optimizer, counted, float(alpha), theta, last, schedule, begin.k, values, begin.iterations)


def point(alpha: float, theta0: Any, steps: int) -> Array:
    """Check these arguments; return ``theta0`` as a vector, shape (n,)."""
    if not is_number(alpha) or not 0.0 < alpha <= 1.0:
        raise ValueError(f"alpha: {alpha!r} is not allowed: must be a number in (0, 1]")
    if not is_whole(steps) or steps < 1:
        raise ValueError(f"steps: {steps!r} is not allowed: must be an integer >= 1")
    if steps > MOST_STEPS:
        raise ValueError(f"steps: {steps!r} is not allowed: must be <= 2**53, beyond which time is not exact")
    try:
        start = np.atleast_1d(np.asarray(theta0, dtype=np.float64))
        if np.asarray(theta0).dtype.kind in "bUS" or np.ma.is_masked(theta0):
            raise TypeError("text, booleans and masked values are no numbers")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"theta0: {shown(theta0)} is not allowed: must be a number or a vector (n,)"
        ) from error
    if start.ndim != 1 or start.size == 0:
        raise ValueError(f"theta0: shape {start.shape} is not allowed: must be a number or a vector (n,)")
    if not np.isfinite(start).all():
        raise ValueError(f"theta0: {shown(theta0)} is not allowed: every value must be finite")
    return start


def check_tolerances(rtol: float, atol: float) -> None:
    """Check the tolerances of a solution."""
    fraction("rtol", rtol)
    fraction("atol", atol)


def check_objective(objective: CountedObjective, start: Array) -> None:
    """Check that value and gradient have the shapes that they should have, and are finite, at the start."""
    n = start.size
    # In a square array a function of a single point could get the shapes right by chance.
    copies = 3 if n == 2 else 2
    for theta, where in ((start, "at theta0"), (np.tile(start, (copies, 1)), f"at {copies} points")):
        hint = "" if theta.ndim == 1 else "; set vectorized = False if it takes one point at a time"
        for name, shape in (
            ("value", theta.shape[:-1]),
            ("gradient", theta.shape),
        ):
            try:
                value = objective.call(name, theta)
            except (TypeError, ValueError, IndexError) as error:
                if str(error).startswith("objective."):
                    raise
                raise ValueError(f"objective.{name} {where} of shape {theta.shape}: {error}{hint}") from error
            if value.shape != shape:
                raise ValueError(f"objective.{name}: shape {value.shape} {where}: must be {shape}{hint}")
            if not np.isfinite(value).all():
                raise ValueError(
                    f"objective.{name}: {value.tolist()!r} at theta0 = {start.tolist()!r}: must be finite"
                )
