"""Stochastic differential equations against closed forms, ordinary equations and runs; weak errors."""

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import linalg, stats
from scipy.integrate import solve_ivp

import idescent as ide
from idescent.optimizers.ratio import ratio_of
from idescent.schedules import Cosine
from idescent.stochastic.noise import Additive, Batches
from idescent.stochastic.runs import Ensemble, along, simulate_runs
from idescent.stochastic.sde import Compagnoni, Malladi, Point, simulate_paths
from idescent.stochastic.weak import columns, largest, weak_errors
from idescent.trajectory import Report

QUADRATIC = ide.Quadratic(0.0)
DATA = ide.MeanSquaredError.synthetic(size=60)


# The method, against a linear equation.


@pytest.mark.parametrize("substeps", [1, 8])
def test_with_the_second_moment_at_rest_the_paths_are_those_of_ornstein_and_uhlenbeck(substeps):
    """Malladi's RMSProp on a quadratic: v settles at the variance, and then theta is linear."""
    alpha, sigma, optimizer = 0.1, 2.0, ide.RMSProp(0.5, eps=0.1)
    at, paths = [60, 61, 65, 80], 4000
    found = simulate_paths(
        Malladi(), optimizer, Additive(QUADRATIC, sigma), alpha=alpha, theta0=1.0, steps=80, runs=paths,
        seed=11, substeps=substeps, at=at, observe=("theta_0", "second"),
    )  # fmt: skip
    np.testing.assert_allclose(found.values["second"], sigma**2, rtol=1e-7)
    pull = 2.0 * alpha / (sigma + 0.1)
    push = alpha * sigma / (sigma + 0.1)
    h = 1.0 / substeps
    for row, k in enumerate(at[1:], start=1):
        fade = (1.0 - pull * h) ** ((k - 60) * substeps)
        variance = push**2 * h * (1.0 - fade**2) / (1.0 - (1.0 - pull * h) ** 2)
        rest = (found.values["theta_0"][row] - fade * found.values["theta_0"][0]) / math.sqrt(variance)
        assert stats.kstest(rest, "norm").pvalue > 1e-3
        # And the method's mean and variance are those of the equation up to the first order in h.
        exact_fade = math.exp(-pull * (k - 60))
        exact = push**2 / (2.0 * pull) * (1.0 - exact_fade**2)
        assert abs(fade - exact_fade) < 0.6 * pull * h * pull * (k - 60) * exact_fade + 1e-15
        assert abs(variance / exact - 1.0) < 1.1 * pull * h


@pytest.mark.parametrize("substeps", [1, 8])
def test_malladis_adam_comes_to_rest_with_the_variance_of_the_closed_form(substeps):
    """With v and both masses at rest the equation is linear; on theta^2 the variance is a sigma^2 / 4."""
    alpha, sigma, optimizer = 0.4, 2.0, ide.Adam(0.5, 0.5, eps=0.1)
    paths, last = 4000, 120
    found = simulate_paths(
        Malladi(), optimizer, Additive(QUADRATIC, sigma), alpha=alpha, theta0=1.0, steps=last, runs=paths,
        seed=12, substeps=substeps, at=[last], observe=("theta_0", "second"),
    )  # fmt: skip
    np.testing.assert_allclose(found.values["second"], sigma**2, rtol=1e-7)
    a, c, h = alpha / (sigma + 0.1), 1.0 - ratio_of(optimizer).beta1, 1.0 / substeps
    drift, push = np.array([[0.0, -a], [2.0 * c, -c]]), np.array([[0.0], [c * sigma]])
    exact = linalg.solve_continuous_lyapunov(drift, -push @ push.T)
    assert abs(exact[0, 0] - a * sigma**2 / 4.0) < 1e-12
    method = linalg.solve_discrete_lyapunov(np.eye(2) + h * drift, h * push @ push.T)
    assert abs(method[0, 0] / exact[0, 0] - 1.0) < 1.2 * h
    theta = found.values["theta_0"][0]
    assert stats.kstest(theta / math.sqrt(method[0, 0]), "norm").pvalue > 1e-3
    low, high = stats.chi2.ppf([5e-4, 1.0 - 5e-4], paths)
    assert low <= theta @ theta / method[0, 0] <= high


def test_halving_the_substep_halves_the_weak_error_of_the_method():
    arguments = {
        "alpha": 0.05, "theta0": 1.0, "steps": 40, "runs": 1000, "seed": 4, "start": 5,
        "at": [10, 20, 40], "observe": ("theta_0", "second"),
    }  # fmt: skip
    noise, optimizer = Additive(QUADRATIC, 1.0), ide.RMSProp(0.8, eps=0.1)
    paths = [simulate_paths(Compagnoni(), optimizer, noise, substeps=k, **arguments) for k in (4, 8, 16)]
    first, second = (
        weak_errors(fine, coarse) for coarse, fine in itertools.pairwise(paths)
    )  # fmt: skip
    for a, b in zip(first, second, strict=True):
        assert a.standard_error < 0.05 * abs(a.error)  # common random numbers: a tenth of a percent of theta
        assert abs(math.log2(a.error / b.error) - 1.0) < 0.25


# Without noise.


def plain_ode(equation, optimizer, alpha, schedule):
    """The equations once more, written out for the gradient 2 theta in one dimension, without noise."""
    b1, b2, eps = ratio_of(optimizer).beta1, ratio_of(optimizer).beta2, optimizer.eps
    full = equation.name == "compagnoni"

    def slope(s, y):
        theta, m, v = y
        rate = alpha if schedule is None else alpha * float(schedule.rate(np.array(s)))
        g = 2.0 * theta + optimizer.coupled_decay * theta
        dv = (1 - b2) * ((g * g if full else 0.0) - v)
        if not ratio_of(optimizer).corrected:
            return [-rate * g / (math.sqrt(v) + eps), 0.0, dv]
        c1, c2 = 1 - math.exp(-(1 - b1) * s), 1 - math.exp(-(1 - b2) * s)
        top = m + (1 - b1) * (g - m) if full else m
        move = -rate * math.sqrt(c2) / c1 * top / (math.sqrt(v) + eps * math.sqrt(c2))
        return [move - rate * optimizer.decoupled_decay * theta, (1 - b1) * (g - m), dv]

    return slope


@pytest.mark.parametrize(
    ("equation", "optimizer", "schedule"),
    [
        (Malladi(), ide.RMSProp(0.95, eps=0.1), None),
        (Malladi(), ide.Adam(0.8, 0.95, eps=0.1), None),
        (Compagnoni(), ide.RMSProp(0.95, eps=0.1), None),
        (Compagnoni(), ide.Adam(0.8, 0.95, eps=0.1), None),
        (Compagnoni(), ide.AdamW(0.8, 0.95, weight_decay=0.5, eps=0.1), None),
        (Compagnoni(), ide.AdamL2(0.8, 0.95, weight_decay=0.5, eps=0.1), None),
        (Compagnoni(), ide.Adam(0.8, 0.95, eps=0.1), Cosine(40)),
    ],
)
def test_without_noise_the_paths_tend_to_the_solution_of_the_ordinary_equation(equation, optimizer, schedule):
    alpha, start, steps = 0.02, 5, 40
    run = ide.simulate(optimizer, QUADRATIC, alpha=alpha, theta0=1.0, steps=start, schedule=schedule)
    m = run.moments["m"][-1, 0] if ratio_of(optimizer).first else 0.0
    begin = [run.theta[-1, 0], m, run.moments["v"][-1, 0]]
    slope = plain_ode(equation, optimizer, alpha, schedule)
    exact = solve_ivp(slope, (start, steps), begin, "DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
    errors = []
    for substeps in (16, 32, 64):
        found = simulate_paths(
            equation, optimizer, Additive(QUADRATIC, 0.0), alpha=alpha, theta0=1.0, steps=steps, runs=2,
            seed=0, start=start, substeps=substeps, at=[steps], observe=("theta_0", "second_0"),
            schedule=schedule,
        )  # fmt: skip
        assert (found.values["theta_0"][0] == found.values["theta_0"][0, 0]).all()
        errors.append([found.values["theta_0"][0, 0] - exact[0], found.values["second_0"][0, 0] - exact[2]])
    orders = -np.diff(np.log2(np.abs(errors)), axis=0)
    assert np.abs(orders - 1.0).max() < 0.1


# Randomness.


@pytest.mark.parametrize(
    "noise", [Additive(DATA, 0.3), Batches(DATA, 5), Batches(DATA, 5, covariance="diagonal")]
)
def test_a_path_depends_on_seed_and_number_only(noise):
    arguments = {"alpha": 0.05, "theta0": 0.5, "steps": 12, "start": 3, "observe": ("theta_0",)}
    optimizer = ide.Adam(0.9, 0.99)
    whole = simulate_paths(Compagnoni(), optimizer, noise, runs=6, seed=3, **arguments)
    again = simulate_paths(Compagnoni(), optimizer, noise, runs=6, seed=3, **arguments)
    assert whole.values["theta_0"].tobytes() == again.values["theta_0"].tobytes()
    part = simulate_paths(Compagnoni(), optimizer, noise, runs=2, first_run=3, seed=3, **arguments)
    np.testing.assert_allclose(part.values["theta_0"], whole.values["theta_0"][:, 3:5], rtol=1e-13)
    other = simulate_paths(Compagnoni(), optimizer, noise, runs=6, seed=4, **arguments)
    assert not np.isclose(other.values["theta_0"][-1], whole.values["theta_0"][-1]).any()
    assert whole.report.details["full_gradients"] == 9 * 4 * 6


def test_the_first_iterations_are_those_of_the_runs():
    arguments = {"alpha": 0.05, "theta0": 0.5, "steps": 12, "runs": 5, "seed": 3, "observe": ("theta_0",)}
    runs = simulate_runs(ide.Adam(0.9, 0.99), Batches(DATA, 5), **arguments)
    paths = simulate_paths(Compagnoni(), ide.Adam(0.9, 0.99), Batches(DATA, 5), start=4, **arguments)
    assert runs.values["theta_0"][:5].tobytes() == paths.values["theta_0"][:5].tobytes()
    assert not np.isclose(runs.values["theta_0"][5], paths.values["theta_0"][5]).any()


# Weak errors of the models.


def worst(equation, optimizer, sigma, alpha, time, runs=2000):
    """Largest weak errors over the second nine tenths of a run, and of the path without noise."""
    steps = round(time / alpha)
    start = steps // 10
    cell = {
        "alpha": alpha, "theta0": 1.0, "steps": steps, "runs": runs, "seed": 5,
        "at": np.unique(np.linspace(start, steps, 9).astype(int)), "observe": ("theta_0", "norm2"),
    }  # fmt: skip
    noise = Additive(QUADRATIC, sigma)
    truth = simulate_runs(optimizer, noise, **cell)
    model = simulate_paths(equation, optimizer, noise, start=start, **cell)
    return {error.quantity: error for error in largest(weak_errors(truth, model))}


def orders(found, quantity, scales):
    errors = [f[quantity].error for f in found]
    return np.diff(np.log(errors)) / np.diff(np.log(scales))


def test_compagnonis_equations_are_of_weak_order_one_in_their_regime_and_malladis_are_not():
    """1 - beta proportional to alpha, noise of order 1."""
    alphas = np.array([0.04, 0.02, 0.01])

    def ladder(equation):
        made = [ide.Adam(1 - 4 * a, 1 - a, eps=0.1) for a in alphas]
        return [worst(equation, o, 1.0, a, 2.0) for o, a in zip(made, alphas, strict=True)]

    right, wrong = ladder(Compagnoni()), ladder(Malladi())
    assert np.abs(orders(right, "theta_0", alphas) - 1.0).max() < 0.15
    assert np.abs(orders(right, "norm2", alphas) - 1.0).max() < 0.15
    assert np.abs(orders(wrong, "theta_0", alphas)).max() < 0.15
    assert wrong[-1]["theta_0"].low > 20 * right[-1]["theta_0"].high


def test_malladis_equations_are_of_weak_order_one_in_their_regime():
    """The scale is alpha^2; noise and epsilon grow like 1/alpha, 1 - beta falls like alpha^2."""
    alphas = np.array([0.2, 0.1])
    found = []
    for a in alphas:
        optimizer = ide.Adam(1 - 4 * a * a, 1 - 2 * a * a, eps=0.1 / a)
        found.append(worst(Malladi(), optimizer, 1.0 / a, a, 2.0 / a, runs=4000))
    assert all(f["norm2"].detected for f in found)
    assert abs(orders(found, "norm2", alphas**2)[0] - 1.0) < 0.2


def test_with_mini_batches_the_equation_beats_the_path_on_the_full_gradient():
    optimizer, observe = ide.Adam(0.9, 0.99), ("theta_0", "loss", "second")
    cell = {"alpha": 0.02, "theta0": 0.0, "steps": 120, "runs": 400, "seed": 1, "at": [40, 80, 120]}
    noise = Batches(DATA, 4)
    truth = simulate_runs(optimizer, noise, observe=observe, **cell)
    model = simulate_paths(Compagnoni(), optimizer, noise, start=20, substeps=1, observe=observe, **cell)
    path = ide.solve(ide.models.HalfStep(), optimizer, DATA, alpha=0.02, theta0=0.0, steps=120)
    smooth = along(path, DATA, observe, truth.k)
    errors = {e.quantity: e for e in largest(weak_errors(truth, model))}
    without = {e.quantity: e for e in largest(weak_errors(truth, smooth))}
    for name in observe:
        assert without[name].detected
        assert errors[name].high < 0.5 * without[name].low


# Confidence.


def test_intervals_cover_the_truth_as_often_as_they_say():
    """Ensembles of one optimizer from different seeds: the true error is 0."""
    covered = []
    for seed in range(150):
        a, b = (
            simulate_runs(
                ide.RMSProp(0.9), Additive(QUADRATIC, 1.0), alpha=0.05, theta0=1.0, steps=10, runs=100,
                seed=s, at=[10], observe=("theta_0", "norm2"),
            )
            for s in (seed, 1000 + seed)
        )  # fmt: skip
        covered += [e.low <= 0.0 <= e.high for e in weak_errors(a, replace(b, runs=range(100, 200)))[:1]]
    low, high = stats.binom.interval(0.999, len(covered), 0.95)
    assert low <= sum(covered) <= high


def test_intervals_of_few_runs_cover_the_truth_as_often_as_they_say():
    """Five runs: with a normal's quantile in the place of Student's, 88 % instead of 95 %."""
    random, k = np.random.default_rng(3), np.arange(1)
    covered = 0
    for _ in range(1000):
        values = random.normal(size=(1, 5))
        a = Ensemble(k, k * 0.1, {"theta_0": np.zeros((1, 5))}, range(5), Report("completed", ""))
        (error,) = weak_errors(a, replace(a, values={"theta_0": values}))
        covered += error.low <= 0.0 <= error.high
    low, high = stats.binom.interval(0.999, 1000, 0.95)
    assert low <= covered <= high


def test_the_band_over_all_iterations_detects_nothing_where_models_coincide():
    cell = {"alpha": 0.05, "theta0": 1.0, "steps": 40, "runs": 300}
    noise, optimizer = Additive(QUADRATIC, 1.0), ide.Adam(0.9, 0.99)
    a, b = (simulate_runs(optimizer, noise, seed=s, **cell) for s in (1, 2))
    found = largest(weak_errors(a, b))
    assert not any(error.detected for error in found)
    assert all(error.error <= error.high for error in found)
    assert {error.quantity for error in found} == {"loss", "norm2"}
    same = weak_errors(a, a)
    assert all(error.error == 0.0 and error.low < 0.0 < error.high for error in same if error.truth)


@dataclass(frozen=True)
class Louder:
    """Compagnoni's equation with noise that is too large by a factor."""

    factor: float
    name: str = "louder"

    def check(self, optimizer):
        Compagnoni().check(optimizer)

    def slopes(self, optimizer, at):
        slopes = Compagnoni().slopes(optimizer, at)
        return slopes._replace(
            theta_noise=self.factor * slopes.theta_noise, first_noise=self.factor * slopes.first_noise
        )


def test_a_wrong_model_is_told_from_the_runs_and_common_random_numbers_tell_it_better():
    optimizer = ide.RMSProp(0.99, eps=0.1)
    cell = {
        "alpha": 0.01, "theta0": 1.0, "steps": 200, "runs": 1500, "at": [100, 150, 200], "observe": ("norm2",)
    }  # fmt: skip
    noise = Additive(QUADRATIC, 1.0)
    truth = simulate_runs(optimizer, noise, seed=5, **cell)
    right, wrong = (
        simulate_paths(e, optimizer, noise, seed=5, start=20, **cell) for e in (Compagnoni(), Louder(1.2))
    )
    good, bad = (largest(weak_errors(truth, model))[0] for model in (right, wrong))
    assert bad.detected
    assert bad.low > 2 * good.high
    apart = simulate_paths(Louder(1.2), optimizer, noise, seed=6, start=20, **cell)
    independent = weak_errors(truth, replace(apart, runs=range(1500, 3000)))
    coupled = weak_errors(truth, wrong)
    for a, b in zip(independent, coupled, strict=True):
        assert b.standard_error < 0.5 * a.standard_error


def test_a_paired_difference_has_the_standard_error_of_its_differences():
    cell = {
        "alpha": 0.05,
        "theta0": 1.0,
        "steps": 5,
        "runs": 50,
        "seed": 1,
        "at": [5],
        "observe": ("theta_0",),
    }
    a = simulate_runs(ide.RMSProp(0.9), Additive(QUADRATIC, 1.0), **cell)
    b = simulate_runs(ide.RMSProp(0.99), Additive(QUADRATIC, 1.0), **cell)
    (error,) = weak_errors(a, b, confidence=0.9)
    differences = b.values["theta_0"][0] - a.values["theta_0"][0]
    wanted = stats.ttest_rel(b.values["theta_0"][0], a.values["theta_0"][0])
    assert abs(error.error - differences.mean()) < 1e-15
    assert abs(error.error / error.standard_error - wanted.statistic) < 1e-9
    interval = wanted.confidence_interval(0.9)
    np.testing.assert_allclose([error.low, error.high], interval, rtol=1e-9)
    (welch,) = weak_errors(a, replace(b, runs=range(50, 100)), confidence=0.9)
    wanted = stats.ttest_ind(b.values["theta_0"][0], a.values["theta_0"][0], equal_var=False)
    assert abs(welch.error / welch.standard_error - wanted.statistic) < 1e-9
    np.testing.assert_allclose([welch.low, welch.high], wanted.confidence_interval(0.9), rtol=1e-9)
    table = columns([error, welch])
    assert table["k"].tolist() == [5, 5]
    assert table["error"].tolist() == [error.error, welch.error]


def test_a_start_without_randomness_is_no_detection():
    path = ide.solve(ide.models.HalfStep(), ide.Adam(0.9, 0.99), DATA, alpha=0.02, theta0=0.3, steps=4)
    truth = simulate_runs(
        ide.Adam(0.9, 0.99), Batches(DATA, 4), alpha=0.02, theta0=0.3, steps=4, runs=33, seed=1, at=[0]
    )
    assert not any(e.detected for e in largest(weak_errors(truth, along(path, DATA, ("loss", "norm2"), [0]))))


# Refusals.


@pytest.mark.parametrize(
    ("equation", "optimizer", "message"),
    [
        (
            Malladi(),
            ide.AdaGrad(),
            "malladi: AdaGrad is not allowed: its accumulator is a sum, not an average",
        ),
        (
            Compagnoni(),
            ide.AdaGrad(),
            "compagnoni: AdaGrad is not allowed: its accumulator is a sum, not an average",
        ),
        (Malladi(), ide.AdamW(0.9, 0.99, 0.1), "malladi: AdamW is not allowed: it has weight decay"),
        (Malladi(), ide.AdamL2(0.9, 0.99, 0.1), "malladi: AdamL2 is not allowed: it has weight decay"),
        (
            Compagnoni(),
            ide.Adam(0.9, 0.99, accumulator="norm"),
            "compagnoni: accumulator = 'norm' is not allowed: must be 'coordinate'",
        ),
    ],
)
def test_what_an_equation_does_not_cover_is_refused(equation, optimizer, message):
    with pytest.raises(ValueError, match="not allowed") as error:
        simulate_paths(
            equation, optimizer, Additive(QUADRATIC, 1.0), alpha=0.1, theta0=1.0, steps=5, runs=1, seed=0
        )
    assert str(error.value) == message


def test_a_start_beyond_the_horizon_and_ensembles_that_do_not_fit_are_refused():
    cell = {"alpha": 0.1, "theta0": 1.0, "steps": 5, "runs": 2, "seed": 0}
    noise, optimizer = Additive(QUADRATIC, 1.0), ide.RMSProp(0.9)
    for start in (0, 5):
        with pytest.raises(ValueError, match=r"start: . is not allowed: must be an integer in \[1, 5\)"):
            simulate_paths(Malladi(), optimizer, noise, start=start, **cell)
    a = simulate_runs(optimizer, noise, **cell)
    with pytest.raises(ValueError, match="its iterations are not those of the runs"):
        weak_errors(a, simulate_runs(optimizer, noise, at=[5], **cell))
    with pytest.raises(ValueError, match="none of its quantities"):
        weak_errors(a, simulate_runs(optimizer, noise, observe=("second",), **cell))
    with pytest.raises(ValueError, match=r"confidence: 1\.0 is not allowed"):
        weak_errors(a, a, confidence=1.0)


def test_the_two_equations_agree_where_the_gradient_vanishes():
    """At a minimum, with Adam's first moment at rest, only noise is left, and both take it alike."""
    zero, one = np.zeros((1, 2)), np.ones((1, 2))
    for optimizer in (ide.RMSProp(0.9), ide.Adam(0.9, 0.99)):
        first = zero if ratio_of(optimizer).first else None
        at = Point(7.0, 0.1, zero, first, 4.0 * one, zero, one)
        for a, b in zip(Malladi().slopes(optimizer, at), Compagnoni().slopes(optimizer, at), strict=True):
            np.testing.assert_array_equal(a, b)
