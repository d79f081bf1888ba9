"""Where a leap cannot skip iterations it makes them, and reports so; noise and bad arguments are refused."""

from dataclasses import dataclass

import numpy as np
import pytest
from leaps import compared
from problems import DoubleWell

import idescent as ide
from idescent.stochastic import Batches

QUADRATIC = ide.Quadratic(4.0)


class Kinked:
    """A quadratic, and a slope that begins at a point."""

    def __init__(self, at, slope):
        self.at, self.slope = at, slope

    def value(self, theta):
        return ((theta - 4.0) ** 2 + self.slope * np.maximum(theta - self.at, 0.0)).sum(axis=-1)

    def gradient(self, theta):
        return 2.0 * (theta - 4.0) + self.slope * (theta > self.at)


class Absolute:
    """|theta|: its gradient is a sign."""

    def value(self, theta):
        return np.abs(theta).sum(axis=-1)

    def gradient(self, theta):
        return np.sign(theta)


class Huber:
    """A gradient whose slope jumps at 1 and at -1."""

    def value(self, theta):
        return np.where(np.abs(theta) < 1.0, 0.5 * theta * theta, np.abs(theta) - 0.5).sum(axis=-1)

    def gradient(self, theta):
        return np.clip(theta, -1.0, 1.0)


class Rounded:
    """A quadratic with gradients of single precision."""

    def value(self, theta):
        return ((theta - 4.0) ** 2).sum(axis=-1)

    def gradient(self, theta):
        return (2.0 * (theta.astype(np.float32) - np.float32(4.0))).astype(np.float64)


class Noisy:
    """A quadratic with noise in its gradient beyond a distance from 1."""

    def __init__(self, size, beyond):
        self.size, self.beyond, self.stream = size, beyond, np.random.default_rng(0)

    def value(self, theta):
        return ((theta - 4.0) ** 2).sum(axis=-1)

    def gradient(self, theta):
        far = np.abs(theta - 1.0) >= self.beyond
        return 2.0 * (theta - 4.0) + self.size * far * self.stream.normal(size=theta.shape)


@dataclass(frozen=True)
class Langevin(ide.Optimizer):
    """Gradient descent with noise after 20 iterations."""

    def step(self, gradient, k):
        return gradient + 1e-9 * (k > 20) * np.random.normal(size=gradient.shape)


@dataclass(frozen=True)
class OneByOne(ide.Optimizer):
    """A sequence that takes one iteration at a time."""

    def sequences(self):
        return {"factor": lambda k: 1.0 if k < 500 else 0.5}

    def step(self, gradient, factor):
        return factor * gradient


class Undeclared:
    """A schedule that does not declare its jump."""

    def rate(self, s):
        return np.where(s < 777.0, 1.0, 0.25)

    def breaks(self, steps):
        return ()


@pytest.mark.parametrize(
    ("optimizer", "objective", "message"),
    [
        (ide.Adam(0.9, 0.99), Noisy(1e-13, 0.0), "objective.gradient: two gradients at theta0 differ"),
        (ide.Adam(0.9, 0.99), Noisy(1e-9, 1e-9), "objective.gradient: two gradients at iteration 40 differ"),
        (
            Langevin(),
            QUADRATIC,
            "Langevin: theta of the iteration after iteration 40 differs in a repetition",
        ),
    ],
)
def test_noise_is_refused(optimizer, objective, message):
    with pytest.raises(ValueError, match=f"^{message}: leap takes no noise$"):
        ide.leap(optimizer, objective, alpha=1e-4, theta0=1.0, steps=1000)


def test_a_source_of_noise_is_no_objective():
    batches = Batches(ide.MeanSquaredError.synthetic(), 10)
    with pytest.raises(ValueError, match=r"^objective: Batches\(.* is not allowed"):
        ide.leap(ide.Adam(0.9, 0.99), batches, alpha=1e-4, theta0=1.0, steps=1000)


def test_noise_that_begins_later_is_not_smooth_and_is_not_passed_over():
    """No check of two gradients finds it: the iterations are made, and the estimate covers the noise."""
    leap = ide.leap(ide.GradientDescent(), Noisy(1e-6, 0.5), alpha=1e-3, theta0=1.0, steps=3000)
    first = int(np.argmax(np.abs(leap(np.arange(3001)) - 1.0) >= 0.5))
    assert leap.report.details["where"][-1][0] <= first
    assert leap.report.details["where"][-1][1] == 3000
    assert leap.report.error_estimate >= 1e-7


def test_iterations_are_made_where_an_element_cannot_be():
    leap, error = compared(ide.Signum(), DoubleWell(), 0.1, [0.3, 1.7], 2000)
    assert error <= 1e-13
    assert leap.report.details["elements"] == 0
    # The oscillation about the minima repeats itself to the last digit.
    where = leap.report.details["where"]
    assert where == [(0, where[0][1])]
    assert leap.report.message.startswith(f"0 elements, {where[0][1]} iterations made one by one; from")


@pytest.mark.parametrize(
    ("optimizer", "alpha"),
    [(ide.GradientDescent(), 1e-3), (ide.HeavyBall(), 1e-4), (ide.Adam(0.9, 0.99), 1e-3)],
)
def test_the_iterations_about_a_kink_are_made(optimizer, alpha):
    """The run reaches the kink of |theta| at 0, and then oscillates about it, some until they repeat."""
    leap, error = compared(optimizer, Absolute(), alpha, 1.00037, 2500)
    arrived = int(np.argmax(leap(np.arange(2501))[:, 0] <= 0.0))
    last = leap.report.details["where"][-1]
    assert leap.report.details["elements"] >= 1
    assert last[0] <= arrived < last[1]
    assert (last[1] == 2500) == (leap.report.details["period"] is None)
    assert error <= leap.report.error_estimate


def inside_the_longest_element(leap, part):
    """Return theta in the longest element of a leap, a part of its length before its end."""
    details = leap.report.details
    longest = int(np.argmax(details["lengths"]))
    end, length = details["where"][longest + 1][0], details["lengths"][longest]
    return leap(int(end - part * length))[0] + 1e-9


@pytest.mark.parametrize("part", [0.001, 0.003, 0.5, 0.998])
@pytest.mark.parametrize(
    "optimizer",
    [ide.Adam(0.9, 0.99), ide.RMSProp(0.99), ide.GradientDescent()],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_no_element_passes_over_a_jump_of_the_gradient(optimizer, part):
    """The jump is where an element of the smooth run would be, between its last node and its end, too."""
    settings = {"alpha": 1e-4, "theta0": 1.0, "steps": 8000, "rtol": 1e-11}
    smooth = ide.leap(optimizer, QUADRATIC, **settings)
    at = inside_the_longest_element(smooth, part)
    leap, error = compared(optimizer, Kinked(at, -0.5), 1e-4, 1.0, 8000, rtol=1e-11)
    assert error <= leap.report.error_estimate <= 1e-9
    assert leap.report.details["elements"] >= 3


@pytest.mark.parametrize("part", [0.001, 0.003, 0.5])
def test_no_element_passes_over_a_jump_that_only_a_memory_notices(part):
    """The sign of a momentum changes long after the gradient's: theta moves on at first."""
    settings = {"alpha": 1e-4, "theta0": 1.0, "steps": 8000, "rtol": 1e-11}
    smooth = ide.leap(ide.Signum(0.99), QUADRATIC, **settings)
    at = inside_the_longest_element(smooth, part)
    leap, error = compared(ide.Signum(0.99), Kinked(at, 10.0), 1e-4, 1.0, 8000, rtol=1e-11)
    assert error <= leap.report.error_estimate <= 1e-9
    assert leap.report.details["elements"] >= 3


@pytest.mark.parametrize("optimizer", [ide.GradientDescent(), ide.RMSProp(0.9)])
def test_elements_end_at_a_jump_of_the_slope_of_the_gradient(optimizer):
    leap, error = compared(optimizer, Huber(), 1e-3, [1.5, 2.2], 2000)
    assert error <= 1e-11
    assert error <= leap.report.error_estimate
    assert leap.report.details["elements"] >= 3


@pytest.mark.parametrize("rtol", [1e-11, 1e-8, 1e-5])
def test_gradients_of_single_precision_are_not_smooth_below_their_rounding(rtol):
    leap, error = compared(ide.Adam(0.9, 0.99), Rounded(), 1e-3, 1.0, 2000, rtol=rtol)
    assert error <= leap.report.error_estimate <= 100.0 * rtol
    single = leap.report.details["iterations"]
    assert single == 2000 if rtol == 1e-11 else single < 2000


@pytest.mark.parametrize(
    "schedule",
    [
        ide.schedules.Step(700, 0.5),
        ide.schedules.Sequential((ide.schedules.LinearWarmup(300), ide.schedules.Cosine(2000)), (1500,)),
        Undeclared(),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_no_element_passes_over_a_break_of_a_schedule(schedule):
    leap, error = compared(ide.Adam(0.9, 0.99), QUADRATIC, 2e-4, 1.0, 3000, schedule=schedule)
    assert error <= 1e-11
    assert error <= leap.report.error_estimate
    spans = zip(leap.report.details["where"], leap.report.details["where"][1:], strict=False)
    elements = [(before[1], after[0]) for before, after in spans]
    assert elements
    for at in schedule.breaks(3000) or (777,):
        assert not any(first < at - 1 and at + 1 < last for first, last in elements)


def test_a_run_that_diverges_is_computed_up_to_there():
    class Hill:
        def value(self, theta):
            return -0.25 * (theta**4).sum(axis=-1)

        def gradient(self, theta):
            return -(theta**3)

    settings = {"alpha": 1e-3, "theta0": 1.0, "steps": 5000}
    leap = ide.leap(ide.GradientDescent(), Hill(), **settings)
    run = ide.simulate(ide.GradientDescent(), Hill(), **settings)
    assert leap.report.status == "diverged"
    assert leap.report.diverged_at == run.report.diverged_at == leap.reached + 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("optimizer", [ide.GradientDescent(), ide.Adam(0.9, 0.99)])
def test_a_gradient_that_is_not_finite_ends_the_run(optimizer, value):
    class Edge:
        def value(self, theta):
            return ((theta - 4.0) ** 2).sum(axis=-1)

        def gradient(self, theta):
            return np.where(theta < 2.0, 2.0 * (theta - 4.0), value)

    settings = {"alpha": 2e-4, "theta0": 1.0, "steps": 8000}
    leap, run = (function(optimizer, Edge(), **settings) for function in (ide.leap, ide.simulate))
    assert leap.report.status == "diverged"
    assert leap.report.diverged_at == run.report.diverged_at == leap.reached + 1
    assert leap.report.message.startswith(f"iteration {leap.reached + 1} is not finite; ")
    assert leap.report.details["elements"] >= 1
    error = np.abs(leap(np.arange(leap.reached + 1)) - run.theta[: leap.reached + 1]).max()
    assert error <= leap.report.error_estimate <= 1e-9


def test_an_optimizer_of_single_iterations_is_run_and_reported():
    leap, error = compared(OneByOne(), QUADRATIC, 1e-3, 1.0, 1000)
    assert error <= 1e-13
    message = "0 elements, 1000 iterations made one by one: a sequence takes one iteration at a time"
    assert leap.report.message == message


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"alpha": 0.0}, "alpha: 0.0 is not allowed"),
        ({"steps": 0}, "steps: 0 is not allowed"),
        ({"theta0": np.nan}, "theta0: nan is not allowed"),
        ({"rtol": 0.0}, "rtol: 0.0 is not allowed"),
        ({"limit": 0}, "limit"),
        ({"objective": 3}, "objective: 3 is not allowed"),
        ({"optimizer": "adam"}, "optimizer: 'adam' is not allowed"),
    ],
)
def test_a_bad_argument_is_refused_in_one_line(changed, message):
    arguments = {"optimizer": ide.Adam(0.9, 0.99), "objective": QUADRATIC, "alpha": 0.1, "theta0": 1.0}
    arguments |= {"steps": 10} | changed
    with pytest.raises(ValueError, match=f"^{message}") as refusal:
        ide.leap(arguments.pop("optimizer"), arguments.pop("objective"), **arguments)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("k", [-1, 11, 2.5, "a", [[1]], np.nan])
def test_iterations_outside_a_leap_are_refused(k):
    leap = ide.leap(ide.Adam(0.9, 0.99), QUADRATIC, alpha=0.1, theta0=1.0, steps=10)
    with pytest.raises(ValueError, match=r"^k: "):
        leap(k)
