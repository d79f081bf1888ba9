"""What the general solver refuses: one line with argument, value and what is allowed."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from idescent.solvers import solve_ide
from idescent.solvers.quadrature import Adaptive, ExponentialKernel, Gauss, TanhSinh

Array = np.ndarray[Any, Any]
T = np.linspace(0.0, 1.0, 5)


def named(value):
    """Name a case without addresses, which differ between the processes that collect the tests."""
    return re.sub(r" at 0x[0-9a-f]+", "", " ".join(repr(value).split()))[:40]


def solve(**changes: Any) -> Any:
    return solve_ide(**{"F": lambda t, y, i: 1.0 - i, "K": lambda t, tau, y: y, "y0": 0.0, "t": T} | changes)


NUMBERS = {
    "tolerance": [-1, 0, math.nan, math.inf, "1", None, True],
    "max_sweeps": [-1, 0, 2.5, math.nan, math.inf, True, "9", None],
    "nodes": [-1, 0, 2.5, True, None, 10**9],
    "smoothing": [
        (1, 1, 1), (0.5, 0.9, 0), (0.9, 0.5, 3), (-0.1, 0.5, 3), (0.5, 0.9), 0.5, None, "abc",
        (0.5, 0.9, 2.5), (0.5, math.nan, 3), (0.5, 0.9, math.inf), (0.5, 0.9, True), (0.5, 0.9, 10**12),
    ],
    "ode_rtol": [-1.0, 0.0, 1.0, math.nan, "1", True],
    "ode": ["heun", None, 3, ["rk45"]],
    "interpolation": ["quintic", None, ["cubic"]],
    "quadrature": ["simpson", None, 7, Gauss],
    "lower": ["0", True, [0.0], 1j, math.nan, -math.inf, -0.1, lambda t: t - 1.0, lambda t: t[:2]],
    "upper": ["0", True, [0.0] * 5, 1j, math.nan, math.inf, 1.3, 2.0, lambda t: t + 0.3, lambda t: None],
    "t": [
        [], [0.0], 1.0, [0.0, 0.0, 1.0], [1.0, 0.0], [0.0, 1.0, math.inf], [math.nan, 0.0, 1.0], [[0.0, 1.0]],
        [0.0, 1j], ["0", "1"], [0.0, None], None, [False, True],
        np.ma.masked_array([0.0, 0.5, 1.0], mask=[False, True, False]), [[0.0, 1.0], [2.0]],
    ],
    "y0": [
        math.nan, [1.0, math.inf], [], [[1.0]], "1", None, True, {}, [1.0, None],
        np.ma.masked_array([1.0, 2.0], mask=[True, False]), complex(0.0, math.nan),
    ],
    "first": [[0.0, 1.0], [[0.0, 1.0]] * 5, [math.nan] * 5, "first", np.zeros((4, 1))],
    "F": [None, 1.0, "F", lambda t, y: y],
    "K": [None, np.ones(3), lambda t, y: y],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in NUMBERS.items() for value in values],
    ids=named,
)
def test_an_argument_outside_its_range_is_one_line(name: str, value: Any) -> None:
    with pytest.raises(
        ValueError, match=rf"^{name}: .* (is|are) not allowed: (must be|every value)"
    ) as caught:
        solve(**{name: value})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 220


@pytest.mark.parametrize("ode", ["rk45", "euler", "radau"])
@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("F", lambda t, y, i: np.zeros(3)),
        ("F", lambda t, y, i: 0.0),
        ("F", lambda t, y, i: t),
        ("F", lambda t, y, i: y[..., None]),
        ("F", lambda t, y, i: None),
        ("F", lambda t, y, i: "slope"),
        ("K", lambda t, tau, y: y[..., None, :]),
        ("K", lambda t, tau, y: y[..., 0]),
        ("K", lambda t, tau, y: None),
        ("K", lambda t, tau, y: np.zeros((7, 2))),
    ],
)
def test_a_function_that_returns_another_shape_is_named(ode: str, name: str, function: Any) -> None:
    options = {"F": lambda t, y, i: -y, "y0": [0.0, 1.0], "ode": ode, name: function}
    with pytest.raises(ValueError, match=rf"^{name}: a result of .* is not allowed: must be"):
        solve(**options)


def test_constants_and_vectors_are_repeated() -> None:
    # y' = 1 and I = t, twice
    for ode in ("rk45", "euler", "radau"):
        found = solve(F=lambda t, y, i: np.array([1.0, 2.0]), K=lambda t, tau, y: 1.0, y0=[0.0, 0.0], ode=ode)
        np.testing.assert_allclose(found.y, np.outer(T, [1.0, 2.0]), atol=1e-12)
        np.testing.assert_allclose(found.integral[:, 0], T, atol=1e-12)


def test_integers_are_numbers() -> None:
    found = solve(y0=np.int64(0), t=[0, 1, 2, 3], nodes=np.int64(50), max_sweeps=np.int64(500))
    assert found.y.dtype == np.float64
    assert found.status == "converged"


@pytest.mark.parametrize(
    ("t", "lower"), [(np.linspace(1.0, 3.0, 201), None), (np.linspace(-2.0, 0.0, 201), None),
                     (np.linspace(0.0, 2.0, 201), 0.0), (np.linspace(5.0, 7.0, 201), lambda t: 0.0 * t + 5.0)]
)  # fmt: skip
def test_the_integral_starts_at_the_first_point(t: Array, lower: Any) -> None:
    found = solve(t=t, lower=lower)
    assert found.status == "converged"
    np.testing.assert_allclose(found.y[:, 0], np.sin(t - t[0]), atol=1e-9)
    assert found.integral[0, 0] == 0.0


def test_a_lower_bound_may_be_inside_the_grid() -> None:
    # From 1/2 on: the integral has the other sign before. y' = 1 - (Y(t) - Y(1/2)), y'' = -y, y'(1/2) = 1.
    t = np.linspace(0.0, 1.0, 101)
    found = solve(t=t, lower=0.5, y0=-np.sin(0.5))
    np.testing.assert_allclose(found.y[:, 0], np.sin(t - 0.5), atol=1e-8)


@pytest.mark.parametrize("ode", ["rk45", "euler"])
@pytest.mark.parametrize("y0", [1, 1.0, 1.0 + 0j, [1.0]])
def test_a_complex_right_hand_side_makes_the_path_complex(ode: str, y0: Any) -> None:
    t = np.linspace(0.0, 1.0, 201)
    found = solve(F=lambda t, y, i: 3j * y + 0.0 * i, y0=y0, t=t, ode=ode)
    assert found.y.dtype == np.complex128
    error = float(np.abs(found.y[:, 0] - np.exp(3j * t)).max())
    assert error < (1e-7 if ode == "rk45" else 0.04)
    assert error <= 1.1 * found.error_estimate


def test_a_complex_kernel_makes_the_path_complex_where_the_equation_is() -> None:
    # y'' = 1j y, y(0) = 1, y'(0) = 0
    t = np.linspace(0.0, 1.0, 101)
    root = np.exp(0.25j * np.pi)
    found = solve(F=lambda t, y, i: i, K=lambda t, tau, y: 1j * y, y0=1.0, t=t)
    np.testing.assert_allclose(found.y[:, 0], np.cosh(root * t), atol=1e-8)
    real = solve(F=lambda t, y, i: i.imag, K=lambda t, tau, y: 1j * y, y0=1.0, t=t)
    assert real.y.dtype == np.float64
    np.testing.assert_allclose(real.y[:, 0], np.cosh(t), atol=1e-8)


@pytest.mark.parametrize("ode", ["rk45", "euler"])
def test_values_that_turn_complex_on_the_way_are_refused(ode: str) -> None:
    with pytest.raises(ValueError, match=r"^F: complex values at t = 0.* are not allowed with real y0"):
        solve(F=lambda t, y, i: -1.0 + 0.0 * np.emath.sqrt(0.5 - t), y0=1.0, ode=ode)


def test_radau_refuses_complex_values() -> None:
    with pytest.raises(ValueError, match=r"^ode: 'radau' is not allowed with complex values"):
        solve(F=lambda t, y, i: 1j * y, y0=1.0, ode="radau")


@pytest.mark.parametrize("quadrature", ["gauss", "tanh-sinh"])
def test_a_kernel_singular_at_t_is_not_asked_for_its_value_there(quadrature: str) -> None:
    def kernel(t: Array, tau: Array, y: Array) -> Array:
        assert np.all(t > tau)
        return (t - tau) ** -0.5 * y

    found = solve(F=lambda t, y, i: 1.0 + i - 4.0 / 3.0 * t**1.5, K=kernel, quadrature=quadrature)
    assert found.status == "converged"
    error = float(np.abs(found.y[:, 0] - T).max())
    assert error < 5e-3
    assert error <= 1.1 * found.error_estimate


@pytest.mark.parametrize("quadrature", ["gauss", "tanh-sinh"])
@pytest.mark.parametrize(
    "kernel",
    [lambda t, tau, y: np.nan * y, lambda t, tau, y: np.where(t > 0.6, np.inf, 1.0) * y + 1.0 / (y - y)],
)
def test_a_kernel_without_a_value_is_one_line(kernel: Any, quadrature: str) -> None:
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match=r"^K: infinite or NaN values in the integral at t = 0.25 are not"),
    ):
        solve(K=kernel, quadrature=quadrature)


@pytest.mark.parametrize("ode", ["rk45", "euler"])
def test_a_right_hand_side_without_a_value_at_the_start_is_one_line(ode: str) -> None:
    with (
        np.errstate(all="ignore"),
        pytest.raises(
            ValueError, match=r"^F: \[inf\] at the first point is not allowed: every value must be fin"
        ),
    ):
        solve(F=lambda t, y, i: 1.0 / t, ode=ode)


def test_a_path_that_leaves_the_numbers_is_diverged_and_not_the_fault_of_a_function() -> None:
    # y' = 1000 y^2 has no solution beyond t = 1/1000
    with np.errstate(all="ignore"):
        found = solve(F=lambda t, y, i: 1e3 * y**2, y0=1.0)
    assert (found.status, math.isnan(found.error_estimate)) == ("diverged", True)


def test_an_exact_rule_of_too_many_nodes_is_refused() -> None:
    kernel = ExponentialKernel(np.array([1.0]), np.array([1e9]), lambda y: y)
    with pytest.raises(
        ValueError, match=r"^quadrature: 'exact' is not allowed with a rate of 2.5e\+08 per step"
    ):
        solve(K=kernel, quadrature="exact")


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: Gauss(0), "Gauss.nodes: 0 is not allowed: must be an integer in [1, 5000]"),
        (lambda: TanhSinh(1), "TanhSinh.nodes: 1 is not allowed: must be an integer in [2, 50000]"),
        (lambda: TanhSinh(9, math.nan), "TanhSinh.reach: nan is not allowed: must be in (0, 3.2]"),
        (lambda: Adaptive(-1.0), "Adaptive.tolerance: -1.0 is not allowed: must be a finite number > 0"),
    ],
)
def test_rules_check_their_settings(make: Any, line: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the whole line is compared
        make()
    assert str(caught.value) == line


@pytest.mark.slow
def test_no_call_is_without_an_end() -> None:
    # Each sweep takes a hundred-thousandth of the way.
    found = solve(smoothing=(0.99999, 0.99999, 1), nodes=4, t=[0.0, 0.5, 1.0], first=[[9.0]])
    assert (found.status, found.relaxation.sweeps) == ("iteration limit", 10_000)
