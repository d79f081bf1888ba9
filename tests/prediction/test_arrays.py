"""Arrays of other libraries remain in their library."""

import sys
from dataclasses import dataclass

import array_api_strict
import jax.numpy as jnp
import numpy as np
import pytest
from predictions import THETA0, Quartic

import idescent as ide
from idescent.optimizers import Optimizer, average
from idescent.prediction.arrays import Foreign, namespace

K = np.arange(0, 301, 50)


class Single(Quartic):
    """Gradients in single precision."""

    def gradient(self, theta):
        assert theta.dtype == np.float32
        return super().gradient(theta).astype(np.float32)


OPTIMIZERS = [
    (ide.Adam(0.9, 0.99), 1e-3),
    (ide.RMSProp(0.99), 1e-3),
    (ide.AdaGrad(), 1e-2),
    (ide.NAdam(), 1e-3),
    (ide.AdamW(0.9, 0.99, 0.1), 1e-3),
    (ide.Adam(0.9, 0.99, accumulator="norm"), 1e-3),
    (ide.Lion(), 1e-3),
    (ide.HeavyBall(0.9, 0.1), 1e-5),
]


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "alpha"), OPTIMIZERS, ids=lambda x: type(x).__name__)
def test_an_array_of_the_standard_gives_the_same_prediction_in_its_library(optimizer, alpha):
    """The strict library has the functions of the standard only, and mixes with no other array."""
    start = array_api_strict.asarray(THETA0)
    result = ide.predict(optimizer, Quartic(start), alpha=alpha, start=start, steps=300)
    expected = ide.predict(optimizer, Quartic(), alpha=alpha, start=THETA0, steps=300)
    theta = result(K)
    assert type(theta) is type(start)
    assert np.abs(np.asarray(theta) - expected(K)).max() <= 1e-13
    assert np.abs(result.losses - expected.losses).max() <= 1e-11
    assert result.report.gradient_evaluations == expected.report.gradient_evaluations


@pytest.mark.slow
def test_jax_arrays_remain_jax_arrays_of_their_precision():
    start = jnp.asarray(THETA0, dtype=jnp.float32)
    optimizer = ide.Adam(0.9, 0.99)
    result = ide.predict(optimizer, Quartic(start), alpha=1e-3, start=start, steps=300)
    theta = result(K)
    assert isinstance(theta, type(start))
    assert theta.dtype == jnp.float32
    expected = ide.predict(optimizer, Quartic(), alpha=1e-3, start=THETA0, steps=300)
    assert np.abs(np.asarray(theta) - expected(K)).max() <= 1e-5


def test_a_checkpoint_of_another_library_continues_the_run():
    optimizer = ide.Adam(0.9, 0.99)
    run = ide.simulate(optimizer, Quartic(), alpha=1e-3, theta0=THETA0, steps=300)
    start = array_api_strict.asarray(run.theta[100])
    moments = {name: array_api_strict.asarray(rows[100]) for name, rows in run.moments.items()}
    checkpoint = {"theta": start, "moments": moments, "k": 100}
    result = ide.predict(optimizer, Quartic(start), alpha=1e-3, start=checkpoint, steps=200)
    assert np.abs(np.asarray(result(300)) - run.theta[300]).max() <= 1e-4
    with pytest.raises(ValueError, match="moment 'm': ndarray of shape"):
        ide.predict(
            optimizer,
            Quartic(start),
            alpha=1e-3,
            start={"theta": start, "moments": {n: r[100] for n, r in run.moments.items()}, "k": 100},
            steps=200,
        )


@pytest.mark.parametrize(
    ("optimizer", "function"), [(ide.Muon(shape=(2, 2)), "norm"), (ide.Shampoo(shape=(2, 2)), "swapaxes")]
)
def test_a_declaration_with_functions_outside_the_standard_takes_arrays_of_numpy_only(optimizer, function):
    start = array_api_strict.asarray(THETA0)
    why = rf"NumPy only: numpy\.{function} is not in the array API standard"
    with pytest.raises(ValueError, match=why):
        ide.predict(optimizer, Quartic(start), alpha=1e-3, start=start, steps=10)


def test_an_objective_that_returns_another_kind_of_array_is_refused():
    class Mixed(Quartic):
        def gradient(self, theta):
            return np.asarray(THETA0)

    start = array_api_strict.asarray(THETA0)
    with pytest.raises(ValueError, match=r"objective.gradient: ndarray of shape \(4,\): must be Array"):
        ide.predict(ide.AdaGrad(), Mixed(start), alpha=1e-3, start=start, steps=10)


def test_numpy_functions_call_those_of_the_library_and_never_copy():
    array = Foreign(array_api_strict.asarray([4.0, 9.0]))
    other = np.where(np.maximum(np.sqrt(array), 2.5) > 2.0, array, 1.0)
    assert type(other.array) is type(array.array)
    assert np.asarray(other.array).tolist() == [4.0, 9.0]
    assert np.asarray((2.0 / array - array[:1]).array).tolist() == [-3.5, 2.0 / 9.0 - 4.0]
    assert np.asarray(np.cumsum(array, axis=-1).array).tolist() == [4.0, 13.0]
    assert (array.ndim, array.shape) == (1, (2,))
    with pytest.raises(TypeError, match=r"numpy\.asarray would copy"):
        np.asarray(array)
    with pytest.raises(TypeError, match=r"numpy\.add\.reduce is not in the array API standard"):
        np.add.reduce(array)
    with pytest.raises(TypeError, match=r"numpy\.cbrt is not in the array API standard"):
        np.cbrt(array)


class Tensor:
    """An array of a library that does not follow the standard."""

    shape = (2,)


def test_a_library_without_the_standard_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="must be an array of floats"):
        namespace(Tensor())
    monkeypatch.setitem(sys.modules, "array_api_compat", None)
    with pytest.raises(ValueError, match=r"predict: Tensor: pip install 'idescent\[arrays\]'"):
        namespace(Tensor())


@dataclass(frozen=True)
class Scaled(Optimizer):
    """Momentum from an initial array, divided by the root mean square of the gradient."""

    def memories(self):
        return {
            "m": average(0.9, start=np.array([1.0, 2.0, 3.0, 4.0])),
            "v": average(0.99, of=lambda gradient: (gradient * gradient).mean(axis=-1, keepdims=True)),
            "u": average(0.99, of=lambda gradient: (gradient**2).sum(axis=-1, keepdims=True)),
        }

    def step(self, m, v, u):
        return m / np.sqrt(np.maximum(v, 1e-3) + np.float64(0.1) * u)


def test_the_initial_array_of_a_declaration_is_sent_to_the_library():
    start = array_api_strict.asarray(THETA0)
    result = ide.predict(Scaled(), Quartic(start), alpha=1e-3, start=start, steps=300)
    expected = ide.predict(Scaled(), Quartic(), alpha=1e-3, start=THETA0, steps=300)
    run = ide.simulate(Scaled(), Quartic(), alpha=1e-3, theta0=THETA0, steps=300)
    assert np.abs(np.asarray(result(K)) - expected(K)).max() <= 1e-13
    assert np.abs(expected(K) - run.theta[K]).max() <= 1e-4


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (array_api_strict.asarray([1, 2, 3, 4]), "must be an array of floats"),
        (array_api_strict.asarray([1.0, float("inf"), 3.0, 4.0]), "every value must be finite"),
    ],
)
def test_an_array_that_is_no_parameter_is_refused(start, message):
    with pytest.raises(ValueError, match=message):
        ide.predict(ide.AdaGrad(), Quartic(), alpha=1e-3, start=start, steps=10)


def test_single_precision_of_numpy_remains():
    start = THETA0.astype(np.float32)
    result = ide.predict(ide.Adam(0.9, 0.99), Single(), alpha=1e-3, start=start, steps=300)
    expected = ide.predict(ide.Adam(0.9, 0.99), Quartic(), alpha=1e-3, start=THETA0, steps=300)
    assert result(K).dtype == np.float32
    assert np.abs(result(K) - expected(K)).max() <= 1e-5
