"""Observed orders of synthetic errors whose order, window and floor are known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from idescent.analysis import orders
from idescent.analysis.floor import ABOVE_FLOOR, floor

LADDER = np.array([0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 5e-4, 2e-4, 1e-4])


@given(order=st.floats(0.5, 4.0), constant=st.floats(1e-6, 1e6))
def test_the_order_of_a_pure_power_law_is_recovered_exactly(order, constant):
    found = orders.fit(LADDER, constant * LADDER**order)
    assert found.order == pytest.approx(order, abs=1e-10)
    assert found.high - found.low < 1e-9
    assert (found.largest, found.smallest, found.points) == (0.1, 1e-4, 10)


def test_pairwise_slopes_are_those_computed_by_hand_and_none_where_an_error_is_missing():
    found = orders.slopes([0.4, 0.2, 0.1, 0.05, 0.025], [8.0, 2.0, 1.0, math.nan, 0.0])
    assert found[1:3] == pytest.approx([2.0, 1.0])
    assert np.isnan(found[[0, 3, 4]]).all()


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("correction", [-8.0, -2.0, 0.5, 3.0, 40.0])
def test_the_interval_covers_the_true_order_beside_a_correction_of_first_order(order, correction):
    found = orders.fit(LADDER, LADDER**order * np.abs(1.0 + correction * LADDER))
    assert found.low <= order <= found.high
    assert found.high - found.low < 0.3


@pytest.mark.parametrize("correction", [-0.5, 0.5, 3.0])
def test_the_interval_covers_the_true_order_beside_a_correction_of_half_order(correction):
    rates = 0.1 / 2.0 ** np.arange(10)
    found = orders.fit(rates, rates**2 * (1.0 + correction * np.sqrt(rates)))
    assert found.low <= 2.0 <= found.high


@pytest.mark.parametrize("ratio", [1.5, 2.0, 4.0])
def test_the_interval_covers_the_true_order_on_fine_and_coarse_ladders(ratio):
    rates = 0.1 / ratio ** np.arange(10)
    found = orders.fit(rates, rates**2 * (1.0 + 5.0 * rates))
    assert found.low <= 2.0 <= found.high


def test_the_interval_covers_the_true_order_in_nineteen_of_twenty_scattered_ladders():
    random = np.random.default_rng(1)
    fits = [orders.fit(LADDER, LADDER**2 * np.exp(random.normal(0.0, 0.01, 10))) for _ in range(1000)]
    covered = [found is not None and found.low <= 2.0 <= found.high for found in fits]
    assert np.mean(covered) >= 0.95


def test_errors_before_the_asymptotic_window_are_left_out():
    # Order 1 down to alpha = 0.01, order 2 from there on.
    errors = np.where(LADDER > 0.01, LADDER * 0.01, LADDER**2)
    found = orders.fit(LADDER, errors)
    assert found.order == pytest.approx(2.0, abs=1e-10)
    assert (found.largest, found.points) == (0.01, 7)


def test_a_plateau_that_the_smallest_rates_leave_is_no_asymptotic_window():
    errors = np.where(LADDER < 5e-4, LADDER * 5e-4, LADDER**2)
    assert orders.fit(LADDER, errors) is None


def test_errors_at_the_floor_are_left_out_and_so_is_what_comes_after():
    errors = LADDER**3
    floors = np.full(10, 1e-9)
    noisy = np.where(errors > 1e-8, errors, 3e-9)
    noisy[-1] = 5e-8  # above its floor by chance
    found = orders.fit(LADDER, noisy, floors)
    assert found.order == pytest.approx(3.0, abs=1e-10)
    assert found.smallest == 0.005
    assert list(orders.usable(LADDER, noisy, floors)) == [True] * 5 + [False] * 5
    unaware = orders.fit(LADDER, noisy)
    assert unaware is None


def test_a_missing_error_is_left_out_and_its_neighbours_are_not():
    errors = LADDER**2
    errors[4] = math.nan
    found = orders.fit(LADDER, errors)
    assert found.points == 9
    assert found.order == pytest.approx(2.0, abs=1e-10)


def test_slopes_that_spread_too_far_make_no_window():
    errors = np.exp(-(np.log(LADDER) ** 2))
    assert orders.fit(LADDER, errors) is None


def test_three_errors_are_too_few_for_a_window():
    assert orders.fit(LADDER[:3], LADDER[:3]) is None
    assert orders.fit(LADDER[:4], LADDER[:4]).points == 4


def test_the_floor_is_the_solvers_estimate_and_the_walk_of_the_rounding():
    assert floor(1e-9, 3.0, 0) == 1e-9
    random = np.random.default_rng(0)
    walks = []
    for _ in range(40):
        increments = random.uniform(0.0, 2e-4, 10_000)
        total = 0.0
        for increment in increments:
            total += increment
        walks.append(abs(total - math.fsum(increments)))
    assert max(walks) < ABOVE_FLOOR * floor(0.0, 1.0, 10_000)


@pytest.mark.parametrize(
    ("alphas", "errors", "message"),
    [
        ([0.1, 0.2], [1.0, 1.0], "alphas: .* must be positive and falling"),
        ([0.1, 0.0], [1.0, 1.0], "alphas: .* must be positive and falling"),
        ([0.2, 0.1], [1.0], "errors: a list of 1 is not allowed: must have 2"),
    ],
)
def test_a_ladder_that_is_none_is_refused(alphas, errors, message):
    with pytest.raises(ValueError, match=message):
        orders.slopes(alphas, errors)
    with pytest.raises(ValueError, match="fewest: 2 is not allowed"):
        orders.fit([0.2, 0.1], [1.0, 1.0], fewest=2)


def test_the_constant_of_a_power_law_is_found_and_its_interval_covers_a_correction():
    alphas = [0.1 / 2**i for i in range(6)]
    exact = orders.constant(alphas, [3.0 * alpha**2 for alpha in alphas], 2.0)
    assert exact == pytest.approx((3.0, 3.0, 3.0))
    middle, low, high = orders.constant(alphas, [3.0 * alpha**2 * (1.0 + alpha) for alpha in alphas], 2.0)
    assert low <= 3.0 * (1.0 + alphas[-1]) <= middle <= high
    with pytest.raises(ValueError, match="errors: a list of 1 is not allowed: must have at least 2"):
        orders.constant([0.1], [1.0], 1.0)


# By hand, with scipy's statistics ---------------------------------------------------------------------------

UNEVEN = 1.0 / np.array([2.0, 4.0, 6.0, 16.0, 20.0, 50.0, 90.0, 200.0])


def expected_interval(alphas, errors):
    """Order and both candidates for half of its interval, as the docstring of `fit` words them."""
    line = stats.linregress(np.log(alphas), np.log(errors))
    student = line.stderr * stats.t.ppf(0.975, len(alphas) - 2)
    pairs = orders.slopes(list(alphas), list(errors))
    mean_ratio = (alphas[-3] / alphas[-1]) ** 0.5
    drift = abs(line.slope - pairs[-1]) + 2.0 * abs(pairs[-1] - pairs[-2]) / (mean_ratio**0.5 - 1.0)
    return line.slope, student, drift


@pytest.mark.parametrize(
    ("errors", "wider"),
    [
        (UNEVEN**2 * np.exp([0.4, -0.4, 0.3, -0.3, 0.0, 0.0, 0.0, 0.0]), "student"),
        (UNEVEN**2 * (1.0 + 3.0 * UNEVEN), "drift"),
    ],
)
def test_the_interval_is_the_wider_of_students_and_of_the_drift(errors, wider):
    slope, student, drift = expected_interval(UNEVEN, errors)
    assert (student > drift) == (wider == "student")
    found = orders.fit(list(UNEVEN), list(errors), spread=10.0)
    half = max(student, drift)
    np.testing.assert_allclose([found.order, found.low, found.high], [slope, slope - half, slope + half])


@pytest.mark.parametrize(
    "noise", [[0.1, -0.2, 0.3, -0.3, 0.2, -0.2, 0.05, 0.01], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.5]]
)
def test_the_constant_has_students_interval_or_reaches_the_last_value(noise):
    logs = 0.7 + np.array(noise)
    found = orders.constant(list(UNEVEN), list(UNEVEN**2 * np.exp(logs)), 2.0)
    low, high = stats.t.interval(0.95, len(logs) - 1, loc=logs.mean(), scale=stats.sem(logs))
    half = max((high - low) / 2.0, abs(logs[-1] - logs.mean()))
    np.testing.assert_allclose(np.log(found), logs.mean() + np.array([0.0, -half, half]))


def test_two_errors_make_a_constant_and_three_a_window_if_asked_for():
    assert orders.constant([0.5, 0.25], [0.25, 0.0625], 2.0)[0] == pytest.approx(1.0)
    alphas = [0.5, 0.25, 0.125]
    assert orders.fit(alphas, [0.25, 0.0625, 0.015625], fewest=3).points == 3
    # The last two slopes, 2 and 3, do not agree: they make no window of three.
    assert orders.fit(alphas, [0.25, 0.0625, 0.0078125], fewest=3) is None


def test_what_is_usable_at_the_edges():
    alphas = [0.5, 0.25, 0.125, 0.0625]
    assert orders.usable(alphas, [1.0, 0.0, -1.0, math.inf]).tolist() == [True, False, False, False]
    # Exactly a hundred times its floor is not above it; what is missing stays missing.
    assert orders.usable(alphas, [4.0, math.nan, 2.0, 1.0], [0.01] * 4).tolist() == [True, False, True, False]


def test_the_floor_is_the_estimate_plus_a_random_walk_of_rounding():
    assert floor(1e-9, 4.0, 100) == 1e-9 + 2.0**-52 * 4.0 * 10.0


def test_two_equal_learning_rates_are_no_ladder():
    with pytest.raises(ValueError, match=r"^alphas: .* must be positive and falling"):
        orders.slopes([0.5, 0.5], [1.0, 1.0])
