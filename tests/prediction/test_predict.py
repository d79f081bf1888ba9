"""The result of a prediction: status, errors, cost, budget, memory, and theta at any iteration."""

import math
import tracemalloc

import numpy as np
import pytest
from predictions import THETA0, Quartic, relative

import idescent as ide
from idescent.prediction import path

ADAM, ALPHA, STEPS = ide.Adam(0.9, 0.99), 1e-3, 1000
RUN = ide.simulate(ADAM, Quartic(), alpha=ALPHA, theta0=THETA0, steps=STEPS)


def predicted(objective=None, **settings):
    settings = {"alpha": ALPHA, "start": THETA0, "steps": STEPS, **settings}
    return ide.predict(ADAM, objective or Quartic(), **settings)


def test_the_status_is_estimated_and_never_converged():
    report = predicted().report
    assert report.status == "estimated"
    assert not report.ok


def test_the_estimate_is_that_of_the_true_error_and_costs_half_as_much_again():
    objective = Quartic()
    result = predicted(objective)
    error, details = relative(result.loss(RUN.k), RUN).max(), result.report.details
    assert objective.gradients == result.report.gradient_evaluations
    assert error / 2.0 <= result.report.error_estimate <= 2.0 * error <= 2e-3
    assert result.report.error_estimate == pytest.approx(
        details["solver_error"] + details["model_error"], rel=0.2
    )
    # Half of the steps of the path, and two short runs of optimizer and model.
    assert details["path"] <= 110
    assert objective.gradients <= 1.5 * details["path"] + 4 * 4
    assert details["passes"] == 2


@pytest.mark.slow
def test_the_estimate_is_within_a_factor_of_two_in_nine_of_ten_cells_and_of_four_in_all():
    """Constant steps of 10, 20 and 40 iterations; over 600 iterations the error of the solver dominates."""
    optimizers = [
        (ADAM, 1e-3),
        (ide.AdamL2(0.9, 0.99, 0.1), 1e-3),
        (ide.AdamW(0.9, 0.99, 0.1), 1e-3),
        (ide.NAdam(), 1e-3),
        (ide.AdaGrad(), 1e-2),
        (ide.RMSProp(0.99), 1e-3),
        (ide.GradientDescent(), 1e-3),
        (ide.QHM(0.9), 1e-3),
    ]
    ratios = []
    for optimizer, alpha in optimizers:
        run = ide.simulate(optimizer, Quartic(), alpha=alpha, theta0=THETA0, steps=600)
        for step in (10, 20, 40):
            result = ide.predict(optimizer, Quartic(), alpha=alpha, start=THETA0, steps=600, step=step)
            details = result.report.details
            assert details["largest_step"] == step
            assert details["solver_error"] > details["model_error"]
            ratios.append(result.report.error_estimate / relative(result.loss(run.k), run).max())
    factors = np.maximum(ratios, 1.0 / np.array(ratios))
    assert len(factors) == 24
    assert (factors <= 2.0).mean() >= 0.9
    assert factors.max() <= 4.0


def test_errors_are_estimated_for_each_iteration_of_the_curve():
    result = predicted()
    assert (result.k[0], result.k[-1]) == (0, STEPS)
    assert (result.errors[0], result.losses[0]) == (0.0, RUN.loss[0])
    assert result.report.error_estimate == result.errors.max()
    assert np.abs(result.losses - result.loss(result.k)).max() <= 1e-13
    assert (np.diff(result.k) > 0).all()
    assert len(result.k) <= 64


def test_a_smaller_tolerance_needs_more_gradients_and_is_reached():
    results = [predicted(tolerance=tolerance) for tolerance in (1e-2, 1e-4, 1e-5)]
    assert [
        r.report.details["solver_error"] <= t for r, t in zip(results, (1e-2, 1e-4, 1e-5), strict=True)
    ] == [True] * 3
    costs = [result.report.gradient_evaluations for result in results]
    assert costs[0] < costs[1] < costs[2] <= STEPS


def test_without_an_estimate_there_is_one_pass_and_no_number_in_its_place():
    report = predicted(estimate=False).report
    assert math.isnan(report.error_estimate)
    assert report.details["passes"] == 1
    assert report.gradient_evaluations == report.details["path"] <= 60
    assert report.message == f"{report.gradient_evaluations} gradients for 1000 iterations"


def test_theta_is_the_same_in_any_order_and_shape():
    result = predicted()
    k = [700, 3, 3, 1000, 0]
    assert np.array_equal(result(k), np.stack([result(x) for x in k]))
    assert result([]).shape == (0, 4)
    before = result(0).copy()
    result(0)[:] = 7.0
    assert np.array_equal(result(0), before)
    assert result.loss(700).shape == ()
    assert np.array_equal(result.loss(k), [result.loss(x) for x in k])


@pytest.mark.parametrize("k", [-1, 1001, 0.5, "first", [[1]], math.nan])
def test_an_iteration_that_is_not_predicted_is_refused(k):
    with pytest.raises(ValueError, match=r"^k: "):
        predicted(estimate=False)(k)


def test_a_path_that_is_too_long_to_be_stored_is_computed_again(monkeypatch):
    k = np.array([2, 9, 500, 1000])
    expected = predicted()(k)
    monkeypatch.setattr(path, "STORED", 100)
    objective = Quartic()
    result = predicted(objective)
    before = objective.gradients
    assert np.array_equal(result(k), expected)
    assert objective.gradients - before == result.report.details["path"]
    assert result.report.gradient_evaluations == before


@pytest.mark.parametrize("settings", [{}, {"estimate": False}, {"step": 5}])
def test_a_budget_for_the_start_only_ends_the_prediction_there(settings):
    objective = Quartic()
    result = predicted(objective, budget=10, **settings)
    assert (objective.gradients, result.reached, result.report.status) == (10, 8, "estimated")
    assert result.report.message.startswith("budget used up at iteration 8 of 1000")
    assert np.abs(result(np.arange(9)) - RUN.theta[:9]).max() <= 1e-14


@pytest.mark.parametrize("estimate", [True, False])
def test_a_budget_is_never_exceeded_and_ends_the_prediction_earlier(estimate):
    reached = []
    for budget in (80, 100, 200) if estimate else (20, 30, 200):
        objective = Quartic()
        result = predicted(objective, budget=budget, estimate=estimate)
        assert objective.gradients <= budget
        assert result.report.status == "estimated"
        k = np.arange(result.reached + 1)
        assert np.abs(result.loss(k) / RUN.loss[k] - 1.0).max() <= 5e-3
        with pytest.raises(ValueError, match="must be in"):
            result(result.reached + 1)
        reached.append(result.reached)
        message = f"budget used up at iteration {result.reached} of 1000"
        assert (message in result.report.message) == (result.reached < STEPS)
    assert 8 <= reached[0] < reached[1] < reached[2] == STEPS


@pytest.mark.parametrize("settings", [{"step": 20}, {}, {"estimate": False}])
def test_a_prediction_that_diverges_says_where(settings):
    optimizer, steep = ide.GradientDescent(), Quartic(quartic=0.0)
    run = ide.simulate(optimizer, steep, alpha=0.2, theta0=THETA0, steps=STEPS)
    result = ide.predict(optimizer, steep, alpha=0.2, start=THETA0, steps=STEPS, **settings)
    assert (result.report.status, run.report.status) == ("diverged", "diverged")
    assert result.report.diverged_at == result.reached + 1 <= STEPS
    assert result.report.message.startswith("theta is not finite after iteration")
    assert np.isfinite(result(np.arange(result.reached + 1))).all()


def test_unstable_steps_are_reported_beside_their_estimate():
    run = ide.simulate(ide.GradientDescent(), Quartic(), alpha=0.01, theta0=THETA0, steps=200)
    result = ide.predict(ide.GradientDescent(), Quartic(), alpha=0.01, start=THETA0, steps=200, step=4)
    assert result.report.details["unstable"]
    assert not predicted(step=10).report.details["unstable"]
    assert "steps twice as long are nearly unstable" in result.report.message
    assert result.report.error_estimate >= relative(result.loss(run.k), run).max()


@pytest.mark.parametrize("settings", [{}, {"estimate": False}, {"step": 20}])
def test_lines_of_progress_contain_the_cost_so_far_and_to_come(settings):
    lines = []
    result = predicted(progress=lines.append, **settings)
    assert 4 <= len(lines) <= 24
    assert all(line.startswith("predict: pass ") for line in lines)
    spent = [int(line.split(": ")[2].split()[0]) for line in lines]
    to_come = [int(line.split("about ")[1].split()[0]) for line in lines]
    assert spent == sorted(spent)
    total = result.report.gradient_evaluations
    assert spent[-1] + to_come[-1] == pytest.approx(total, abs=12)
    # From the middle of the first pass on.
    assert all(0.5 * total <= a + b <= 2.0 * total for a, b in zip(spent[3:], to_come[3:], strict=True))


def test_the_memory_is_a_few_vectors_whatever_the_number_of_steps(monkeypatch):
    n = 50_000

    class Wide(Quartic):
        def gradient(self, theta):
            return 2.0 * (theta - 4.0)

        def value(self, theta):
            return ((theta - 4.0) ** 2).sum(axis=-1)

    monkeypatch.setattr(path, "STORED", n)
    start, peaks = np.linspace(0.0, 2.5, n), []
    for steps in (100, 300):
        tracemalloc.start()
        result = ide.predict(ADAM, Wide(), alpha=1e-3, start=start, steps=steps)
        peaks.append(tracemalloc.get_traced_memory()[1] / (8 * n))
        tracemalloc.stop()
        assert result.reached == steps
    # For Adam: theta, two moments and two gradients of several states, two nodes, and a step.
    assert max(peaks) <= 30
    assert peaks[1] <= peaks[0] + 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 0.0}, r"alpha: 0.0 is not allowed: must be a number in \(0, 1\]"),
        ({"steps": 0}, r"steps: 0 is not allowed: must be an integer in \[1, 9007199254740992\]"),
        ({"tolerance": 1.0}, r"tolerance: 1.0 is not allowed: must be a number in \(0, 1\)"),
        ({"budget": 0}, r"budget: 0 is not allowed: must be an integer >= 1"),
        ({"budget": 9}, r"budget: 9 is not allowed: the start needs 10 gradients"),
        ({"step": 1.5}, r"step: 1.5 is not allowed: must be an integer >= 1 or a power of 1/2"),
        ({"step": 0}, r"step: 0 is not allowed"),
    ],
)
def test_a_setting_outside_its_range_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        predicted(**settings)


def test_an_objective_that_is_not_finite_at_the_start_is_refused():
    class Infinite(Quartic):
        def gradient(self, theta):
            return np.full(4, math.inf)

    with pytest.raises(ValueError, match=r"objective\.gradient: not finite at the start"):
        predicted(Infinite())


def test_an_objective_without_a_finite_value_at_the_start_is_refused():
    class Infinite(Quartic):
        def value(self, theta):
            return np.full(theta.shape[:-1], math.inf)

    with pytest.raises(ValueError, match=r"objective\.value: inf at the start: must be finite"):
        predicted(Infinite())


def test_steps_are_divided_until_the_tolerance_but_no_further_pass_costs_more_than_the_run():
    reached = predicted(tolerance=1e-5).report.details
    assert (reached["passes"], reached["solver_error"] <= 1e-5) == (3, True)
    missed = predicted(tolerance=1e-7).report.details
    assert (missed["passes"], missed["solver_error"] <= 1e-7) == (2, False)
    assert missed["path"] <= STEPS < 2 * missed["path"]


def test_longer_steps_that_overflow_leave_no_estimate_but_a_path():
    steep = Quartic(quartic=0.0)
    result = ide.predict(ide.GradientDescent(), steep, alpha=0.03, start=THETA0, steps=5000, step=2)
    assert (result.report.status, result.reached) == ("estimated", 5000)
    assert result.report.error_estimate == math.inf
    assert result.report.details["unstable"]
    assert np.abs(result(5000) - 4.0).max() <= 1e-12
