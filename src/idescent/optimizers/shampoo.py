"""Shampoo: preconditioners of rows and columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, total
from idescent.optimizers.matrices import check_matrix, inverse_root, transposed
from idescent.optimizers.optimizer import Array, Optimizer


@dataclass(frozen=True)
class Shampoo(Optimizer):
    r"""Shampoo for matrices (Gupta, Koren & Singer 2018, Algorithm 1).

    .. math::
        L_k &= L_{k-1} + G_k G_k^T, \quad L_0 = \varepsilon I, \qquad
        R_k = R_{k-1} + G_k^T G_k, \quad R_0 = \varepsilon I, \\
        \theta_k &= \theta_{k-1} - \alpha\,L_k^{-1/4} G_k R_k^{-1/4}

    The sums have no decay, momentum, grafting or block structure, and the roots are computed in every
    iteration, from eigenvalues.  Later implementations differ in some of these.  With ``eps = 0`` the roots
    are those of the pseudo-inverse: a zero gradient gives a zero step.  For one row and one column, Shampoo
    is AdaGrad with :math:`\varepsilon` inside the root.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    eps : float, >= 0

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    shape: Any = field()
    eps: float = 1e-4

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        check_matrix(self, stack=False)

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the sums of products of the gradient over columns and over rows."""
        rows, columns = self.shape
        return {
            "L": total(lambda gradient: gradient @ transposed(gradient), start=self.eps * np.eye(rows)),
            "R": total(lambda gradient: transposed(gradient) @ gradient, start=self.eps * np.eye(columns)),
        }

    def step(self, gradient: Array, L: Array, R: Array) -> Array:  # noqa: N803  (names of the source)
        """Return the gradient between the inverse fourth roots."""
        return inverse_root(L, 4, self.eps) @ gradient @ inverse_root(R, 4, self.eps)
