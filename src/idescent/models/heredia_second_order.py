"""Heredia's second-order nonlocal Adam: inertia in the parameters and in both moments."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import is_number
from idescent.models.averages import adams
from idescent.models.equation import Equation, HessianVector, LearningRate, Memory
from idescent.models.paper import mass
from idescent.optimizers.optimizer import Optimizer

Array = NDArray[np.float64]


@dataclass(frozen=True)
class HerediaSecondOrder:
    r"""Second-order integro-differential equation of Adam (Heredia 2026).

    .. math::
        \theta'' = -2\Bigl(\theta' + \alpha\,\eta(s)\,\frac{m(s+\ell)}{\sqrt{v(s+\ell)}+\varepsilon(s)}\Bigr),
        \quad \theta'(0) = 0, \\
        \tfrac12 M'' + M' + (1-\beta)M = (1-\beta)h, \quad M(0) = M'(0) = 0, \\
        \eta(s) = \frac{\sqrt{1-\beta_2^s}}{1-\beta_1^s}, \quad \varepsilon(s) =
        \varepsilon\sqrt{1-\beta_2^s}

    Each equation is the discrete one with :math:`X_{k+1} - X_k \approx X' + \tfrac12X''`.  The moments'
    kernel is :math:`\frac{2(1-\beta)}{\kappa}e^{-s}\sinh\kappa s` with :math:`\kappa = \sqrt{2\beta-1}`,
    computed as two exponential memories.  For :math:`\beta < \tfrac12` the hyperbolic sine is a sine: v may
    become negative, and the solution fail.

    Away from the start mean lags agree with the discrete ones.  At the start they do not: the kernel's mass
    is not :math:`1-\beta^s`, so that even for a constant gradient the error is of first order in alpha.

    Source: "From Adam to Adam-like Lagrangians", arXiv 2602.09101.  Confirmed from public code of this model,
    whose author could not be confirmed: kernel, equation of motion (with the opposite sign in that code),
    :math:`\eta` and :math:`\varepsilon(s)`.  Not confirmed: the look-ahead :math:`\ell = 1` (that code reads
    the moments at s, from integrals that begin at s = 1) and :math:`\theta'(0)`.  The source is not known to
    state an order; 1 is derived here.  Moments are not reported.

    Parameters
    ----------
    lookahead : float, >= 0
        :math:`\ell` in iterations.

    Raises
    ------
    ValueError
        For optimizers other than Adam and AdamL2, or a negative look-ahead.
    """

    lookahead: float = 1.0
    name: str = "heredia-second-order"
    order: int = 1

    def __post_init__(self) -> None:
        """Check the look-ahead."""
        if not is_number(self.lookahead) or not 0.0 <= self.lookahead < math.inf:
            raise ValueError(f"HerediaSecondOrder.lookahead: {self.lookahead!r} is not allowed: must be >= 0")

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the equation for Adam, on the regularised gradient for AdamL2."""
        ratio = adams("HerediaSecondOrder", optimizer, "it is an equation of Adam")
        (m1, m2, first), (v1, v2, second) = (
            inertial_average(optimizer, ratio.first_name, ratio.beta1, squared=False),
            inertial_average(optimizer, ratio.second_name, ratio.beta2, squared=True),
        )

        def force(
            s: Array, theta: Array, gradient: Array, memories: Sequence[Array], hessian_vector: HessianVector
        ) -> Array:
            at = s + self.lookahead
            root_mass = np.sqrt(mass(ratio.beta2, s))
            scale = alpha * root_mass / mass(ratio.beta1, s)
            moment, square = first(at, *memories[:2]), second(at, *memories[2:4])
            return -scale * moment / (np.sqrt(square) + ratio.eps * root_mass)

        def mobility(s: Array, memories: Sequence[Array]) -> Array:
            # The velocity is a memory of the force: the equation is not stiff, and plain sweeps converge.
            return np.zeros_like(memories[4])

        def velocity(s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
            return memories[4]

        motion = Memory("velocity", 2.0, 2.0, squared=False, stored=False, source=force, ahead=False)
        return Equation(
            (m1, m2, v1, v2, motion),
            velocity,
            mobility,
            lookahead=self.lookahead,
            coupled_decay=optimizer.coupled_decay,
        )


def inertial_average(
    optimizer: Optimizer, name: str, beta: float, *, squared: bool
) -> tuple[Memory, Memory, Callable[[Array, Array, Array], Array]]:
    r"""Return two memories a and b, and the function of (s, a, b) that combines them to a moment M.

    M is the solution of :math:`\tfrac12M''+M'+(1-\beta)M = (1-\beta)h`.
    """
    gain, kappa = 1.0 - beta, math.sqrt(abs(2.0 * beta - 1.0))

    def memory(rate: float, factor: Callable[[Array], Array] | None = None) -> Memory:
        if factor is None:
            return Memory(name, gain, rate, squared=squared, stored=False)

        def source(
            s: Array, theta: Array, gradient: Array, memories: Sequence[Array], hessian_vector: HessianVector
        ) -> Array:
            return factor(s) * (optimizer.squares(gradient) if squared else gradient)

        return Memory(name, gain, rate, squared=squared, stored=False, source=source)

    if kappa < 1e-3:
        # The kernel with sinh(x)/x = sin(x)/x = 1; the error is below (kappa s)^2 e^{-s}/6.
        return memory(1.0), memory(1.0, lambda s: s), lambda s, a, b: 2.0 * (s * a - b)
    if beta > 0.5:
        # 1 - kappa without cancellation for beta near 1.
        slow = 2.0 * (1.0 - beta) / (1.0 + kappa)
        return memory(slow), memory(1.0 + kappa), lambda s, a, b: (a - b) / kappa
    return (
        memory(1.0, lambda s: np.cos(kappa * s)),
        memory(1.0, lambda s: np.sin(kappa * s)),
        lambda s, a, b: 2.0 / kappa * (np.sin(kappa * s) * a - np.cos(kappa * s) * b),
    )
