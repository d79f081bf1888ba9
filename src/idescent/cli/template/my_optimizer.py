"""An optimizer of your own, Adam without bias correction.

Check it with ``idescent check my_optimizer:MyAdam``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idescent.optimizers import Optimizer, average
from idescent.optimizers.declared import DeclaredMemory

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MyAdam(Optimizer):
    """Adam without bias correction: theta moves by alpha m / (sqrt(v) + eps)."""

    beta1: float = 0.9
    beta2: float = 0.99
    eps: float = 1e-8

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the memories: averages of the gradient and of its square."""
        return {"m": average(self.beta1), "v": average(self.beta2, of="square")}

    def step(self, m: Array, v: Array) -> Array:
        """Return the step, which is multiplied by alpha and subtracted."""
        return np.asarray(m / (np.sqrt(v) + self.eps))
