"""Gradient descent."""

from __future__ import annotations

from dataclasses import dataclass

from idescent.optimizers.optimizer import Array, Optimizer


@dataclass(frozen=True)
class GradientDescent(Optimizer):
    r"""Gradient descent, without memory.

    .. math:: \theta_k = \theta_{k-1} - \alpha\,g_k

    ``torch.optim.SGD`` without momentum.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    def step(self, gradient: Array) -> Array:
        """Return the gradient."""
        return gradient
