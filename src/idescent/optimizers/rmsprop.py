"""RMSProp: Algorithm 2 of the paper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, average
from idescent.optimizers.optimizer import Accumulator, Array, Optimizer


@dataclass(frozen=True)
class RMSProp(Optimizer):
    r"""RMSProp (Hinton 2012; Algorithm 2 of the paper).

    .. math:: v_k = \beta v_{k-1} + (1-\beta) g_k^2, \qquad
              \theta_k = \theta_{k-1} - \alpha\, g_k / (\sqrt{v_k} + \varepsilon)

    Parameters
    ----------
    beta : float in [0, 1)
        PyTorch's ``alpha``.
    eps, accumulator
        As for :class:`AdaGrad`.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta: float
    eps: float = 1e-8
    accumulator: Accumulator = "coordinate"

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the average of squares."""
        return {"v": average(self.beta, of="square")}

    def step(self, gradient: Array, v: Array) -> Array:
        """Return the gradient over the root of the average."""
        return gradient / (np.sqrt(v) + self.eps)
