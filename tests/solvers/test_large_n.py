"""Many parameters: gradients and memory against n, for quadratics whose coordinates start near zero, too."""

import tracemalloc

import numpy as np
import pytest

import idescent as ide
from idescent.objectives.data import Split
from idescent.objectives.perceptron import Perceptron

HALF_STEP = ide.models.HalfStep()
OPTIMIZERS = {
    "Adam": ide.Adam(0.9, 0.999),
    "RMSProp": ide.RMSProp(0.9),
    "gradient descent": ide.GradientDescent(),
    "Signum": ide.Signum(0.9),
}


class Diagonal:
    """The quadratic with the curvatures ``c``, with its Hessian."""

    def __init__(self, c):
        self.c = c

    def value(self, theta):
        return 0.5 * np.sum(self.c * theta * theta, axis=-1)

    def gradient(self, theta):
        return self.c * theta

    def hessian_diagonal(self, theta):
        return np.broadcast_to(self.c, theta.shape).copy()


class Plain:
    """Value and gradient of an objective, and nothing else: no Hessian in any form."""

    def __init__(self, objective):
        self.value, self.gradient = objective.value, objective.gradient


def problem(n):
    """Return the objective and a start of which some coordinates are near their zero."""
    return Diagonal(np.geomspace(0.1, 1.0, n)), np.random.default_rng(0).normal(size=n)


def half_step(optimizer, objective, theta, steps, **settings):
    path = ide.solve(HALF_STEP, optimizer, objective, alpha=1e-2, theta0=theta, steps=steps, **settings)
    assert path.report.status == "converged"
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Adam", "RMSProp"])
def test_ten_thousand_coordinates_cost_as_many_gradients_as_three_and_have_the_same_paths(name):
    n, steps = 10_000, 16
    objective, theta = problem(n)
    path = half_step(OPTIMIZERS[name], objective, theta, steps)
    few = [0, int(np.abs(theta).argmin()), n - 1]
    alone = half_step(OPTIMIZERS[name], Diagonal(objective.c[few]), theta[few], steps)
    tolerance = 1e-12 + 1e-9 * np.abs(path.theta).max()
    assert np.abs(path.theta[:, few] - alone.theta).max() < 2.0 * tolerance
    # The eight iterations at the start are the optimizer's own.
    assert path.report.gradient_evaluations < 25 * steps


def test_coordinates_that_have_converged_do_not_shorten_the_elements_without_a_hessian():
    # Their stiffness grows by 0.9**-0.5 in each iteration: without secants elements would be as short as
    # its inverse, and 150 iterations take 730 gradients an iteration.
    steps = 150
    objective, theta = problem(300)
    exact = half_step(OPTIMIZERS["RMSProp"], objective, theta, steps)
    path = half_step(OPTIMIZERS["RMSProp"], Plain(objective), theta, steps)
    tolerance = 1e-12 + 1e-9 * np.abs(path.theta).max()
    assert np.abs(path.theta - exact.theta).max() < 2.0 * tolerance
    assert path.report.gradient_evaluations < 40 * steps


def test_where_secants_do_not_help_they_are_given_up():
    n, steps = 100, 60
    stream = np.random.default_rng(1)
    rotation = np.linalg.qr(stream.normal(size=(n, n)))[0]
    hessian = (rotation * np.geomspace(0.01, 1.0, n)) @ rotation.T

    class Full:
        def value(self, theta):
            return 0.5 * ((theta @ hessian) * theta).sum(axis=-1)

        def gradient(self, theta):
            return theta @ hessian

    path = half_step(OPTIMIZERS["RMSProp"], Full(), stream.normal(size=n), steps)
    # 115 without the attempt, which takes at most 14 sweeps on one element in each pass.
    assert path.report.gradient_evaluations < (115 + 8) * steps


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_averaged_one_shift_at_a_time_is_the_same_up_to_rounding(name, monkeypatch):
    objective, theta = problem(40)
    settings = {"steps": 15, "rtol": 1e-6, "atol": 1e-9}
    at_once = half_step(OPTIMIZERS[name], objective, theta, **settings)
    monkeypatch.setattr("idescent.models.half_step.MOST_AT_ONCE", 0)
    path = half_step(OPTIMIZERS[name], objective, theta, **settings)
    assert path.report.gradient_evaluations == at_once.report.gradient_evaluations
    assert np.abs(path.theta - at_once.theta).max() < 1e-13


@pytest.mark.parametrize(("name", "most"), [("Adam", 450), ("RMSProp", 380)])
def test_the_half_step_stores_a_limited_number_of_vectors(name, most):
    # All nine shifts at once would take 810 and 530 vectors.
    n = 10_000
    objective, theta = problem(n)
    tracemalloc.start()
    half_step(OPTIMIZERS[name], Plain(objective), theta, 10, keep=[0, 10])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < most * 8 * n


def network(features, hidden):
    """Return a perceptron of three classes on 40 samples."""
    x = np.random.default_rng(0).normal(size=(40, features))
    y = (x[:, 0] > 0.0).astype(int) + (x[:, 1] > 0.5)
    return Perceptron(Split(x, y, x[:1], y[:1]), hidden)


def test_ten_thousand_parameters_of_a_network_cost_about_as_many_gradients_as_a_hundred():
    gradients = {}
    for features, hidden in ((6, 10), (50, 185)):
        objective = network(features, hidden)
        theta = objective.initial(0)
        # No gradient is so small that its square is rounding beside eps.
        optimizer = ide.Adam(0.9, 0.999, eps=1e-4)
        run = {"alpha": 1e-3, "theta0": theta, "steps": 16, "rtol": 1e-6, "atol": 1e-9}
        path = ide.solve(HALF_STEP, optimizer, objective, **run)
        assert path.report.status == "converged"
        gradients[len(theta)] = path.report.gradient_evaluations
    small, large = gradients.values()
    assert list(gradients) == [103, 9993]
    assert large < 2 * small < 60 * 16


def test_a_prediction_of_ten_thousand_coordinates_takes_about_as_many_gradients_as_one_of_a_hundred():
    gradients = []
    for n in (100, 10_000):
        objective, theta = problem(n)
        predicted = ide.predict(OPTIMIZERS["Adam"], objective, alpha=1e-3, start=theta, steps=1000)
        run = ide.simulate(
            OPTIMIZERS["Adam"], objective, alpha=1e-3, theta0=theta, steps=1000, keep=[0, 1000]
        )
        assert abs(predicted.losses[-1] / run.loss[-1] - 1.0) < 1e-4
        gradients.append(predicted.report.gradient_evaluations)
    assert gradients[1] < 2 * gradients[0] < 1000
