"""AdamL2: Adam with coupled weight decay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, average
from idescent.optimizers.optimizer import Accumulator, Array, Decay, Optimizer


@dataclass(frozen=True)
class AdamL2(Optimizer):
    r"""Adam on the gradient of an L2-regularised objective (Section 3 of the paper).

    Adam with :math:`g_k = \nabla f(\theta_{k-1}) + w'\,\theta_{k-1}`.

    Parameters
    ----------
    beta1, beta2 : float in [0, 1)
    weight_decay : float, >= 0
        PyTorch's ``weight_decay`` of ``torch.optim.Adam``.  The paper adds :math:`(\lambda/2)\theta`: its
        :math:`\lambda` is ``2 * weight_decay``.
    eps, accumulator
        As for :class:`AdaGrad`.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta1: float
    beta2: float
    weight_decay: float
    eps: float = 1e-8
    accumulator: Accumulator = "coordinate"
    decay: ClassVar[Decay | None] = "coupled"

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the first and the second moment."""
        return {"m": average(self.beta1), "v": average(self.beta2, of="square")}

    def step(self, m: Array, v: Array, k: int) -> Array:
        """Return the corrected first moment over the root of the corrected second."""
        m_hat, v_hat = m / (1.0 - self.beta1**k), v / (1.0 - self.beta2**k)
        return m_hat / (np.sqrt(v_hat) + self.eps)
