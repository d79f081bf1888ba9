"""The double well: the simplest objective that is not convex."""

from __future__ import annotations

import numpy as np

from idescent.objectives.protocol import Array


class DoubleWell:
    r"""Two wells in every coordinate, at -1 and 1, with a maximum between them.

    .. math:: f(\theta) = \tfrac14 \sum_{i<n} (\theta_i^2 - 1)^2

    Separable.  Its 2^n minima have the value 0 and the curvature 2; the curvature at the origin is -1.

    Parameters
    ----------
    dimension : int
        Number of parameters n.

    Raises
    ------
    ValueError
        If ``dimension`` < 1.
    """

    def __init__(self, dimension: int = 1) -> None:
        if dimension < 1:
            raise ValueError(f"DoubleWell.dimension: {dimension!r} is not allowed: must be >= 1")
        self.dimension = dimension

    def value(self, theta: Array) -> Array:
        r"""Return :math:`\frac14 \sum (\theta_i^2-1)^2`, shape (...)."""
        return np.asarray(0.25 * ((theta * theta - 1.0) ** 2).sum(axis=-1))

    def gradient(self, theta: Array) -> Array:
        r"""Return :math:`\theta_i(\theta_i^2 - 1)`, shape (..., n)."""
        return theta * (theta * theta - 1.0)

    def hessian_diagonal(self, theta: Array) -> Array:
        r"""Return :math:`3\theta_i^2 - 1`, shape (..., n)."""
        return 3.0 * theta * theta - 1.0

    def hessian_vector(self, theta: Array, direction: Array) -> Array:
        """Return the diagonal Hessian times directions of the shape of ``theta``."""
        return self.hessian_diagonal(theta) * direction

    def initial(self, seed: int) -> Array:
        """Return standard normal numbers, shape (n,)."""
        return np.random.RandomState(seed).standard_normal(self.dimension)

    def __repr__(self) -> str:
        """Return the call that creates this objective."""
        return f"DoubleWell(dimension={self.dimension})"
