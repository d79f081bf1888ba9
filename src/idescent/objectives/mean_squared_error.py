"""The objective of Appendix B of the paper: a line through the origin fitted to noisy data."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from idescent.objectives.protocol import Array, Indices, finite


class MeanSquaredError:
    r"""The mean squared error of the model :math:`y = \theta x` (Appendix B of the paper; one parameter).

    .. math:: f(\theta) = \frac1N \sum_j (y_j - \theta x_j)^2 = a(\theta - \theta^*)^2 + f^*, \qquad
              a = \overline{x^2}, \quad \theta^* = \overline{xy}/a

    The centred form on the right is evaluated: its cost does not depend on N, and its gradient is exactly 0
    at :math:`\theta^*`.

    Parameters
    ----------
    x, y : array_like, shape (N,)
        The data.

    Raises
    ------
    ValueError
        If the shapes differ, N = 0, a value is not finite or all ``x`` are 0.
    """

    dimension = 1

    def __init__(self, x: ArrayLike, y: ArrayLike) -> None:
        self.x, self.y = finite("MeanSquaredError.x", x), finite("MeanSquaredError.y", y)
        if self.x.ndim != 1 or self.x.shape != self.y.shape or self.x.size == 0:
            shapes = f"x has shape {self.x.shape} and y {self.y.shape}"
            raise ValueError(f"MeanSquaredError: {shapes}: both must be (N,) with N >= 1")
        self.curvature = float(np.mean(self.x * self.x))
        if self.curvature == 0.0:
            raise ValueError("MeanSquaredError.x: all values are 0: the minimum is not unique")
        self.samples = self.x.size
        self.minimum = float(np.mean(self.x * self.y)) / self.curvature
        self.least_value = float(np.mean((self.y - self.minimum * self.x) ** 2))

    @classmethod
    def synthetic(
        cls, seed: int = 42, size: int = 1000, slope: float = 2.0, noise: float = 0.1
    ) -> MeanSquaredError:
        r"""Draw the data of the paper's Appendix B: ``x`` uniform on [0, 1), :math:`y = 2x +` Gaussian noise.

        Uses numpy's legacy generator, whose streams are frozen: the same seed always gives the same data.

        Parameters
        ----------
        seed, size : int
        slope : float
            True parameter.
        noise : float
            Standard deviation of the noise in ``y``.
        """
        stream = np.random.RandomState(seed)
        x = stream.rand(size)
        return cls(x, slope * x + stream.normal(0.0, noise, size))

    def value(self, theta: Array) -> Array:
        r"""Return :math:`a(\theta-\theta^*)^2 + f^*`; shapes as in :class:`Objective`, n = 1."""
        distance = theta[..., 0] - self.minimum
        return np.asarray(self.curvature * distance * distance + self.least_value)

    def gradient(self, theta: Array) -> Array:
        r"""Return :math:`2a(\theta-\theta^*)`; shapes as in :class:`Objective`, n = 1."""
        return (2.0 * self.curvature) * (theta - self.minimum)

    def value_of(self, theta: Array, indices: Indices) -> Array:
        r"""Return :math:`\overline{(y - \theta x)^2}` over a mini-batch, shape (...)."""
        residual = self.y[indices] - theta * self.x[indices]
        return np.asarray((residual * residual).mean(axis=-1))

    def gradient_of(self, theta: Array, indices: Indices) -> Array:
        r"""Return :math:`-2\,\overline{x(y - \theta x)}`, shape (..., 1)."""
        x = self.x[indices]
        return np.asarray(-2.0 * (x * (self.y[indices] - theta * x)).mean(axis=-1, keepdims=True))

    def hessian_diagonal(self, theta: Array) -> Array:
        """Return the constant 2a, shape of ``theta``."""
        return np.full_like(theta, 2.0 * self.curvature)

    def separable_quadratic(self, n: int) -> tuple[Array, Array]:
        """Return curvature and center, each of shape (1,)."""
        if n != 1:
            raise ValueError(f"theta0: {n} parameters, but MeanSquaredError has exactly 1")
        return np.array([2.0 * self.curvature]), np.array([self.minimum])

    def __repr__(self) -> str:
        """Return a summary of the data."""
        return f"MeanSquaredError(N={self.x.size}, minimum={self.minimum!r})"
