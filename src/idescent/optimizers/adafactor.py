"""Adafactor: a second moment that is a product of row and column means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from idescent.optimizers.declared import DeclaredMemory, average
from idescent.optimizers.matrices import check_matrix
from idescent.optimizers.optimizer import Array, Decay, Optimizer

_EPSILON = float(np.finfo(np.float64).eps)
_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Adafactor(Optimizer):
    r"""Adafactor for matrices (Shazeer & Stern 2018, Algorithm 4), as in ``torch.optim.Adafactor``.

    .. math::
        R_k &= \beta_k R_{k-1} + (1-\beta_k)\,\mathrm{mean}_{\text{columns}}(G_k^2), \qquad
        C_k = \beta_k C_{k-1} + (1-\beta_k)\,\mathrm{mean}_{\text{rows}}(G_k^2), \qquad
        \beta_k = 1 - k^{-\tau}, \\
        V_k &= \frac{R_k C_k}{\max(\mathrm{mean}(R_k), \varepsilon)}, \qquad
        U_k = \frac{G_k}{\max(\sqrt{V_k}, \varepsilon)}, \qquad
        \hat U_k = \frac{U_k}{\max(1, \mathrm{RMS}(U_k)/d)}, \\
        \theta_k &= (1-\alpha w)\,\theta_{k-1}
            - \min\Bigl(\alpha, \frac1{\sqrt k}\Bigr)\max(\mathrm{RMS}(\theta_{k-1}), \varepsilon_2)\,\hat U_k

    All parts of PyTorch's optimizer are declared: the factored second moment, the decay :math:`\beta_k`, the
    clipping by the root mean square (RMS), the scale of the parameters, and the bound :math:`1/\sqrt k` of
    the learning rate.  The bound has an effect from iteration :math:`1/\alpha^2` on.

    Where libraries differ:

    - the source and optax add :math:`\varepsilon` to :math:`G^2` and have no other one;
    - ``optax.adafactor`` computes :math:`\beta_k` in single precision, has no bound :math:`1/\sqrt k`, and
      its weight decay is not scaled by the learning rate; ``scaled = False`` is its
      ``multiply_by_parameter_scale = False``;
    - the first moment, which both the source and optax offer, is not declared.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns; further axes before them are a stack of matrices with second moments of their own.
        Both root mean squares are over all axes, as in PyTorch.
    tau : float, >= 0
        Exponent of the decay; the first :math:`\beta_k` is 0.
    clip : float, > 0
        Threshold d of the root mean square of the step.
    eps : float, >= 0
        By default the spacing of float64 at 1, as in PyTorch.
    eps2 : float, >= 0
        Least scale of the parameters.
    weight_decay : float, >= 0
        Decoupled, scaled by the learning rate without the bound.
    scaled : bool
        Whether the step is scaled by the root mean square of the parameters.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    shape: Any = field()
    tau: float = 0.8
    clip: float = 1.0
    eps: float = _EPSILON
    eps2: float = 1e-3
    weight_decay: float = 0.0
    scaled: bool = True
    decay: ClassVar[Decay | None] = "decoupled"

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        check_matrix(self, stack=True)
        if self.clip == 0.0:
            raise ValueError("Adafactor.clip: 0 is not allowed: must be > 0")

    def memories(self) -> dict[str, DeclaredMemory]:
        """Return the averages of the means over columns, shape (..., r, 1), and rows, shape (..., 1, c)."""

        def rate(k: Any) -> Any:
            return 1.0 - k**-self.tau

        def over_columns(gradient: Array) -> Array:
            return np.asarray((gradient * gradient).mean(axis=-1, keepdims=True))

        def over_rows(gradient: Array) -> Array:
            return np.asarray((gradient * gradient).mean(axis=-2, keepdims=True))

        return {"R": average(rate, of=over_columns), "C": average(rate, of=over_rows)}

    def step(self, gradient: Array, theta: Array, R: Array, C: Array, k: int, alpha: float) -> Array:  # noqa: N803
        """Return the clipped step, scaled by the parameters."""
        # With eps = 0 a gradient that was always 0 would be 0/0.
        eps = max(self.eps, _TINY)
        second = R * C / np.maximum(R.mean(axis=-2, keepdims=True), eps)
        update = gradient / np.maximum(np.sqrt(second), eps)
        factor = np.minimum(1.0, 1.0 / (alpha * np.sqrt(k))) / np.maximum(1.0, self._rms(update) / self.clip)
        if self.scaled:
            factor = factor * np.maximum(self._rms(theta), self.eps2)
        return np.asarray(factor * update)

    def _rms(self, values: Array) -> Array:
        axes = tuple(range(-len(self.shape), 0))
        return np.asarray(np.sqrt((values * values).mean(axis=axes, keepdims=True)))
