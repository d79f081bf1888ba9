"""AdamL2: Adam with weight decay as a part of the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from idescent.optimizers.optimizer import Accumulator, Optimizer


@dataclass(frozen=True)
class AdamL2(Optimizer):
    r"""Adam on the gradient of an L2-regularised objective (Section 3 of the paper).

    Adam with :math:`g_k = \nabla f(\theta_{k-1}) + w'\,\theta_{k-1}`.

    Parameters
    ----------
    beta1, beta2 : float in [0, 1)
    weight_decay : float, >= 0
        PyTorch's ``weight_decay`` of ``torch.optim.Adam``.  The paper adds :math:`(\lambda/2)\theta`: its
        :math:`\lambda` is ``2 * weight_decay``.
    eps, accumulator
        As for :class:`AdaGrad`.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    beta1: float
    beta2: float
    weight_decay: float
    eps: float = 1e-8
    accumulator: Accumulator = "coordinate"
    moments: ClassVar[tuple[str, ...]] = ("m", "v")
    bias_correction: ClassVar[bool] = True

    @property
    def coupled_decay(self) -> float:
        """PyTorch's ``weight_decay``."""
        return self.weight_decay
