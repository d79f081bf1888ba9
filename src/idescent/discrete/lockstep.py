r"""Many discrete runs in one call.

For the paper's optimizers there is a compiled kernel, which advances many *lanes* together; a lane is one
coordinate of one run.  An iteration of a lane waits for a root and a quotient, during which the kernel
advances other lanes: many short runs together take a fraction of their time one after the other.  Each lane
has the operations of a single run in the same order, so that results are identical to the bit.  Runs of any
other declared optimizer share a loop in NumPy (:mod:`idescent.discrete.together`).

:func:`simulate_many` works in steps:

1. check the arguments, and the memory of all runs together;
2. separate the runs that can be lanes (``DiscreteRun.in_lanes``): there is a compiled kernel, the coordinates
   are independent and at most ``MOST_LANES``, and the run is computed whole, not in blocks;
3. sort these by kind (summing, bias correction) and length, and divide them into batches (``_batches``): a
   batch has one kind, and its rows fit into one block of memory unless it is a single run;
4. compute each batch (``kernels.fill_many``), each group of declared optimizers
   (``together.fill``), and every other run by itself.

What lives here: these steps.  What does not: a run (:mod:`idescent.discrete.loop`), the loops
(:mod:`idescent.discrete.kernels`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.common.numeric import offers
from idescent.discrete import memory, together
from idescent.discrete.kernels import fill_many
from idescent.discrete.loop import BLOCK, DiscreteRun, needed
from idescent.discrete.setup import Setup, check_objective, point
from idescent.objectives.protocol import CountedObjective, Objective
from idescent.optimizers.optimizer import Optimizer, check_declared
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
    r"""Run optimizers on one objective, with the same results as :func:`~idescent.discrete.loop.simulate`.

    Runs are computed in lockstep if the compiled loops support the objective and the coordinates are few and
    independent.  So are runs of any other declared optimizer with equal hyper-parameters, if gradients and
    functions have the same bits for many points as for each of them.  The others are computed one after the
    other.

    Parameters
    ----------
    optimizer : Optimizer or sequence of Optimizer
    objective : Objective
    alpha : float or sequence of float
    theta0 : float or array_like, shape (n,) or (runs, n)
    steps : int or sequence of int
    schedule : Schedule or sequence of (Schedule or None), optional
        Each of the arguments above is either the same for all runs or a sequence with one entry for each run.
    keep : int or sequence of int, optional
        As for :func:`~idescent.discrete.loop.simulate`, the same for all runs.

    Returns
    -------
    list of Trajectory
        One for each run.  The report of a run that diverges has the status ``diverged``; other runs are
        unaffected.

    Raises
    ------
    ValueError
        As :func:`~idescent.discrete.loop.simulate`, or if sequences differ in length.
    """
    arguments = {"optimizer": optimizer, "alpha": alpha, "steps": steps, "schedule": schedule}
    sequences = {
        name: list(value) for name, value in arguments.items() if isinstance(value, Sequence | np.ndarray)
    }
    if np.ndim(theta0) == 2:
        sequences["theta0"] = list(np.asarray(theta0))
    counts = {name: len(values) for name, values in sequences.items()}
    if len(set(counts.values())) > 1:
        text = ", ".join(f"{count} entries of {name}" for name, count in counts.items())
        raise ValueError(f"{text}: must be one for each run")
    offers("objective", objective, "value", "gradient")
    runs: list[DiscreteRun] = []
    declared: list[DiscreteRun] = []  # one of each declared optimizer
    checked_starts: set[bytes] = set()
    size = 0
    for i in range(max(counts.values(), default=1)):
        own = {**arguments, "theta0": theta0, **{name: values[i] for name, values in sequences.items()}}
        check_declared(own["optimizer"])
        start = point(own["alpha"], own["theta0"], own["steps"])
        if start.tobytes() not in checked_starts:
            check_objective(CountedObjective(objective), start)
            checked_starts.add(start.tobytes())
        # All runs exist at the same time: their sum must fit into memory.
        setup = Setup(
            own["optimizer"],
            CountedObjective(objective),
            float(own["alpha"]),
            start,
            int(own["steps"]),
            own["schedule"],
        )
        size += needed(setup, keep)
        memory.check(setup.steps, size)
        like = next((run for run in declared if together.alike(run, setup.optimizer, len(start))), None)
        runs.append(DiscreteRun(setup, keep, None if like is None else like.loop))
        if like is None and runs[-1].loop is not None:
            declared.append(runs[-1])
    trajectories = dict(_in_lockstep(runs))
    return [trajectories[i] if i in trajectories else run.go() for i, run in enumerate(runs)]


def _in_lockstep(runs: Sequence[DiscreteRun]) -> Iterator[tuple[int, Trajectory]]:
    """Compute the runs that can be lanes or share a loop; yield the index and the trajectory of each."""
    for batch in _batches(runs):
        # Runs in lanes have a library, the same one.
        library = runs[batch[0]].library
        rows = [runs[i].begin() for i in batch]
        if library is not None:
            fill_many(library, rows)
        for i, filled in zip(batch, rows, strict=True):
            runs[i].diverged_at = filled.first_not_finite()
            yield i, runs[i].result()
    for group in together.groups(runs):
        members = [runs[i] for i in group]
        together.fill(members)
        for i, run in zip(group, members, strict=True):
            yield i, run.result()


def _batches(runs: Sequence[DiscreteRun]) -> Iterator[list[int]]:
    """Divide the runs that can be lanes into batches; yield the indices of each.

    A batch has one kind, the kernel's constants, and its rows of theta fit into one block: all of them exist
    until the rows to keep are selected.
    """

    def kind(run: DiscreteRun) -> tuple[bool, bool]:
        assert run.ratio is not None  # a run in lanes has a ratio
        return run.ratio.sums, run.ratio.corrected

    batch: list[int] = []
    size = 0
    lanes = [i for i, run in enumerate(runs) if run.in_lanes]
    # Runs of equal length are neighbours: in a group of lanes that end at different rows some would be idle.
    for i in sorted(lanes, key=lambda i: (*kind(runs[i]), runs[i].steps)):
        run = runs[i]
        if batch and (kind(run) != kind(runs[batch[0]]) or size + run.size > BLOCK):
            yield batch
            batch, size = [], 0
        batch.append(i)
        size += run.size
    if batch:
        yield batch
