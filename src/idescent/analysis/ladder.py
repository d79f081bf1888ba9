r"""Errors of a model at falling learning rates, at a fixed horizon in time.

What lives here: :class:`Ladder`, which chooses the horizon, the learning rates and the tolerances.  What does
not: claims and verdicts (:mod:`idescent.analysis.verification`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.analysis.errors import compare, reference_error
from idescent.analysis.floor import ABOVE_FLOOR
from idescent.analysis.reference import PYTHON, reference
from idescent.discrete.loop import simulate
from idescent.models.card import card
from idescent.models.equation import Model
from idescent.objectives import CountedObjective, Objective
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.structure import slowest
from idescent.solvers.collocation import Collocation
from idescent.solvers.solve import solve
from idescent.trajectory import Trajectory

Array = NDArray[np.float64]

WITHIN = 0.1
"""Largest shortfall of a measured slope below the claimed order."""

EXACT = 3
"""Number of errors near rounding, and none above, after which a model counts as exact."""

SHARE = 1.0 / ABOVE_FLOOR
"""Largest share of the solver and of the reference in a measured error."""

_SETTLED = 0.1  # largest distance of four slopes from a multiple of 1/2
_STILL = 0.03  # largest change of the last slope
_MOST = 24  # largest exponent
_PILOT = (7, 14)  # exponents of the runs that determine the horizon
_LONGEST = 1.0  # horizon in time, if the gradient has no zero before
_BEFORE = 0.6  # horizon as a fraction of the time of the first zero
_FALLEN = 1e-3  # a coordinate of the gradient that falls below this fraction counts as zero
_LAGS = 4.0  # iterations of the first run, at least, in the longest mean lag
_STARTS = 2.0  # iterations of the first run, at least, in discrete iterations at the start of the model
_FEWEST = 24  # iterations of the first run, at least
_SKIPPED = 4  # largest learning rates that are left out if their runs oscillate
_RTOL = 1e-9  # of the first solution
_PART = 0.25  # of the remaining work that one solution may take
_FLOOR = 3e-15  # smallest tolerance


@dataclass(frozen=True)
class Rung:
    """Error of the model at one learning rate.

    Attributes
    ----------
    alpha : float
    steps : int
        Horizon in iterations.
    error : float
        Largest distance of the solution from the discrete run, Euclidean norm of theta, over all iterations.
    slope : float
        Slope of the error from the learning rate before; NaN at the first.
    share : float
        Upper bound on the share of the solver and of the reference in the error.
    """

    alpha: float
    steps: int
    error: float
    slope: float
    share: float


def power(alpha: float) -> str:
    """Return a power of two as text, ``2^-8``; any other number in decimals."""
    exponent = math.log2(alpha)
    return f"2^{exponent:.0f}" if exponent == round(exponent) else f"{alpha:g}"


class Ladder:
    """Errors at falling learning rates, the work that they took, and the reason of their end.

    Parameters
    ----------
    optimizer, objective, theta0, model, work, progress
        As for :func:`idescent.verify`.

    Attributes
    ----------
    rungs : list of Rung
    exact : int
        Number of errors near rounding before the first rung.
    ended : str
        Reason of the end, if it is not that the slopes settled.
    points : ndarray, shape (r, n)
        Points of the last run at which its gradients were evaluated, or theta of its stored iterations.
    k : ndarray, shape (r,)
        Iterations of these points.
    alpha : float
        Learning rate of the last run.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        objective: Objective,
        theta0: ArrayLike,
        model: Model,
        work: float,
        progress: Callable[[str], None] | None,
    ) -> None:
        self.optimizer, self.objective, self.model = optimizer, objective, model
        self.theta0, self.work, self.progress = theta0, work, progress
        self.counted = CountedObjective(objective)
        self.rungs: list[Rung] = []
        self.rtol, self.spent, self.last, self.ended = _RTOL, 0.0, 0.0, ""
        self.exact = 0
        self.points, self.k, self.alpha = np.zeros((1, 1)), np.zeros(1, dtype=np.int64), math.nan
        self.cost = 0  # of the last leap

    def horizon(self) -> float:
        """Return a time before the first zero of a coordinate of the gradient, with few binary digits."""
        before, first = math.nan, math.inf
        least = max(_PILOT[0], _exponent(self.optimizer, _LONGEST))
        for exponent in range(least, max(_PILOT[1], least + 1) + 1):
            run = self.simulated(exponent, _LONGEST)
            if run.report.ok:
                first = self.zero()[1]
                if first == before or math.isclose(first, before, rel_tol=0.1):
                    break
                before = first
        return _dyadic(min(_LONGEST, _BEFORE * first))

    def zero(self) -> tuple[int, float]:
        """Return the coordinate of the last run's gradient that reaches 0 first, and the time.

        The coordinate is -1 and the time ``inf`` if none does.  A coordinate that falls below a thousandth of
        its initial size counts as 0.
        """
        gradient = self.counted.gradient(self.points) + self.optimizer.coupled_decay * self.points
        initial = gradient[0]
        moving = np.abs(initial) > 1e-12 * np.abs(initial).max()
        with np.errstate(invalid="ignore"):
            small = moving & (gradient * np.sign(initial) <= _FALLEN * np.abs(initial))
        if not small.any():
            return -1, math.inf
        row = int(np.argmax(small.any(axis=1)))
        return int(np.argmax(small[row])), float(self.k[row]) * self.alpha

    def climb(self, time: float, order: int, free: bool) -> float:
        """Halve the learning rate until the slopes settle or the work is done; return the horizon.

        If the horizon is free, and a run reaches a zero of the gradient that those at larger learning rates
        do not reach, all errors are measured again over a shorter horizon.
        """
        self.rungs, least = [], _exponent(self.optimizer, time)
        for exponent in range(least, _MOST + 1):
            if self.spent + self._expected(round(time * 2.0**exponent)) + self.last > self.work:
                self.ended = f"the work of {self.work:g} iterations and gradients is done"
                break
            run = self.simulated(exponent, time)
            first = self.zero()[1] if free else math.inf
            if math.isfinite(first):
                # A run far outside of the stable learning rates oscillates.
                if not self.rungs and exponent < least + _SKIPPED:
                    continue
                return self.climb(_dyadic(_BEFORE * first), order, free)
            if not self.measure(exponent, run) or _reached(self.slopes, order) or settled(self.slopes):
                break
        return time

    def measure(self, exponent: int, run: Trajectory) -> bool:
        """Measure the error of a run; False if those at smaller learning rates cannot be measured either.

        The learning rates at which a run diverges or the equation is not solved are left out, if they are the
        largest ones.
        """
        alpha, steps = 2.0**-exponent, run.steps
        if not run.report.ok:
            self.ended = f"the run at alpha = {power(alpha)} is {run.report.status}"
            return not self.rungs
        noise = reference_error(run, "theta", 0.0, 0.0)
        for _ in range(4):
            path = self._solved(alpha, run)
            if not path.report.ok:
                message = f"{path.report.status} ({path.report.message})"
                self.ended = f"the solution at alpha = {power(alpha)} is {message}"
                return not self.rungs
            error, estimate = compare(run, path).sup["theta"], path.report.error_estimate
            share = (estimate + noise) / error if error > 0.0 else math.inf
            if share <= SHARE:
                break
            if noise > 0.5 * SHARE * error or self.rtol <= _FLOOR:
                self.exact += not self.rungs
                self.ended = f"the error at alpha = {power(alpha)} is {error:.1e}, near rounding"
                return 0 < self.exact < EXACT
            self._aim(error, run)
        else:
            self.ended = f"the solver's share of the error at alpha = {power(alpha)} is {100.0 * share:.1g} %"
            return False
        before = self.rungs[-1].error if self.rungs else math.nan
        halvings = math.log2(self.rungs[-1].alpha / alpha) if self.rungs else 1.0
        self.rungs.append(Rung(alpha, steps, error, math.log2(before / error) / halvings, share))
        self.ended = ""
        # The next error is a quarter of this one if the order is 2.
        self._aim(0.125 * error, run)
        if self.progress is not None:
            self.progress(f"alpha = {power(alpha)}: error {error:.2e}, slope {self.rungs[-1].slope:.2f}")
        return True

    def _aim(self, error: float, run: Trajectory) -> None:
        """Set the tolerance at which the solver's share of an error is a third of what is allowed."""
        scale = 1.0 + float(np.abs(run.theta).max())
        self.rtol = max(_FLOOR, SHARE * error / (3.0 * scale))

    def simulated(self, exponent: int, time: float) -> Trajectory:
        """Return the reference at the learning rate of an exponent; keep the points of its gradients."""
        self.alpha, steps = 2.0**-exponent, round(time * 2.0**exponent)
        cell: Any = {"alpha": self.alpha, "theta0": self.theta0, "steps": steps}
        if self.optimizer.point is None:
            # Work is counted in iterations and gradients: a compiled iteration counts as any other.
            run = reference(self.optimizer, self.objective, **cell, rule=PYTHON)
            self.points, self.k = run.theta, run.k
            self.spent += run.report.gradient_evaluations
            if run.report.details["reference"] == "leap":
                self.cost = run.report.gradient_evaluations
            return run
        # Only the stored iterate is in a run.
        recorded = _Recorded(self.objective)
        run = simulate(self.optimizer, recorded, **cell)
        self.points, self.k = np.stack(recorded.points[-steps:]), run.k[:-1]
        self.spent += steps
        return run

    def _expected(self, steps: int) -> int:
        """Return the work that the reference of a horizon is expected to take."""
        if self.optimizer.point is not None or steps <= PYTHON[0]:
            return steps
        return min(steps, 2 * self.cost or steps // PYTHON[1])

    def _solved(self, alpha: float, run: Trajectory) -> Trajectory:
        budget = max(10.0 * min(run.steps, PYTHON[0]), _PART * (self.work - self.spent)) / run.steps
        path = solve(
            self.model,
            self.optimizer,
            self.objective,
            alpha=alpha,
            theta0=self.theta0,
            steps=run.steps,
            rtol=self.rtol,
            atol=self.rtol,
            solver=Collocation(max_gradients=budget),
            keep=None if len(run.k) == run.steps + 1 else run.k,
        )
        self.last = path.report.gradient_evaluations
        self.spent += self.last
        return path

    @property
    def slopes(self) -> list[float]:
        """Slopes of the errors so far."""
        return [rung.slope for rung in self.rungs[1:]]


class _Recorded:
    """An objective that records the points at which its gradient is evaluated."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.points: list[Array] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.objective, name)

    def gradient(self, theta: Array) -> Array:
        """Return the gradient of the objective."""
        self.points.append(np.ravel(theta))
        return self.objective.gradient(theta)


def _exponent(optimizer: Optimizer, time: float) -> int:
    """Return the first exponent: the horizon is then long beside the memories and the start of the model."""
    lags = [memory.lag_limit for memory in card(optimizer).memories.values()]
    least = max([_FEWEST, *(_LAGS * lag for lag in lags if math.isfinite(lag))])
    beta = slowest(optimizer) or 0.0

    def start(exponent: int) -> float:
        return 2.0 * exponent * math.log(2.0) / (1.0 - beta) if beta < 1.0 else 2.0 ** (2.0 * exponent / 3.0)

    exponent = 1
    while time * 2.0**exponent < max(least, _STARTS * start(exponent) if beta else 0.0):
        exponent += 1
    return exponent


def _dyadic(time: float) -> float:
    """Round a time down to three binary digits, so that it is a whole number of iterations."""
    unit = 2.0 ** (math.floor(math.log2(time)) - 2)
    return unit * math.floor(time / unit)


def _reached(slopes: Sequence[float], order: int) -> bool:
    """Whether the last two slopes agree with the claim and with each other."""
    return len(slopes) >= 2 and min(slopes[-2:]) >= order - WITHIN and abs(slopes[-1] - slopes[-2]) <= WITHIN


def settled(slopes: Sequence[float]) -> bool:
    """Whether the slopes have settled at an order.

    Before the asymptotic range slopes rest at values between two orders, and pass lower orders: four slopes
    must be near the same multiple of 1/2, and the last two agree.
    """
    if len(slopes) < 4 or abs(slopes[-1] - slopes[-2]) > _STILL:
        return False
    near = 0.5 * round(2.0 * slopes[-1])
    return max(abs(slope - near) for slope in slopes[-4:]) <= _SETTLED
