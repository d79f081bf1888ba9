"""An objective of your own, the sum of c_i theta_i**4 / 4.

Check it with ``idescent check my_objective:Valley``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Valley:
    """The sum of c_i theta_i**4 / 4, with one factor c_i per parameter."""

    def __init__(self, curvatures: Sequence[float] = (1.0, 1.0)) -> None:
        self.curvatures = np.asarray(curvatures, dtype=np.float64)
        self.dimension = len(self.curvatures)

    def value(self, theta: Array) -> Array:
        """Return the loss, shape (...), of points of shape (..., n)."""
        return np.asarray((self.curvatures * theta**4 / 4.0).sum(axis=-1))

    def gradient(self, theta: Array) -> Array:
        """Return the gradient, shape (..., n)."""
        return np.asarray(self.curvatures * theta**3)
