"""Lion: the sign of an interpolated momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, average
from idescent.optimizers.optimizer import Array, Decay, Optimizer


@dataclass(frozen=True)
class Lion(Optimizer):
    r"""Lion (Chen et al. 2023), as in ``optax.lion``.

    .. math::
        \theta_k &= (1-\alpha w)\,\theta_{k-1} - \alpha\,\mathrm{sign}(\beta_1 m_{k-1} + (1-\beta_1) g_k), \\
        m_k &= \beta_2 m_{k-1} + (1-\beta_2) g_k

    Parameters
    ----------
    beta1, beta2 : float in [0, 1)
    weight_decay : float, >= 0
        Decoupled, scaled by the learning rate.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.0
    decay: ClassVar[Decay | None] = "decoupled"

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the momentum, which is updated after the step."""
        return {"m": average(self.beta2, read="old")}

    def step(self, gradient: Array, m: Array) -> Array:
        """Return the sign of the weighted mean of momentum and gradient."""
        return np.sign(self.beta1 * m + (1.0 - self.beta1) * gradient)
