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
from suite.problems import CellProblem, Problem

Array = NDArray[np.float64]
# Equation (5) is 0/0 at s = 0.
FIRST = 1e-9
# Iterations of the optimizer itself at the start of a half-step model.
START = 8
# D - δ²D/24 + 3δ⁴D/640 - 5δ⁶D/7168 + 35δ⁸D/294912 as weights of D at κ - 4, ..., κ + 4.
SHIFTS = np.arange(-4.0, 5.0)
WEIGHTS = sum(
    c * np.diff(np.eye(9), 2 * j, axis=0)[4 - j]
    for j, c in enumerate((1.0, -1 / 24, 3 / 640, -5 / 7168, 35 / 294912))
)


@dataclass(frozen=True)
class Chain:
    """``y' = slope(s, y)`` from ``y(begin) = start``, theta first; ``breaks`` end a smooth piece each.

    ``first`` has theta after each iteration that the optimizer itself runs before ``begin``.
    """

    begin: float
    start: list[float]
    slope: Callable[[float, Any], list[float]]
    breaks: tuple[float, ...] = ()
    first: tuple[float, ...] = ()


def chain(problem: Problem | CellProblem, gradient: Callable[[float], float]) -> Chain | None:
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
    # exp(-inf) is 0: without a first average its mass is 1.
    log1, log2 = math.log(b1) if b1 else -math.inf, math.log(b2)

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
    def mass(kappa: Any) -> Any:
        """Return the sum of the weights of the second memory."""
        return kappa if summing else 1 - b2**kappa

    def direction(s: float, first: float, second: float) -> float:
        """Return the averaged step for the two normalised memories."""
        second = max(second, 0.0)
        if corrected:
            return first / (math.sqrt(second) + eps)
        return float(WEIGHTS @ (first / (np.sqrt(mass(s + 0.5 + SHIFTS) * second) + eps)))

    def slope(s: float, y: Any) -> list[float]:
        theta = -alpha * direction(s, y[1], y[2])
        # The memories are constant until the middle of the first step after the optimizer's own iterations.
        if s < START + 0.5:
            return [theta, 0.0, 0.0]
        g = gradient(y[0])
        rate2 = 1 / (s + 0.5) if summing else _rate(s + 0.5, b2)
        return [theta, _rate(s + 0.5, b1) * (g - y[1]), rate2 * (g * g - y[2])]

    theta, m, v, rows = theta0, 0.0, 0.0, []
    for k in range(1, START + 2):
        g = gradient(theta)
        m, v = b1 * m + (1 - b1) * g, v + g * g if summing else b2 * v + (1 - b2) * g * g
        if k <= START:
            theta -= alpha * m / (1 - b1**k) / (math.sqrt(v / mass(k) if corrected else v) + eps)
            rows.append(theta)
    start = [theta, m / (1 - b1 ** (START + 1)), v / mass(START + 1)]
    if not corrected:
        return Chain(START, start, slope, (START + 0.5,), tuple(rows))
    # The masses cancel: while the memories are constant, so is the velocity.
    start[0] += 0.5 * slope(START, start)[0]
    return Chain(START + 0.5, start, slope, (), tuple(rows))


def _rate(kappa: float, beta: float) -> float:
    """Return (1 - L')/L of the mean lag L of an average."""
    if beta == 0.0:
        return 2.0
    kept = beta**kappa
    mass = 1 - kept
    lag = (1 + beta) / (2 * (1 - beta)) - kappa * kept / mass
    slope = -kept / mass * (1 + kappa * math.log(beta) / mass)
    return (1 - slope) / lag


def by_hand(problem: Problem | CellProblem, gradient: Callable[[float], float], **options: Any) -> Array:
    """Solve a chain by ``scipy.integrate.solve_ivp``, piece by piece; return theta at all iterations.

    Parameters
    ----------
    problem : Problem or CellProblem
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
    theta = np.array([problem.theta0, *made.first, *[math.nan] * problem.steps])[: problem.steps + 1]
    if problem.steps <= made.begin:
        return theta
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
        whole = found.t == np.round(found.t)
        theta[found.t[whole].astype(int)] = found.y[0, whole]
        at, state = end, found.y[:, -1]
    return theta
