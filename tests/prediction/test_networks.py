"""Measured accuracy and cost on networks and on the edge of stability.

Errors are those of the loss, relative to max(L, 1e-3 L(0)), at every fifth iteration of the horizon in the
test; costs are gradients of the path an iteration.
"""

import numpy as np
import pytest
from predictions import relative

import idescent as ide
from idescent.objectives import LogisticRegression, Perceptron


def compared(optimizer, network, alpha, steps, **settings):
    """Return the largest error, the gradients of the path an iteration, and the report."""
    theta0 = network.initial(1)
    run = ide.simulate(optimizer, network, alpha=alpha, theta0=theta0, steps=steps, keep=5)
    start = {"theta": theta0, "iterations": settings.pop("iterations", 8)}
    result = ide.predict(optimizer, network, alpha=alpha, start=start, steps=steps, **settings)
    return relative(result.loss(run.k), run).max(), result.report.details["path"] / steps, result.report


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "hidden", "alpha", "steps", "settings", "error", "cost"),
    [
        (ide.Adam(0.9, 0.99), 66, 1e-3, 400, {"step": 6}, 5e-3, 0.21),
        (ide.Adam(0.9, 0.999), 66, 1e-4, 1000, {"step": 40, "iterations": 5}, 1e-3, 0.052),
        (ide.RMSProp(0.999), 20, 1e-3, 1000, {}, 1e-3, 1 / 3),
        (ide.AdaGrad(), 20, 1e-2, 1000, {}, 1e-3, 1 / 4),
    ],
    ids=["Adam 1e-3", "Adam 1e-4", "RMSProp", "AdaGrad"],
)
def test_a_network_is_predicted_for_a_fraction_of_its_run(
    optimizer, hidden, alpha, steps, settings, error, cost
):
    largest, ratio, report = compared(
        optimizer, Perceptron.digits(hidden), alpha, steps, estimate=False, **settings
    )
    assert largest <= error
    assert ratio <= cost
    assert report.details["path"] == report.gradient_evaluations


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "alpha"), [(ide.Adam(0.9, 0.99), 1e-3), (ide.AdaGrad(), 1e-2)], ids=["Adam", "AdaGrad"]
)
def test_the_estimate_on_a_network_costs_six_tenths_and_is_within_a_factor_of_two(optimizer, alpha):
    largest, _, report = compared(optimizer, Perceptron.digits(20), alpha, 600, step=3)
    assert largest / 2.0 <= report.error_estimate <= 2.0 * largest
    assert report.gradient_evaluations <= 1.6 * report.details["path"]


@pytest.mark.parametrize(("beta", "horizon"), [(0.99, 185), (0.9, 60)])
def test_five_true_iterations_let_the_model_hold_until_the_run_itself_is_chaotic(beta, horizon):
    """RMSProp on logistic regression at alpha = 0.1; from k = 0 the model leaves the run at once."""
    logistic = LogisticRegression.breast_cancer()
    settings = {"alpha": 0.1, "steps": 200}
    run = ide.simulate(ide.RMSProp(beta), logistic, theta0=np.zeros(logistic.dimension), **settings)
    horizons = []
    for iterations in (0, 5):
        start = {"theta": np.zeros(logistic.dimension), "iterations": iterations}
        result = ide.predict(ide.RMSProp(beta), logistic, start=start, step=0.5, estimate=False, **settings)
        outside = np.flatnonzero(relative(result.loss(run.k), run) > 0.01)
        horizons.append(int(outside[0]) - 1 if outside.size else 200)
    assert horizons[0] <= 1
    assert horizons[1] >= horizon
