r"""How long a model tells where a run is: the iterations up to which its prediction holds.

What lives here: relative errors along a run, and the last iteration before they leave a given bound for the
first time.  What does not: errors in norms over all iterations (:mod:`idescent.analysis.errors`), drawing.

With :math:`L_k` the loss of the discrete run and :math:`\tilde L_k` that of the solution at ``s = k``,

.. math:: e^{\text{loss}}_k = \frac{|\tilde L_k - L_k|}{\max(|L_k|,\; 10^{-3} |L_0|)}, \qquad
          e^{\theta}_k = \frac{\|\tilde\theta_k - \theta_k\|_2}{\max_j \|\theta_j - \theta_0\|_2}.

Losses below a thousandth of the first one count as that: near a minimum of value 0 no model would hold.  The
distance from the run is set in ratio to the way that the run has gone in all: at the first iterations the way
up to there is itself as small as any error.

Where a loss of the run is negative, its zero has no meaning, and a loss near it would make any error large.
The error is then relative to the range of the run's losses,

.. math:: e^{\text{loss}}_k = \frac{|\tilde L_k - L_k|}{\max_j L_j - \min_j L_j},

which no constant added to the objective changes.  Where a denominator is 0 (a run that stays where it
starts), an error is 0 or infinite.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.analysis.errors import common, status
from idescent.objectives.protocol import evaluate
from idescent.products.product import Task
from idescent.store.cells import CellResults, read_cells
from idescent.store.columns import nullable
from idescent.store.tables import HYPERPARAMETERS
from idescent.store.trajectories import write_table
from idescent.study import packs, registry
from idescent.trajectory import REFUSED, Trajectory

Array = NDArray[np.float64]

SMALLEST_LOSS = 1e-3
_NO_SIZE = 1e-300
QUANTITIES = ("loss", "theta")
# Iterations at which the accuracy is compared, at most: every one takes a pass over all samples.
MOST_ACCURACIES = 101

_CELL = (
    "objective",
    "optimizer",
    "label",
    "alpha",
    *HYPERPARAMETERS,
    "steps",
    "solution",
    "status",
    "discrete_status",
)
_MEASURED = (
    "quantity",
    "within",
    "horizon",
    "unsolved",
    "largest",
    "last",
    "accuracy_run",
    "accuracy",
    "accuracy_gap",
)
_COST = ("gradient_evaluations", "run_gradient_evaluations")
_TEXT = {"objective", "optimizer", "label", "solution", "status", "discrete_status", "quantity"}
_INTEGER = {"steps", "horizon", *_COST}
_TYPES = {**dict.fromkeys(_TEXT, "string"), **dict.fromkeys(_INTEGER, "int64"), "unsolved": "bool"}


def relative_errors(run: Trajectory, path: Trajectory) -> tuple[NDArray[np.int64], dict[str, Array]]:
    """Return the iterations that both have, and the relative errors of loss and theta there.

    Rows from the first value on that is not finite are infinite: a diverged prediction holds no longer.

    Raises
    ------
    ValueError
        If the two do not end at the same iteration.
    """
    k = common(run, path)
    run, path = run.rows(k), path.rows(k)
    with np.errstate(invalid="ignore", over="ignore"):
        floor = SMALLEST_LOSS * abs(float(run.loss[0]))
        size = np.maximum(np.abs(run.loss), floor)
        if negative(run):
            size = np.full(len(k), np.ptp(run.loss[np.isfinite(run.loss)]))
        loss = _ratio(np.abs(path.loss - run.loss), size)
        way = np.linalg.norm(run.theta - run.theta[0], axis=1)
        travelled = float(way[np.isfinite(way)].max(initial=0.0))
        theta = _ratio(np.linalg.norm(path.theta - run.theta, axis=1), np.full(len(k), travelled))
    errors = {"loss": loss, "theta": theta}
    for values in errors.values():
        bad = ~np.isfinite(values)
        if bad.any():
            values[int(np.argmax(bad)) :] = math.inf
    return k, errors


def negative(run: Trajectory) -> bool:
    """Whether a loss of a run is negative: its errors are then relative to the range of its losses."""
    return bool((run.loss < 0.0).any())


def _ratio(difference: Array, size: Array) -> Array:
    """Return the ratio, 0 where there is no difference; infinite where a difference has no size beside it."""
    found = difference / np.where(size > _NO_SIZE, size, math.nan)
    alike = np.where(difference == 0.0, 0.0, math.inf)
    return np.where(size > _NO_SIZE, found, np.where(np.isnan(difference), math.nan, alike))


def horizon(k: NDArray[np.int64], errors: Array, within: float) -> int:
    """Return the last stored iteration before the error exceeds ``within`` for the first time.

    A later return into the bound does not count.  The last of all if the error never leaves it; -1 if it is
    outside from the start.
    """
    outside = errors > within
    if not outside.any():
        return int(k[-1])
    first = int(np.argmax(outside))
    return int(k[first - 1]) if first else -1


def unsolved(path: Trajectory, k: NDArray[np.int64], held: int) -> bool:
    """Return whether a model was within its bound as far as its solver came, which gave up before the end.

    Then the horizon, ``held``, says nothing of the model beyond: it may hold longer.
    """
    if path.report.status != "not converged" or held >= int(k[-1]):
        return False
    after = int(k[np.searchsorted(k, held, side="right")])
    row = path.rows(np.array([after]))
    return not (np.isfinite(row.theta).all() and np.isfinite(row.loss).all())


def rows(files: Iterable[str | Path], within: Sequence[float], objective: Any) -> list[dict[str, Any]]:
    """Compare every solution with the discrete run beside it.

    Parameters
    ----------
    files : iterable of path
        Trajectory files, one folder a cell; all of one objective.
    within : sequence of float
        Bounds of the relative errors.
    objective : Objective
        If it has ``accuracy(theta)``, that of run and model at the last iteration is compared, and the
        largest gap between them at up to 101 iterations.

    Raises
    ------
    ValueError
        If a file is damaged, or a solution does not end where its run does.
    """
    return [row for cell in read_cells(files) for row in _cell_rows(cell, within, objective)]


def _cell_rows(cell: CellResults, within: Sequence[float], objective: Any) -> list[dict[str, Any]]:
    run, setup = cell.run, cell.setup
    arguments = setup["optimizer"].get("arguments", {})
    found = []
    for name, solved in cell.solutions.items():
        path = solved.path
        k, errors = relative_errors(run, path)
        refused = path.report.status == REFUSED
        fixed = {
            "objective": setup["objective"]["name"],
            "optimizer": setup["optimizer"]["class"],
            "label": cell.label,
            "alpha": float(setup["alpha"]),
            **{key: arguments.get(key) for key in HYPERPARAMETERS},
            "steps": run.steps,
            "solution": name,
            "status": status(run, path),
            "discrete_status": run.report.status,
            "gradient_evaluations": None if refused else path.report.gradient_evaluations,
            "run_gradient_evaluations": run.report.gradient_evaluations,
            **_accuracies(run, path, k, objective),
        }
        for quantity, values in errors.items():
            measured = {
                "largest": float(values.max()) if np.isfinite(values).all() else None,
                "last": float(values[-1]) if math.isfinite(values[-1]) else None,
            }
            for bound in within:
                held = horizon(k, values, bound)
                reached = {
                    "within": bound,
                    "horizon": None if refused else held,
                    "unsolved": unsolved(path, k, held),
                }
                found.append(fixed | {"quantity": quantity} | reached | measured)
    return found


def _accuracies(
    run: Trajectory, path: Trajectory, k: NDArray[np.int64], objective: Any
) -> dict[str, float | None]:
    if not hasattr(objective, "accuracy"):
        return {}
    chosen = k[np.unique(np.linspace(0, len(k) - 1, MOST_ACCURACIES).astype(int))]
    mine, theirs = run.rows(chosen).theta, path.rows(chosen).theta
    finite = np.isfinite(mine).all(axis=1) & np.isfinite(theirs).all(axis=1)
    if not finite.all():
        return {}
    of_run, of_path = (
        np.array([float(evaluate(objective, "accuracy", point)) for point in points])
        for points in (mine, theirs)
    )
    gap = float(np.abs(of_run - of_path).max())
    return {"accuracy_run": float(of_run[-1]), "accuracy": float(of_path[-1]), "accuracy_gap": gap}


def as_table(found: Iterable[Mapping[str, Any]]) -> Any:
    """Return rows as a pyarrow table with the fixed schema; missing entries are null."""
    import pyarrow as pa

    found = list(found)
    names = [*_CELL, *_MEASURED, *_COST]
    types = [pa.type_for_alias(_TYPES.get(name, "float64")) for name in names]
    arrays = [nullable([row.get(n) for row in found], t) for n, t in zip(names, types, strict=True)]
    return pa.Table.from_arrays(arrays, names=names)


def job(task: Task) -> str:
    """Measure how long the models of a pack of cells hold; return a line about it."""
    files = packs.files(task.files)
    objective = registry.objective(task.given["objective"])
    write_table(task.outputs[0], as_table(rows(files, task.given["within"], objective)))
    return f"{len(files)} trajectories"
