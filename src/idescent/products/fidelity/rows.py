r"""Horizons of models: the iterations up to which a prediction of the run holds.

What lives here: relative errors along a run, and the last iteration before they exceed a given bound for the
first time.  What does not: errors in norms over all iterations (:mod:`idescent.analysis.errors`), drawing.

With :math:`L_k` the loss of the discrete run and :math:`\tilde L_k` that of the solution at ``s = k``,

.. math:: e^{\text{loss}}_k = \frac{|\tilde L_k - L_k|}{\max(|L_k|,\; 10^{-3} |L_0|)}, \qquad
          e^{\theta}_k = \frac{\|\tilde\theta_k - \theta_k\|_2}{\max_j \|\theta_j - \theta_0\|_2}.

The denominator of the loss is at least a thousandth of the first loss: near a minimum of value 0 any error
would be large.  The denominator of the parameters is the largest distance of the run from its start: at the
first iterations the distance covered so far is as small as an error.

If a loss of the run is negative, its zero has no meaning, and the relative error of a loss near 0 would be
large.  The error is then relative to the range of the run's losses,

.. math:: e^{\text{loss}}_k = \frac{|\tilde L_k - L_k|}{\max_j L_j - \min_j L_j},

which does not change if a constant is added to the objective.  If a denominator is 0 (the run stays at its
start), an error is 0 or infinite.
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
from idescent.store.tables import HYPERPARAMETERS, columns_of, with_others
from idescent.store.trajectories import write_table
from idescent.study import packs, registry
from idescent.trajectory import REFUSED, Trajectory

Array = NDArray[np.float64]

SMALLEST_LOSS = 1e-3
_NO_SIZE = 1e-300
QUANTITIES = ("loss", "theta")
# Most iterations at which the accuracy is compared: each takes a pass over all samples.
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
EDGE = ("edge", "edge_since", "sharpness", "hessian_vector_products", "edge_message")
"""Columns of :mod:`.sharpness`, if a study asks for them."""
NO_LIMIT = "no limit"
"""Verdict on an optimizer without a limit, or on a path without the memories that the limit needs."""
_TEXT = {"objective", "optimizer", "label", "solution", "status", "discrete_status", "quantity"}
_TEXT |= {"edge", "edge_message"}
_INTEGER = {"steps", "horizon", "edge_since", "hessian_vector_products", *_COST}
_TYPES = {**dict.fromkeys(_TEXT, "string"), **dict.fromkeys(_INTEGER, "int64"), "unsolved": "bool"}


def relative_errors(run: Trajectory, path: Trajectory) -> tuple[NDArray[np.int64], dict[str, Array]]:
    """Return the iterations that run and solution share, and the relative errors of loss and theta there.

    From the first value that is not finite, errors are infinite: a diverged prediction no longer holds.

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
    """Whether a run has a negative loss: its errors are then relative to the range of its losses."""
    return bool((run.loss < 0.0).any())


def _ratio(difference: Array, size: Array) -> Array:
    """Divide differences by sizes; where a size is 0 the ratio is 0 for no difference, infinite for any."""
    ratio = difference / np.where(size > _NO_SIZE, size, math.nan)
    alike = np.where(difference == 0.0, 0.0, math.inf)
    return np.where(size > _NO_SIZE, ratio, np.where(np.isnan(difference), math.nan, alike))


def horizon(k: NDArray[np.int64], errors: Array, within: float) -> int:
    """Return the last stored iteration before the error exceeds ``within`` for the first time.

    A later return below the bound does not count.  Return the last iteration if the error never exceeds the
    bound, and -1 if it exceeds the bound from the start.
    """
    outside = errors > within
    if not outside.any():
        return int(k[-1])
    first = int(np.argmax(outside))
    return int(k[first - 1]) if first else -1


def unsolved(path: Trajectory, k: NDArray[np.int64], held: int) -> bool:
    """Whether a solver stopped before the end while the model was still within its bound.

    The horizon, ``held``, is then a lower bound: the model may hold longer.
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
        Trajectory files of one objective, one folder for each cell.
    within : sequence of float
        Bounds of the relative errors.
    objective : Objective
        If it has ``accuracy(theta)``, the rows have the accuracies of run and model at the last iteration,
        and the largest gap between them at up to 101 iterations.

    Raises
    ------
    ValueError
        If a file is damaged, or a solution does not end where its run does.
    """
    return [row for cell in read_cells(files) for row in _cell_rows(cell, within, objective)]


def _cell_rows(cell: CellResults, within: Sequence[float], objective: Any) -> list[dict[str, Any]]:
    run, setup = cell.run, cell.setup
    arguments = setup["optimizer"].get("arguments", {})
    horizons = []
    for name, solved in cell.solutions.items():
        path = solved.path
        k, errors = relative_errors(run, path)
        refused = path.report.status == REFUSED
        fixed = {
            "objective": setup["objective"]["name"],
            "optimizer": setup["optimizer"]["class"],
            "label": cell.label,
            "alpha": float(setup["alpha"]),
            **columns_of(arguments),
            "steps": run.steps,
            "solution": name,
            "status": status(run, path),
            "discrete_status": run.report.status,
            "gradient_evaluations": None if refused else path.report.gradient_evaluations,
            "run_gradient_evaluations": run.report.gradient_evaluations,
            **_accuracies(run, path, k, objective),
        }
        for quantity, values in errors.items():
            over_all = {
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
                horizons.append(fixed | {"quantity": quantity} | reached | over_all)
    return horizons


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


def as_table(entries: Iterable[Mapping[str, Any]]) -> Any:
    """Return rows as a pyarrow table; missing entries are null.

    The schema is fixed, except for the columns of the sharpness, and a column for each further
    hyper-parameter (``optimizer.psi``).
    """
    import pyarrow as pa

    entries = list(entries)
    names = [*_CELL, *_MEASURED, *_COST, *(EDGE if any("edge" in row for row in entries) else ())]
    types = [pa.type_for_alias(_TYPES.get(name, "float64")) for name in names]
    arrays = [nullable([row.get(n) for row in entries], t) for n, t in zip(names, types, strict=True)]
    return with_others(pa.Table.from_arrays(arrays, names=names), entries)


def job(task: Task) -> str:
    """Measure the horizons of the models of a pack of cells; return a line about it."""
    files = packs.files(task.files)
    objective = registry.objective(task.given["objective"])
    write_table(task.outputs[0], as_table(rows(files, task.given["within"], objective)))
    return f"{len(files)} trajectories"
