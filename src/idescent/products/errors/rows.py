"""Errors of the solutions of some cells, as rows of a table with a fixed schema.

What lives here: the job that measures a pack of cells, its rows, and their columns.  What does not: errors
between two trajectories (:mod:`idescent.analysis.errors`), tables for people (:mod:`.table`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from idescent import __version__
from idescent.analysis.errors import IMPLAUSIBLE, MEANINGLESS, NORMS, Comparison, compare, distant
from idescent.products.product import Task
from idescent.store.cells import CellResults, read_cells
from idescent.store.columns import nullable
from idescent.store.tables import HYPERPARAMETERS
from idescent.store.trajectories import METADATA_KEY, write_table
from idescent.study import packs
from idescent.trajectory import REFUSED, Trajectory, reversals

# Unknown where a solution is refused.
_NUMBERS = ("error", "relative", "at", "compared")
_COST = ("error_estimate", "gradient_evaluations", "sweeps")


def job(task: Task) -> str:
    """Measure the errors of a pack of cells, of which the files are the manifests; return a line about it."""
    files = packs.files(task.files)
    provenance = {"version": __version__, "code": task.code}
    metadata = {METADATA_KEY: json.dumps({"provenance": provenance}, sort_keys=True)}
    write_table(task.outputs[0], table(files).replace_schema_metadata(metadata))
    return f"{len(files)} trajectories"


def table(files: Iterable[str | Path]) -> Any:
    """Compare every solution with the discrete run beside it.

    Parameters
    ----------
    files : iterable of path
        Trajectory files of any number of cells, one folder a cell: one discrete run and its solutions.
        The order of cells and of solutions in them is kept.

    Returns
    -------
    pyarrow.Table
        One row for each cell, solution, quantity, norm and kind; ``label`` is the name of the cell's folder,
        ``compared`` the last iteration compared, ``reversals`` what
        :func:`idescent.trajectory.reversals` counts of the discrete run.  ``kind`` is ``total`` (the
        solution against the discrete run), ``model`` (the model's exact solution against the discrete run)
        or ``solver`` (the solution against the exact one); the last two need an exact solution, which a
        solution either is or names as its ``reference``.  Numbers that do not exist (no such
        hyper-parameter, a diverged run, no estimate, a refused solution) are null.
        ``status`` is that of :func:`status`; of an error that is measured from or to an implausible or
        refused reference, it is the reference's; of a model's error beside a solution that is either, too.
        Where one is, there is a column ``reason``.

    Raises
    ------
    ValueError
        If a file is damaged, a folder has not exactly one discrete run, or its files are of different cells.
    """
    return as_table(row for cell in read_cells(files) for row in _cell_rows(cell))


def as_table(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Return rows of errors as a pyarrow table with the fixed schema; NaN and missing entries become null."""
    import pyarrow as pa

    text, number, integer = pa.string(), pa.float64(), pa.int64()
    columns = {"objective": text, "optimizer": text, "label": text, "alpha": number}
    columns |= dict.fromkeys(HYPERPARAMETERS, number)
    columns |= {"steps": integer, "solution": text, "status": text, "discrete_status": text}
    columns |= {"quantity": text, "norm": text, "kind": text, "error": number, "relative": number}
    columns |= {"at": integer, "compared": integer, "error_estimate": number}
    columns |= {"gradient_evaluations": integer, "sweeps": integer, "reversals": integer}
    rows = list(rows)
    if any(row.get("reason") for row in rows):
        columns["reason"] = text
    arrays = [nullable([_known(row.get(name)) for row in rows], type_) for name, type_ in columns.items()]
    return pa.Table.from_arrays(arrays, names=list(columns))


def _cell_rows(cell: CellResults) -> list[dict[str, Any]]:
    run, setup = cell.run, cell.setup
    turns = reversals(run)
    arguments = setup["optimizer"].get("arguments", {})
    rows = []
    for name, solved in cell.solutions.items():
        path, reference = solved.path, solved.spec.get("reference")
        fixed = {
            "objective": setup["objective"]["name"],
            "optimizer": setup["optimizer"]["class"],
            "label": cell.label,
            "alpha": float(setup["alpha"]),
            **{key: arguments.get(key) for key in HYPERPARAMETERS},
            "steps": run.steps,
            "solution": name,
            "reversals": turns,
        }
        total, own = compare(run, path), _ended(run, path)
        kinds = {"total": (total, own)}
        if reference is None:
            kinds["model"] = kinds["total"]
        elif reference in cell.solutions:
            exact = cell.solutions[reference].path
            basis = _ended(run, exact)
            odd = [one for one in (basis, own) if one["status"] in MEANINGLESS]
            kinds |= {
                "model": (compare(run, exact), basis if odd else own),
                "solver": (compare(run, path, exact), odd[0] if odd else own),
            }
        else:
            raise ValueError(
                f"{cell.folder}: {name} is measured against {reference}, which is not among the files"
            )
        for kind, (comparison, ended) in kinds.items():
            for row in _comparison_rows(comparison, run, path):
                unknown = (
                    *(_NUMBERS if ended["status"] == REFUSED else ()),
                    *(_COST if path.report.status == REFUSED else ()),
                )
                rows.append(fixed | {"kind": kind} | row | dict.fromkeys(unknown) | ended)
    return rows


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
        }
        for quantity in comparison.sup
        for norm in NORMS
    ]


def _known(value: Any) -> Any:
    return None if value != value else value


def _ended(run: Trajectory, path: Trajectory) -> dict[str, Any]:
    far = distant(run, path)
    reason = far or (path.report.message if path.report.status == REFUSED else None)
    return {"status": IMPLAUSIBLE if far else path.report.status, "reason": reason}
