"""An objective under test: isolated calls of its methods, and the points of the checks.

What lives here: calls with copies of arguments and results, so that no call changes the data of another.
What does not: any check.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.objectives.protocol import CountedObjective

Array = NDArray[np.float64]

_AROUND = 3  # points around the start
_RADIUS = 0.1  # their distance, as a fraction of 1 + |theta0|
_HALVINGS = 40


class Subject:
    """An objective, a start and points around it.

    Attributes
    ----------
    theta0 : ndarray, shape (n,)
    points : list of ndarray
        ``theta0``, and seeded random points around it.
    single : bool
        Whether the objective takes one point at a time (``vectorized = False``).
    """

    def __init__(self, objective: Any, theta0: Array, seed: int) -> None:
        self.objective, self.theta0, self.n = objective, theta0, theta0.size
        self.single = not getattr(objective, "vectorized", True)
        self.stream = np.random.RandomState(seed)
        moved = self.stream.standard_normal((_AROUND, self.n)) * _RADIUS * (1.0 + np.abs(theta0))
        self.points = [theta0, *(theta0 + moved)]

    def pull_in(self) -> None:
        """Move points towards ``theta0`` until value and gradient are finite there.

        A moved point ends at an eighth of the finite distance: differences around it then stay finite.
        """
        for i, theta in enumerate(self.points):
            for halvings in range(_HALVINGS):
                closer = self.theta0 + (theta - self.theta0) / 2.0**halvings
                results = (self.call("value", closer), self.call("gradient", closer))
                if all(np.isfinite(values).all() for values in results):
                    self.points[i] = closer if halvings == 0 else self.theta0 + (closer - self.theta0) / 8.0
                    break

    def raw(self, method: str, theta: Array, *more: Any) -> Any:
        """Call a method with copies of its arguments; return its result as it is."""
        arguments = (theta, *more)
        with np.errstate(all="ignore"):
            return getattr(self.objective, method)(*(np.array(argument) for argument in arguments))

    def call(self, method: str, theta: Array, *more: Any) -> Array:
        """Call a method with copies of its arguments; return a copy of its result as float64."""
        return np.array(self.raw(method, theta, *more), dtype=np.float64)

    def batch(self, method: str, theta: Array, *more: Array) -> Array:
        """Call a method as solvers do: for a whole batch, or point by point if ``vectorized`` is False."""
        return CountedObjective(self.objective).call(method, theta, *more)

    def scale(self, theta: Array) -> float:
        """Return the length scale of difference steps at a point."""
        return 1.0 + float(np.max(np.abs(theta)))

    def directions(self, most: int) -> Array:
        """Return the unit vectors of all coordinates, or ``most`` seeded directions if there are more."""
        if self.n <= most:
            return np.eye(self.n)
        drawn = self.stream.standard_normal((most, self.n))
        return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))
