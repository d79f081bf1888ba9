"""Leaps along oscillations of period 2, on stiff stretches, and to the end of runs that repeat themselves."""

from dataclasses import dataclass

import numpy as np
import pytest
from leaps import Crossing

import idescent as ide
from idescent.objectives.protocol import CountedObjective
from idescent.objectives.rosenbrock import Rosenbrock
from idescent.optimizers.plan import Plan
from idescent.solvers.branches import PARAMETERS, Branches, Stable
from idescent.solvers.choice import Choice
from idescent.solvers.cycle import Cycle
from idescent.solvers.difference import Difference

VALLEY = Rosenbrock()


def against_run(optimizer, objective, alpha, theta0, steps, **settings):
    """Return a leap, the discrete run, and the sup error of theta over all iterations."""
    common = {"alpha": alpha, "theta0": theta0, "steps": steps, **settings}
    leap = ide.leap(optimizer, objective, **common)
    run = ide.simulate(optimizer, objective, **common)
    assert leap.report.ok
    return leap, run, np.abs(leap(np.arange(steps + 1)) - run.theta).max()


@pytest.mark.parametrize(
    ("optimizer", "objective", "alpha", "theta0", "steps", "gradients"),
    [
        # The valley of Rosenbrock, which these cross in every iteration: 39 000 ... 41 000 one by one.
        (ide.CenteredRMSProp(0.9), VALLEY, 1e-4, [0.5, 0.25], 20_000, 11_000),
        (ide.CenteredRMSProp(0.9), VALLEY, 1e-4, [0.2, 0.1], 20_000, 11_500),
        # A cell of 3 000 iterations is short: an element costs 150 ... 400 gradients.
        (ide.CenteredRMSProp(0.9), VALLEY, 1e-3, [0.5, 0.25], 3_000, 7_500),
        (ide.CenteredRMSProp(0.9), VALLEY, 1e-3, [0.2, 0.1], 3_000, 7_500),
    ],
)
def test_an_element_of_two_branches_is_the_run_to_rounding(
    optimizer, objective, alpha, theta0, steps, gradients
):
    leap, run, error = against_run(optimizer, objective, alpha, theta0, steps)
    branches = [part for part in leap.parts if isinstance(part, Branches)]
    assert error <= min(1e-12, leap.report.error_estimate)
    assert leap.report.gradient_evaluations <= gradients
    assert sum(part.length for part in branches) >= steps // 2
    for part in branches:
        k = np.arange(part.first, part.first + part.length + 1)
        theta = run.theta[k]
        # It oscillates: moves differ from those before them by as much as they are large.
        moves = np.diff(theta, axis=0)
        assert np.abs(np.diff(moves, axis=0)).max() > 0.5 * np.abs(moves).max()
        for name, values in leap.moments(k).items():
            true = run.moments[name][k]
            assert np.abs(values - true).max() <= 1e-8 * np.abs(true).max()


def test_the_cost_of_an_oscillation_does_not_grow_with_its_length():
    costs = []
    for steps in (50_000, 500_000_000):
        leap = ide.leap(ide.RMSProp(0.99), Crossing(), alpha=1e-4, theta0=[-2.0, 1.0], steps=steps)
        assert leap.report.ok
        assert leap.reached == steps
        costs.append(leap.report.gradient_evaluations)
    assert costs[0] <= 36_000
    assert costs[-1] <= costs[0] + 10_000


@pytest.mark.parametrize(
    ("optimizer", "objective", "alpha", "theta0", "steps"),
    [
        (ide.Signum(), ide.Quadratic(4.0), 1e-2, 3.9, 20_000),
        (ide.Lion(), ide.Quadratic(4.0), 1e-2, 3.99, 20_000),
        (ide.CenteredRMSProp(0.9), Crossing(), 1e-4, [-0.8, 0.4], 20_000),
        (ide.CenteredRMSProp(0.9), Crossing(), 1e-4, [-1.2, 0.6], 20_000),
        (ide.GradientDescent(), ide.Quadratic([4.0, 5.0]), 0.1, [0.3, 1.7], 20_000),
    ],
)
def test_a_run_that_repeats_itself_ends_in_a_cycle(optimizer, objective, alpha, theta0, steps):
    leap, run, error = against_run(optimizer, objective, alpha, theta0, steps)
    cycle = leap.parts[-2]
    assert isinstance(cycle, Cycle)
    assert error <= min(1e-12, leap.report.error_estimate)
    assert leap.report.details["period"] == cycle.period
    assert f"from iteration {cycle.first} on it repeats {cycle.period} of them" in leap.report.message
    assert leap.report.gradient_evaluations <= steps
    states = np.hstack([run.theta, *run.moments.values()])
    assert np.array_equal(states[cycle.first + cycle.period :], states[cycle.first : -cycle.period])
    if leap.report.details["elements"] == 0:
        assert error == 0.0


def test_a_cycle_costs_the_same_on_any_horizon():
    settings = {"alpha": 1e-3, "theta0": 1.0}
    short, long = (
        ide.leap(ide.Signum(), ide.Quadratic(4.0), steps=steps, **settings) for steps in (10_000, 10_000_000)
    )
    assert short.report.gradient_evaluations == long.report.gradient_evaluations <= 4_000
    assert long.reached == 10_000_000
    assert np.array_equal(short(9_999), long(9_999))


@dataclass(frozen=True)
class Late(ide.Optimizer):
    """Rest until iteration 1 500, then move."""

    def step(self, gradient, k):
        """Return 1 after iteration 1 500."""
        return np.where(np.asarray(k) > 1500, 1.0, 0.0) + 0.0 * gradient


def test_a_step_that_depends_on_k_is_no_cycle_before_it_changes():
    leap, run, error = against_run(Late(), ide.Quadratic(4.0), 1e-3, 4.0, 2000)
    assert error <= 1e-13
    assert np.array_equal(run.theta[1500], [4.0])
    assert run.theta[2000, 0] < 3.6
    assert leap.report.details["period"] is None


def test_a_cycle_waits_for_the_last_jump_of_the_learning_rate():
    schedule = ide.schedules.Step(8000, 0.5)
    leap, _, error = against_run(ide.Signum(), ide.Quadratic(4.0), 1e-2, 3.9, 20_000, schedule=schedule)
    assert error <= 1e-13
    assert leap.parts[-2].first >= 16_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "objective", "alpha", "theta0", "steps", "gradients"),
    [
        # Stiff: the walls of the valley are 2 500 times steeper than its floor.
        (ide.GradientDescent(), VALLEY, 1e-3, [-1.2, 1.0], 50_000, 12_000),
        (ide.HeavyBall(), VALLEY, 1e-4, [-1.2, 1.0], 50_000, 12_000),
        (ide.AdaGrad(), VALLEY, 1e-2, [-1.2, 1.0], 50_000, 3_500),
        # A memory that feeds itself.
        (ide.AdaDelta(), ide.Quadratic(4.0), 1e-3, 1.0, 20_000, 2_500),
        (ide.AdaDelta(), Crossing(), 1e-2, [-2.0, 1.5], 20_000, 12_500),
    ],
)
def test_newtons_method_passes_over_stiff_stretches(optimizer, objective, alpha, theta0, steps, gradients):
    leap, _, error = against_run(optimizer, objective, alpha, theta0, steps)
    assert error <= min(1e-12, leap.report.error_estimate)
    assert leap.report.gradient_evaluations <= gradients
    assert any(type(part) is Stable for part in leap.parts)


def test_newtons_method_does_not_pass_over_an_instability():
    """Both ends of a long element may be stable where Adam departs from its smooth path between them."""
    settings = {"alpha": 1e-4, "theta0": [-1.2, 1.0], "steps": 50_000}
    leap = ide.leap(ide.Adam(0.9, 0.999), VALLEY, limit=30_000, **settings)
    run = ide.simulate(ide.Adam(0.9, 0.999), VALLEY, **settings)
    k = np.arange(leap.reached + 1)
    assert np.abs(leap(k) - run.theta[k]).max() <= leap.report.error_estimate
    stable = [part for part in leap.parts if isinstance(part, Stable)]
    assert stable
    assert all(part.growth * part.length <= np.log(1e3) for part in stable)


def test_many_parameters_and_maxima_have_one_branch():
    swing = np.array([1.0, -1.0] * 20)
    for optimizer, parameters, expected in (
        (ide.RMSProp(0.9), PARAMETERS, 2),
        (ide.RMSProp(0.9), PARAMETERS + 1, 0),
        (ide.AMSGrad(), 1, 0),
    ):
        rows = {"theta": [value * np.ones(parameters) for value in swing]}
        objective = CountedObjective(ide.Quadratic(4.0))
        choice = Choice(Difference(Plan(optimizer), objective, np.ones_like))
        assert choice.period(rows) == expected
        assert choice.period({"theta": [abs(row) for row in rows["theta"]]}) == 1
