"""Models of any declared optimizer: the paper's derivation, and the automatic one of second order."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from declared_optimizers import OWN

import idescent as ide
from idescent.models import HalfStep, Naive, Paper
from idescent.models.equation import derive
from idescent.objectives import DoubleWell, RotatedQuadratic
from idescent.optimizers import Optimizer, accumulate, average, total
from idescent.optimizers.structure import structure

BOWL = ide.Quadratic(4.0)
ROTATED = RotatedQuadratic(3, 4.0, 0)
ROTATED_6 = RotatedQuadratic(6, 4.0, 1)


@dataclass(frozen=True)
class UncorrectedAdam(ide.Adam):
    def step(self, m, v):
        return m / (np.sqrt(v) + self.eps)


@dataclass(frozen=True)
class SoftLion(Optimizer):
    """Lion with a smooth sign: its step reads the gradient and a memory with ``read="old"``."""

    def memories(self):
        return {"m": average(0.99, read="old")}

    def step(self, m, gradient):
        x = 0.9 * m + 0.1 * gradient
        return x / np.sqrt(x * x + 0.25)


@dataclass(frozen=True)
class Position(Optimizer):
    """A step that depends on theta, on a sum, and on a memory that does not start at 0."""

    def memories(self):
        return {"m": average(0.9, start=np.array([-3.0])), "G": total(of="square")}

    def step(self, m, G, theta, k):  # noqa: N803
        return m / np.sqrt(1.0 + G / k + theta * theta)


@dataclass(frozen=True)
class NormalisedSum(Optimizer):
    """A sum that is fed by an average, and one that is read before its update."""

    def memories(self):
        return {
            "v": average(0.9, of="square"),
            "n": total(of=lambda gradient, v: gradient / (1.0 + np.sqrt(v))),
            "G": total(of="square", read="old", start=lambda gradient: gradient * gradient),
        }

    def step(self, gradient, n, G, k):  # noqa: N803
        return n / k + gradient / np.sqrt(G)


@dataclass(frozen=True)
class Before(Optimizer):
    """A step that reads values before the iteration, and decoupled decay with theta in the step."""

    weight_decay: float = 0.1
    decay: ClassVar[str] = "decoupled"

    def memories(self):
        return {"m": average(0.9), "q": average(0.5, of=lambda gradient, m_old: gradient - m_old)}

    def step(self, m, m_old, q, theta):
        return m + 0.5 * (m - m_old) + 0.1 * q + 0.1 * theta


@dataclass(frozen=True)
class Growing(Optimizer):
    """A decay rate that depends on k, of a memory of the gradient."""

    def memories(self):
        return {"m": average(lambda k: 1.0 - 1.0 / k), "b": accumulate(lambda k: 0.9 - 0.5 / k)}

    def step(self, m, b):
        return m + 0.1 * b


def slopes(model, optimizer, objective, theta0, time, exponents):
    errors = []
    for p in exponents:
        cell = {"alpha": 2.0**-p, "theta0": theta0, "steps": round(time * 2**p)}
        run = ide.simulate(optimizer, objective, **cell)
        path = ide.solve(model, optimizer, objective, **cell, rtol=1e-12)
        assert path.report.status == "converged"
        errors.append(ide.compare(run, path).sup["theta"])
    return np.log2(np.divide(errors[:-1], errors[1:])), errors


# Exponents p of the learning rates 2**-p in the asymptotic range: it begins at smaller ones the longer a
# memory is beside the path.
WINDOWS = [
    (ide.GradientDescent(), 1.0, (8, 9, 10, 11)),
    (ide.QHM(0.9, 1.0), 1.0, (10, 11, 12, 13)),
    (ide.QHM(0.9, 0.7), 1.0, (10, 11, 12, 13)),
    (ide.HeavyBall(0.9), 0.25, (14, 15, 16)),
    (ide.Nesterov(0.9), 0.25, (14, 15, 16)),
    (ide.Adam(0.9, 0.99), 1.2, (11, 12, 13)),
    (ide.Adam(0.9, 0.9), 1.2, (9, 10, 11)),
    (ide.NAdam(0.9, 0.9), 1.2, (9, 10, 11)),
    (ide.AdamW(0.9, 0.9, 0.1), 1.2, (9, 10, 11)),
    (ide.AdamL2(0.9, 0.9, 0.1), 1.2, (9, 10, 11)),
    (UncorrectedAdam(0.9, 0.99), 1.2, (8, 9, 10, 11)),
    (ide.RMSProp(0.9), 1.2, (7, 8, 9, 10)),
    (ide.AdaGrad(), 1.2, (6, 7, 8, 9)),
    (SoftLion(), 1.2, (8, 9, 10, 11)),
    (Position(), 1.2, (9, 10, 11)),
    (ide.HeavyBall(0.9, 0.5), 0.25, (14, 15, 16)),
    (ide.ScheduleFreeSGD(), 1.0, (11, 12, 13)),
    (ide.ScheduleFreeAdamW(0.9, 0.9, weight_decay=0.1), 1.2, (9, 10, 11)),
    (ide.ADOPT(0.9, 0.9), 1.2, (11, 12, 13)),
    (ide.AMSGrad(0.9, 0.9), 1.2, (8, 9, 10)),
    (ide.Adamax(0.9, 0.99), 1.2, (7, 8, 9)),
    (ide.MomentumRMSProp(0.9, 0.9), 0.12, (15, 16, 17)),
    (ide.AdaBelief(0.9, 0.9, eps=10.0), 0.3, (10, 11, 12)),
    (NormalisedSum(), 0.6, (10, 11, 12)),
    (Before(), 0.3, (12, 13)),
    (Growing(), 1.0, (12, 13, 14)),
]


def named(value):
    if isinstance(value, Optimizer):
        numbers = [f"{number:g}" for number in value.hyperparameters.values() if isinstance(number, float)]
        return "-".join([type(value).__name__, *numbers[:2]])
    return None


# Longer runs are left to `make test`.
LONG = 2500
SLOW = [() if time * 2 ** exponents[-1] <= LONG else pytest.mark.slow for _, time, exponents in WINDOWS]


@pytest.mark.parametrize(
    ("optimizer", "time", "exponents"),
    [pytest.param(*window, marks=mark) for window, mark in zip(WINDOWS, SLOW, strict=True)],
    ids=named,
)
def test_the_automatic_model_is_of_second_order(optimizer, time, exponents):
    orders, errors = slopes(HalfStep(), optimizer, BOWL, 1.0, time, exponents)
    assert (abs(orders - 2.0) <= 0.12).all(), (orders, errors)
    assert structure(optimizer).order == 2


def test_a_maximum_is_followed_to_second_order_where_it_begins_and_ends_to_follow():
    """The gradient of the double well rises and falls: the maximum has a peak, which is sampled."""
    orders, errors = slopes(HalfStep(), ide.AMSGrad(0.9, 0.9), DoubleWell(1), 0.1, 0.7, (13, 14))
    assert abs(orders[0] - 1.9) <= 0.12, (orders, errors)


def test_a_parameter_in_the_shape_of_a_matrix():
    theta = [1.0, 0.5, -1.0, 2.0, 1.5, -0.5]
    orders, errors = slopes(HalfStep(), OWN[-1], ROTATED_6, theta, 0.3, (7, 8, 9))
    assert (abs(orders - 2.0) <= 0.12).all(), (orders, errors)


@pytest.mark.parametrize(
    ("optimizer", "time", "exponents"),
    [
        (ide.HeavyBall(0.9, 0.5), 0.2, (13, 14, 15)),
        (ide.ScheduleFreeSGD(), 1.0, (9, 10)),
        (ide.ADOPT(0.9, 0.9), 0.3, (12, 13, 14)),
        (ide.AMSGrad(0.9, 0.9), 0.3, (11, 12, 13)),
        (ide.Adamax(0.9, 0.99), 0.3, (10, 11, 12)),
        (ide.AdaBelief(0.9, 0.9, eps=10.0), 0.3, (9, 10, 11)),
    ],
    ids=named,
)
def test_nested_memories_and_maxima_are_of_second_order_in_several_dimensions(optimizer, time, exponents):
    orders, errors = slopes(HalfStep(), optimizer, ROTATED, [1.5, -1.0, 2.0], time, exponents)
    assert (abs(orders - 2.0) <= 0.12).all(), (orders, errors)


def test_a_nested_memory_begins_after_the_transient_of_the_memories_that_feed_it():
    for optimizer, count in (
        (ide.MomentumRMSProp(0.5, 0.5), 17),
        (ide.ADOPT(0.9, 0.9), 8),
        (ide.Adamax(), 8),
    ):
        assert HalfStep().equation(optimizer, 2.0**-6).held_until == count + 0.5
    cell = {"alpha": 2.0**-6, "theta0": 1.0, "steps": 30}
    run = ide.simulate(ide.MomentumRMSProp(0.5, 0.5), BOWL, **cell)
    path = ide.solve(HalfStep(), ide.MomentumRMSProp(0.5, 0.5), BOWL, **cell)
    assert path.theta[:18].tolist() == run.theta[:18].tolist()
    assert path.theta[20:].tolist() != run.theta[20:].tolist()


@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
@pytest.mark.parametrize("kind", [UncorrectedAdam, ide.Adam])
def test_the_automatic_model_is_of_second_order_in_several_dimensions(kind, accumulator):
    optimizer = kind(0.9, 0.9, accumulator=accumulator)
    orders, errors = slopes(HalfStep(), optimizer, ROTATED, [1.5, -1.0, 2.0], 0.3, (10, 11, 12))
    assert (abs(orders - 2.0) <= 0.12).all(), (orders, errors)


@pytest.mark.parametrize(
    "optimizer",
    [
        ide.GradientDescent(),
        ide.QHM(0.9, 0.7),
        ide.Nesterov(0.5),
        ide.NAdam(0.9, 0.99),
        SoftLion(),
        ide.HeavyBall(0.5),
    ],
    ids=named,
)
def test_the_recipe_of_the_paper_is_of_first_order(optimizer):
    time = 0.25 if isinstance(optimizer, ide.HeavyBall | ide.Nesterov) else 1.0
    orders, errors = slopes(Paper(), optimizer, BOWL, 1.0, time, (9, 10, 11))
    assert (abs(orders - 1.0) <= 0.12).all(), (orders, errors)


@pytest.mark.parametrize("optimizer", [ide.Adam(0.9, 0.99), ide.RMSProp(0.9), ide.AdaGrad()], ids=named)
def test_the_recipe_gives_propositions_1_to_3_of_the_five(optimizer):
    """A function in the step that is not analytic hides the ratio: Paper then uses the general recipe."""
    steps = {
        ide.Adam: lambda self, m, v, k: np.abs(1.0) * ide.Adam.step(self, m, v, k),
        ide.RMSProp: lambda self, gradient, v: np.maximum(1.0, 1.0) * ide.RMSProp.step(self, gradient, v),
        ide.AdaGrad: lambda self, gradient, G: ide.AdaGrad.step(self, np.minimum(gradient, 1e300), G),  # noqa: N803
    }
    kind = type(optimizer)
    step = steps[kind]
    blurred = {
        ide.Adam: lambda self, m, v, k: step(self, np.minimum(m, 1e300), v, k),
        ide.RMSProp: lambda self, gradient, v: step(self, np.minimum(gradient, 1e300), v),
        ide.AdaGrad: step,
    }
    declared = type("Declared", (kind,), {"step": blurred[kind]})(**optimizer.hyperparameters)
    cell = {"alpha": 0.05, "theta0": 1.0, "steps": 40, "rtol": 1e-10}
    one, other = (ide.solve(Paper(), o, BOWL, **cell) for o in (optimizer, declared))
    np.testing.assert_allclose(other.theta, one.theta, rtol=1e-9)
    for name in one.moments:
        np.testing.assert_allclose(other.moments[name], one.moments[name], rtol=1e-7)


def test_signs_are_followed_exactly_until_one_changes():
    cell = {"alpha": 0.01, "theta0": [1.0, 6.0], "steps": 150}
    for optimizer in (ide.Lion(0.9, 0.99), ide.Signum(0.9)):
        run = ide.simulate(optimizer, BOWL, **cell)
        for model in (Paper(), HalfStep()):
            path = ide.solve(model, optimizer, BOWL, **cell)
            np.testing.assert_allclose(path.theta, run.theta, rtol=1e-13)


# Parts of the models


class Slope:
    """A constant gradient: each discrete memory is its mass times the source."""

    def value(self, theta):
        return 3.0 * theta.sum(axis=-1)

    def gradient(self, theta):
        return np.full_like(theta, 3.0)


@pytest.mark.parametrize(
    "optimizer",
    [ide.Adam(0.9, 0.99), UncorrectedAdam(0.9, 0.99), ide.NAdam(), ide.HeavyBall(0.9), Position()],
    ids=named,
)
def test_a_constant_gradient_is_followed_to_the_rounding_of_the_average_over_a_step(optimizer):
    cell = {"alpha": 0.01, "theta0": 1.0, "steps": 60}
    run = ide.simulate(optimizer, Slope(), **cell)
    path = ide.solve(HalfStep(start=12), optimizer, Slope(), **cell, rtol=1e-12)
    allowed = 1e-5 if isinstance(optimizer, Position) else 1e-7  # theta moves inside its step
    np.testing.assert_allclose(path.theta, run.theta, atol=allowed)
    for name in path.moments:
        np.testing.assert_allclose(path.moments[name], run.moments[name], rtol=1e-9)


def test_the_first_iterations_are_those_of_the_optimizer():
    cell = {"alpha": 0.05, "theta0": 1.0, "steps": 30}
    run = ide.simulate(ide.NAdam(), BOWL, **cell)
    for keep in (None, 4, [0, 3, 8, 9, 30]):
        path = ide.solve(HalfStep(), ide.NAdam(), BOWL, **cell, keep=keep)
        early = path.k <= 8
        assert path.theta[early].tolist() == run.theta[path.k[early]].tolist()
        for name in ("m", "v"):
            assert path.moments[name][early].tolist() == run.moments[name][path.k[early]].tolist()
            np.testing.assert_allclose(path.moments[name], run.moments[name][path.k], rtol=0.01)
        assert not np.array_equal(path.theta[-1], run.theta[-1])
    short = ide.solve(HalfStep(), ide.NAdam(), BOWL, alpha=0.05, theta0=1.0, steps=5)
    assert short.theta.tolist() == run.theta[:6].tolist()


def test_a_sequence_by_recursion_is_continued_between_its_values():
    from idescent.optimizers.plan import Plan

    plan = Plan(ide.NAdam(psi=0.05))
    values, products = {"theta": np.ones(1)}, []
    for k in range(1, 40):
        plan.place(values, k, 0.1)
        products.append(values["product"])
    continued = plan.continued(np.arange(1.0, 40.0))["product"]
    np.testing.assert_allclose(continued, products, rtol=1e-13)
    between = plan.continued(np.arange(5.5, 38.5))["product"]
    # The logarithm is smooth: eight neighbours interpolate it well.
    np.testing.assert_allclose(
        np.log(between), 0.5 * np.log(np.array(products[4:-2]) * products[5:-1]), atol=3e-3
    )
    far = plan.continued(np.array([1e5]))["product"]
    assert abs(far[0]) < 1e-200


REFUSED = [
    (ide.AMSGrad(), "its memory 'u' is a maximum", None),
    (
        ide.AdaDelta(),
        "'u' is fed by more than the gradient",
        "'u' feeds on itself through D",
    ),
    (ide.ScheduleFreeSGD(), "the decay of its memory 'x' depends on k", None),
    (ide.HeavyBall(0.9, 0.5), "its memory 'b' does not start at 0", None),
    (
        ide.CenteredRMSProp(0.9),
        None,
        "not smooth where the gradient is constant, for example the root",
    ),
    (ide.AdaBelief(), None, "not smooth where the gradient is constant, for example the root"),
    (OWN[-1], "its parameter is a matrix", None),
    (OWN[3], "does not start at 0", "its memory 'd' feeds on itself: no second-order model is claimed"),
]


@pytest.mark.parametrize(("optimizer", "paper", "half_step"), REFUSED, ids=named)
def test_a_model_refuses_optimizers_outside_its_derivation_in_one_line(optimizer, paper, half_step):
    for model, why in ((Paper(), paper), (HalfStep(), half_step), (Naive(), None)):
        if why is None:
            derive(model, optimizer, 0.1)
            continue
        with pytest.raises(ValueError, match=f"^{type(model).__name__} does not model ") as caught:
            derive(model, optimizer, 0.1)
        assert why in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_number_of_first_iterations_is_checked():
    with pytest.raises(ValueError, match=r"^HalfStep\.start: 4 is not allowed: must be an integer >= 5$"):
        replace(HalfStep(), start=4)
