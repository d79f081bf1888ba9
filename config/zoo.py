"""An optimizer for the study zoo.yaml: Adam without bias correction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idescent.optimizers import Optimizer, average
from idescent.optimizers.declared import DeclaredMemory

Array = NDArray[np.float64]


@dataclass(frozen=True)
class UncorrectedAdam(Optimizer):
    """Adam without bias correction: theta moves by alpha m / (sqrt(v) + eps)."""

    beta1: float
    beta2: float
    eps: float = 1e-8

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the first and the second moment."""
        return {"m": average(self.beta1), "v": average(self.beta2, of="square")}

    def step(self, m: Array, v: Array) -> Array:
        """Return the average of the gradient over the root of the second moment."""
        return m / (np.sqrt(v) + self.eps)
