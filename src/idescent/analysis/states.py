"""The states along a path: theta, the memories and the learning rate after an iteration.

What lives here: :class:`States`, one view of discrete runs, solutions and leaps.  What does not: the paths
themselves (:mod:`idescent.trajectory`, ``idescent.solvers``, ``idescent.prediction``).  Leaps and predictions
are recognised by their attributes, so that neither is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.common.numeric import shown
from idescent.schedules import Schedule
from idescent.trajectory import Trajectory

Array = NDArray[np.float64]
Iterations = NDArray[np.int64]


@dataclass(frozen=True)
class States:
    """States along a path.

    Attributes
    ----------
    at : callable
        Theta, shape (n,), and the memories by name, shape (width,) each, after an iteration.
    rate : callable
        Learning rate of an iteration, with the factor of a schedule.
    known : ndarray of int64 or int
        Iterations >= 1 with a finite state; an integer: all up to this one.
    """

    at: Callable[[int], tuple[Array, dict[str, Array]]]
    rate: Callable[[int], float]
    known: Iterations | int

    @classmethod
    def of(cls, path: Any, alpha: float | None, schedule: Schedule | None) -> States:
        """Open a path: a trajectory, or the result of ``leap`` or ``predict``.

        Raises
        ------
        ValueError
            If it is anything else, has no state after iteration 0, or the learning rate is not known.
        """
        if isinstance(path, Trajectory):
            return _of_trajectory(path, alpha, schedule)
        if hasattr(path, "modelled") and hasattr(path, "moments"):
            return _of_prediction(path, schedule)
        if not (hasattr(path, "equation") and hasattr(path, "reached")):
            raise ValueError(
                f"path: {shown(path)} is not allowed: must be a Trajectory, or the result of leap or predict"
            )
        own, last = path.equation.rate, int(path.reached)
        if last < 1:
            raise ValueError("path: it has no finite state after k = 0")
        return cls(lambda k: (path(k), path.moments(k)), lambda k: float(own(np.array([float(k)]))[0]), last)

    def sample(self, count: int) -> Iterations:
        """Return at most ``count`` iterations, evenly spaced from the first to the last."""
        if isinstance(self.known, int):
            return np.unique(np.linspace(1, self.known, count).astype(np.int64))
        return self.known[np.unique(np.linspace(0, len(self.known) - 1, count).astype(np.int64))]

    def between(self, first: int, last: int) -> Iterations:
        """Return all iterations from ``first`` to ``last``."""
        if isinstance(self.known, int):
            return np.arange(first, last + 1, dtype=np.int64)
        return self.known[(self.known >= first) & (self.known <= last)]

    def chosen(self, k: ArrayLike) -> Iterations:
        """Check the iterations that a user asks for, and return them.

        Raises
        ------
        ValueError
            If they are not increasing integers, or the path has no finite state of one.
        """
        chosen = np.asarray(k)
        if (
            chosen.ndim != 1
            or not chosen.size
            or chosen.dtype.kind not in "iu"
            or (np.diff(chosen) <= 0).any()
        ):
            raise ValueError(f"k: {shown(k)} is not allowed: must be increasing integers, shape (m,)")
        known = self.between(1, self.known) if isinstance(self.known, int) else self.known
        unknown = chosen[~np.isin(chosen, known)]
        if unknown.size:
            raise ValueError(
                f"k: {unknown[0]} is not allowed: the path has no finite state of it after k = 0"
            )
        return chosen.astype(np.int64)


def _of_prediction(path: Any, schedule: Schedule | None) -> States:
    if schedule is not None:
        raise ValueError("schedule: not allowed with a prediction, which has a constant learning rate")
    known = np.arange(max(path.modelled, 1), path.reached + 1, dtype=np.int64)
    if not known.size:
        raise ValueError("path: it has no iteration of the model")

    def at(k: int) -> tuple[Array, dict[str, Array]]:
        moments = {name: np.asarray(value, dtype=np.float64) for name, value in path.moments(k).items()}
        return np.asarray(path(k), dtype=np.float64), moments

    alpha = path.path.leapfrog.alpha
    return States(at, lambda k: alpha, known)


def _of_trajectory(path: Trajectory, alpha: float | None, schedule: Schedule | None) -> States:
    finite = np.isfinite(path.theta).all(axis=1) & (path.k >= 1)
    for values in path.moments.values():
        finite &= np.isfinite(values).all(axis=1)
    if not finite.any():
        raise ValueError("path: it has no finite state after k = 0")

    def at(k: int) -> tuple[Array, dict[str, Array]]:
        row = int(np.searchsorted(path.k, k))
        return path.theta[row], {name: values[row] for name, values in path.moments.items()}

    alpha = float(path.t[-1] / path.k[-1]) if alpha is None else alpha
    return States(at, _rate(alpha, schedule), path.k[finite])


def _rate(alpha: float, schedule: Schedule | None) -> Callable[[int], float]:
    if schedule is None:
        return lambda k: alpha
    return lambda k: alpha * float(schedule.rate(np.array([k - 0.5]))[0])
