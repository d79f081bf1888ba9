"""Losses in JAX, and in PyTorch where it is installed: mini-batches, trees of parameters, float32."""

import importlib.util

import numpy as np
import pytest

import idescent as ide
from idescent import check
from idescent import objectives as O  # noqa: N812  # as M for models
from idescent.stochastic import Batches, simulate_runs

ADAPTERS = [O.JaxObjective]
if importlib.util.find_spec("torch"):
    ADAPTERS.append(O.TorchObjective)

RIDGE = 0.1
RANDOM = np.random.default_rng(4)
X, Y = RANDOM.normal(size=(11, 3)), RANDOM.normal(size=11)


def draw(seed):
    stream = np.random.RandomState(seed)
    return {"w": stream.standard_normal(3), "b": stream.standard_normal(1)}


def loss(tree, batch):
    """Return a loss that both libraries read alike; its parameters are a tree, and so is its data."""
    residual = (batch["x"] * tree["w"]).sum(-1) + tree["b"] - batch["y"]
    return (residual**4).mean() + 0.5 * RIDGE * (tree["w"] ** 2).sum()


@pytest.fixture(params=ADAPTERS)
def adapter(request):
    return request.param


def mine(adapter, **given):
    return adapter(loss, parameters=draw, data={"y": Y, "x": X}, **given)


def weights(adapter, theta):
    """Return w and b of a point; JAX sorts the names of a dictionary, PyTorch does not."""
    return (theta[1:], theta[0]) if adapter is O.JaxObjective else (theta[:3], theta[3])


def by_hand(adapter, theta, rows):
    """Return value and gradient at one point over some rows."""
    w, b = weights(adapter, theta)
    residual = X[rows] @ w + b - Y[rows]
    slope = 4.0 * residual**3
    of_w, of_b = (slope[:, None] * X[rows]).mean(axis=0) + RIDGE * w, [slope.mean()]
    parts = [of_b, of_w] if adapter is O.JaxObjective else [of_w, of_b]
    return (residual**4).mean() + 0.5 * RIDGE * (w @ w), np.concatenate(parts)


@pytest.mark.parametrize(
    ("lead", "batches"),
    [((), (4,)), ((2,), (4,)), ((2,), (2, 4)), ((3, 2), (2, 1)), ((2, 1), (5, 3))],
)
def test_mini_batches_are_broadcast_against_points_and_differentiated_as_by_hand(adapter, lead, batches):
    random = np.random.default_rng(1)
    theta, rows = random.normal(size=(*lead, 4)), random.integers(11, size=batches)
    objective = mine(adapter)
    values, gradients = objective.value_of(theta, rows), objective.gradient_of(theta, rows)
    shape = np.broadcast_shapes(lead, batches[:-1])
    assert values.shape == shape
    assert gradients.shape == (*shape, 4)
    assert gradients.dtype == np.float64
    points = np.broadcast_to(theta, (*shape, 4))
    for i in np.ndindex(shape):
        one = np.broadcast_to(rows, (*shape, batches[-1]))[i]
        value, gradient = by_hand(adapter, points[i], one)
        assert values[i] == pytest.approx(value, rel=1e-13)
        np.testing.assert_allclose(gradients[i], gradient, rtol=1e-11, atol=1e-12)


def test_all_samples_are_the_objective_itself_with_its_hessian(adapter):
    objective = mine(adapter)
    theta, direction = objective.initial(1), np.arange(4.0)
    value, gradient = by_hand(adapter, theta, np.arange(11))
    assert float(objective.value(theta)) == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(objective.gradient(theta), gradient, rtol=1e-12)
    shifted = [by_hand(adapter, theta + sign * 1e-5 * direction, np.arange(11))[1] for sign in (1, -1)]
    product = objective.hessian_vector(theta, direction)
    np.testing.assert_allclose(product, (shifted[0] - shifted[1]) / 2e-5, rtol=1e-6, atol=1e-6)


def test_the_check_of_a_users_objective_passes_with_its_finite_sum(adapter):
    verdicts = {v.check: v for v in check.check("objective", lambda: mine(adapter), {}, theta0=[1, -1, 2, 3])}
    assert not [v for v in verdicts.values() if v.status == "fail"]
    assert verdicts["finite sum"].status == "ok"
    assert "11 samples" in verdicts["finite sum"].text


def test_runs_on_mini_batches_are_those_of_the_packages_own_loss(adapter):
    line = ide.MeanSquaredError.synthetic()
    mean = lambda theta, batch: ((batch[1] - theta[0] * batch[0]) ** 2).mean()  # noqa: E731
    one = np.zeros(1)
    own = adapter(mean, parameters=lambda seed: one, data=(line.x, line.y))
    given = {"alpha": 0.1, "theta0": [2.0], "steps": 15, "runs": 3, "seed": 5}
    results = [
        simulate_runs(ide.RMSProp(0.9), Batches(objective, 4), **given).values["loss"]
        for objective in (own, line)
    ]
    np.testing.assert_allclose(*results, rtol=1e-10)


def test_without_data_there_are_no_mini_batches(adapter):
    objective = adapter(lambda theta: (theta**2).sum())
    assert not isinstance(objective, O.FiniteSum)
    assert not hasattr(objective, "gradient_of")
    assert isinstance(mine(adapter), O.FiniteSum)


# --- trees ------------------------------------------------------------------------------------------------


def test_parameters_go_in_and_out_as_trees(adapter):
    objective = mine(adapter)
    theta = objective.initial(3)
    tree = objective.unflatten(theta)
    expected = draw(3)
    assert {name: leaf.tolist() for name, leaf in tree.items()} == {
        name: leaf.tolist() for name, leaf in expected.items()
    }
    assert objective.flatten(tree).tolist() == theta.tolist()
    many = objective.unflatten(np.stack([theta, 2 * theta, 3 * theta])[:, None])
    assert {name: leaf.shape for name, leaf in many.items()} == {"w": (3, 1, 3), "b": (3, 1, 1)}
    assert many["w"][2, 0].tolist() == (3 * expected["w"]).tolist()


def test_a_tree_may_be_given_instead_of_a_function(adapter):
    objective = adapter(loss, parameters=draw(2), data={"y": Y, "x": X})
    assert objective.dimension == 4
    assert not hasattr(objective, "initial")
    assert objective.flatten(draw(2)).tolist() == mine(adapter).initial(2).tolist()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda o: o.flatten({"w": np.ones(2), "b": np.ones(1)}), r"^parameters: shapes \[.*must be \["),
        (lambda o: o.unflatten(np.ones(5)), r"^theta: shape \(5,\) is not allowed: must be \(\.\.\., 4\)$"),
        (lambda o: o.value_of(np.ones(4), np.array([11])), r"^indices: .* must be integers in \[0, 10\]$"),
        (lambda o: o.gradient_of(np.ones(4), np.array([-1])), r"^indices: .* must be integers in \[0, 10\]$"),
        (lambda o: o.value_of(np.ones(4), np.array([1.0])), r"^indices: .* must be integers in"),
        (lambda o: type(o)(loss, parameters=draw, dtype="float16"), r"^dtype: 'float16' is not allowed"),
        (lambda o: type(o)(loss, parameters=draw, data=(X, Y[:3])), r"^data: arrays of lengths \[3, 11\]"),
        (lambda o: type(o)(loss, parameters=draw, data=()), r"^data: the tree has no arrays"),
        (lambda o: type(o)(lambda theta: 0.0).unflatten(np.ones(2)), r"^unflatten: there is no tree"),
    ],
)
def test_a_bad_argument_is_refused_in_one_line(adapter, call, message):
    with pytest.raises(ValueError, match=message):
        call(mine(adapter))


# --- float32 ----------------------------------------------------------------------------------------------


def test_a_float32_model_is_computed_in_float32_whatever_the_rest_of_the_process_needs(adapter):
    types = set()

    def watched(tree, batch):
        types.update(str(array.dtype).removeprefix("torch.") for array in (*tree.values(), *batch.values()))
        value = loss(tree, batch)
        types.add(str(value.dtype).removeprefix("torch."))
        return value

    wide = mine(adapter)
    narrow = adapter(watched, parameters=draw, data={"y": Y, "x": X}, dtype="float32")
    theta, rows = wide.initial(1), np.arange(6)
    for _ in range(2):  # the 64-bit objective is called in between
        exact = wide.gradient_of(theta, rows)
        gradient = narrow.gradient_of(theta, rows)
        assert types == {"float32"}
        assert gradient.dtype == np.float64
        assert (gradient == gradient.astype(np.float32)).all()
        assert 0.0 < np.abs(gradient - exact).max() < 1e-5 * np.abs(exact).max()
    assert (exact != exact.astype(np.float32)).any()
    assert narrow.hessian_vector(theta, theta).dtype == np.float64
    assert narrow.unflatten(theta)["w"].dtype == np.float32
    assert wide.unflatten(theta)["w"].dtype == np.float64


def test_a_float32_model_is_solved_to_the_tolerance_that_the_page_states(adapter):
    given = {"alpha": 0.02, "theta0": [0.5, -0.5, 1.0, 0.2], "steps": 40, "rtol": 1e-6}
    paths = [
        ide.solve(ide.models.HalfStep(), ide.Adam(0.9, 0.99), mine(adapter, dtype=dtype), **given)
        for dtype in ("float64", "float32")
    ]
    assert all(path.report.ok for path in paths)
    assert 0.0 < ide.compare(*paths).relative_sup["theta"] < 1e-6


# --- tensors of PyTorch -----------------------------------------------------------------------------------


def test_tensors_of_a_module_have_one_order_however_they_are_handed_over():
    torch = pytest.importorskip("torch")
    from idescent.objectives import trees

    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    expected = torch.nn.utils.parameters_to_vector(module.parameters()).detach().numpy()
    for tree in (module.parameters(), list(module.parameters()), dict(module.named_parameters())):
        vector, shapes = trees.flat(tree)
        assert vector.dtype == np.float32
        assert vector.tolist() == expected.tolist()
        assert shapes == [(3, 2), (3,), (3,), (3,)]
    half, _ = trees.flat([torch.ones(2, dtype=torch.bfloat16), torch.ones(1, dtype=torch.float16)])
    assert (half.dtype, half.tolist()) == (np.float32, [1.0, 1.0, 1.0])
    # A state also has counters, which are no parameters.
    with pytest.raises(ValueError, match=r"^parameters: int64 is not allowed"):
        trees.flat(module.state_dict())
    with pytest.raises(ValueError, match=r"^parameters: Sequential.* is not allowed: must be arrays"):
        trees.flat(module)


def test_the_dimension_of_a_torch_objective_is_that_of_its_parameters():
    pytest.importorskip("torch")
    assert O.TorchObjective(loss, 4, draw, data={"y": Y, "x": X}).dimension == 4
    with pytest.raises(ValueError, match=r"^dimension: 5 is not allowed: the parameters have 4$"):
        O.TorchObjective(loss, 5, draw, data={"y": Y, "x": X})


def test_a_loss_of_a_recorder_may_be_a_tensor_with_a_gradient(tmp_path):
    torch = pytest.importorskip("torch")
    theta = torch.ones(3, requires_grad=True)
    recorder = ide.Recorder(tmp_path / "run.parquet", optimizer=ide.Adam(0.9, 0.99), alpha=0.1)
    for k in range(2):
        recorder(k, theta, (theta**2).sum())
        with torch.no_grad():
            theta += 1.0  # in place
    run = recorder.trajectory()
    assert run.theta.tolist() == [[1.0] * 3, [2.0] * 3]
    assert run.loss.tolist() == [3.0, 12.0]
