"""The sharpness along the models' paths, as columns beside the horizons.

What lives here: the columns, and the job that computes horizons with them.  What does not: horizons
(:mod:`.rows`), the sharpness itself (:mod:`idescent.analysis.edge`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from idescent.analysis.edge import edge
from idescent.products.fidelity import rows as horizons
from idescent.products.product import Task
from idescent.store.cells import read_cells
from idescent.store.trajectories import write_table
from idescent.study import packs, registry
from idescent.trajectory import REFUSED, Trajectory


def rows(files: Iterable[str | Path], within: Sequence[float], objective: Any) -> list[dict[str, Any]]:
    """Return the rows of :func:`idescent.products.fidelity.rows.rows` with the sharpness.

    The additional columns are ``edge`` (the verdict; null for a refused solution), ``edge_since`` (the
    first checked iteration with a sharpness of at least 1), ``sharpness`` (the largest one),
    ``hessian_vector_products``, and ``edge_message`` (the reason if there is no limit).

    Parameters
    ----------
    files, within, objective
        As for the horizons; the objective is also asked for products with its Hessian.
    """
    files = list(files)
    columns = {}
    for cell in read_cells(files):
        optimizer, schedule = registry.optimizer(cell.setup["optimizer"]), registry.schedule(cell.setup)
        kind = cell.setup["optimizer"]["class"]
        for name, solved in cell.solutions.items():
            columns[kind, cell.label, name] = _columns(optimizer, objective, solved.path, schedule)
    measured = horizons.rows(files, within, objective)
    return [row | columns[row["optimizer"], row["label"], row["solution"]] for row in measured]


def _columns(optimizer: Any, objective: Any, path: Trajectory, schedule: Any) -> dict[str, Any]:
    empty = dict.fromkeys(horizons.EDGE)
    if path.report.status == REFUSED:
        return empty
    try:
        result = edge(optimizer, objective, path, schedule=schedule)
    except ValueError as error:
        return empty | {"edge": horizons.NO_LIMIT, "edge_message": str(error)}
    return empty | {
        "edge": result.verdict,
        "edge_since": result.since,
        "sharpness": float(result.sharpness.max()),
        "hessian_vector_products": result.report.details["hessian_vector_products"],
    }


def job(task: Task) -> str:
    """Measure horizons and sharpness of the models of a pack of cells; return a line about it."""
    files = packs.files(task.files)
    objective = registry.objective(task.given["objective"])
    write_table(task.outputs[0], horizons.as_table(rows(files, task.given["within"], objective)))
    return f"{len(files)} trajectories"
