"""The largest eigenvalue of a symmetric matrix from few products with vectors.

What lives here: the Lanczos iteration, which stops at the accuracy asked for.  SciPy's ``eigsh`` (ARPACK)
computes a fixed number of products before it compares the error, and has no result if they are too few.  What
does not: the matrix (:mod:`idescent.analysis.edge`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# A component of a random vector of length 1 is at least this part of 1/sqrt(n) with a probability of 96 %.
_LEAST = 0.05
_BISECTIONS = 60
_ROUNDING = 64.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Eigenvalue:
    """The largest eigenvalue.

    Attributes
    ----------
    value : float
        A lower bound, from the space of the products.
    vector : ndarray, shape (n,)
        Its approximate eigenvector, of length 1.
    error : float
        Largest relative error, with a probability of 96 %; 0 if the products span an invariant subspace.
    products : int
        Number of products with the matrix.
    """

    value: float
    vector: Array
    error: float
    products: int


def largest_eigenvalue(
    product: Callable[[Array], Array], random: Array, most: int, rtol: float, guess: Array | None = None
) -> Eigenvalue:
    r"""Return the largest eigenvalue of a symmetric matrix, by Lanczos with full orthogonalisation.

    The residual r of a Ritz value :math:`\theta` bounds the distance to *some* eigenvalue: the iteration may
    have converged to the second one.  But the largest Ritz vector is proportional to :math:`p(A)\,q`, with
    the start q and with the polynomial that is 1 at :math:`\theta` and 0 at the other Ritz values
    :math:`\theta_i`, all of them smaller.  So for an eigenvalue :math:`\lambda > \theta`, with the components
    c of q along its eigenvector and s along the Ritz vector,

    .. math:: (\lambda - \theta)\,\prod_i \Bigl(1 + \frac{\lambda - \theta}{\theta - \theta_i}\Bigr)
              \leq \frac{r\,s}{c} .

    s is known, and c is at least :math:`0.05/\sqrt n` times the random part of q with a probability of 96 %.
    The iteration stops if this bound of :math:`\lambda - \theta` is below the tolerance.

    Parameters
    ----------
    product : callable
        Product of the matrix with a vector of shape (n,).
    random : ndarray, shape (n,)
        Independent standard normal numbers.
    most : int, >= 1
        Most products.
    rtol : float
        Relative accuracy of the eigenvalue.
    guess : ndarray, shape (n,), optional
        Approximate eigenvector of length 1, to which the random vector is added with the same length.  It is
        not used if ``most`` products span the whole space.
    """
    n = random.size
    start, part = random / np.linalg.norm(random), 1.0
    if guess is not None and n > most:
        start = start + guess
        part = 1.0 / float(np.linalg.norm(start))
    basis = np.empty((min(most, n), n))
    matrix = np.zeros((len(basis), len(basis)))
    basis[0] = part * start
    for j in range(len(basis)):
        image = product(basis[j])
        matrix[j, j] = basis[j] @ image
        # Twice: one pass leaves components of the size of rounding times the cancellation.
        for _ in range(2):
            image = image - basis[: j + 1].T @ (basis[: j + 1] @ image)
        beyond = float(np.linalg.norm(image))
        values, vectors = np.linalg.eigh(matrix[: j + 1, : j + 1])
        value, scale = float(values[-1]), float(np.abs(values).max())
        if j + 1 == n or beyond <= _ROUNDING * scale:
            return Eigenvalue(value, vectors[:, -1] @ basis[: j + 1], 0.0, j + 1)
        residual, along = beyond * abs(float(vectors[-1, -1])), abs(float(vectors[0, -1]))
        excess = _excess(value - values[:-1], residual * along * math.sqrt(n) / (_LEAST * part))
        error = excess / max(abs(value), _ROUNDING * scale)
        if error <= rtol or j + 1 == len(basis):
            break
        basis[j + 1] = image / beyond
        matrix[j, j + 1] = matrix[j + 1, j] = beyond
    return Eigenvalue(value, vectors[:, -1] @ basis[: j + 1], error, j + 1)


def _excess(gaps: Array, limit: float) -> float:
    """Return x with x (1 + x/gap_1) (1 + x/gap_2) ... = limit, from above."""
    low, high = 0.0, limit
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            above = middle * np.prod(1.0 + middle / gaps) > limit
        low, high = (low, middle) if above else (middle, high)
    return high
