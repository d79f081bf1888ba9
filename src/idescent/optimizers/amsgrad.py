"""AMSGrad: Adam with the maximum of its second moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, average, maximum
from idescent.optimizers.optimizer import Accumulator, Array, Optimizer


@dataclass(frozen=True)
class AMSGrad(Optimizer):
    r"""Adam with the largest second moment so far (Reddi et al. 2018; ``torch.optim.Adam(amsgrad=True)``).

    .. math::
        m_k &= \beta_1 m_{k-1} + (1-\beta_1) g_k, \qquad v_k = \beta_2 v_{k-1} + (1-\beta_2) g_k^2, \qquad
        u_k = \max(u_{k-1}, v_k), \\
        \theta_k &= \theta_{k-1} - \alpha\,\frac{m_k/(1-\beta_1^k)}{\sqrt{u_k/(1-\beta_2^k)} + \varepsilon}

    The maximum is taken before the correction of the bias; optax takes it afterwards, and the source has no
    correction.

    Parameters
    ----------
    beta1, beta2 : float in [0, 1)
    eps : float, >= 0
    accumulator : {"coordinate", "norm"}
        Square of each coordinate, or :math:`|g|^2` for all.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    accumulator: Accumulator = "coordinate"

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return both moments, and the largest second moment so far."""
        second = average(self.beta2, of="square")
        return {"m": average(self.beta1), "v": second, "u": maximum(1.0, of=lambda v: v)}

    def step(self, m: Array, u: Array, k: int) -> Array:
        """Return the first moment over the root of the largest second moment."""
        return m / (1.0 - self.beta1**k) / (np.sqrt(u / (1.0 - self.beta2**k)) + self.eps)
