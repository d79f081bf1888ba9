"""Measure the errors of solutions, as rows of a table with a fixed schema.

What lives here: the job for a pack of cells, and the rows and columns of its table.  What does not: errors
between two trajectories (:mod:`idescent.analysis.errors`), and readable tables (:mod:`.table`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from idescent import __version__
from idescent.analysis.errors import (
    BELOW,
    IMPLAUSIBLE,
    MEANINGLESS,
    NORMS,
    Comparison,
    compare,
    distant,
    reference_error,
)
from idescent.analysis.floor import ABOVE_FLOOR
from idescent.products.product import Task
from idescent.store.cells import CellResults, read_cells
from idescent.store.columns import nullable
from idescent.store.tables import HYPERPARAMETERS, columns_of, with_others
from idescent.store.trajectories import METADATA_KEY, write_table
from idescent.study import packs
from idescent.trajectory import REFUSED, Trajectory, ended_well, reversals

# Columns that are null for a refused solution.
_NUMBERS = ("error", "relative", "at", "compared")
_COST = ("error_estimate", "gradient_evaluations", "sweeps")


def job(task: Task) -> str:
    """Measure the errors of a pack of cells, whose manifests are the inputs; return a line for the screen."""
    files = packs.files(task.files)
    provenance = {"version": __version__, "code": task.code}
    metadata = {METADATA_KEY: json.dumps({"provenance": provenance}, sort_keys=True)}
    write_table(task.outputs[0], table(files).replace_schema_metadata(metadata))
    return f"{len(files)} trajectories"


def table(files: Iterable[str | Path]) -> Any:
    """Compare every solution with the discrete run of its cell.

    Parameters
    ----------
    files : iterable of path
        Trajectory files of any number of cells.  Each folder is one cell with one discrete run and its
        solutions.  Cells, and solutions in a cell, keep their order.

    Returns
    -------
    pyarrow.Table
        One row for each cell, solution, quantity, norm and kind.

        * ``label`` is the name of the cell's folder, ``compared`` the last compared iteration, and
          ``reversals`` the count of :func:`idescent.trajectory.reversals` for the discrete run.
        * ``kind`` is ``total`` (solution against discrete run), ``model`` (exact solution of the model
          against discrete run) or ``solver`` (solution against exact solution).  A solution without a
          ``reference`` counts as exact: its model error equals its total error, and it has no solver error.
        * ``reference`` is ``run`` or ``leap`` (:func:`idescent.analysis.reference.reference`), and
          ``reference_error`` the estimate of its own error in this quantity and norm.
        * ``status`` is the solution's (:func:`idescent.analysis.errors.status`).  If the reference is
          implausible or refused, the model error and the solver error have the reference's status.  If only
          the solution is, the model error still has the reference's: it does not depend on the solution.
        * An error against a completed run that is less than 100 times its ``reference_error`` has the status
          ``below the reference``, unless it is exactly 0; the solution's other errors keep theirs.  Tables
          and figures for people do not show its number.
        * ``reason`` explains the statuses ``implausible`` and ``refused``; the table has this column only if
          one of them occurs.
        * Numbers that do not exist are null: a hyper-parameter of another optimizer, an error without a
          finite row, a missing estimate, and every number of a refused solution.

    Raises
    ------
    ValueError
        If a file is damaged, a folder does not have exactly one discrete run, the files of a folder belong to
        different cells, or the reference of a solution has no file.
    """
    return as_table(row for cell in read_cells(files) for row in _cell_rows(cell))


def as_table(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Convert rows of errors to a pyarrow table; NaN and missing values become null.

    The schema is fixed, except for a column for each further hyper-parameter (``optimizer.psi``), and the
    column of reasons.
    """
    import pyarrow as pa

    text, number, integer = pa.string(), pa.float64(), pa.int64()
    columns = {"objective": text, "optimizer": text, "label": text, "alpha": number}
    columns |= dict.fromkeys(HYPERPARAMETERS, number)
    columns |= {"steps": integer, "solution": text, "status": text, "discrete_status": text}
    columns |= {"quantity": text, "norm": text, "kind": text, "error": number, "relative": number}
    columns |= {"at": integer, "compared": integer, "error_estimate": number}
    columns |= {"gradient_evaluations": integer, "sweeps": integer, "reversals": integer}
    columns |= {"reference": text, "reference_error": number}
    rows = list(rows)
    if any(row.get("reason") for row in rows):
        columns["reason"] = text
    arrays = [
        nullable([_null_if_nan(row.get(name)) for row in rows], type_) for name, type_ in columns.items()
    ]
    return with_others(pa.Table.from_arrays(arrays, names=list(columns)), rows)


def _cell_rows(cell: CellResults) -> list[dict[str, Any]]:
    run, setup = cell.run, cell.setup
    count = reversals(run)
    arguments = setup["optimizer"].get("arguments", {})
    rows = []
    for name, solution in cell.solutions.items():
        path, reference = solution.path, solution.spec.get("reference")
        fixed = {
            "objective": setup["objective"]["name"],
            "optimizer": setup["optimizer"]["class"],
            "label": cell.label,
            "alpha": float(setup["alpha"]),
            **columns_of(arguments),
            "steps": run.steps,
            "solution": name,
            "reversals": count,
            "reference": run.report.details.get("reference", "run"),
        }
        own = _status(run, path)
        kinds = {"total": (compare(run, path), own)}
        if reference is None:
            kinds["model"] = kinds["total"]
        elif reference in cell.solutions:
            exact = cell.solutions[reference].path
            basis = _status(run, exact)
            odd = [status for status in (basis, own) if status["status"] in MEANINGLESS]
            kinds |= {
                "model": (compare(run, exact), basis if odd else own),
                "solver": (compare(run, path, exact), odd[0] if odd else own),
            }
        else:
            raise ValueError(
                f"{cell.folder}: the reference of {name} is {reference}, but no file contains {reference}"
            )
        for kind, (comparison, status) in kinds.items():
            for row in _comparison_rows(comparison, run, path):
                absent = (
                    *(_NUMBERS if status["status"] == REFUSED else ()),
                    *(_COST if path.report.status == REFUSED else ()),
                )
                judged = kind != "solver" and ended_well(status["status"], run.report.status)
                below = {"status": BELOW} if judged and _is_below(row) else {}
                rows.append(fixed | {"kind": kind} | row | dict.fromkeys(absent) | status | below)
    return rows


def _is_below(row: Mapping[str, Any]) -> bool:
    """Whether the reference cannot measure the error of a row; 0 is no measurement, all bits agree."""
    return bool(0.0 < row["error"] < ABOVE_FLOOR * row["reference_error"])


def _comparison_rows(comparison: Comparison, run: Trajectory, path: Trajectory) -> list[dict[str, Any]]:
    return [
        {
            "discrete_status": run.report.status,
            "quantity": quantity,
            "norm": norm,
            "error": comparison.error(norm, quantity),
            "relative": comparison.relative(norm, quantity),
            "at": {"sup": comparison.at.get(quantity), "final": comparison.compared}.get(norm),
            "compared": comparison.compared,
            "error_estimate": path.report.error_estimate,
            "gradient_evaluations": path.report.gradient_evaluations,
            "sweeps": path.report.sweeps,
            "reference_error": reference_error(
                run, quantity, comparison.error(norm, quantity), comparison.relative(norm, quantity)
            ),
        }
        for quantity in comparison.sup
        for norm in NORMS
    ]


def _null_if_nan(value: Any) -> Any:
    return None if value != value else value


def _status(run: Trajectory, path: Trajectory) -> dict[str, Any]:
    """Return status and reason of a solution, judged by its distance from the discrete run."""
    far = distant(run, path)
    reason = far or (path.report.message if path.report.status == REFUSED else None)
    return {"status": IMPLAUSIBLE if far else path.report.status, "reason": reason}
