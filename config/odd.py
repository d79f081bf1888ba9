"""Objectives for the study odd.yaml: losses below zero, and a loss with a bounded domain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class StyblinskiTang:
    r"""Half the sum of :math:`\theta_i^4 - 16\theta_i^2 + 5\theta_i`; its minimum is -39.2 per coordinate."""

    dimension = 2

    def value(self, theta: Array) -> Array:
        """Return the loss, shape (...)."""
        squares = theta * theta
        return np.asarray(0.5 * (squares * squares - 16.0 * squares + 5.0 * theta).sum(axis=-1))

    def gradient(self, theta: Array) -> Array:
        """Return the gradient, shape of ``theta``."""
        return 2.0 * theta * theta * theta - 16.0 * theta + 2.5


class Edge:
    """A loss of slope -1 up to 1; beyond 1, loss and gradient are NaN."""

    dimension = 1

    def value(self, theta: Array) -> Array:
        """Return the loss, shape (...)."""
        return np.asarray(np.where(theta <= 1.0, 2.0 - theta, np.nan).sum(axis=-1))

    def gradient(self, theta: Array) -> Array:
        """Return the gradient, shape of ``theta``."""
        return np.where(theta <= 1.0, -1.0, np.nan)
