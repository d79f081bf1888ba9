"""AdaGrad: Algorithm 1 of the paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from idescent.optimizers.optimizer import Accumulator, Optimizer


@dataclass(frozen=True)
class AdaGrad(Optimizer):
    r"""AdaGrad (Duchi et al. 2011; Algorithm 1 of the paper).

    .. math:: G_k = G_{k-1} + g_k^2, \qquad
              \theta_k = \theta_{k-1} - \alpha\, g_k / (\sqrt{G_k} + \varepsilon)

    Parameters
    ----------
    eps : float, >= 0
    accumulator : {"coordinate", "norm"}
        One accumulator per coordinate (all deep-learning libraries), or one for the norm (the paper).

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    eps: float = 1e-8
    accumulator: Accumulator = "coordinate"
    moments: ClassVar[tuple[str, ...]] = ("G",)
    summing: ClassVar[bool] = True
