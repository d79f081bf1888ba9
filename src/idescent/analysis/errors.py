"""How far a continuous path is from the discrete run it models.

What lives here: pointwise errors, their norms over the iterations, and the tidy table of a set of
trajectory files.  What does not: drawing, and tables for people (:mod:`idescent.tables`).  Comparing
needs numpy only; the table is pyarrow's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import shown
from idescent.store.columns import nullable
from idescent.trajectory import REFUSED, Trajectory, read_with_metadata, reversals

Array = NDArray[np.float64]

NORMS = ("sup", "rms", "final")
HYPERPARAMETERS = ("beta", "beta1", "beta2", "weight_decay")

IMPLAUSIBLE = "implausible"
MEANINGLESS = (IMPLAUSIBLE, REFUSED)
"""Statuses of solutions whose errors say nothing: they enter no fit, no scale and no comparison."""

# What is not known where a solution is refused.
_NUMBERS = ("error", "relative", "at", "compared")
_COST = ("error_estimate", "gradient_evaluations", "sweeps")

# How many times farther from the start than the run a solution may be, to be one of it.
_FARTHEST = 10.0


@dataclass(frozen=True)
class Comparison:
    r"""Errors of a path against a discrete run, each a dict by quantity (``theta``, ``loss``, the moments).

    With :math:`e_k` the Euclidean norm over coordinates of the difference at iteration k, and K the last
    iteration compared,

    .. math:: \text{sup} = \max_k e_k, \qquad \text{rms} = \Big(\frac{1}{K+1}\sum_k e_k^2\Big)^{1/2}, \qquad
              \text{final} = e_K.

    Attributes
    ----------
    sup, rms, final : dict of str to float
        Absolute errors; NaN if no row could be compared.
    relative_sup, relative_rms, relative_final : dict of str to float
        The same, divided by the same norm of the discrete run; NaN where that norm is 0.
    at : dict of str to int
        First iteration where ``sup`` is attained; absent if no row could be compared.
    compared : int
        Last iteration compared; -1 if there is none.
    complete : bool
        Whether every iteration was compared: both paths are finite throughout.
    """

    sup: dict[str, float]
    rms: dict[str, float]
    final: dict[str, float]
    relative_sup: dict[str, float]
    relative_rms: dict[str, float]
    relative_final: dict[str, float]
    at: dict[str, int]
    compared: int
    complete: bool

    def error(self, norm: str, quantity: str) -> float:
        """Return the absolute error in ``norm`` (sup, rms or final)."""
        return {"sup": self.sup, "rms": self.rms, "final": self.final}[norm][quantity]

    def relative(self, norm: str, quantity: str) -> float:
        """Return the relative error in ``norm`` (sup, rms or final)."""
        chosen = {"sup": self.relative_sup, "rms": self.relative_rms, "final": self.relative_final}
        return chosen[norm][quantity]


def compare(run: Trajectory, path: Trajectory, exact: Trajectory | None = None) -> Comparison:
    """Measure the distance of a path from a discrete run, or from an exact solution, over k = 0 ... steps.

    Parameters
    ----------
    run : Trajectory
        The discrete reference; relative errors are relative to it.
    path : Trajectory
        What is compared with it, on the iterations that all of them have.
    exact : Trajectory, optional
        If given, the path is compared with this instead; relative errors stay relative to the run.

    Returns
    -------
    Comparison
        Of ``theta``, ``loss`` and every moment that both have.  If either diverged, of the rows before
        the first one in which any of these is not finite; ``complete`` is then False and ``compared`` says
        how far it went.

    Raises
    ------
    ValueError
        If the two do not have the same last iteration or the same number of coordinates.
    """
    for name, value in (("run", run), ("path", path), ("exact", exact)):
        if not (isinstance(value, Trajectory) or (name == "exact" and value is None)):
            raise ValueError(f"{name}: {shown(value)} is not allowed: must be a Trajectory")
    k = common(run, path, *(() if exact is None else (exact,)))
    run, path = run.rows(k), path.rows(k)
    origin = run if exact is None else exact.rows(k)
    pointwise = {name: distance(origin, path, name) for name in quantities(origin, path)}
    finite = np.logical_and.reduce([np.isfinite(error) for error in pointwise.values()])
    rows = len(finite) if finite.all() else int(np.argmin(finite))
    absolute = {name: _norms(error[:rows]) for name, error in pointwise.items()}
    scale = {name: _norms(_length(run.quantity(name)[:rows])) for name in pointwise}
    relative = {
        name: tuple(e / s if s > 0.0 else math.nan for e, s in zip(absolute[name], scale[name], strict=True))
        for name in pointwise
    }
    at = {name: int(run.k[int(np.argmax(error[:rows]))]) for name, error in pointwise.items() if rows}
    return Comparison(
        **{norm: {name: values[i] for name, values in absolute.items()} for i, norm in enumerate(NORMS)},
        **{f"relative_{norm}": {q: v[i] for q, v in relative.items()} for i, norm in enumerate(NORMS)},
        at=at,
        compared=int(run.k[rows - 1]) if rows else -1,
        complete=rows == len(finite),
    )


def common(*trajectories: Trajectory) -> NDArray[np.int64]:
    """Return the iterations that all trajectories store.

    Raises
    ------
    ValueError
        If they do not end at the same iteration.
    """
    first = trajectories[0]
    for other in trajectories[1:]:
        if other.steps != first.steps:
            raise ValueError(
                f"compare: the run has iterations {_span(first)} and the path {_span(other)}: "
                "they must end at the same one"
            )
    return reduce(_intersection, [trajectory.k for trajectory in trajectories])


def _intersection(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    # Both increase, and most often they are the same: long runs are compared many times.
    return left if np.array_equal(left, right) else np.intersect1d(left, right, assume_unique=True)


def quantities(run: Trajectory, path: Trajectory) -> tuple[str, ...]:
    """Name what both trajectories have: ``theta``, ``loss``, then the run's moments in their order."""
    return ("theta", "loss", *(name for name in run.moments if name in path.moments))


def distance(run: Trajectory, path: Trajectory, quantity: str) -> Array:
    """Return the pointwise error of one quantity: the Euclidean norm over coordinates.

    Returns
    -------
    ndarray, shape (r,)
        On the r iterations that both have.

    Raises
    ------
    ValueError
        If the two do not have the same last iteration or the same number of coordinates.
    """
    k = common(run, path)
    left, right = run.rows(k).quantity(quantity), path.rows(k).quantity(quantity)
    if left.shape != right.shape:
        raise ValueError(
            f"compare: {quantity} has {left.shape[1]} coordinates in the run "
            f"and {right.shape[1]} in the path: must be equal"
        )
    # Infinity minus infinity in diverged rows is the NaN that marks them.
    with np.errstate(invalid="ignore", over="ignore"):
        return _length(left - right)


def plausible(run: Trajectory, path: Trajectory) -> bool:
    r"""Return whether a solution stays where one of this run can be.

    It leaves the start by no more than ten times the largest excursion of the run itself,

    .. math:: \max_k \|\tilde\theta_k - \theta_0\|_2
              \le \max\bigl(10\,\max_k \|\theta_k - \theta_0\|_2,\;
              \text{atol} + \text{rtol}\,\|\theta_0\|_2,\; \tau\bigr),

    over the finite rows of each, with :math:`\tau` the tolerance at which Algorithm 4 ends its sweeps.  The
    solution's own tolerance stands for the excursion of a run that stays where it is, as at a minimum:
    rounding is not implausible.  Beside a run that was not completed, of a
    solution that diverged and of another run, nothing is decided: the answer is True.
    """
    return not _far(run, path)


def status(run: Trajectory, path: Trajectory) -> str:
    """Return how a solution ended, as judged beside its run: ``implausible``, or what it says of itself."""
    return path.report.status if plausible(run, path) else IMPLAUSIBLE


def _far(run: Trajectory, path: Trajectory) -> str:
    """Say how far a solution is from the start that is not plausible; nothing of one that is."""
    if not run.report.ok or path.report.status in ("completed", "diverged", REFUSED):
        return ""
    start = run.theta[:1]
    own, there = _excursion(run, start), _excursion(path, start)
    said = path.report
    # Algorithm 4 ends its sweeps at a tolerance of its own.
    tolerances = (said.atol + said.rtol * float(_length(start)[0]), said.details.get("tolerance") or 0.0)
    if there <= max(_FARTHEST * own, *(value for value in tolerances if not math.isnan(value))):
        return ""
    return f"{there:.3g} from the start, where the run is at most {own:.3g} from it"


def _excursion(path: Trajectory, start: Array) -> float:
    known = np.isfinite(path.theta).all(axis=1)
    with np.errstate(over="ignore"):  # infinitely far, then
        return float(_length(path.theta[known] - start).max(initial=0.0))


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
    folders: dict[Path, list[Path]] = {}
    for file in map(Path, files):
        folders.setdefault(file.parent, []).append(file)
    rows = [row for folder, members in folders.items() for row in _cell_rows(folder, members)]
    return as_table(rows)


def hyperparameters(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the hyper-parameters that a row of errors has, by name."""
    return {name: row[name] for name in HYPERPARAMETERS if row[name] is not None}


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


def _cell_rows(folder: Path, files: list[Path]) -> list[dict[str, Any]]:
    runs: list[tuple[dict[str, Any], Trajectory]] = []
    paths: dict[str, tuple[dict[str, Any], Mapping[str, Any], Trajectory]] = {}
    for file in files:
        trajectory, metadata = read_with_metadata(file)
        cell = metadata["cell"]
        solution = cell.pop("solution", None)
        if solution is None:
            runs.append((cell, trajectory))
        else:
            paths[solution["name"]] = cell, solution, trajectory
    if len(runs) != 1:
        raise ValueError(f"{folder}: {len(runs)} discrete runs among the files given: must be exactly one")
    cell, run = runs[0]
    turns = reversals(run)
    rows = []
    for name, (other, solution, path) in paths.items():
        if other != cell:
            raise ValueError(
                f"{folder}: {name} is of another cell than the discrete run beside it; delete and rerun"
            )
        arguments = cell["optimizer"].get("arguments", {})
        fixed = {
            "objective": cell["objective"]["name"],
            "optimizer": cell["optimizer"]["class"],
            "label": folder.name,
            "alpha": float(cell["alpha"]),
            **{key: arguments.get(key) for key in HYPERPARAMETERS},
            "steps": run.steps,
            "solution": name,
            "reversals": turns,
        }
        reference = solution.get("reference")
        total, own = compare(run, path), _ended(run, path)
        kinds = {"total": (total, own)}
        if reference is None:
            kinds["model"] = kinds["total"]
        elif reference in paths:
            exact = paths[reference][2]
            basis = _ended(run, exact)
            odd = [one for one in (basis, own) if one["status"] in MEANINGLESS]
            kinds |= {
                "model": (compare(run, exact), basis if odd else own),
                "solver": (compare(run, path, exact), odd[0] if odd else own),
            }
        else:
            raise ValueError(
                f"{folder}: {name} is measured against {reference}, which is not among the files"
            )
        for kind, (comparison, ended) in kinds.items():
            for row in _comparison_rows(comparison, run, path):
                unknown = (
                    *(_NUMBERS if ended["status"] == REFUSED else ()),
                    *(_COST if path.report.status == REFUSED else ()),
                )
                rows.append(fixed | {"kind": kind} | row | dict.fromkeys(unknown) | ended)
    return rows


def _ended(run: Trajectory, path: Trajectory) -> dict[str, Any]:
    far = _far(run, path)
    reason = far or (path.report.message if path.report.status == REFUSED else None)
    return {"status": IMPLAUSIBLE if far else path.report.status, "reason": reason}


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


def _length(values: Array) -> Array:
    # One coordinate is the common case, and its root of a square would underflow below 1e-154.
    return np.abs(values[:, 0]) if values.shape[1] == 1 else np.asarray(np.linalg.norm(values, axis=1))


def _norms(values: Array) -> tuple[float, float, float]:
    """Return sup, root mean square and last value."""
    if not len(values):
        return math.nan, math.nan, math.nan
    sup = float(values.max())
    # Scaled by the largest value: the squares of errors near the smallest float would vanish.
    rms = sup * math.sqrt(float(np.mean((values / sup) ** 2))) if sup > 0.0 else 0.0
    return sup, rms, float(values[-1])


def _span(trajectory: Trajectory) -> str:
    return f"{trajectory.k[0]} ... {trajectory.k[-1]} ({len(trajectory.k)} rows)"


def _known(value: Any) -> Any:
    return None if value != value else value
