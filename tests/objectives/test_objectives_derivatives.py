"""Gradients and Hessians of every objective: against differences of what they are derivatives of."""

import numpy as np
import pytest
import scipy.optimize

from idescent import objectives as O  # noqa: N812  # as M for models
from idescent.study import registry

MAKE = {
    "haar": lambda: O.RotatedQuadratic(6, condition=50.0, seed=3, minimum=[1.0, -2.0, 0.5, 0.0, 3.0, 1.0]),
    "householder": lambda: O.RotatedQuadratic(40, condition=50.0, rotation="householder", minimum=0.5),
    "diagonal": lambda: O.RotatedQuadratic(5, condition=50.0, rotation="none", minimum=-1.0),
    "rosenbrock": lambda: O.Rosenbrock(5, b=7.0),
    "valley": lambda: O.Rosenbrock(),
    "wells": lambda: O.DoubleWell(4),
    "logistic": lambda: O.LogisticRegression.breast_cancer(ridge=0.02),
    "softmax": lambda: O.SoftmaxRegression.digits(ridge=0.02),
    "perceptron": lambda: O.Perceptron.digits(hidden=5, ridge=0.02),
    "bare perceptron": lambda: O.Perceptron.digits(hidden=3),
    "line": lambda: O.MeanSquaredError.synthetic(),
}
CLASSIFIERS = ("logistic", "softmax", "perceptron", "bare perceptron")
DRAWS = [name for name in MAKE if name != "line"]
WITH_PRODUCT = DRAWS


@pytest.fixture(scope="module")
def made():
    return {name: make() for name, make in MAKE.items()}


def points(objective, *lead, seed=11):
    """Points at which no term of a gradient is small by chance."""
    return 0.3 + 0.7 * np.random.default_rng(seed).normal(size=(*lead, objective.dimension))


def slope(function, step):
    """Central difference of fourth order at 0."""
    return (8.0 * (function(step) - function(-step)) - (function(2.0 * step) - function(-2.0 * step))) / (
        12.0 * step
    )


@pytest.mark.parametrize("name", MAKE)
def test_the_gradient_along_a_direction_is_the_slope_of_the_value(made, name):
    objective = made[name]
    theta, direction = points(objective, 3), points(objective, 3, seed=12)
    expected = slope(lambda h: objective.value(theta + h * direction), 1e-4)
    found = (objective.gradient(theta) * direction).sum(axis=-1)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


@pytest.mark.parametrize("name", MAKE)
def test_each_component_of_the_gradient_is_a_partial_derivative(made, name):
    objective = made[name]
    theta = points(objective)
    chosen = np.unique(np.linspace(0, objective.dimension - 1, 40).astype(int))
    units = np.eye(objective.dimension)[chosen]
    expected = slope(lambda h: objective.value(theta + h * units), 1e-3)
    scale = np.abs(objective.gradient(theta)).max()
    np.testing.assert_allclose(objective.gradient(theta)[chosen], expected, rtol=1e-8, atol=1e-9 * scale)


@pytest.mark.parametrize("name", WITH_PRODUCT)
def test_the_hessian_times_a_direction_is_the_slope_of_the_gradient(made, name):
    objective = made[name]
    theta, direction = points(objective, 2), points(objective, 2, seed=12)
    expected = slope(lambda h: objective.gradient(theta + h * direction), 1e-4)
    found = objective.hessian_vector(theta, direction)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["haar", "rosenbrock", "valley", "logistic"])
def test_the_full_hessian_is_symmetric_and_its_columns_are_products(made, name):
    objective = made[name]
    theta = points(objective, 2, 3)
    hessian = objective.hessian(theta)
    n = objective.dimension
    assert hessian.shape == (2, 3, n, n)
    np.testing.assert_allclose(hessian, np.swapaxes(hessian, -1, -2), rtol=1e-12, atol=1e-14)
    for i in range(n):
        column = objective.hessian_vector(theta, np.broadcast_to(np.eye(n)[i], theta.shape))
        np.testing.assert_allclose(hessian[..., i], column, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", ["diagonal", "wells"])
def test_the_diagonal_of_a_diagonal_hessian_is_the_product_with_ones(made, name):
    objective = made[name]
    theta = points(objective, 2, 3)
    expected = objective.hessian_vector(theta, np.ones_like(theta))
    assert objective.hessian_diagonal(theta).tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", MAKE)
def test_a_point_has_the_same_bits_alone_and_in_a_batch(made, name):
    objective = made[name]
    theta = points(objective, 2, 3)
    direction = points(objective, 2, 3, seed=12)
    values, gradients = objective.value(theta), objective.gradient(theta)
    assert values.shape == (2, 3)
    assert gradients.shape == theta.shape
    for i in np.ndindex(2, 3):
        assert objective.value(theta[i]).tobytes() == values[i].tobytes()
        assert objective.gradient(theta[i]).tobytes() == gradients[i].tobytes()
        if name in WITH_PRODUCT:
            alone = objective.hessian_vector(theta[i], direction[i])
            assert alone.tobytes() == objective.hessian_vector(theta, direction)[i].tobytes()


@pytest.mark.parametrize("name", DRAWS)
def test_a_start_is_drawn_from_its_seed_alone(made, name):
    objective = made[name]
    start = registry.start({"seed": 1}, objective)
    assert start.shape == (objective.dimension,)
    np.random.seed(99)
    assert objective.initial(1).tobytes() == start.tobytes()
    assert objective.initial(2).tobytes() != start.tobytes()
    assert MAKE[name]().initial(1).tobytes() == start.tobytes()


@pytest.mark.parametrize("dimension", [2, 3, 8])
def test_rosenbrocks_function_is_scipys(dimension):
    objective = O.Rosenbrock(dimension)
    theta, direction = points(objective, 4), points(objective, 4, seed=12)
    for x, p in zip(theta, direction, strict=True):
        assert float(objective.value(x)) == pytest.approx(scipy.optimize.rosen(x), rel=1e-13)
        np.testing.assert_allclose(objective.gradient(x), scipy.optimize.rosen_der(x), rtol=1e-11)
        np.testing.assert_allclose(objective.hessian(x), scipy.optimize.rosen_hess(x), rtol=1e-12)
        product = scipy.optimize.rosen_hess_prod(x, p)
        np.testing.assert_allclose(objective.hessian_vector(x, p), product, rtol=1e-10)


@pytest.mark.parametrize("name", ["haar", "householder", "diagonal", "rosenbrock", "valley"])
def test_value_and_gradient_are_exactly_zero_at_the_stated_minimum(made, name):
    objective = made[name]
    assert float(objective.value(objective.minimum)) == 0.0
    assert not objective.gradient(objective.minimum).any()


@pytest.mark.parametrize(
    ("dimension", "rotation"), [(7, "haar"), (150, "haar"), (60, "householder"), (9, "none")]
)
def test_the_hessian_of_a_rotated_quadratic_has_the_stated_spectrum(dimension, rotation):
    objective = O.RotatedQuadratic(dimension, condition=1e3, seed=5, rotation=rotation)
    columns = objective.hessian_vector(np.zeros((dimension, dimension)), np.eye(dimension))
    found = np.sort(np.linalg.eigvalsh(columns))[::-1]
    np.testing.assert_allclose(found, objective.spectrum, rtol=1e-10)
    ratios = objective.spectrum[1:] / objective.spectrum[:-1]
    np.testing.assert_allclose(ratios, 1e3 ** (-1.0 / (dimension - 1)), rtol=1e-11)


def test_haar_rotations_are_uniform_in_the_mean_of_a_squared_entry():
    # For a uniform basis E[Q_ij^2] = 1/n: the mean of H over seeds is the mean curvature times the identity.
    n, seeds = 4, 2000
    mean = np.mean([O.RotatedQuadratic(n, 10.0, seed).hessian(np.zeros(n)) for seed in range(seeds)], axis=0)
    curvature = O.RotatedQuadratic(n, 10.0).spectrum.mean()
    np.testing.assert_allclose(mean, curvature * np.eye(n), atol=5.0 * 0.4 / np.sqrt(seeds))


def test_a_million_parameters_take_memory_in_proportion():
    n = 10**6
    for rotation in ("householder", "none"):
        objective = O.RotatedQuadratic(n, condition=1e4, rotation=rotation)
        theta = objective.initial(1)
        assert float(objective.value(theta)) == pytest.approx(
            0.5 * (theta @ objective.gradient(theta)), rel=1e-12
        )
        held = sum(array.nbytes for array in vars(objective).values() if isinstance(array, np.ndarray))
        assert held <= 6 * 8 * n
        assert not hasattr(objective, "hessian")


def test_a_diagonal_quadratic_runs_in_the_kernels_and_a_rotated_one_does_not():
    diagonal = MAKE["diagonal"]()
    curvature, center = diagonal.separable_quadratic(5)
    theta = points(diagonal, 3)
    assert (curvature * (theta - center)).tobytes() == diagonal.gradient(theta).tobytes()
    assert not hasattr(MAKE["haar"](), "separable_quadratic")


@pytest.mark.parametrize("name", [*CLASSIFIERS, "line"])
def test_all_samples_in_order_are_the_whole(made, name):
    objective = made[name]
    theta, everything = points(objective, 2), np.arange(objective.samples)
    assert isinstance(objective, O.FiniteSum)
    np.testing.assert_allclose(objective.value_of(theta, everything), objective.value(theta), rtol=1e-12)
    gradient = objective.gradient(theta)
    scale = np.abs(gradient).max()
    np.testing.assert_allclose(
        objective.gradient_of(theta, everything), gradient, rtol=1e-11, atol=1e-13 * scale
    )


@pytest.mark.parametrize("name", [*CLASSIFIERS, "line"])
def test_a_mini_batch_is_the_mean_of_its_samples_also_of_repeated_ones(made, name):
    objective = made[name]
    theta, batch = points(objective), np.array([3, 141, 3, 59, 26])
    single = [objective.gradient_of(theta, np.array([i])) for i in batch]
    np.testing.assert_allclose(
        objective.gradient_of(theta, batch), np.mean(single, axis=0), rtol=1e-9, atol=1e-12
    )
    values = [objective.value_of(theta, np.array([i])) for i in batch]
    assert float(objective.value_of(theta, batch)) == pytest.approx(np.mean(values), rel=1e-12)


@pytest.mark.parametrize("name", [*CLASSIFIERS, "line"])
def test_every_run_may_have_a_mini_batch_of_its_own(made, name):
    objective = made[name]
    theta = points(objective, 2, 3)
    indices = np.random.default_rng(4).integers(objective.samples, size=(3, 8))
    gradients, values = objective.gradient_of(theta, indices), objective.value_of(theta, indices)
    assert gradients.shape == theta.shape
    assert values.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        assert gradients[i, j].tobytes() == objective.gradient_of(theta[i, j], indices[j]).tobytes()
        assert values[i, j].tobytes() == objective.value_of(theta[i, j], indices[j]).tobytes()
    spread = objective.gradient_of(theta[0, 0], indices)
    assert spread.shape == (3, objective.dimension)
    assert spread[1].tobytes() == objective.gradient_of(theta[0, 0], indices[1]).tobytes()


def test_a_large_batch_of_points_is_worked_off_in_chunks_without_a_seam():
    objective = O.Perceptron.digits(hidden=30)
    theta = points(objective, 23)
    gradients = objective.gradient(theta)
    for i in (0, 5, 6, 7, 22):
        assert gradients[i].tobytes() == objective.gradient(theta[i]).tobytes()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: O.RotatedQuadratic(0), r"^RotatedQuadratic\.dimension: 0 is not allowed: must be >= 1$"),
        (lambda: O.RotatedQuadratic(3, condition=0.5), r"^RotatedQuadratic\.condition: 0\.5 is not allowed"),
        (
            lambda: O.RotatedQuadratic(3, rotation="Haar"),
            r"^RotatedQuadratic\.rotation: 'Haar' is not allowed",
        ),
        (lambda: O.RotatedQuadratic(10**6), r"^RotatedQuadratic\.dimension: 1000000 .* householder and none"),
        (lambda: O.RotatedQuadratic(3, minimum=[1.0]), r"^RotatedQuadratic\.minimum: shape \(1,\)"),
        (lambda: O.RotatedQuadratic(2, rotation="none").separable_quadratic(3), r"^theta0: 3 parameters"),
        (lambda: O.Rosenbrock(1), r"^Rosenbrock\.dimension: 1 is not allowed: must be >= 2$"),
        (lambda: O.Rosenbrock(3, b=-1.0), r"^Rosenbrock\.b: -1\.0 is not allowed"),
        (lambda: O.DoubleWell(0), r"^DoubleWell\.dimension: 0 is not allowed"),
        (lambda: O.Perceptron.digits(hidden=0), r"^Perceptron\.hidden: 0 is not allowed: must be >= 1$"),
        (lambda: O.Perceptron.digits(ridge=-1.0), r"^Perceptron\.ridge: -1\.0 is not allowed"),
        (lambda: O.SoftmaxRegression.digits(test=1.0), r"^test: 1\.0 is not allowed: both parts"),
    ],
)
def test_bad_arguments_are_refused_in_one_line_that_names_them(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
