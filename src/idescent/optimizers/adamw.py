"""AdamW: Adam with decoupled weight decay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, average
from idescent.optimizers.optimizer import Accumulator, Array, Decay, Optimizer


@dataclass(frozen=True)
class AdamW(Optimizer):
    r"""Adam with decoupled weight decay (Loshchilov & Hutter 2017; Section 3 of the paper).

    .. math:: \theta_k = (1 - \alpha w')\,\theta_{k-1} - \alpha\,\hat m_k/(\sqrt{\hat v_k} + \varepsilon)

    Parameters
    ----------
    beta1, beta2 : float in [0, 1)
    weight_decay : float, >= 0
        PyTorch's rate :math:`w'`.  The paper writes :math:`(1-w)\theta` with a ``w`` that is not scaled by
        the learning rate: its ``w`` is ``alpha * weight_decay``.  Only a ``w`` proportional to ``alpha`` has
        a limit as ``alpha -> 0``.
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
    decay: ClassVar[Decay | None] = "decoupled"

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the first and the second moment."""
        return {"m": average(self.beta1), "v": average(self.beta2, of="square")}

    def step(self, m: Array, v: Array, k: int) -> Array:
        """Return the corrected first moment over the root of the corrected second."""
        m_hat, v_hat = m / (1.0 - self.beta1**k), v / (1.0 - self.beta2**k)
        return m_hat / (np.sqrt(v_hat) + self.eps)
