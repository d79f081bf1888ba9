"""Optimizers as data: what is allowed, and how they reduce to each other."""

import math
from dataclasses import FrozenInstanceError, dataclass

import numpy as np
import pytest

import idescent as ide
from idescent.optimizers import average
from idescent.optimizers.ratio import ratio_of

FAMILY = [
    ide.AdaGrad(),
    ide.RMSProp(beta=0.9),
    ide.Adam(beta1=0.9, beta2=0.99),
    ide.AdamW(beta1=0.9, beta2=0.99, weight_decay=0.1),
    ide.AdamL2(beta1=0.9, beta2=0.99, weight_decay=0.1),
]
START = {1: 1.03, 3: [1.03, 0.52, 2.77]}
CENTER = {1: 4.0, 3: [4.0, -1.5, 0.3]}


class Scaled:
    """``c f`` for a separable quadratic ``f``."""

    def __init__(self, factor, objective):
        self.factor, self.objective = factor, objective

    def value(self, theta):
        return self.factor * self.objective.value(theta)

    def gradient(self, theta):
        return self.factor * self.objective.gradient(theta)

    def separable_quadratic(self, n):
        curvature, center = self.objective.separable_quadratic(n)
        return self.factor * curvature, center


@dataclass(frozen=True)
class UncorrectedAdam(ide.Optimizer):
    """Adam without bias correction: a new optimizer is one class that declares its memories and its step."""

    beta1: float
    beta2: float
    eps: float = 1e-8
    accumulator: str = "coordinate"

    def memories(self):
        return {"m": average(self.beta1), "v": average(self.beta2, of="square")}

    def step(self, m, v):
        return m / (np.sqrt(v) + self.eps)


def run(optimizer, *, n=1, alpha=0.1, steps=300, objective=None):
    objective = objective or ide.Quadratic(CENTER[n])
    return ide.simulate(optimizer, objective, alpha=alpha, theta0=START[n], steps=steps)


def assert_same_bits(one, other, quantities):
    for name in quantities:
        assert one.quantity(name).tobytes() == other.quantity(name).tobytes(), name


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: ide.RMSProp(beta=1.0), "RMSProp.beta"),
        (lambda: ide.RMSProp(beta=-0.1), "RMSProp.beta"),
        (lambda: ide.RMSProp(beta=math.nan), "RMSProp.beta"),
        (lambda: ide.RMSProp(beta="0.9"), "RMSProp.beta"),
        (lambda: ide.RMSProp(beta=False), "RMSProp.beta"),
        (lambda: ide.RMSProp(beta=None), "RMSProp.beta"),
        (lambda: ide.Adam(beta1=1.5, beta2=0.99), "Adam.beta1"),
        (lambda: ide.Adam(beta1=0.9, beta2=1), "Adam.beta2"),
        (lambda: ide.AdamW(beta1=0.9, beta2=-1e-300, weight_decay=0.1), "AdamW.beta2"),
        (lambda: ide.AdamW(beta1=0.9, beta2=0.99, weight_decay=-0.1), "AdamW.weight_decay"),
        (lambda: ide.AdamW(beta1=0.9, beta2=0.99, weight_decay=math.inf), "AdamW.weight_decay"),
        (lambda: ide.AdamL2(beta1=0.9, beta2=0.99, weight_decay=math.nan), "AdamL2.weight_decay"),
        (lambda: ide.AdamL2(beta1=0.9, beta2=0.99, weight_decay=True), "AdamL2.weight_decay"),
        (lambda: ide.AdaGrad(eps=-1e-8), "AdaGrad.eps"),
        (lambda: ide.AdaGrad(eps=[1e-8]), "AdaGrad.eps"),
        (lambda: ide.AdaGrad(accumulator="Norm"), "AdaGrad.accumulator"),
        (lambda: UncorrectedAdam(beta1=2.0, beta2=0.99), "UncorrectedAdam.beta1"),
    ],
)
def test_a_hyperparameter_out_of_range_is_refused_in_one_line_that_names_it(make, field):
    with pytest.raises(ValueError, match=rf"^{field}: .* is not allowed: must be ") as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("beta", [0, 0.0, np.float64(0.5), math.nextafter(1.0, 0.0)])
def test_every_number_from_zero_up_to_one_is_a_decay_rate(beta):
    assert ratio_of(ide.RMSProp(beta=beta)).beta2 == beta


@pytest.mark.parametrize("optimizer", FAMILY, ids=repr)
def test_an_optimizer_cannot_be_changed_once_made(optimizer):
    with pytest.raises(FrozenInstanceError):
        optimizer.eps = 0.0


@pytest.mark.parametrize("optimizer", FAMILY, ids=repr)
def test_hyperparameters_build_the_same_optimizer_again(optimizer):
    assert type(optimizer)(**optimizer.hyperparameters) == optimizer


@pytest.mark.parametrize("optimizer", FAMILY, ids=repr)
def test_moments_are_stored_under_the_names_of_the_algorithms(optimizer):
    expected = {"AdaGrad": ["G"], "RMSProp": ["v"]}.get(type(optimizer).__name__, ["m", "v"])
    assert list(run(optimizer, n=3, steps=2).moments) == expected


def test_squares_of_the_norm_are_summed_from_first_to_last_coordinate():
    gradient = np.array([[1e8, 1.0, 1.0, 1.0], [0.5, 0.25, 0.125, 2.0]])
    left_to_right = [[((a * a + b * b) + c * c) + d * d] for a, b, c, d in gradient.tolist()]
    assert ide.AdaGrad(accumulator="norm").squares(gradient).tolist() == left_to_right
    assert ide.AdaGrad().squares(gradient).tolist() == (gradient**2).tolist()


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
@pytest.mark.parametrize("alpha", [0.1, 0.01])
@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.0, 0.999)])
def test_both_weight_decays_at_zero_are_adam_bit_for_bit(betas, alpha, accumulator, n):
    adam = run(ide.Adam(*betas, accumulator=accumulator), n=n, alpha=alpha)
    for variant in (ide.AdamW, ide.AdamL2):
        other = run(variant(*betas, weight_decay=0.0, accumulator=accumulator), n=n, alpha=alpha)
        assert_same_bits(adam, other, ("theta", "loss", "m", "v"))


@pytest.mark.parametrize("variant", [ide.AdamW, ide.AdamL2])
def test_weight_decay_that_is_not_zero_changes_the_path(variant):
    adam, other = run(ide.Adam(0.9, 0.99)), run(variant(0.9, 0.99, weight_decay=0.1))
    assert abs(adam.theta - other.theta).max() > 1e-3


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
@pytest.mark.parametrize("beta", [0.0, 0.9, 0.99])
def test_rmsprop_is_adam_without_bias_correction_and_first_decay_zero(beta, accumulator, n):
    class Declared(ide.RMSProp):
        """RMSProp in the loop of declared optimizers, whose bits it shares with Adam."""

        def step(self, gradient, v):
            return super().step(gradient, v)

    rmsprop = run(Declared(beta, accumulator=accumulator), n=n)
    adam = run(UncorrectedAdam(0.0, beta, accumulator=accumulator), n=n)
    assert_same_bits(rmsprop, adam, ("theta", "loss", "v"))
    gradients = ide.Quadratic(CENTER[n]).gradient(adam.theta[:-1])
    assert np.array_equal(adam.moments["m"][1:], gradients)


@pytest.mark.parametrize("optimizer", FAMILY, ids=repr)
def test_coordinate_and_norm_are_the_same_in_one_dimension_and_differ_in_three(optimizer):
    norm = type(optimizer)(**{**optimizer.hyperparameters, "accumulator": "norm"})
    assert_same_bits(run(optimizer), run(norm), ("theta", "loss", *optimizer.moments))
    assert abs(run(optimizer, n=3).theta - run(norm, n=3).theta).max() > 1e-3


def scaled_pair(optimizer, factor, **arguments):
    """Run on ``f``, and on ``c f`` with whatever is measured in units of the gradient scaled by ``c``."""
    parameters = {**optimizer.hyperparameters, "eps": factor * optimizer.eps}
    if isinstance(optimizer, ide.AdamL2):
        parameters["weight_decay"] = factor * optimizer.weight_decay
    n = arguments["n"]
    scaled = run(
        type(optimizer)(**parameters), objective=Scaled(factor, ide.Quadratic(CENTER[n])), **arguments
    )
    return run(optimizer, **arguments), scaled


@pytest.mark.parametrize("optimizer", FAMILY, ids=repr)
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("factor", [2.0**-7, 2.0, 1024.0])
def test_scaling_objective_and_eps_by_a_power_of_two_leaves_every_bit_of_the_path(optimizer, n, factor):
    plain, scaled = scaled_pair(optimizer, factor, n=n)
    assert_same_bits(plain, scaled, ("theta",))
    assert np.array_equal(
        plain.moments[optimizer.moments[-1]] * factor**2, scaled.moments[optimizer.moments[-1]]
    )


@pytest.mark.parametrize("optimizer", FAMILY, ids=repr)
@pytest.mark.parametrize("factor", [0.3, 7.0])
def test_scaling_objective_and_eps_by_any_factor_leaves_the_path_to_rounding(optimizer, factor):
    plain, scaled = scaled_pair(optimizer, factor, n=3, alpha=0.01)
    # RMSProp is followed while it is on its way: at the minimum it turns rounding into motion.
    rows = slice(0, 100 if isinstance(optimizer, ide.RMSProp) else None)
    np.testing.assert_allclose(scaled.theta[rows], plain.theta[rows], rtol=0.0, atol=1e-13)


def test_scaling_the_objective_alone_does_change_the_path():
    plain = run(ide.AdaGrad(eps=0.1), n=3)
    scaled = run(ide.AdaGrad(eps=0.1), n=3, objective=Scaled(0.1, ide.Quadratic(CENTER[3])))
    assert abs(plain.theta - scaled.theta).max() > 1e-3
