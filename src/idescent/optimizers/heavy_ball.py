"""Heavy ball: gradient descent with momentum."""

from __future__ import annotations

from dataclasses import dataclass

from idescent.optimizers.declared import DeclaredMemory, accumulate
from idescent.optimizers.optimizer import Array, Optimizer


@dataclass(frozen=True)
class HeavyBall(Optimizer):
    r"""Gradient descent with momentum (Polyak 1964), as in ``torch.optim.SGD``.

    .. math:: b_k = \beta b_{k-1} + (1-\tau)\,g_k, \quad b_1 = g_1, \qquad
              \theta_k = \theta_{k-1} - \alpha\,b_k

    Parameters
    ----------
    beta : float in [0, 1)
        PyTorch's ``momentum``.
    dampening : float, >= 0
        :math:`\tau`.  As in PyTorch it has no effect on the first gradient, or if ``beta`` is 0.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta: float = 0.9
    dampening: float = 0.0

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the accumulated gradients."""
        if not (self.beta and self.dampening):
            return {"b": accumulate(self.beta)}

        def damped(gradient: Array) -> Array:
            return (1.0 - self.dampening) * gradient

        # With this start b_1 is the first gradient itself.
        def start(gradient: Array) -> Array:
            return self.dampening / self.beta * gradient

        return {"b": accumulate(self.beta, of=damped, start=start)}

    def step(self, b: Array) -> Array:
        """Return the accumulated gradients."""
        return b
