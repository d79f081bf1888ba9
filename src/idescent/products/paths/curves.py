"""What is drawn: trajectories chosen for a figure, thinned to what the eye can tell apart.

What lives here: reading the files of a figure, choosing the rows of a panel, and thinning.  What does not:
the choice of cells (:mod:`.spec`) and matplotlib (:mod:`.draw`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.analysis.errors import IMPLAUSIBLE, distance, status
from idescent.drawing.drawable import Account, account, drawable
from idescent.products.paths.spec import FigureSpec, Panel, chosen
from idescent.store import DISCRETE
from idescent.store.cells import read_cells
from idescent.study import registry
from idescent.trajectory import REFUSED, Report, Trajectory

Array = NDArray[np.float64]

# A line is a few hundred pixels wide: more points than this cannot be seen, and make large files.
MOST_POINTS = 2000


@dataclass(frozen=True)
class PathSource:
    """One trajectory file: the cell it belongs to, and whether it is ``discrete`` or which solution."""

    cell: dict[str, Any]
    name: str
    trajectory: Trajectory


@dataclass(frozen=True)
class Curve:
    """One curve of a panel.

    Attributes
    ----------
    cell : dict
    name : str
        ``discrete`` or the name of a solution.
    k : ndarray, shape (rows,)
        Iterations with a finite value, up to the last one shown.
    y : ndarray, shape (rows,)
        The quantity; the Euclidean norm if it has several coordinates.
    vector : bool
        Whether it is such a norm.
    report : Report
        Its status is ``implausible`` where the solution is, beside its run.
    missing : int
        Values that are not finite although neither path nor run diverged, and the path is not refused.
    diverged : bool
        Whether the path, or the run that it is compared with, diverged.
    breaks : tuple of int
        Rows before which values are left out: no line leads there.
    """

    cell: dict[str, Any]
    name: str
    k: Array
    y: Array
    vector: bool
    report: Report
    missing: int = 0
    diverged: bool = False
    breaks: tuple[int, ...] = ()

    @property
    def implausible(self) -> bool:
        """Whether the scale of a panel is none of its values' concern."""
        return self.report.status == IMPLAUSIBLE

    @property
    def remark(self) -> str:
        """What the legend must say about this run; empty if it ended as it should."""
        if self.report.ok:
            return ""
        if self.implausible:
            return self.report.status
        if self.report.diverged_at is not None:
            return f"diverged at k = {self.report.diverged_at}"
        return self.report.status


def read_sources(files: Iterable[str | Path]) -> list[PathSource]:
    """Read trajectory files, runs and solutions alike.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    return [
        PathSource(cell.setup, name, path) for cell in read_cells(files) for name, path in cell.paths.items()
    ]


def panel_curves(spec: FigureSpec, panel: Panel, sources: Iterable[PathSource]) -> list[Curve]:
    """Return the curves of a panel: cell by cell in the order of ``select``, paths in the order of ``show``.

    Raises
    ------
    ValueError
        If a cell or one of its paths is not among the sources, or does not have the quantity.
    """
    curves = []
    for cell, run in _chosen_paths(spec, panel, sources):
        for name in spec.show:
            trajectory = run[name]
            y = _scalar(_quantity(trajectory, spec.quantity))
            curves.append(_curve(spec, panel, cell, name, judged(run.get(DISCRETE), trajectory), y))
    return curves


def error_curves(spec: FigureSpec, panel: Panel, sources: Iterable[PathSource]) -> list[Curve]:
    """Return ``|discrete - solution|`` for every cell and solution of a panel, in the same order.

    Raises
    ------
    ValueError
        As :func:`panel_curves`; or if run and solution have different iterations.
    """
    curves = []
    for cell, run in _chosen_paths(spec, panel, sources):
        for name in spec.solutions:
            trajectory = run[name]
            _quantity(trajectory, spec.quantity)
            y = distance(run[DISCRETE], trajectory, spec.quantity)
            of = judged(run[DISCRETE], trajectory)
            curves.append(_curve(spec, panel, cell, name, of, y, run[DISCRETE].report))
    return curves


def judged(run: Trajectory | None, path: Trajectory) -> Trajectory:
    """Return a path whose status is that beside its run, if the run is known."""
    return path if run is None else replace(path, report=replace(path.report, status=status(run, path)))


def curve(
    cell: dict[str, Any],
    name: str,
    k: NDArray[np.int64],
    y: Array,
    report: Report,
    *,
    vector: bool,
    run: Report | None = None,
) -> Curve:
    """Return the curve of a path's finite values; ``run`` is that of the run that it is compared with."""
    finite = np.isfinite(y)
    diverged = any(of is not None and of.diverged_at is not None for of in (report, run))
    missing = 0 if diverged or report.status == REFUSED else int((~finite).sum())
    return Curve(cell, name, k[finite].astype(np.float64), y[finite], vector, report, missing, diverged)


def drawn_part(
    curves: Sequence[Curve], *, x_log: bool, y_log: bool, noun: str = "value", told: Collection[str] = ()
) -> tuple[list[Curve], Account]:
    """Return curves without the values that their axes cannot hold, and the account of those.

    Parameters
    ----------
    curves : sequence of Curve
        Of one panel.
    x_log, y_log : bool
        Whether the axes are logarithmic; on one of iterations the start has no place.
    noun : str
        What the values are.
    told : collection of str
        Reasons that the figure's caption gives: not told in the panel unless it is empty.
    """
    parts = []
    for of in curves:
        across = of.k > 0.0 if x_log else np.ones(len(of.k), dtype=bool)
        kept = across & drawable(of.y, log=y_log)
        rows = np.flatnonzero(kept)
        breaks = tuple(int(i) + 1 for i in np.flatnonzero(np.diff(rows) > 1))
        parts.append((of.y[across], replace(of, k=of.k[kept], y=of.y[kept], breaks=breaks)))
    found = account(
        [y for y, _ in parts],
        log=y_log,
        noun=noun,
        missing=sum(of.missing for of in curves),
        diverged=bool(curves) and all(of.diverged for of in curves),
        told=told,
    )
    return [of for _, of in parts], found


def minimiser(objective: Mapping[str, Any]) -> float | None:
    """Return the least point of an objective that declares a single number as ``minimum`` or ``center``."""
    built = registry.objective(objective)
    values = np.unique(np.asarray(getattr(built, "minimum", getattr(built, "center", ())), dtype=np.float64))
    return float(values[0]) if values.size == 1 else None


def thinned(y: Array, most: int = MOST_POINTS) -> NDArray[np.int64]:
    """Choose rows of a long curve so that the drawn line looks the same.

    Logarithmically spaced rows for a steep start, and the least and greatest value of each of a number of
    equal stretches: no peak and no oscillation is lost.

    Parameters
    ----------
    y : ndarray, shape (rows,)
    most : int, >= 16
        Number of rows that are kept at most.

    Returns
    -------
    ndarray of int, shape (at most ``most``,)
        Increasing; first and last row included.
    """
    rows = len(y)
    if rows <= most:
        return np.arange(rows)
    quarter = most // 4
    start = np.geomspace(1, rows, quarter).astype(np.int64) - 1
    edges = np.linspace(0, rows, most // 4 + quarter // 2 + 1).astype(np.int64)
    low = [a + int(np.argmin(y[a:b])) for a, b in pairwise(edges)]
    high = [a + int(np.argmax(y[a:b])) for a, b in pairwise(edges)]
    kept: NDArray[np.int64] = np.unique(np.concatenate([start, low, high, [0, rows - 1]]))
    return kept


def spaced(x: Array, y: Array, count: int, shift: float = 0.0) -> NDArray[np.int64]:
    """Choose rows for markers: evenly along the drawn curve, so that steep parts get their share.

    Parameters
    ----------
    x, y : ndarray, shape (rows,)
        In any units; both are scaled to their range.
    count : int
        Number of markers, about.
    shift : float in [0, 1)
        Moves the inner markers by a fraction of their distance, so that those of several curves do not
        pile up.

    Returns
    -------
    ndarray of int
        Increasing; first and last row included.
    """
    if len(x) <= 2:
        return np.arange(len(x))
    width, height = (float(np.ptp(v)) or 1.0 for v in (x, y))
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x) / width, np.diff(y) / height))])
    inner = (np.arange(count - 1) + 0.5 + shift) / count * length[-1]
    nearest = np.searchsorted(length, inner[inner < length[-1]])
    kept: NDArray[np.int64] = np.unique(np.concatenate([[0], nearest, [len(x) - 1]]))
    return kept


def evenly(x: Array, count: int, shift: float) -> list[int]:
    """Choose rows for a few markers: evenly across, each in its part by a fraction ``shift`` in [0, 1)."""
    if not len(x):
        return []
    wanted = x[0] + (x[-1] - x[0]) * (np.arange(count) + shift) / count
    return sorted({min(int(row), len(x) - 1) for row in np.searchsorted(x, wanted)})


def _chosen_paths(
    spec: FigureSpec, panel: Panel, sources: Iterable[PathSource]
) -> list[tuple[dict[str, Any], dict[str, Trajectory]]]:
    cells: dict[str, dict[str, Any]] = {}
    paths: dict[str, dict[str, Trajectory]] = {}
    for source in sources:
        key = json.dumps(source.cell, sort_keys=True)
        cells[key] = source.cell
        paths.setdefault(key, {})[source.name] = source.trajectory
    selected = []
    for cell in chosen(spec, panel, cells.values()):
        found = paths[json.dumps(cell, sort_keys=True)]
        if missing := [name for name in spec.show if name not in found]:
            raise ValueError(
                f"show: {missing[0]!r} of {cell['optimizer']} alpha {cell['alpha']} is not given"
            )
        selected.append((dict(cell), found))
    return selected


def _quantity(trajectory: Trajectory, name: str) -> Array:
    known = ("theta", "loss", *trajectory.moments)
    if name not in known:
        raise ValueError(f"quantity: {name!r} is not allowed: the trajectory has {', '.join(known)}")
    return trajectory.quantity(name)


def _scalar(values: Array) -> Array:
    return values[:, 0] if values.shape[1] == 1 else np.asarray(np.linalg.norm(values, axis=1))


def _curve(
    spec: FigureSpec,
    panel: Panel,
    cell: dict[str, Any],
    name: str,
    trajectory: Trajectory,
    y: Array,
    run: Report | None = None,
) -> Curve:
    within = np.ones(len(y), dtype=bool) if panel.k_max is None else trajectory.k <= panel.k_max
    vector = _quantity(trajectory, spec.quantity).shape[1] > 1
    return curve(cell, name, trajectory.k[within], y[within], trajectory.report, vector=vector, run=run)
