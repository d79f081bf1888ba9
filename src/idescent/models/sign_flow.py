"""The limit of vanishing learning rate: the sign of the gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idescent.models.averages import local_gradient, refusal, structure
from idescent.models.equation import Equation, LearningRate
from idescent.models.local import HeldRoot
from idescent.optimizers.optimizer import Optimizer

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SignFlow:
    r"""Sign gradient flow, smoothed by the optimizer's eps (Ma, Wu & E 2022).

    .. math:: \theta' = -\alpha\,\frac{g}{|g|+\varepsilon} - \alpha w'\theta

    The limit of RMSProp and Adam for :math:`\alpha\to0` at fixed :math:`\beta`, in which every average is its
    present value: of first order in alpha as long as the gradient does not vanish.  With one accumulator for
    all coordinates :math:`|g|` is the Euclidean norm.  The limit eliminates both moments.

    Source: "A qualitative study of the dynamic behavior for adaptive gradient algorithms", MSML 2022.
    Confirmed from its abstract: this limit is its subject.  The smoothing and the weight decay are this
    package's own.

    Raises
    ------
    ValueError
        For AdaGrad, whose accumulator grows without bound and which has another limit.
    """

    name: str = "sign-flow"
    order: int = 1

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the flow for ``optimizer``."""
        ratio = structure("SignFlow", optimizer)
        if ratio.sums:
            raise refusal("SignFlow", optimizer, "its accumulator is a sum, not an average")
        decay = alpha * optimizer.decoupled_decay
        root = HeldRoot(optimizer, ratio.eps, 0.0, 1.0)

        def mobility(s: Array, memories: Sequence[Array]) -> Array:
            return alpha * root.slope(memories[0], np.zeros(1))

        def velocity(s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
            return -alpha * root.direction(gradient, np.zeros(1)) - decay * theta

        return Equation(
            (local_gradient(),),
            velocity,
            mobility,
            coupled_decay=optimizer.coupled_decay,
            eliminates=dict.fromkeys(optimizer.moments, "for alpha to 0 each average is its present value"),
        )
