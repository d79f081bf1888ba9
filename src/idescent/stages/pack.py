"""A pack of cells in one job: each into its own file, and at the end the list of them.

What lives here: what is kept of an earlier run, what is taken from the cache, and what happens when a cell
fails.  What does not: how cells come to share a job (:mod:`idescent.packs`), what is done for one of them
(:mod:`idescent.stages.simulate`, :mod:`idescent.stages.solve`).

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
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from idescent import registry
from idescent.files import whole
from idescent.packs import study_folder, tally, write_manifest
from idescent.trajectory import read_with_metadata

Log = Callable[[str], None]


def run(stage: str, pack: Mapping[str, Any], output: Path, code: str, log: Log) -> str:
    """Run or solve a pack's cells and write their list; return a line about them.

    Parameters
    ----------
    stage : {"simulate", "solve"}
    pack : mapping
        ``objective``, ``cells`` with their ``folder``, and ``solution`` for ``solve``: as made by
        :meth:`idescent.study.Study.job`.
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
    module = importlib.import_module(f"idescent.stages.{stage}")
    root, solution = study_folder(output), pack.get("solution")
    name = solution["name"] if solution else "discrete"
    files, statuses, line = {}, {}, ""
    failures: list[str] = []
    kept = 0
    objective: Any = None
    for entry in pack["cells"]:
        place = f"{entry['folder']}/{name}.parquet"
        cell = {"objective": pack["objective"], **entry, **({"solution": solution} if solution else {})}
        del cell["folder"]
        status = _found(root / place, cell, code)
        if status is None:
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            if len(pack["cells"]) > 1:
                log(f"--- {entry['folder']}")
            try:
                objective = objective or registry.objective(pack["objective"])
                report = module.run(cell, objective, root / place, code, log)
            except ValueError as error:
                failures.append(f"{entry['folder']}: {error}")
                log(f"error: {error}")
                continue
            status, line = report.status, module.describe(report)
            _share(root / place, cell, code)
        else:
            kept += 1
            line = f"{status}, kept"
            log(f"{entry['folder']}: kept")
        files[place], statuses[place] = root / place, status
    if failures:
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise ValueError(failures[0] + more)
    write_manifest(output, files, statuses)
    if len(files) == 1:
        return line
    return f"{len(files)} cells{f', {kept} kept' if kept else ''}: {tally(list(statuses.values()))}"


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
