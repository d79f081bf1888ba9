"""NAdam: Adam with Nesterov momentum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, Recursion, average, recursion
from idescent.optimizers.optimizer import Accumulator, Array, Optimizer


@dataclass(frozen=True)
class NAdam(Optimizer):
    r"""Adam with Nesterov momentum (Dozat 2016), as in ``torch.optim.NAdam``.

    .. math::
        m_k &= \beta_1 m_{k-1} + (1-\beta_1) g_k, \qquad v_k = \beta_2 v_{k-1} + (1-\beta_2) g_k^2, \\
        \mu_k &= \beta_1\bigl(1 - \tfrac12\,0.96^{k\psi}\bigr), \qquad P_k = \prod_{i\le k} \mu_i, \\
        \theta_k &= \theta_{k-1} - \alpha\,
            \frac{\frac{1-\mu_k}{1-P_k}\,g_k + \frac{\mu_{k+1}}{1-P_{k+1}}\,m_k}
                    {\sqrt{v_k/(1-\beta_2^k)} + \varepsilon}

    optax has a constant momentum, :math:`\mu_k = \beta_1`.

    Parameters
    ----------
    beta1, beta2 : float in [0, 1)
    eps : float, >= 0
    psi : float, >= 0
        PyTorch's ``momentum_decay``.
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
    psi: float = 4e-3
    accumulator: Accumulator = "coordinate"

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the first and the second moment."""
        return {"m": average(self.beta1), "v": average(self.beta2, of="square")}

    def sequences(self) -> dict[str, Callable[..., Any] | Recursion]:
        """Return the momentum of this iteration and of the next, and the product up to this iteration."""

        def momentum(k: float) -> Any:
            return self.beta1 * (1.0 - 0.5 * 0.96 ** (k * self.psi))

        product = recursion(1.0, lambda product_old, mu: product_old * mu)
        return {"mu": momentum, "next_mu": lambda k: momentum(k + 1), "product": product}

    def step(
        self, gradient: Array, m: Array, v: Array, mu: float, next_mu: float, product: float, k: int
    ) -> Array:
        """Return the first moment with Nesterov momentum over the root of the second moment."""
        direction = (1.0 - mu) / (1.0 - product) * gradient + next_mu / (1.0 - product * next_mu) * m
        return direction / (np.sqrt(v / (1.0 - self.beta2**k)) + self.eps)
