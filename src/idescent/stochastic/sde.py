r"""Stochastic differential equations of RMSProp and Adam, solved by the method of Euler and Maruyama.

What lives here: the equations of Malladi et al. and of Compagnoni et al., in k-time :math:`s = t/\alpha`, and
their paths.  What does not: the covariance (:mod:`idescent.stochastic.noise`).

In k-time every iteration has length 1, :math:`g = \nabla f(\theta)` is the full gradient,
:math:`C(\theta)` the covariance of *one stochastic gradient* (for a mini-batch that of a sample divided by
b), and W a Brownian motion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.common.numeric import is_whole
from idescent.discrete.loop import known_ratio
from idescent.discrete.setup import Setup
from idescent.models.equation import felt
from idescent.optimizers.optimizer import Optimizer, check_declared
from idescent.optimizers.ratio import ratio_of
from idescent.schedules import Schedule, factors
from idescent.stochastic.noise import Noise
from idescent.stochastic.runs import Ensemble, Recorder, iterate, run_numbers
from idescent.stochastic.streams import brownian
from idescent.trajectory import Report

Array = NDArray[np.float64]


class Slopes(NamedTuple):
    r"""Drifts per iteration, and the factors of :math:`C^{1/2}\,dW`; shape (R, n) or a number."""

    theta: Array
    theta_noise: Array | float
    first: Array | float
    first_noise: float
    second: Array


class Point(NamedTuple):
    r"""Arguments of an equation's slopes.

    ``rate`` is the learning rate, ``gradient`` the full gradient with its coupled decay, ``variance`` the
    diagonal of C; arrays have shape (R, n).
    """

    s: float
    rate: float
    theta: Array
    first: Array | None
    second: Array
    gradient: Array
    variance: Array


class StochasticEquation(Protocol):
    """A stochastic differential equation of an optimizer."""

    @property
    def name(self) -> str:
        """Name in tables."""

    def check(self, optimizer: Optimizer) -> None:
        """Raise ValueError for an optimizer that the equation does not cover."""

    def slopes(self, optimizer: Optimizer, at: Point) -> Slopes:
        """Return drift and noise at a point."""


@dataclass(frozen=True)
class Malladi:
    r"""The equations of Malladi, Lyu, Panigrahi & Arora 2022.

    .. math::
        \text{RMSProp}\quad d\theta &= -\frac{\alpha}{\sqrt v+\varepsilon}\bigl(g\,ds + C^{1/2}dW\bigr), &
            dv &= (1-\beta)(\mathrm{diag}\,C - v)\,ds, \\
        \text{Adam}\quad d\theta &= -\alpha\,\frac{\sqrt{\gamma_2}}{\gamma_1}\,
            \frac{m}{\sqrt v+\varepsilon\sqrt{\gamma_2}}\,ds, &
            dm &= (1-\beta_1)\bigl((g-m)\,ds + C^{1/2}dW\bigr), \\
            & & dv &= (1-\beta_2)(\mathrm{diag}\,C - v)\,ds, \qquad \gamma_i = 1-e^{-(1-\beta_i)s}

    **Regime.**  The second moment is that of the *noise*: its drift does not contain :math:`g^2`.  In the
    source the noise grows as the learning rate decreases: its standard deviation is
    :math:`\sigma = \sigma_0/\alpha`, :math:`1-\beta = c\,\alpha^2`,
    :math:`\varepsilon = \varepsilon_0/\alpha`, over :math:`T/\alpha^2` iterations (its time is
    :math:`\alpha^2 k`, its state :math:`u = v/\sigma^2`).  There it proves a weak error of first order in
    :math:`\alpha^2`.  Outside this regime, with :math:`g^2` not small against diag C, it states no error.

    **Start.**  With :math:`v = 0` the equations are singular: paths begin with a few iterations of discrete
    runs (``start`` of :func:`simulate_paths`).

    Source: "On the SDEs and Scaling Rules for Adaptive Gradient Algorithms", NeurIPS 2022, arXiv 2205.10287.
    Confirmed from its abstract: equations of RMSProp and Adam with guarantees, the square root scaling rule.
    Confirmed from public code of such equations, whose authors could not be confirmed: drift, diffusion and
    position of :math:`\varepsilon` of both, as those of first order in this regime.  From memory, not
    confirmed from the source's text: the scaling of each parameter, the powers in the theorem, the start.

    Raises
    ------
    ValueError
        For AdaGrad, for weight decay and for an accumulator of the norm.
    """

    name: str = "malladi"

    def check(self, optimizer: Optimizer) -> None:
        """Refuse optimizers and objectives that the source does not treat."""
        _check(self.name, optimizer)
        if optimizer.decoupled_decay or optimizer.coupled_decay:
            raise ValueError(f"{self.name}: {type(optimizer).__name__} is not allowed: it has weight decay")

    def slopes(self, optimizer: Optimizer, at: Point) -> Slopes:
        """Return drift and noise."""
        ratio = known_ratio(optimizer)
        second = (1.0 - ratio.beta2) * (at.variance - at.second)
        if at.first is None:
            mobility = at.rate / (np.sqrt(at.second) + ratio.eps)
            return Slopes(-mobility * at.gradient, -mobility, 0.0, 0.0, second)
        gain = 1.0 - ratio.beta1
        theta = -_adam_mobility(optimizer, at) * at.first
        return Slopes(theta, 0.0, gain * (at.gradient - at.first), gain, second)


@dataclass(frozen=True)
class Compagnoni:
    r"""The equations of Compagnoni et al. 2025.

    .. math::
        \text{RMSProp}\quad d\theta &= -\frac{\alpha}{\sqrt v+\varepsilon}\bigl(g\,ds + C^{1/2}dW\bigr), \\
        \text{Adam, AdamW}\quad d\theta &= -\alpha\,\frac{\sqrt{\gamma_2}}{\gamma_1}\,
            \frac{m + (1-\beta_1)(g-m)}{\sqrt v+\varepsilon\sqrt{\gamma_2}}\,ds - \alpha w'\theta\,ds, \qquad
            dm = (1-\beta_1)\bigl((g-m)\,ds + C^{1/2}dW\bigr), \\
        \text{both}\quad dv &= (1-\beta_2)(g^2 + \mathrm{diag}\,C - v)\,ds, \qquad
            \gamma_i = 1-e^{-(1-\beta_i)s}

    The second moment is that of the whole stochastic gradient.  Adam's drift has the term
    :math:`(1-\beta_1)(g-m)`, because the moment of an iteration already contains its gradient.  Without noise
    RMSProp's equation is that of the paper without the look-ahead.

    **Regime.**  The source has :math:`\beta_i = 1-\alpha\rho_i` with :math:`\rho_i` of order 1 and noise of
    order 1 over :math:`T/\alpha` iterations, and states a weak error of first order in :math:`\alpha`.

    **Start.**  As for :class:`Malladi`.

    Source: "Adaptive Methods through the Lens of SDEs: Theoretical Insights on the Role of Noise", ICLR 2025,
    arXiv 2411.15958.  Confirmed from the same public code as for :class:`Malladi`, as those of first order
    where the noise does not grow: RMSProp's equation, and Adam's except for the term
    :math:`(1-\beta_1)(g-m)`.  From memory, not confirmed from the source's text: this term, the scalings, and
    that AdamW's decay enters as :math:`-\alpha w'\theta`.

    Raises
    ------
    ValueError
        For AdaGrad and for an accumulator of the norm.
    """

    name: str = "compagnoni"

    def check(self, optimizer: Optimizer) -> None:
        """Refuse optimizers and objectives that the source does not treat."""
        _check(self.name, optimizer)

    def slopes(self, optimizer: Optimizer, at: Point) -> Slopes:
        """Return drift and noise."""
        ratio = known_ratio(optimizer)
        second = (1.0 - ratio.beta2) * (at.gradient * at.gradient + at.variance - at.second)
        decay = at.rate * optimizer.decoupled_decay * at.theta
        if at.first is None:
            mobility = at.rate / (np.sqrt(at.second) + ratio.eps)
            return Slopes(-mobility * at.gradient - decay, -mobility, 0.0, 0.0, second)
        gain = 1.0 - ratio.beta1
        change = gain * (at.gradient - at.first)
        theta = -_adam_mobility(optimizer, at) * (at.first + change) - decay
        return Slopes(theta, 0.0, change, gain, second)


def _adam_mobility(optimizer: Optimizer, at: Point) -> Array:
    ratio = known_ratio(optimizer)
    mass1, mass2 = (-np.expm1(-(1.0 - beta) * at.s) for beta in (ratio.beta1, ratio.beta2))
    mobility: Array = at.rate * np.sqrt(mass2) / mass1 / (np.sqrt(at.second) + ratio.eps * np.sqrt(mass2))
    return mobility


def _check(name: str, optimizer: Optimizer) -> None:
    kind = type(optimizer).__name__
    ratio = ratio_of(optimizer)
    if ratio is not None and ratio.sums:
        raise ValueError(f"{name}: {kind} is not allowed: its accumulator is a sum, not an average")
    if optimizer.norm:
        raise ValueError(f"{name}: accumulator = 'norm' is not allowed: must be 'coordinate'")
    if ratio is None or (ratio.first is not None) != ratio.corrected:
        raise ValueError(f"{name}: {kind} is not allowed: must be RMSProp, Adam, AdamW or AdamL2")


def check_covered(equation: StochasticEquation, optimizer: Optimizer) -> None:
    """Compare an equation with the optimizer's declaration.

    Raises
    ------
    ValueError
        If the equation refuses the optimizer, or the drift of theta does not depend on one of its moments or
        its decoupled decay.
    """
    check_declared(optimizer)
    equation.check(optimizer)
    gradient = np.array([[0.5, -1.0], [2.0, 0.25], [-0.75, 1.5]])
    ratio = known_ratio(optimizer)
    first = 0.5 * gradient if ratio.first is not None else None
    still = np.zeros_like(gradient)
    point = Point(40.5, 0.1, still, first, optimizer.squares(gradient) + 0.5, gradient, gradient**2)
    at_rest = point._replace(first=None if first is None else still, gradient=still)
    pairs = {
        ratio.first_name: (point, point._replace(first=None if first is None else -1.5 * first)),
        ratio.second_name: (point, point._replace(second=2.0 * point.second)),
        "theta": (at_rest, at_rest._replace(theta=still + 1.0)),
    }
    with np.errstate(all="ignore"):
        for name in felt(optimizer):
            one, other = (equation.slopes(optimizer, at).theta for at in pairs[name])
            if np.array_equal(one, other):
                raise ValueError(
                    f"{equation.name} does not model {type(optimizer).__name__}: "
                    f"the drift of theta does not depend on {name!r}: "
                    "use it, or refuse the optimizer in check"
                )


def simulate_paths(
    equation: StochasticEquation,
    optimizer: Optimizer,
    noise: Noise,
    *,
    alpha: float,
    theta0: ArrayLike,
    steps: int,
    runs: int,
    seed: int,
    first_run: int = 0,
    start: int = 1,
    substeps: int = 4,
    at: Sequence[int] | None = None,
    observe: Sequence[str] = ("loss", "norm2"),
    schedule: Schedule | None = None,
) -> Ensemble:
    r"""Solve a stochastic differential equation along many paths.

    The first iterations are those of the discrete runs with the same numbers and seed; the others are steps
    of

    .. math:: X_{i+1} = X_i + h\,a(s_i, X_i) + b(s_i, X_i)\,C(\theta_i)^{1/2}\,\Delta W_i, \qquad h = 1/K,

    of weak order 1 in h.  All K refine the same Brownian path, so that the difference of two ensembles
    (:func:`idescent.stochastic.weak.weak_errors`) measures the error in h with little noise; with
    :class:`~idescent.stochastic.noise.Additive` noise the same holds for the model's error.

    Parameters
    ----------
    equation : Equation
        ``Malladi()`` or ``Compagnoni()``.
    optimizer, noise, alpha, theta0, steps, runs, seed, first_run, at, observe, schedule
        As for :func:`idescent.stochastic.runs.simulate_runs`.
    start : int in [1, steps)
        Number of first iterations, computed by the optimizer itself.
    substeps : int, a power of 2
        K.

    Returns
    -------
    Ensemble
        ``report.details`` contains ``start``, ``substeps`` and ``full_gradients``, each evaluated together
        with the covariance.

    Raises
    ------
    ValueError
        If an argument is outside its range or the equation refuses the optimizer.
    """
    setup = Setup.checked(
        optimizer, noise.objective, alpha=alpha, theta0=theta0, steps=steps, schedule=schedule
    )
    numbers = run_numbers(runs, first_run)
    check_covered(equation, optimizer)
    if not is_whole(start) or not 1 <= start < steps:
        raise ValueError(f"start: {start!r} is not allowed: must be an integer in [1, {steps})")
    alpha, steps, start = setup.alpha, setup.steps, int(start)
    recorder = Recorder(noise.objective, observe, at, steps, runs)
    factors(schedule, steps)
    increments = brownian(noise.sources(len(setup.start)), substeps, seed=seed, runs=numbers)
    for state in iterate(replace(setup, steps=start), noise, numbers, seed):
        recorder.take(state.k, state.theta, state.second)
        if state.k:
            next(increments)
    theta, first, second = state.theta, state.first, state.second
    h = 1.0 / substeps
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for k in range(start, steps):
            for i, dw in enumerate(next(increments)):
                s = k + i * h
                rate = alpha if schedule is None else alpha * float(schedule.rate(np.array(s + 0.5 * h)))
                mean, vector, variance = noise.spread(theta, dw)
                gradient = mean + optimizer.coupled_decay * theta
                slope = equation.slopes(optimizer, Point(s, rate, theta, first, second, gradient, variance))
                theta = theta + h * slope.theta + slope.theta_noise * vector
                if first is not None:
                    first = first + h * slope.first + slope.first_noise * vector
                second = second + h * slope.second
            recorder.take(k + 1, theta, second)
    full = (steps - start) * int(substeps) * len(numbers)
    details = {"start": start, "substeps": int(substeps), "full_gradients": full}
    report = Report("", "", start * len(numbers) + full, details=details)
    return recorder.ensemble(alpha, numbers, theta, second, report)
