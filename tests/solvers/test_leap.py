"""Leaps: the discrete run itself, its error estimate, and its cost."""

import itertools

import mpmath
import numpy as np
import pytest
from leaps import Crossing, compared
from problems import Rotated

import idescent as ide
from idescent.objectives import RotatedQuadratic


class Saddle:
    """A double well about 1."""

    def value(self, theta):
        return 0.25 * (((theta - 1.0) ** 2 - 1.0) ** 2).sum(axis=-1)

    def gradient(self, theta):
        return (theta - 1.0) * ((theta - 1.0) ** 2 - 1.0)


QUADRATIC = ide.Quadratic(4.0)
SMOOTH = [
    ide.Adam(0.9, 0.999),
    ide.AdaGrad(),
    ide.RMSProp(0.99),
    ide.NAdam(),
    ide.HeavyBall(),
    ide.ScheduleFreeSGD(),
    ide.MomentumRMSProp(),
    ide.ADOPT(),
    ide.AdaBelief(eps_root=1e-8),
    ide.AdaDelta(),
    ide.AdamW(0.9, 0.99, 0.1),
    ide.Adam(0.9, 0.99, accumulator="norm"),
    # Before the switch of their maximum or sign.
    ide.Adamax(),
    ide.AMSGrad(0.9, 0.99),
    ide.Lion(),
]


@pytest.mark.parametrize("alpha", [1e-3, 2e-4])
@pytest.mark.parametrize("optimizer", SMOOTH, ids=lambda optimizer: type(optimizer).__name__)
def test_a_leap_is_the_run_to_rounding(optimizer, alpha):
    leap, error = compared(optimizer, QUADRATIC, alpha, 1.0, round(1.5 / alpha))
    assert error <= (1e-10 if isinstance(optimizer, ide.AdaDelta) else 1e-11)
    assert error <= leap.report.error_estimate <= 1e-8
    assert leap.report.ok
    assert leap.report.details["elements"] >= 3


def test_two_million_iterations_of_adam_cost_two_thousand_gradients(record_property):
    optimizer, steps = ide.Adam(0.9, 0.999), 2_000_000
    leap = ide.leap(optimizer, QUADRATIC, alpha=1e-6, theta0=1.0, steps=steps)
    run = ide.simulate(optimizer, QUADRATIC, alpha=1e-6, theta0=1.0, steps=steps)
    k = np.unique(np.concatenate((np.arange(5000), np.linspace(0, steps, 50_001).astype(int))))
    error = np.abs(leap(k) - run.theta[k]).max()
    record_property("gradients", leap.report.gradient_evaluations)
    record_property("error", float(error))
    assert leap.report.gradient_evaluations <= 2_500
    assert error <= min(1e-10, leap.report.error_estimate)


def test_the_cost_does_not_grow_with_the_length():
    costs = []
    for alpha in (1e-5, 1e-6, 1e-7, 1e-8):
        leap = ide.leap(ide.Adam(0.9, 0.999), QUADRATIC, alpha=alpha, theta0=1.0, steps=round(2 / alpha))
        assert leap.report.ok
        costs.append(leap.report.gradient_evaluations)
    assert max(costs) <= 2_500


def test_two_million_iterations_of_adagrad():
    optimizer, steps = ide.AdaGrad(), 2_000_000
    leap = ide.leap(optimizer, QUADRATIC, alpha=1e-3, theta0=1.0, steps=steps)
    run = ide.simulate(optimizer, QUADRATIC, alpha=1e-3, theta0=1.0, steps=steps)
    k = np.linspace(0, steps, 50_001).astype(int)
    assert leap.report.gradient_evaluations <= 4_000
    assert np.abs(leap(k) - run.theta[k]).max() <= min(1e-10, leap.report.error_estimate)


def test_a_zero_of_the_gradient_costs_the_logarithm_of_the_learning_rate():
    """Each factor 4 of the learning rate costs at most 2 500 gradients more; the iterations grow by 4096."""
    costs = []
    for power in range(10, 24, 2):
        settings = {"alpha": 2.0**-power, "theta0": [-2.0, 1.5], "steps": 2**power, "rtol": 1e-12}
        leap = ide.leap(ide.Adam(0.9, 0.99), Crossing(), **settings)
        gradient = leap(np.array([0, 2**power])) @ Crossing.matrix
        assert gradient[0, 0] > 0.0 > gradient[-1, 0]
        assert leap.report.ok
        costs.append(leap.report.gradient_evaluations)
        assert costs[-1] <= costs[0] + 1_250 * (power - 10)
    assert costs[-1] <= 12_000


@pytest.mark.parametrize("power", [10, 12, 14])
def test_a_leap_through_a_zero_of_the_gradient_is_the_run(power):
    leap, error = compared(ide.Adam(0.9, 0.99), Crossing(), 2.0**-power, [-2.0, 1.5], 2**power)
    assert error <= 1e-11
    assert error <= leap.report.error_estimate <= 1e-9


@pytest.mark.parametrize("schedule", [ide.schedules.Cosine(6000), ide.schedules.LinearWarmup(2000)])
def test_a_leap_follows_a_schedule(schedule):
    leap, error = compared(ide.Adam(0.9, 0.99), QUADRATIC, 2e-4, 1.0, 6000, schedule=schedule)
    assert error <= 1e-11
    assert leap.report.details["elements"] >= 3


@pytest.mark.parametrize("alpha", [1e-3, 2.5e-4])
@pytest.mark.parametrize(
    "optimizer", [ide.Shampoo(shape=(2, 2)), ide.Muon(shape=(2, 2)), ide.Adafactor(shape=(2, 2))]
)
def test_a_leap_moves_matrices(optimizer, alpha):
    objective = RotatedQuadratic(4, 4.0, 0)
    leap, error = compared(optimizer, objective, alpha, [1.5, -1.0, 2.0, -0.5], round(0.5 / alpha))
    assert error <= 1e-11
    assert error <= leap.report.error_estimate <= 1e-9
    assert leap.report.details["elements"] >= 2


@pytest.mark.slow
def test_the_estimate_covers_the_true_error_on_a_grid_of_cells():
    """48 cells: 8 optimizers, 3 objectives, 2 learning rates, horizons near and beyond the minimum."""
    optimizers = [
        ide.Adam(0.9, 0.99),
        ide.Adam(0.0, 0.9),
        ide.RMSProp(0.9),
        ide.AdaGrad(),
        ide.QHM(),
        ide.Nesterov(),
        ide.CenteredRMSProp(),
        ide.GradientDescent(),
    ]
    problems = [
        (QUADRATIC, 1.0),
        (ide.MeanSquaredError.synthetic(), 0.0),
        (Crossing(), [-2.0, 1.5]),
    ]
    missed = []
    cells = itertools.product(optimizers, problems, ((1e-2, 3.0), (1e-3, 1.5)))
    for optimizer, (objective, theta0), (alpha, time) in cells:
        leap, error = compared(optimizer, objective, alpha, theta0, round(time / alpha), rtol=1e-10)
        if not error <= leap.report.error_estimate:
            missed.append((optimizer, objective, alpha, time, error, leap.report))
    assert not missed


@pytest.mark.parametrize("distance", [4e-16, 3e-14, 1e-12, 1e-9])
@pytest.mark.parametrize("alpha", [1e-2, 2e-3])
def test_the_estimate_covers_a_run_that_leaves_a_saddle(alpha, distance):
    """Rounding at the start grows with the run's distance from the saddle, to the distance of the minima."""
    optimizer, steps = ide.GradientDescent(), round(40 / alpha)
    leap, error = compared(optimizer, Saddle(), alpha, 1.0 + distance, steps, rtol=1e-11)
    if alpha * distance < 1e-16:
        # A move is smaller than a digit: the run never leaves.
        assert leap.report.details["period"] == 1
        assert error == 0.0
        return
    assert leap.report.details["elements"] >= 3
    assert error <= leap.report.error_estimate
    assert leap.report.error_estimate >= 1e-16 / distance


def test_ten_thousand_iterations_agree_with_fifty_digits():
    steps, beta1, beta2, eps = 10_000, 0.9, 0.99, 1e-8
    leap = ide.leap(ide.Adam(beta1, beta2), QUADRATIC, alpha=1e-4, theta0=1.0, steps=steps, rtol=1e-13)
    with mpmath.workdps(50):
        theta, m, v = mpmath.mpf(1), mpmath.mpf(0), mpmath.mpf(0)
        one, two, rate = mpmath.mpf(beta1), mpmath.mpf(beta2), mpmath.mpf(1e-4)
        for k in range(1, steps + 1):
            g = 2 * (theta - 4)
            m, v = one * m + (1 - one) * g, two * v + (1 - two) * g * g
            theta -= rate * (m / (1 - one**k)) / (mpmath.sqrt(v / (1 - two**k)) + mpmath.mpf(eps))
            if k % 50 == 0:
                assert abs(float(theta - mpmath.mpf(float(leap(k)[0])))) <= 1e-13


def test_a_leap_departs_in_chaos_no_earlier_than_a_neighbour():
    optimizer, alpha, steps = ide.Adam(0.9, 0.99), 3e-4, 8000
    settings = {"alpha": alpha, "steps": steps}
    run = ide.simulate(optimizer, Crossing(), theta0=[-2.0, 1.5], **settings).theta
    near = ide.simulate(optimizer, Crossing(), theta0=[-2.0 + 1e-13, 1.5], **settings).theta
    leap = ide.leap(optimizer, Crossing(), theta0=[-2.0, 1.5], rtol=1e-12, **settings)
    apart = [np.abs(path - run).max(axis=1) > 1e-7 for path in (near, leap(np.arange(steps + 1)))]
    neighbour, own = (int(np.argmax(rows)) if rows.any() else steps for rows in apart)
    assert own >= 0.95 * neighbour
    assert np.abs(leap(np.arange(steps + 1)) - run).max() <= leap.report.error_estimate


def test_parts_join_at_every_iteration_and_are_reported():
    leap, error = compared(ide.Adam(0.9, 0.99), Rotated((1.0, 2.0, 5.0)), 1e-3, [1.0, 2.0, 3.0], 1500)
    assert error <= 1e-11
    details = leap.report.details
    ends = [k for stretch in details["where"] for k in stretch]
    assert ends[0] == 0
    assert ends[-1] == 1500
    assert sum(details["lengths"]) + details["iterations"] == 1500
    assert len(details["lengths"]) == details["elements"] >= 1


def test_a_call_returns_the_shape_of_its_argument():
    leap = ide.leap(ide.Adam(0.9, 0.99), QUADRATIC, alpha=1e-3, theta0=[1.0, 2.0], steps=1000)
    assert leap(7).shape == (2,)
    assert leap([900, 3]).shape == (2, 2)
    assert np.array_equal(leap([900, 3])[1], leap(3))
    assert leap([]).shape == leap.moments([])["v"].shape == (0, 2)
    assert leap.moments(5)["v"].shape == (2,)
    assert leap.moments([5, 6])["v"].shape == (2, 2)


def test_the_limit_ends_the_computation():
    leap = ide.leap(ide.Adam(0.9, 0.99), QUADRATIC, alpha=1e-5, theta0=1.0, steps=100_000, limit=500)
    assert leap.report.status == "not converged"
    assert leap.report.message.startswith("the limit of 500 gradients ended it at iteration")
    assert 0 < leap.reached < 100_000
    with pytest.raises(ValueError, match=f"must be in \\[0, {leap.reached}\\]"):
        leap(leap.reached + 1)
