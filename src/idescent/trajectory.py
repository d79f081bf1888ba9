"""The result of a discrete run or a solution: a path of the parameters with its report.

What lives here: :class:`Trajectory`, :class:`Report`, and the choice of the iterations to keep.  What does
not: their files (:mod:`idescent.store.trajectories`); its functions are available under their old names here,
too.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import is_whole

if TYPE_CHECKING:
    from pandas import DataFrame

Array = NDArray[np.float64]
Keep = int | Sequence[int] | NDArray[np.int64]

REFUSED = "refused"
"""Status of a solution that its model or solver refuses: the message has the reason, there are no numbers."""

ENDED_WELL = ("completed", "converged")
"""Statuses of a run that was completed and of a solution that reached its tolerance."""

WHOLE = 20_000
"""Most iterations of a cell with leaps of which every row is stored (:func:`sampled`)."""

# Sample of a longer path: its first iterations, groups of successive ones, and places of groups in each of
# two sequences.
_DENSE, _GROUP, _PLACES = 1000, 4, 500


@dataclass(frozen=True)
class Report:
    """Status and cost of a run or solution.

    Attributes
    ----------
    status : str
        ``completed`` or ``diverged`` for a discrete run; ``converged``, ``not converged``, ``diverged`` or
        ``refused`` for a solution, and for Algorithm 4 also ``smoothing exhausted`` and ``iteration limit``;
        ``estimated`` for a prediction.
    message : str
        Explanation of the status in one line.
    gradient_evaluations : int
        Number of points at which the gradient of the objective was evaluated.
    sweeps : int
        Fixed-point sweeps, over all windows of a solution.
    error_estimate : float
        Estimated sup-norm error of ``theta`` over the stored iterations, for a prediction the relative error
        of the loss; NaN if there is no estimate.
    rtol, atol : float
        Tolerance of a solution; NaN for a discrete run.
    diverged_at : int or None
        First iteration whose state is not finite.
    details : dict
        Further numbers of the method (windows, elements, residuals ...).
    """

    status: str
    message: str = ""
    gradient_evaluations: int = 0
    sweeps: int = 0
    error_estimate: float = math.nan
    rtol: float = math.nan
    atol: float = math.nan
    diverged_at: int | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the run was completed or the solution converged."""
        return ended_well(self.status)


def ended_well(*statuses: str) -> bool:
    """Whether every status is that of a completed run or a converged solution."""
    return all(status in ENDED_WELL for status in statuses)


@dataclass(frozen=True)
class Trajectory:
    """A path of the parameters with its moments, discrete or continuous.

    It has r rows: one for each iteration k = 0 ... steps, or for each iteration kept.

    Attributes
    ----------
    k : ndarray of int64, shape (r,)
        Iteration, from 0 to ``steps``.
    t : ndarray, shape (r,)
        Time, ``alpha * k``.
    theta : ndarray, shape (r, n)
        Parameters.  Rows from a divergence on are NaN.
    loss : ndarray, shape (r,)
        Objective at ``theta``.
    moments : dict of str to ndarray, shape (r, n) or (r, 1)
        The optimizer's moments by their names: ``G``; ``v``; ``m`` and ``v``.
    report : Report
    """

    k: NDArray[np.int64]
    t: Array
    theta: Array
    loss: Array
    moments: dict[str, Array]
    report: Report

    @property
    def steps(self) -> int:
        """Number of iterations."""
        return int(self.k[-1])

    def rows(self, k: NDArray[np.int64]) -> Trajectory:
        """Return the trajectory with the rows of iterations ``k`` only; it must have all of them."""
        if np.array_equal(k, self.k):
            return self
        at = np.searchsorted(self.k, k)
        moments = {name: values[at] for name, values in self.moments.items()}
        return Trajectory(self.k[at], self.t[at], self.theta[at], self.loss[at], moments, self.report)

    def quantity(self, name: str) -> Array:
        """Return ``theta``, ``loss`` or a moment by name, shape (r, width)."""
        if name == "theta":
            return self.theta
        if name == "loss":
            return self.loss[:, None]
        return self.moments[name]

    def to_dataframe(self) -> DataFrame:
        """Return the trajectory as a pandas table, one row for each stored iteration.

        Returns
        -------
        DataFrame
            Columns: ``k`` (iteration), ``t`` (time ``alpha * k``), ``loss``, and one for each component of
            the parameters (``theta_0``, ``theta_1``, ...) and of each moment (``m_0``, ``v_0``, ...).  Rows
            from a divergence on are NaN.
        """
        # Imported here: pandas takes half a second, and no run or solution needs it.
        import pandas as pd

        columns = {"k": self.k, "t": self.t, "loss": self.loss}
        for name, values in {"theta": self.theta, **self.moments}.items():
            columns |= {f"{name}_{i}": component for i, component in enumerate(values.T)}
        return pd.DataFrame(columns)


def kept(steps: int, keep: Keep | None) -> NDArray[np.int64]:
    """Return the iterations whose rows are stored.

    Parameters
    ----------
    steps : int
    keep : int or sequence of int or None
        Keep every ``keep``-th iteration and the last one; or the increasing iterations listed, from 0 to
        ``steps``; None keeps all.

    Raises
    ------
    ValueError
        If ``keep`` is anything else.
    """
    if keep is None:
        return np.arange(steps + 1, dtype=np.int64)
    if is_whole(keep) and keep >= 1:
        return np.append(np.arange(0, steps, keep, dtype=np.int64), np.int64(steps))
    k = np.asarray(keep)
    if k.ndim != 1 or k.dtype.kind not in "iu" or len(k) < 2 or (np.diff(k) <= 0).any():
        allowed = "must be an integer >= 1, or increasing iterations"
        raise ValueError(f"keep: {keep!r} is not allowed: {allowed}")
    if k[0] != 0 or k[-1] != steps:
        raise ValueError(f"keep: {k[0]} ... {k[-1]} is not allowed: must be from 0 to steps = {steps}")
    return k.astype(np.int64)


def sampled(steps: int) -> NDArray[np.int64] | None:
    """Return the iterations that are stored of a cell with leaps; None for all of them.

    Of a path of more than 20 000 iterations (``WHOLE``) these are the first 1 000; groups of four
    successive ones, which show an oscillation with period two, at 500 geometrically and 500 evenly spaced
    places; and the last one.
    """
    if steps <= WHOLE:
        return None
    last = steps - _GROUP
    places = np.concatenate([np.geomspace(_DENSE, last, _PLACES), np.linspace(_DENSE, last, _PLACES)]).astype(
        np.int64
    )
    groups = (places[:, None] + np.arange(_GROUP)).ravel()
    return np.unique(np.concatenate([np.arange(_DENSE), groups, [steps]]))


def reversals(run: Trajectory) -> int:
    """Count the iterations at which a discrete run oscillates with period two.

    A coordinate reverses at an iteration if its increments before and after have opposite signs.  If it
    reverses at two or more successive iterations it oscillates with period two, unlike any solution of a
    differential equation: these reversals are counted.  Single reversals (an oscillation that the run
    resolves) and increments of the size of rounding are not.

    Returns
    -------
    int
        The largest count of all coordinates.
    """
    most = 0
    # Increments are known only between rows of successive iterations.
    stored = np.diff(run.k) == 1
    for values in run.theta.T:
        with np.errstate(invalid="ignore", over="ignore"):
            steps = np.diff(values)
            rounding = 4.0 * np.finfo(np.float64).eps * np.abs(values[1:])
        signs = np.where(stored & np.isfinite(steps) & (np.abs(steps) > rounding), np.sign(steps), 0.0)
        reversed_at = np.concatenate([[False], signs[1:] * signs[:-1] < 0.0, [False]])
        most = max(most, int((reversed_at[1:-1] & (reversed_at[2:] | reversed_at[:-2])).sum()))
    return most


def assemble(
    theta: Array,
    loss: Array,
    moments: Mapping[str, Array],
    alpha: float,
    report: Report,
    k: NDArray[np.int64] | None = None,
) -> Trajectory:
    """Return a trajectory from its parts; ``k`` is 0 ... steps by default."""
    if k is None:
        k = kept(len(theta) - 1, None)
    return Trajectory(k, np.asarray(alpha * k, dtype=np.float64), theta, loss, dict(moments), report)


def __getattr__(name: str) -> Any:
    if name in ("read", "read_with_metadata", "write", "write_table"):
        return getattr(importlib.import_module("idescent.store.trajectories"), name)
    raise AttributeError(f"module 'idescent.trajectory' has no attribute {name!r}")
