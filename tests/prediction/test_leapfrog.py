"""One step of the leapfrog: exact memories, second order, and the optimizers that it covers."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from predictions import THETA0, Quartic
from scipy.integrate import solve_ivp

import idescent as ide
from idescent.models.lags import Lag
from idescent.optimizers import Optimizer, accumulate, average, total
from idescent.prediction.arrays import Counted
from idescent.prediction.leapfrog import Leapfrog, weights
from idescent.prediction.path import Planned, march
from idescent.prediction.start import parsed, run

COVERED = [
    (ide.GradientDescent(), 1e-4),
    (ide.HeavyBall(0.9, 0.1), 1e-5),
    (ide.QHM(0.9), 1e-4),
    (ide.RMSProp(0.99), 1e-3),
    (ide.AdaGrad(), 1e-2),
    (ide.Adam(0.9, 0.999), 1e-3),
    (ide.Adam(0.9, 0.99, accumulator="norm"), 1e-3),
    (ide.AdamL2(0.9, 0.99, 0.1), 1e-3),
    (ide.AdamW(0.9, 0.99, 0.1), 1e-3),
    (ide.NAdam(), 1e-3),
    (ide.Signum(), 1e-3),
    (ide.Lion(), 1e-3),
    (ide.Muon(shape=(2, 2)), 1e-3),
    (ide.Shampoo(shape=(2, 2)), 1e-3),
]


@pytest.mark.parametrize(
    "memory", [average(0.9), average(0.0), accumulate(0.99), total(), average(0.9, read="old")]
)
@pytest.mark.parametrize(("first", "last"), [(0.5, 1.5), (2.5, 12.5), (99.5, 100.0), (1000.5, 1200.5)])
def test_the_weights_solve_the_equation_of_the_memory_for_a_linear_source(memory, first, last):
    lag = Lag(memory, 0.0)

    def change(s, y):
        source = 2.0 + 3.0 * (s - first) / (last - first)
        return float(lag.change(np.array([s + 0.5]))[0]) * (source - y)

    exact = solve_ivp(change, (first, last), [7.0], rtol=1e-11, atol=1e-11, method="LSODA").y[0, -1]
    kept, early, late = weights(lag, first, last)
    assert kept * 7.0 + early * 2.0 + late * 5.0 == pytest.approx(exact, abs=1e-7)
    assert min(kept, early, late) >= -1e-12
    assert kept + early + late == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("optimizer", "largest"),
    [
        (ide.GradientDescent(), 3),
        (ide.Adam(0.9, 0.99), 2),
        (ide.AdamW(0.9, 0.99, 0.1), 3),
        (ide.RMSProp(0.99), 3),
    ],
    ids=lambda x: type(x).__name__,
)
def test_the_error_of_the_solver_is_of_second_order_in_the_step(optimizer, largest):
    """Sup norm of theta on a quadratic, every 160 iterations of 3200, after 200 true ones."""
    leapfrog, objective, thetas = Leapfrog(optimizer, 5e-5), Counted(Quartic(quartic=0.0)), {}
    start = parsed({"theta": THETA0, "iterations": 200}, leapfrog.plan.optimizer)
    *_, first = run(leapfrog, objective, start)
    for d in (10, 20, 40, 80):
        states = march(leapfrog, objective, first, np.inf, Planned([d] * (3200 // d)), np.inf)
        thetas[d] = np.array([state.theta for state, _ in states if (state.s - first.s) % 160 == 0])
        assert len(thetas[d]) == 20
    assert objective.gradients == 202 + 320 + 160 + 80 + 40
    errors = [np.abs(thetas[2 * d] - thetas[d]).max() for d in (10, 20, 40)]
    slopes = np.diff(np.log2(errors[:largest]))
    assert len(slopes) >= 1
    assert (np.abs(slopes - 2.0) <= 0.1).all(), slopes


@pytest.mark.parametrize(("optimizer", "alpha"), COVERED, ids=lambda x: type(x).__name__)
def test_the_prediction_is_close_to_the_run_for_a_tenth_of_its_gradients(optimizer, alpha):
    run = ide.simulate(optimizer, Quartic(), alpha=alpha, theta0=THETA0, steps=1000)
    objective = Quartic()
    predicted = ide.predict(
        optimizer, objective, alpha=alpha, start=THETA0, steps=1000, estimate=False, tolerance=1e-3
    )
    assert objective.gradients == predicted.report.gradient_evaluations <= 110
    assert np.abs(predicted.loss(run.k) / run.loss - 1.0).max() <= 5e-3
    assert np.abs(predicted(run.k) - run.theta).max() <= 5e-3


@dataclass(frozen=True)
class Regularised(Optimizer):
    """RMSProp with weight decay inside the step, and an average of theta in it."""

    beta: float = 0.9

    def memories(self):
        return {
            "v": average(self.beta, of="square", start=1.0),
            "z": average(self.beta, of=lambda theta: theta),
        }

    def step(self, gradient, theta, v, z):
        return gradient / np.sqrt(v) + 0.1 * theta + 0.1 * z


@dataclass(frozen=True)
class Averaged(Optimizer):
    """Gradient descent that stores an average of theta."""

    def memories(self):
        return {"z": average(0.9, of=lambda theta: theta, read="old")}

    def step(self, gradient):
        return gradient

    def evaluate(self, z):
        return z


@dataclass(frozen=True)
class Anchored(Optimizer):
    """Gradient descent towards an average of theta after the step."""

    def memories(self):
        return {"z": average(0.9, of=lambda theta: theta, read="old")}

    def step(self, gradient, theta, z):
        return gradient + 0.1 * (theta - z)


def test_a_step_may_read_theta_and_its_memories():
    run = ide.simulate(Regularised(), Quartic(), alpha=1e-3, theta0=THETA0, steps=600)
    errors = []
    for step in (5, 10, 20):
        predicted = ide.predict(
            Regularised(), Quartic(), alpha=1e-3, start=THETA0, steps=600, step=step, estimate=False
        )
        errors.append(np.abs(predicted(run.k) - run.theta).max())
    assert errors[0] <= 1e-4
    assert errors[0] < errors[1] < errors[2] <= 2e-3


@pytest.mark.parametrize(
    ("optimizer", "why"),
    [
        (ide.AMSGrad(0.9, 0.99), "its memory 'u' is a maximum"),
        (ide.MomentumRMSProp(), "its memory 'b' is fed by other memories"),
        (ide.ScheduleFreeSGD(), "its gradient is evaluated at another point than theta"),
        (ide.Adafactor(shape=(2, 2)), "the decay rate of its memory 'R' depends on k"),
        (Averaged(), "it stores another iterate than theta"),
        (Anchored(), "its memory 'z' is fed by theta after the step"),
        (ide.AdaDelta(), "its memory 'u' feeds on itself through D: no second-order model is claimed"),
    ],
    ids=lambda x: type(x).__name__,
)
def test_an_optimizer_with_other_memories_is_refused_in_one_line(optimizer, why):
    with pytest.raises(ValueError, match="does not model") as error:
        ide.predict(optimizer, Quartic(), alpha=1e-3, start=THETA0, steps=10)
    assert str(error.value) == f"predict does not model {type(optimizer).__name__}: {why}"


def test_a_long_memory_does_not_limit_the_step():
    """The rate of the first moment is 0.1 an iteration: an explicit method would need steps below 20."""
    run = ide.simulate(ide.Adam(0.9, 0.999), Quartic(), alpha=1e-5, theta0=THETA0, steps=20_000)
    predicted = ide.predict(
        ide.Adam(0.9, 0.999), Quartic(), alpha=1e-5, start=THETA0, steps=20_000, step=500, estimate=False
    )
    assert predicted.report.gradient_evaluations <= 110
    assert np.abs(predicted(run.k) - run.theta).max() <= 1e-4
    assert math.isnan(predicted.report.error_estimate)
