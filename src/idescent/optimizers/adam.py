"""Adam: Algorithm 3 of the paper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, average
from idescent.optimizers.optimizer import Accumulator, Array, Optimizer


@dataclass(frozen=True)
class Adam(Optimizer):
    r"""Adam (Kingma & Ba 2014; Algorithm 3 of the paper).

    .. math::
        m_k &= \beta_1 m_{k-1} + (1-\beta_1) g_k, \qquad v_k = \beta_2 v_{k-1} + (1-\beta_2) g_k^2, \\
        \theta_k &= \theta_{k-1} - \alpha\,\frac{m_k/(1-\beta_1^k)}{\sqrt{v_k/(1-\beta_2^k)} + \varepsilon}

    Parameters
    ----------
    beta1, beta2 : float in [0, 1)
    eps, accumulator
        As for :class:`AdaGrad`.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta1: float
    beta2: float
    eps: float = 1e-8
    accumulator: Accumulator = "coordinate"

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the first and the second moment."""
        return {"m": average(self.beta1), "v": average(self.beta2, of="square")}

    def step(self, m: Array, v: Array, k: int) -> Array:
        """Return the corrected first moment over the root of the corrected second."""
        m_hat, v_hat = m / (1.0 - self.beta1**k), v / (1.0 - self.beta2**k)
        return m_hat / (np.sqrt(v_hat) + self.eps)
