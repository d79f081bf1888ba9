"""Cattaneo, Klusowski and Shigida's memoryless equation of Adam, from backward error analysis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from idescent.models.averages import adams, local_gradient
from idescent.models.equation import Equation, HessianVector, LearningRate, Memory
from idescent.optimizers.optimizer import Optimizer

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cattaneo:
    r"""A second-order model without memory (Cattaneo, Klusowski & Shigida 2024).

    With :math:`S = |g|+\varepsilon` (``root="outside"``, as in the optimizers of this package) or
    :math:`S = \sqrt{g^2+\varepsilon}` (``"inside"``, as in the source), and the rate of change
    :math:`D = H\,(g/S)` of the gradient along the path,

    .. math::
        \theta' = -\frac{\alpha}{S}\Bigl[g + \alpha\bigl(L_1+\tfrac12\bigr) D
                  - \alpha\bigl(L_2+\tfrac12\bigr) P\Bigr], \qquad
        P = \frac{|g|}{S}\,D \;\text{ or }\; \frac{g^2}{S^2}\,D

    (with one accumulator for all coordinates :math:`P = g\,(g\cdot D)/(|g|S)` or :math:`g\,(g\cdot D)/S^2`).
    :math:`L_a` is the mean age, in iterations, of the gradients in the corrected moment:
    :math:`\beta/(1-\beta)`, and :math:`\beta/(1-\beta) - k\beta^k/(1-\beta^k)` at iteration k, here at the
    step's mean :math:`k = s+\tfrac12`.

    Derivation: with :math:`g_{k-j} = g_k + j\alpha D + O(\alpha^2)` the moments are
    :math:`\hat m = g + \alpha L_1 D`, :math:`\hat v = g^2 + 2\alpha L_2\,g D`; the terms :math:`\frac12` are
    the leading difference between a flow and its Euler map of step alpha.  For ``"inside"``, one accumulator
    for each coordinate and large k this is the source's equation in terms of
    :math:`\|g\|_{1,\varepsilon} = \sum_i\sqrt{g_i^2+\varepsilon}`.

    The expansion requires :math:`\alpha L_2 |D| \ll |g|`.  Nearer to a minimum its direction changes sign:
    for :math:`\beta_2 > \beta_1` the path is repelled from the minimum.

    Source: "On the implicit bias of Adam", ICML 2024, arXiv 2309.00079.  Confirmed from its abstract: the
    perturbed one-norm, the dependence on hyper-parameters and stage; from a public summary: second order in
    alpha globally.  The formula is derived here, not copied from the source.  RMSProp, whose uncorrected
    start the source treats, too, and weight decay are omitted.  The expansion eliminates both moments.

    Parameters
    ----------
    root : {"outside", "inside"}
        Position of :math:`\varepsilon`.
    stage : bool
        Whether :math:`L` depends on the iteration; otherwise it is its limit for large k.

    Raises
    ------
    ValueError
        For optimizers other than Adam and AdamL2, or another ``root``.
    """

    root: Literal["outside", "inside"] = "outside"
    stage: bool = True
    name: str = "cattaneo"
    order: int = 2

    def __post_init__(self) -> None:
        """Check the position of eps."""
        if self.root not in ("outside", "inside"):
            raise ValueError(f"Cattaneo.root: {self.root!r} is not allowed: must be 'outside' or 'inside'")

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the equation for Adam, on the regularised gradient for AdamL2."""
        ratio = adams("Cattaneo", optimizer, "only its equation of Adam is implemented")
        eps, outside = ratio.eps, self.root == "outside"

        def size(gradient: Array) -> tuple[Array, Array]:
            """Size of the gradient, by coordinate or norm as in ``squares``, and S; neither is 0."""
            square = np.maximum(optimizer.squares(gradient), 1e-300)
            return np.sqrt(square), np.sqrt(square) + eps if outside else np.sqrt(square + eps)

        def change(
            s: Array, theta: Array, gradient: Array, memories: Sequence[Array], hessian_vector: HessianVector
        ) -> Array:
            return hessian_vector(gradient / size(gradient)[1])

        def parts(s: Array, gradient: Array, change: Array) -> tuple[Array, Array]:
            length, scale = size(gradient)
            product = gradient * change
            if optimizer.norm:
                product = product.sum(axis=-1, keepdims=True)
            projected = gradient * product / ((length if outside else scale) * scale)
            first, second = (alpha * (0.5 + self._age(b, s)) for b in (ratio.beta1, ratio.beta2))
            return gradient + first * change - second * projected, scale

        def velocity(s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
            bracket, scale = parts(s, gradient, memories[1])
            return -alpha * bracket / scale

        def mobility(s: Array, memories: Sequence[Array]) -> Array:
            # A central difference with fixed D: accurate where 1/S varies most.
            gradient, fixed_change = memories
            step = 1e-6 * size(gradient)[1]
            ahead, behind = (parts(s, gradient + shift, fixed_change) for shift in (step, -step))
            return alpha * (ahead[0] / ahead[1] - behind[0] / behind[1]) / (2.0 * step)

        memories = (
            local_gradient(),
            Memory("change", 1.0, math.inf, squared=False, initial=1.0, stored=False, source=change),
        )
        return Equation(
            memories,
            velocity,
            mobility,
            coupled_decay=optimizer.coupled_decay,
            eliminates=dict.fromkeys(optimizer.moments, "the velocity contains its expansion in alpha"),
        )

    def _age(self, beta: float, s: Array) -> Array | float:
        """Mean age of the gradients in a corrected moment."""
        endless = beta / (1.0 - beta)
        if not self.stage or beta == 0.0:
            return endless
        k, log = s + 0.5, math.log(beta)
        age: Array = endless + k * np.exp(k * log) / np.expm1(k * log)
        return age
