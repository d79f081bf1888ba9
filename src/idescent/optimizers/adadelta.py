"""AdaDelta: steps scaled by the size of earlier steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, average
from idescent.optimizers.optimizer import Array, Optimizer


@dataclass(frozen=True)
class AdaDelta(Optimizer):
    r"""AdaDelta (Zeiler 2012), as in ``torch.optim.Adadelta``.

    .. math::
        v_k &= \beta v_{k-1} + (1-\beta) g_k^2, \qquad
        D_k = \sqrt{\frac{u_{k-1}+\varepsilon}{v_k+\varepsilon}}\;g_k, \qquad
        u_k = \beta u_{k-1} + (1-\beta) D_k^2, \\
        \theta_k &= \theta_{k-1} - \alpha\,D_k

    :math:`\varepsilon` is inside both roots; its source has :math:`\alpha = 1`.

    Parameters
    ----------
    beta : float in [0, 1)
        PyTorch's ``rho``.
    eps : float, >= 0

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta: float = 0.9
    eps: float = 1e-6

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the averages of squared gradients and of squared steps; the latter is updated last."""
        steps = average(self.beta, of=lambda direction: direction * direction, read="old")
        return {"v": average(self.beta, of="square"), "u": steps}

    def step(self, gradient: Array, u: Array, v: Array) -> Array:
        """Return the gradient, scaled by the ratio of the two roots."""
        return np.sqrt(u + self.eps) / np.sqrt(v + self.eps) * gradient
