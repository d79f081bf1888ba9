"""Optimizers of matrices: polar factors, roots, degenerate gradients, shapes."""

import json

import numpy as np
import pytest
import yaml

import idescent as ide
from idescent import cli, config
from idescent.objectives import RotatedQuadratic
from idescent.optimizers.matrices import inverse_root, newton_schulz, polar
from idescent.study import registry

STREAM = np.random.RandomState(3)
STACK = STREAM.standard_normal((4, 2, 3))
FEW = [
    ide.Muon((2, 3)),
    ide.Muon((2, 3), eps=0.0),
    ide.Muon((2, 3), eps=0.0, exact=True),
    ide.Muon((2, 3), exact=True, corrected=True),
    ide.Shampoo((2, 3)),
    ide.Shampoo((2, 3), eps=0.0),
    ide.Adafactor((2, 3)),
    ide.Adafactor((2, 3), eps=0.0),
]
COUPLED = RotatedQuadratic(6, 20.0, seed=1, minimum=[4.0, -1.5, 0.3, 2.0, 1.0, -0.7])
START = np.array([1.03, 0.52, 2.77, 0.1, -0.4, 0.9])


def step_of(optimizer, gradient):
    """Return D of the first iteration at theta = 1, for one gradient."""
    run = ide.simulate(optimizer, Linear(gradient), alpha=0.5, theta0=np.ones(gradient.size), steps=1)
    assert run.report.ok
    return (2.0 * (run.theta[0] - run.theta[1])).reshape(gradient.shape)


class Linear:
    """An objective with a constant gradient."""

    def __init__(self, gradient):
        self.constant = gradient.ravel()

    def value(self, theta):
        return theta @ self.constant

    def gradient(self, theta):
        return np.broadcast_to(self.constant, theta.shape)


@pytest.mark.parametrize("matrices", [STACK, np.swapaxes(STACK, -1, -2), STACK[0]])
def test_the_polar_factor_has_orthonormal_rows_or_columns(matrices):
    factor = polar(matrices, 0.0)
    wide = matrices.shape[-2] <= matrices.shape[-1]
    transposed = np.swapaxes(factor, -1, -2)
    gram = factor @ transposed if wide else transposed @ factor
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(2), gram.shape), atol=1e-14)
    # What remains is symmetric and positive: the other factor.
    stretch = np.swapaxes(factor, -1, -2) @ matrices
    np.testing.assert_allclose(stretch, np.swapaxes(stretch, -1, -2), atol=1e-14)
    assert np.linalg.eigvalsh(stretch).min() > -1e-14


@pytest.mark.parametrize("matrices", [STACK, np.swapaxes(STACK, -1, -2)])
def test_newton_schulz_applies_its_polynomial_to_each_singular_value(matrices):
    u, sigma, v = np.linalg.svd(matrices, full_matrices=False)
    sigma = sigma / (np.linalg.norm(sigma, axis=-1, keepdims=True) + 0.1)
    a, b, c = ide.Muon.coefficients
    for _ in range(3):
        sigma = a * sigma + b * sigma**3 + c * sigma**5
    found = newton_schulz(matrices, 0.1, (a, b, c), 3)
    np.testing.assert_allclose(found, (u * sigma[..., None, :]) @ v, atol=1e-13)


def test_newton_schulz_of_muon_ends_in_the_stated_interval():
    sigma = np.geomspace(0.002, 1.0, 5000)
    a, b, c = ide.Muon.coefficients
    for _ in range(ide.Muon.iterations):
        sigma = a * sigma + b * sigma**3 + c * sigma**5
    assert 0.68 < sigma.min() < 0.69
    assert 1.20 < sigma.max() < 1.21


def test_an_inverse_root_is_inverted_by_its_power():
    matrices = STACK @ np.swapaxes(STACK, -1, -2)
    root = inverse_root(matrices, 4, 0.0)
    for matrix, inverse in zip(matrices, root, strict=True):
        np.testing.assert_allclose(np.linalg.matrix_power(inverse, 4) @ matrix, np.eye(2), atol=1e-11)


@pytest.mark.parametrize("optimizer", FEW, ids=repr)
def test_a_zero_gradient_gives_a_zero_step(optimizer):
    assert not step_of(optimizer, np.zeros((2, 3))).any()


@pytest.mark.parametrize("optimizer", FEW, ids=repr)
def test_a_gradient_of_rank_one_gives_a_step_of_rank_one(optimizer):
    gradient = np.outer([1.0, 2.0], [3.0, -4.0, 5.0])
    step = step_of(optimizer, gradient)
    values = np.linalg.svd(step, compute_uv=False)
    assert values[0] > 0.1
    # Singular values of the gradient that are 0 up to rounding are divided by eps.
    if "Adafactor" not in repr(optimizer):
        assert values[1] < 1e-7
        along = gradient / np.linalg.norm(gradient)
        np.testing.assert_allclose(step, (step * along).sum() * along, atol=1e-7)


@pytest.mark.parametrize("optimizer", FEW, ids=repr)
def test_a_gradient_with_a_zero_row_gives_a_finite_step(optimizer):
    gradient = np.array([[0.0, 0.0, 0.0], [1.0, -2.0, 0.5]])
    step = step_of(optimizer, gradient)
    assert np.isfinite(step).all()
    assert abs(step[0]).max() < 1e-14
    assert step[1].all()


class Wall:
    """A slope that ends at 2, where the gradient is infinite."""

    def value(self, theta):
        return -theta.sum(axis=-1)

    def gradient(self, theta):
        return np.where(theta < 2.0, -theta, np.inf)


@pytest.mark.parametrize("optimizer", FEW, ids=repr)
def test_a_gradient_that_is_not_finite_is_a_divergence(optimizer):
    run = ide.simulate(optimizer, Wall(), alpha=0.5, theta0=1.0 + 0.1 * abs(START), steps=400)
    assert run.report.status == "diverged"
    assert 1 < run.report.diverged_at < 400


@pytest.mark.parametrize(
    "optimizer", [ide.Muon((2, 3)), ide.Shampoo((2, 3)), ide.Adafactor((2, 3))], ids=repr
)
def test_a_gradient_whose_square_overflows_is_a_divergence(optimizer):
    gradient = 1e160 * STACK[0]
    run = ide.simulate(optimizer, Linear(gradient), alpha=0.5, theta0=np.ones(6), steps=3)
    assert run.report.diverged_at == 1


def test_the_factor_of_the_shape_is_that_of_more_rows_than_columns():
    for shape, factor in (((2, 3), 1.0), ((3, 2), 1.5**0.5), ((6, 1), 6**0.5), ((1, 6), 1.0)):
        step = step_of(ide.Muon(shape, eps=0.0, exact=True), STACK[0].reshape(shape))
        np.testing.assert_allclose(np.linalg.norm(step, 2), factor, rtol=1e-13)


def test_a_stack_of_matrices_is_the_matrices_by_themselves():
    objective = ide.Quadratic([4.0, -1.5, 0.3, 2.0, 1.0, -0.7] * 2)
    start = np.concatenate([START, 2.0 * START[::-1]])
    run = ide.simulate(ide.Muon((2, 2, 3)), objective, alpha=0.02, theta0=start, steps=50)
    for part in (slice(6), slice(6, 12)):
        alone = ide.simulate(
            ide.Muon((2, 3)), ide.Quadratic(objective.center[part]), alpha=0.02, theta0=start[part], steps=50
        )
        np.testing.assert_allclose(run.theta[:, part], alone.theta, rtol=1e-13)


def test_muon_of_one_entry_is_signum():
    cell = {"alpha": 0.02, "theta0": 1.0, "steps": 100}
    muon = ide.Muon((1, 1), beta=0.9, eps=0.0, nesterov=False, exact=True)
    one, other = (ide.simulate(o, ide.Quadratic(4.0), **cell) for o in (muon, ide.Signum(0.9)))
    np.testing.assert_allclose(one.theta, other.theta, rtol=1e-13)


def test_shampoo_of_one_entry_is_adagrad_with_epsilon_inside_the_root():
    run = ide.simulate(ide.Shampoo((1, 1), 0.3), ide.Quadratic(4.0), alpha=0.1, theta0=1.0, steps=50)
    theta, total = 1.0, 0.3
    for k in range(1, 51):
        g = 2.0 * (theta - 4.0)
        total += g * g
        theta -= 0.1 * g / total**0.5
        assert abs(run.theta[k, 0] - theta) < 1e-13


def test_adafactor_of_one_row_has_a_second_moment_of_every_entry():
    adafactor = ide.Adafactor((1, 6), tau=0.5, clip=1e9, scaled=False)
    run = ide.simulate(adafactor, COUPLED, alpha=0.01, theta0=START, steps=50)
    theta, v = START, 0.0
    for k in range(1, 51):
        g = COUPLED.gradient(theta)
        v = v + (g * g - v) / k**0.5
        theta = theta - 0.01 * g / np.sqrt(v)
        np.testing.assert_allclose(run.theta[k], theta, rtol=1e-12)


def test_adafactor_bounds_the_learning_rate_from_the_stated_iteration_on():
    gradient = np.ones((2, 3))
    run = ide.simulate(
        ide.Adafactor((2, 3), scaled=False), Linear(gradient), alpha=0.5, theta0=np.zeros(6), steps=20
    )
    lengths = -np.diff(run.theta[:, 0])
    k = np.arange(1, 21)
    np.testing.assert_allclose(lengths, np.where(k <= 4, 0.5, 1.0 / np.sqrt(k)), rtol=1e-13)


@pytest.mark.parametrize("shape", [(2, 3), [2, 3], "2x3"])
def test_a_shape_may_be_a_tuple_a_list_or_a_text(shape):
    assert ide.Muon(shape) == ide.Muon((2, 3))
    spec = {"class": "Shampoo", "arguments": {"shape": shape}}
    assert registry.optimizer(spec).shape == (2, 3)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (
            lambda: ide.Muon(None),
            "Muon.shape: None is not allowed: must be (rows, columns), or more axes for a stack of matrices",
        ),
        (
            lambda: ide.Adafactor((6,)),
            "Adafactor.shape: (6,) is not allowed: "
            "must be (rows, columns), or more axes for a stack of matrices",
        ),
        (
            lambda: ide.Shampoo((2, 2, 3)),
            "Shampoo.shape: (2, 2, 3) is not allowed: must be (rows, columns)",
        ),
        (lambda: ide.Muon("2x0"), "Muon.shape: (2, 0) is not allowed: must be integers >= 1, or None"),
        (lambda: ide.Muon("2x"), "Muon.shape: '2x' is not allowed: must be integers >= 1, or None"),
        (lambda: ide.Adafactor((2, 3), clip=0), "Adafactor.clip: 0 is not allowed: must be > 0"),
        (lambda: ide.Muon((2, 3), nesterov=1), "Muon.nesterov: 1 is not allowed: must be True or False"),
    ],
)
def test_what_is_no_matrix_is_refused_in_one_line(make, line):
    with pytest.raises(ValueError, match="is not allowed") as refused:
        make()
    assert str(refused.value) == line


def test_a_shape_that_does_not_fit_the_parameters_is_refused():
    with pytest.raises(ValueError, match="are 6 parameters") as refused:
        ide.simulate(ide.Muon((2, 2)), COUPLED, alpha=0.1, theta0=START, steps=1)
    assert str(refused.value) == "Muon.shape: (2, 2) is not allowed: there are 6 parameters"


STUDY = """
study: matrices
objectives:
  bowl: {class: RotatedQuadratic, arguments: {dimension: 6}}
runs:
  - objective: bowl
    optimizer: Muon
    theta0: 1.0
    hyperparameters: {beta: 0.9, shape: [2x3, 3x2]}
    alpha: 0.1
    steps: 5
solutions: {}
"""


def test_a_configuration_has_a_grid_of_shapes():
    cells = config.load(yaml.safe_load(STUDY)).cells
    optimizers = [registry.optimizer(cell.optimizer) for cell in cells]
    assert optimizers == [ide.Muon((2, 3), 0.9), ide.Muon((3, 2), 0.9)]


@pytest.mark.parametrize("shape", ["[2,3]", "2x3"])
@pytest.mark.parametrize("name", ["Muon", "Shampoo", "Adafactor"])
def test_the_command_line_runs_an_optimizer_of_matrices(name, shape, capsys):
    objective = ["--objective", "RotatedQuadratic", "--set", "dimension=6"]
    words = ["simulate", name, "--optimizer-set", f"shape={shape}", *objective, "--steps", "3", "--json"]
    assert cli.main(words) in (None, 0)
    printed = json.loads(capsys.readouterr().out)["rows"]
    run = ide.simulate(
        getattr(ide, name)((2, 3)), RotatedQuadratic(6), alpha=0.01, theta0=np.ones(6), steps=3
    )
    assert printed["loss"] == run.loss.tolist()
    assert printed["theta"] == run.theta.tolist()
