"""Several runs of one declared optimizer in the same loop, with the bits of each by itself.

An iteration in NumPy costs about the same for one run as for many, so runs of equal hyper-parameters share
it.  They may differ in start, learning rate, schedule and length.  The results of one run must not depend on
the other runs.  Some functions violate this: a matrix product may have other bits for many points than for a
single one.  So a trial compares the gradient and the optimizer's functions, on irregular numbers, for many
points together and one by one.  If a bit differs, the runs are computed one after the other.

What lives here: the groups of runs, the trial, and the loop.  What does not: one iteration
(:class:`idescent.optimizers.plan.Plan`), a single run (:class:`idescent.discrete.generic.GenericLoop`), and
the lanes of the compiled kernels (:mod:`idescent.discrete.lockstep`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.discrete.generic import GenericLoop
from idescent.discrete.loop import BLOCK, DiscreteRun
from idescent.objectives.protocol import CountedObjective
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.plan import Plan

Array = NDArray[np.float64]

# Parameters of a run beyond which its arithmetic costs more than NumPy's calls, which a group shares.
_MOST = 2000
# Iterations that a group must save, so that the trial costs less; points and iterations of the trial.
_SAVED = 500
_POINTS, _ITERATIONS = 16, 3
# Distance of the trial's points from the starts: where the objective is defined, but with irregular numbers.
_NEAR = 1e-3


def groups(runs: Sequence[DiscreteRun]) -> Iterator[list[int]]:
    """Yield the indices of runs that one loop can compute with the bits of each by itself."""
    candidates: list[list[int]] = []
    sizes: list[int] = []
    for i, run in enumerate(runs):
        if run.loop is None or not run.whole or len(run.start) > _MOST:
            continue
        for which, group in enumerate(candidates):
            # All rows of a group exist until those to keep are selected.
            if sizes[which] + run.size <= BLOCK and alike(runs[group[0]], run.optimizer, len(run.start)):
                group.append(i)
                sizes[which] += run.size
                break
        else:
            candidates.append([i])
            sizes.append(run.size)
    row_by_row: bool | None = None
    for group in candidates:
        steps = [runs[i].steps for i in group]
        if sum(steps) - max(steps) < _SAVED:
            continue
        if row_by_row is None:
            row_by_row = _gradients_agree(runs[group[0]])
        if row_by_row and _iterations_agree(runs[group[0]]):
            yield group


def alike(run: DiscreteRun, optimizer: Optimizer, n: int) -> bool:
    """Return whether a run has the hyper-parameters of an optimizer, and ``n`` parameters."""
    return type(run.optimizer) is type(optimizer) and run.optimizer == optimizer and len(run.start) == n


def fill(runs: Sequence[DiscreteRun]) -> None:
    """Compute the runs of a group together: fill their rows, and set ``diverged_at`` where one diverges."""
    loops = [_loop(run) for run in runs]
    plan = loops[0].plan
    for run in runs:
        run.allocate()
    names = ["theta", *plan.memories]
    values = {name: np.stack([loop.values[name] for loop in loops]) for name in names}
    rates = _rates(runs)
    active = list(range(len(runs)))
    objective = runs[0].objective
    k = 0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        while active:
            k += 1
            rate = _one_each(rates[min(k, len(rates)) - 1, active], values["theta"])
            plan.advance(values, objective.gradient(plan.place(values, k, rate)))
            columns = [plan.evaluated(values)]
            columns += [values[name].reshape(len(active), -1) for name in plan.memories]
            checked = np.concatenate([plan.flat(values["theta"]), *columns[1:]], axis=1)
            finite = [bool(row) for row in np.isfinite(checked).all(axis=1)]
            for row, i in enumerate(active):
                for rows, column in zip(runs[i].arrays, columns, strict=True):
                    rows[k] = column[row]
                if not finite[row]:
                    runs[i].diverged_at = k
            going = [row for row, i in enumerate(active) if finite[row] and k < runs[i].steps]
            if len(going) < len(active):
                values = {name: values[name][going] for name in names}
                active = [active[row] for row in going]


def _loop(run: DiscreteRun) -> GenericLoop:
    assert run.loop is not None  # a run of a group is that of a declared optimizer
    return run.loop


def _one_each(rates: Array, theta: Array) -> Any:
    """Return learning rates, shape (R,), with axes of length 1 for those of theta, shape (R, ...)."""
    return rates.reshape(-1, *(1,) * (theta.ndim - 1))


def _rates(runs: Sequence[DiscreteRun]) -> Array:
    """Return the learning rates, shape (steps, R), or (1, R) if there are no schedules."""
    alphas = np.array([run.alpha for run in runs])
    if all(run.rates is None for run in runs):
        return alphas[None]
    factors = np.ones((max(run.steps for run in runs), len(runs)))
    for column, run in zip(factors.T, runs, strict=True):
        if run.rates is not None:
            column[: run.steps] = run.rates
    return alphas * factors


# The trial --------------------------------------------------------------------------------------------------


def _gradients_agree(run: DiscreteRun) -> bool:
    """Return whether the gradients of many points have the bits of the gradients of each."""
    stream = np.random.default_rng(0)
    scale = _NEAR * (1.0 + np.abs(run.start).max())
    points = run.start + scale * stream.uniform(size=(_POINTS, len(run.start)))
    # The gradients of the trial do not count.
    gradient = CountedObjective(run.objective.objective).gradient
    try:
        with np.errstate(all="ignore"):
            return _same([gradient(points)], [[gradient(point)] for point in points])
    except Exception:  # an objective of the user may raise anything at points that no run visits
        return False


def _iterations_agree(run: DiscreteRun) -> bool:
    """Return whether iterations of many runs have the bits of the iterations of each."""
    loop, stream = _loop(run), np.random.default_rng(0)
    shape = (_POINTS, len(run.start))
    theta, *gradients = (stream.uniform(0.5, 1.5, size=shape) for _ in range(1 + _ITERATIONS))
    rates = stream.uniform(0.01, 0.9, size=_POINTS)
    try:
        with np.errstate(all="ignore"):
            together = _iterated(loop, theta, gradients, rates)
            alone = [
                _iterated(loop, theta[i], [gradient[i] for gradient in gradients], float(rates[i]))
                for i in range(_POINTS)
            ]
    except Exception:  # a function of the user need not accept one alpha for each run
        return False
    return _same(together, alone)


def _iterated(loop: GenericLoop, theta: Array, gradients: Sequence[Array], alpha: Any) -> list[Array]:
    """Return all results of some iterations: points of the gradient, stored iterate, theta and memories."""
    plan: Plan = loop.plan
    values = plan.starts(theta, gradients[0], loop.dims)
    rate = alpha if theta.ndim == 1 else _one_each(alpha, values["theta"])
    points = []
    for k, gradient in enumerate(gradients, start=1):
        points.append(plan.place(values, k, rate))
        plan.advance(values, gradient.copy())
    return [*points, plan.evaluated(values), *(values[name] for name in ("theta", *plan.memories))]


def _same(together: Sequence[Array], alone: Sequence[Sequence[Array]]) -> bool:
    singles = [np.stack(values) for values in zip(*alone, strict=True)]
    return all(one.tobytes() == other.tobytes() for one, other in zip(together, singles, strict=True))
