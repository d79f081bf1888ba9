"""The entry point of everything continuous: :func:`solve`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from idescent import solvers
from idescent.common.numeric import offers
from idescent.discrete import memory
from idescent.discrete.setup import Setup, check_tolerances
from idescent.discrete.start import kept_from
from idescent.models.beginning import started
from idescent.models.equation import Model
from idescent.models.scheduled import under
from idescent.objectives.protocol import Objective
from idescent.optimizers.optimizer import Optimizer
from idescent.schedules import Schedule, factors
from idescent.trajectory import Keep, Trajectory

Progress = Callable[[str], None]


class Solver(Protocol):
    """A method that solves a model.

    A solver may have a method ``check(model, equation)`` that raises ValueError for an equation that it
    cannot solve: a study then reports it when its configuration is read.
    """

    def solve(
        self,
        model: Model,
        optimizer: Optimizer,
        objective: Objective,
        *,
        alpha: float,
        theta0: ArrayLike,
        steps: int,
        rtol: float,
        atol: float,
        progress: Progress | None = None,
        keep: Keep | None = None,
    ) -> Trajectory:
        """Solve the model on k = 0 ... steps; the arguments are those of :func:`solve`."""


def solve(
    model: Model,
    optimizer: Optimizer,
    objective: Objective,
    *,
    alpha: float,
    theta0: ArrayLike | None = None,
    start: Any = None,
    steps: int,
    rtol: float = 1e-9,
    atol: float = 1e-12,
    solver: Solver | None = None,
    schedule: Schedule | None = None,
    progress: Progress | None = None,
    keep: Keep | None = None,
) -> Trajectory:
    r"""Solve a continuous-time model of an optimizer.

    Parameters
    ----------
    model : Model
        For example ``ide.models.Paper()``.
    optimizer : Optimizer
    objective : Objective
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
        - ``{"theta": ..., "iterations": 20}``: makes 20 true iterations first.

        Iterations count from the start of the run: the path begins at ``k`` and ends at ``k + steps``, with
        the learning rates of a schedule there.  A start other than theta needs a model that begins with
        iterations of the optimizer, as :class:`~idescent.models.HalfStep`.  Iterations up to
        ``HalfStep.start`` are true ones, unless their number is stated; after a later checkpoint the equation
        begins at once.  The order of the model in alpha assumes that the memories of a checkpoint follow the
        gradient, as after iterations on this objective at this learning rate.
    steps : int, >= 1
        Number of iterations; the solution is reported at :math:`t = \alpha k`, k = 0 ... steps.
    rtol, atol : float, > 0
        Tolerance of ``theta``, sup norm over the iterations stored: the error shall be at most ``atol +
        rtol*max|theta|``.
    solver : Solver, optional
        Method of solution; default :class:`idescent.solvers.Collocation`.
    schedule : Schedule, optional
        Factors of the learning rate, for example ``ide.schedules.Cosine(1000)``; time stays
        :math:`\alpha k`.
    progress : callable, optional
        Receives lines for a log.
    keep : int or sequence of int, optional
        Store every ``keep``-th iteration and the last one, or the iterations listed, from the first to the
        last one; default all.

    Returns
    -------
    Trajectory
        Moments are those of the model at ``s = k``.  Its ``report`` contains status, message, gradient
        evaluations, sweeps, error estimate and tolerance; the status of a solution that did not reach the
        tolerance is ``not converged``.

    Raises
    ------
    ValueError
        If an argument is outside its range, the objective is not finite at the start, or the rows kept do
        not fit into the memory available.
    """
    offers("model", model, "equation")
    setup = Setup.checked(
        optimizer, objective, alpha=alpha, theta0=theta0, start=start, steps=steps, schedule=schedule
    )
    count = setup.steps - setup.first
    memory.check(count, memory.numbers(optimizer, len(setup.start), count, keep))
    check_tolerances(rtol, atol)
    model = started(model, setup.first, setup.values, setup.iterations)
    if setup.first:
        k = kept_from(setup.first, count, keep)
        # A solver stores row 0, too.
        keep = np.concatenate(([0], k))
    if schedule is not None:
        factors(schedule, setup.steps)
        model = under(model, schedule, setup.steps)
    if solver is None:
        # Through the lazy registry: results of another solver do not depend on the default's code.
        solver = solvers.Collocation()
    offers("solver", solver, "solve")
    if setup.values is not None and not isinstance(solver, solvers.Collocation):
        name = type(solver).__name__
        raise ValueError(f"start: a checkpoint is not allowed with {name}: must be solved by Collocation")
    solution = solver.solve(
        model,
        optimizer,
        objective,
        alpha=setup.alpha,
        theta0=setup.start,
        steps=setup.steps,
        rtol=float(rtol),
        atol=float(atol),
        progress=progress,
        keep=keep,
    )
    return solution.rows(k) if setup.first else solution
