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
from idescent.products.report.content import compressed
from idescent.store import DISCRETE
from idescent.store.cells import Read, by_cell, read_cells
from idescent.store.trajectories import read_with_metadata
from idescent.study import registry
from idescent.trajectory import Report, Trajectory, ended_well

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

# Rows of a curve, bounded by the width of a screen; numbers in the whole page, about 3 MB in compressed form.
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
    """A cell of the explorer: its files, their metadata, and its curves instead of the trajectories.

    Attributes
    ----------
    files : dict of str to Path
        By path: ``discrete`` and the solutions.
    setup : dict
        As in :class:`idescent.store.cells.CellResults`.
    solutions : dict of str to dict
        Settings of each solution: name, model, solver, tolerances.
    k : ndarray of int, shape (rows,)
        The iterations that all paths store.
    ends : dict of str to (Report, str)
        Report and status of each path, the discrete run first.
    views : dict of str to View
        By quantity.
    """

    files: dict[str, Path]
    setup: dict[str, Any]
    solutions: dict[str, dict[str, Any]]
    k: Rows
    ends: dict[str, tuple[Report, str]]
    views: dict[str, View]


class Reader:
    """Reader of trajectories that keeps the metadata of all files.

    Attributes
    ----------
    metadata : dict
        Metadata of each file that was read (:func:`idescent.store.trajectories.read_with_metadata`).
    """

    def __init__(self) -> None:
        self.metadata: dict[Path, dict[str, Any]] = {}

    def __call__(self, file: Path) -> tuple[Trajectory, dict[str, Any]]:
        """Return a trajectory and the metadata of its file; callers must not change them.

        Raises
        ------
        ValueError
            If the file is damaged.
        """
        trajectory, self.metadata[file] = read_with_metadata(file)
        return trajectory, self.metadata[file]


def gather(
    files: Iterable[str | Path], root: Path, shown: Sequence[str] = (), read: Read = read_with_metadata
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the data of the explorer: its plots as a value that JSON can store, and compressed blocks.

    Parameters
    ----------
    files : iterable of path
        Trajectory files: for each cell, one discrete run and its solutions.
    root : path
        Folder of the page; links to files are relative to it.
    shown : sequence of str
        Names of paths in the order of the figures; the first gets a solid line.
    read : callable, optional
        Function that reads one file; it is called once for each file.

    Returns
    -------
    index : dict
        ``plots``: objective, optimizer, learning rate and ``block`` of each plot; ``paths``: look of each
        path.
    blocks : dict of str to str
        By name, compressed (:func:`idescent.products.report.content.compressed`): the ``cells`` of a plot and
        their ``grids`` of iterations.

    Raises
    ------
    ValueError
        If a file is damaged, a folder has no discrete run, or a run and a solution do not match.
    """
    members = by_cell(files)
    curves = sum(8 * len(cell_files) for cell_files in members)
    most = int(np.clip(MOST_NUMBERS // max(curves, 1), LEAST_ROWS, MOST_ROWS))
    names = list(dict.fromkeys(file.stem for cell_files in members for file in cell_files))
    specs: dict[str, dict[str, Any]] = {}
    groups: dict[tuple[str, ...], list[list[Path]]] = {}
    for cell_files in members:
        groups.setdefault(_plot(cell_files[0].parent), []).append(cell_files)
    plots: list[dict[str, Any]] = []
    blocks: dict[str, str] = {}
    for group in groups.values():
        # One plot at a time, and of each cell its curves only: the trajectories may not fit into the memory.
        cells = [_cell(cell_files, read) for cell_files in group]
        for cell in cells:
            specs = cell.solutions | specs
        block = f"plot-{len(blocks)}"
        blocks[block] = compressed(_plot_data(cells, most, root))
        first = _cell_names(cells[0])
        plots.append({name: first[name] for name in ("objective", "optimizer", "alpha")} | {"block": block})
    order = [name for name in dict.fromkeys((*shown, *names)) if name in names and name != DISCRETE]
    index = {
        "rows": most,
        "digits": DIGITS,
        "paths": {DISCRETE: {"label": "discrete run"}}
        | {name: _path_look(name, i, specs[name]) for i, name in enumerate(order)},
        "plots": plots,
    }
    return index, blocks


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
        # A copy: a column of an array would keep all coordinates in memory.
        values = {path: np.ascontiguousarray(trajectory.theta[:, i]) for path, trajectory in paths.items()}
        with np.errstate(invalid="ignore", over="ignore"):
            errors = {path: np.abs(values[path] - values[DISCRETE]) for path in solutions}
        quantities[f"theta{i + 1}"] = View("θ" + str(i + 1).translate(_SUBSCRIPTS), values, errors)
    return quantities


def _plot(folder: Path) -> tuple[str, ...]:
    """Return objective, optimizer and learning rate of a cell, as its folder names them."""
    return folder.parts[-3], folder.parts[-2], folder.name.partition(",")[0]


def _cell(files: Sequence[Path], read: Read) -> ExplorerCell:
    (results,) = read_cells(files, read)
    by_name = {file.stem: file for file in files}
    k = common(results.run, *results.paths.values())
    paths = {name: path.rows(k) for name, path in results.paths.items()}
    return ExplorerCell(
        {name: by_name[name] for name in paths},
        results.setup,
        {name: solved.spec for name, solved in results.solutions.items()},
        k,
        {name: (path.report, status(paths[DISCRETE], path)) for name, path in paths.items()},
        views(paths),
    )


def _grids(cells: Sequence[ExplorerCell], most: int) -> list[dict[str, Rows]]:
    """Choose the iterations of the cells of a plot: equal for equal horizons, unless that gives too many."""
    groups: dict[int, list[int]] = {}
    for i, cell in enumerate(cells):
        groups.setdefault(cell.setup["steps"], []).append(i)
    grids: list[dict[str, Rows]] = [{} for _ in cells]
    for members in groups.values():
        for i in members:
            grids[i] = _own_rows(cells[i], most, len(members))
        for name in dict.fromkeys(name for i in members for name in grids[i]):
            shared = np.unique(np.concatenate([grids[i][name] for i in members if name in grids[i]]))
            if len(shared) <= max(most + most // 4, len(grids[members[0]][name])):
                for i in members:
                    grids[i][name] = shared
    return grids


def _own_rows(cell: ExplorerCell, most: int, members: int) -> dict[str, Rows]:
    """Choose the iterations of one of ``members`` cells in a plot, by quantity: common ones and its peaks."""
    k = cell.k
    if len(k) <= most:
        return dict.fromkeys(cell.views, k)
    spread = k[_spread(len(k), most // 2)]
    chosen = {}
    for name, view in cell.views.items():
        curves, peaks = [*view.values.values(), *view.errors.values()], list(view.errors.values())
        chosen[name] = np.union1d(spread, k[kept_rows(curves, peaks, max(most // (2 * members), 40))])
    return chosen


def _at(values: Array, k: Rows, iterations: Rows) -> Array:
    """Select the values at some iterations; NaN where an iteration is not stored."""
    rows = np.minimum(np.searchsorted(k, iterations), len(k) - 1)
    return np.where(k[rows] == iterations, values[rows], np.nan)


def _plot_data(cells: Sequence[ExplorerCell], most: int, root: Path) -> dict[str, Any]:
    grids = _grids(cells, most)
    texts = [json.dumps({name: rows.tolist() for name, rows in grid.items()}) for grid in grids]
    unique = list(dict.fromkeys(texts))
    return {
        "grids": [json.loads(grid) for grid in unique],
        "cells": [
            _cell_data(cell, unique.index(text), grid, root)
            for cell, text, grid in zip(cells, texts, grids, strict=True)
        ],
    }


def _cell_names(cell: ExplorerCell) -> dict[str, Any]:
    setup, label = cell.setup, cell.files[DISCRETE].parent.name
    colour, _ = style.look(setup["optimizer"])
    return {
        "objective": setup["objective"]["name"],
        "optimizer": setup["optimizer"]["class"].rpartition(":")[2],
        "alpha": setup["alpha"],
        "key": label.partition(",")[2],
        "configuration": configuration(label),
        "colour": colour,
    }


def _cell_data(cell: ExplorerCell, grid: int, iterations: Mapping[str, Rows], root: Path) -> dict[str, Any]:
    k = cell.k
    return _cell_names(cell) | {
        "steps": cell.setup["steps"],
        "grid": grid,
        "paths": {
            name: _path_data(cell.files[name], root, report, ended)
            for name, (report, ended) in cell.ends.items()
        },
        "views": {
            name: {
                "symbol": view.symbol,
                "value": {path: rounded(_at(y, k, iterations[name])) for path, y in view.values.items()},
                "error": {path: rounded(_at(y, k, iterations[name])) for path, y in view.errors.items()},
            }
            for name, view in cell.views.items()
        },
    }


def _path_data(file: Path, root: Path, report: Report, ended: str) -> dict[str, Any]:
    return {
        "file": file.relative_to(root).as_posix(),
        "status": status_text(ended),
        "ok": ended_well(ended),
        "message": report.message,
    }


def _path_look(name: str, position: int, spec: Mapping[str, Any]) -> dict[str, Any]:
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
