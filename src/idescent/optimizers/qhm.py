"""QHM: quasi-hyperbolic momentum."""

from __future__ import annotations

from dataclasses import dataclass

from idescent.optimizers.declared import DeclaredMemory, average
from idescent.optimizers.optimizer import Array, Optimizer


@dataclass(frozen=True)
class QHM(Optimizer):
    r"""Quasi-hyperbolic momentum (Ma & Yarats 2018).

    .. math:: m_k = \beta m_{k-1} + (1-\beta) g_k, \qquad
              \theta_k = \theta_{k-1} - \alpha\,\bigl[(1-\nu)\,g_k + \nu\,m_k\bigr]

    With :math:`\nu = 1` the step is the average of the gradient, with :math:`\nu = 0` the gradient itself.

    Parameters
    ----------
    beta : float in [0, 1)
    nu : float, >= 0
        The authors recommend 0.7 with ``beta`` 0.999.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta: float = 0.999
    nu: float = 0.7

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the average of the gradient."""
        return {"m": average(self.beta)}

    def step(self, gradient: Array, m: Array) -> Array:
        """Return the weighted mean of the gradient and its average."""
        return (1.0 - self.nu) * gradient + self.nu * m
