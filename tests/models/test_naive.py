"""The naive model: the increment of one iteration as the velocity, for every declared optimizer."""

import numpy as np
import pytest
from declared_optimizers import OWN

import idescent as ide
from idescent.models import Local, Naive
from idescent.objectives import DoubleWell

BOWL = ide.Quadratic(4.0)


@pytest.mark.parametrize(
    "optimizer",
    [
        ide.RMSProp(0.9),
        ide.AdaGrad(),
        ide.RMSProp(0.5, accumulator="norm"),
    ],
    ids=repr,
)
def test_it_is_the_local_closure_of_propositions_1_and_2(optimizer):
    cell = {"alpha": 0.05, "theta0": [1.0, 6.5], "steps": 40, "rtol": 1e-10}
    naive, local = (ide.solve(model, optimizer, BOWL, **cell) for model in (Naive(), Local()))
    np.testing.assert_allclose(naive.theta, local.theta, rtol=1e-10)
    for name in naive.moments:
        np.testing.assert_allclose(naive.moments[name], local.moments[name], rtol=1e-8)


def named(value):
    return type(value).__name__ if isinstance(value, ide.Optimizer) else None


# Exponents p of the learning rates 2**-p: the range is asymptotic where no memory is long beside the path.
WINDOWS = [
    (ide.GradientDescent(), 1.0, 8),
    (ide.QHM(0.9, 0.7), 1.0, 11),
    (ide.Adam(0.9, 0.9), 1.0, 9),
    (ide.AdamL2(0.9, 0.9, 0.1), 1.0, 9),
    (ide.AdamW(0.9, 0.9, 0.1), 1.0, 9),
    (ide.NAdam(0.9, 0.9), 1.0, 9),
    (ide.RMSProp(0.9), 1.0, 9),
    (ide.AdaGrad(), 1.0, 9),
    (ide.AMSGrad(0.9, 0.9), 1.0, 9),
    (ide.Adamax(0.9, 0.9), 1.0, 9),
    (ide.ADOPT(0.9, 0.9), 1.0, 9),
    (ide.MomentumRMSProp(0.9, 0.9), 0.1, 10),
    (ide.ScheduleFreeSGD(), 1.0, 8),
    (ide.ScheduleFreeAdamW(0.9, 0.9), 1.0, 9),
    (ide.AdaDelta(0.9, 10.0), 1.0, 11),
]


def slope(optimizer, objective, theta0, time, exponent):
    errors = []
    for p in (exponent, exponent + 1):
        cell = {"alpha": 2.0**-p, "theta0": theta0, "steps": round(time * 2**p)}
        run = ide.simulate(optimizer, objective, **cell)
        path = ide.solve(Naive(), optimizer, objective, **cell, rtol=1e-8)
        assert path.report.status == "converged"
        errors.append(ide.compare(run, path).sup["theta"])
    return np.log2(errors[0] / errors[1])


@pytest.mark.parametrize(("optimizer", "time", "exponent"), WINDOWS, ids=named)
def test_it_is_of_first_order(optimizer, time, exponent):
    assert abs(slope(optimizer, BOWL, 1.0, time, exponent) - 1.0) <= 0.1


def test_it_is_of_first_order_where_a_maximum_has_a_peak():
    assert abs(slope(ide.AMSGrad(0.9, 0.9), DoubleWell(1), 0.1, 0.7, 10) - 1.0) <= 0.1


def test_a_parameter_in_the_shape_of_a_matrix():
    assert abs(slope(OWN[-1], BOWL, np.linspace(1.0, 2.0, 6), 0.5, 7) - 1.0) <= 0.1


def test_signs_are_followed_exactly_until_one_changes():
    cell = {"alpha": 0.01, "theta0": [1.0, 6.0], "steps": 150}
    for optimizer in (ide.Lion(0.9, 0.99), ide.Signum(0.9)):
        run, path = ide.simulate(optimizer, BOWL, **cell), ide.solve(Naive(), optimizer, BOWL, **cell)
        np.testing.assert_allclose(path.theta, run.theta, rtol=1e-13)


def test_rows_contain_every_memory():
    for optimizer in (ide.AdaDelta(), ide.ADOPT(0.9, 0.9), ide.ScheduleFreeSGD()):
        path = ide.solve(Naive(), optimizer, BOWL, alpha=0.01, theta0=1.0, steps=20)
        assert list(path.moments) == list(optimizer.moments)
        run = ide.simulate(optimizer, BOWL, alpha=0.01, theta0=1.0, steps=20)
        for name in path.moments:
            assert path.moments[name][0] == run.moments[name][0]
            np.testing.assert_allclose(path.moments[name], run.moments[name], rtol=0.2)
