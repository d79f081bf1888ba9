"""The largest stable curvature of declared optimizers: closed forms, companion matrices and real runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import idescent as ide
from idescent.analysis.limits import Linearised
from idescent.optimizers.declared import accumulate, average

ALPHA, LATE, N = 0.01, 100_000, 3
BETA = 0.9


class Parabola:
    """One curvature in every direction."""

    def __init__(self, curvature: float) -> None:
        self.curvature = curvature

    def value(self, theta: Any) -> Any:
        return 0.5 * self.curvature * (theta * theta).sum(axis=-1)

    def gradient(self, theta: Any) -> Any:
        return self.curvature * theta


def stable_curvature(optimizer: Any, k: int = LATE, alpha: float = ALPHA, **memories: float) -> np.ndarray:
    """Largest stable curvature of each coordinate; the slow memories differ between coordinates."""
    linearised = Linearised(optimizer)
    values = {name: memories[name] * np.array([1.0, 4.0, 0.25]) for name in linearised.slow}
    return 1.0 / linearised.limit(k, alpha, np.array([0.5, -1.0, 2.0]), values).sensitivity


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (ide.GradientDescent(), 2.0),
        (ide.HeavyBall(BETA), 2.0 * (1.0 + BETA)),
        (ide.HeavyBall(BETA, dampening=0.3), 2.0 * (1.0 + BETA) / 0.7),
        (ide.Nesterov(BETA), 2.0 * (1.0 + BETA) / (1.0 + 2.0 * BETA)),
        (ide.QHM(BETA, nu=1.0), 2.0 * (1.0 + BETA) / (1.0 - BETA)),
        (ide.QHM(BETA, nu=0.0), 2.0),
    ],
)
def test_the_limit_of_linear_optimizers_is_the_closed_form(optimizer: Any, expected: float) -> None:
    assert stable_curvature(optimizer) * ALPHA == pytest.approx(np.full(N, expected), rel=1e-12)


ROOTS = np.sqrt(0.09 * np.array([1.0, 4.0, 0.25]))


@pytest.mark.parametrize(
    ("optimizer", "momentum"),
    [
        (ide.RMSProp(0.99, eps=1e-3), 0.0),
        (ide.AdaGrad(eps=1e-3), 0.0),
        (ide.Adam(BETA, 0.99, eps=1e-3), BETA),
        (ide.AdamL2(BETA, 0.99, 0.1, eps=1e-3), BETA),
        (ide.AMSGrad(BETA, 0.99, eps=1e-3), BETA),
        (ide.AdaBelief(BETA, 0.99, eps=1e-3), BETA),
    ],
)
def test_the_limit_of_adaptive_optimizers_is_that_of_their_denominators(
    optimizer: Any, momentum: float
) -> None:
    expected = 2.0 * (1.0 + momentum) / (1.0 - momentum) * (ROOTS + 1e-3)
    found = stable_curvature(optimizer, v=0.09, G=0.09, u=0.09, s=0.09)
    assert found * ALPHA == pytest.approx(expected, rel=1e-12)


def test_before_the_bias_is_corrected_the_limit_is_that_of_the_longer_step() -> None:
    for k in (1, 5):
        mass = 1.0 - BETA**k
        root = np.sqrt(0.09 * np.array([1.0, 4.0, 0.25]) / (1.0 - 0.99**k))
        expected = 2.0 * (1.0 + BETA) / (1.0 - BETA) * mass * root
        found = stable_curvature(ide.Adam(BETA, 0.99, eps=0.0), k=k, v=0.09)
        assert found * ALPHA == pytest.approx(expected, rel=1e-12)


def test_other_adaptive_optimizers_have_their_own_denominators() -> None:
    unity = 2.0 * (1.0 + BETA)
    scales = np.array([1.0, 4.0, 0.25])
    cases = [
        (ide.Adamax(BETA), {"u": 0.3}, unity / (1.0 - BETA) * 0.3 * scales),
        (ide.MomentumRMSProp(0.99, BETA, eps=0.0), {"v": 0.09}, unity * ROOTS),
        (ide.ADOPT(BETA, 0.99), {"v": 0.09}, unity / (1.0 - BETA) * ROOTS),
        (
            ide.CenteredRMSProp(0.99, eps=0.0),
            {"v": 0.5, "m": 0.1},
            2.0 * np.sqrt(0.5 * scales - 0.01 * scales**2),
        ),
        (ide.AdaDelta(0.9, eps=0.0), {"v": 0.5, "u": 0.02}, np.full(N, 2.0 * np.sqrt(0.5 / 0.02))),
    ]
    for optimizer, memories, expected in cases:
        assert stable_curvature(optimizer, **memories) * ALPHA == pytest.approx(expected, rel=1e-12)


def test_decoupled_weight_decay_lowers_the_limit() -> None:
    # The root at -1 needs 2 - alpha w = alpha h (1 - beta1) / (1 + beta1).
    optimizer = ide.AdamW(BETA, 0.99, weight_decay=5.0, eps=0.0)
    expected = (2.0 - ALPHA * 5.0) * (1.0 + BETA) / (1.0 - BETA) * ROOTS
    assert stable_curvature(optimizer, v=0.09) * ALPHA == pytest.approx(expected, rel=1e-12)


def largest_root(coefficients: Callable[[float], list[float]]) -> float:
    """Smallest curvature at which a root of the characteristic polynomial reaches the unit circle."""
    radius = lambda h: float(np.abs(np.roots(coefficients(h))).max())  # noqa: E731
    # A scan first, as the radius need not be monotone; it is 1 at h = 0.
    grid = np.linspace(0.0, 60.0, 6001)[1:]
    first = next(i for i, h in enumerate(grid) if radius(h) > 1.0 + 1e-9)
    left, right = grid[first - 1], grid[first]
    for _ in range(60):
        middle = 0.5 * (left + right)
        left, right = (left, middle) if radius(middle) > 1.0 else (middle, right)
    return 0.5 * (left + right)


def momentum_polynomial(fresh: float, held: float, beta: float) -> Callable[[float], list[float]]:
    """Characteristic polynomial of D = fresh g + held m with an average m, for alpha h = x."""
    return lambda x: [
        1.0,
        -(1.0 + beta) + x * (fresh + held * (1.0 - beta)),
        beta - x * fresh * beta,
    ]


@pytest.mark.parametrize(("beta", "nu"), [(0.9, 0.7), (0.999, 0.7), (0.5, 1.3), (0.9, 4.0)])
def test_the_limit_of_qhm_is_that_of_its_companion_matrix(beta: float, nu: float) -> None:
    expected = largest_root(momentum_polynomial(1.0 - nu, nu, beta))
    assert stable_curvature(ide.QHM(beta, nu)) * ALPHA == pytest.approx(np.full(N, expected), rel=1e-8)


@pytest.mark.parametrize("k", [3, 50, 2000])
def test_the_limit_of_nadam_is_that_of_its_companion_matrix(k: int) -> None:
    optimizer = ide.NAdam(BETA, 0.99, eps=0.0)
    mu = [BETA * (1.0 - 0.5 * 0.96 ** (i * 4e-3)) for i in range(1, k + 2)]
    product = np.cumprod(mu)
    fresh, held = (1.0 - mu[k - 1]) / (1.0 - product[k - 1]), mu[k] / (1.0 - product[k])
    expected = largest_root(momentum_polynomial(fresh, held, BETA)) * ROOTS / np.sqrt(1.0 - 0.99**k)
    assert stable_curvature(optimizer, k=k, v=0.09) * ALPHA == pytest.approx(expected, rel=1e-8)


@dataclass(frozen=True)
class Late(ide.Optimizer):
    """A step along the momentum before this iteration: a pair of complex roots reaches the circle."""

    beta: float = 0.5

    def memories(self) -> dict[str, Any]:
        return {"m": average(self.beta, read="old")}

    def step(self, m: Any) -> Any:
        return m


@pytest.mark.parametrize("beta", [0.2, 0.5, 0.95])
def test_a_pair_of_complex_roots_may_reach_the_circle_first(beta: float) -> None:
    # (z - 1)(z - beta) + alpha h (1 - beta): the product of the roots is 1 at alpha h = 1.
    assert stable_curvature(Late(beta)) * ALPHA == pytest.approx(np.ones(N), rel=1e-10)


@pytest.mark.parametrize(
    "optimizer",
    [
        ide.GradientDescent(),
        ide.HeavyBall(0.8),
        ide.Nesterov(0.7),
        ide.QHM(0.9, 0.7),
        Late(0.3),
        # With tiny gradients the denominator is eps: these are linear, too.
        ide.Adam(0.8, 0.9, eps=1.0),
        ide.AdamW(0.8, 0.9, 2.0, eps=1.0),
        ide.AdamL2(0.8, 0.9, 2.0, eps=1.0),
        ide.MomentumRMSProp(0.9, 0.6, eps=1.0),
    ],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_runs_decay_below_the_limit_and_grow_above_it(optimizer: Any) -> None:
    alpha, steps = 0.125, 1200
    linearised = Linearised(optimizer)
    zeros = {name: np.zeros(1) for name in linearised.slow}
    limit = linearised.limit(LATE, alpha, np.zeros(1), zeros)
    for factor, grows in ((0.98, False), (1.02, True)):
        # Coupled weight decay is part of the curvature.
        curvature = factor / float(limit.sensitivity[0]) - optimizer.coupled_decay
        run = ide.simulate(optimizer, Parabola(curvature), alpha=alpha, theta0=1e-150, steps=steps)
        sizes = np.abs(run.theta[:, 0])
        growth = (sizes[-100:].max() / sizes[-1100:-1000].max()) ** (1.0 / 1000.0)
        assert (growth > 1.0) == grows
        # The largest of 100 iterations is a part of the amplitude of an oscillation.
        assert growth == pytest.approx(limit.radius(factor), rel=5e-4)


def test_memories_are_fast_or_slow() -> None:
    cases = [
        (ide.Adam(0.9, 0.99), ("m",), ("v",)),
        (ide.AdaBelief(), ("m",), ("s",)),
        (ide.CenteredRMSProp(), (), ("m", "v")),
        (ide.AMSGrad(), ("m",), ("v", "u")),
        (ide.ADOPT(), ("m",), ("v",)),
        (ide.AdaDelta(), (), ("v", "u")),
        (ide.ScheduleFreeAdamW(weight_decay=0.1), ("x",), ("v",)),
        (ide.Adafactor(shape=(2, 3)), (), ("R", "C")),
    ]
    for optimizer, fast, slow in cases:
        linearised = Linearised(optimizer)
        assert (linearised.fast, linearised.slow) == (fast, slow), optimizer


def test_adafactor_has_the_denominators_of_its_rows_and_columns() -> None:
    optimizer = ide.Adafactor(shape=(2, 3), scaled=False)
    rows, columns = np.array([0.5, 2.0]), np.array([1.0, 0.25, 0.75])
    limit = Linearised(optimizer).limit(LATE, 1e-4, np.ones(6), {"R": rows, "C": columns})
    denominators = np.sqrt(np.outer(rows, columns) / rows.mean()).ravel()
    assert 1e-4 / limit.sensitivity == pytest.approx(2.0 * denominators, rel=1e-12)


def test_the_average_of_iterates_is_part_of_the_iteration() -> None:
    # Schedule-free: y = (1 - beta) z + beta x, and x hardly moves late in the run.
    assert stable_curvature(ide.ScheduleFreeSGD(0.9)) * ALPHA == pytest.approx(np.full(N, 20.0), rel=1e-3)


@dataclass(frozen=True)
class Frictionless(ide.Optimizer):
    """A momentum without decay."""

    def memories(self) -> dict[str, Any]:
        return {"b": accumulate(1.0)}

    def step(self, b: Any) -> Any:
        return b


def test_without_friction_the_limit_is_that_of_the_leapfrog() -> None:
    assert stable_curvature(Frictionless()) * ALPHA == pytest.approx(np.full(N, 4.0), rel=1e-10)


@dataclass(frozen=True)
class Ascent(ide.Optimizer):
    """A step up."""

    def step(self, gradient: Any) -> Any:
        return -gradient


@dataclass(frozen=True)
class Saddle(ide.Optimizer):
    """A step down in one half of the coordinates, and up in the others."""

    def step(self, gradient: Any) -> Any:
        return np.where(np.arange(gradient.shape[-1]) % 2, -1.0, 1.0) * gradient


@dataclass(frozen=True)
class Still(ide.Optimizer):
    """No step."""

    def step(self, gradient: Any) -> Any:
        return 0.0 * gradient


@dataclass(frozen=True)
class Uneven(ide.Optimizer):
    """A momentum for one half of the coordinates."""

    def memories(self) -> dict[str, Any]:
        return {"m": average(0.9)}

    def step(self, gradient: Any, m: Any) -> Any:
        half = np.arange(m.shape[-1]) % 2
        return half * m + (1 - half) * gradient


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (ide.Lion(), "has a sign, a norm or another function"),
        (ide.Signum(), "has a sign, a norm or another function"),
        (ide.Muon(shape=(1, 3)), "its step"),
        (ide.Shampoo(shape=(1, 3)), "mixes coordinates"),
        (Ascent(), "at k = 100000 every curvature is unstable"),
        (Uneven(), "differs between coordinates in more than a positive factor"),
        (Saddle(), "differs between coordinates in more than a positive factor"),
        (Still(), "does not respond to the gradient at k = 100000"),
    ],
)
def test_a_step_without_a_limit_is_refused(optimizer: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{type(optimizer).__name__}: .*{message}") as error:
        stable_curvature(optimizer)
    assert "\n" not in str(error.value)
