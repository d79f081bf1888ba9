"""Public calls given numbers out of range or objects of another kind: one line that names the argument."""

import math
import re

import numpy as np
import pytest

import idescent as ide
from idescent.analysis import orders

ADAM, QUADRATIC, PAPER = ide.Adam(0.9, 0.99), ide.Quadratic(1.0), ide.models.Paper()
CELL = {"alpha": 0.1, "theta0": 1.0, "steps": 5}
NO_FRACTION = [math.nan, -1, 0.0, 1.0, math.inf, True, "1", None, 1j, []]
NO_COUNT = [math.nan, -1, 0, 2.5, math.inf, True, "9", None, []]


def named(value):
    """Name a case without addresses, which differ between the processes that collect the tests."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def refuses(name, call):
    with pytest.raises(ValueError, match=rf"^{name}: .* is not allowed: (must be|every value)") as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", NO_FRACTION, ids=named)
@pytest.mark.parametrize("name", ["rtol", "atol"])
def test_tolerances_are_fractions(name, value):
    refuses(name, lambda: ide.solve(PAPER, ADAM, QUADRATIC, **CELL, **{name: value}))
    if name == "rtol":
        refuses(name, lambda: ide.leap(ADAM, QUADRATIC, **CELL, rtol=value))


@pytest.mark.parametrize("value", NO_COUNT, ids=named)
@pytest.mark.parametrize("name", ["stages", "max_sweeps", "max_elements"])
def test_counts_of_collocation_are_integers(name, value):
    refuses(f"Collocation.{name}", lambda: ide.solvers.Collocation(**{name: value}))


@pytest.mark.parametrize("value", [math.nan, -1, 0.0, math.inf, True, "8", None, 1j], ids=named)
def test_an_overlap_is_a_finite_number(value):
    refuses("Collocation.overlap", lambda: ide.solvers.Collocation(overlap=value))


def test_collocation_takes_what_a_configuration_may_give():
    ide.solvers.Collocation(stages=np.int64(5), max_sweeps=10, max_elements=2, overlap=8, max_gradients=100)
    refuses("Collocation.stages", lambda: ide.solvers.Collocation(stages=10**12))
    refuses("Collocation.max_gradients", lambda: ide.solvers.Collocation(max_gradients="1"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("tolerance", value) for value in [math.nan, -1, 0.0, math.inf, True, "1", None, 1j]),
        *((name, value) for name in ("max_sweeps", "nodes") for value in NO_COUNT),
        *(
            ("smoothing", value)
            for value in [(1, 1, 1), (0.5, 0.9, 0), (0.5, 0.9, True), (0.5, "0.9", 3), None, 3, "abc",
                          (0.5, 0.9, math.inf), (math.nan, 0.9, 3)]
        ),
        ("nodes", 10**9),
    ],
    ids=named,
)  # fmt: skip
def test_settings_of_algorithm_4_are_checked(name, value):
    refuses(f"Picard.{name}", lambda: ide.solvers.Picard(**{name: value}))


@pytest.mark.parametrize("value", [None, 3, "x", ide.Adam, ide.Quadratic, object()], ids=named)
def test_an_object_of_another_kind_is_refused(value):
    refuses("optimizer", lambda: ide.simulate(value, QUADRATIC, **CELL))
    refuses("optimizer", lambda: ide.simulate_many(value, QUADRATIC, **CELL))
    refuses("optimizer", lambda: ide.solve(PAPER, value, QUADRATIC, **CELL))
    refuses("optimizer", lambda: ide.leap(value, QUADRATIC, **CELL))
    refuses("objective", lambda: ide.simulate(ADAM, value, **CELL))
    refuses("objective", lambda: ide.simulate_many(ADAM, value, **CELL))
    refuses("objective", lambda: ide.solve(PAPER, ADAM, value, **CELL))
    refuses("objective", lambda: ide.leap(ADAM, value, **CELL))
    refuses("model", lambda: ide.solve(value, ADAM, QUADRATIC, **CELL))
    if value is not None:
        refuses("solver", lambda: ide.solve(PAPER, ADAM, QUADRATIC, **CELL, solver=value))


@pytest.mark.parametrize(
    "value", ["1", True, None, 1j, ["1", "2"], np.ma.masked_array([1.0], [True])], ids=named
)
def test_a_start_is_made_of_numbers(value):
    refuses("theta0", lambda: ide.simulate(ADAM, QUADRATIC, **CELL | {"theta0": value}))


@pytest.mark.parametrize("value", [None, 3, "x", np.ones(6)], ids=["none", "number", "text", "array"])
def test_only_trajectories_are_compared(value):
    run = ide.simulate(ADAM, QUADRATIC, **CELL)
    refuses("run", lambda: ide.compare(value, run))
    refuses("path", lambda: ide.compare(run, value))
    if value is not None:
        refuses("exact", lambda: ide.compare(run, run, value))


@pytest.mark.parametrize("value", [None, 1.0, "x", [1j] * 4, [[1.0] * 4], [1.0, [2.0]], {}], ids=named)
def test_learning_rates_and_errors_are_lists_of_numbers(value):
    rates = [0.4, 0.2, 0.1, 0.05]
    refuses("errors", lambda: orders.fit(rates, value))
    refuses("alphas", lambda: orders.fit(value, rates))


@pytest.mark.parametrize("value", [2, math.nan, 3.5, True, None])
def test_the_fewest_errors_of_a_fit_are_an_integer(value):
    refuses("fewest", lambda: orders.fit([0.4, 0.2, 0.1, 0.05], [4.0, 3.0, 2.0, 1.0], fewest=value))


@pytest.mark.parametrize("value", [*NO_COUNT, 1j], ids=named)
def test_first_iterations_of_the_half_step_model_are_an_integer(value):
    refuses("HalfStep.start", lambda: ide.models.HalfStep(start=value))


@pytest.mark.parametrize("value", [True, "1", 1j, {}, None, math.nan], ids=named)
def test_the_centre_of_a_quadratic_is_made_of_numbers(value):
    refuses("Quadratic.center", lambda: ide.Quadratic(value))
