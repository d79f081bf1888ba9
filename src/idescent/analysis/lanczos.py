"""The largest eigenvalue of a symmetric matrix from few products with vectors.

What lives here: the Lanczos iteration, which stops at the accuracy asked for.  SciPy's ``eigsh`` (ARPACK)
computes a fixed number of products before it compares the error, and has no result if they are too few.  What
does not: the matrix (:mod:`idescent.analysis.edge`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# The error is estimated, so that the iteration stops at a part of what is allowed.
_SAFETY = 0.1
_ROUNDING = 64.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Eigenvalue:
    """The largest eigenvalue.

    Attributes
    ----------
    value : float
    vector : ndarray, shape (n,)
        Its approximate eigenvector, of length 1.
    error : float
        Estimated relative error of the value; 0 if the products span an invariant subspace.
    products : int
        Number of products with the matrix.
    """

    value: float
    vector: Array
    error: float
    products: int


def largest_eigenvalue(product: Callable[[Array], Array], start: Array, most: int, rtol: float) -> Eigenvalue:
    r"""Return the largest eigenvalue of a symmetric matrix, by Lanczos with full orthogonalisation.

    After j products the largest Ritz value :math:`\theta_1` has a residual of length r.  An eigenvalue is
    within r of it, and within about :math:`r^2/(\theta_1 - \theta_2)` (Parlett, The Symmetric Eigenvalue
    Problem, section 11.7).  The iteration stops if the smaller one is below a tenth of the tolerance.

    Parameters
    ----------
    product : callable
        Product of the matrix with a vector of shape (n,).
    start : ndarray, shape (n,)
        First vector, not 0 and not orthogonal to the eigenvector.
    most : int, >= 1
        Most products.
    rtol : float
        Relative accuracy of the eigenvalue.
    """
    basis = np.empty((min(most, start.size), start.size))
    matrix = np.zeros((len(basis), len(basis)))
    basis[0] = start / np.linalg.norm(start)
    for j in range(len(basis)):
        image = product(basis[j])
        matrix[j, j] = basis[j] @ image
        # Twice: one pass leaves components of the size of rounding times the cancellation.
        for _ in range(2):
            image = image - basis[: j + 1].T @ (basis[: j + 1] @ image)
        beyond = float(np.linalg.norm(image))
        values, vectors = np.linalg.eigh(matrix[: j + 1, : j + 1])
        value, residual = float(values[-1]), beyond * abs(float(vectors[-1, -1]))
        scale = float(np.abs(values).max())
        if j + 1 == start.size or beyond <= _ROUNDING * scale:
            return Eigenvalue(value, vectors[:, -1] @ basis[: j + 1], 0.0, j + 1)
        gap = value - float(values[-2]) if j else 0.0
        error = min(residual, residual**2 / gap if gap > 0.0 else residual) / max(
            abs(value), _ROUNDING * scale
        )
        if error <= _SAFETY * rtol or j + 1 == len(basis) or not np.isfinite(error):
            break
        basis[j + 1] = image / beyond
        matrix[j, j + 1] = matrix[j + 1, j] = beyond
    return Eigenvalue(value, vectors[:, -1] @ basis[: j + 1], error, j + 1)
