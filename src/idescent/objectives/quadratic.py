"""The objective of Section 2 of the paper: a squared distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from idescent.objectives.protocol import Array, finite


class Quadratic:
    r"""The squared distance :math:`f(\theta) = |\theta - c|^2` (Section 2 of the paper, with c = 4).

    Parameters
    ----------
    center : float or array_like, shape (n,)
        The minimum ``c``; a number is the same in every coordinate.

    Raises
    ------
    ValueError
        If ``center`` is not finite, or neither a number nor a vector.
    """

    def __init__(self, center: ArrayLike = 4.0) -> None:
        self.center = finite("Quadratic.center", center)
        if self.center.ndim > 1:
            raise ValueError(
                f"Quadratic.center: shape {self.center.shape} is not allowed: must be () or (n,)"
            )
        self.dimension = self.center.size if self.center.ndim == 1 else None

    def value(self, theta: Array) -> Array:
        r"""Return :math:`|\theta - c|^2`; shapes as in :class:`Objective`."""
        distance = theta - self.center
        return np.asarray((distance * distance).sum(axis=-1))

    def gradient(self, theta: Array) -> Array:
        r"""Return :math:`2(\theta - c)`; shapes as in :class:`Objective`."""
        return 2.0 * (theta - self.center)

    def hessian_diagonal(self, theta: Array) -> Array:
        """Return the constant 2, shape of ``theta``."""
        return np.full_like(theta, 2.0)

    def separable_quadratic(self, n: int) -> tuple[Array, Array]:
        """Return curvature and center, each of shape (n,)."""
        return np.full(n, 2.0), np.broadcast_to(self.center, (n,)).copy()

    def __repr__(self) -> str:
        """Return the call that creates this objective."""
        return f"Quadratic(center={self.center.tolist()})"
