"""The mean of an optimizer over mini-batches: noise in the second moments, against enumerations and runs."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest

import idescent as ide
from idescent.objectives import Perceptron
from idescent.objectives.data import read, split
from idescent.optimizers.declared import average
from idescent.optimizers.optimizer import Optimizer
from idescent.stochastic import Additive, Batches, along, mean_optimizer, noise, simulate_runs

DATA = ide.MeanSquaredError.synthetic(size=60)
CURVE = ide.Quadratic(4.0)


@dataclass(frozen=True)
class Spectator(Optimizer):
    """Gradient descent that observes the average of the square, so that theta is linear in the noise."""

    beta: float
    shape: tuple[int, ...] | None = None

    def memories(self):
        return {"v": average(self.beta, of="square")}

    def step(self, gradient):
        return gradient


class Late(Spectator):
    """The average is updated after the step."""

    def memories(self):
        return {"v": average(self.beta, of="square", read="old")}


class Informed(Spectator):
    """The average starts from a gradient."""

    def memories(self):
        return {"v": average(self.beta, of="square", start=lambda gradient: gradient**2)}


class Small:
    """Seven samples of a linear regression with two parameters."""

    samples, dimension = 7, 2
    x = np.random.RandomState(5).normal(size=(7, 2))
    y = np.random.RandomState(6).normal(size=7)

    def value_of(self, theta, indices):
        residual = np.einsum("...bp,...p->...b", self.x[indices], theta) - self.y[indices]
        return 0.5 * (residual**2).mean(axis=-1)

    def gradient_of(self, theta, indices):
        residual = np.einsum("...bp,...p->...b", self.x[indices], theta) - self.y[indices]
        return np.einsum("...b,...bp->...p", residual, self.x[indices]) / indices.shape[-1]

    def value(self, theta):
        return self.value_of(theta, np.arange(7))

    def gradient(self, theta):
        return self.gradient_of(theta, np.arange(7))


# The mean of a squared gradient.


@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_mean_square_is_that_of_all_batches_there_are(size, replacement):
    """Every batch is enumerated; the formula is g^2 + c (q - g^2)."""
    objective, theta = Small(), np.array([0.3, 0.2])
    every = list(itertools.product(range(7), repeat=size))
    if not replacement:
        every = [batch for batch in every if len(set(batch)) == size]
    squares = np.mean([objective.gradient_of(theta, np.array(batch)) ** 2 for batch in every], axis=0)
    gradient = objective.gradient(theta)
    q = np.mean([objective.gradient_of(theta, np.array([j])) ** 2 for j in range(7)], axis=0)
    factor = 1.0 / size if replacement else (7 - size) / (size * 6)
    np.testing.assert_allclose(gradient**2 + factor * (q - gradient**2), squares, rtol=1e-13)
    batches = Batches(objective, size, replacement=replacement)
    np.testing.assert_allclose(gradient**2 + batches.variance(theta), squares, rtol=1e-13)
    mean = mean_optimizer(Spectator(0.0), batches)
    run = ide.simulate(mean, objective, alpha=1e-3, theta0=theta, steps=1)
    np.testing.assert_allclose(run.moments["v"][1], squares, rtol=1e-13)


def test_batches_of_an_epoch_have_the_mean_square_of_one_batch_alone():
    """At a constant theta the batches of an epoch are correlated, which no mean of a square depends on."""
    objective, theta = Small(), np.array([[0.3, 0.2]])
    batches = Batches(objective, 3, replacement=False)
    draws = batches.draws(2, seed=1, runs=range(4000))
    squares = np.stack([batches.gradient(theta, next(draws))[0] ** 2 for _ in range(4)])
    expected = objective.gradient(theta)[0] ** 2 + batches.variance(theta)[0]
    for square in squares:
        error = square.std(axis=0, ddof=1) / np.sqrt(len(square))
        assert (np.abs(square.mean(axis=0) - expected) < 4.5 * error).all()
        assert (error < 0.03 * expected).all()


def test_the_variance_of_a_point_depends_on_no_other_point_and_is_that_of_the_covariance(monkeypatch):
    theta = np.random.default_rng(0).normal(size=(3, 4, 2))
    batches = Batches(Small(), 2)
    whole = batches.variance(theta)
    _, _, variance = batches.spread(theta.reshape(-1, 2), np.zeros((12, 7)))
    np.testing.assert_allclose(whole.reshape(-1, 2), variance, rtol=1e-14)
    assert batches.variance(theta[1, 2]).tobytes() == whole[1, 2].tobytes()
    monkeypatch.setattr(noise, "_CACHED", 6)
    np.testing.assert_allclose(batches.variance(theta), whole, rtol=1e-14)


# Closed form.


@pytest.mark.parametrize("alpha", [0.02, 0.005])
def test_the_second_moment_of_a_linear_run_is_known_but_for_the_spread_of_theta(alpha):
    """f = (theta - 4)^2 with additive noise: exact up to the term with Var theta, which is O(alpha)."""
    beta, sigma, steps = 0.95, 1.5, 60
    additive = Additive(CURVE, sigma)
    mean = mean_optimizer(Spectator(beta), additive)
    run = ide.simulate(mean, CURVE, alpha=alpha, theta0=3.0, steps=steps)
    r, k = 1.0 - 2.0 * alpha, np.arange(steps)
    weights = (1.0 - beta) * beta ** k[::-1]
    closed = weights @ (4.0 * r ** (2 * k) + sigma**2)
    assert run.moments["v"][-1, 0] == pytest.approx(closed, rel=1e-12)
    neglected = 4.0 * weights @ (alpha**2 * sigma**2 * (1.0 - r ** (2 * k)) / (1.0 - r * r))
    runs = simulate_runs(
        Spectator(beta), additive, alpha=alpha, theta0=3.0, steps=steps, runs=4000, seed=1,
        at=[steps], observe=("second_0",),
    )  # fmt: skip
    values = runs.values["second_0"][0]
    error = values.std(ddof=1) / np.sqrt(4000)
    assert abs(values.mean() - closed - neglected) < 4.0 * error
    assert 0.2 * alpha < neglected / closed < 2.0 * alpha


@pytest.mark.parametrize("norm", [False, True])
def test_the_norm_has_the_sum_of_the_variances(norm):
    optimizer = ide.AdaGrad(accumulator="norm" if norm else "coordinate")
    mean = mean_optimizer(optimizer, Additive(CURVE, [0.5, 2.0, 1.0]))
    run = ide.simulate(mean, CURVE, alpha=0.1, theta0=[1.0, 3.0, 5.0], steps=1)
    squares = np.array([36.0 + 0.25, 4.0 + 4.0, 4.0 + 1.0])
    (moment,) = run.moments.values()
    assert moment[1].tolist() == ([squares.sum()] if norm else squares.tolist())


# Runs and models.


@pytest.mark.parametrize("optimizer", [ide.AdaGrad(), ide.RMSProp(0.9), ide.Adam(0.9, 0.99), ide.NAdam()])
def test_without_noise_the_run_is_that_of_the_optimizer(optimizer):
    cell = {"alpha": 0.05, "theta0": [1.0, 2.0], "steps": 40}
    run = ide.simulate(mean_optimizer(optimizer, Additive(CURVE, 0.0)), CURVE, **cell)
    np.testing.assert_allclose(run.theta, ide.simulate(optimizer, CURVE, **cell).theta, rtol=1e-13)


def test_weight_decay_remains():
    optimizer = ide.AdamW(0.9, 0.99, 0.5)
    mean = mean_optimizer(optimizer, Additive(CURVE, 1.0))
    assert mean.decoupled_decay == 0.5
    assert mean.hyperparameters == optimizer.hyperparameters
    assert mean.card().models[0].order == 2


def test_the_half_step_model_of_the_mean_is_of_second_order():
    """Error in theta over t <= 1 against the discrete mean run, at every iteration."""
    batches, errors = Batches(DATA, 4), []
    for alpha in 2.0 ** -np.arange(8, 11):
        cell = {"alpha": alpha, "theta0": 0.0, "steps": round(1.0 / alpha)}
        mean = mean_optimizer(ide.Adam(0.9, 0.9), batches)
        path = ide.solve(ide.models.HalfStep(), mean, DATA, **cell, rtol=1e-11, atol=1e-12)
        assert path.report.status == "converged"
        errors.append(np.abs(path.theta - ide.simulate(mean, DATA, **cell).theta).max())
    slopes = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (np.abs(slopes - 2.0) < 0.1).all()


def test_a_prediction_of_the_mean_is_the_run_of_the_mean():
    mean = mean_optimizer(ide.Adam(0.9, 0.99), Batches(DATA, 4))
    run = ide.simulate(mean, DATA, alpha=0.01, theta0=0.0, steps=300)
    before = mean.noise_variance.evaluations
    predicted = ide.predict(mean, DATA, alpha=0.01, start=np.zeros(1), steps=300)
    losses = DATA.value(run.theta[predicted.k])
    assert predicted.report.gradient_evaluations < 300
    assert np.abs(predicted.losses / losses - 1.0).max() < 2.0 * predicted.report.error_estimate < 0.02
    # A step reads the variance at both ends and at the middle.
    assert mean.noise_variance.evaluations - before < 3 * predicted.report.gradient_evaluations


@pytest.mark.parametrize(
    ("alpha", "beta2", "precision", "least", "most"),
    [(1e-3, 0.999, 0.002, 0.0, 0.02), (3e-3, 0.9, 0.005, 0.03, 0.1), (1e-2, 0.999, 0.02, 0.1, 0.3)],
)
def test_the_mean_loss_of_a_network_over_batches(alpha, beta2, precision, least, most):
    """Relative error at iterations 50 ... 300 of Adam on batches of 8: within 2 %, or known to be larger."""
    x, y = read("digits")
    objective = Perceptron(split(x[:250], y[:250], 0.2, 0), hidden=6)
    optimizer, batches = ide.Adam(0.9, beta2), Batches(objective, 8)
    at, cell = [50, 100, 200, 300], {"alpha": alpha, "theta0": objective.initial(0), "steps": 300}
    runs = simulate_runs(optimizer, batches, **cell, runs=48, seed=1, at=at, observe=("loss",))
    losses = runs.values["loss"]
    truth = losses.mean(axis=1)
    assert (losses.std(axis=1, ddof=1) / np.sqrt(48) / truth).max() < precision
    errors = []
    for model in (mean_optimizer(optimizer, batches), optimizer):
        path = along(ide.simulate(model, objective, **cell), objective, ("loss",), at)
        errors.append(np.abs(path.values["loss"][:, 0] / truth - 1.0).max())
    assert least <= errors[0] < most
    assert errors[1] > 3.0 * errors[0]


def test_every_iteration_evaluates_the_noise_at_one_point():
    counts = []
    for steps in (10, 30):
        mean = mean_optimizer(ide.Adam(0.9, 0.99), Batches(DATA, 4))
        run = ide.simulate(mean, DATA, alpha=0.05, theta0=0.0, steps=steps)
        assert run.report.gradient_evaluations == steps
        counts.append(mean.noise_variance.evaluations)
    assert counts[1] - counts[0] == 20


# Refusals.


@pytest.mark.parametrize(
    ("optimizer", "reason"),
    [
        (ide.HeavyBall(), "HeavyBall: it has no memory of the square"),
        (ide.AMSGrad(), "AMSGrad: its memory"),
        (ide.AdaBelief(), "AdaBelief: it has no memory of the square"),
        (ide.ADOPT(), "ADOPT: its memory 'm' is fed by another function of the gradient than its square"),
        (ide.Adafactor((2, 3)), "Adafactor: it has no memory of the square"),
        (ide.ScheduleFreeAdamW(), "ScheduleFreeAdamW: its gradient is evaluated at another point"),
        (Spectator(0.9, shape=(2, 3)), "Spectator: its parameter is a matrix"),
        (Late(0.9), "Late: its memory 'v' is updated after the step"),
        (Informed(0.9), "Informed: its memory 'v' starts from the gradient"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_optimizer_whose_mean_is_not_known_is_refused(optimizer, reason):
    with pytest.raises(ValueError, match="mean_optimizer does not cover") as error:
        mean_optimizer(optimizer, Additive(CURVE, 1.0))
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_an_objective_without_a_dimension_is_refused():
    class Unknown:
        samples = 7

        def __getattr__(self, name):
            if name == "dimension":
                raise AttributeError(name)
            return getattr(Small(), name)

        value, gradient = Small.value, Small.gradient
        value_of, gradient_of = Small.value_of, Small.gradient_of

    with pytest.raises(ValueError, match=r"objective: .* must be an object with dimension"):
        mean_optimizer(ide.RMSProp(0.9), Batches(Unknown(), 2))
    with pytest.raises(ValueError, match="noise: 4 is not allowed: must be an object with objective"):
        mean_optimizer(ide.RMSProp(0.9), 4)


def test_a_pickled_mean_optimizer_makes_the_same_run_and_counts_from_0():
    import pickle

    import idescent as ide
    from idescent.stochastic import Batches, mean_optimizer

    objective, adam = ide.MeanSquaredError.synthetic(size=60), ide.Adam(0.9, 0.99)
    cell = {"alpha": 0.01, "theta0": 0.0, "steps": 20}
    mean = mean_optimizer(adam, Batches(objective, size=4, replacement=False))
    run = ide.simulate(mean, objective, **cell)
    again = pickle.loads(pickle.dumps(mean))
    assert mean.noise_variance.evaluations > again.noise_variance.evaluations == 0
    assert ide.simulate(again, objective, **cell).theta.tolist() == run.theta.tolist()
    assert again.noise_variance.evaluations == mean.noise_variance.evaluations
    assert ide.simulate(adam, objective, **cell).theta.tolist() != run.theta.tolist()
