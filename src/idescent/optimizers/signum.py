"""Signum: the sign of the momentum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, average
from idescent.optimizers.optimizer import Array, Optimizer


@dataclass(frozen=True)
class Signum(Optimizer):
    r"""Signum (Bernstein et al. 2018), as in ``optax.signum``.

    .. math:: m_k = \beta m_{k-1} + (1-\beta) g_k, \qquad \theta_k = \theta_{k-1} - \alpha\,\mathrm{sign}(m_k)

    Parameters
    ----------
    beta : float in [0, 1)

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta: float = 0.9

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the momentum."""
        return {"m": average(self.beta)}

    def step(self, m: Array) -> Array:
        """Return the sign of the momentum."""
        return np.sign(m)
