"""A finer pass that begins from the coarser one solves the same equations, in one window where it can."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial import legendre

import idescent as ide
from idescent.discrete import loop
from idescent.discrete.setup import Setup
from idescent.models import HalfStep, Paper
from idescent.models.equation import derive
from idescent.objectives.protocol import CountedObjective
from idescent.solvers import guide, mesh
from idescent.solvers.newton import NewtonMatrix, newton_step
from idescent.solvers.problem import Problem
from idescent.solvers.radau import radau

ADAM = ide.Adam(0.9, 0.99)


def solved(model=None, optimizer=ADAM, alpha=0.1, steps=100, rtol=1e-9):
    return ide.solve(
        model or Paper(),
        optimizer,
        ide.Quadratic(4.0),
        alpha=alpha,
        theta0=1.0,
        steps=steps,
        rtol=rtol,
        atol=1e-3 * rtol,
    )


@pytest.mark.parametrize("model", [Paper(), HalfStep()], ids=lambda model: model.name)
def test_the_second_solution_of_an_initial_value_model_is_one_window_with_fewer_sweeps(model, monkeypatch):
    path = solved(model)
    assert path.report.details["windows"] == 1
    assert path.report.details["largest_window"] == path.report.details["elements"] > 5
    # Without a stored path every element is a window.
    monkeypatch.setattr(guide, "MOST_STORED", 0)
    alone = solved(model)
    assert alone.report.details["windows"] == alone.report.details["elements"]
    assert path.report.sweeps < 0.75 * alone.report.sweeps
    assert np.abs(path.theta - alone.theta).max() <= 1e-10


def test_a_model_that_looks_ahead_has_no_guide(monkeypatch):
    path = solved(optimizer=ide.RMSProp(0.9), steps=30)
    monkeypatch.setattr(guide, "MOST_STORED", 0)
    assert np.array_equal(path.theta, solved(optimizer=ide.RMSProp(0.9), steps=30).theta)


def test_a_guided_window_that_does_not_converge_is_solved_element_by_element(monkeypatch):
    path = solved()
    monkeypatch.setattr(guide, "MOST_SWEEPS", 1)
    failing = solved()
    assert failing.report.ok
    assert failing.report.details["windows"] > 1
    assert np.abs(path.theta - failing.theta).max() <= 1e-10


@pytest.mark.parametrize("rtol", [0.1, 0.03])
def test_a_guided_window_over_negative_squares_falls_back_to_shorter_windows(rtol):
    # At these tolerances a window to the horizon has squares below 0 at its nodes, whose root is NaN.
    path = solved(HalfStep(), ide.RMSProp(0.9), alpha=0.01, steps=600, rtol=rtol)
    fine = solved(HalfStep(), ide.RMSProp(0.9), alpha=0.01, steps=600, rtol=1e-12)
    assert path.report.ok
    assert 1 < path.report.details["windows"] < path.report.details["elements"]
    assert np.abs(path.theta - fine.theta).max() <= path.report.error_estimate


def test_a_diagonal_newton_matrix_agrees_with_the_coupled_one_over_several_elements():
    method, random = radau(4), np.random.default_rng(5)
    lengths, n = np.array([0.5, 1.0, 0.7]), 2
    shape = (3, 4, n)
    propagator = random.normal(size=(3, 4)), random.normal(size=(3, 4, 4))
    terms = [
        (random.normal(size=shape), None, None),
        (random.normal(size=shape), random.normal(size=shape), propagator),
    ]
    residual, hessian = random.normal(size=shape), random.normal(size=shape)
    coupled = newton_step(residual, hessian[..., None] * np.eye(n), terms, lengths, method)
    matrix = NewtonMatrix(hessian, terms, lengths, method)
    # One matrix serves several residuals.
    for factor in (1.0, -3.0):
        assert np.allclose(matrix.step(factor * residual), factor * coupled, rtol=1e-9, atol=1e-11)


def test_a_continuation_is_the_truncated_legendre_series():
    method, random = radau(9), np.random.default_rng(6)
    values = random.normal(size=(10, 2))
    coefficients = (method.transform @ values)[:8]
    x = 1.0 + 2.0 * method.nodes * 1.7 / 0.6
    series = legendre.legval(x, coefficients).T - legendre.legval(1.0, coefficients)
    continued = mesh.continued(method, 0.6, values, np.array([3.0, -1.0]), 1.7, 7)
    assert np.allclose(continued - [3.0, -1.0], series, rtol=1e-12)


@pytest.mark.parametrize("optimizer", [ADAM, ide.RMSProp(0.9), ide.AdaGrad()], ids=repr)
def test_the_half_step_velocity_does_not_keep_values_of_another_time(optimizer):
    equation, other = (derive(HalfStep(), optimizer, 0.1) for _ in range(2))
    s, theta = np.array([[[9.0]]]), np.ones((1, 1, 1))
    values = [0.5 * theta, 0.25 * theta]
    equation.velocity(s, theta, theta, values)
    s += 1.0  # in place: the array is the same, its values are not
    later = equation.velocity(s, theta, theta, values)
    assert np.array_equal(later, other.velocity(np.array([[[10.0]]]), theta, theta, values))


def no_run(monkeypatch):
    """Without the discrete run the first pass is a march element by element."""
    monkeypatch.setattr(guide, "RUN", 1)


@pytest.mark.parametrize("model", [Paper(), HalfStep()], ids=lambda model: model.name)
@pytest.mark.parametrize("rtol", [0.1, 1e-5])
@pytest.mark.parametrize("steps", [100, 1000])
def test_a_discrete_run_as_the_guess_saves_most_sweeps_and_the_error_stays_certified(
    model, rtol, steps, monkeypatch
):
    alpha = 10.0 / steps
    fine = solved(model, alpha=alpha, steps=steps, rtol=1e-12)
    path = solved(model, alpha=alpha, steps=steps, rtol=rtol)
    no_run(monkeypatch)
    alone = solved(model, alpha=alpha, steps=steps, rtol=rtol)
    assert path.report.sweeps < 0.5 * alone.report.sweeps
    for solution in (path, alone):
        assert solution.report.ok
        assert np.abs(solution.theta - fine.theta).max() <= solution.report.error_estimate
        assert solution.report.error_estimate <= solution.report.atol + rtol * np.abs(fine.theta).max()


def test_the_gradients_of_the_run_count_as_evaluated():
    """At this tolerance each solution is one window, and one sweep evaluates a gradient at each node."""
    path = solved(HalfStep(), rtol=0.1, steps=90)
    # 9 true iterations at the start, 90 of the run; the two solutions have nine nodes an element.
    rest = path.report.gradient_evaluations - 9 - 90
    assert path.report.sweeps == 2
    assert rest % 9 == 0
    assert rest // 9 > path.report.details["elements"]


def test_at_a_tight_tolerance_the_run_is_no_guess(monkeypatch):
    path = solved(rtol=1e-9)
    no_run(monkeypatch)
    assert np.array_equal(path.theta, solved(rtol=1e-9).theta)


def test_an_objective_without_a_closed_form_has_no_run(monkeypatch):
    class Bare:
        """The quadratic without ``separable_quadratic``."""

        def value(self, theta):
            return np.sum((theta - 4.0) ** 2, axis=-1)

        def gradient(self, theta):
            return 2.0 * (theta - 4.0)

    arguments = {"alpha": 0.1, "theta0": 1.0, "steps": 60, "rtol": 0.1, "atol": 1e-4}
    bare = ide.solve(Paper(), ADAM, Bare(), **arguments)
    monkeypatch.setattr(loop, "has_kernel", lambda optimizer, objective: False)
    assert np.array_equal(bare.theta, ide.solve(Paper(), ADAM, Bare(), **arguments).theta)


def test_the_run_that_replaces_several_iterations_follows_the_optimizer():
    """Five iterations of the optimizer are one of the run, with the fifth power of the decay rates."""
    steps, alpha = 1000, 0.01
    for optimizer in (ADAM, ide.RMSProp(0.99), ide.AdaGrad()):
        objective = ide.Quadratic(4.0)
        setup = Setup(optimizer, CountedObjective(objective), alpha, np.array([1.0]), steps)
        problem = Problem(derive(HalfStep(), optimizer, alpha), optimizer, setup.objective, radau(9))
        run = guide.run_guide(problem, setup, 8.0, 200)
        assert run is not None
        assert setup.objective.gradients == len(run.theta) - 1 == 200
        true = ide.simulate(optimizer, objective, alpha=alpha, theta0=1.0, steps=steps).theta
        k = np.arange(0, steps + 1, 50)
        assert np.abs(run.guess(k.astype(float)) - true[k]).max() < 0.15


def test_a_horizon_within_the_first_iterations_needs_no_run():
    path = solved(HalfStep(), steps=5, rtol=1e-6)
    assert path.report.ok
    assert path.report.gradient_evaluations == 6


def test_a_kink_that_long_windows_miss_is_resolved_by_a_march_of_elements():
    # The third pass errs by 1e-9 at the switch of the maximum; the passes after it agree.
    cell = {"alpha": 2.0**-12, "theta0": 1.0, "steps": 4864}
    problem = ide.models.Naive(), ide.AMSGrad(0.9, 0.9), ide.Quadratic(4.0)
    path = ide.solve(*problem, **cell, rtol=1e-11, atol=1e-13)
    finer = ide.solve(*problem, **cell, rtol=1e-12, atol=1e-14)
    assert path.report.status == finer.report.status == "converged"
    np.testing.assert_allclose(path.theta, finer.theta, rtol=1e-11)
