"""Errors of a continuous path against the discrete run that it models.

What lives here: pointwise errors, their norms over the iterations, and the check that a solution is
plausible.  What does not: tables of errors (:mod:`idescent.products.errors`), drawing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from idescent.analysis.floor import floor
from idescent.common.numeric import shown
from idescent.trajectory import REFUSED, Trajectory

if TYPE_CHECKING:
    from pandas import DataFrame

Array = NDArray[np.float64]

NORMS = ("sup", "rms", "final")

IMPLAUSIBLE = "implausible"
BELOW = "below the reference"
MEANINGLESS = (IMPLAUSIBLE, REFUSED, BELOW)
"""Statuses of errors that have no meaning: they enter no fit, no axis limits and no comparison."""

# A plausible solution leaves the start at most this many times as far as the run.
_FARTHEST = 10.0


@dataclass(frozen=True)
class Comparison:
    r"""Errors of a path against a discrete run, each a dict by quantity (``theta``, ``loss``, the moments).

    With :math:`e_k` the Euclidean norm over coordinates of the difference at iteration k, and K the last
    iteration compared,

    .. math:: \text{sup} = \max_k e_k, \qquad \text{rms} = \Big(\frac{1}{K+1}\sum_k e_k^2\Big)^{1/2}, \qquad
              \text{final} = e_K.

    If not every iteration is stored, the largest value is that of the stored ones, and in the mean each
    counts for the iterations nearest to it.

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

    def to_dataframe(self) -> DataFrame:
        """Return the errors as a pandas table, one row for each quantity (the index).

        Returns
        -------
        DataFrame
            The attributes as columns; ``at`` is missing if no row could be compared, ``compared`` and
            ``complete`` are the same in all rows.
        """
        # Imported here: pandas takes half a second, and no comparison needs it.
        import pandas as pd

        frame = pd.DataFrame(vars(self), index=pd.Index(self.sup, name="quantity"))
        return frame.astype({"at": "Int64"})


def compare(run: Trajectory, path: Trajectory, exact: Trajectory | None = None) -> Comparison:
    """Compute the errors of a path against a discrete run, or against an exact solution.

    Parameters
    ----------
    run : Trajectory
        The discrete run; relative errors are divided by its norm.
    path : Trajectory
        The path to compare, at the iterations that all given trajectories store.
    exact : Trajectory, optional
        If given, the path is compared with this solution instead of the run.

    Returns
    -------
    Comparison
        Errors of ``theta``, ``loss`` and the moments that both trajectories have.  If a value is not finite,
        only the rows before it are compared; ``complete`` is then False, and ``compared`` is the last
        iteration that was compared.

    Raises
    ------
    ValueError
        If the trajectories end at different iterations or have different numbers of coordinates.
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
    weights = _weights(run.k[:rows])
    absolute = {name: _norms(error[:rows], weights) for name, error in pointwise.items()}
    scale = {name: _norms(_length(run.quantity(name)[:rows]), weights) for name in pointwise}
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
        If the trajectories end at different iterations.
    """
    first = trajectories[0]
    for other in trajectories[1:]:
        if other.steps != first.steps:
            raise ValueError(
                f"compare: the run has iterations {_span(first)} and the path {_span(other)}: "
                "both must end at the same iteration"
            )
    return reduce(_intersection, [trajectory.k for trajectory in trajectories])


def _intersection(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    # Most often both are equal, and comparing is faster than intersecting; a long run is compared many times.
    return left if np.array_equal(left, right) else np.intersect1d(left, right, assume_unique=True)


def quantities(run: Trajectory, path: Trajectory) -> tuple[str, ...]:
    """Return the names of the quantities that both trajectories have: ``theta``, ``loss``, moments."""
    return ("theta", "loss", *(name for name in run.moments if name in path.moments))


def distance(run: Trajectory, path: Trajectory, quantity: str) -> Array:
    """Return the pointwise error of one quantity: the Euclidean norm over coordinates.

    Returns
    -------
    ndarray, shape (r,)
        At the r iterations that both store.

    Raises
    ------
    ValueError
        If the trajectories end at different iterations or have different numbers of coordinates.
    """
    k = common(run, path)
    left, right = run.rows(k).quantity(quantity), path.rows(k).quantity(quantity)
    if left.shape != right.shape:
        raise ValueError(
            f"compare: {quantity} has {left.shape[1]} coordinates in the run "
            f"and {right.shape[1]} in the path: must be equal"
        )
    # Diverged rows: infinity minus infinity is NaN, which the caller reads as not finite.
    with np.errstate(invalid="ignore", over="ignore"):
        return _length(left - right)


def reference_error(run: Trajectory, quantity: str, error: float, relative: float) -> float:
    r"""Return the estimated distance of a run from the iteration in exact arithmetic.

    A run of which every row is stored has no estimate in its report.  Its rounding is a random walk
    (:func:`idescent.analysis.floor.floor`).  For a longer cell
    (:func:`idescent.analysis.reference.reference`) the report's estimate is that of theta in the sup norm, a
    bound for all norms.  Another quantity is as exact as theta, relative to its size, but no more than the
    tolerance of the leap.

    Parameters
    ----------
    run : Trajectory
    quantity : str
    error, relative : float
        Absolute and relative error of a path in one norm; their ratio is the norm of the run.

    Returns
    -------
    float
        In the same norm; NaN if no row could be compared.
    """
    report = run.report
    if math.isnan(error) or (quantity == "theta" and not math.isnan(report.error_estimate)):
        return error if math.isnan(error) else report.error_estimate
    with np.errstate(over="ignore"):
        largest = float(np.nanmax(_length(run.quantity(quantity)))) if error == 0.0 else 0.0
    scale = error / relative if relative > 0.0 else largest
    if math.isnan(report.error_estimate):
        return floor(0.0, scale, run.steps)
    relative_estimate = report.error_estimate / max(float(np.abs(run.theta).max()), 1e-300)
    return scale * max(relative_estimate, 0.0 if math.isnan(report.rtol) else report.rtol)


def plausible(run: Trajectory, path: Trajectory) -> bool:
    r"""Return whether a solution stays as near to the start as a model of this run can be expected to.

    A solution is plausible if its largest distance from the start is at most ten times that of the run,

    .. math:: \max_k \|\tilde\theta_k - \theta_0\|_2
              \le \max\bigl(10\,\max_k \|\theta_k - \theta_0\|_2,\;
              \text{atol} + \text{rtol}\,\|\theta_0\|_2,\; \tau\bigr),

    over the finite rows of each, where :math:`\tau` is the tolerance of Algorithm 4's sweeps.  The tolerances
    matter for a run that starts at a minimum and does not move: a solution that differs from it by rounding
    only is plausible.

    The result is True without a test if the run was not completed, if the solution diverged or was refused,
    and if ``path`` is a discrete run.
    """
    return not distant(run, path)


def status(run: Trajectory, path: Trajectory) -> str:
    """Return ``implausible`` for a solution that is not plausible, and else the status in its report."""
    return path.report.status if plausible(run, path) else IMPLAUSIBLE


def distant(run: Trajectory, path: Trajectory) -> str:
    """Return the distances from the start that make a solution implausible; empty if it is plausible."""
    if not run.report.ok or path.report.status in ("completed", "diverged", REFUSED):
        return ""
    start = run.theta[:1]
    of_run, of_path = _excursion(run, start), _excursion(path, start)
    report = path.report
    # Algorithm 4 ends its sweeps at a tolerance of its own; other solvers have none in their details.
    tolerances = (
        report.atol + report.rtol * float(_length(start)[0]),
        report.details.get("tolerance") or 0.0,
    )
    if of_path <= max(_FARTHEST * of_run, *(value for value in tolerances if not math.isnan(value))):
        return ""
    return f"{of_path:.3g} from the start, where the run is at most {of_run:.3g} from it"


def _excursion(path: Trajectory, start: Array) -> float:
    """Return the largest distance from the start, over the finite rows."""
    finite = np.isfinite(path.theta).all(axis=1)
    with np.errstate(over="ignore"):  # an overflow gives infinity, which is implausible
        return float(_length(path.theta[finite] - start).max(initial=0.0))


def _length(values: Array) -> Array:
    """Return the Euclidean norm of each row."""
    # For the common case of one coordinate, the square in a norm would underflow below 1e-154.
    return np.abs(values[:, 0]) if values.shape[1] == 1 else np.asarray(np.linalg.norm(values, axis=1))


def _weights(k: NDArray[np.int64]) -> Array | None:
    """Return the number of iterations that each row stands for; None if all rows are stored."""
    if not len(k) or k[-1] - k[0] == len(k) - 1:
        return None
    borders = np.concatenate([[k[0] - 0.5], 0.5 * (k[1:] + k[:-1]), [k[-1] + 0.5]])
    return np.diff(borders)


def _norms(values: Array, weights: Array | None) -> tuple[float, float, float]:
    """Return the largest value, the root mean square and the last value."""
    if not len(values):
        return math.nan, math.nan, math.nan
    sup = float(values.max())
    # Scaled by the largest value: squares of errors near the smallest float would underflow.
    square = np.average((values / sup) ** 2, weights=weights) if sup > 0.0 else 0.0
    rms = sup * math.sqrt(float(square))
    return sup, rms, float(values[-1])


def _span(trajectory: Trajectory) -> str:
    return f"{trajectory.k[0]} ... {trajectory.k[-1]} ({len(trajectory.k)} rows)"
