"""Algorithm 4: the numbers of the published runs, and the method against a literal transcription."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.integrate import fixed_quad
from scipy.interpolate import interp1d

import idescent as ide
from idescent.models.equation import Equation, Memory
from idescent.optimizers.ratio import ratio_of
from idescent.solvers.quadrature import ExactExponential, ExponentialKernel, Gauss, Interpolant

QUADRATIC = ide.Quadratic(center=4.0)
MSE = ide.MeanSquaredError.synthetic(seed=42)
PAPER = ide.models.Paper()


def solve(
    optimizer: ide.Optimizer,
    objective: Any,
    alpha: float,
    theta0: Any,
    steps: int,
    model: Any = PAPER,
    **settings: Any,
) -> ide.Trajectory:
    solver = ide.solvers.Picard(**settings)
    return ide.solve(model, optimizer, objective, alpha=alpha, theta0=theta0, steps=steps, solver=solver)


def published(path: ide.Trajectory) -> np.ndarray[Any, Any]:
    """The K points of the published grid: all rows but the last."""
    return path.theta[:-1, 0]


@pytest.mark.parametrize("quadrature", ["gauss", "exact"])
@pytest.mark.parametrize("alignment", ["corrected", "published"])
@pytest.mark.parametrize(
    ("beta1", "beta2", "sweeps", "error", "first", "last", "highest"),
    [
        (0.9, 0.99, 23, 7.3297e-5, 1.0951377687, 3.9731147879, 4.2431422217),
        (0.9, 0.999, 23, 6.1151e-5, 1.0948745932, 3.9688353984, 4.2220397003),
        (0.0, 0.99, 20, 6.0780e-5, 1.0000000000, 3.9987681126, 3.9987681126),
        (0.0, 0.999, 19, 5.9664e-5, 1.0000000000, 3.9970126100, 3.9970126100),
    ],
)
def test_the_published_adam_runs_are_reproduced_to_nine_digits(
    record_property: Callable[[str, object], None],
    beta1: float, beta2: float, sweeps: int, error: float, first: float, last: float, highest: float,
    alignment: str, quadrature: str,
) -> None:  # fmt: skip
    path = solve(ide.Adam(beta1, beta2), QUADRATIC, 0.1, 1.0, 100, alignment=alignment, quadrature=quadrature)
    theta = published(path)
    assert (path.report.status, path.report.sweeps) == ("converged", sweeps)
    assert path.report.details["residual"] == pytest.approx(error, abs=0.6e-9)
    found = np.array([theta[1], theta[-1], theta.max()])
    record_property("difference", float(np.abs(found - [first, last, highest]).max()))
    assert list(found) == pytest.approx([first, last, highest], abs=1e-9)


def test_the_published_rmsprop_run_is_reproduced_to_nine_digits() -> None:
    path = solve(ide.RMSProp(0.9), QUADRATIC, 0.1, 1.0, 60, alignment="published")
    theta = published(path)
    assert (path.report.status, path.report.sweeps) == ("converged", 19)
    assert path.report.details["residual"] == pytest.approx(9.1706e-5, abs=0.6e-9)
    assert [theta[1], theta[-1]] == pytest.approx([1.3027068754, 3.9998915426], abs=1e-9)


@pytest.mark.parametrize(
    ("optimizer", "sweeps", "error"),
    [(ide.AdaGrad(), 14, 8.3041e-5), (ide.RMSProp(0.9), 30, 4.3290e-5), (ide.Adam(0.9, 0.99), 21, 6.1257e-5)],
)
def test_the_published_runs_on_the_mean_squared_error_are_reproduced(
    optimizer: ide.Optimizer, sweeps: int, error: float
) -> None:
    path = solve(optimizer, MSE, 0.1, 0.0, 60, alignment="published")
    assert (path.report.status, path.report.sweeps) == ("converged", sweeps)
    assert path.report.details["residual"] == pytest.approx(error, abs=0.6e-9)


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_the_published_runs_that_never_converged_say_so(beta: float) -> None:
    # The literal quadrature ends the same way after about as many sweeps, in 90 s each.
    path = solve(ide.RMSProp(beta), QUADRATIC, 0.01, 1.0, 600, alignment="published", quadrature="exact")
    report = path.report
    assert report.status == "smoothing exhausted"
    assert not report.ok
    assert report.details["residual"] > 100 * report.details["tolerance"]
    assert report.details["smoothing"][-1] == pytest.approx(0.9999)
    assert np.isfinite(path.theta).all()


def test_the_misalignment_explains_the_first_published_second_moment() -> None:
    found = {
        alignment: solve(ide.RMSProp(0.99), QUADRATIC, 0.1, 1.0, 60, alignment=alignment).moments["v"][1, 0]
        for alignment in ("published", "corrected")
    }
    assert found["published"] == pytest.approx(0.532, abs=5e-4)
    assert found["corrected"] == pytest.approx(0.211, abs=5e-4)


def test_a_plain_sum_was_never_misaligned() -> None:
    one, other = (
        solve(ide.AdaGrad(eps=0.0), MSE, 0.1, 0.0, 40, alignment=name) for name in ("published", "corrected")
    )
    np.testing.assert_allclose(one.theta, other.theta, rtol=1e-13)
    assert not np.array_equal(one.theta[1:], one.theta[:-1])


def test_rounding_of_the_normalisers_is_visible_in_the_first_published_adam_step() -> None:
    beta1, beta2 = 0.9, 0.999
    step = published(solve(ide.Adam(beta1, beta2), QUADRATIC, 0.1, 1.0, 20))[1] - 1.0
    limit = (1 - beta1) / -math.log(beta1) * math.sqrt(-math.log(beta2) / (1 - beta2))
    assert 1e-4 < abs(step / 0.1 - limit) < 1e-3


def literal(
    optimizer: ide.Optimizer, gradient: Any, alpha: float, theta0: float, count: int, alignment: str
) -> tuple[np.ndarray[Any, Any], int]:
    """Algorithm 4 point by point, with scipy's own interpolation and quadrature; rows 0 ... count."""
    t = np.arange(1e-12, count * alpha, alpha)
    beta1, beta2, eps = ratio_of(optimizer).beta1, ratio_of(optimizer).beta2, optimizer.eps
    rate1, rate2 = (1 - beta1) / alpha, (1 - beta2) / alpha

    def slope(theta: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        path = interp1d(t, theta, kind="cubic", fill_value="extrapolate")

        def g(x: Any) -> Any:
            return gradient(path(x)) + optimizer.coupled_decay * path(x)

        out = []
        for i, ti in enumerate(t):
            if ratio_of(optimizer).first:
                m = fixed_quad(lambda x, ti=ti: rate1 * np.exp(-rate1 * (ti - x)) * g(x), 0, ti, n=1000)[0]
                v = fixed_quad(lambda x, ti=ti: rate2 * np.exp(-rate2 * (ti - x)) * g(x) ** 2, 0, ti, n=1000)[
                    0
                ]
                mass1, mass2 = 1 - beta1 ** (ti / alpha), 1 - beta2 ** (ti / alpha)
                direction = np.sqrt(mass2) / mass1 * m / (np.sqrt(v) + eps * np.sqrt(mass2))
            else:
                end = ti if alignment == "published" else ti + alpha
                v = fixed_quad(
                    lambda x, end=end: rate2 * np.exp(-rate2 * x) * g(end - x) ** 2, 0, ti + alpha, n=1000
                )[0]
                direction = gradient(theta[i]) / (np.sqrt(v) + eps)
            out.append(-direction - optimizer.decoupled_decay * theta[i])
        return np.array(out)

    factors, level, sweeps = np.linspace(0.5, 0.9999, 1000), 0, 0
    current = np.full(count, theta0)
    ahead = theta0 + alpha * np.cumsum(slope(current))
    guess = np.append(theta0, ahead[:-1])
    error = np.linalg.norm(current - guess)
    while error > 1e-4:
        current = factors[level] * current + (1 - factors[level]) * guess
        ahead = theta0 + alpha * np.cumsum(slope(current))
        guess = np.append(theta0, ahead[:-1])
        new_error = np.linalg.norm(current - guess)
        level += bool(new_error > error)
        error = new_error
        sweeps += 1
    return np.append(theta0, ahead), sweeps


@pytest.mark.parametrize(
    ("optimizer", "alignment"),
    [
        (ide.Adam(0.9, 0.99), "corrected"),
        (ide.AdamW(0.5, 0.9, weight_decay=0.3), "corrected"),
        (ide.AdamL2(0.5, 0.9, weight_decay=0.3), "corrected"),
        (ide.RMSProp(0.9), "corrected"),
        (ide.RMSProp(0.5), "published"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_every_row_agrees_with_a_point_by_point_transcription(
    optimizer: ide.Optimizer, alignment: str
) -> None:
    expected, sweeps = literal(optimizer, lambda x: 2.0 * (x - 4.0), 0.1, 1.0, 12, alignment)
    path = solve(optimizer, QUADRATIC, 0.1, 1.0, 12, alignment=alignment)
    assert path.report.sweeps == sweeps
    np.testing.assert_allclose(path.theta[:, 0], expected, rtol=0.0, atol=1e-11)


@pytest.mark.slow
def test_exact_quadrature_solves_adagrad_over_two_hundred_thousand_iterations() -> None:
    path = solve(ide.AdaGrad(), QUADRATIC, 0.01, 1.0, 200_000, quadrature="exact")
    assert path.report.status == "converged"
    assert path.report.gradient_evaluations < 6 * 200_000 * (path.report.sweeps + 3)
    run = ide.simulate(ide.AdaGrad(), QUADRATIC, alpha=0.01, theta0=1.0, steps=200_000)
    assert np.abs(path.theta - run.theta).max() < 0.01


@pytest.mark.parametrize("optimizer", [ide.RMSProp(0.9), ide.RMSProp(0.0), ide.AdaGrad()])
def test_both_quadratures_integrate_the_same_spline(optimizer: ide.Optimizer) -> None:
    first = solve(optimizer, QUADRATIC, 0.1, 1.0, 30, max_sweeps=5)
    second = solve(optimizer, QUADRATIC, 0.1, 1.0, 30, max_sweeps=5, quadrature="exact")
    np.testing.assert_allclose(first.theta, second.theta, rtol=0.0, atol=1e-8)
    assert not np.array_equal(first.theta, second.theta)


@pytest.mark.parametrize("per_step", [0.0, 1e-13, 1e-6, 0.01, 1.0, 30.0])
def test_exact_quadrature_is_exact_to_rounding_for_polynomials_of_degree_six(per_step: float) -> None:
    h, count, lead = 0.1, 8, 0.1
    t = 1e-12 + h * np.arange(count)
    # not-a-knot splines reproduce cubics, so the path between and beyond the points is known
    y = 4.0 - 3.0 * t + 2.0 * t**2 - t**3
    kernel = ExponentialKernel(np.array([2.0]), np.array([per_step / h]), lambda y: y**2, lead=lead)
    found = ExactExponential()(kernel, Interpolant(t, y[:, None]), t, np.zeros(count), t + lead)
    with mpmath.workdps(40):
        rate = mpmath.mpf(per_step / h)
        for ti, value in zip(t, found[:, 0], strict=True):
            end = mpmath.mpf(ti + lead)
            weight = 2 * mpmath.quad(
                lambda x, end=end: mpmath.exp(-rate * (end - x)) * (4 - 3 * x + 2 * x**2 - x**3) ** 2,
                mpmath.linspace(0, end, 9),
            )
            assert float(abs(value - weight) / weight) < 1e-13


def test_exact_quadrature_agrees_with_a_resolved_gauss_rule_on_a_rough_path() -> None:
    rng = np.random.default_rng(5)
    t = 1e-12 + 0.1 * np.arange(30)
    path = Interpolant(t, rng.normal(size=(30, 2)))
    kernel = ExponentialKernel(np.array([1.0, 3.0]), np.array([0.0, 4.0]), lambda y: y**2)
    # bounds that miss the knots, and a start before the first of them
    at = t + 0.037
    lower = np.full_like(t, -0.05)
    exact = ExactExponential()(kernel, path, at, lower, at)
    np.testing.assert_allclose(Gauss(2000)(kernel, path, at, lower, at), exact, rtol=1e-6)


def test_the_interpolant_is_interp1d_bit_for_bit() -> None:
    rng = np.random.default_rng(3)
    t = np.arange(1e-12, 2.0, 0.1)
    y = rng.normal(size=len(t))
    x = rng.uniform(-0.3, 2.3, 500)
    expected = interp1d(t, y, kind="cubic", fill_value="extrapolate")(x)
    np.testing.assert_array_equal(Interpolant(t, y[:, None])(x)[:, 0], expected)


def test_the_report_keeps_error_and_smoothing_of_every_sweep() -> None:
    report = solve(ide.RMSProp(0.0), QUADRATIC, 0.1, 1.0, 60).report
    errors, factors = report.details["errors"], report.details["smoothing"]
    assert report.sweeps == len(errors) == len(factors) > 50
    assert errors[-1] == report.details["residual"] <= report.details["tolerance"]
    before = [report.details["initial_error"], *errors]
    rose = [new > old for old, new in pairwise(before)]
    moved = [new > old for old, new in pairwise(factors)]
    assert moved == rose[:-1]
    assert factors[0] == 0.5
    assert any(moved)


def test_a_limit_on_sweeps_is_reported() -> None:
    report = solve(ide.Adam(0.9, 0.99), QUADRATIC, 0.1, 1.0, 50, max_sweeps=3).report
    assert (report.status, report.sweeps, len(report.details["errors"])) == ("iteration limit", 3, 3)
    assert not report.ok


class Cliff:
    """A gradient that ends at 2."""

    def value(self, theta: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return ((theta - 4.0) ** 2).sum(axis=-1)

    def gradient(self, theta: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.where(theta > 2.0, np.nan, 2.0 * (theta - 4.0))


@pytest.mark.parametrize("quadrature", ["gauss", "exact"])
def test_a_path_that_leaves_the_numbers_is_reported_as_diverged(quadrature: str) -> None:
    path = solve(ide.Adam(0.9, 0.99), Cliff(), 0.1, 1.0, 50, quadrature=quadrature)
    at = path.report.diverged_at
    assert path.report.status == "diverged"
    assert at is not None
    assert np.isfinite(path.theta[:at]).all()
    assert np.isnan(path.theta[at:]).all()


def test_moments_are_the_memories_of_the_returned_path() -> None:
    alpha, beta = 0.1, 0.9
    path = solve(ide.RMSProp(beta), QUADRATIC, alpha, 1.0, 40, quadrature="exact", tolerance=1e-12)
    theta, v = path.theta[:, 0], path.moments["v"][:, 0]
    # the returned path is Euler's: each step divides by the root of the moment one iteration ahead
    steps = -alpha * 2.0 * (theta[:-1] - 4.0) / (np.sqrt(v[1:]) + 1e-8)
    np.testing.assert_allclose(np.diff(theta), steps, atol=1e-10)
    assert abs(v[0]) < 1e-10


def test_rows_are_those_of_a_discrete_run_and_can_be_compared() -> None:
    run = ide.simulate(ide.Adam(0.9, 0.99), QUADRATIC, alpha=0.1, theta0=1.0, steps=100)
    path = solve(ide.Adam(0.9, 0.99), QUADRATIC, 0.1, 1.0, 100)
    np.testing.assert_array_equal(path.k, run.k)
    np.testing.assert_array_equal(path.t, run.t)
    assert path.moments.keys() == run.moments.keys()
    assert 0.0 < ide.compare(run, path).sup["theta"] < 0.2


def test_one_accumulator_for_the_norm_makes_the_method_commute_with_rotations() -> None:
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    start = np.array([1.0, 2.0])
    objective = ide.Quadratic(center=0.0)
    for optimizer in (ide.RMSProp(0.9, accumulator="norm"), ide.Adam(0.9, 0.99, accumulator="norm")):
        path = solve(optimizer, objective, 0.1, start, 15)
        turned = solve(optimizer, objective, 0.1, turn @ start, 15)
        np.testing.assert_allclose(turned.theta, path.theta @ turn.T, atol=1e-11)
        assert path.moments["v"].shape == (16, 1)


def test_coordinates_with_accumulators_of_their_own_do_not_mix() -> None:
    objective = ide.Quadratic(center=[4.0, 0.0])
    path = solve(ide.Adam(0.9, 0.99), objective, 0.1, [1.0, 2.0], 40, tolerance=1e-11)
    for i, (center, start) in enumerate([(4.0, 1.0), (0.0, 2.0)]):
        alone = solve(ide.Adam(0.9, 0.99), ide.Quadratic(center), 0.1, start, 40, tolerance=1e-11)
        np.testing.assert_allclose(path.theta[:, i], alone.theta[:, 0], atol=1e-9)
        np.testing.assert_allclose(path.moments["v"][:, i], alone.moments["v"][:, 0], atol=1e-8)


class Slope:
    """f = sum of theta: a constant gradient."""

    def value(self, theta: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return theta.sum(axis=-1)

    def gradient(self, theta: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.ones_like(theta)


class Charged:
    """A model of its own: heavy-ball steps whose memory starts with half a gradient."""

    name, order = "charged", 1

    def equation(self, optimizer: ide.Optimizer, alpha: float) -> Equation:
        memory = Memory("v", gain=0.25, rate=0.25, squared=False, initial=0.5)
        return Equation(
            (memory,),
            lambda s, theta, gradient, memories: -alpha * memories[0],
            mobility=lambda s, memories: alpha + 0.0 * memories[0],
            direction=0,
        )


def test_any_model_with_exponential_memories_can_be_solved() -> None:
    path = solve(ide.RMSProp(0.9), Slope(), 0.1, 1.0, 30, model=Charged(), tolerance=1e-12)
    memory = 1.0 - 0.5 * np.exp(-0.25 * np.arange(31))
    np.testing.assert_allclose(path.moments["v"][:, 0], memory, atol=1e-10)
    np.testing.assert_allclose(path.theta[1:, 0], 1.0 - 0.1 * np.cumsum(memory[:-1]), atol=1e-10)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_runs_shorter_than_a_cubic_are_solved(steps: int) -> None:
    path = solve(ide.Adam(0.9, 0.99), QUADRATIC, 0.1, 1.0, steps)
    assert path.report.status == "converged"
    assert path.theta.shape == (steps + 1, 1)
    assert path.theta[1, 0] == pytest.approx(1.09515, abs=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"alignment": "shifted"},
        {"quadrature": "simpson"},
        {"tolerance": 0.0},
        {"tolerance": math.nan},
        {"smoothing": (0.5, 1.0, 1000)},
        {"smoothing": (0.5, 0.9)},
        {"max_sweeps": 0},
        {"nodes": 2.5},
    ],
)
def test_a_setting_outside_its_range_is_named(settings: dict[str, Any]) -> None:
    (name,) = settings
    with pytest.raises(ValueError, match=rf"^Picard\.{name}: .* is not allowed: must be"):
        ide.solvers.Picard(**settings)
