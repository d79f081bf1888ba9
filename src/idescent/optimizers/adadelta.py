"""AdaDelta: steps in units of the steps before."""

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

    :math:`\varepsilon` stands inside both roots; the paper has :math:`\alpha = 1`.

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
        """Return the averages of squared gradients and, read one step late, of squared steps."""
        steps = average(self.beta, of=lambda direction: direction * direction, read="old")
        return {"v": average(self.beta, of="square"), "u": steps}

    def step(self, gradient: Array, u: Array, v: Array) -> Array:
        """Return the gradient in units of the steps before."""
        return np.sqrt(u + self.eps) / np.sqrt(v + self.eps) * gradient
