"""The third-order model of Adam and its variants: the half-step model with a more accurate lag."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idescent.models.averages import bilinear_rate, decoupled_decay
from idescent.models.equation import Equation, LearningRate, Memory
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.ratio import ratio_of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ThirdOrder:
    r"""Third-order model of the bias-corrected optimizers (derivation: ``docs/theory.md``).

    Each memory, in k-time :math:`s = t/\alpha`, is combined with a share of the present gradient that
    corrects its lag:

    .. math::
        M' &= \mu\,(h - M), \quad M(0) = (1-\sqrt\beta)\,h_0, \qquad
        \mu = \frac{6\lambda}{6 - \lambda^2}, \quad \lambda = \frac{2(1-\beta)}{1+\beta}, \\
        y &= \hat M - \kappa(s)\,(h - \hat M), \qquad \hat M = \frac{M}{1-\sqrt\beta\,e^{-\mu s}}, \qquad
        1 + \kappa = \frac{L(s)}{\ell(s)},

    with the lag :math:`\ell` of :math:`\hat M` and a lag L whose average over each step is the discrete lag.
    With :math:`y_1` for the gradient, :math:`y_2` for its square and
    :math:`D(y_1, y_2) = y_1/(\sqrt{y_2} + \varepsilon)`,

    .. math:: \theta' = -\alpha\Bigl[D - \tfrac1{24}\bigl(D_{22}\,\dot y_2^2 +
              2 D_{12}\,\dot y_1\dot y_2\bigr)\Bigr], \qquad \dot y = (h - \hat M)/\ell

    (without the last term in the first step).  To keep the root positive and the last term bounded,
    :math:`y_2` is evaluated as :math:`\hat v/(1+x+x^2)` with :math:`x = \kappa(g^2-\hat v)/\hat v`, and the
    ratio :math:`q = \dot y_2/(\sqrt{y_2}(\sqrt{y_2}+\varepsilon))` as :math:`q/(1+q^2)`: both are equal up to
    third powers of x and q.  No Hessian and no further state are needed.  AdamW and AdamL2 are as in
    :class:`HalfStep`; AdamW's L is longer by :math:`c/12`.

    The moments of a solution are the memories :math:`(1-\beta^k)\hat M(k - \frac12)`, whose lag is too short
    by :math:`\lambda/6` iterations: they are of first order only.

    Raises
    ------
    ValueError
        For AdaGrad and RMSProp, whose first steps differ in length even to leading order, so that no lag
        describes their memories; and if AdamW's ``alpha * weight_decay`` is not below 1.
    """

    name: str = "third-order"
    order: int = 3

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the model's equation for the hyper-parameters of ``optimizer``."""
        ratio = ratio_of(optimizer)
        if ratio is None or not ratio.corrected:
            kind = type(optimizer).__name__
            raise ValueError(f"ThirdOrder: {kind} is not allowed: must be Adam, AdamW or AdamL2")
        eps = ratio.eps
        shrink, push = decoupled_decay(alpha, optimizer.decoupled_decay)
        first, second = Filter(ratio.beta1), Filter(ratio.beta2)

        def later(s: Array) -> Array:
            # Weighted by the decay over a step, the mean point of the step is shrink/12 after its middle.
            return np.where(s > 1.0, shrink / 12.0, 0.0)

        def velocity(s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
            after_first, square, extra = s > 1.0, optimizer.squares(gradient), later(s)
            m, lag1, share1 = first.parts(s, memories[0], extra)
            v, lag2, share2 = second.parts(s, memories[1], extra)
            y1 = m - share1 * (gradient - m)
            # Where the square is far above its average, as after a gradient that began near 0, the plain
            # v - kappa (square - v) would be meaningless.
            x = share2 * (square - v) / np.where(v > 0.0, v, 1.0)
            root = np.sqrt(v / (1.0 + x + x * x))
            bottom = root + eps
            change1 = np.where(after_first, (gradient - m) / lag1, 0.0)
            change2 = np.where(after_first, (square - v) / lag2, 0.0)
            # Where the root is 0 so is the change of v: 0/0 is replaced by 0.
            relative = change2 / np.where(root > 0.0, root * bottom, 1.0)
            relative /= 1.0 + relative * relative
            direction = y1 / bottom
            curvature = relative * (
                relative * (0.25 * direction * bottom / np.where(root > 0.0, root, 1.0) + 0.5 * direction)
                - change1 / bottom
            )
            return -push * alpha * (direction - curvature / 24.0) - shrink * theta

        def mobility(s: Array, memories: Sequence[Array]) -> Array:
            # Without the curvature term, and for a gradient equal to its average.
            share = first.parts(s, memories[0], later(s))[2]
            root = np.sqrt(memories[1] / second.mass(s))
            return np.asarray(push * alpha * (1.0 + share) / (first.mass(s) * (root + eps)))

        return Equation(
            memories=(
                first.memory(ratio.first_name, squared=False, stored=ratio.first is not None),
                second.memory(ratio.second_name, squared=True),
            ),
            velocity=velocity,
            mobility=mobility,
            direction=0,
            coupled_decay=optimizer.coupled_decay,
            moment_offset=-0.5,
            breaks_until=1.0,
        )


class Filter:
    """A memory, and the share of the present gradient that corrects its lag.

    Parameters
    ----------
    beta : float in [0, 1)
        Decay per iteration of the discrete memory.

    Attributes
    ----------
    mean : float
        Mean lag of the long discrete memory.
    rate : float
        Decay rate of the continuous memory.
    """

    def __init__(self, beta: float) -> None:
        self.beta = beta
        bilinear = bilinear_rate(beta)
        self.mean = 1.0 / bilinear
        self.rate = 6.0 * bilinear / (6.0 - bilinear * bilinear)
        self.log = -math.log(beta) if beta > 0.0 else math.inf

    def memory(self, name: str, *, squared: bool, stored: bool = True) -> Memory:
        """Return the memory of the equation."""

        def readout(k: Array) -> Array:
            return np.asarray(-np.expm1(-k * self.log) / self.mass(k - 0.5))

        initial = 1.0 - math.sqrt(self.beta)
        return Memory(
            name, self.rate, self.rate, squared=squared, initial=initial, readout=readout, stored=stored
        )

    def mass(self, s: Array) -> Array:
        """Mass of the memory."""
        return 1.0 - math.sqrt(self.beta) * np.exp(-self.rate * s)

    def lag(self, s: Array) -> Array:
        """Mean lag of the normalised memory."""
        fade = np.exp(-self.rate * s)
        return np.asarray(
            (-np.expm1(-self.rate * s) / self.rate - math.sqrt(self.beta) * s * fade) / self.mass(s)
        )

    def discrete_lag(self, s: Array) -> Array:
        """Mean lag of the discrete memory at ``s = k - 1/2``, by a formula for all s."""
        if self.beta == 0.0:
            return np.full_like(s, 0.5)
        z = self.log * (s + 0.5)
        small = np.abs(z) < 1e-4
        with np.errstate(over="ignore"):
            fading = np.where(small, 1.0 - z / 2.0 + z * z / 12.0, z / np.expm1(np.where(small, 1.0, z)))
        return np.asarray(self.mean - fading / self.log)

    def target(self, s: Array) -> Array:
        """Lag L whose average over step k is the discrete lag; s in the first step, where y is constant."""
        far, near, here, after, late = (self.discrete_lag(s + shift) for shift in (-2.0, -1.0, 0.0, 1.0, 2.0))
        second = after - 2.0 * here + near
        fourth = late - 4.0 * after + 6.0 * here - 4.0 * near + far
        return np.where(s > 1.0, here - second / 24.0 + 3.0 * fourth / 640.0, s)

    def parts(self, s: Array, memory: Array, extra: Array) -> tuple[Array, Array, Array]:
        """Return the normalised memory, its lag, and the share of the present gradient."""
        lag = self.lag(s)
        return memory / self.mass(s), lag, (self.target(s) + extra) / lag - 1.0
