"""A pack of cells in one job: one file for each cell, and at the end the manifest, which lists them.

What lives here: which cells are kept from an earlier run, which come from the cache, and failures of a cell.
What does not: grouping cells into packs (:mod:`idescent.study.packs`), computing a cell
(:mod:`idescent.jobs.simulate`, :mod:`idescent.jobs.solve`).

For each cell, in this order:

1. Keep its file if it is complete and records the same configuration and the same digest of the code.
2. Else, if ``IDESCENT_CACHE`` names a folder, copy the file from there, under the same condition.  The cache
   is shared by studies and checkouts.
3. Else compute the cell, write its file, and copy the file into the cache.

So a job that was killed, or whose pack has grown, computes only the missing cells.  ``IDESCENT_FRESH``, which
the session sets for ``snakemake --forceall``, skips the first two steps.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from idescent import __version__
from idescent.products.product import Task
from idescent.store.files import whole
from idescent.store.trajectories import read_with_metadata, write
from idescent.study import registry
from idescent.study.packs import study_folder, tally, write_manifest
from idescent.trajectory import Trajectory

Log = Callable[[str], None]


def simulate(task: Task) -> str:
    """Compute the discrete runs of a pack; return a one-line description."""
    return run("simulate", task.given, task.outputs[0], task.code, task.log)


def solve(task: Task) -> str:
    """Solve a model for the cells of a pack; return a one-line description."""
    return run("solve", task.given, task.outputs[0], task.code, task.log)


def run(stage: str, pack: Mapping[str, Any], output: Path, code: str, log: Log) -> str:
    """Simulate or solve the cells of a pack and write its manifest; return a one-line description.

    Parameters
    ----------
    stage : {"simulate", "solve"}
    pack : mapping
        ``objective``, ``cells`` with their ``folder``, and ``solution`` for ``solve``: as made by
        :meth:`idescent.study.cells.Study.job`.
    output : path
        The manifest; its path determines the folder of the study, and so the paths of the cells' files.
    code : str
        Digest of the code, recorded in the files.
    log : callable
        Receives lines for the job's log.

    Raises
    ------
    ValueError
        If cells cannot be computed.  The files of all other cells exist by then; the manifest is not written.
    """
    module = importlib.import_module(f"idescent.jobs.{stage}")
    root, solution = study_folder(output), pack.get("solution")
    name = solution["name"] if solution else "discrete"
    cells: dict[str, dict[str, Any]] = {}
    for entry in pack["cells"]:
        cell = {"objective": pack["objective"], **entry, **({"solution": solution} if solution else {})}
        cells[cell.pop("folder")] = cell
    kept = {folder: _kept(root / folder / f"{name}.parquet", cell, code) for folder, cell in cells.items()}
    missing = [cells[folder] for folder, status in kept.items() if status is None]
    computed = _compute(module, missing, pack["objective"], log)
    files, statuses, line = {}, {}, ""
    failures: list[str] = []
    for folder, cell in cells.items():
        place = f"{folder}/{name}.parquet"
        status = kept[folder]
        if status is None:
            if len(cells) > 1:
                log(f"--- {folder}")
            trajectory = next(computed)
            if isinstance(trajectory, ValueError):
                failures.append(f"{folder}: {trajectory}")
                log(f"error: {trajectory}")
                continue
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            write(root / place, trajectory, cell, {"version": __version__, "code": code})
            status, line = trajectory.report.status, module.describe(trajectory.report)
            _share(root / place, cell, code)
        else:
            line = f"{status}, kept"
            log(f"{folder}: kept")
        files[place], statuses[place] = root / place, status
    if failures:
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise ValueError(failures[0] + more)
    write_manifest(output, files, statuses)
    if len(files) == 1:
        return line
    count = len(cells) - len(missing)
    return f"{len(files)} cells{f', {count} kept' if count else ''}: {tally(list(statuses.values()))}"


def _compute(
    module: Any, cells: Sequence[Mapping[str, Any]], spec: Mapping[str, Any], log: Log
) -> Iterator[Trajectory | ValueError]:
    """Yield the trajectory of each cell, or the error that prevents it."""
    if not cells:
        return
    try:
        objective = registry.objective(spec)
    except ValueError as error:
        yield from [error] * len(cells)
        return
    yield from module.make(cells, objective, log)


def _kept(file: Path, cell: Mapping[str, Any], code: str) -> str | None:
    """Return the status of a cell's file if it can be kept or copied from the cache; else None."""
    if os.environ.get("IDESCENT_FRESH"):
        return None
    status = _status(file, cell, code)
    cached = _cached(cell, code)
    if status is None and cached is not None and (status := _status(cached, cell, code)) is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole(file) as partial:
            shutil.copyfile(cached, partial)
    return status


def _status(file: Path, cell: Mapping[str, Any], code: str) -> str | None:
    """Return the status in a file if it records this cell and this code; else None."""
    if not file.is_file():
        return None
    try:
        trajectory, metadata = read_with_metadata(file)
    except ValueError:
        return None  # damaged: computed again
    same = metadata["cell"] == cell and metadata["provenance"]["code"] == code
    return trajectory.report.status if same else None


def _share(file: Path, cell: Mapping[str, Any], code: str) -> None:
    """Copy a cell's file into the cache, if there is one."""
    cached = _cached(cell, code)
    if cached is not None:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with whole(cached) as partial:
            shutil.copyfile(file, partial)


def _cached(cell: Mapping[str, Any], code: str) -> Path | None:
    """Return the path of a cell in the cache; None if there is no cache."""
    folder = os.environ.get("IDESCENT_CACHE")
    if not folder:
        return None
    key = hashlib.sha256(f"{json.dumps(cell, sort_keys=True)} {code}".encode()).hexdigest()
    return Path(folder, key[:2], f"{key}.parquet")
