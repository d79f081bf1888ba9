"""Functions of matrices that optimizers of matrix parameters share.

What lives here: the check of a matrix shape, the polar factor of a matrix, exact and by Newton-Schulz
iterations, and inverse roots of symmetric matrices; the last two axes are the matrix, leading axes are
independent.  What does not: the optimizers that use them (one file each in this folder).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import shown
from idescent.optimizers.optimizer import Array, Optimizer

_EPSILON = float(np.finfo(np.float64).eps)


def check_matrix(optimizer: Optimizer, *, stack: bool) -> None:
    """Refuse a ``shape`` that is not that of a matrix, or of a stack of matrices.

    Parameters
    ----------
    optimizer : Optimizer
    stack : bool
        Whether axes before rows and columns are allowed.

    Raises
    ------
    ValueError
        Names, in one line, the class, the shape and the rule.
    """
    shape = optimizer.shape
    if shape is None or len(shape) < 2 or (len(shape) > 2 and not stack):
        rule = "(rows, columns), or more axes for a stack of matrices" if stack else "(rows, columns)"
        raise ValueError(f"{type(optimizer).__name__}.shape: {shown(shape)} is not allowed: must be {rule}")


def transposed(matrix: Array) -> Array:
    """Return the transpose of the last two axes."""
    return np.swapaxes(matrix, -1, -2)


def newton_schulz(matrix: Array, eps: float, coefficients: Sequence[float], iterations: int) -> Array:
    r"""Approximate the polar factor by iterations with matrix products only.

    .. math:: X \leftarrow X/(\|X\|_F + \varepsilon), \qquad
              X \leftarrow aX + (bA + cA^2)X, \quad A = XX^T

    Parameters
    ----------
    matrix : ndarray, shape (..., m, n)
    eps : float, >= 0
    coefficients : sequence of float
        The numbers a, b and c.
    iterations : int

    Returns
    -------
    ndarray, shape (..., m, n)
        An odd polynomial of each singular value, with the same singular vectors; 0 for the matrix 0, NaN if
        the norm is not finite.
    """
    a, b, c = coefficients
    wide = matrix.shape[-2] <= matrix.shape[-1]
    # The smaller of the two products X X^T and X^T X.
    x = matrix if wide else transposed(matrix)
    norm = np.linalg.norm(x, axis=(-2, -1), keepdims=True) + eps
    # Over an infinite norm, that of finite entries too, a step would be 0 without a message.
    x = np.where(norm < np.inf, x, np.nan) / np.where(norm > 0.0, norm, 1.0)
    for _ in range(iterations):
        product = x @ transposed(x)
        x = a * x + (b * product + c * (product @ product)) @ x
    return x if wide else transposed(x)


def polar(matrix: Array, eps: float) -> Array:
    r"""Return the polar factor of a matrix from its singular value decomposition.

    .. math:: U\,\mathrm{diag}\Bigl(\frac{\sigma_i}{\sigma_i + \varepsilon}\Bigr) V^T

    Parameters
    ----------
    matrix : ndarray, shape (..., m, n)
    eps : float, >= 0
        With 0, singular values that are 0 up to rounding remain 0: their singular vectors are arbitrary.

    Returns
    -------
    ndarray, shape (..., m, n)
        NaN for a matrix that is not finite.
    """
    matrix, valid = _finite(matrix)
    u, sigma, v = np.linalg.svd(matrix, full_matrices=False)
    zero = sigma <= max(matrix.shape[-2:]) * _EPSILON * sigma[..., :1]
    factor = np.where(zero, 0.0, sigma / np.where(zero, 1.0, sigma + eps))
    return np.where(valid, (u * factor[..., None, :]) @ v, np.nan)


def inverse_root(matrix: Array, root: int, least: float) -> Array:
    r"""Return :math:`A^{-1/p}` of a symmetric matrix whose eigenvalues are not below a bound.

    Parameters
    ----------
    matrix : ndarray, shape (..., n, n)
    root : int
        The number p.
    least : float, >= 0
        Lower bound of the eigenvalues, which rounding may violate.  With 0, eigenvalues that are 0 up to
        rounding contribute nothing, as in the pseudo-inverse.

    Returns
    -------
    ndarray, shape (..., n, n)
        NaN for a matrix that is not finite.
    """
    matrix, valid = _finite(matrix)
    values, vectors = np.linalg.eigh(matrix)
    if least > 0.0:
        powers = np.maximum(values, least) ** (-1.0 / root)
    else:
        zero = values <= matrix.shape[-1] * _EPSILON * values[..., -1:]
        powers = np.where(zero, 0.0, np.where(zero, 1.0, values) ** (-1.0 / root))
    return np.where(valid, (vectors * powers[..., None, :]) @ transposed(vectors), np.nan)


def _finite(matrix: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return finite matrices, and which are unchanged: LAPACK raises for others, where a run diverges."""
    valid = np.asarray(np.isfinite(matrix).all(axis=(-2, -1), keepdims=True))
    return np.where(valid, matrix, 0.0), valid
