"""Mass, mean lag and rate of a linear memory: those of the discrete memory at the middle of every step."""

import numpy as np
import pytest

from idescent.models.lags import Lag, VaryingLag
from idescent.optimizers import accumulate, average, total


def discrete_lag(memory, k, late):
    """Mass of a memory, and mean age of its sources at the middle of step k, by the sum over its weights."""
    last = k - 1 if late else k
    weights = np.array([memory.decay ** (last - i) for i in range(1, last + 1)])
    ages = np.array([k - 0.5 - (i - 1) for i in range(1, last + 1)])
    return weights.sum() * memory.gain, (weights * ages).sum() / weights.sum()


@pytest.mark.parametrize("read", ["new", "old"])
@pytest.mark.parametrize("make", [lambda **m: average(0.9, **m), lambda **m: accumulate(0.5, **m), total])
def test_mass_and_mean_lag_are_the_discrete_ones_in_every_iteration(make, read):
    memory = make(read=read)
    lag, late = Lag(memory), read == "old"
    # The lag of a solution obeys l' = 1 - r l; by the midpoint rule, in steps of 1/200.
    step, age = 0.005, discrete_lag(memory, 9, late)[1]
    for i in range(round(51 / step)):
        s = 8.5 + i * step
        begin, middle = (float(lag.change(np.array(at + 0.5))) for at in (s, s + 0.5 * step))
        half = age + 0.5 * step * (1.0 - begin * age)
        age += step * (1.0 - middle * half)
        k = round(s + step + 0.5)
        if abs(s + step - (k - 0.5)) < 1e-9:
            mass, expected = discrete_lag(memory, k, late)
            assert age == pytest.approx(expected, abs=1e-5), k
            assert lag.mass(np.array(float(k))) == pytest.approx(mass, rel=1e-12)


def varying(k):
    return 1.0 - 1.0 / (k + 1.0)


@pytest.mark.parametrize("late", [0.0, 1.0])
@pytest.mark.parametrize("decays", [lambda k: 1.0 - 1.0 / k, varying, lambda k: 0.9 - 0.0 * k])
def test_mass_and_lag_of_a_decay_that_depends_on_k_follow_from_their_recursion(decays, late):
    memory = average(lambda k: float(decays(k)))
    lag = VaryingLag(memory, late, 0.5, lambda k: decays(k).tolist())
    for k in (9, 14, 60):
        last = k - int(late)
        rates = [float(decays(i)) for i in range(1, last + 1)]
        weights = [(1.0 - rates[i - 1]) * np.prod(rates[i:]) for i in range(1, last + 1)]
        ages = [k - 0.5 - (i - 1) for i in range(1, last + 1)]
        mass = np.sum(weights)
        assert lag.mass(np.array([float(k)]))[0] == pytest.approx(mass, rel=1e-12)
        assert lag.kept(np.array([float(k)]))[0] == pytest.approx(np.prod(rates), abs=1e-12)
        mean = np.dot(weights, ages) / mass
        step = 1e-3
        change = lag.change(np.array([float(k), k - step, k + step]))
        # The lag obeys L' = 1 - r L: the rate is (1 - L')/L.
        slope = 1.0 - change[0] * mean
        later = np.dot(weights, ages) / mass + slope * step
        assert change[2] * later == pytest.approx(1.0 - slope, abs=1e-4)


def test_a_decay_that_does_not_depend_on_k_has_the_lag_of_a_constant_one():
    kappa = np.array([[9.0], [10.25], [77.7]])
    constant = Lag(average(0.9), 0.0, 0.0)
    varying_lag = VaryingLag(average(lambda k: 0.9), 0.0, 0.0, lambda k: [0.9] * len(k))
    for name in ("mass", "kept", "change"):
        expected = getattr(constant, name)(kappa)
        np.testing.assert_allclose(getattr(varying_lag, name)(kappa), expected, rtol=1e-4)


def test_limits_of_the_rate():
    for beta in (0.0, 0.5, 0.9, 0.999):
        assert Lag(average(beta)).rate == pytest.approx(2 * (1 - beta) / (1 + beta))
    late = Lag(average(0.9)).change(np.array([1e5]))
    assert late[0] == pytest.approx(2 * 0.1 / 1.9, rel=1e-12)
