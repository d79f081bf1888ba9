"""Acceleration of a fixed point from its last iterates.

What lives here: Anderson's method for vectors of any size.  What does not: the fixed point itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Relative change of a coordinate above which the difference of its gradients has enough digits.
SECANT = 1e-8


class Anderson:
    r"""Anderson acceleration (Walker & Ni 2011, SIAM J. Numer. Anal. 49, 1715, with mixing parameter 1).

    With the corrections :math:`f_i = G(x_i) - x_i` and differences :math:`\Delta` of successive iterates,

    .. math:: x_{i+1} = x_i + f_i - \sum_j \gamma_j\,(\Delta x_j + \Delta f_j), \qquad
              \gamma = \arg\min_\gamma \Bigl\| f_i - \sum_j \gamma_j\,\Delta f_j \Bigr\|_2 .

    For a linear G this is GMRES: each direction in which G expands costs one more iteration, not a shorter
    step.  It needs no derivative, and stores ``2 * depth`` vectors.

    Parameters
    ----------
    depth : int, >= 1
        Number of differences.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self._last: tuple[Array, Array] | None = None
        self._points: list[Array] = []
        self._changes: list[Array] = []

    def step(self, point: Array, correction: Array) -> Array:
        """Return the accelerated step from ``point``, given its plain ``correction``; all of one shape."""
        if self._last is not None:
            self._points = [*self._points, point - self._last[0]][-self.depth :]
            self._changes = [*self._changes, correction - self._last[1]][-self.depth :]
        self._last = point, correction
        if not self._changes:
            return correction
        gram = np.array([[np.vdot(a, b) for b in self._changes] for a in self._changes])
        right = np.array([np.vdot(a, correction) for a in self._changes])
        scale = np.sqrt(np.diag(gram))
        if not (np.isfinite(gram).all() and (scale > 0.0).all()):
            return correction
        # Differences become nearly parallel: singular values below 1e-13 of the largest are rounding.
        fit: Any = np.linalg.lstsq(gram / np.outer(scale, scale), right / scale, rcond=1e-13)
        step = correction.copy()
        for gamma, point_change, change in zip(fit[0] / scale, self._points, self._changes, strict=True):
            step -= gamma * (point_change + change)
        return step


def secants(first: tuple[Array, Array], last: tuple[Array, Array], former: Array | None) -> Array:
    r"""Return a diagonal Hessian from the gradients of two sweeps, shape (n,), by least squares over nodes.

    .. math:: h = \max\Bigl(0,\ \frac{\sum \Delta g\,\Delta\theta}{\sum \Delta\theta^2}\Bigr)

    It is exact if the Hessian is diagonal and constant.

    Parameters
    ----------
    first, last : tuple of ndarray, shape (E, p, n)
        Path and gradient of the two sweeps.
    former : ndarray, shape (n,), or None
        Values for coordinates that changed too little; None is 0.
    """
    path, moved, change = last[0], last[0] - first[0], last[1] - first[1]
    squares = (moved * moved).sum(axis=(0, 1))
    known = squares > SECANT**2 * (path * path).sum(axis=(0, 1))
    slopes = (moved * change).sum(axis=(0, 1)) / np.where(known, squares, 1.0)
    return np.where(known & np.isfinite(slopes), np.maximum(slopes, 0.0), 0.0 if former is None else former)
