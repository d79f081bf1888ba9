"""Read the trajectories of a figure, and reduce them to curves with few points.

What lives here: reading files, curves of paths and of errors, and thinning.  What does not: the selection of
cells (:mod:`.spec`) and matplotlib (:mod:`.lines`).
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
from idescent.drawing.markup import status_text
from idescent.products.paths.spec import FigureSpec, Panel, chosen
from idescent.store import DISCRETE
from idescent.store.cells import read_cells
from idescent.study import registry
from idescent.trajectory import REFUSED, Report, Trajectory

Array = NDArray[np.float64]

# A panel is a few hundred pixels wide: more points than this are invisible and increase the file size.
MOST_POINTS = 2000


@dataclass(frozen=True)
class PathSource:
    """One trajectory, with its cell and its name: ``discrete`` or the name of a solution."""

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
        Iterations with a finite value, up to the panel's last iteration.
    y : ndarray, shape (rows,)
        Values of the quantity; Euclidean norms if it has several coordinates.
    vector : bool
        Whether the values are such norms.
    report : Report
        The path's report, with the status ``implausible`` if the path is, compared with its run.
    missing : int
        Number of values that are not finite; 0 if path or run diverged or the path is refused, because the
        remark explains these.
    diverged : bool
        Whether the path, or the run of its error, diverged.
    breaks : tuple of int
        Rows that follow undrawn values: the line is interrupted before them.
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
        """Whether the path is implausible: a panel's scale then ignores its values."""
        return self.report.status == IMPLAUSIBLE

    @property
    def remark(self) -> str:
        """The note about a failed path; empty for a completed or converged path."""
        if self.report.ok:
            return ""
        if self.report.diverged_at is not None and not self.implausible:
            return f"diverged at k = {self.report.diverged_at}"
        text = status_text(self.report.status, narrow=True)
        return "did not converge" if text == "not converged" else text


def read_sources(files: Iterable[str | Path]) -> list[PathSource]:
    """Read the trajectory files of discrete runs and solutions.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    return [
        PathSource(cell.setup, name, path) for cell in read_cells(files) for name, path in cell.paths.items()
    ]


def panel_curves(spec: FigureSpec, panel: Panel, sources: Iterable[PathSource]) -> list[Curve]:
    """Return the curves of a panel: cells in the order of ``select``, their paths in the order of ``show``.

    A solution may exist for some of the cells only.

    Raises
    ------
    ValueError
        If the sources lack a cell, or a path of all cells, or a path lacks the quantity.
    """
    curves = []
    for cell, run in _chosen_paths(spec, panel, sources):
        for name in filter(run.__contains__, spec.show):
            trajectory = run[name]
            y = _scalar(_quantity(trajectory, spec.quantity))
            curves.append(_curve(spec, panel, cell, name, judged(run.get(DISCRETE), trajectory), y))
    return curves


def error_curves(spec: FigureSpec, panel: Panel, sources: Iterable[PathSource]) -> list[Curve]:
    """Return the curves of ``|discrete - solution|`` in a panel, in the order of :func:`panel_curves`.

    Raises
    ------
    ValueError
        As :func:`panel_curves`, and if run and solution end at different iterations.
    """
    curves = []
    for cell, run in _chosen_paths(spec, panel, sources):
        for name in filter(run.__contains__, spec.solutions):
            trajectory = run[name]
            _quantity(trajectory, spec.quantity)
            y = distance(run[DISCRETE], trajectory, spec.quantity)
            path = judged(run[DISCRETE], trajectory)
            curves.append(_curve(spec, panel, cell, name, path, y, run[DISCRETE].report))
    return curves


def judged(run: Trajectory | None, path: Trajectory) -> Trajectory:
    """Return a path with the status that follows from its distance to the run; unchanged without a run."""
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
    """Return the curve of a path's finite values; ``run`` is the report of the run in a curve of errors."""
    finite = np.isfinite(y)
    diverged = any(one is not None and one.diverged_at is not None for one in (report, run))
    missing = 0 if diverged or report.status == REFUSED else int((~finite).sum())
    return Curve(cell, name, k[finite].astype(np.float64), y[finite], vector, report, missing, diverged)


def drawn_part(
    curves: Sequence[Curve], *, x_log: bool, y_log: bool, noun: str = "value", told: Collection[str] = ()
) -> tuple[list[Curve], Account]:
    """Remove the values that the axes cannot represent; return the curves and the account of the values.

    Parameters
    ----------
    curves : sequence of Curve
        The curves of one panel.
    x_log, y_log : bool
        Whether the axes are logarithmic; a logarithmic x axis cannot represent k = 0.
    noun : str
        Noun for the values, such as ``error``.
    told : collection of str
        Reasons that the figure's caption explains: only an empty panel repeats them.
    """
    values, drawn = [], []
    for one in curves:
        inside = one.k > 0.0 if x_log else np.ones(len(one.k), dtype=bool)
        kept = inside & drawable(one.y, log=y_log)
        rows = np.flatnonzero(kept)
        breaks = tuple(int(i) + 1 for i in np.flatnonzero(np.diff(rows) > 1))
        values.append(one.y[inside])
        drawn.append(replace(one, k=one.k[kept], y=one.y[kept], breaks=breaks))
    counts = account(
        values,
        log=y_log,
        noun=noun,
        missing=sum(one.missing for one in curves),
        diverged=bool(curves) and all(one.diverged for one in curves),
        told=told,
    )
    return drawn, counts


def minimiser(objective: Mapping[str, Any]) -> float | None:
    """Return the minimiser of an objective that declares one number as ``minimum`` or ``center``, or None."""
    built = registry.objective(objective)
    values = np.unique(np.asarray(getattr(built, "minimum", getattr(built, "center", ())), dtype=np.float64))
    return float(values[0]) if values.size == 1 else None


def thinned(y: Array, most: int = MOST_POINTS) -> NDArray[np.int64]:
    """Select rows of a long curve such that the drawn line looks the same.

    The rows are spaced logarithmically, for a steep start, and include the minimum and the maximum of each of
    many equal intervals, so that every peak and every oscillation remains.

    Parameters
    ----------
    y : ndarray, shape (rows,)
    most : int, >= 16
        Largest number of selected rows.

    Returns
    -------
    ndarray of int, shape (at most ``most``,)
        Increasing; includes the first and the last row.
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
    """Select rows for markers at equal distances along the drawn curve, so that steep parts have markers too.

    Parameters
    ----------
    x, y : ndarray, shape (rows,)
        In any units; the arc length is computed with both scaled to their range.
    count : int
        Approximate number of markers.
    shift : float in [0, 1)
        Displacement of the inner markers, as a fraction of their distance: different shifts prevent that
        the markers of several curves coincide.

    Returns
    -------
    ndarray of int
        Increasing; includes the first and the last row.
    """
    if len(x) <= 2:
        return np.arange(len(x))
    width, height = (float(np.ptp(v)) or 1.0 for v in (x, y))
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x) / width, np.diff(y) / height))])
    inner = (np.arange(count - 1) + 0.5 + shift) / count * length[-1]
    nearest = np.searchsorted(length, inner[inner < length[-1]])
    kept: NDArray[np.int64] = np.unique(np.concatenate([[0], nearest, [len(x) - 1]]))
    return kept


def first_measured(y: Array, floor: float) -> int:
    """Return the first row of a curve of errors that is at least ``floor``; 0 if there is none.

    A model that starts from the optimizer's own first iterations copies these: their errors are rounding.
    """
    return int(np.argmax(y >= floor)) if (y >= floor).any() else 0


def evenly(x: Array, count: int, shift: float) -> list[int]:
    """Select one row in each of ``count`` equal intervals of x, at the fraction ``shift`` in [0, 1) of it."""
    if not len(x):
        return []
    places = x[0] + (x[-1] - x[0]) * (np.arange(count) + shift) / count
    return sorted({min(int(row), len(x) - 1) for row in np.searchsorted(x, places)})


def _chosen_paths(
    spec: FigureSpec, panel: Panel, sources: Iterable[PathSource]
) -> list[tuple[dict[str, Any], dict[str, Trajectory]]]:
    cells: dict[str, dict[str, Any]] = {}
    paths: dict[str, dict[str, Trajectory]] = {}
    for source in sources:
        key = json.dumps(source.cell, sort_keys=True)
        cells[key] = source.cell
        paths.setdefault(key, {})[source.name] = source.trajectory
    selected = [
        (dict(cell), paths[json.dumps(cell, sort_keys=True)]) for cell in chosen(spec, panel, cells.values())
    ]
    for name in spec.show:
        lacking = [cell for cell, of_cell in selected if name not in of_cell]
        if lacking and (name == DISCRETE or len(lacking) == len(selected)):
            cell = lacking[0]
            raise ValueError(
                f"show: no file contains {name!r} of {cell['optimizer']} with alpha {cell['alpha']}"
            )
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
