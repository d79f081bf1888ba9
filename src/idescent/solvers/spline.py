"""Cubic splines of many paths on one grid, at fixed points.

What lives here: the spline that each sweep of a fixed-point search evaluates at the same points, and the scan
that sums the pieces of a memory.  What does not: splines at any points
(:class:`idescent.solvers.quadrature.Interpolant`).

Knots, matrix, factors of the matrix and basis functions depend on the grid and the points only, so they are
computed once.  A sweep solves with the factors and adds four products for each point.  Every operation is the
one of SciPy's spline, in the same order: the values are identical to the bit.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.discrete.kernels import compiled

Array = NDArray[np.float64]

DEGREE = 3


class FixedSpline:
    """The not-a-knot cubic spline through the points of a path, at fixed points.

    The values are those of ``scipy.interpolate.make_interp_spline(grid, path, k=3)``, bit for bit.

    Parameters
    ----------
    grid : ndarray, shape (N,)
        Increasing, N >= 4.
    points : ndarray, any shape
        Points outside the grid are allowed: there the first or the last piece continues.

    Raises
    ------
    ValueError
        If points of the grid coincide.
    """

    def __init__(self, grid: Array, points: Array) -> None:
        from scipy.linalg.lapack import dgbtrf

        if np.any(grid[1:] <= grid[:-1]):
            raise ValueError("Expect x to not have duplicates")
        ends = DEGREE + 1
        knots = np.concatenate((grid[:1].repeat(ends), grid[2:-2], grid[-1:].repeat(ends)))
        # LAPACK's band storage: row i of the matrix, column j, is at [2 * DEGREE + i - j, j].
        first, basis = _basis(knots, np.ascontiguousarray(grid))
        matrix = np.zeros((3 * DEGREE + 1, len(grid)), order="F")
        for a in range(ends):
            matrix[2 * DEGREE + np.arange(len(grid)) - (first + a), first + a] = basis[:, a]
        self._factors, self._pivots, _ = dgbtrf(matrix, DEGREE, DEGREE, overwrite_ab=True)
        self._shape = points.shape
        self._first, self._basis = _basis(knots, points.ravel())
        self._addresses = self._first.ctypes.data, self._basis.ctypes.data

    def __call__(self, path: Array) -> Array:
        """Interpolate a path, shape (N, n): returns shape (*points.shape, n)."""
        from scipy.linalg.lapack import dgbtrs

        coefficients, _ = dgbtrs(self._factors, DEGREE, DEGREE, path, self._pivots)
        coefficients = np.ascontiguousarray(coefficients)
        n = coefficients.shape[1]
        values = np.empty((len(self._first), n))
        library = compiled()
        if library is None:
            values[:] = 0.0
            for a in range(DEGREE + 1):
                values += coefficients[self._first + a] * self._basis[:, a, None]
        else:
            library.spline(len(values), n, *self._addresses, coefficients.ctypes.data, values.ctypes.data)
        return values.reshape(*self._shape, n)


def scan(decay: Array | None, pieces: NDArray[Any]) -> NDArray[Any]:
    """Return x with x[0] = 0 and x[j + 1] = decay[j] x[j] + pieces[j]; ``pieces`` real or complex.

    Without ``decay`` it is the cumulative sum.
    """
    if decay is None:
        return np.concatenate((np.zeros(1), np.cumsum(pieces)))
    library = compiled()
    if library is None or pieces.dtype != np.float64:
        # Python floats are ten times faster than numpy scalars; powers of the decay would underflow.
        pairs = zip(decay.tolist(), pieces.tolist(), strict=True)
        return np.array(list(accumulate(pairs, lambda x, pair: pair[0] * x + pair[1], initial=0.0)))
    pieces, total = np.ascontiguousarray(pieces), np.empty(len(pieces) + 1)
    library.scan(len(pieces), *(array.ctypes.data for array in (decay, pieces, total)))
    return total


def _basis(knots: Array, x: Array) -> tuple[NDArray[np.int64], Array]:
    """Evaluate the four basis splines that are not 0 at each point: their first index, and their values.

    De Boor's recursion in the order of SciPy's ``_deBoor_D``; returns shapes (P,) and (P, 4).
    """
    library = compiled()
    if library is not None:
        first, values = np.empty(len(x), np.int64), np.empty((len(x), DEGREE + 1))
        library.basis(len(knots), len(x), *(array.ctypes.data for array in (knots, x, first, values)))
        return first, values
    count = len(knots) - DEGREE - 1
    left = np.clip(np.searchsorted(knots, x, side="right") - 1, DEGREE, count - 1)
    basis = np.zeros((len(x), DEGREE + 1))
    basis[:, 0] = 1.0
    for j in range(1, DEGREE + 1):
        lower = basis[:, :j].copy()
        basis[:, 0] = 0.0
        for n in range(1, j + 1):
            xb, xa = knots[left + n], knots[left + n - j]
            weight = lower[:, n - 1] / (xb - xa)
            basis[:, n - 1] += weight * (xb - x)
            basis[:, n] = weight * (x - xa)
    return (left - DEGREE).astype(np.int64), basis
