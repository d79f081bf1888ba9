"""The preconditioned sharpness along runs and predictions, against dense eigenvalues and the runs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import idescent as ide
from idescent.analysis.edge import Edge, growth
from idescent.analysis.lanczos import largest_eigenvalue
from idescent.objectives import LogisticRegression, Perceptron, Rosenbrock
from idescent.objectives.data import read, split
from idescent.schedules import Cosine, Sequential, Step
from idescent.trajectory import Trajectory

VALLEY, START = Rosenbrock(), [-1.2, 1.0]
RMSPROP = ide.RMSProp(0.99)


class Overflow:
    """A parabola of curvature 10."""

    def value(self, theta: Any) -> Any:
        with np.errstate(over="ignore"):
            return 5.0 * (theta * theta).sum(axis=-1)

    def gradient(self, theta: Any) -> Any:
        return 10.0 * theta

    def hessian_diagonal(self, theta: Any) -> Any:
        return np.full_like(theta, 10.0)


@pytest.fixture(scope="module")
def unstable() -> Trajectory:
    """A run that reaches the edge of stability at about k = 460, and stays there."""
    return ide.simulate(RMSPROP, VALLEY, alpha=0.01, theta0=START, steps=2000)


@pytest.fixture(scope="module")
def network() -> Perceptron:
    x, y = read("digits")
    return Perceptron(split(x[::8], y[::8], 0.2, 0), hidden=3)


def denominators(optimizer: Any, run: Trajectory, k: int) -> np.ndarray:
    """Root of the second moment of Adam, independently of the package."""
    v = run.moments["v"][k] / (1.0 - optimizer.beta2**k)
    return np.broadcast_to(np.sqrt(v) + optimizer.eps, run.theta[k].shape)


@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
@pytest.mark.parametrize("beta2", [0.9, 0.999])
def test_the_sharpness_of_a_network_is_within_one_percent_after_25_products(
    network: Perceptron, accumulator: Any, beta2: float
) -> None:
    optimizer, alpha = ide.Adam(0.9, beta2, accumulator=accumulator), 0.01
    run = ide.simulate(optimizer, network, alpha=alpha, theta0=network.initial(1), steps=60)
    result = ide.edge(optimizer, network, run, k=[1, 3, 20, 60])
    unity = np.eye(network.dimension)
    for k, sharpness in zip(result.k.tolist(), result.sharpness.tolist(), strict=True):
        hessian = network.hessian_vector(np.broadcast_to(run.theta[k], unity.shape), unity)
        root = np.sqrt(alpha / denominators(optimizer, run, k))
        dense = np.linalg.eigvalsh(root[:, None] * hessian * root)[-1]
        # The limit of a momentum that is divided by its mass.
        expected = dense / (2.0 * 1.9 / 0.1 * (1.0 - 0.9**k))
        assert sharpness == pytest.approx(expected, rel=0.01)
    assert result.report.status == "converged"
    assert result.report.details["most_products"] <= 25
    assert result.report.details["hessian_vector_products"] <= 25 * len(result.k)
    assert result.report.gradient_evaluations == 0


class Counted:
    """An objective that counts its products with the Hessian."""

    def __init__(self, objective: Any) -> None:
        self.objective, self.products = objective, 0
        self.value, self.gradient = objective.value, objective.gradient

    def hessian_vector(self, theta: Any, direction: Any) -> Any:
        self.products += 1
        return self.objective.hessian_vector(theta, direction)


def test_the_report_counts_every_product(network: Perceptron) -> None:
    optimizer, counted = ide.RMSProp(0.9), Counted(network)
    run = ide.simulate(optimizer, network, alpha=0.003, theta0=network.initial(1), steps=40)
    result = ide.edge(optimizer, counted, run, k=[1, 20, 40], products=3)
    assert result.report.details["hessian_vector_products"] == counted.products <= 9
    assert result.report.details["most_products"] == 3
    # Three products are too few here, and the report has the error.
    assert result.report.status == "not converged"
    assert result.report.error_estimate > 0.01


class Gradients:
    """An objective with a value and a gradient only."""

    def __init__(self, objective: Any) -> None:
        self.value, self.gradient = objective.value, objective.gradient


def test_without_products_differences_of_gradients_are_enough(network: Perceptron) -> None:
    optimizer = ide.Adam(0.9, 0.99)
    run = ide.simulate(optimizer, network, alpha=0.01, theta0=network.initial(1), steps=40)
    exact, differences = (
        ide.edge(optimizer, objective, run, k=[5, 40]) for objective in (network, Gradients(network))
    )
    assert differences.sharpness == pytest.approx(exact.sharpness, rel=1e-6)
    products = differences.report.details["hessian_vector_products"]
    assert differences.report.gradient_evaluations == 2 * products > 0


def test_a_hessian_and_its_diagonal_are_used() -> None:
    run = ide.simulate(ide.GradientDescent(), ide.Quadratic(), alpha=0.25, theta0=[1.0, 2.0], steps=4)
    assert ide.edge(ide.GradientDescent(), ide.Quadratic(), run).sharpness == pytest.approx(np.full(4, 0.25))

    class Dense(Gradients):
        hessian = VALLEY.hessian

    run = ide.simulate(RMSPROP, VALLEY, alpha=0.01, theta0=START, steps=50)
    assert ide.edge(RMSPROP, Dense(VALLEY), run).sharpness == pytest.approx(
        ide.edge(RMSPROP, VALLEY, run).sharpness, rel=1e-12
    )


def test_a_run_at_the_edge_has_the_first_crossing_and_stays_there(unstable: Trajectory) -> None:
    result = ide.edge(RMSPROP, VALLEY, unstable)
    every = ide.edge(RMSPROP, VALLEY, unstable, k=np.arange(1, 2001))
    # Between the two checked iterations the sharpness rises, so that bisection finds the first one.
    assert result.since == every.since == 458
    assert result.verdict == "at the edge"
    assert result.growth[result.k < result.since] == pytest.approx(1.0)
    assert result.growth.max() > 1e10
    assert str(result).startswith("at the edge since k = 458: sharpness 0.99 of the limit at k = 2000")
    assert result.report.details["hessian_vector_products"] <= 2 * len(result.k)


def test_below_the_edge_the_path_holds() -> None:
    run = ide.simulate(RMSPROP, VALLEY, alpha=0.001, theta0=START, steps=300)
    result = ide.edge(RMSPROP, VALLEY, run)
    assert (result.verdict, result.since, len(result.k)) == ("holds", None, 41)
    frame = result.to_dataframe()
    assert list(frame.columns) == ["k", "sharpness", "radius", "growth"]
    assert frame["sharpness"].to_numpy().tobytes() == result.sharpness.tobytes()
    assert (result.growth == 1.0).all()
    assert (result.sharpness < 1.0).all()
    assert str(result).startswith("holds: sharpness ")


def test_a_lower_learning_rate_leaves_the_edge() -> None:
    schedule = Step(every=1000, factor=0.05)
    run = ide.simulate(RMSPROP, VALLEY, alpha=0.01, theta0=START, steps=1500, schedule=schedule)
    result = ide.edge(RMSPROP, VALLEY, run, schedule=schedule)
    assert (result.verdict, result.since) == ("left", 458)
    assert str(result).startswith("left: sharpness ")
    # Without the schedule the same states have the larger sharpness of the nominal rate.
    nominal = ide.edge(RMSPROP, VALLEY, run, k=[900, 1400])
    assert ide.edge(RMSPROP, VALLEY, run, k=[900, 1400], schedule=schedule).sharpness == pytest.approx(
        nominal.sharpness * [1.0, 0.05], rel=1e-12
    )


def test_without_a_step_nothing_grows() -> None:
    schedule = Cosine(steps=20)
    run = ide.simulate(RMSPROP, VALLEY, alpha=0.01, theta0=START, steps=40, schedule=schedule)
    result = ide.edge(RMSPROP, VALLEY, run, schedule=schedule, k=[10, 30])
    assert result.sharpness[0] > 0.0 == result.sharpness[1]
    assert result.radius[1] == 1.0


def test_the_growth_is_that_of_the_oscillation() -> None:
    # A parabola above the limit of gradient descent: theta itself is the oscillation.
    optimizer, steep = ide.GradientDescent(), Overflow()
    run = ide.simulate(optimizer, steep, alpha=0.22, theta0=1e-3, steps=40)
    result = ide.edge(optimizer, steep, run, k=[10, 20, 40])
    assert result.radius == pytest.approx(np.full(3, 1.2))
    assert result.growth[-1] == pytest.approx(abs(run.theta[40, 0] / run.theta[10, 0]), rel=1e-9)


@pytest.mark.parametrize(
    ("optimizer", "alpha", "first", "last"),
    [
        (ide.Adam(0.9, 0.99), 0.03, 776, 786),
        (ide.RMSProp(0.99, accumulator="norm"), 0.01, 663, 673),
    ],
    ids=["Adam", "RMSProp"],
)
def test_neighbouring_runs_part_at_the_rate_of_the_growth(
    optimizer: Any, alpha: float, first: int, last: int
) -> None:
    # After the crossing the oscillation needs some iterations to exceed the other differences.
    run, neighbour = (
        ide.simulate(optimizer, VALLEY, alpha=alpha, theta0=[-1.2 + shift, 1.0 - shift], steps=last)
        for shift in (0.0, 1e-11)
    )
    apart = np.linalg.norm(neighbour.theta - run.theta, axis=1)
    result = ide.edge(optimizer, VALLEY, run, k=np.arange(first, last + 1))
    assert (result.sharpness > 1.0).all()
    assert np.log(result.growth[-1]) == pytest.approx(np.log(apart[last] / apart[first]), rel=0.05)


def test_growth_begins_at_the_crossing_and_ends_when_it_has_decayed() -> None:
    k = np.array([1, 11, 21, 31, 51, 61])
    sharpness = np.array([0.5, 0.9, 1.1, 1.1, 0.8, 0.8])
    radius = np.exp([-0.5, -0.1, 0.1, 0.1, -0.1, -0.1])
    # Mean rates of the intervals: 0 (at the crossing), 0.1, 0, -0.1.
    expected = np.exp([0.0, 0.0, 0.0, 1.0, 1.0, 0.0])
    assert growth(k, sharpness, radius) == pytest.approx(expected)
    assert growth(np.array([1, 2000]), np.array([2.0, 2.0]), np.array([3.0, 3.0]))[-1] == np.inf


@pytest.mark.parametrize("optimizer", [RMSPROP, ide.AdamL2(0.9, 0.99, 0.5), ide.NAdam()])
def test_leaps_and_solutions_have_the_sharpness_of_the_run(optimizer: Any) -> None:
    setting = {"alpha": 0.001, "theta0": START, "steps": 300}
    run, leap = (function(optimizer, VALLEY, **setting) for function in (ide.simulate, ide.leap))
    k = [1, 50, 300]
    expected = ide.edge(optimizer, VALLEY, run, k=k)
    assert ide.edge(optimizer, VALLEY, leap, k=k).sharpness == pytest.approx(expected.sharpness, rel=1e-6)
    solution = ide.solve(ide.models.HalfStep(), optimizer, VALLEY, **setting, rtol=1e-6)
    assert ide.edge(optimizer, VALLEY, solution, k=k).sharpness == pytest.approx(expected.sharpness, rel=1e-2)


def test_a_leap_has_its_own_schedule() -> None:
    schedule = Sequential((Step(every=100, factor=0.5),), ())
    setting = {"alpha": 0.001, "theta0": START, "steps": 150, "schedule": schedule}
    run, leap = (function(RMSPROP, VALLEY, **setting) for function in (ide.simulate, ide.leap))
    expected = ide.edge(RMSPROP, VALLEY, run, k=[50, 150], schedule=schedule).sharpness
    assert ide.edge(RMSPROP, VALLEY, leap, k=[50, 150]).sharpness == pytest.approx(expected, rel=1e-6)


def test_coupled_weight_decay_is_part_of_the_curvature() -> None:
    x, y = read("breast_cancer")
    data = split(x[:80, :5], y[:80], 0.2, 0)
    plain, ridge = (LogisticRegression(data, ridge=ridge) for ridge in (0.0, 0.3))
    setting = {"alpha": 0.01, "theta0": np.zeros(6), "steps": 30}
    run = ide.simulate(ide.AdamL2(0.9, 0.99, 0.3), plain, **setting)
    coupled = ide.edge(ide.AdamL2(0.9, 0.99, 0.3), plain, run)
    assert coupled.sharpness == pytest.approx(ide.edge(ide.Adam(0.9, 0.99), ridge, run).sharpness, rel=1e-9)


def test_the_bits_are_always_the_same(network: Perceptron) -> None:
    optimizer = ide.Adam(0.9, 0.99)
    run = ide.simulate(optimizer, network, alpha=0.01, theta0=network.initial(1), steps=20)
    first, second = (ide.edge(optimizer, network, run) for _ in range(2))
    for name in ("k", "sharpness", "radius", "growth"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()


def test_rows_after_a_divergence_are_not_checked() -> None:
    steep = Overflow()
    run = ide.simulate(ide.GradientDescent(), steep, alpha=1.0, theta0=1.0, steps=2000)
    assert run.report.status == "diverged"
    result = ide.edge(ide.GradientDescent(), steep, run)
    assert result.k[-1] < run.report.diverged_at
    assert result.sharpness == pytest.approx(np.full(len(result.k), 5.0))
    assert result.since == 1


def test_the_largest_eigenvalue_is_found_beside_large_negative_ones() -> None:
    values = np.concatenate([np.linspace(-50.0, 1.0, 60), [1.5]])
    basis = np.linalg.qr(np.random.default_rng(1).standard_normal((61, 61)))[0]
    matrix = basis * values @ basis.T
    start = np.random.default_rng(2).standard_normal(61)
    found = largest_eigenvalue(lambda x: matrix @ x, start, 61, 0.01)
    assert found.value == pytest.approx(1.5, rel=0.01)
    assert found.error <= 0.01
    # An invariant subspace ends the iteration: three different eigenvalues are three products.
    diagonal = np.repeat([3.0, 1.0, -2.0], 5)
    exact = largest_eigenvalue(lambda x: diagonal * x, start[:15], 25, 1e-12)
    assert (exact.value, exact.error, exact.products) == (pytest.approx(3.0, rel=1e-14), 0.0, 3)


def test_a_guess_of_the_second_eigenvector_does_not_hide_the_first() -> None:
    values = np.concatenate([np.linspace(0.0, 0.5, 3998), [1.0, 1.1]])
    second = np.zeros(4000)
    second[-2] = 1.0
    for seed in range(20):
        random = np.random.default_rng(seed).standard_normal(4000)
        found = largest_eigenvalue(lambda x: values * x, random, 25, 0.01, second)
        assert found.value == pytest.approx(1.1, rel=0.01)
        assert found.error <= 0.01


def test_the_error_of_an_eigenvalue_is_a_bound_in_most_cases() -> None:
    values = np.linspace(0.0, 1.0, 300) ** 2
    held = []
    for seed in range(200):
        random = np.random.default_rng(seed).standard_normal(300)
        found = largest_eigenvalue(lambda x: values * x, random, 4 + seed % 12, 1e-3)
        held.append(1.0 - found.value <= found.error * found.value)
    assert np.mean(held) > 0.96 - 3.0 * np.sqrt(0.96 * 0.04 / 200)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"alpha": 0.0}, "alpha: 0.0 is not allowed: must be a number in (0, 1]"),
    ({"products": 0}, "products: 0 is not allowed: must be an integer >= 1"),
    ({"k": [0, 3]}, "k: 0 is not allowed: the path has no finite state of it after k = 0"),
    ({"k": [1, 9]}, "k: 9 is not allowed: the path has no finite state of it after k = 0"),
    ({"k": [2, 1]}, "k: [2, 1] is not allowed: must be increasing integers, shape (m,)"),
    ({"k": [1.5]}, "k: [1.5] is not allowed: must be increasing integers, shape (m,)"),
    ({"path": 7}, "path: 7 is not allowed: must be a Trajectory, or the result of leap or predict"),
    ({"optimizer": ide.Adam(0.9, 0.9)}, ""),
    ({"optimizer": ide.AdaGrad()}, "path: it does not store the memory 'G' of AdaGrad"),
    ({"optimizer": ide.RMSProp(0.9, accumulator="norm")}, "path: v has 2 numbers: must be 1"),
    ({"objective": 7}, "objective: 7 is not allowed: must be an object with value and gradient"),
    ({"optimizer": ide.Lion()}, "Lion: edge needs a step that is linear in the gradient"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_wrong_arguments_are_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"optimizer": ide.RMSProp(0.9), "objective": VALLEY} | changes
    path = ide.simulate(ide.RMSProp(0.9), VALLEY, alpha=0.01, theta0=START, steps=5)
    path = arguments.pop("path", path)
    optimizer, objective = arguments.pop("optimizer"), arguments.pop("objective")
    if not message:
        # The first moment is not needed: it is not part of the denominator.
        assert isinstance(ide.edge(optimizer, objective, path, **arguments), Edge)
        return
    with pytest.raises(ValueError, match=f"^{re.escape(message)}") as error:
        ide.edge(optimizer, objective, path, **arguments)
    assert "\n" not in str(error.value)


def test_a_path_without_states_is_refused() -> None:
    setting = {"alpha": 0.01, "theta0": START, "steps": 5}
    run = ide.simulate(RMSPROP, VALLEY, **setting)
    empty = replace(run, theta=np.full_like(run.theta, np.nan))
    with pytest.raises(ValueError, match="path: it has no finite state after k = 0"):
        ide.edge(RMSPROP, VALLEY, empty)


def test_the_edge_along_a_prediction_is_that_along_the_run():
    """The largest relative difference of the sharpness after the same iterations; digits, 4 hidden units."""
    network, optimizer = Perceptron.digits(4), ide.Adam(0.9, 0.99)
    cell = {"alpha": 1e-3, "steps": 120}
    run = ide.simulate(optimizer, network, theta0=network.initial(1), **cell)
    differences = []
    for step in (1, 0.5):
        predicted = ide.predict(optimizer, network, start=network.initial(1), step=step, **cell)
        k = [predicted.modelled, 40, 77, 120]
        for name in ("m", "v"):
            rows = run.moments[name][k]
            moments = np.stack([predicted.moments(at)[name] for at in k])
            assert np.linalg.norm(moments - rows) <= 0.01 * np.linalg.norm(rows)
        along_run, along_prediction = (ide.edge(optimizer, network, path, k=k) for path in (run, predicted))
        assert along_prediction.verdict == along_run.verdict
        differences.append(np.abs(along_prediction.sharpness / along_run.sharpness - 1.0).max())
    assert differences[0] <= 0.04
    assert differences[1] <= 0.5 * differences[0]


ADAM = ide.Adam(0.9, 0.999)


def test_iterations_before_the_model_of_a_prediction_have_no_edge_and_no_moments():
    predicted = ide.predict(ADAM, Rosenbrock(), alpha=1e-3, start=[-1.2, 1.0], steps=40)
    assert predicted.modelled == 9
    assert ide.edge(ADAM, Rosenbrock(), predicted).k[0] == 9
    with pytest.raises(ValueError, match=r"^k: 3 is not allowed: the path has no finite state of it"):
        ide.edge(ADAM, Rosenbrock(), predicted, k=[3])
    with pytest.raises(ValueError, match=r"^k: 3 .* must be in \[9, 40\]$"):
        predicted.moments(3)
    with pytest.raises(ValueError, match=r"^schedule: not allowed with a prediction"):
        ide.edge(ADAM, Rosenbrock(), predicted, schedule=ide.schedules.Cosine(40))
