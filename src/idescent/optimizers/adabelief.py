"""AdaBelief: Adam with the variance of the gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, accumulate, average
from idescent.optimizers.optimizer import Array, Optimizer


@dataclass(frozen=True)
class AdaBelief(Optimizer):
    r"""Adam with the squared distance of the gradient from its average (Zhuang et al. 2020), as in
    ``optax.adabelief``.

    .. math::
        m_k &= \beta_1 m_{k-1} + (1-\beta_1) g_k, \qquad
        s_k = \beta_2 s_{k-1} + (1-\beta_2)(g_k - m_k)^2 + \varepsilon_r, \\
        \theta_k &= \theta_{k-1} - \alpha\,\frac{m_k/(1-\beta_1^k)}{\sqrt{s_k/(1-\beta_2^k)} + \varepsilon}

    :math:`\varepsilon_r` is added in every iteration and accumulates: after many iterations s contains
    :math:`\varepsilon_r/(1-\beta_2)`.

    Parameters
    ----------
    beta1, beta2 : float in [0, 1)
    eps : float, >= 0
    eps_root : float, >= 0
        :math:`\varepsilon_r`.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-16
    eps_root: float = 1e-16

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the averages of the gradient and of its squared distance from the first average."""

        def squared_distance(gradient: Array, m: Array) -> Array:
            return (1.0 - self.beta2) * (gradient - m) ** 2 + self.eps_root

        return {"m": average(self.beta1), "s": accumulate(self.beta2, of=squared_distance)}

    def step(self, m: Array, s: Array, k: int) -> Array:
        """Return the first moment over the root of the variance."""
        return m / (1.0 - self.beta1**k) / (np.sqrt(s / (1.0 - self.beta2**k)) + self.eps)
