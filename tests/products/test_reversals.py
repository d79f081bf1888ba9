"""Why there is no order: reversals of a coordinate are counted, and the reason is written down."""

from __future__ import annotations

import numpy as np
import pytest
from odd import path

import idescent as ide
from idescent.analysis import orders
from idescent.objectives import Quadratic
from idescent.trajectory import reversals

LADDER = [0.1, 0.05, 0.02, 0.01, 0.005]
NONE = [0.0] * 5
USUAL = [1.0, 0.5, 0.2, 0.1, 0.05]
TRUSTED = [True] * 5


def count(*coordinates: list[float]) -> int:
    theta = np.array(coordinates).T
    return reversals(path(theta, np.ones(len(theta)), 0.1, status="completed"))


def test_reversals_of_a_coordinate_that_goes_to_and_fro_are_counted() -> None:
    # Increments + - + - -: it reverses at the iterations 1, 2 and 3.
    assert count([0.0, 1.0, 0.0, 1.0, 0.0, -1.0]) == 3
    # Of several coordinates, that with most.
    assert count([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]) == 4


def test_an_oscillation_that_the_run_resolves_and_rounding_are_no_reversals() -> None:
    assert count(list(np.cos(0.3 * np.arange(200)))) == 0
    assert count([1.0, 1.0 + 2e-16, 1.0, 1.0 + 2e-16, 1.0, 1.0 + 2e-16]) == 0
    assert count([1.0, 2.0, np.nan, np.nan]) == 0


def test_sign_descent_reverses_at_every_iteration_once_it_is_there() -> None:
    # Steps of 0.1 from 1 to 4 are 30; from then on it goes to and fro about 4.
    run = ide.simulate(ide.RMSProp(beta=0.0), Quadratic(4.0), alpha=0.1, theta0=1.0, steps=50)
    increments = np.diff(run.theta[:, 0])
    turned = np.flatnonzero(increments[1:] * increments[:-1] < 0.0)
    assert len(turned) > 15
    assert reversals(run) == len(turned)


@pytest.mark.parametrize(
    ("values", "floors", "trusted", "reversals", "said"),
    [
        ([1.0, 0.5], [0.0] * 2, [True] * 2, [0] * 2, "too few: 2 errors"),
        (USUAL, NONE, [False] * 5, [0] * 5, "not counted: 0 of 5 errors count"),
        (USUAL, NONE, [True, True, *[False] * 3], [0] * 5, "not counted: 2 of 5 errors count"),
        ([0.0] * 5, NONE, TRUSTED, [0] * 5, "zero: 5 of 5 errors"),
        (USUAL, [0.0, 0.0, 0.1, 0.1, 0.1], TRUSTED, [0] * 5, "floor: 3 of 5 errors"),
        ([*USUAL[:4], 3.0], NONE, TRUSTED, [0, 0, 0, 0, 1998], "chatter: 1998 reversals at α = 0.005"),
        ([*USUAL[:4], 0.025], NONE, TRUSTED, [0] * 5, "slopes differ: 1.00 to 2.00"),
    ],
)  # fmt: skip
def test_the_reason_for_no_order_is_found(
    values: list[float], floors: list[float], trusted: list[bool], reversals: list[int], said: str
) -> None:
    ladder = LADDER[: len(values)]
    shown = [value if good else np.nan for value, good in zip(values, trusted, strict=True)]
    assert orders.fit(ladder, shown, floors) is None
    assert orders.reason(ladder, values, floors, trusted, reversals) == said


def test_a_run_that_chatters_outside_the_smallest_window_is_no_reason() -> None:
    errors = [1.0, 0.5, 0.2, 0.01, 0.004]
    assert orders.fit(LADDER, errors, NONE) is None
    assert orders.reason(LADDER, errors, NONE, TRUSTED, [50, 0, 0, 0, 0]).startswith("slopes differ: ")
    assert (
        orders.reason(LADDER, errors, NONE, TRUSTED, [50, 9, 0, 0, 0]) == "chatter: 9 reversals at α = 0.05"
    )
