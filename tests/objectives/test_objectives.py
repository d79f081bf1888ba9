"""Objectives against their definitions, written out again here."""

from fractions import Fraction

import numpy as np
import pytest

import idescent as ide
from idescent.objectives import CountedObjective

POINTS = np.random.default_rng(7).normal(size=(4, 5, 3))


def raw_mean_of_squares(objective, theta):
    return float(np.mean((objective.y - theta * objective.x) ** 2))


def test_the_quadratic_is_the_squared_distance_to_its_center():
    center = [4.0, -1.5, 0.25]
    value = ide.Quadratic(center).value(POINTS)
    assert value.shape == (4, 5)
    for index in np.ndindex(4, 5):
        expected = sum((x - c) ** 2 for x, c in zip(POINTS[index].tolist(), center, strict=True))
        assert value[index] == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("objective", "points"),
    [
        (ide.Quadratic(), POINTS),
        (ide.Quadratic([4.0, -1.5, 0.25]), POINTS),
        (ide.MeanSquaredError.synthetic(), POINTS[..., :1]),
    ],
    ids=repr,
)
def test_the_gradient_is_the_derivative_of_the_value(objective, points):
    # Central differences of a quadratic have no truncation error: a wide step is as exact as rounding allows.
    step = 0.5
    for i in range(points.shape[-1]):
        shift = step * np.eye(points.shape[-1])[i]
        slope = (objective.value(points + shift) - objective.value(points - shift)) / (2.0 * step)
        np.testing.assert_allclose(objective.gradient(points)[..., i], slope, rtol=1e-12, atol=1e-13)
        bend = (objective.gradient(points + shift) - objective.gradient(points - shift))[..., i] / (
            2.0 * step
        )
        np.testing.assert_allclose(objective.hessian_diagonal(points)[..., i], bend, rtol=1e-12)


@pytest.mark.parametrize(
    ("objective", "points"),
    [(ide.Quadratic([4.0, -1.5, 0.25]), POINTS), (ide.MeanSquaredError.synthetic(), POINTS[..., :1])],
    ids=repr,
)
def test_curvature_and_center_reproduce_the_gradient_bit_for_bit(objective, points):
    curvature, center = objective.separable_quadratic(points.shape[-1])
    assert (curvature * (points - center)).tobytes() == objective.gradient(points).tobytes()


def test_one_center_serves_every_coordinate():
    curvature, center = ide.Quadratic(4.0).separable_quadratic(3)
    assert curvature.tolist() == [2.0] * 3
    assert center.tolist() == [4.0] * 3


def test_the_mean_squared_error_in_its_centred_form_is_the_mean_of_squares():
    objective = ide.MeanSquaredError.synthetic()
    for theta in (-3.0, 0.0, 1.9, 2.0108, 5.0):
        expected = raw_mean_of_squares(objective, theta)
        assert float(objective.value(np.array([theta]))) == pytest.approx(expected, rel=1e-13)


def test_the_gradient_of_the_mean_squared_error_is_exactly_zero_at_its_minimum():
    objective = ide.MeanSquaredError.synthetic()
    assert objective.gradient(np.array([objective.minimum])).tolist() == [0.0]


def test_minimum_and_least_value_agree_with_rational_arithmetic():
    x, y = [1.0, 2.0, 4.0], [1.5, 4.25, 7.0]
    objective = ide.MeanSquaredError(x, y)
    xs, ys = [Fraction(v) for v in x], [Fraction(v) for v in y]
    minimum = sum(a * b for a, b in zip(xs, ys, strict=True)) / sum(a * a for a in xs)
    least = sum((b - minimum * a) ** 2 for a, b in zip(xs, ys, strict=True)) / 3
    assert objective.minimum == pytest.approx(float(minimum), rel=1e-15)
    assert float(objective.value(np.array([objective.minimum]))) == pytest.approx(float(least), rel=1e-13)


def test_the_synthetic_data_are_those_of_the_global_legacy_generator():
    state = np.random.get_state()
    try:
        np.random.seed(42)
        x = np.random.rand(1000)
        y = 2.0 * x + np.random.normal(0.0, 0.1, 1000)
    finally:
        np.random.set_state(state)
    objective = ide.MeanSquaredError.synthetic()
    assert objective.x.tobytes() == x.tobytes()
    assert objective.y.tobytes() == y.tobytes()


def test_the_synthetic_data_do_not_touch_the_global_generator():
    before = np.random.get_state()
    ide.MeanSquaredError.synthetic()
    after = np.random.get_state()
    assert before[1].tobytes() == after[1].tobytes()
    assert before[2:] == after[2:]


def test_the_noisy_data_have_the_published_minimum():
    objective = ide.MeanSquaredError.synthetic(seed=42)
    assert objective.minimum == pytest.approx(2.0108373, abs=5e-8)
    assert raw_mean_of_squares(objective, objective.minimum) == pytest.approx(0.00982967, abs=5e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ide.Quadratic(float("nan")), r"^Quadratic\.center: "),
        (lambda: ide.Quadratic([1.0, float("inf")]), r"^Quadratic\.center: "),
        (
            lambda: ide.MeanSquaredError([1.0, 2.0], [1.0]),
            r"^MeanSquaredError: x has shape \(2,\) and y \(1,\)",
        ),
        (lambda: ide.MeanSquaredError([], []), r"^MeanSquaredError: .* N >= 1"),
        (lambda: ide.MeanSquaredError([[1.0]], [[1.0]]), r"^MeanSquaredError: x has shape \(1, 1\)"),
        (lambda: ide.MeanSquaredError([0.0, 0.0], [1.0, 2.0]), r"^MeanSquaredError\.x: all values are 0"),
        (lambda: ide.MeanSquaredError([1.0], [float("nan")]), r"^MeanSquaredError\.y: "),
        (lambda: ide.MeanSquaredError.synthetic().separable_quadratic(2), r"^theta0: 2 parameters"),
    ],
)
def test_bad_data_are_refused_in_one_line_that_names_them(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


class OnePointOnly:
    """A user's objective that cannot take more than one point."""

    vectorized = False

    def value(self, theta):
        assert theta.shape == (3,)
        return (theta**4).sum()

    def gradient(self, theta):
        assert theta.shape == (3,)
        return 4.0 * theta**3


def test_an_objective_of_single_points_is_evaluated_point_by_point_and_counted():
    counted = CountedObjective(OnePointOnly())
    assert counted.value(POINTS).tobytes() == (POINTS**4).sum(axis=-1).tobytes()
    assert counted.gradient(POINTS).tobytes() == (4.0 * POINTS**3).tobytes()
    assert counted.gradients == 20


def test_a_batch_counts_as_many_gradients_as_it_has_points():
    counted = CountedObjective(ide.Quadratic())
    counted.gradient(POINTS)
    counted.gradient(POINTS[0, 0])
    counted.value(POINTS)
    assert counted.gradients == 21


def test_the_objectives_and_a_plain_users_class_satisfy_the_protocol():
    assert isinstance(ide.Quadratic(), ide.Objective)
    assert isinstance(ide.MeanSquaredError.synthetic(), ide.Objective)
    assert isinstance(OnePointOnly(), ide.Objective)
    assert not isinstance(ide.AdaGrad(), ide.Objective)
