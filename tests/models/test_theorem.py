"""The leading term of the half-step model's error, computed from ``docs/memories.md``, is the measured one.

The prediction calls no code of the package: the formulas of sections 7 and 8 of the page, in one dimension.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import comb, factorial

import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss
from scipy.integrate import solve_ivp

import idescent as ide
from idescent.models import HalfStep
from idescent.objectives.double_well import DoubleWell
from idescent.optimizers import Optimizer, average, total

# D and its central differences of order 2, 4, 6 and 8 as weights of D at nine places.
SERIES = (Fraction(1), Fraction(-1, 24), Fraction(3, 640), Fraction(-5, 7168), Fraction(35, 294912))
SHIFTS = range(-4, 5)
BRACKET = [
    sum((-1) ** (n + j) * comb(2 * n, n + j) * c for n, c in enumerate(SERIES) if n >= abs(j)) for j in SHIFTS
]
AT, WEIGHTS = np.array(SHIFTS, dtype=float), np.array(BRACKET, dtype=float)
# A number of iterations so large that beta^k is 0 beside 1.
LATE = 1e9
# Times of comparison, as parts of the horizon.
TIMES = np.array([0.25, 0.5, 0.75, 1.0])


@dataclass(frozen=True)
class Average:
    """An average with source g or g^2, started from 0; decay 0 is the gradient itself, decay 1 a mean."""

    beta: float
    square: bool = False

    def weights(self, k):
        """Weights of the sources of lag 1/2, 3/2, ... in the normalised memory."""
        weights = self.beta ** np.arange(k)
        return weights / weights.sum()

    def rate(self, kappa):
        """(1 - L')/L with the mean lag L of the discrete memory."""
        if self.beta in (0.0, 1.0):
            return 1.0 / kappa if self.beta else 2.0
        y = -np.log(self.beta)
        power = np.exp(y * kappa)
        lag = 0.5 + self.beta / (1 - self.beta) - kappa / (power - 1)
        return (1 + (power - 1 - kappa * y * power) / (power - 1) ** 2) / lag

    def source(self, objective):
        return lambda theta: objective.g(theta) ** (2 if self.square else 1)


@dataclass(frozen=True)
class Problem:
    """The gradient g of an objective in one dimension, a start, and a horizon t before a zero of g."""

    objective: object
    theta0: float
    time: float

    def g(self, theta):
        return self.objective.gradient(np.atleast_1d(theta))[..., 0]


BOWL = Problem(ide.Quadratic(4.0), 1.0, 1.0)
WELLS = Problem(DoubleWell(), 0.3, 0.375)


@dataclass(frozen=True)
class UncorrectedAdam(ide.Adam):
    def step(self, m, v):
        return m / (np.sqrt(v) + self.eps)


@dataclass(frozen=True)
class MeanSquare(Optimizer):
    """An average without bias correction over the root of a mean: the case with a logarithm."""

    beta: float = 0.9

    def memories(self):
        return {"m": average(self.beta), "G": total(of="square")}

    def step(self, m, G, k):  # noqa: N803
        return m / np.sqrt(G / k)


@dataclass(frozen=True)
class OldSum(Optimizer):
    """A step that reads a sum one iteration late, declared directly or as the new sum without its source."""

    direct: bool

    def memories(self):
        return {"G": total(of="square", read="old" if self.direct else "new")}

    def step(self, gradient, G, k):  # noqa: N803
        return gradient / np.sqrt(1.0 + (G if self.direct else G - gradient * gradient) / k)


# Optimizer, its step as a function of kappa and of the normalised memories, the memories, weight decay.
G, M, V = Average(0.0), Average(0.9), Average(0.9, square=True)
CASES = {
    "gradient descent": (ide.GradientDescent(), lambda k, g: g, (G,), 0.0),
    "EMA momentum": (ide.QHM(0.9, 1.0), lambda k, m: (1 - 0.9**k) * m, (M,), 0.0),
    "RMSProp": (ide.RMSProp(0.9), lambda k, g, v: g / np.sqrt((1 - 0.9**k) * v), (G, V), 0.0),
    "Adam": (ide.Adam(0.8, 0.9), lambda k, m, v: m / np.sqrt(v), (Average(0.8), V), 0.0),
    "uncorrected Adam": (
        UncorrectedAdam(0.8, 0.9),
        lambda k, m, v: (1 - 0.8**k) * m / np.sqrt((1 - 0.9**k) * v),
        (Average(0.8), V),
        0.0,
    ),
    "AdamW": (ide.AdamW(0.8, 0.9, 0.5), lambda k, m, v: m / np.sqrt(v), (Average(0.8), V), 0.5),
    "AdaGrad": (ide.AdaGrad(), lambda k, g, v: g / np.sqrt(k * v), (G, Average(1.0, square=True)), 0.0),
    "mean square": (
        MeanSquare(),
        lambda k, m, v: (1 - 0.9**k) * m / np.sqrt(v),
        (M, Average(1.0, square=True)),
        0.0,
    ),
}


def slope(function, step=1e-3):
    """Derivative by differences of fourth order."""
    return lambda x: (
        (8 * (function(x + step) - function(x - step)) - function(x + 2 * step) + function(x - 2 * step))
        / (12 * step)
    )


def partial(step, kappa, means):
    """Derivatives of D by the normalised memories (complex step)."""
    derivatives = []
    for a in range(len(means)):
        shifted = [complex(value) for value in means]
        shifted[a] += 1e-30j
        derivatives.append(step(kappa, *shifted).imag / 1e-30)
    return derivatives


def remainders(step, k):
    """Return Delta_k, sums of averages of the bracket less the step, by quadrature: they are tiny."""
    nodes, weights = leggauss(12)
    inside = k[:, None] + 0.5 * nodes
    brackets = sum(w * step(inside + at) for w, at in zip(WEIGHTS, AT, strict=True))
    return np.cumsum(np.broadcast_to(brackets, inside.shape) @ (0.5 * weights) - step(k.astype(float)))


def layer(step, memories, problem, decay, start, last):
    """Return k, the sums E_k of the first defects, and Delta_k, the remainders of the bracket."""
    sources = [memory.source(problem) for memory in memories]
    h = [source(problem.theta0) for source in sources]
    slopes = np.array([slope(source)(problem.theta0) for source in sources])
    shift = decay * problem.theta0
    path = np.concatenate(([0.0], np.cumsum([step(float(k), *h) + shift for k in range(1, last + 1)])))

    def bracket(s):
        return (WEIGHTS * step(s + 0.5 + AT, *h)).sum() + shift

    def partials(s):
        return np.array([(WEIGHTS * part).sum() for part in partial(step, s + 0.5 + AT, h)])

    def right(s, y):
        x, means = y[0], y[1 : 1 + len(memories)]
        rates = np.array([memory.rate(s + 0.5) for memory in memories])
        return np.concatenate(([bracket(s)], rates * (x - means), partials(s) * means))

    nodes, weights = leggauss(12)
    held, half = start + 0.25 + 0.25 * nodes, 0.25 * weights  # the first half of step start + 1
    y = np.array([memory.weights(start + 1) @ path[start::-1] for memory in memories])
    begin = np.concatenate(
        (
            [path[start] + half @ [bracket(s) for s in held]],
            y,
            y * (half @ np.array([partials(s) for s in held])),
        )
    )
    k = np.arange(start + 1, last + 1)
    solution = solve_ivp(
        right, (start + 0.5, last), begin, method="DOP853", t_eval=k, max_step=1.0, rtol=1e-11, atol=1e-13
    ).y
    integrals = np.diff(solution[1 + len(memories) :].T, axis=0, prepend=0.0)
    discrete = np.array([[m.weights(n) @ path[n - 1 :: -1] for m in memories] for n in k])
    late = np.array([partial(step, float(n), h) for n in k])
    return k, np.cumsum((integrals - late * discrete) @ slopes), remainders(lambda kappa: step(kappa, *h), k)


def leading(step, memories, problem, decay, first):
    """Return e(t), solution of the variational equation with e(0) = ``first``, and its propagator."""
    sources = [memory.source(problem) for memory in memories]

    def direction(theta):
        return step(LATE, *(source(theta) for source in sources))

    def velocity(theta):
        return -direction(theta) - decay * theta

    def rate_of(function):
        return lambda theta: slope(function)(theta) * velocity(theta)

    bends = [rate_of(rate_of(source)) for source in sources]
    bend, change, jacobian = rate_of(rate_of(direction)), rate_of(direction), slope(velocity)

    def right(t, y):
        theta, error, propagator = y
        partials = partial(step, LATE, [float(source(theta)) for source in sources])
        defect = -sum(p * b(theta) for p, b in zip(partials, bends, strict=True)) / 8 - bend(theta) / 24
        defect -= decay * change(theta) / 12
        j = jacobian(theta)
        return [velocity(theta), j * error + defect, j * propagator]

    begin = [problem.theta0, first, 1.0]
    solution = solve_ivp(right, (0.0, problem.time), begin, rtol=1e-9, atol=1e-11, dense_output=True)
    return lambda t: solution.sol(t)[1:]


def measured(optimizer, problem, power, steps=None, start=8):
    """Return (theta(k) - theta_k)/alpha^2 at every iteration, with alpha = 2^-power."""
    alpha = 2.0**-power
    cell = {"alpha": alpha, "theta0": problem.theta0, "steps": steps or round(problem.time / alpha)}
    run = ide.simulate(optimizer, problem.objective, **cell)
    path = ide.solve(HalfStep(start=start), optimizer, problem.objective, **cell, rtol=1e-12)
    assert path.report.status == "converged"
    return (path.theta - run.theta)[:, 0] / alpha**2


def compare(name, problem, powers, start=8):
    """Return measured and predicted errors over alpha^2 at four times, one row for each learning rate."""
    optimizer, step, memories, decay = CASES[name]
    _, sums, totals = layer(step, memories, problem, decay, start, start + 200)
    e, propagator = leading(step, memories, problem, decay, sums[-1])(problem.time * TIMES)
    found = [
        measured(optimizer, problem, p, start=start)[np.rint(problem.time * TIMES * 2**p).astype(int)]
        for p in powers
    ]
    return np.array(found), np.array([e - totals[-1] * 2**p * propagator for p in powers])


# The largest difference allowed at the smaller learning rate, relative to the largest error.
WINDOWS = [
    ("gradient descent", BOWL, 10, 0.04),
    ("gradient descent", WELLS, 10, 0.01),
    ("EMA momentum", BOWL, 11, 0.06),
    ("EMA momentum", WELLS, 11, 0.01),
    ("RMSProp", BOWL, 10, 0.01),
    ("RMSProp", WELLS, 13, 0.06),
    ("Adam", BOWL, 10, 0.02),
    ("uncorrected Adam", WELLS, 12, 0.04),
    ("AdamW", BOWL, 10, 0.03),
]


@pytest.mark.parametrize(("name", "problem", "power", "allowed"), WINDOWS)
def test_the_error_over_alpha_squared_tends_to_the_leading_term(name, problem, power, allowed):
    errors, predicted = compare(name, problem, (power, power + 1))
    size = np.abs(predicted).max()
    first, second = (np.abs(errors - predicted) / size).max(axis=1)
    assert second < allowed
    assert abs(first / second - 2.0) < 0.2
    # Without the term proportional to alpha, the agreement is ten times better.
    difference = errors - predicted
    assert np.abs(2.0 * difference[1] - difference[0]).max() < 0.1 * allowed * size


@pytest.mark.parametrize("name", ["EMA momentum", "uncorrected Adam", "AdaGrad"])
def test_the_errors_of_the_first_iterations_are_the_sums_of_their_defects(name):
    optimizer, step, memories, decay = CASES[name]
    k, sums, totals = layer(step, memories, BOWL, decay, 8, 60)
    errors = measured(optimizer, BOWL, 14, steps=60)[k]
    predicted = sums - totals * 2**14
    assert np.abs(errors - predicted).max() < 0.02 * np.abs(predicted).max()


def test_a_sum_beside_a_first_moment_without_bias_correction_has_a_logarithm():
    optimizer, step, memories, decay = CASES["mean square"]
    k, sums, _ = layer(step, memories, BOWL, decay, 8, 400)
    # D_v H_v (D(infinity) - D(K0 + 1)) / 24, with D_v H_v = -D g'/g.
    constant = (1.0 / 3.0) * 0.9**9 / 24.0
    assert abs((sums[k == 400] - sums[k == 200])[0] / (constant * np.log(2.0)) - 1.0) < 0.02
    ends = [measured(optimizer, BOWL, power)[-1] for power in (8, 10, 12)]
    growth = np.diff(ends) / (constant * np.log(4.0))
    assert 0.8 < growth[0] < growth[1] < 1.0


def test_the_average_of_the_bracket_differs_by_a_tenth_derivative():
    def average_of_power(n):
        edges = ((Fraction(2 * j + 1, 2) ** (n + 1) - Fraction(2 * j - 1, 2) ** (n + 1)) for j in SHIFTS)
        return sum(w * edge for w, edge in zip(BRACKET, edges, strict=True)) / (n + 1)

    assert [average_of_power(n) for n in range(10)] == [1, *[0] * 9]
    assert average_of_power(10) / factorial(10) == Fraction(63, 2883584)
    at = np.linspace(-4.5, 4.5, 901)
    ramp = [[max(j + end - t, 0.0) ** 10 for end in (0.5, -0.5) for j in SHIFTS] for t in at]
    kernel = np.array(ramp) @ np.concatenate((WEIGHTS, -WEIGHTS)) / factorial(10)
    kernel -= np.maximum(-at, 0.0) ** 9 / factorial(9)
    # The remainder is therefore 63/2883584 of the derivative at an intermediate point.
    assert (kernel >= -1e-14).all()
    assert kernel.max() > 1e-5


# RMSProp with the decay rate beta, and AdaGrad as beta = 1: remainders over alpha for starts of 5, 8 and 12.
REMAINDERS = {
    0.9: (1.0e-6, 9.2e-9, 2.0e-10),
    0.999: (1.1e-5, 9.6e-8, 2.0e-9),
    1.0: (3.4e-7, 3.0e-9, 6.5e-11),
}


@pytest.mark.parametrize("beta", REMAINDERS)
def test_the_remainders_of_the_bracket_are_those_of_the_table(beta):
    def step(k):
        return (k if beta == 1.0 else -np.expm1(k * np.log(beta))) ** -0.5

    totals = [remainders(step, np.arange(start + 1, start + 201))[-1] for start in (5, 8, 12)]
    np.testing.assert_allclose(totals, REMAINDERS[beta], rtol=0.05)


def test_the_remainder_of_the_bracket_is_of_first_order():
    # After few first iterations and at a small learning rate, the error is the remainder times alpha.
    optimizer, step, memories, decay = CASES["RMSProp"]
    k, sums, first = layer(step, memories, BOWL, decay, 5, 60)
    errors = measured(optimizer, BOWL, 18, steps=60, start=5)[k]
    predicted = sums - first * 2**18
    assert np.abs(errors - predicted).max() < 0.02 * np.abs(predicted).max()
    assert np.abs(errors - sums).max() > 4.0 * np.abs(sums).max()
    # The learning rate at which both terms of the error have the same size at t = 1.
    _, sums, first = layer(step, memories, BOWL, decay, 8, 208)
    equal = abs(first[-1] / leading(step, memories, BOWL, decay, sums[-1])(1.0)[0])
    assert abs(equal / 2.85e-7 - 1.0) < 0.02


def test_the_variances_of_the_two_kernels_differ_as_documented():
    weights, lags = 0.1 * 0.9 ** np.arange(1000.0), np.arange(1000.0)
    for age in (0.0, 0.5, 1.0, 1.5):
        mean = weights @ (lags + age)
        variance = weights @ (lags + age - mean) ** 2
        assert abs(mean**2 - variance - (age**2 + (2 * age - 1) * 9.0)) < 1e-9
    # The kernel of age 1/2, read a time later or earlier: mean lag and variance.
    length = 0.5 + 9.0
    for later, age in ((0.5, 0.0), (0.0, 0.5), (-0.5, 1.0), (-1.0, 1.5)):
        share = later / length
        mean, second = (1.0 - share) * length, (1.0 - share) * 2.0 * length**2
        assert abs(mean - weights @ (lags + age)) < 1e-9
        variance = weights @ (lags + age - mean) ** 2
        assert abs(second - mean**2 - variance - (0.25 - later**2)) < 1e-9


def test_a_sum_that_is_read_old_is_of_second_order_like_the_new_sum_without_its_source():
    errors = np.array(
        [[np.abs(measured(OldSum(direct), BOWL, p)).max() for p in (9, 10, 11)] for direct in (True, False)]
    )
    assert (np.abs(np.log2(4.0 * errors[:, :-1] / errors[:, 1:]) - 2.0) < 0.05).all()
    assert (errors[0] < 1.3 * errors[1]).all()


def test_a_kernel_of_age_three_halves_for_a_sum_has_a_variance_that_grows():
    start, k = 8, 4000
    late, nodes = np.arange(k - 1) + 1.5, np.arange(start) + 0.5
    atoms = (k - start) + nodes  # lags of the sources that the discrete start contains
    moments = [
        ((k - 1 - start) ** p / p + (start + 2) * (atoms ** (p - 1)).mean()) / (k + 1) for p in (1, 2, 3)
    ]
    np.testing.assert_allclose(moments[:2], [1.0, late.mean()], rtol=1e-12)
    assert abs((moments[2] - moments[1] ** 2 - late.var()) / k - 1.0 / 3.0) < 1e-2


def test_the_recursion_of_the_mean_lag_agrees_with_the_weights():
    decays = [0.9 * k / (k + 1.0) for k in range(1, 30)]
    weights, lag, age = np.zeros(0), 0.0, 0.5
    for k, decay in enumerate(decays):
        old = weights.sum()
        weights = np.append(decay * weights, 1.0 - decay)
        share = (1.0 - decay) / weights.sum()
        assert abs(share - (1.0 - decay * old / weights.sum())) < 1e-12
        lag = share * age + (1.0 - share) * (lag + 1.0)
        assert abs(lag - weights @ (k - np.arange(k + 1) + age) / weights.sum()) < 1e-12
