"""Classifiers on real data: against scikit-learn, which shares the files with them and nothing else."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.special
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

import idescent as ide
from idescent import objectives as O  # noqa: N812  # as M for models
from idescent.objectives import data

LOADERS = {"breast_cancer": load_breast_cancer, "digits": load_digits}


def tilted(objective, scale=0.2):
    return objective.initial(5) + scale * np.random.default_rng(6).normal(size=objective.dimension)


@pytest.mark.parametrize("name", LOADERS)
def test_the_data_are_scikit_learns_to_the_bit(name):
    x, y = data.read(name)
    expected_x, expected_y = LOADERS[name](return_X_y=True)
    assert x.tobytes() == expected_x.astype(np.float64).tobytes()
    assert y.tolist() == expected_y.tolist()


@pytest.mark.parametrize("name", LOADERS)
def test_features_are_standardised_by_the_training_samples(name):
    x, y = LOADERS[name](return_X_y=True)
    split = data.split(*data.read(name), test=0.2, seed=3)
    order = np.random.RandomState(3).permutation(len(x))
    held_out, train = order[: len(split.x_test)], order[len(split.x_test) :]
    assert len(held_out) == round(0.2 * len(x))
    assert split.y.tolist() == y[train].tolist()
    assert split.y_test.tolist() == y[held_out].tolist()
    scaler = StandardScaler().fit(x[train])
    varying = scaler.var_ > 0.0
    np.testing.assert_allclose(split.x, scaler.transform(x[train]), rtol=1e-11, atol=1e-11)
    expected = scaler.transform(x[held_out])[:, varying]
    np.testing.assert_allclose(split.x_test[:, varying], expected, rtol=1e-11, atol=1e-11)
    assert not split.x_test[:, ~varying].any()


def test_another_seed_is_another_split():
    first, second = (O.SoftmaxRegression.digits(seed=seed).split.y.tolist() for seed in (0, 1))
    assert first != second


def test_other_numbers_in_the_file_are_refused(monkeypatch, tmp_path):
    folder = tmp_path / "sklearn" / "datasets" / "data"
    folder.mkdir(parents=True)
    (tmp_path / "sklearn" / "__init__.py").write_text("")
    (folder / "breast_cancer.csv").write_text("1,2,a,b\n1.0,2.0,0\n")
    monkeypatch.setattr(data.importlib.util, "find_spec", lambda name: _Spec([str(tmp_path / "sklearn")]))
    with pytest.raises(ValueError, match=r"^breast_cancer: .* has other numbers than expected"):
        O.LogisticRegression.breast_cancer()


def test_without_scikit_learn_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr(data.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"^digits: .*pip install 'idescent\[data\]'$"):
        O.Perceptron.digits()


class _Spec:
    def __init__(self, folders):
        self.submodule_search_locations = folders


def test_a_job_on_digits_does_not_import_scikit_learn_nor_a_job_on_a_quadratic_the_perceptron():
    code = (
        "import sys, idescent as ide\nfrom idescent import registry\n"
        "def run(spec, theta0):\n"
        "    objective = registry.objective(spec)\n"
        "    start = registry.start(theta0, objective)\n"
        "    ide.simulate(ide.Adam(0.9, 0.99), objective, alpha=0.1, theta0=start, steps=2)\n"
        "run({'class': 'Quadratic'}, 1.0)\n"
        "assert not [m for m in sys.modules if 'perceptron' in m or m.endswith('objectives.data')]\n"
        "run({'class': 'Perceptron.digits', 'arguments': {'hidden': 3}}, {'seed': 1})\n"
        "assert 'idescent.objectives.perceptron' in sys.modules\n"
        "print(*sorted({m.split('.')[0] for m in sys.modules} & {'sklearn', 'scipy', 'pandas', 'jax'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_the_logistic_loss_is_scikit_learns():
    objective = O.LogisticRegression.breast_cancer(ridge=0.0)
    theta = tilted(objective)
    probability = scipy.special.expit(objective.split.x @ theta[:-1] + theta[-1])
    assert float(objective.value(theta)) == pytest.approx(log_loss(objective.split.y, probability), rel=1e-12)


def test_the_softmax_loss_is_scikit_learns():
    objective = O.SoftmaxRegression.digits(ridge=0.0)
    theta = tilted(objective)
    scores = objective.split.x @ theta[:640].reshape(64, 10) + theta[640:]
    expected = log_loss(objective.split.y, scipy.special.softmax(scores, axis=-1))
    assert float(objective.value(theta)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "objective",
    [O.LogisticRegression.breast_cancer(ridge=0.01), O.SoftmaxRegression.digits(ridge=0.01)],
    ids=repr,
)
def test_the_gradient_vanishes_where_scikit_learn_finds_the_minimum(objective):
    # A column of ones in place of the intercept: scikit-learn would leave an intercept out of the ridge.
    x = np.column_stack([objective.split.x, np.ones(objective.samples)])
    fit = LogisticRegression(
        C=1.0 / (0.01 * objective.samples), fit_intercept=False, solver="newton-cg", tol=1e-10, max_iter=500
    ).fit(x, objective.split.y)
    theta = fit.coef_.T.reshape(-1)
    assert np.abs(objective.gradient(theta)).max() < 1e-7
    assert np.abs(objective.gradient(np.zeros_like(theta))).max() > 1e-2
    for part, inputs, labels in (
        ("train", objective.split.x, objective.split.y),
        ("test", objective.split.x_test, objective.split.y_test),
    ):
        classes = fit.predict(np.column_stack([inputs, np.ones(len(inputs))]))
        assert float(objective.accuracy(theta, part)) == pytest.approx(accuracy_score(labels, classes))


@pytest.fixture(scope="module")
def network():
    """Our perceptron at some point, and scikit-learn's with the same weights."""
    objective = O.Perceptron.digits(hidden=12)
    theta = tilted(objective)
    other = MLPClassifier(hidden_layer_sizes=(12,), activation="tanh", random_state=0)
    other.partial_fit(objective.split.x, objective.split.y, classes=np.arange(10))
    w1, b1, w2, b2 = np.split(theta, np.cumsum([64 * 12, 12, 12 * 10]))
    other.coefs_, other.intercepts_ = [w1.reshape(64, 12), w2.reshape(12, 10)], [b1, b2]
    return objective, theta, other


def test_the_loss_of_the_perceptron_is_that_of_scikit_learns_network(network):
    objective, theta, other = network
    expected = log_loss(objective.split.y, other.predict_proba(objective.split.x))
    assert float(objective.value(theta)) == pytest.approx(expected, rel=1e-10)


def test_the_accuracy_of_the_perceptron_is_that_of_scikit_learns_network(network):
    objective, theta, other = network
    points = np.stack([theta, objective.initial(1)])
    assert objective.accuracy(points).shape == (2,)
    expected = other.score(objective.split.x_test, objective.split.y_test)
    assert float(objective.accuracy(points)[0]) == pytest.approx(expected)
    assert float(objective.accuracy(theta, "train")) == pytest.approx(
        other.score(objective.split.x, objective.split.y)
    )


def test_the_perceptron_has_about_five_thousand_parameters_and_learns():
    objective = O.Perceptron.digits()
    assert objective.dimension == 64 * 66 + 66 + 66 * 10 + 10 == 4960
    run = ide.simulate(ide.Adam(0.9, 0.999), objective, alpha=0.01, theta0=objective.initial(1), steps=60)
    assert float(objective.accuracy(run.theta[0])) < 0.3
    assert float(objective.accuracy(run.theta[-1])) > 0.93


def test_weights_start_with_variance_one_over_inputs_and_biases_at_zero():
    objective = O.Perceptron.digits(hidden=500)
    start = objective.initial(3)
    w1, b1, w2, b2 = np.split(start, np.cumsum([64 * 500, 500, 500 * 10]))
    assert not b1.any()
    assert not b2.any()
    assert np.var(w1) == pytest.approx(1.0 / 64.0, rel=0.03)
    assert np.var(w2) == pytest.approx(1.0 / 500.0, rel=0.06)
    assert start[0] == np.random.RandomState(3).standard_normal() / 8.0


def test_large_scores_do_not_overflow():
    for objective in (
        O.LogisticRegression.breast_cancer(),
        O.SoftmaxRegression.digits(),
        O.Perceptron.digits(),
    ):
        theta = 1e4 * objective.initial(1)
        with np.errstate(over="raise", invalid="raise"):
            assert np.isfinite(objective.value(theta))
            assert np.isfinite(objective.gradient(theta)).all()


def test_accuracy_knows_two_splits():
    objective = O.LogisticRegression.breast_cancer()
    with pytest.raises(ValueError, match=r"^split: 'validation' is not allowed: must be 'train' or 'test'$"):
        objective.accuracy(objective.initial(1), "validation")


def test_logistic_regression_refuses_ten_classes():
    split = data.split(*data.read("digits"), test=0.2, seed=0)
    with pytest.raises(ValueError, match=r"^LogisticRegression: classes \[0, 1, 2, .*must be 0 and 1$"):
        O.LogisticRegression(split)
