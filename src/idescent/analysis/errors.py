"""How far a continuous path is from the discrete run it models.

What lives here: pointwise errors, their norms over the iterations, and the tidy table of a set of
trajectory files.  What does not: drawing, and tables for people (:mod:`idescent.tables`).  Comparing
needs numpy only; the table is pyarrow's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import shown
from idescent.trajectory import REFUSED, Trajectory

Array = NDArray[np.float64]

NORMS = ("sup", "rms", "final")

IMPLAUSIBLE = "implausible"
MEANINGLESS = (IMPLAUSIBLE, REFUSED)
"""Statuses of solutions whose errors say nothing: they enter no fit, no scale and no comparison."""

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
    """Return the names of the quantities of both trajectories: ``theta``, ``loss``, the run's moments."""
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
    return not distant(run, path)


def status(run: Trajectory, path: Trajectory) -> str:
    """Return how a solution ended, as judged beside its run: ``implausible``, or what it says of itself."""
    return path.report.status if plausible(run, path) else IMPLAUSIBLE


def distant(run: Trajectory, path: Trajectory) -> str:
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
