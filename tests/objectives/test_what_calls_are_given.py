"""Arguments of public calls: numbers of numpy, schedules that are none, gradients that misbehave."""

from __future__ import annotations

import re

import numpy as np
import pytest

import idescent as ide
from idescent import stochastic as st
from idescent.models import HalfStep, HerediaSecondOrder, Paper
from idescent.schedules import Constant, Cosine, Sequential
from idescent.solvers import Collocation, Picard

ADAM = ide.Adam(0.9, 0.99)
CELL = {"alpha": 0.1, "theta0": 1.0, "steps": 20}


class Bowl:
    """(theta - 4)^2, with any gradient and value."""

    def __init__(self, gradient=None, value=None):
        self.gradient = gradient or (lambda theta: 2.0 * (theta - 4.0))
        self.value = value or (lambda theta: ((theta - 4.0) ** 2).sum(axis=-1))


def run_of(objective, **more):
    return ide.simulate(ADAM, objective, **(CELL | more))


def many(objective, **more):
    return ide.simulate_many(ADAM, objective, **(CELL | more))[0]


def exact(objective, **more):
    return ide.solve(Paper(), ADAM, objective, **(CELL | more))


def published(objective, **more):
    return ide.solve(Paper(), ADAM, objective, **(CELL | more), solver=Picard(max_sweeps=4, nodes=20))


def leap(objective, **more):
    return ide.leap(ADAM, objective, **(CELL | more))


def noisy(objective, **more):
    return st.simulate_runs(ADAM, st.Additive(objective, 0.1), **(CELL | more), runs=2, seed=1)


def paths(objective, **more):
    return st.simulate_paths(
        st.Compagnoni(), ADAM, st.Additive(objective, 0.1), **(CELL | more), runs=2, seed=1
    )


CALLS = (run_of, many, exact, published, leap, noisy, paths)
SCHEDULED = (run_of, many, exact, published, noisy, paths)


def numbers(result):
    """Return everything that a call computed."""
    if isinstance(result, st.Ensemble):
        return np.concatenate(list(result.values.values()))
    return result.theta if isinstance(result, ide.Trajectory) else result(np.arange(21))


# --- objectives ---------------------------------------------------------------------------------------------


def doubled(theta):
    theta -= 4.0
    theta *= 2.0
    return theta


def sorted_in_place(theta):
    theta.sort(axis=-1)
    return theta


def into_itself(theta):
    return np.multiply(theta, 2.0, out=theta)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("method", ["gradient", "value"])
@pytest.mark.parametrize("function", [doubled, sorted_in_place, into_itself])
def test_an_objective_that_works_in_place_is_refused(call, method, function):
    with pytest.raises(ValueError, match=rf"^objective\.{method} writes to its argument, .* copy it first$"):
        call(Bowl(**{method: function}))


def test_hessians_mini_batches_and_accuracies_receive_read_only_arrays():
    class Curved(Bowl):
        def hessian_vector(self, theta, direction):
            direction *= 2.0
            return direction

    with pytest.raises(ValueError, match=r"^objective\.hessian_vector writes"):
        ide.solve(ide.models.Cattaneo(), ADAM, Curved(), **CELL)

    class Batch(Bowl):
        samples = 3

        def value_of(self, theta, indices):
            return self.value(theta)

        def gradient_of(self, theta, indices):
            theta *= 2.0
            return theta

        def accuracy(self, theta, split="test"):
            theta *= 0.0
            return theta[..., 0]

    with pytest.raises(ValueError, match=r"^objective\.gradient_of writes"):
        st.simulate_runs(ADAM, st.Batches(Batch(), 2), **CELL, runs=2, seed=1)
    noise = st.Additive(Batch(), 0.1)
    with pytest.raises(ValueError, match=r"^objective\.accuracy writes"):
        st.simulate_runs(ADAM, noise, **CELL, runs=2, seed=1, observe=["accuracy"])


def one_buffer():
    """Return a gradient that overwrites what it returned before."""
    buffers = {}

    def gradient(theta):
        buffer = buffers.setdefault(theta.shape, np.empty(theta.shape))
        return np.multiply(theta - 4.0, 2.0, out=buffer)

    return gradient


BUFFER = one_buffer()
SAME = {
    "one buffer": one_buffer(),
    "a view of a buffer": lambda theta: BUFFER(theta)[..., :],
    "a read-only array": lambda theta: np.broadcast_to(2.0 * (theta - 4.0), theta.shape),
    "lists": lambda theta: (2.0 * (theta - 4.0)).tolist(),
    "objects": lambda theta: (2.0 * (theta - 4.0)).astype(object),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("gradient", SAME.values(), ids=SAME)
def test_a_gradient_that_returns_its_numbers_in_another_way_gives_the_same_bits(call, gradient):
    np.testing.assert_array_equal(numbers(call(Bowl(gradient))), numbers(call(Bowl())))


@pytest.mark.parametrize("call", CALLS)
def test_a_gradient_that_returns_its_argument_is_that_of_half_a_square(call):
    one, other = (
        call(Bowl(gradient, lambda theta: 0.5 * (theta**2).sum(axis=-1)))
        for gradient in (lambda theta: theta, lambda theta: 1.0 * theta)
    )
    np.testing.assert_array_equal(numbers(one), numbers(other))


@pytest.mark.parametrize("call", CALLS)
def test_whole_numbers_are_numbers(call):
    kinds = [call(Bowl(lambda theta, k=kind: np.full(theta.shape, 3, dtype=k))) for kind in (int, float)]
    np.testing.assert_array_equal(numbers(kinds[0]), numbers(kinds[1]))


ODD = {
    "complex": (lambda theta: 2.0 * theta + 0j, " returns complex128: must be real numbers"),
    "truth": (lambda theta: theta > 0.0, " returns bool: must be real numbers"),
    "text": (lambda theta: np.full(theta.shape, "1.0"), " returns <U3: must be real numbers"),
    "shape": (lambda theta: np.ones(3), ": shape (3,) at theta0: must be (1,)"),
    "nothing": (lambda theta: None, ": shape () at theta0: must be (1,)"),
    "nan": (lambda theta: theta * np.nan, ": [nan] at theta0 = [1.0]: must be finite"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("gradient", "line"), ODD.values(), ids=ODD)
def test_a_gradient_that_is_none_is_refused_in_one_line(call, gradient, line):
    with pytest.raises(ValueError, match=f"^objective.gradient{re.escape(line)}$"):
        call(Bowl(gradient))


@pytest.mark.parametrize("call", [run_of, exact, published])
def test_a_shape_that_changes_on_the_way_is_not_broadcast(call):
    asked = []

    def gradient(theta):
        asked.append(theta)
        return 2.0 * (theta - 4.0) if len(asked) < 4 else 3.0

    with pytest.raises(
        ValueError, match=r"^objective.gradient: shape \(\) for theta of shape .*: must be \(.*\)$"
    ):
        call(Bowl(gradient))


# --- numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("one", [1, np.int64(1), np.int8(1), np.float32(1), np.float64(1)])
@pytest.mark.parametrize("steps", [np.int64(20), np.uint8(20)])
def test_numbers_of_numpy_are_numbers(call, one, steps):
    result = call(ide.Quadratic(4.0), alpha=one, steps=steps)
    np.testing.assert_array_equal(numbers(result), numbers(call(ide.Quadratic(4.0), alpha=1.0)))


def test_settings_take_numbers_of_numpy():
    two, bowl = np.int64(2), ide.Quadratic(4.0)
    assert run_of(bowl, keep=two).k.tolist() == run_of(bowl, keep=2).k.tolist()
    one, other = (
        st.simulate_paths(
            st.Compagnoni(), ADAM, st.Additive(bowl, 0.1), **CELL,
            runs=n, seed=n, first_run=n, start=n, substeps=n,
        )
        for n in (2, two)
    )  # fmt: skip
    np.testing.assert_array_equal(numbers(one), numbers(other))
    assert HalfStep(start=np.int64(8)) == HalfStep(start=8)
    assert HerediaSecondOrder(lookahead=two) == HerediaSecondOrder(lookahead=2)
    assert Picard(max_sweeps=two, nodes=np.int32(9), tolerance=np.float32(1.0)).nodes == 9
    assert exact(bowl, rtol=np.float32(1e-4)).report.ok
    solver = Collocation(max_gradients=np.int64(10**6))
    assert ide.solve(Paper(), ADAM, bowl, **CELL, solver=solver).report.ok


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: exact(Bowl(), rtol="1e-3"), "rtol: '1e-3' is not allowed: must be a number in (0, 1)"),
        (lambda: exact(Bowl(), atol=np.True_), "atol: np.True_ is not allowed: must be a number in (0, 1)"),
        (lambda: leap(Bowl(), rtol=-1), "rtol: -1 is not allowed: must be a number in (0, 1)"),
        (lambda: run_of(Bowl(), alpha=True), "alpha: True is not allowed: must be a number in (0, 1]"),
        (lambda: run_of(Bowl(), alpha="1"), "alpha: '1' is not allowed: must be a number in (0, 1]"),
        (lambda: run_of(Bowl(), steps=2.0), "steps: 2.0 is not allowed: must be an integer >= 1"),
        (lambda: HalfStep(start=5.5), "HalfStep.start: 5.5 is not allowed: must be an integer >= 5"),
        (
            lambda: Collocation(max_gradients="9"),
            "Collocation.max_gradients: '9' is not allowed: must be > 0, or None",
        ),
        (
            lambda: Picard(tolerance="1"),
            "Picard.tolerance: '1' is not allowed: must be a finite number > 0",
        ),
    ],
)
def test_what_is_no_number_is_refused_in_one_line(make, line):
    with pytest.raises(ValueError, match="is not allowed") as refused:
        make()
    assert str(refused.value) == line


# --- schedules ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [*SCHEDULED, leap])
@pytest.mark.parametrize(
    "schedule",
    [lambda s: 1.0 / s, Cosine, 0.5, "Cosine", object()],
    ids=["function", "class", "number", "name", "object"],
)
def test_what_is_no_schedule_is_told_what_one_is(call, schedule):
    with pytest.raises(ValueError, match=r"^schedule: .* must be an object with the methods rate\(s\) and"):
        call(ide.Quadratic(4.0), schedule=schedule)
    with pytest.raises(ValueError, match=r"^schedule: .* such as ide.schedules.Cosine\(1000\)$"):
        Sequential([Constant(), schedule], [3])


@pytest.mark.parametrize("call", SCHEDULED)
def test_a_schedule_that_works_in_place_is_refused(call):
    class Falling(Constant):
        def rate(self, s):
            s /= 100.0
            return 1.0 - s

    with pytest.raises(ValueError, match=r"^schedule: .* rate must not write to the array s"):
        call(ide.Quadratic(4.0), schedule=Falling())
