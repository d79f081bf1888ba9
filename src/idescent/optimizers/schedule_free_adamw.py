"""Schedule-free AdamW."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, average
from idescent.optimizers.optimizer import Accumulator, Array, Optimizer


@dataclass(frozen=True)
class ScheduleFreeAdamW(Optimizer):
    r"""Schedule-free AdamW (Defazio et al. 2024), as in the authors' ``schedulefree.AdamWScheduleFree``.

    .. math::
        y_k &= (1-\beta_1)\,\theta_{k-1} + \beta_1 x_{k-1}, \qquad g_k = \nabla f(y_k), \qquad
        v_k = \beta_2 v_{k-1} + (1-\beta_2) g_k^2, \\
        \theta_k &= \theta_{k-1}
            - \alpha\Bigl[\frac{g_k}{\sqrt{v_k/(1-\beta_2^k)} + \varepsilon} + w\,y_k\Bigr], \qquad
        x_k = \bigl(1 - \tfrac1k\bigr) x_{k-1} + \tfrac1k\,\theta_k

    The stored iterate is x.  Weight decay is evaluated at the point of the gradient; the weights 1/k are
    those of a constant learning rate.

    Parameters
    ----------
    beta1, beta2 : float in [0, 1)
    eps : float, >= 0
    weight_decay : float, >= 0
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
    weight_decay: float = 0.0
    accumulator: Accumulator = "coordinate"

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the second moment and the mean of the iterates."""

        def mean(k: float) -> float:
            return 1.0 - 1.0 / k

        def start(theta: Array) -> Array:
            return theta

        iterates = average(mean, of=lambda theta: theta, read="old", start=start)
        return {"v": average(self.beta2, of="square"), "x": iterates}

    def point(self, theta: Array, x: Array) -> Array:
        """Return the point at which the gradient is evaluated."""
        return (1.0 - self.beta1) * theta + self.beta1 * x

    def step(self, gradient: Array, v: Array, point: Array, k: int) -> Array:
        """Return the gradient over the root of the second moment, plus the decay."""
        scaled = gradient / (np.sqrt(v / (1.0 - self.beta2**k)) + self.eps)
        return scaled + self.weight_decay * point

    def evaluate(self, x: Array) -> Array:
        """Return the mean of the iterates."""
        return x
