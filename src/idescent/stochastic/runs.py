"""Many stochastic runs of an optimizer in lockstep, and the quantities observed of them.

What lives here: :func:`simulate_runs`, the type :class:`Ensemble` and its tables.  What does not: random
numbers (:mod:`idescent.stochastic.streams`), the noise of gradients (:mod:`idescent.stochastic.noise`), the
optimizers' update (:func:`idescent.discrete.loop.update`, ``idescent.optimizers.plan.Plan``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.common.numeric import is_whole
from idescent.discrete.generic import GenericLoop
from idescent.discrete.loop import update
from idescent.discrete.setup import Setup
from idescent.objectives.protocol import CountedObjective, Objective, evaluate
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.ratio import own, ratio_of
from idescent.schedules import Schedule, factors
from idescent.stochastic.noise import Batches, Noise
from idescent.trajectory import Report, Trajectory

Array = NDArray[np.float64]
Observable = Callable[[Array, Array], Array]
"""``observable(theta, second)``: shape (R,), from parameters (R, n) and second moments (R, width)."""

Columns = dict[str, NDArray[Any]]
"""A table, column by column; strings, int64 and float64."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# Observed iterations by default.
_STORED = 200


@dataclass(frozen=True)
class Ensemble:
    """Observed quantities of many runs or paths.

    Attributes
    ----------
    k : ndarray of int64, shape (m,)
        Iterations of the observations.
    t : ndarray, shape (m,)
        Time, ``alpha * k``.
    values : dict of str to ndarray, shape (m, R)
        Values of each quantity; NaN where a run is not finite.
    runs : range
        Numbers of the R runs; empty for a single path without randomness, with R = 1.
    report : Report
        ``diverged`` if any run is not finite at the end.
    """

    k: NDArray[np.int64]
    t: Array
    values: dict[str, Array]
    runs: range
    report: Report

    def summary(self) -> Columns:
        """Return tidy columns with a row for each quantity and iteration.

        Returns
        -------
        dict of str to ndarray
            ``quantity``, ``k``, ``t``, ``finite`` (the number of finite runs, to which the rest refers),
            ``mean``, ``std`` (with R - 1), ``standard_error`` of the mean, and quantiles ``q05`` ... ``q95``.
        """
        numbers = ["finite", "mean", "std", "standard_error", *(f"q{round(100 * q):02d}" for q in QUANTILES)]
        rows = []
        for values in self.values.values():
            for row in values:
                finite = row[np.isfinite(row)]
                quantiles = np.quantile(finite, QUANTILES) if finite.size else np.full(len(QUANTILES), np.nan)
                rows.append([finite.size, *statistics(finite), *quantiles])
        columns = dict(zip(numbers, np.array(rows, dtype=np.float64).T, strict=True))
        columns["finite"] = columns["finite"].astype(np.int64)
        names, count = np.array(list(self.values)), len(self.values)
        return {
            "quantity": np.repeat(names, len(self.k)),
            "k": np.tile(self.k, count),
            "t": np.tile(self.t, count),
            **columns,
        }

    def rows(self) -> Columns:
        """Return tidy columns with a row for each quantity, iteration and run.

        Returns
        -------
        dict of str to ndarray
            ``quantity``, ``k``, ``t``, ``run``, ``value``.
        """
        numbers = np.array(self.runs or [0], dtype=np.int64)
        names, count = np.array(list(self.values)), len(self.values)
        return {
            "quantity": np.repeat(names, len(self.k) * len(numbers)),
            "k": np.tile(np.repeat(self.k, len(numbers)), count),
            "t": np.tile(np.repeat(self.t, len(numbers)), count),
            "run": np.tile(numbers, count * len(self.k)),
            "value": np.concatenate([values.ravel() for values in self.values.values()]),
        }


def statistics(values: Array) -> tuple[float, float, float]:
    """Return mean, standard deviation and standard error of the mean; NaN if there are too few values."""
    mean = float(values.mean()) if values.size else np.nan
    std = float(values.std(ddof=1)) if values.size > 1 else np.nan
    return mean, std, std / float(np.sqrt(values.size)) if values.size else np.nan


def observables(objective: Objective, names: Sequence[str]) -> dict[str, Observable]:
    r"""Return the quantities to observe, by name.

    Parameters
    ----------
    objective : Objective
    names : sequence of str
        ``loss``: :math:`f(\theta)`, over all samples; ``accuracy``: that on the test samples, if the
        objective has one; ``norm2``: :math:`|\theta|^2`; ``theta_i`` and ``second_i``: a coordinate of the
        parameters or of the second moment, counted from 0; ``second``: the mean of the second moment.

    Raises
    ------
    ValueError
        If there is no quantity of that name.
    """
    return {name: _observable(objective, name) for name in names}


def _observable(objective: Objective, name: str) -> Observable:
    kind, _, place = name.partition("_")
    if kind in ("theta", "second") and place.isdecimal():
        i = int(place)
        return (lambda theta, second: theta[:, i]) if kind == "theta" else lambda theta, second: second[:, i]
    simple: dict[str, Observable] = {
        "loss": lambda theta, second: CountedObjective(objective).value(theta),
        "norm2": lambda theta, second: np.einsum("rn,rn->r", theta, theta),
        "second": lambda theta, second: second.mean(axis=1),
    }
    if hasattr(objective, "accuracy"):
        simple["accuracy"] = lambda theta, second: evaluate(objective, "accuracy", theta, "test")
    if name not in simple:
        known = ", ".join((*simple, "theta_0, second_0, ..."))
        raise ValueError(f"observe: {name!r} is not allowed: must be one of {known}")
    return simple[name]


class Recorder:
    """Records the observed quantities of an ensemble during its runs.

    Parameters
    ----------
    objective : Objective
    observe : sequence of str
        See :func:`observables`.
    at : sequence of int or None
        Iterations to observe; by default about 200, evenly spaced.
    steps, count : int
        Horizon and number of runs.

    Raises
    ------
    ValueError
        If an iteration is outside the horizon.
    """

    def __init__(
        self, objective: Objective, observe: Sequence[str], at: Sequence[int] | None, steps: int, count: int
    ) -> None:
        iterations = np.linspace(0, steps, min(steps, _STORED) + 1).round() if at is None else np.asarray(at)
        self.k = np.unique(iterations).astype(np.int64)
        if self.k.size == 0 or self.k[0] < 0 or self.k[-1] > steps:
            raise ValueError(f"at: {at!r} is not allowed: must be iterations in [0, {steps}]")
        self.functions = observables(objective, observe)
        self.values = {name: np.full((len(self.k), count), np.nan) for name in self.functions}
        self._rows = {int(k): i for i, k in enumerate(self.k)}

    def take(self, k: int, theta: Array, second: Array) -> None:
        """Record the state after iteration ``k``, if that is one of the iterations to observe."""
        row = self._rows.get(k)
        if row is None:
            return
        finite = np.isfinite(theta).all(axis=1) & np.isfinite(second).all(axis=1)
        for name, function in self.functions.items():
            values = function(theta, second)
            self.values[name][row] = np.where(finite, values, np.nan)

    def ensemble(self, alpha: float, runs: range, theta: Array, second: Array, report: Report) -> Ensemble:
        """Return the observed quantities; status and number of runs not finite are added to ``report``."""
        lost = int((~(np.isfinite(theta).all(axis=1) & np.isfinite(second).all(axis=1))).sum())
        details = {**report.details, "not_finite": lost}
        status, message = "completed", f"{len(theta)} runs"
        if lost:
            status, message = "diverged", f"{lost} of {len(theta)} runs are not finite"
        report = Report(status, message, report.gradient_evaluations, details=details)
        return Ensemble(self.k, np.asarray(alpha * self.k, dtype=np.float64), self.values, runs, report)


@dataclass
class EnsembleState:
    """Runs after a number of iterations.

    Attributes
    ----------
    k : int
    theta : ndarray, shape (R, n)
    first : ndarray, shape (R, n), or None
        First moment of an optimizer that is a ratio (:class:`idescent.optimizers.ratio.Ratio`).
    second : ndarray, shape (R, width)
        Its second moment; the last memory of any other optimizer, of shape (R, 0) if it has none.
    sample_gradients : int
        Gradients of single samples so far, over all runs.
    start_gradients : int
        Full gradients for the initial values of memories, over all runs.
    """

    k: int
    theta: Array
    first: Array | None
    second: Array
    sample_gradients: int = 0
    start_gradients: int = 0


def simulate_runs(
    optimizer: Optimizer,
    noise: Noise,
    *,
    alpha: float,
    theta0: ArrayLike,
    steps: int,
    runs: int,
    seed: int,
    first_run: int = 0,
    at: Sequence[int] | None = None,
    observe: Sequence[str] = ("loss", "norm2"),
    schedule: Schedule | None = None,
) -> Ensemble:
    """Run an optimizer many times on stochastic gradients, in lockstep.

    Parameters
    ----------
    optimizer : Optimizer
    noise : Noise
        For example ``Batches(objective, size=32)``.
    alpha : float in (0, 1]
    theta0 : float or array_like, shape (n,)
    steps : int, >= 1
    runs : int, >= 1
        Number R of runs.
    seed : int in [0, 2**64)
        The same seed gives the same draws for every optimizer, learning rate and model.
    first_run : int, >= 0
        Number of the first run, so that parts of a large ensemble can be computed separately.
    at : sequence of int, optional
        Iterations to observe; by default about 200, evenly spaced.
    observe : sequence of str
        Quantities to observe; see :func:`observables`.
    schedule : Schedule, optional

    Returns
    -------
    Ensemble

    Raises
    ------
    ValueError
        If an argument is outside its range.
    """
    setup = Setup.checked(
        optimizer, noise.objective, alpha=alpha, theta0=theta0, steps=steps, schedule=schedule
    )
    numbers = run_numbers(runs, first_run)
    recorder = Recorder(noise.objective, observe, at, setup.steps, runs)
    last = None
    for last in iterate(setup, noise, numbers, seed):
        recorder.take(last.k, last.theta, last.second)
    assert last is not None  # there is at least iteration 0
    evaluations = setup.steps * len(numbers) + last.start_gradients
    report = Report("", "", evaluations, details={"sample_gradients": last.sample_gradients})
    return recorder.ensemble(setup.alpha, numbers, last.theta, last.second, report)


def run_numbers(runs: int, first_run: int) -> range:
    """Return the numbers of the runs."""
    for name, value, least in (("runs", runs, 1), ("first_run", first_run, 0)):
        if not is_whole(value) or value < least:
            raise ValueError(f"{name}: {value!r} is not allowed: must be an integer >= {least}")
    return range(int(first_run), int(first_run) + int(runs))


def iterate(setup: Setup, noise: Noise, runs: range, seed: int) -> Iterator[EnsembleState]:
    """Yield the state of the runs after iterations 0 ... steps: always the same object, with new arrays."""
    optimizer, alpha, n = setup.optimizer, setup.alpha, len(setup.start)
    theta, ratio = np.tile(setup.start, (len(runs), 1)), own(optimizer)
    if ratio is None:
        yield from _iterate_generic(setup, noise, runs, seed)
        return
    first = None if ratio.first is None else np.zeros_like(theta)
    state = EnsembleState(0, theta, first, np.zeros((len(runs), optimizer.width(n))))
    yield state
    rates = factors(setup.schedule, setup.steps)
    draws = noise.draws(n, seed=seed, runs=runs)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for k in range(1, setup.steps + 1):
            gradient, samples = noise.gradient(state.theta, next(draws))
            rate = alpha if rates is None else alpha * float(rates[k - 1])
            updated = update(optimizer, ratio, rate, k, state.theta, state.first, state.second, gradient)
            state.theta, state.first, state.second = updated
            state.k, state.sample_gradients = k, state.sample_gradients + samples * len(runs)
            yield state


def _iterate_generic(setup: Setup, noise: Noise, runs: range, seed: int) -> Iterator[EnsembleState]:
    """Yield the states of :func:`iterate` for an optimizer that only the generic loop can run."""
    theta, ratio = np.tile(setup.start, (len(runs), 1)), ratio_of(setup.optimizer)
    loop = GenericLoop(setup, theta)
    first = None if ratio is None or ratio.first is None else ratio.first_name
    # A memory may start from the full gradient, which is that of all samples.
    samples = noise.objective.samples if isinstance(noise, Batches) else 1
    started = loop.evaluations
    state = EnsembleState(0, theta, None, theta[:, :0], samples * started, started)

    def updated() -> EnsembleState:
        state.theta, *memories = loop.state()
        named = dict(zip(loop.plan.memories, memories, strict=True))
        state.first = None if first is None else named[first]
        if memories:
            state.second = memories[-1] if ratio is None else named[ratio.second_name]
        return state

    yield updated()
    rates = factors(setup.schedule, setup.steps)
    draws = noise.draws(len(setup.start), seed=seed, runs=runs)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for k in range(1, setup.steps + 1):
            rate = setup.alpha if rates is None else setup.alpha * float(rates[k - 1])
            gradient, samples = noise.gradient(loop.plan.place(loop.values, k, rate), next(draws))
            loop.plan.advance(loop.values, gradient)
            state.k, state.sample_gradients = k, state.sample_gradients + samples * len(runs)
            yield updated()


def along(path: Trajectory, objective: Objective, observe: Sequence[str], at: Sequence[int]) -> Ensemble:
    """Return the observed quantities along one path without randomness, a solution with the full gradient.

    Parameters
    ----------
    path : Trajectory
        Its rows must include the iterations ``at``.
    objective : Objective
    observe : sequence of str
        See :func:`observables`.
    at : sequence of int

    Raises
    ------
    ValueError
        If the path lacks one of the iterations.
    """
    k = np.asarray(at, dtype=np.int64)
    rows = np.searchsorted(path.k, k)
    if k.size == 0 or rows.max() >= len(path.k) or (path.k[rows] != k).any():
        raise ValueError(f"at: {at!r} is not allowed: the path lacks one of these iterations")
    moments = list(path.moments.values())
    second = moments[-1][rows] if moments else np.full((len(k), 1), np.nan)
    values = {
        name: np.asarray(function(path.theta[rows], second), dtype=np.float64)[:, None]
        for name, function in observables(objective, observe).items()
    }
    return Ensemble(k, path.t[rows], values, range(0), path.report)
