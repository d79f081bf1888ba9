"""What the explorer of the report shows: trajectories and their errors, thinned to what a screen can show.

What lives here: reading the files, choosing rows, rounding.  What does not: drawing (``assets/explorer.js``)
and the choice of cells (:mod:`.selection`).  Errors are computed on all iterations before any is left out.
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
from idescent.drawing.looks import model_look
from idescent.store import DISCRETE
from idescent.store.cells import Read, by_cell, read_cells
from idescent.store.trajectories import read_with_metadata
from idescent.study import registry
from idescent.trajectory import Report, Trajectory, ended_well

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

# A curve on a screen is no wider than this; the whole page holds at most so many numbers, about 6 MB.
MOST_ROWS = 800
LEAST_ROWS = 200
MOST_NUMBERS = 550_000
DIGITS = 7
# Of vectors longer than these only the norm and the first coordinate are shown, and no moments.
_ALL_COORDINATES = 4
_MOMENTS = 16

_LETTERS = {"beta": "β", "beta1": "β₁", "beta2": "β₂", "weight_decay": "weight decay"}
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class View:
    """One quantity of one cell: the curve of every path, and their distances from the discrete run.

    Attributes
    ----------
    symbol : str
    values : dict of str to ndarray, shape (rows,)
        By path: ``discrete``, and the solutions.
    errors : dict of str to ndarray, shape (rows,)
        By solution.
    """

    symbol: str
    values: dict[str, Array]
    errors: dict[str, Array]


@dataclass(frozen=True)
class ExplorerCell:
    """A cell of the explorer: its files, and what they say but for the numbers, which are read when needed.

    Attributes
    ----------
    files : dict of str to Path
        By path: ``discrete``, and the solutions.
    setup : dict
    solutions : dict of str to dict
        How each solution was asked for.
    """

    files: dict[str, Path]
    setup: dict[str, Any]
    solutions: dict[str, dict[str, Any]]


class Shelf:
    """Reads trajectories, and keeps them while there is room: the report asks for each several times.

    Parameters
    ----------
    room : int
        Bytes that are kept in memory at most.
    """

    def __init__(self, room: int = 64_000_000) -> None:
        self._room = room
        self._kept: dict[Path, tuple[Trajectory, dict[str, Any]]] = {}

    def __call__(self, file: Path) -> tuple[Trajectory, dict[str, Any]]:
        """Return a trajectory and the metadata of its file; neither is to be changed.

        Raises
        ------
        ValueError
            If the file is damaged.
        """
        if file in self._kept:
            return self._kept[file]
        found = read_with_metadata(file)
        trajectory = found[0]
        columns = (
            trajectory.k,
            trajectory.t,
            trajectory.theta,
            trajectory.loss,
            *trajectory.moments.values(),
        )
        size = sum(column.nbytes for column in columns)
        if size <= self._room:
            self._kept[file] = found
            self._room -= size
        return found


def gather(
    files: Iterable[str | Path], root: Path, shown: Sequence[str] = (), read: Read | None = None
) -> dict[str, Any]:
    """Return the data of the explorer, ready for JSON.

    Parameters
    ----------
    files : iterable of path
        Trajectory files: for each cell one discrete run and its solutions.
    root : path
        Folder of the page; links to files are relative to it.
    shown : sequence of str
        Names of paths in the order in which the figures show them: the first gets a solid line.
    read : callable, optional
        A :class:`Shelf` that has perhaps some of the files already.

    Raises
    ------
    ValueError
        If a file is damaged, a folder has no discrete run, or run and solution do not match.
    """
    read = Shelf() if read is None else read
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
    """Return the hyper-parameters in a cell's label, in words: ``β₁ = 0.9, β₂ = 0.99``."""
    words = []
    for part in label.split(",")[1:]:
        name, _, value = part.partition("~")
        words.append(f"{_LETTERS.get(name, name)} = {value.removesuffix('.0')}")
    return ", ".join(words) or "–"


def kept_rows(curves: Sequence[Array], peaks: Sequence[Array], most: int) -> Rows:
    """Choose rows of several long curves so that the drawn lines look the same.

    Parameters
    ----------
    curves : sequence of ndarray, shape (rows,)
        Least and greatest value of each in a number of equal stretches are kept.
    peaks : sequence of ndarray, shape (rows,)
        Of these the row of the greatest value is kept, too.
    most : int
        Number of rows aimed at.

    Returns
    -------
    ndarray of int
        Increasing; first and last row included.  All rows if they are at most ``most``.
    """
    rows = len(curves[0])
    if rows <= most:
        return np.arange(rows)
    edges = np.linspace(0, rows, max(most // (4 * len(curves)), 1) + 1).astype(np.int64)
    found = [np.geomspace(1, rows, most // 4).astype(np.int64) - 1, np.array([0, rows - 1])]
    for curve in curves:
        low = np.where(np.isfinite(curve), curve, np.inf)
        high = np.where(np.isfinite(curve), curve, -np.inf)
        found.append(np.array([a + int(np.argmin(low[a:b])) for a, b in pairwise(edges)]))
        found.append(np.array([a + int(np.argmax(high[a:b])) for a, b in pairwise(edges)]))
    found += [np.array([np.argmax(np.where(np.isfinite(y), y, -np.inf))]) for y in peaks]
    kept = np.unique(np.concatenate(found))
    even = np.linspace(0, rows - 1, max(most - len(kept), 2)).astype(np.int64)
    return np.union1d(kept, even)


def _spread(rows: int, count: int) -> Rows:
    """Choose rows: half of them evenly, half denser towards the start."""
    even = np.linspace(0, rows - 1, count // 2).astype(np.int64)
    return np.union1d(even, np.geomspace(1, rows, count // 2).astype(np.int64) - 1)


def rounded(values: Array) -> list[float | None]:
    """Return numbers rounded to 7 significant digits; None where one is not finite."""
    return [float(f"{x:.{DIGITS}g}") if math.isfinite(x) else None for x in values.tolist()]


def views(paths: Mapping[str, Trajectory]) -> dict[str, View]:
    """Return the quantities of one cell, by name; all paths are on the same iterations."""
    run = paths[DISCRETE]
    width = run.theta.shape[1]
    solutions = [name for name in paths if name != DISCRETE]
    found = {}
    moments = [name for name in run.moments if run.moments[name].shape[1] <= _MOMENTS]
    for name in ("theta", "loss", *moments):
        symbol = {"theta": "θ", "loss": "L(θ)"}.get(name, name)
        have = [path for path in paths if name in ("theta", "loss") or name in paths[path].moments]
        found[name] = View(
            symbol if run.quantity(name).shape[1] == 1 else f"‖{symbol}‖",
            {path: _length(paths[path].quantity(name)) for path in have},
            {path: distance(run, paths[path], name) for path in solutions if path in have},
        )
    for i in range(width if 1 < width <= _ALL_COORDINATES else min(width - 1, 1)):
        values = {path: trajectory.theta[:, i] for path, trajectory in paths.items()}
        with np.errstate(invalid="ignore", over="ignore"):
            errors = {path: np.abs(values[path] - values[DISCRETE]) for path in solutions}
        found[f"theta{i + 1}"] = View("θ" + str(i + 1).translate(_SUBSCRIPTS), values, errors)
    return found


def _cell(files: Sequence[Path], read: Read) -> ExplorerCell:
    (found,) = read_cells(files, read)
    members = {file.stem: file for file in files}
    specs = {name: solved.spec for name, solved in found.solutions.items()}
    return ExplorerCell({name: members[name] for name in found.paths}, found.setup, specs)


def _key(cell: ExplorerCell) -> str:
    of = cell.setup
    return json.dumps([of["objective"]["name"], of["optimizer"]["class"], of["alpha"], of["steps"]])


def _grids(cells: Sequence[ExplorerCell], most: int, read: Read) -> list[dict[str, Rows]]:
    """Choose the iterations of each cell: the same for all that share axes, unless they are too many."""
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
    """Return by quantity the iterations for one of ``members`` cells: those common to all, and its peaks."""
    k = paths[DISCRETE].k
    if len(k) <= most:
        return dict.fromkeys(views(paths), k)
    spread = k[_spread(len(k), most // 2)]
    found = {}
    for name, view in views(paths).items():
        curves, peaks = [*view.values.values(), *view.errors.values()], list(view.errors.values())
        found[name] = np.union1d(spread, k[kept_rows(curves, peaks, max(most // (2 * members), 40))])
    return found


def _read(cell: ExplorerCell, read: Read) -> dict[str, Trajectory]:
    """Return the paths of a cell, the discrete run first, on the iterations that all of them have."""
    (found,) = read_cells(cell.files.values(), read)
    k = common(found.run, *found.paths.values())
    return {name: path.rows(k) for name, path in found.paths.items()}


def _at(values: Array, k: Rows, wanted: Rows) -> Array:
    """Return values at some iterations, NaN at those that are not stored."""
    rows = np.minimum(np.searchsorted(k, wanted), len(k) - 1)
    return np.where(k[rows] == wanted, values[rows], np.nan)


def _cell_data(
    cell: ExplorerCell, grid: int, wanted: Mapping[str, Rows], root: Path, read: Read
) -> dict[str, Any]:
    of, paths = cell.setup, _read(cell, read)
    k = paths[DISCRETE].k
    label = cell.files[DISCRETE].parent.name
    colour, _ = style.look(of["optimizer"])
    return {
        "objective": of["objective"]["name"],
        "optimizer": of["optimizer"]["class"].rpartition(":")[2],
        "alpha": of["alpha"],
        "key": label.partition(",")[2],
        "configuration": configuration(label),
        "colour": colour,
        "steps": of["steps"],
        "grid": grid,
        "paths": {
            name: _path_data(cell.files[name], root, path.report, status(paths[DISCRETE], path))
            for name, path in paths.items()
        },
        "views": {
            name: {
                "symbol": view.symbol,
                "value": {path: rounded(_at(y, k, wanted[name])) for path, y in view.values.items()},
                "error": {path: rounded(_at(y, k, wanted[name])) for path, y in view.errors.items()},
            }
            for name, view in views(paths).items()
        },
    }


def _path_data(file: Path, root: Path, report: Report, ended: str) -> dict[str, Any]:
    return {
        "file": file.relative_to(root).as_posix(),
        "status": ended,
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
