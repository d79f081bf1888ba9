"""Nesterov's accelerated gradient."""

from __future__ import annotations

from dataclasses import dataclass

from idescent.optimizers.declared import DeclaredMemory, accumulate
from idescent.optimizers.optimizer import Array, Optimizer


@dataclass(frozen=True)
class Nesterov(Optimizer):
    r"""Nesterov's accelerated gradient, as in ``torch.optim.SGD(nesterov=True)``.

    .. math:: b_k = \beta b_{k-1} + g_k, \qquad \theta_k = \theta_{k-1} - \alpha\,(g_k + \beta b_k)

    :math:`\theta` is the point at which the gradient is evaluated, that is, after the momentum.

    Parameters
    ----------
    beta : float in [0, 1)
        PyTorch's ``momentum``.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta: float = 0.9

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the accumulated gradients."""
        return {"b": accumulate(self.beta)}

    def step(self, gradient: Array, b: Array) -> Array:
        """Return the gradient plus the decayed sum of gradients."""
        return gradient + self.beta * b
