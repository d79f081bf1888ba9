"""The models without look-ahead as ordinary equations, written out by hand for any solver of these.

What lives here: for each such problem the state at a first ``s``, its slope, and where the slope jumps.
Nothing of the package's solvers or models is used, so that what SciPy makes of it is an independent
reference.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.optimizers.ratio import ratio_of
from suite.problems import Problem

Array = NDArray[np.float64]
# Equation (5) is 0/0 at s = 0.
FIRST = 1e-9
FROZEN = 30


@dataclass(frozen=True)
class Chain:
    """``y' = slope(s, y)`` from ``y(begin) = start``, theta first; ``breaks`` end a smooth piece each."""

    begin: float
    start: list[float]
    slope: Callable[[float, Any], list[float]]
    breaks: tuple[float, ...] = ()


def chain(problem: Problem, gradient: Callable[[float], float]) -> Chain | None:
    """Return a problem as an ordinary equation, or None for one that looks ahead."""
    optimizer, alpha = problem.optimizer, problem.alpha
    b1, b2, eps, theta0 = ratio_of(optimizer).beta1, ratio_of(optimizer).beta2, optimizer.eps, problem.theta0
    name = problem.model.name
    if name == "momentum":
        return Chain(0.0, [theta0, 0.0], lambda s, y: [-alpha * y[1], (1 - b1) * (gradient(y[0]) - y[1])])
    if name == "paper" and ratio_of(optimizer).corrected:
        return _adam(gradient, theta0, alpha, b1, b2, eps)
    if name == "half-step":
        return _half_step(
            gradient, theta0, alpha, b1, b2, eps, ratio_of(optimizer).sums, ratio_of(optimizer).corrected
        )
    return None


def _adam(gradient: Any, theta0: float, alpha: float, b1: float, b2: float, eps: float) -> Chain:
    log1, log2 = math.log(b1), math.log(b2)

    def slope(s: float, y: Any) -> list[float]:
        g, root = gradient(y[0]), math.sqrt(-math.expm1(s * log2))
        # A trial step may leave the positive numbers.
        direction = root / -math.expm1(s * log1) * y[1] / (math.sqrt(max(y[2], 0.0)) + eps * root)
        return [-alpha * direction, (1 - b1) * (g - y[1]), (1 - b2) * (g * g - y[2])]

    g0 = gradient(theta0)
    start = [theta0, (1 - b1) * g0 * FIRST, (1 - b2) * g0 * g0 * FIRST]
    start[0] += FIRST * slope(FIRST, start)[0]
    return Chain(FIRST, start, slope)


def _half_step(
    gradient: Any,
    theta0: float,
    alpha: float,
    b1: float,
    b2: float,
    eps: float,
    summing: bool,
    corrected: bool,
) -> Chain:
    rate1, rate2 = (2 * (1 - b) / (1 + b) for b in (b1, b2))
    y2 = 0.0 if summing else -math.log(b2)

    def smooth(s: float) -> float:
        x = s + 0.5
        if summing:
            return x + 1 / (16 * x)
        return x + y2 / 24 + y2 / 16 / math.expm1(min(y2 * x, 700.0))

    def slope(s: float, y: Any) -> list[float]:
        g, second = gradient(y[0]), max(y[2], 0.0)
        # ceil(s) within a piece; its right end is for the next one.
        count = math.floor(s) + 1 if s < FROZEN else smooth(s)
        if summing:
            under, feed = count * second / (s + 0.5), g * g
        else:
            under = second / (1 - b2 * math.exp(-rate2 * (s - 0.5)))
            under *= 1.0 if corrected else -math.expm1(-count * y2)
            feed = rate2 * (g * g - y[2])
        first = y[1] / (1 - b1 * math.exp(-rate1 * (s - 0.5)))
        return [-alpha * first / (math.sqrt(under) + eps), rate1 * (g - y[1]), feed]

    # Up to 1/2 all memories are held at the optimizer's first moments, and so is the velocity.
    g0 = gradient(theta0)
    second = g0 * g0 if summing else (1 - b2) * g0 * g0
    under0 = g0 * g0 if summing or corrected else (1 - b2) * g0 * g0
    theta = theta0 - 0.5 * alpha * g0 / (math.sqrt(under0) + eps)
    breaks = () if corrected else tuple(float(k) for k in range(1, FROZEN + 1))
    return Chain(0.5, [theta, (1 - b1) * g0, second], slope, breaks)


def by_hand(problem: Problem, gradient: Callable[[float], float], **options: Any) -> Array:
    """Solve a chain by ``scipy.integrate.solve_ivp``, piece by piece; return theta at all iterations.

    Parameters
    ----------
    problem : Problem
        One that does not look ahead.
    gradient : callable
        Of a float.
    **options
        ``method``, ``rtol``, ``atol``.

    Raises
    ------
    RuntimeError
        If SciPy does not reach the end.
    """
    from scipy.integrate import solve_ivp

    made = chain(problem, gradient)
    if made is None:
        raise RuntimeError(f"{problem.title}: it looks ahead and is no ordinary equation")
    theta = np.full(problem.steps + 1, problem.theta0)
    at, state = made.begin, made.start
    for end in (*(s for s in made.breaks if s < problem.steps), float(problem.steps)):
        last = math.nextafter(end, at)
        found = solve_ivp(
            lambda s, y, last=last: made.slope(min(s, last), y),
            (at, end),
            state,
            t_eval=[k for k in range(math.floor(at) + 1, math.ceil(end)) if at < k < end] + [end],
            **options,
        )
        if not found.success:
            raise RuntimeError(f"{problem.title}: {found.message}")
        theta[np.round(found.t).astype(int)] = found.y[0]
        at, state = end, found.y[:, -1]
    return theta
