"""Many discrete runs at once.

What lives here: :func:`simulate_many`, and which runs go in lockstep.  What does not: a run
(:mod:`idescent.discrete.loop`), the loops (:mod:`idescent.discrete.kernels`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.common.numeric import offers
from idescent.discrete import memory
from idescent.discrete.kernels import fill_many
from idescent.discrete.loop import BLOCK, DiscreteRun, check_objective, needed, point
from idescent.objectives.protocol import CountedObjective, Objective
from idescent.optimizers.optimizer import Optimizer
from idescent.schedules import Schedule
from idescent.trajectory import Keep, Trajectory


def simulate_many(
    optimizer: Optimizer | Sequence[Optimizer],
    objective: Objective,
    *,
    alpha: float | Sequence[float] | NDArray[np.float64],
    theta0: ArrayLike,
    steps: int | Sequence[int] | NDArray[np.int64],
    schedule: Schedule | Sequence[Schedule | None] | None = None,
    keep: Keep | None = None,
) -> list[Trajectory]:
    r"""Run optimizers on one objective in lockstep: the bits of :func:`~idescent.discrete.loop.simulate`.

    Where the compiled loops serve the objective and coordinates are few and independent, runs go in lockstep:
    while one waits for its root or quotient, others are served.

    Parameters
    ----------
    optimizer : Optimizer or sequence of Optimizer
    objective : Objective
    alpha : float or sequence of float
    theta0 : float or array_like, shape (n,) or (runs, n)
    steps : int or sequence of int
    schedule : Schedule or sequence of (Schedule or None), optional
        Each of these is the same in all runs, or there is one for each.
    keep : int or sequence of int, optional
        As for :func:`~idescent.discrete.loop.simulate`, in all runs.

    Returns
    -------
    list of Trajectory
        One for each run.  Runs that diverge say so and disturb no others.

    Raises
    ------
    ValueError
        As :func:`~idescent.discrete.loop.simulate`, or if sequences differ in length.
    """
    given = {"optimizer": optimizer, "alpha": alpha, "steps": steps, "schedule": schedule}
    each = {name: list(value) for name, value in given.items() if isinstance(value, Sequence | np.ndarray)}
    if np.ndim(theta0) == 2:
        each["theta0"] = list(np.asarray(theta0))
    counts = {name: len(values) for name, values in each.items()}
    if len(set(counts.values())) > 1:
        text = ", ".join(f"{count} of {name}" for name, count in counts.items())
        raise ValueError(f"{text}: must be one for each run")
    offers("objective", objective, "value", "gradient")
    runs = []
    seen: set[bytes] = set()
    size = 0
    for i in range(max(counts.values(), default=1)):
        one = {**given, "theta0": theta0, **{name: values[i] for name, values in each.items()}}
        start = point(one["alpha"], one.pop("theta0"), one["steps"])
        if start.tobytes() not in seen:
            check_objective(CountedObjective(objective), start)
            seen.add(start.tobytes())
        size += needed(one["optimizer"], len(start), one["steps"], one["schedule"], keep)
        memory.check(one["steps"], size)
        runs.append(DiscreteRun(objective=objective, start=start, keep=keep, **one))
    found = dict(_in_lockstep(runs))
    return [found[i] if i in found else run.go() for i, run in enumerate(runs)]


def _in_lockstep(runs: Sequence[DiscreteRun]) -> Iterator[tuple[int, Trajectory]]:
    """Make those runs that can go in lockstep, and yield them with their numbers."""
    for batch in _batches(runs):
        library = runs[batch[0]].library
        rows = [runs[i].begin() for i in batch]
        if library is not None:
            fill_many(library, rows)
        for i, filled in zip(batch, rows, strict=True):
            runs[i].diverged_at = filled.first_not_finite()
            yield i, runs[i].result()


def _batches(runs: Sequence[DiscreteRun]) -> Iterator[list[int]]:
    """Divide runs in lockstep into batches of one kind that fit into a block: before they are thinned
    all rows are there.
    """

    def kind(run: DiscreteRun) -> tuple[bool, bool]:
        return run.optimizer.summing, run.optimizer.bias_correction

    batch: list[int] = []
    size = 0
    # Equally long runs beside each other: lanes of a group that has ended idle.
    for i in sorted(range(len(runs)), key=lambda i: (*kind(runs[i]), runs[i].steps)):
        run = runs[i]
        if not run.in_lanes:
            continue
        if batch and (kind(run) != kind(runs[batch[0]]) or size + run.size > BLOCK):
            yield batch
            batch, size = [], 0
        batch.append(i)
        size += run.size
    if batch:
        yield batch
