"""An objective under examination: calls that cannot disturb each other, and the points to ask it at.

What lives here: copies in and out.  What does not: any check.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.objectives.protocol import CountedObjective

Array = NDArray[np.float64]

_AROUND = 3
_RADIUS = 0.1
_HALVINGS = 40


class Subject:
    """An objective, a start and points around it.

    Attributes
    ----------
    theta0 : ndarray, shape (n,)
    points : list of ndarray
        ``theta0``, and seeded points around it.
    single : bool
        The objective says that it takes one point at a time.
    """

    def __init__(self, objective: Any, theta0: Array, seed: int) -> None:
        self.objective, self.theta0, self.n = objective, theta0, theta0.size
        self.single = not getattr(objective, "vectorized", True)
        self.stream = np.random.RandomState(seed)
        moved = self.stream.standard_normal((_AROUND, self.n)) * _RADIUS * (1.0 + np.abs(theta0))
        self.points = [theta0, *(theta0 + moved)]

    def pull_in(self) -> None:
        """Bring points closer to ``theta0`` until value and gradient are finite, and away from that wall."""
        for i, theta in enumerate(self.points):
            for halvings in range(_HALVINGS):
                closer = self.theta0 + (theta - self.theta0) / 2.0**halvings
                found = (self.call("value", closer), self.call("gradient", closer))
                if all(np.isfinite(values).all() for values in found):
                    self.points[i] = closer if halvings == 0 else self.theta0 + (closer - self.theta0) / 8.0
                    break

    def raw(self, method: str, theta: Array, *more: Any) -> Any:
        """Call a method with copies; return what it returns."""
        given = (theta, *more)
        with np.errstate(all="ignore"):
            return getattr(self.objective, method)(*(np.array(argument) for argument in given))

    def call(self, method: str, theta: Array, *more: Any) -> Array:
        """Call a method with copies; return a copy as numbers."""
        return np.array(self.raw(method, theta, *more), dtype=np.float64)

    def batch(self, method: str, theta: Array, *more: Array) -> Array:
        """Call a method as solvers do: point by point, if it asks for that."""
        return CountedObjective(self.objective).call(method, theta, *more)

    def scale(self, theta: Array) -> float:
        """Return the length of steps from a point."""
        return 1.0 + float(np.max(np.abs(theta)))

    def directions(self, most: int) -> Array:
        """Return unit vectors: all coordinates, or seeded directions where there are more than ``most``."""
        if self.n <= most:
            return np.eye(self.n)
        drawn = self.stream.standard_normal((most, self.n))
        return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))
