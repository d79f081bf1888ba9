"""Rival models: the declared order of each, its limits, and what it refuses."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from problems import Cosh, Linear, Rotated

import idescent as ide

M = ide.models
QUADRATIC = ide.Quadratic(4.0)
ADAM_ONLY = [M.BarakatBianchi(), M.DaSilvaGazeau(), M.Cattaneo(), M.HerediaSecondOrder()]
MILD = (1.0, 3.0, 10.0)
RIVALS = [M.Local(), M.Local("relaxed"), M.LogRate(), M.SignFlow(), *ADAM_ONLY]


def solved(model, optimizer, objective=QUADRATIC, alpha=0.1, theta0=1.0, steps=40, **settings):
    path = ide.solve(model, optimizer, objective, alpha=alpha, theta0=theta0, steps=steps, **settings)
    assert path.report.ok, path.report.message
    return path


def slopes(model, optimizer, window, objective=QUADRATIC, theta0=1.0, horizon=1.0, runs=ide.simulate):
    """Pairwise orders of theta's error, sup norm over k, t <= horizon, alpha = 2^-i for i in the window."""
    errors = []
    for exponent in window:
        settings = {"alpha": 2.0**-exponent, "theta0": theta0, "steps": round(horizon * 2**exponent)}
        path = solved(model, optimizer, objective, **settings, rtol=1e-9)
        errors.append(np.abs(runs(optimizer, objective, **settings).theta - path.theta).max())
    return np.log2(np.array(errors[:-1]) / np.array(errors[1:]))


# Declared order ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "optimizer", "window"),
    [
        (M.Local(), ide.AdaGrad(), (8, 9, 10, 11)),
        (M.Local(), ide.RMSProp(0.9), (8, 9, 10, 11)),
        (M.Local("relaxed"), ide.RMSProp(0.9), (8, 9, 10, 11)),
        (M.Local("relaxed"), ide.RMSProp(0.0), (8, 9, 10, 11)),
        (M.Local(), ide.Adam(0.9, 0.99), (8, 9, 10, 11)),
        (M.LogRate(), ide.RMSProp(0.9), (8, 9, 10, 11)),
        (M.LogRate(), ide.Adam(0.0, 0.9), (8, 9, 10, 11)),
        (M.DaSilvaGazeau(), ide.Adam(0.0, 0.9), (8, 9, 10, 11)),
        (M.SignFlow(), ide.RMSProp(0.9), (8, 9, 10, 11)),
        (M.SignFlow(), ide.Adam(0.0, 0.9), (12, 13, 14, 15)),
        (M.SignFlow(), ide.Adam(0.9, 0.99), (12, 13, 14, 15)),
        (M.Cattaneo(), ide.Adam(0.0, 0.9), (10, 11, 12, 13)),
        (M.Cattaneo(), ide.Adam(0.9, 0.95), (10, 11, 12, 13)),
        (M.Cattaneo(), ide.Adam(0.9, 0.99), (12, 13, 14, 15)),
        (M.Cattaneo(), ide.Adam(0.5, 0.9, eps=1.0), (9, 10, 11, 12)),
        (M.Cattaneo(stage=False), ide.Adam(0.9, 0.99), (10, 11, 12, 13)),
        (M.HerediaSecondOrder(), ide.Adam(0.9, 0.99), (7, 8, 9, 10)),
        (M.HerediaSecondOrder(0.0), ide.Adam(0.0, 0.99), (6, 7, 8, 9)),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_rival_has_its_declared_order_on_the_papers_quadratic(record_property, model, optimizer, window):
    found = slopes(model, optimizer, window)
    record_property("distance", float(np.abs(found - model.order).max()))
    assert (np.abs(found - model.order) <= 0.1).all(), found


@pytest.mark.parametrize(
    ("model", "betas"),
    [
        (M.BarakatBianchi(), (0.0, 0.9)),
        (M.BarakatBianchi(), (0.5, 0.9)),
        (M.LogRate(), (0.0, 0.9)),
        (M.DaSilvaGazeau(), (0.0, 0.9)),
        (M.Cattaneo(), (0.5, 0.9)),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_rival_has_its_declared_order_with_one_accumulator_for_all_coordinates(model, betas):
    optimizer = ide.Adam(*betas, accumulator="norm")
    found = slopes(model, optimizer, (10, 11, 12), Rotated(MILD), [1.0, 1.0, 1.0], horizon=0.5)
    assert (np.abs(found - model.order) <= 0.1).all(), found


@pytest.mark.parametrize("betas", [(0.0, 0.9), (0.9, 0.95), (0.9, 0.99)])
def test_barakat_and_bianchis_lags_cancel_by_coordinate_far_from_a_minimum(betas):
    """Both of its lags are half an iteration too long, which g/|g| does not feel: second order, by luck."""
    found = slopes(M.BarakatBianchi(), ide.Adam(*betas), (10, 11, 12, 13))
    assert (np.abs(found - 2.0) <= 0.1).all(), found


def inside(optimizer, objective, *, alpha, theta0, steps):
    """Adam with eps inside the root, as Cattaneo, Klusowski and Shigida have it."""
    theta = np.atleast_1d(np.asarray(theta0, dtype=float))
    m, v, rows = np.zeros_like(theta), np.zeros_like(theta), [theta]
    for k in range(1, steps + 1):
        g = objective.gradient(theta)
        m = optimizer.beta1 * m + (1 - optimizer.beta1) * g
        v = optimizer.beta2 * v + (1 - optimizer.beta2) * g * g
        hats = m / (1 - optimizer.beta1**k), v / (1 - optimizer.beta2**k)
        theta = theta - alpha * hats[0] / np.sqrt(hats[1] + optimizer.eps)
        rows.append(theta)
    return SimpleNamespace(theta=np.stack(rows))


@pytest.mark.parametrize("betas", [(0.0, 0.9), (0.5, 0.9)])
def test_cattaneo_with_eps_inside_is_second_order_for_adam_with_eps_inside(betas):
    optimizer = ide.Adam(*betas, eps=2.0)
    found = slopes(M.Cattaneo("inside"), optimizer, (9, 10, 11, 12), Cosh(), 1.3, 0.5, runs=inside)
    assert (np.abs(found - 2.0) <= 0.1).all(), found
    # The other convention is of another limit: this test can tell them apart.
    wrong = slopes(M.Cattaneo("outside"), optimizer, (8, 9, 10), Cosh(), 1.3, 0.5, runs=inside)
    assert (wrong < 0.1).all(), wrong


# Limits and reductions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [ide.Adam(0.9, 0.99, eps=0.0), ide.Adam(0.0, 0.999, eps=0.0)])
@pytest.mark.parametrize("model", [M.LogRate(), M.DaSilvaGazeau(), M.BarakatBianchi(), M.SignFlow()], ids=str)
def test_a_constant_gradient_is_followed_exactly_where_masses_agree(model, optimizer):
    run = ide.simulate(optimizer, Linear([3.0]), alpha=0.1, theta0=1.0, steps=40)
    path = solved(model, optimizer, Linear([3.0]))
    assert np.abs(path.theta - run.theta).max() < 1e-8
    if model.name in ("log-rate", "da-silva-gazeau"):
        for name in ("m", "v"):
            assert np.abs(path.moments[name][1:] - run.moments[name][1:]).max() < 1e-8


def test_without_memory_the_log_rate_kernel_is_sign_flow_of_rmsprop():
    optimizer = ide.RMSProp(0.0, eps=1e-2)
    first, second = (solved(model, optimizer, Cosh(), theta0=1.3) for model in (M.LogRate(), M.SignFlow()))
    assert np.abs(first.theta - second.theta).max() < 1e-9


def test_sign_flow_arrives_in_finite_time_and_stays():
    """|theta - 4| falls by alpha an iteration: 3/0.1 iterations, to the smoothing's width."""
    path = solved(M.SignFlow(), ide.Adam(0.9, 0.99), steps=60)
    assert np.abs(path.theta[:, 0] - np.minimum(1.0 + 0.1 * path.k, 4.0)).max() < 1e-6


def test_sign_flow_with_norm_moves_at_the_learning_rate_along_a_straight_line():
    optimizer = ide.Adam(0.9, 0.99, accumulator="norm")
    path = solved(M.SignFlow(), optimizer, theta0=[1.0, 0.0], steps=40)
    unit = np.array([3.0, 4.0]) / 5.0
    assert np.abs(path.theta - ([1.0, 0.0] + 0.1 * path.k[:, None] * unit)).max() < 1e-6


def test_sign_flow_with_weight_decay_relaxes_exponentially():
    optimizer = ide.AdamW(0.9, 0.99, 0.5, eps=0.0)
    path = solved(M.SignFlow(), optimizer, Linear([3.0]))
    # theta' = -alpha - alpha theta/2, in iterations
    assert np.abs(path.theta[:, 0] - (-2.0 + 3.0 * np.exp(-0.05 * path.k))).max() < 1e-8


@pytest.mark.parametrize("optimizer", [ide.Adam(0.9, 0.99), ide.AdamW(0.9, 0.99, 0.1)], ids=str)
def test_closures_leave_adam_as_the_paper_has_it(optimizer):
    assert np.array_equal(solved(M.Local(), optimizer).theta, solved(M.Paper(), optimizer).theta)


class Regularised:
    def __init__(self, objective, decay):
        self.objective, self.decay = objective, decay

    def value(self, theta):
        return self.objective.value(theta) + 0.5 * self.decay * (theta * theta).sum(axis=-1)

    def gradient(self, theta):
        return self.objective.gradient(theta) + self.decay * theta


@pytest.mark.slow
@pytest.mark.parametrize("model", [m for m in RIVALS if m.name != "local"], ids=lambda m: m.name)
def test_adaml2_is_adam_on_the_regularised_objective(model):
    coupled = solved(model, ide.AdamL2(0.5, 0.9, 0.3), Rotated(MILD), 0.003, [1.0, 1.0, 1.0])
    plain = solved(model, ide.Adam(0.5, 0.9), Regularised(Rotated(MILD), 0.3), 0.003, [1.0, 1.0, 1.0])
    assert np.abs(coupled.theta - plain.theta).max() < 1e-8


@pytest.mark.parametrize("model", RIVALS, ids=lambda m: m.name)
def test_in_one_dimension_norm_and_coordinate_agree(model):
    optimizer = ide.Adam(0.5, 0.9)
    one, two = (
        solved(model, o, Cosh(), 0.01, 1.3) for o in (optimizer, replace(optimizer, accumulator="norm"))
    )
    assert np.abs(one.theta - two.theta).max() < 1e-9


# Refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "optimizer"),
    [
        (M.LogRate(), ide.AdaGrad()),
        (M.SignFlow(), ide.AdaGrad()),
        *((m, o) for m in ADAM_ONLY for o in (ide.AdaGrad(), ide.RMSProp(0.9), ide.AdamW(0.9, 0.99, 0.1))),
    ],
    ids=str,
)
def test_a_model_says_in_one_line_which_optimizer_it_does_not_cover(model, optimizer):
    words = f"^{type(model).__name__} does not model {type(optimizer).__name__}: .+$"
    with pytest.raises(ValueError, match=words) as caught:
        ide.solve(model, optimizer, QUADRATIC, alpha=0.1, theta0=1.0, steps=5)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: M.Local("euler"), "Local.closure: 'euler' is not allowed"),
        (lambda: M.Cattaneo("both"), "Cattaneo.root: 'both' is not allowed"),
        (lambda: M.HerediaSecondOrder(-1.0), "HerediaSecondOrder.lookahead: -1.0 is not allowed"),
    ],
)
def test_settings_out_of_range_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("model", [M.SignFlow(), M.Cattaneo(), M.HerediaSecondOrder()], ids=lambda m: m.name)
def test_the_papers_method_refuses_memories_that_are_no_averages(model):
    with pytest.raises(ValueError, match=f"^model: '{model.name}' is not allowed with Picard: "):
        solved(model, ide.Adam(0.9, 0.99), steps=5, solver=ide.solvers.Picard())


@pytest.mark.parametrize("optimizer", [ide.HeavyBall(), ide.RMSProp(0.9)], ids=lambda one: type(one).__name__)
def test_the_papers_method_refuses_a_model_that_begins_with_the_optimizer(optimizer):
    with pytest.raises(ValueError, match=r"^model: 'half-step' is not allowed with Picard: it begins"):
        solved(M.HalfStep(), optimizer, steps=20, solver=ide.solvers.Picard())
