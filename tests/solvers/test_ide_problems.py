"""The general solver against equations whose solutions are known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from idescent.solvers.ide import IDESolution, solve_ide
from idescent.solvers.quadrature import ExponentialKernel

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Problem:
    """y' = F(t, y, I) on [0, end] with I from ``lower`` to ``upper`` (functions of t and the spacing)."""

    right: Callable[..., Any]
    kernel: Callable[..., Any]
    exact: Callable[[Array], Any]
    end: float = 1.0
    lower: Callable[[Array], Any] = lambda t: 0.0 * t
    upper: Callable[[Array, float], Any] = lambda t, h: t
    method: str = "rk45"
    ahead: bool = False


def _log(t: Array) -> Array:
    return np.log1p(t)


PROBLEMS = {
    # differentiated once: y'' = -y
    "linear Volterra": Problem(lambda t, y, i: 1.0 - i, lambda t, tau, y: y, np.sin, end=2.0),
    # with y = exp(-t) the memory is (1 - exp(-2t))/2 and cancels
    "nonlinear Volterra": Problem(
        lambda t, y, i: -y + i - (1.0 - np.exp(-2.0 * t)) / 2.0, lambda t, tau, y: y**2, lambda t: np.exp(-t)
    ),
    # the example of the original IDESolver's documentation
    "linear Fredholm": Problem(
        lambda t, y, i: y - 0.5 * t + 1.0 / (1.0 + t) - _log(t) + i / np.log(2.0) ** 2,
        lambda t, tau, y: t / (1.0 + tau) * y,
        _log,
        upper=lambda t, h: np.ones_like(t),
    ),
    "nonlinear Fredholm": Problem(
        lambda t, y, i: y + 0.2 * (i - t * (np.exp(2.0) - 1.0) / 2.0),
        lambda t, tau, y: t * y**2,
        np.exp,
        upper=lambda t, h: np.ones_like(t),
    ),
    "stiff Volterra": Problem(
        lambda t, y, i: (
            -1e4 * (y - np.cos(t)) - np.sin(t) + 1e4 * (i - (np.cos(t) + np.sin(t) - np.exp(-t)) / 2.0)
        ),
        lambda t, tau, y: np.exp(-(t - tau)) * y,
        np.cos,
        method="radau",
    ),
    "system": Problem(
        lambda t, y, i: (
            np.concatenate((-i[..., :1] - y[..., 1:], 1.0 - i[..., 1:] + y[..., :1]), axis=-1) / 2.0
        ),
        lambda t, tau, y: y,
        lambda t: np.concatenate((np.cos(t), np.sin(t)), axis=-1),
        end=2.0,
    ),
    "complex": Problem(
        lambda t, y, i: 0.5j * (y + 1.0 + 1j * i), lambda t, tau, y: y, lambda t: np.exp(1j * t), end=2.0
    ),
    "both limits move": Problem(
        lambda t, y, i: -y + 0.5 * (i - np.exp(-t / 2.0) + np.exp(-t)),
        lambda t, tau, y: y,
        lambda t: np.exp(-t),
        end=2.0,
        lower=lambda t: t / 2.0,
    ),
    "kernel of both variables": Problem(
        lambda t, y, i: 2.0 * t * y + i - (np.exp(t**2) - 1.0) * t / 2.0,
        lambda t, tau, y: t * tau * y,
        lambda t: np.exp(t**2),
    ),
    # as the paper's look-ahead: the memory one step further than t
    "memory one step ahead": Problem(
        lambda t, y, i: -(1.0 - i),
        lambda t, tau, y: y,
        lambda t: np.exp(-t),
        upper=lambda t, h: t + h,
        ahead=True,
    ),
}


def measure(
    problem: Problem, n: int, ode: str, interpolation: str = "cubic", **options: Any
) -> tuple[IDESolution, float]:
    t = np.linspace(0.0, problem.end, n + 1)
    h = t[1]
    right = problem.right
    if problem.ahead:
        right = lambda t, y, i: -np.exp(h) * (1.0 - i)  # noqa: E731
    exact = problem.exact(t[:, None])
    found = solve_ide(
        right,
        problem.kernel,
        exact[0],
        t,
        lower=problem.lower,
        upper=lambda x: problem.upper(x, h),
        ode=ode,  # type: ignore[arg-type]
        interpolation=interpolation,  # type: ignore[arg-type]
        **{"nodes": 64, "tolerance": 1e-11, "max_sweeps": 100, **options},
    )
    return found, float(np.abs(found.y - exact).max())


SMOOTH = [name for name, problem in PROBLEMS.items() if problem.method == "rk45"]


def orders(name: str, sizes: list[int], ode: str, interpolation: str = "cubic", **options: Any) -> Array:
    """Pairwise observed orders; every solution must have converged."""
    errors = []
    for n in sizes:
        found, error = measure(PROBLEMS[name], n, ode, interpolation, **options)
        assert found.status == "converged"
        errors.append(error)
    return np.diff(-np.log2(errors))


@pytest.mark.slow
@pytest.mark.parametrize("name", SMOOTH)
def test_euler_is_of_first_order_on_every_problem(name: str) -> None:
    np.testing.assert_allclose(orders(name, [40, 80, 160], "euler"), 1.0, atol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMOOTH)
def test_rk45_is_limited_to_second_order_by_linear_interpolation(name: str) -> None:
    # many nodes: one Gauss rule meets the kinks of a broken line at random
    np.testing.assert_allclose(orders(name, [20, 40, 80], "rk45", "linear", nodes=800), 2.0, atol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMOOTH)
def test_rk45_with_cubic_interpolation_is_of_fourth_order_or_better_down_to_the_tolerance(name: str) -> None:
    sizes = [8, 16, 32]
    assert orders(name, sizes, "rk45").min() > 3.5
    assert measure(PROBLEMS[name], 128, "rk45")[1] < 1e-9


def test_rk45_is_limited_to_fourth_order_by_cubic_interpolation() -> None:
    np.testing.assert_allclose(orders("kernel of both variables", [16, 32, 64, 128], "rk45"), 4.0, atol=0.1)


@pytest.mark.slow
def test_a_stiff_equation_is_solved_implicitly() -> None:
    observed = orders("stiff Volterra", [8, 16, 32], "radau", ode_rtol=1e-11, tolerance=1e-9)
    assert observed.min() > 3.5


def test_sweeps_of_euler_diverge_on_a_stiff_equation_and_say_so() -> None:
    with np.errstate(all="ignore"):
        found, _ = measure(PROBLEMS["stiff Volterra"], 32, "euler")
    assert found.status == "diverged"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linear Fredholm", "system", "complex", "both limits move"])
def test_all_quadratures_find_the_same_solution(name: str) -> None:
    gauss = measure(PROBLEMS[name], 16, "rk45")[0].y
    adaptive = measure(PROBLEMS[name], 16, "rk45", quadrature="adaptive", tolerance=1e-9)[0].y
    np.testing.assert_allclose(adaptive, gauss, atol=2e-8)


def test_exact_quadrature_serves_any_equation_with_exponential_memory() -> None:
    # y = exp(-t): its memory at rate 3 is (exp(-t) - exp(-3t))/2
    kernel = ExponentialKernel(np.array([1.0]), np.array([3.0]), lambda y: y)

    def right(t: Array, y: Array, memory: Array) -> Array:
        return -2.0 * memory - np.exp(-3.0 * t)

    errors = []
    for n in (8, 16, 32, 64):
        t = np.linspace(0.0, 1.0, n + 1)
        found = solve_ide(right, kernel, 1.0, t, quadrature="exact", tolerance=1e-12)
        assert found.status == "converged"
        errors.append(np.abs(found.y[:, 0] - np.exp(-t)).max())
        np.testing.assert_allclose(found.integral[:, 0], (np.exp(-t) - np.exp(-3.0 * t)) / 2.0, atol=1e-5)
    assert np.diff(-np.log2(errors)).min() > 3.5


def test_steps_chosen_by_solve_ivp_find_the_same_solution() -> None:
    fixed = measure(PROBLEMS["nonlinear Volterra"], 32, "rk45")[0].y
    chosen = measure(PROBLEMS["nonlinear Volterra"], 32, "rk45", ode_rtol=1e-8, tolerance=1e-6)[0].y
    np.testing.assert_allclose(chosen, fixed, atol=1e-6)


def test_the_first_path_may_be_given_and_a_solution_ends_the_search_at_once() -> None:
    t = np.linspace(0.0, 2.0, 33)
    found = solve_ide(lambda t, y, i: 1.0 - i, lambda t, tau, y: y, 0.0, t, tolerance=1e-10)
    again = solve_ide(lambda t, y, i: 1.0 - i, lambda t, tau, y: y, 0.0, t, tolerance=1e-9, first=found.y)
    assert found.relaxation.sweeps > 10
    assert again.relaxation.sweeps == 0


def test_sweeps_that_do_not_contract_are_not_called_a_solution() -> None:
    # y' = 10 I over the whole of [0, 1] has a solution, but a sweep multiplies errors by five
    found = solve_ide(
        lambda t, y, i: 10.0 * i, lambda t, tau, y: y, 1.0, np.linspace(0.0, 1.0, 11), upper=1.0,
        smoothing=(0.5, 0.9, 5),
    )  # fmt: skip
    assert found.status == "smoothing exhausted"
    assert len(found.relaxation.factors) == found.relaxation.sweeps


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ode": "heun"}, "^ode: 'heun' is not allowed"),
        ({"quadrature": "simpson"}, "^quadrature: 'simpson' is not allowed"),
        ({"interpolation": "quintic"}, "^interpolation: 'quintic' is not allowed"),
        ({"quadrature": "exact"}, "^quadrature: 'exact' is not allowed with"),
        ({"t": [0.0, 1.0, 1.0]}, "^t: 1 before 1 is not allowed"),
    ],
)
def test_an_option_that_is_not_known_is_named(options: dict[str, Any], message: str) -> None:
    t = options.pop("t", np.linspace(0.0, 1.0, 5))
    with pytest.raises(ValueError, match=message):
        solve_ide(lambda t, y, i: -i, lambda t, tau, y: y, 1.0, t, **options)


def test_exact_quadrature_refuses_a_lower_bound_that_moves() -> None:
    kernel = ExponentialKernel(np.array([1.0]), np.array([3.0]), lambda y: y)
    with pytest.raises(ValueError, match="must have one lower bound"):
        solve_ide(
            lambda t, y, i: -i,
            kernel,
            1.0,
            np.linspace(0.0, 1.0, 5),
            lower=lambda t: t / 2,
            quadrature="exact",
        )
