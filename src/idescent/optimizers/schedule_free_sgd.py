"""Schedule-free gradient descent."""

from __future__ import annotations

from dataclasses import dataclass

from idescent.optimizers.declared import DeclaredMemory, average
from idescent.optimizers.optimizer import Array, Optimizer


@dataclass(frozen=True)
class ScheduleFreeSGD(Optimizer):
    r"""Schedule-free gradient descent (Defazio et al. 2024; the authors' ``schedulefree.SGDScheduleFree``).

    .. math::
        y_k = (1-\beta)\,\theta_{k-1} + \beta x_{k-1}, \qquad
        \theta_k = \theta_{k-1} - \alpha\,\nabla f(y_k), \qquad
        x_k = \bigl(1 - \tfrac1k\bigr) x_{k-1} + \tfrac1k\,\theta_k

    The stored iterate is x; :math:`\theta` is the source's z.  The weights 1/k are those of a
    constant learning rate.

    Parameters
    ----------
    beta : float in [0, 1)
        The authors' ``momentum``.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta: float = 0.9

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the mean of the iterates."""

        def mean(k: float) -> float:
            return 1.0 - 1.0 / k

        def start(theta: Array) -> Array:
            return theta

        return {"x": average(mean, of=lambda theta: theta, read="old", start=start)}

    def point(self, theta: Array, x: Array) -> Array:
        """Return the point at which the gradient is evaluated."""
        return (1.0 - self.beta) * theta + self.beta * x

    def step(self, gradient: Array) -> Array:
        """Return the gradient."""
        return gradient

    def evaluate(self, x: Array) -> Array:
        """Return the mean of the iterates."""
        return x
