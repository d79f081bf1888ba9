"""Losses written in JAX, or in PyTorch where it is installed: derivatives by program and by hand."""

import importlib.util
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import idescent as ide
from idescent import objectives as O  # noqa: N812  # as M for models
from idescent.study import registry


def chain(theta):
    """Return Rosenbrock's function; slices and powers are written alike in both libraries."""
    return (100.0 * (theta[1:] - theta[:-1] ** 2) ** 2 + (1.0 - theta[:-1]) ** 2).sum()


def plane(theta):
    return (3.0 * theta).sum()


ADAPTERS = [O.JaxObjective]
if importlib.util.find_spec("torch"):
    ADAPTERS.append(O.TorchObjective)


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("lead", [(), (1,), (3,), (2, 3)])
def test_value_gradient_and_products_are_scipys_in_float64(adapter, lead):
    objective = adapter(chain)
    random = np.random.default_rng(2)
    theta, direction = random.normal(size=(*lead, 4)), random.normal(size=(*lead, 4))
    values, gradients = objective.value(theta), objective.gradient(theta)
    products = objective.hessian_vector(theta, direction)
    assert values.shape == lead
    assert gradients.shape == products.shape == theta.shape
    assert gradients.dtype == np.float64
    for i in np.ndindex(lead):
        assert float(values[i]) == pytest.approx(scipy.optimize.rosen(theta[i]), rel=1e-13)
        np.testing.assert_allclose(gradients[i], scipy.optimize.rosen_der(theta[i]), rtol=1e-12)
        expected = scipy.optimize.rosen_hess_prod(theta[i], direction[i])
        np.testing.assert_allclose(products[i], expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_linear_loss_has_no_hessian(adapter):
    theta = np.ones((2, 3))
    assert adapter(plane).gradient(theta).tolist() == [[3.0] * 3] * 2
    assert not adapter(plane).hessian_vector(theta, theta).any()


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapted_loss_is_run_and_solved_like_any_other_objective(adapter):
    arguments = {"alpha": 0.05, "theta0": [1.5, 0.5], "steps": 30}
    mine, ours = adapter(chain), O.Rosenbrock(2)
    optimizer = ide.Adam(0.9, 0.99)
    run, expected = (ide.simulate(optimizer, o, **arguments) for o in (mine, ours))
    np.testing.assert_allclose(run.theta, expected.theta, rtol=1e-9)
    solved, expected = (ide.solve(ide.models.Paper(), optimizer, o, **arguments) for o in (mine, ours))
    assert solved.report.ok
    np.testing.assert_allclose(solved.theta, expected.theta, rtol=1e-6)


OWN = """
import jax.numpy as jnp
import numpy as np
from idescent.objectives import JaxObjective

def draw(seed):
    stream = np.random.RandomState(seed)
    return {"weights": stream.standard_normal((2, 3)), "shift": stream.standard_normal(3)}

def loss(parameters):
    return jnp.sum(jnp.cosh(jnp.ones(2) @ parameters["weights"] + parameters["shift"]))

Mine = lambda: JaxObjective(loss, draw)
"""


def test_a_users_file_needs_one_line_and_a_tree_of_parameters_is_flattened(tmp_path, monkeypatch):
    (tmp_path / "my_jax_loss.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    objective = registry.objective({"class": "my_jax_loss:Mine"})
    sys.modules.pop("my_jax_loss")
    theta = registry.start({"seed": 4}, objective)
    stream = np.random.RandomState(4)
    weights, shift = stream.standard_normal((2, 3)), stream.standard_normal(3)
    # JAX flattens a dictionary in the order of its keys.
    assert theta.tolist() == [*shift, *weights.reshape(-1)]
    assert objective.dimension == 9
    slope = np.sinh(weights.sum(axis=0) + shift)
    np.testing.assert_allclose(objective.gradient(theta), np.tile(slope, 3), rtol=1e-12)


def test_few_lengths_of_batches_are_compiled():
    traced = []

    def loss(theta):
        traced.append(None)
        return (theta**2).sum()

    objective = O.JaxObjective(loss)
    for count in range(1, 17):
        assert objective.value(np.ones((count, 2))).tolist() == [2.0] * count
    assert len(traced) <= 5


def test_a_loss_with_data_is_compiled_once_and_a_gradient_does_not_depend_on_the_other_points():
    traced = []

    def loss(theta, batch):
        traced.append(None)
        return jnp.mean(jnp.tanh(batch @ theta) ** 2)

    random = np.random.default_rng(0)
    data, theta = random.normal(size=(50, 3)), random.normal(size=(16, 3))
    objective = O.JaxObjective(loss, lambda seed: np.ones(3), data=data)
    for count in range(1, 17):
        gradients = objective.gradient(theta[:count])
        assert (gradients[0] == objective.gradient(theta[0])).all()
    assert len(traced) == 1
    together = O.JaxObjective(loss, lambda seed: np.ones(3), data=data, vmap=True)
    np.testing.assert_allclose(together.gradient(theta), gradients, rtol=1e-12)
    rows = random.integers(50, size=(16, 5))
    np.testing.assert_allclose(
        together.gradient_of(theta, rows), objective.gradient_of(theta, rows), rtol=1e-11, atol=1e-15
    )


@pytest.mark.parametrize(("name", "adapter"), [("jax", O.JaxObjective), ("torch", O.TorchObjective)])
def test_a_missing_library_is_named(monkeypatch, name, adapter):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=rf"^{adapter.__name__}: pip install .*{name}"):
        adapter(chain)


def layers(theta, *shapes):
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(jnp.split(theta, ends[:-1]), shapes, strict=True)]


def cross_entropy(scores, labels):
    return -jnp.mean(jax.nn.log_softmax(scores)[jnp.arange(len(labels)), labels])


def logistic_loss(theta, x, y):
    z = x @ theta[:-1] + theta[-1]
    return jnp.mean(jax.nn.softplus(jnp.where(y == 1, -z, z)))


def softmax_loss(theta, x, y):
    w, b = layers(theta, (64, 10), (10,))
    return cross_entropy(x @ w + b, y)


def perceptron_loss(theta, x, y):
    w1, b1, w2, b2 = layers(theta, (64, 66), (66,), (66, 10), (10,))
    return cross_entropy(jnp.tanh(x @ w1 + b1) @ w2 + b2, y)


@pytest.mark.parametrize(
    ("objective", "loss"),
    [
        (O.LogisticRegression.breast_cancer(ridge=0.02), logistic_loss),
        (O.SoftmaxRegression.digits(ridge=0.02), softmax_loss),
        (O.Perceptron.digits(ridge=0.02), perceptron_loss),
    ],
    ids=["logistic", "softmax", "perceptron"],
)
def test_the_classifiers_derivatives_by_hand_are_those_by_program(objective, loss):
    x, y = objective.split.x, objective.split.y
    other = O.JaxObjective(lambda theta: loss(theta, x, y) + 0.01 * jnp.sum(theta**2))
    random = np.random.default_rng(8)
    theta = objective.initial(1) + 0.1 * random.normal(size=(2, objective.dimension))
    direction = random.normal(size=theta.shape)
    np.testing.assert_allclose(objective.value(theta), other.value(theta), rtol=1e-12)
    for ours, expected in (
        (objective.gradient(theta), other.gradient(theta)),
        (objective.hessian_vector(theta, direction), other.hessian_vector(theta, direction)),
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())
