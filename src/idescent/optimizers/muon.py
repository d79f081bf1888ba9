"""Muon: momentum with orthogonalised steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, average
from idescent.optimizers.matrices import check_matrix, newton_schulz, polar
from idescent.optimizers.optimizer import Array, Decay, Optimizer


@dataclass(frozen=True)
class Muon(Optimizer):
    r"""Muon (Jordan et al. 2024), as in ``torch.optim.Muon`` in exact arithmetic.

    .. math::
        m_k &= \beta m_{k-1} + (1-\beta) g_k, \qquad x_k = \beta m_k + (1-\beta) g_k, \\
        \theta_k &= (1-\alpha w)\,\theta_{k-1} - \alpha\sqrt{\max(1, r/c)}\;\mathrm{NS}(x_k)

    for matrices of r rows and c columns.  NS is five Newton-Schulz iterations
    :math:`X \leftarrow aX + (bA + cA^2)X` with :math:`A = XX^T`, from :math:`X = x/(\|x\|_F + \varepsilon)`,
    with the authors' coefficients (3.4445, -4.7750, 2.0315).  They move every singular value above 0.2 % of
    the norm into [0.68, 1.21], and do not converge to 1.  ``exact`` replaces NS by the polar factor
    :math:`UV^T` from the singular value decomposition, with singular values
    :math:`\sigma/(\sigma + \varepsilon)`.

    Where libraries differ:

    - ``torch.optim.Muon`` computes NS in bfloat16, and takes the larger of :math:`\|x\|_F` and
      :math:`\varepsilon`, which is the case ``eps = 0`` unless the norm is below :math:`\varepsilon`;
    - ``optax.contrib.muon`` stores the transposed matrix, so its factor is :math:`\sqrt{\max(1, c/r)}` in its
      own rows and columns, and corrects the bias of both terms
      (``corrected``): :math:`x_k = \beta m_k/(1-\beta^{k+1}) + (1-\beta) g_k/(1-\beta^k)`;
    - weight decay is decoupled and scaled by the learning rate in both.

    Without ``nesterov``, :math:`x_k` is :math:`m_k` (over :math:`1-\beta^k` if corrected).  A zero gradient
    gives a zero step; singular values that are 0 remain 0.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns; further axes before them are a stack of matrices, each orthogonalised by itself.
    beta : float in [0, 1)
    eps : float, >= 0
    weight_decay : float, >= 0
        Decoupled, scaled by the learning rate.
    nesterov, corrected, exact : bool

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    shape: Any = field()
    beta: float = 0.95
    eps: float = 1e-7
    weight_decay: float = 0.0
    nesterov: bool = True
    corrected: bool = False
    exact: bool = False
    decay: ClassVar[Decay | None] = "decoupled"
    coefficients: ClassVar[tuple[float, float, float]] = (3.4445, -4.7750, 2.0315)
    iterations: ClassVar[int] = 5

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        check_matrix(self, stack=True)

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the momentum."""
        return {"m": average(self.beta)}

    def step(self, gradient: Array, m: Array, k: int) -> Array:
        """Return the orthogonalised momentum, scaled by the shape of the matrix."""
        x = self._momentum(gradient, m, k)
        rows, columns = self.shape[-2:]
        scale = np.sqrt(max(1.0, rows / columns))
        if self.exact:
            return np.asarray(scale * polar(x, self.eps))
        return np.asarray(scale * newton_schulz(x, self.eps, self.coefficients, self.iterations))

    def _momentum(self, gradient: Array, m: Array, k: int) -> Array:
        # Both corrections are 1 where there is none: the products then change no bit.
        now, following = (1.0 - self.beta**i if self.corrected else 1.0 for i in (k, k + 1))
        if not self.nesterov:
            return m / now
        return self.beta * (m / following) + (1.0 - self.beta) * (gradient / now)
