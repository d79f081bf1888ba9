"""ADOPT: Adam with the second moment of the previous iteration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, average
from idescent.optimizers.optimizer import Accumulator, Array, Optimizer


@dataclass(frozen=True)
class ADOPT(Optimizer):
    r"""ADOPT (Taniguchi et al. 2024), as in ``optax.contrib.adopt``.

    .. math::
        n_k &= \mathrm{clip}\Bigl(\frac{g_k}{\max(\sqrt{v_{k-1}}, \varepsilon)}, \pm k^{1/4}\Bigr), \qquad
        m_k = \beta_1 m_{k-1} + (1-\beta_1) n_k, \\
        \theta_k &= \theta_{k-1} - \alpha\,m_k, \qquad
        v_k = \beta_2 v_{k-1} + (1-\beta_2) g_k^2, \quad v_0 = g_1^2

    In the source and in optax the first iteration only sets :math:`v_0` and leaves theta unchanged: their
    iterate ``k + 1`` is :math:`\theta_k`.

    Parameters
    ----------
    beta1, beta2 : float in [0, 1)
    eps : float, >= 0
    accumulator : {"coordinate", "norm"}
        Square of each coordinate, or :math:`|g|^2` for all.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta1: float = 0.9
    beta2: float = 0.9999
    eps: float = 1e-6
    accumulator: Accumulator = "coordinate"

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the averages of normalised gradients and of squares; the latter is updated last."""

        def normalised(gradient: Array, v: Array, k: float) -> Array:
            return np.clip(gradient / np.maximum(np.sqrt(v), self.eps), -(k**0.25), k**0.25)

        squares = average(self.beta2, of="square", read="old", start=self.squares)
        return {"m": average(self.beta1, of=normalised), "v": squares}

    def step(self, m: Array) -> Array:
        """Return the average of normalised gradients."""
        return m
