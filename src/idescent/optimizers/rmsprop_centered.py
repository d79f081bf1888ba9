"""RMSProp with the variance of the gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, average
from idescent.optimizers.optimizer import Array, Optimizer


@dataclass(frozen=True)
class CenteredRMSProp(Optimizer):
    r"""RMSProp with the variance of the gradient (Graves 2013), as in
    ``torch.optim.RMSprop(centered=True)``.

    .. math::
        m_k = \beta m_{k-1} + (1-\beta) g_k, \qquad v_k = \beta v_{k-1} + (1-\beta) g_k^2, \qquad
        \theta_k = \theta_{k-1} - \alpha\,\frac{g_k}{\sqrt{v_k - m_k^2} + \varepsilon}

    Parameters
    ----------
    beta : float in [0, 1)
        PyTorch's ``alpha``.
    eps : float, >= 0

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta: float = 0.99
    eps: float = 1e-8

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the averages of the gradient and of its square."""
        return {"m": average(self.beta), "v": average(self.beta, of="square")}

    def step(self, gradient: Array, m: Array, v: Array) -> Array:
        """Return the gradient over the root of the variance."""
        return gradient / (np.sqrt(v - m * m) + self.eps)
