"""Paths that begin where coordinates of the gradient are 0 or nearly so, and the budget of paths."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import idescent as ide
from idescent.objectives import Quadratic, Rosenbrock
from idescent.solvers.pace import STRETCH, Pace

M = ide.models
QUADRATIC = Quadratic(4.0)
SHRINKING = ide.AdamW(0.9, 0.99, 0.1)


def initial_value_problem(model, optimizer, objective, alpha, theta0, steps):
    """theta at every iteration, by SciPy's Radau method on path and memories together.

    In two parts, as an equation may jump at s = 1; from 1e-13, where it may be 0/0.
    """
    equation = model.equation(optimizer, alpha)
    assert equation.lookahead == equation.held_until == 0.0
    start = np.atleast_1d(np.asarray(theta0, dtype=float))
    n, memories = len(start), equation.memories

    def sources(theta):
        gradient = objective.gradient(theta) + equation.coupled_decay * theta
        return gradient, [gradient**2 if m.squared else gradient for m in memories]

    def slope(s, y):
        way, *felt = y.reshape(-1, n)
        theta = start + way
        gradient, remembered = sources(theta)
        felt = [np.maximum(f, 0.0) if m.squared else f for m, f in zip(memories, felt, strict=True)]
        change = [m.gain * h - m.rate * f for m, h, f in zip(memories, remembered, felt, strict=True)]
        return np.concatenate((equation.velocity(np.array([s]), theta, gradient, felt), *change))

    initial = [(m.initial + 1e-13 * m.gain) * h for m, h in zip(memories, sources(start)[1], strict=True)]
    # The way from the start, so that the method's Jacobian is taken on the scale of the way.
    y = np.concatenate((np.zeros(n), *initial))
    # Squares are known to the square of what gradients are known to.
    fine = np.concatenate([np.full(n, 1e-10)] + [np.full(n, 1e-20 if m.squared else 1e-10) for m in memories])
    path = [start]
    for first, last in ((0, 1), (1, steps)):
        found = solve_ivp(
            slope,
            (first + 1e-13, last),
            y,
            method="Radau",
            rtol=1e-8,
            atol=fine,
            t_eval=np.arange(first + 1.0, last + 1.0),
        )
        assert found.success, found.message
        y = found.y[:, -1]
        path += [*(start + found.y[:n].T)]
    return np.array(path)


@pytest.mark.parametrize("start", [(0.5, 0.25), (-1.2, 1.44)])
def test_the_third_order_model_leaves_a_valley_in_which_one_gradient_is_zero(start):
    cell = {"alpha": 0.01, "theta0": start, "steps": 3}
    path = ide.solve(M.ThirdOrder(), ide.Adam(0.9, 0.999), Rosenbrock(), **cell)
    assert path.report.ok, path.report.message
    assert path.report.gradient_evaluations < 12_000
    expected = initial_value_problem(M.ThirdOrder(), ide.Adam(0.9, 0.999), Rosenbrock(), *cell.values())
    assert np.abs(path.theta - expected).max() < 1e-7


@pytest.mark.slow
def test_the_third_order_model_leaves_the_origin_of_the_valley():
    """Its second coordinate swings many times about the valley's floor before the first memory has begun."""
    cell = {"alpha": 0.01, "theta0": (0.0, 0.0), "steps": 50}
    path = ide.solve(M.ThirdOrder(), ide.Adam(0.9, 0.999), Rosenbrock(), **cell)
    assert path.report.ok, path.report.message
    run = ide.simulate(ide.Adam(0.9, 0.999), Rosenbrock(), **cell)
    assert np.abs(path.theta - run.theta).max() < cell["alpha"]


@pytest.mark.parametrize(
    ("model", "optimizer", "away"),
    [
        (M.Paper(), SHRINKING, 0.0),
        (M.LogRate(), SHRINKING, 0.0),
        (M.ThirdOrder(), SHRINKING, 0.0),
        (M.Paper(), ide.AdamW(0.9, 0.99, 5.0), 0.0),
        (M.Paper(), ide.AdamW(0.9, 0.999, 0.01), 0.0),
        (M.Paper(), ide.AdamL2(0.9, 0.99, 0.1), 0.0),
        (M.ThirdOrder(), ide.AdamL2(0.9, 0.99, 0.1), 0.0),
        (M.Paper(), ide.Adam(0.9, 0.99), 1e-8),
    ],
)
def test_a_path_that_begins_at_the_minimum_is_found_with_little_work(model, optimizer, away):
    """Weight decay draws it off, gradients of the size of eps hold it: stiff as eps is small."""
    cell = {"alpha": 0.1, "theta0": 4.0 + away, "steps": 20}
    path = ide.solve(model, optimizer, QUADRATIC, **cell)
    assert path.report.ok, path.report.message
    assert path.report.gradient_evaluations < 30_000
    expected = initial_value_problem(model, optimizer, QUADRATIC, *cell.values())
    allowed = 1e-12 + 1e-9 * np.abs(path.theta).max()
    assert np.abs(path.theta - expected).max() < 2.0 * allowed


@pytest.mark.parametrize("optimizer", [ide.RMSProp(0.9), ide.AdaGrad()])
@pytest.mark.parametrize("model", [M.HalfStep(), M.Paper()])
@pytest.mark.parametrize("away", [1e-5, 1e-8])
def test_a_path_that_begins_beside_the_minimum_ends_there(model, optimizer, away):
    path = ide.solve(model, optimizer, QUADRATIC, alpha=0.1, theta0=4.0 + away, steps=40)
    assert path.report.ok, path.report.message
    assert path.report.gradient_evaluations < 100_000
    assert path.theta[-1, 0] == pytest.approx(4.0, abs=1e-8)


@pytest.mark.parametrize("alpha", [0.1, 0.05])
def test_a_path_that_swings_within_eps_over_a_long_horizon_stops_early_and_says_why(alpha):
    path = ide.solve(
        M.HalfStep(),
        ide.RMSProp(0.0),
        QUADRATIC,
        alpha=alpha,
        theta0=1.0,
        steps=200_000,
        rtol=1e-11,
        atol=1e-13,
        keep=1000,
    )
    assert path.report.status == "not converged"
    assert "stiff layer of width" in path.report.message
    # 2 million, 1 000 for each of 10 000 iterations, 50 for each of 190 000.
    assert path.report.message.endswith("more than the budget of 2.15e+07 gradients")
    assert path.report.gradient_evaluations < 40_000


def paced(ways, elements=STRETCH, gradients=100 * STRETCH, most=1e6):
    """Reasons of a march whose stretches go these ways in a horizon of 1 000 iterations."""
    pace = Pace(1000, most, 0, np.zeros(1))
    ends = np.cumsum(ways)
    return [
        pace.unaffordable(s, (i + 1) * elements, (i + 1) * gradients, np.array([0.5 * (i % 2)]))
        for i, s in enumerate(ends)
    ]


def test_only_a_steady_pace_of_short_elements_is_carried_on_to_the_horizon():
    # 20 000 gradients for 10 iterations: 2 million for the horizon.
    assert paced([10.0, 10.0])[0] == ""
    assert paced([10.0, 10.0])[1] == (
        "stiff layer of width 0.5 at iteration 20: elements of 0.05 iterations take 2e+03 gradients per "
        "iteration; the rest of the horizon would take more than the budget of 1e+06 gradients"
    )
    assert not any(paced([10.0, 10.0], most=3e6))
    assert not any(paced([10.0, 10.0], most=math.inf))
    # Growing elements, and elements that are not short.
    assert not any(paced([1.0, 3.0, 9.0]))
    assert not any(paced([150.0, 150.0], gradients=2_000_000))
