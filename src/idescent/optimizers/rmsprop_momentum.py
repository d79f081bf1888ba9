"""RMSProp with momentum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, accumulate, average
from idescent.optimizers.optimizer import Accumulator, Array, Optimizer


@dataclass(frozen=True)
class MomentumRMSProp(Optimizer):
    r"""RMSProp with accumulated steps, as in ``torch.optim.RMSprop(momentum=...)``.

    .. math::
        v_k = \beta v_{k-1} + (1-\beta) g_k^2, \qquad
        b_k = \mu b_{k-1} + \frac{g_k}{\sqrt{v_k} + \varepsilon}, \qquad
        \theta_k = \theta_{k-1} - \alpha\,b_k

    Parameters
    ----------
    beta : float in [0, 1)
        PyTorch's ``alpha``.
    beta1 : float in [0, 1)
        :math:`\mu`, PyTorch's ``momentum``.
    eps : float, >= 0
    accumulator : {"coordinate", "norm"}
        Square of each coordinate, or :math:`|g|^2` for all.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta: float = 0.99
    beta1: float = 0.9
    eps: float = 1e-8
    accumulator: Accumulator = "coordinate"

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the average of squares and the accumulated steps."""

        def scaled(gradient: Array, v: Array) -> Array:
            return gradient / (np.sqrt(v) + self.eps)

        return {"v": average(self.beta, of="square"), "b": accumulate(self.beta1, of=scaled)}

    def step(self, b: Array) -> Array:
        """Return the accumulated steps."""
        return b
