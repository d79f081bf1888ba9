"""Prediction of a long discrete run from a continuous model.

The half-step model is smooth after its first steps, so a solver can use elements of many thousand iterations:
the cost does not depend on the number of iterations.

What lives here: :func:`fast_forward`, its result, and the estimate of the model's error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.discrete.loop import DiscreteRun, known_ratio, run_python
from idescent.discrete.setup import Setup, check_tolerances
from idescent.models.averages import structure
from idescent.models.half_step import HalfStep
from idescent.objectives.protocol import CountedObjective, Objective
from idescent.optimizers.optimizer import Optimizer
from idescent.solvers.collocation import Collocation, Recorded
from idescent.trajectory import Report, Trajectory

Array = NDArray[np.float64]

# Iterations of the longer pilot run; the shorter one has half as many.
PILOT = 192
# Parts of the course, each with an error and an order of its own.
PARTS = 32
# Parts to each side over which the largest error is taken.
NEIGHBOURS = 3
# Iterations of a spot check, a discrete run that starts from a predicted state.
SPOT = 64
# Safety factor of the extrapolated error of the pilot runs.
SAFETY = 10.0
# Safety factor of the error of a spot check.
SAFETY_SPOT = 2.0
# Tolerances of the solutions, relative to the one asked for.  The difference of two solutions is the error of
# the coarser one; if it is too large a third one decides.
PASSES = (30.0, 1.0, 1.0 / 30.0)


@dataclass(frozen=True)
class Prediction:
    """A predicted run.

    Attributes
    ----------
    steps : int
        Horizon in iterations.
    path : Recorded
        Dense output of the solution.
    report : Report
        ``error_estimate`` is the sum of the details ``model_error`` and ``solver_error``, all in the sup norm
        of theta over k = 0 ... steps.  ``gradient_evaluations`` counts everything, pilot runs included.
    """

    steps: int
    path: Recorded
    report: Report

    def __call__(self, k: ArrayLike) -> Array:
        """Evaluate theta at any iterations.

        Parameters
        ----------
        k : array_like, shape (m,) or ()
            Iterations in [0, steps], in any order.

        Returns
        -------
        ndarray, shape (m, n) or (n,)

        Raises
        ------
        ValueError
            If an iteration is outside the prediction.
        """
        points = np.asarray(k, dtype=np.float64)
        if points.size and not (points.min() >= 0.0 and points.max() <= self.steps):
            raise ValueError(
                f"k: {points.min():g} ... {points.max():g} is not allowed: must be in [0, {self.steps}]"
            )
        return self.path(points)


def fast_forward(
    optimizer: Optimizer,
    objective: Objective,
    *,
    alpha: float,
    theta0: ArrayLike,
    steps: int,
    rtol: float = 1e-6,
    atol: float = 1e-12,
) -> Prediction:
    r"""Predict theta over a run of any length from the half-step model.

    The error has two parts.  The solver's error is the difference of two solutions.  The model's error is
    extrapolated from two pilot runs over the same course at larger learning rates.  For an average over a
    window (RMSProp, Adam) the course depends on :math:`\alpha k`, for a sum (AdaGrad) on :math:`\alpha^2 k`,
    so a run of a few hundred iterations at a larger :math:`\alpha'` covers it all.  The pilot runs give an
    error e and an observed order p (at most 2) for each of 32 parts of the course; the estimate is the
    largest :math:`4\,e\,(\alpha/\alpha')^p`.  Spot checks at the true learning rate (at the end, and where
    the path bends fastest) detect the oscillation about a minimum; the estimate is at least twice their
    error.  The error of a run that is not longer than the pilot runs is measured.

    Not detected: bursts of Adam long after convergence, when the second moment has decayed and the discrete
    iteration, not the equation, is unstable.

    Parameters
    ----------
    optimizer : Optimizer
    objective : Objective
    alpha : float in (0, 1]
        Learning rate.
    theta0 : float or array_like, shape (n,)
        Initial parameters.
    steps : int, >= 1
        Horizon in iterations.
    rtol, atol : float, in (0, 1)
        Tolerance of the solver.  The model's error does not depend on it, and is reported.

    Returns
    -------
    Prediction
        Call it with any iterations.

    Raises
    ------
    ValueError
        If an argument is outside its range, or the step is not a ratio of moments: the estimate of the
        model's error knows no other optimizer.
    """
    setup = Setup.checked(optimizer, objective, alpha=alpha, theta0=theta0, steps=steps)
    structure("fast_forward", optimizer)
    check_tolerances(rtol, atol)
    rtol, atol, counted = float(rtol), float(atol), setup.objective
    model = HalfStep()
    solver = Collocation(stages=7)
    paths, errors = [], []
    for factor in PASSES:
        path = solver.record(model, setup, factor * rtol, factor * atol)
        paths.append(path)
        if path.failed:
            report = Report("not converged", path.failed, counted.gradients, rtol=rtol, atol=atol)
            return Prediction(setup.steps, path, report)
        s, theta = path.nodes()
        allowed = atol + rtol * float(np.abs(theta).max())
        if len(paths) > 1:
            # Both are piecewise polynomials: the nodes of the finer one sample their difference densely
            # enough.
            errors.append(float(np.abs(theta - paths[-2](s)).max()))
            if errors[-1] <= allowed:
                break
    fine, solver_error = paths[-1], errors[-1]
    model_error, details = _model_error(setup, model, solver, rtol, atol, fine)
    estimate = solver_error + model_error
    report = Report(
        "converged" if solver_error <= allowed else "not converged",
        f"error estimate {estimate:.2g}: model {model_error:.2g}, solver {solver_error:.2g}",
        gradient_evaluations=counted.gradients,
        sweeps=sum(path.sweeps for path in paths),
        error_estimate=estimate,
        rtol=rtol,
        atol=atol,
        details={
            "model_error": model_error,
            "solver_error": solver_error,
            "elements": fine.elements,
            **details,
        },
    )
    return Prediction(setup.steps, fine, report)


def _model_error(
    setup: Setup, model: HalfStep, solver: Collocation, rtol: float, atol: float, path: Recorded
) -> tuple[float, dict[str, float]]:
    """Return the error of the half-step model, and details of its estimate.

    It is measured if the run is short, else extrapolated from two pilot runs.
    """
    alpha, steps = setup.alpha, setup.steps
    if steps <= PILOT:
        run = _run(setup)
        return float(np.abs(run.theta - path(run.k.astype(np.float64))).max()), {}
    # The course depends on alpha^(1/power) k: a pilot run of that length covers it at the learning rate
    # `rate`.
    power = 0.5 if known_ratio(setup.optimizer).sums else 1.0
    rates, profiles = [], []
    for length in (PILOT, PILOT // 2):
        rate = min(1.0, alpha * (steps / length) ** power)
        length = math.ceil(steps * (alpha / rate) ** (1.0 / power))
        pilot_setup = replace(setup, alpha=rate, steps=length)
        run = _run(pilot_setup)
        pilot = solver.record(model, pilot_setup, 10.0 * rtol, 10.0 * atol)
        if pilot.failed or not run.report.ok:
            return math.inf, {"pilot_alpha": rate}
        error = np.abs(run.theta - pilot(run.k.astype(np.float64))).max(axis=1)
        rates.append(rate)
        profiles.append(_profile(error))
    small, large = profiles
    # Near a minimum the error may be of first order and elsewhere of second: one order for each part of the
    # course.
    ratio = math.log(rates[1] / rates[0]) if rates[1] > rates[0] else math.inf
    order = np.clip(np.log(np.maximum(large, 1e-300) / np.maximum(small, 1e-300)) / ratio, 1.0, 2.0)
    parts = small * (alpha / rates[0]) ** order
    worst = int(np.argmax(parts))
    # Spot checks at the true learning rate: at the end, and where the path bends fastest (shortest element).
    candidates = [e for e, s in enumerate(path.left) if SPOT <= s <= steps - SPOT]
    bend = min(candidates, key=lambda e: path.lengths[e], default=None)
    spots = [steps - SPOT] if bend is None else [steps - SPOT, math.floor(path.left[bend])]
    spot = max(_spot_error(setup, done, rtol, path) for done in spots)
    details = {
        "pilot_alpha": rates[0],
        "pilot_error": float(small.max()),
        "observed_order": float(order[worst]),
    }
    return max(SAFETY * float(parts[worst]), SAFETY_SPOT * spot), details | {"spot_error": spot}


def _run(setup: Setup) -> Trajectory:
    """Run the optimizer; its gradients count as those of the prediction."""
    run = DiscreteRun(replace(setup, objective=CountedObjective(setup.objective.objective)), None).go()
    # A compiled loop evaluates no gradient of the objective: count those of the report instead.
    setup.objective.gradients += run.report.gradient_evaluations
    return run


def _spot_error(setup: Setup, done: int, rtol: float, path: Recorded) -> float:
    """Error of the prediction over a few iterations, against a run from its state after ``done`` iterations.

    Detects the oscillation about a minimum, whose amplitude is of order alpha and cannot be extrapolated from
    larger learning rates.
    """
    theta = np.empty((SPOT + 1, path.values[0].shape[1]))
    theta[0] = path(np.array([float(done)]))[0]
    *first, second = [np.vstack((m, np.empty((SPOT, len(m))))) for m in path.moments(done)]
    # The solver resolves a memory to rtol times its largest value.  A smaller second moment is noise, and a
    # step divided by its root a false alarm.
    largest = max(float(np.abs(values[-1]).max()) for values in path.memories)
    np.maximum(second[0], rtol * largest, out=second[0])
    moments = (first[0] if first else None, second)
    failed = run_python(setup.optimizer, setup.objective, setup.alpha, SPOT, theta, *moments, done)
    if failed is not None:
        return math.inf
    return float(np.abs(theta - path(np.arange(done, done + SPOT + 1.0))).max())


def _profile(error: Array) -> Array:
    """Return the largest error in each part of the course and its neighbours, shape (PARTS,)."""
    part = np.minimum(np.arange(len(error)) * PARTS // max(1, len(error) - 1), PARTS - 1)
    largest = np.zeros(PARTS + 2 * NEIGHBOURS)
    np.maximum.at(largest, part + NEIGHBOURS, error)
    windows = np.lib.stride_tricks.sliding_window_view(largest, 2 * NEIGHBOURS + 1)
    return np.asarray(windows.max(axis=1))
