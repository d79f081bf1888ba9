"""Data of the report's explorer: trajectories and their errors, thinned to the resolution of a screen.

What lives here: reading the files, choosing rows, rounding.  What does not: drawing (``assets/explorer.js``)
and the choice of cells (:mod:`.selection`).  Errors are computed at all iterations, before the thinning.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.analysis.errors import common, distance, status
from idescent.drawing import style
from idescent.drawing.hyperparameters import letter
from idescent.drawing.looks import model_look
from idescent.drawing.markup import status_text
from idescent.store import DISCRETE
from idescent.store.cells import Read, by_cell, read_cells
from idescent.store.trajectories import read_with_metadata
from idescent.study import registry
from idescent.trajectory import Report, Trajectory, ended_well

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

# Rows of a curve, bounded by the width of a screen; numbers in the whole page, about 6 MB.
MOST_ROWS = 800
LEAST_ROWS = 200
MOST_NUMBERS = 550_000
DIGITS = 7
# Longer vectors are shown by their norm and first coordinate; longer moments are left out.
_ALL_COORDINATES = 4
_MOMENTS = 16

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class View:
    """One quantity of one cell: its curve on every path, and the distance of every solution from the run.

    Attributes
    ----------
    symbol : str
    values : dict of str to ndarray, shape (rows,)
        By path: ``discrete`` and the solutions.
    errors : dict of str to ndarray, shape (rows,)
        By solution.
    """

    symbol: str
    values: dict[str, Array]
    errors: dict[str, Array]


@dataclass(frozen=True)
class ExplorerCell:
    """A cell of the explorer: its files and their metadata.  The trajectories are read when needed.

    Attributes
    ----------
    files : dict of str to Path
        By path: ``discrete`` and the solutions.
    setup : dict
        As in :class:`idescent.store.cells.CellResults`.
    solutions : dict of str to dict
        Settings of each solution: name, model, solver, tolerances.
    """

    files: dict[str, Path]
    setup: dict[str, Any]
    solutions: dict[str, dict[str, Any]]


class TrajectoryCache:
    """Reader of trajectories with a cache: the report reads each file several times.

    Parameters
    ----------
    size : int
        Maximum size of the cache in bytes; a trajectory that does not fit is not stored.
    """

    def __init__(self, size: int = 64_000_000) -> None:
        self._free = size
        self._cache: dict[Path, tuple[Trajectory, dict[str, Any]]] = {}

    def __call__(self, file: Path) -> tuple[Trajectory, dict[str, Any]]:
        """Return a trajectory and the metadata of its file; callers must not change them.

        Raises
        ------
        ValueError
            If the file is damaged.
        """
        if file in self._cache:
            return self._cache[file]
        content = read_with_metadata(file)
        path = content[0]
        size = sum(
            column.nbytes for column in (path.k, path.t, path.theta, path.loss, *path.moments.values())
        )
        if size <= self._free:
            self._cache[file] = content
            self._free -= size
        return content


def gather(
    files: Iterable[str | Path], root: Path, shown: Sequence[str] = (), read: Read | None = None
) -> dict[str, Any]:
    """Return the data of the explorer: values that JSON can store.

    Parameters
    ----------
    files : iterable of path
        Trajectory files: for each cell, one discrete run and its solutions.
    root : path
        Folder of the page; links to files are relative to it.
    shown : sequence of str
        Names of paths in the order of the figures; the first gets a solid line.
    read : callable, optional
        A :class:`TrajectoryCache`, which may contain some of the files.

    Raises
    ------
    ValueError
        If a file is damaged, a folder has no discrete run, or a run and a solution do not match.
    """
    read = TrajectoryCache() if read is None else read
    cells = [_cell(members, read) for members in by_cell(files)]
    curves = sum(8 * len(cell.files) for cell in cells)
    most = int(np.clip(MOST_NUMBERS // max(curves, 1), LEAST_ROWS, MOST_ROWS))
    grids = _grids(cells, most, read)
    texts = [json.dumps({name: rows.tolist() for name, rows in grid.items()}) for grid in grids]
    unique = list(dict.fromkeys(texts))
    names = list(dict.fromkeys(name for cell in cells for name in cell.files))
    order = [name for name in dict.fromkeys((*shown, *names)) if name in names and name != DISCRETE]
    return {
        "rows": most,
        "digits": DIGITS,
        "grids": [json.loads(grid) for grid in unique],
        "paths": {DISCRETE: {"label": "discrete run"}}
        | {name: _path_look(name, i, cells) for i, name in enumerate(order)},
        "cells": [
            _cell_data(cell, unique.index(text), grid, root, read)
            for cell, text, grid in zip(cells, texts, grids, strict=True)
        ],
    }


def configuration(label: str) -> str:
    """Format the hyper-parameters in a cell's label: ``β₁ = 0.9, β₂ = 0.99``."""
    words = []
    for part in label.split(",")[1:]:
        name, _, value = part.partition("~")
        words.append(f"{letter(name)} = {value.removesuffix('.0')}")
    return ", ".join(words) or "–"


def kept_rows(curves: Sequence[Array], peaks: Sequence[Array], most: int) -> Rows:
    """Choose rows of several long curves so that the drawn lines keep their shape.

    Parameters
    ----------
    curves : sequence of ndarray, shape (rows,)
        The rows include the minimum and maximum of each curve in every one of a number of equal intervals.
    peaks : sequence of ndarray, shape (rows,)
        The rows include the maximum of each of these curves.
    most : int
        Target number of rows.

    Returns
    -------
    ndarray of int
        Increasing, with the first and the last row.  All rows if there are at most ``most``.
    """
    rows = len(curves[0])
    if rows <= most:
        return np.arange(rows)
    edges = np.linspace(0, rows, max(most // (4 * len(curves)), 1) + 1).astype(np.int64)
    choices = [np.geomspace(1, rows, most // 4).astype(np.int64) - 1, np.array([0, rows - 1])]
    for curve in curves:
        low = np.where(np.isfinite(curve), curve, np.inf)
        high = np.where(np.isfinite(curve), curve, -np.inf)
        choices.append(np.array([a + int(np.argmin(low[a:b])) for a, b in pairwise(edges)]))
        choices.append(np.array([a + int(np.argmax(high[a:b])) for a, b in pairwise(edges)]))
    choices += [np.array([np.argmax(np.where(np.isfinite(y), y, -np.inf))]) for y in peaks]
    kept = np.unique(np.concatenate(choices))
    even = np.linspace(0, rows - 1, max(most - len(kept), 2)).astype(np.int64)
    return np.union1d(kept, even)


def _spread(rows: int, count: int) -> Rows:
    """Choose ``count`` rows: half of them evenly spaced, half denser towards the start."""
    even = np.linspace(0, rows - 1, count // 2).astype(np.int64)
    return np.union1d(even, np.geomspace(1, rows, count // 2).astype(np.int64) - 1)


def rounded(values: Array) -> list[float | None]:
    """Round to 7 significant digits; None replaces NaN and infinity."""
    return [float(f"{x:.{DIGITS}g}") if math.isfinite(x) else None for x in values.tolist()]


def views(paths: Mapping[str, Trajectory]) -> dict[str, View]:
    """Return the quantities of one cell, by name; all paths must have the same iterations."""
    run = paths[DISCRETE]
    width = run.theta.shape[1]
    solutions = [name for name in paths if name != DISCRETE]
    quantities = {}
    moments = [name for name in run.moments if run.moments[name].shape[1] <= _MOMENTS]
    for name in ("theta", "loss", *moments):
        symbol = {"theta": "θ", "loss": "L(θ)"}.get(name, name)
        have = [path for path in paths if name in ("theta", "loss") or name in paths[path].moments]
        quantities[name] = View(
            symbol if run.quantity(name).shape[1] == 1 else f"‖{symbol}‖",
            {path: _length(paths[path].quantity(name)) for path in have},
            {path: distance(run, paths[path], name) for path in solutions if path in have},
        )
    for i in range(width if 1 < width <= _ALL_COORDINATES else min(width - 1, 1)):
        values = {path: trajectory.theta[:, i] for path, trajectory in paths.items()}
        with np.errstate(invalid="ignore", over="ignore"):
            errors = {path: np.abs(values[path] - values[DISCRETE]) for path in solutions}
        quantities[f"theta{i + 1}"] = View("θ" + str(i + 1).translate(_SUBSCRIPTS), values, errors)
    return quantities


def _cell(files: Sequence[Path], read: Read) -> ExplorerCell:
    (cell,) = read_cells(files, read)
    by_name = {file.stem: file for file in files}
    specs = {name: solved.spec for name, solved in cell.solutions.items()}
    return ExplorerCell({name: by_name[name] for name in cell.paths}, cell.setup, specs)


def _key(cell: ExplorerCell) -> str:
    setup = cell.setup
    return json.dumps(
        [setup["objective"]["name"], setup["optimizer"]["class"], setup["alpha"], setup["steps"]]
    )


def _grids(cells: Sequence[ExplorerCell], most: int, read: Read) -> list[dict[str, Rows]]:
    """Choose the iterations of each cell: equal for cells in the same plot, unless that gives too many."""
    groups: dict[str, list[int]] = {}
    for i, cell in enumerate(cells):
        groups.setdefault(_key(cell), []).append(i)
    grids: list[dict[str, Rows]] = [{} for _ in cells]
    for members in groups.values():
        for i in members:
            grids[i] = _own_rows(_read(cells[i], read), most, len(members))
        for name in dict.fromkeys(name for i in members for name in grids[i]):
            shared = np.unique(np.concatenate([grids[i][name] for i in members if name in grids[i]]))
            if len(shared) <= max(most + most // 4, len(grids[members[0]][name])):
                for i in members:
                    grids[i][name] = shared
    return grids


def _own_rows(paths: Mapping[str, Trajectory], most: int, members: int) -> dict[str, Rows]:
    """Choose the iterations of one of ``members`` cells in a plot, by quantity: common ones and its peaks."""
    k = paths[DISCRETE].k
    if len(k) <= most:
        return dict.fromkeys(views(paths), k)
    spread = k[_spread(len(k), most // 2)]
    chosen = {}
    for name, view in views(paths).items():
        curves, peaks = [*view.values.values(), *view.errors.values()], list(view.errors.values())
        chosen[name] = np.union1d(spread, k[kept_rows(curves, peaks, max(most // (2 * members), 40))])
    return chosen


def _read(cell: ExplorerCell, read: Read) -> dict[str, Trajectory]:
    """Read the paths of a cell, the discrete run first, at their common iterations."""
    (results,) = read_cells(cell.files.values(), read)
    k = common(results.run, *results.paths.values())
    return {name: path.rows(k) for name, path in results.paths.items()}


def _at(values: Array, k: Rows, iterations: Rows) -> Array:
    """Select the values at some iterations; NaN where an iteration is not stored."""
    rows = np.minimum(np.searchsorted(k, iterations), len(k) - 1)
    return np.where(k[rows] == iterations, values[rows], np.nan)


def _cell_data(
    cell: ExplorerCell, grid: int, iterations: Mapping[str, Rows], root: Path, read: Read
) -> dict[str, Any]:
    setup, paths = cell.setup, _read(cell, read)
    k = paths[DISCRETE].k
    label = cell.files[DISCRETE].parent.name
    colour, _ = style.look(setup["optimizer"])
    return {
        "objective": setup["objective"]["name"],
        "optimizer": setup["optimizer"]["class"].rpartition(":")[2],
        "alpha": setup["alpha"],
        "key": label.partition(",")[2],
        "configuration": configuration(label),
        "colour": colour,
        "steps": setup["steps"],
        "grid": grid,
        "paths": {
            name: _path_data(cell.files[name], root, path.report, status(paths[DISCRETE], path))
            for name, path in paths.items()
        },
        "views": {
            name: {
                "symbol": view.symbol,
                "value": {path: rounded(_at(y, k, iterations[name])) for path, y in view.values.items()},
                "error": {path: rounded(_at(y, k, iterations[name])) for path, y in view.errors.items()},
            }
            for name, view in views(paths).items()
        },
    }


def _path_data(file: Path, root: Path, report: Report, ended: str) -> dict[str, Any]:
    return {
        "file": file.relative_to(root).as_posix(),
        "status": status_text(ended),
        "ok": ended_well(ended),
        "message": report.message,
    }


def _path_look(name: str, position: int, cells: Sequence[ExplorerCell]) -> dict[str, Any]:
    spec = next(cell.solutions[name] for cell in cells if name in cell.solutions)
    label = style.solution(name)
    data = {
        "label": label if label == name else f"{label} ({name})",
        "line": style.line(name, position, {}).line,
    }
    if "model" in spec:
        data["colour"] = model_look(registry.model(spec["model"]).name)[0]
    return data


def _length(values: Array) -> Array:
    return values[:, 0] if values.shape[1] == 1 else np.asarray(np.linalg.norm(values, axis=1))
