"""Splines at fixed points: SciPy's values to the bit, with and without compiled kernels."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.interpolate import make_interp_spline

from idescent.solvers import spline
from idescent.solvers.quadrature import ExactExponential, ExponentialKernel, Integral, Interpolant

GRIDS = {
    "even": 1e-12 + 0.1 * np.arange(57),
    "uneven": np.cumsum(np.random.default_rng(1).uniform(0.01, 3.0, 40)),
    "four points": np.array([0.0, 1.0, 1.5, 4.0]),
}


@pytest.fixture(params=["kernels", "no kernels"])
def kernels(request, monkeypatch):
    if request.param == "no kernels":
        monkeypatch.setattr(spline, "compiled", lambda: None)
    elif spline.compiled() is None:
        pytest.skip("no compiled kernels here")


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_values_are_those_of_scipy_to_the_bit(grid, components, kernels):
    rng = np.random.default_rng(7)
    path = rng.normal(size=(len(grid), components))
    span = grid[-1] - grid[0]
    # Knots, points between them in no order, and points beyond both ends.
    points = np.concatenate((grid, rng.uniform(grid[0] - 0.2 * span, grid[-1] + 0.2 * span, 199)))
    points = points[: len(points) // 2 * 2].reshape(-1, 2)
    expected = make_interp_spline(grid, path, k=3)(points)
    assert_array_equal(spline.FixedSpline(grid, points)(path), expected)


def test_a_path_that_is_not_finite_gives_the_values_of_scipy(kernels):
    grid = GRIDS["even"]
    path = np.sin(grid)[:, None]
    path[20] = np.inf
    points = np.linspace(0.0, 5.6, 101)
    with np.errstate(all="ignore"):
        expected = make_interp_spline(grid, path, k=3, check_finite=False)(points)
        assert_array_equal(spline.FixedSpline(grid, points)(path), expected)


def test_coinciding_grid_points_are_refused():
    with pytest.raises(ValueError, match="duplicates"):
        spline.FixedSpline(np.array([0.0, 1.0, 1.0, 2.0, 3.0]), np.array([0.5]))


@pytest.mark.parametrize("dtype", [float, complex])
def test_a_scan_is_its_recurrence(dtype, kernels):
    rng = np.random.default_rng(3)
    decay, pieces = rng.uniform(size=50), rng.normal(size=(50, 2)).astype(dtype)[:, 1]
    total = spline.scan(decay, pieces)
    x = dtype(0.0)
    for j in range(50):
        assert total[j] == x
        x = decay[j] * x + pieces[j]
    assert total[50] == x


@pytest.mark.parametrize(("interpolation", "count"), [("cubic", 30), ("cubic", 3), ("linear", 30)])
@pytest.mark.parametrize("dtype", [float, complex])
def test_the_exact_integral_of_a_sweep_is_that_of_any_interpolant(interpolation, count, dtype):
    grid = 1e-12 + 0.1 * np.arange(count)
    path = np.random.default_rng(5).normal(size=(count, 2)).astype(dtype)
    kernel = ExponentialKernel(np.array([1.0, 0.5]), np.array([0.0, 2.0]), lambda y: y**2)
    upper = grid + 0.1
    integral = Integral(kernel, grid, grid, np.zeros(count), upper, ExactExponential(), interpolation)
    along = Interpolant(grid, path, interpolation)
    expected = ExactExponential()(kernel, along, grid, np.zeros(count), upper)
    assert_array_equal(integral(path), expected)
