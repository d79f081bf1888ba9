"""Adamax: Adam with the infinity norm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, average, maximum
from idescent.optimizers.optimizer import Array, Optimizer


@dataclass(frozen=True)
class Adamax(Optimizer):
    r"""Adam with the infinity norm of the gradients (Kingma & Ba 2014, Section 7.1; ``torch.optim.Adamax``).

    .. math::
        m_k = \beta_1 m_{k-1} + (1-\beta_1) g_k, \qquad
        u_k = \max(\beta_2 u_{k-1}, |g_k| + \varepsilon), \qquad
        \theta_k = \theta_{k-1} - \alpha\,\frac{m_k}{(1-\beta_1^k)\,u_k}

    :math:`\varepsilon` is inside the maximum; the source has none.

    Parameters
    ----------
    beta1, beta2 : float in [0, 1)
    eps : float, >= 0

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the first moment and the infinity norm."""

        def size(gradient: Array) -> Array:
            return np.abs(gradient) + self.eps

        return {"m": average(self.beta1), "u": maximum(self.beta2, of=size)}

    def step(self, m: Array, u: Array, k: int) -> Array:
        """Return the corrected first moment over the norm."""
        return m / ((1.0 - self.beta1**k) * u)
