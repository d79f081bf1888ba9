"""Rosenbrock's curved valley, in any dimension."""

from __future__ import annotations

import numpy as np

from idescent.objectives.protocol import DENSE, Array


class Rosenbrock:
    r"""The curved valley of Rosenbrock (1960), chained over coordinates.

    .. math:: f(\theta) = \sum_{i=0}^{n-2} b\,(\theta_{i+1} - \theta_i^2)^2 + (1 - \theta_i)^2

    Not convex; the global minimum, of value 0, is at (1, ..., 1), and for n >= 4 there is another local
    minimum.  ``hessian`` exists for at most 100 parameters.

    Parameters
    ----------
    dimension : int
        Number of parameters n >= 2.
    b : float
        Steepness of the valley's walls.

    Raises
    ------
    ValueError
        If an argument is outside its range.
    """

    def __init__(self, dimension: int = 2, b: float = 100.0) -> None:
        if dimension < 2:
            raise ValueError(f"Rosenbrock.dimension: {dimension!r} is not allowed: must be >= 2")
        if not 0.0 < b < np.inf:
            raise ValueError(f"Rosenbrock.b: {b!r} is not allowed: must be > 0 and finite")
        self.dimension, self.b = dimension, float(b)
        self.minimum: Array = np.ones(dimension)
        if dimension <= DENSE:
            self.hessian = self._hessian

    def value(self, theta: Array) -> Array:
        """Return the sum over neighbours, shape (...)."""
        x, wall = theta[..., :-1], theta[..., 1:] - theta[..., :-1] ** 2
        return np.asarray((self.b * wall * wall + (1.0 - x) ** 2).sum(axis=-1))

    def gradient(self, theta: Array) -> Array:
        """Return the gradient, shape (..., n)."""
        x, wall = theta[..., :-1], theta[..., 1:] - theta[..., :-1] ** 2
        gradient = np.zeros_like(theta)
        gradient[..., :-1] = -4.0 * self.b * x * wall - 2.0 * (1.0 - x)
        gradient[..., 1:] += 2.0 * self.b * wall
        return gradient

    def hessian_vector(self, theta: Array, direction: Array) -> Array:
        """Return the tridiagonal Hessian times directions of the shape of ``theta``."""
        diagonal, beside = self._bands(theta)
        product = diagonal * direction
        product[..., :-1] += beside * direction[..., 1:]
        product[..., 1:] += beside * direction[..., :-1]
        return product

    def initial(self, seed: int) -> Array:
        """Return standard normal numbers, shape (n,)."""
        return np.random.RandomState(seed).standard_normal(self.dimension)

    def _hessian(self, theta: Array) -> Array:
        diagonal, beside = self._bands(theta)
        full, i = np.zeros((*theta.shape, self.dimension)), np.arange(self.dimension)
        full[..., i, i] = diagonal
        full[..., i[:-1], i[1:]] = full[..., i[1:], i[:-1]] = beside
        return full

    def _bands(self, theta: Array) -> tuple[Array, Array]:
        x, diagonal = theta[..., :-1], np.zeros_like(theta)
        diagonal[..., :-1] = self.b * (12.0 * x * x - 4.0 * theta[..., 1:]) + 2.0
        diagonal[..., 1:] += 2.0 * self.b
        return diagonal, -4.0 * self.b * x

    def __repr__(self) -> str:
        """Return the call that creates this objective."""
        return f"Rosenbrock(dimension={self.dimension}, b={self.b})"
