r"""The reference of a cell: the run of its optimizer, or a leap where that is cheaper.

What lives here: :func:`reference` and its rule.  What does not: runs (:mod:`idescent.discrete.loop`), leaps
(:mod:`idescent.solvers.leap`), and the comparison of a solution with the reference
(:mod:`idescent.analysis.errors`).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.discrete.loop import has_kernel, simulate
from idescent.objectives.protocol import CountedObjective, Objective
from idescent.optimizers.optimizer import Optimizer
from idescent.schedules import Schedule
from idescent.solvers.leap import Leap, leap
from idescent.solvers.walk import SAFETY
from idescent.solvers.walk_checks import EPSILON
from idescent.trajectory import Report, Trajectory, assemble, kept, sampled

RTOL = 1e-12
"""Tolerance of an element of a leap."""

COMPILED = 200_000, 50
PYTHON = 20_000, 4
"""Most iterations of a cell without a leap, and iterations of the run for each gradient of a leap: for runs
with a compiled loop, and for all others."""


def reference(
    optimizer: Optimizer,
    objective: Objective,
    *,
    alpha: float,
    theta0: ArrayLike,
    steps: int,
    schedule: Schedule | None = None,
    rule: tuple[int, int] | None = None,
) -> Trajectory:
    r"""Compute the discrete run of a cell, by iterations or by a leap, whichever is cheaper.

    The rule depends on numbers of the cell and on counts of gradients, never on time:

    1. up to 20 000 iterations, or 200 000 if there is a compiled loop, it is the run;
    2. above, it is a leap (:func:`idescent.leap`) with the tolerance 1e-12, if that converges with at most
       one gradient for 4 iterations of the run, or for 50 if there is a compiled loop;
    3. else it is the run.

    A leap over a smooth run takes 2 000 to 5 000 gradients at any learning rate: as long as a run of so many
    iterations in Python, or of a million in a compiled loop.  But already at 500 000 iterations the rounding
    errors of a run with equal steps add up to six times a random walk; a leap has none.

    Rows are those of :func:`idescent.trajectory.sampled`.  The details of the report contain ``reference``,
    ``run`` or ``leap``.  The ``error_estimate`` is the distance from the iteration in exact arithmetic, sup
    norm of theta.  For a leap it is the sum of

    - three times the resolution of the elements;
    - the rounding of the leap itself: two units in the last place of :math:`\max|\theta|` for each element,
      and a random walk over the iterations made one by one;
    - for decoupled weight decay w, the rounding of the factor :math:`1 - \alpha w`, which the run and the
      leap share: its error times the number of iterations times :math:`\max|\theta|`.

    For a run of more than 200 000 iterations it is half a unit in the last place of :math:`\max|\theta|` in
    each iteration, all of one sign.  For a shorter run there is no estimate in the report
    (:func:`idescent.analysis.errors.reference_error`).

    Parameters
    ----------
    optimizer, objective, alpha, theta0, steps, schedule
        As for :func:`idescent.simulate`.
    rule : (int, int), optional
        ``COMPILED`` or ``PYTHON``; by default the one of these two that applies.

    Returns
    -------
    Trajectory
        With the status ``completed`` or ``diverged``.

    Raises
    ------
    ValueError
        As :func:`idescent.simulate`.
    """
    rows = sampled(steps)
    longest, share = rule or (COMPILED if has_kernel(optimizer, objective) else PYTHON)
    details, spent = {"reference": "run"}, 0
    if steps > longest:
        try:
            path = leap(
                optimizer,
                objective,
                alpha=alpha,
                theta0=theta0,
                steps=steps,
                rtol=RTOL,
                schedule=schedule,
                limit=steps // share,
            )
            if path.report.ok:
                return _of_leap(path, optimizer, objective, alpha, rows, constant=schedule is None)
            details["leap"], spent = path.report.message, path.report.gradient_evaluations
        except ValueError as error:
            # A leap takes no noise.  The run raises the same error if an argument is at fault.
            details["leap"] = str(error)
    run = simulate(
        optimizer, objective, alpha=alpha, theta0=theta0, steps=steps, schedule=schedule, keep=rows
    )
    estimate = run.report.error_estimate
    if steps > COMPILED[0] and run.report.ok:
        estimate = 0.5 * EPSILON * float(np.abs(run.theta).max()) * steps
    spent += run.report.gradient_evaluations
    report = replace(run.report, gradient_evaluations=spent, error_estimate=estimate, details=details)
    return replace(run, report=report)


def _of_leap(
    path: Leap,
    optimizer: Optimizer,
    objective: Objective,
    alpha: float,
    rows: NDArray[np.int64] | None,
    *,
    constant: bool,
) -> Trajectory:
    """Return the sampled rows of a leap, with the report of a reference."""
    k = kept(path.steps, rows)
    theta, of = path(k), path.report
    scale, details = float(np.abs(theta).max()), of.details
    own = EPSILON * scale * (2.0 * details["elements"] + math.sqrt(details["iterations"]))
    shared = path.steps * _decay_rounding(alpha * optimizer.decoupled_decay, constant=constant) * scale
    report = Report(
        "completed",
        f"{path.steps} iterations by a leap: {of.message}",
        gradient_evaluations=of.gradient_evaluations,
        sweeps=of.sweeps,
        error_estimate=SAFETY * details["resolution"] + own + shared,
        rtol=of.rtol,
        details={
            "reference": "leap",
            **{name: details[name] for name in ("elements", "iterations", "resolution", "rounding")},
        },
    )
    loss = CountedObjective(objective).value(theta)
    return assemble(theta, loss, path.moments(k), alpha, report, k)


def _decay_rounding(decay: float, *, constant: bool) -> float:
    """Return the rounding error of ``1 - decay``; its bound if the learning rate changes."""
    if decay == 0.0 or not constant:
        return 0.25 * EPSILON if decay else 0.0
    return abs((1.0 - (1.0 - decay)) - decay)
