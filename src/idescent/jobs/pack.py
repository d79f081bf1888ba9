"""A pack of cells in one job: each into its own file, and at the end the list of them.

What lives here: what is kept of an earlier run, what is taken from the cache, and what happens when a cell
fails.  What does not: how cells come to share a job (:mod:`idescent.study.packs`), what is done for one of
them (:mod:`idescent.jobs.simulate`, :mod:`idescent.jobs.solve`).

A cell that is there, whole, made from the same configuration by the same code, is kept: a job that was
killed, or whose pack has grown, makes only what is missing.  With ``IDESCENT_CACHE`` set to a folder, cells
are shared in the same way between studies and between checkouts.  ``IDESCENT_FRESH`` makes all again, as
``snakemake --forceall`` demands.
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
    """Make the discrete runs of a pack; return a line about them."""
    return run("simulate", task.given, task.outputs[0], task.code, task.log)


def solve(task: Task) -> str:
    """Solve a model for a pack; return a line about its solutions."""
    return run("solve", task.given, task.outputs[0], task.code, task.log)


def run(stage: str, pack: Mapping[str, Any], output: Path, code: str, log: Log) -> str:
    """Run or solve a pack's cells and write their list; return a line about them.

    Parameters
    ----------
    stage : {"simulate", "solve"}
    pack : mapping
        ``objective``, ``cells`` with their ``folder``, and ``solution`` for ``solve``: as made by
        :meth:`idescent.study.cells.Study.job`.
    output : path
        The manifest; the cells' files go where it says that the study is.
    code : str
        Digest of the code, recorded in the files.
    log : callable
        Receives lines for the job's log.

    Raises
    ------
    ValueError
        If cells cannot be run; all others are there by then, and the list is not written.
    """
    module = importlib.import_module(f"idescent.jobs.{stage}")
    root, solution = study_folder(output), pack.get("solution")
    name = solution["name"] if solution else "discrete"
    cells: dict[str, dict[str, Any]] = {}
    for entry in pack["cells"]:
        cell = {"objective": pack["objective"], **entry, **({"solution": solution} if solution else {})}
        cells[cell.pop("folder")] = cell
    found = {folder: _found(root / folder / f"{name}.parquet", cell, code) for folder, cell in cells.items()}
    missing = [cells[folder] for folder, status in found.items() if status is None]
    made = _made(module, missing, pack["objective"], log)
    files, statuses, line = {}, {}, ""
    failures: list[str] = []
    for folder, cell in cells.items():
        place = f"{folder}/{name}.parquet"
        status = found[folder]
        if status is None:
            if len(cells) > 1:
                log(f"--- {folder}")
            trajectory = next(made)
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
    kept = len(cells) - len(missing)
    return f"{len(files)} cells{f', {kept} kept' if kept else ''}: {tally(list(statuses.values()))}"


def _made(
    module: Any, cells: Sequence[Mapping[str, Any]], spec: Mapping[str, Any], log: Log
) -> Iterator[Trajectory | ValueError]:
    if not cells:
        return
    try:
        objective = registry.objective(spec)
    except ValueError as error:
        yield from [error] * len(cells)
        return
    yield from module.make(cells, objective, log)


def _found(file: Path, cell: Mapping[str, Any], code: str) -> str | None:
    """Return the status of a cell's file if it is what would be made; look for it in the cache, too."""
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
    if not file.is_file():
        return None
    try:
        trajectory, metadata = read_with_metadata(file)
    except ValueError:
        return None  # damaged: it is made again
    same = metadata["cell"] == cell and metadata["provenance"]["code"] == code
    return trajectory.report.status if same else None


def _share(file: Path, cell: Mapping[str, Any], code: str) -> None:
    cached = _cached(cell, code)
    if cached is not None:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with whole(cached) as partial:
            shutil.copyfile(file, partial)


def _cached(cell: Mapping[str, Any], code: str) -> Path | None:
    folder = os.environ.get("IDESCENT_CACHE")
    if not folder:
        return None
    key = hashlib.sha256(f"{json.dumps(cell, sort_keys=True)} {code}".encode()).hexdigest()
    return Path(folder, key[:2], f"{key}.parquet")
