"""AdaGrad: Algorithm 1 of the paper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, total
from idescent.optimizers.optimizer import Accumulator, Array, Optimizer


@dataclass(frozen=True)
class AdaGrad(Optimizer):
    r"""AdaGrad (Duchi et al. 2011; Algorithm 1 of the paper).

    .. math:: G_k = G_{k-1} + g_k^2, \qquad
              \theta_k = \theta_{k-1} - \alpha\, g_k / (\sqrt{G_k} + \varepsilon)

    Parameters
    ----------
    eps : float, >= 0
    accumulator : {"coordinate", "norm"}
        One accumulator for each coordinate (all deep-learning libraries), or one for the norm (the paper).

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    eps: float = 1e-8
    accumulator: Accumulator = "coordinate"

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the sum of squares."""
        return {"G": total(of="square")}

    def step(self, gradient: Array, G: Array) -> Array:  # noqa: N803  # the algorithm's name
        """Return the gradient over the root of the sum."""
        return gradient / (np.sqrt(G) + self.eps)
