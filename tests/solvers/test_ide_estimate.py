"""The error estimate of the general solver, against equations whose solutions are known in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.special import gamma

from idescent.solvers.ide import IDESolution, solve_ide
from idescent.solvers.quadrature import ExponentialKernel, Gauss, TanhSinh

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Case:
    """y' = F(t, y, I) with its solution; ``options`` are those of the solver."""

    right: Callable[..., Any]
    kernel: Callable[..., Any]
    exact: Callable[[Array], Any]
    start: float = 0.0
    end: float = 1.0
    options: tuple[tuple[str, Any], ...] = ()


def singular(power: float) -> Case:
    """y = t under the kernel (t - s)^-power."""
    share = gamma(1.0 - power) / gamma(3.0 - power)
    return Case(
        lambda t, y, i: 1.0 + i - share * t ** (2.0 - power),
        lambda t, tau, y: (t - tau) ** -power * y,
        lambda t: t,
    )


def layer(rate: float) -> Case:
    """y = cos t under the kernel rate * exp(-rate (t - s)), whose integral tends to y."""

    def memory(t: Array) -> Array:
        return rate * (rate * np.cos(t) + np.sin(t) - rate * np.exp(-rate * t)) / (rate**2 + 1.0)

    return Case(
        lambda t, y, i: -np.sin(t) + i - memory(t),
        lambda t, tau, y: rate * np.exp(-rate * (t - tau)) * y,
        np.cos,
    )


CASES = {
    "linear Volterra": Case(lambda t, y, i: 1.0 - i, lambda t, tau, y: y, np.sin, end=2.0),
    "from another start": Case(
        lambda t, y, i: 1.0 - i, lambda t, tau, y: y, lambda t: np.sin(t - 1.0), start=1.0, end=3.0
    ),
    "nonlinear Volterra": Case(
        lambda t, y, i: -y + i - (1.0 - np.exp(-2.0 * t)) / 2.0, lambda t, tau, y: y**2, lambda t: np.exp(-t)
    ),
    "kernel of both variables": Case(
        lambda t, y, i: 2.0 * t * y + i - (np.exp(t**2) - 1.0) * t / 2.0,
        lambda t, tau, y: t * tau * y,
        lambda t: np.exp(t**2),
    ),
    "linear Fredholm": Case(
        lambda t, y, i: y - 0.5 * t + 1.0 / (1.0 + t) - np.log1p(t) + i / np.log(2.0) ** 2,
        lambda t, tau, y: t / (1.0 + tau) * y,
        np.log1p,
        options=(("upper", 1.0),),
    ),
    "complex": Case(
        lambda t, y, i: 0.5j * (y + 1.0 + 1j * i), lambda t, tau, y: y, lambda t: np.exp(1j * t), end=2.0
    ),
    "oscillation": Case(
        lambda t, y, i: 10.0 - 100.0 * i, lambda t, tau, y: y, lambda t: np.sin(10.0 * t), end=1.0
    ),
    "singular in the middle of the interval": Case(
        lambda t, y, i: 0.1 * (i - 2.0 * (np.sqrt(t) + np.sqrt(1.0 - t))),
        lambda t, tau, y: np.abs(t - tau) ** -0.5 * y,
        np.ones_like,
        options=(("upper", 1.0),),
    ),
    **{f"(t - s)^-{power}": singular(power) for power in (0.25, 0.5, 0.75)},
    **{f"layer of 1/{rate:g}": layer(rate) for rate in (1e1, 1e2, 1e4, 1e6, 1e8)},
}  # fmt: skip
SIZES = (10, 20, 40)
TOLERANCE = 1e-8  # the default


def measure(case: Case, n: int, **options: Any) -> tuple[IDESolution, float]:
    t = np.linspace(case.start, case.end, n + 1)
    exact = case.exact(t[:, None])
    found = solve_ide(case.right, case.kernel, exact[0], t, **dict(case.options) | options)
    return found, float(np.abs(found.y - exact).max())


def check(found: IDESolution, error: float, tolerance: float = TOLERANCE) -> None:
    """The estimate is at least 0.9 and at most 2.6 errors, but for what the sweeps were allowed to leave."""
    assert found.status == "converged"
    assert 0.9 * error <= found.error_estimate <= 2.6 * error + 4.0 * tolerance


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_estimate_covers_the_error_on_every_grid_and_is_not_too_careful(name: str) -> None:
    for n in SIZES:
        check(*measure(CASES[name], n))


@pytest.mark.parametrize("options", [{"ode": "euler"}, {"interpolation": "linear"}], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_it_covers_the_error_of_methods_of_lower_order(name: str, options: dict[str, Any]) -> None:
    check(*measure(CASES[name], 20, **options))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        # one rule misses the layer altogether and believes it is exact
        ("layer of 1/1e+08", {"quadrature": "adaptive"}),
        ("kernel of both variables", {"quadrature": "adaptive"}),
        ("kernel of both variables", {"quadrature": Gauss(3)}),
        ("(t - s)^-0.5", {"quadrature": "tanh-sinh", "nodes": 30}),
        ("layer of 1/1e+08", {"quadrature": "tanh-sinh", "nodes": 30}),
        # as it is in the program that this one follows: steps chosen to three digits
        ("nonlinear Volterra", {"ode_rtol": 1e-3, "tolerance": 1e-3}),
    ],
    ids=str,
)
def test_it_covers_the_error_of_quadratures_and_steps(name: str, options: dict[str, Any]) -> None:
    found, error = measure(CASES[name], 10, **options)
    assert found.status == "converged"
    assert 0.9 * error <= found.error_estimate <= 10.0 * error + 4.0 * options.get("tolerance", TOLERANCE)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6])
def test_it_covers_what_the_sweeps_leave(tolerance: float) -> None:
    # A sweep multiplies errors by 0.9: the distance from the solution is ten times the last change.
    found = solve_ide(
        lambda t, y, i: 1.8 * i - 0.8,
        lambda t, tau, y: y,
        0.0,
        np.linspace(0.0, 1.0, 21),
        upper=1.0,
        tolerance=tolerance,
    )
    # I = c/2 with y = ct, so c = 0.9 c - 0.8
    error = float(np.abs(found.y[:, 0] + 8.0 * found.t).max())
    assert error > tolerance
    assert error <= found.error_estimate <= 3.0 * error


def test_it_covers_the_error_of_exact_quadrature() -> None:
    kernel = ExponentialKernel(np.array([1.0]), np.array([3.0]), lambda y: y)
    for n in SIZES:
        t = np.linspace(0.0, 1.0, n + 1)
        found = solve_ide(
            lambda t, y, i: -2.0 * i - np.exp(-3.0 * t), kernel, 1.0, t, quadrature="exact", tolerance=1e-11
        )
        check(found, float(np.abs(found.y[:, 0] - np.exp(-t)).max()), 1e-11)


@pytest.mark.parametrize(
    ("kernel", "exact", "digits"),
    [
        (lambda t, tau, y: (t - tau) ** -0.5, lambda t: 2.0 * np.sqrt(t), 1e-6),
        (lambda t, tau, y: 1e6 * np.exp(-1e6 * (t - tau)), np.ones_like, 1e-7),
        (lambda t, tau, y: np.log(t - tau), lambda t: t * np.log(t) - t, 1e-11),
        (lambda t, tau, y: np.cos(tau), np.sin, 1e-11),
    ],
    ids=["singular", "layer", "logarithm", "smooth"],
)
def test_the_tanh_sinh_rule_integrates_what_is_singular_or_stiff_at_t(
    kernel: Callable[..., Any], exact: Callable[[Array], Any], digits: float
) -> None:
    t = np.linspace(0.0, 1.0, 41)[1:]
    found = TanhSinh(400)(kernel, lambda x: x[..., None], t, 0.0 * t, t)[:, 0]  # type: ignore[arg-type]
    np.testing.assert_allclose(found, exact(t), atol=digits)


def test_the_tanh_sinh_rule_splits_where_t_is_inside() -> None:
    t = np.linspace(0.0, 1.0, 11)
    kernel = lambda t, tau, y: np.abs(t - tau) ** -0.5  # noqa: E731
    found = TanhSinh(400)(kernel, lambda x: x[..., None], t, 0.0 * t, 0.0 * t + 1.0)[:, 0]  # type: ignore[arg-type]
    np.testing.assert_allclose(found, 2.0 * (np.sqrt(t) + np.sqrt(1.0 - t)), atol=2e-6)


def test_a_search_without_a_solution_has_no_estimate() -> None:
    found, _ = measure(CASES["linear Volterra"], 10, max_sweeps=3)
    assert found.status == "iteration limit"
    assert math.isnan(found.error_estimate)
    assert found.message.startswith("iteration limit: 3 sweeps, last change ")
    assert found.message.endswith("error estimate none")


def test_the_line_for_a_person_says_both_what_the_sweeps_did_and_the_error() -> None:
    found, _ = measure(CASES["(t - s)^-0.5"], 20)
    assert found.message.startswith("converged: ")
    assert found.message.endswith("error estimate 0.0044")


def test_two_points_are_a_grid() -> None:
    found, error = measure(CASES["nonlinear Volterra"], 1)
    assert found.status == "converged"
    assert 0.5 * error <= found.error_estimate <= 3.0 * error
