"""The paper's equations: closed forms, limits, invariances, order."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from problems import Linear, Rosenbrock, Rotated
from scipy.integrate import cumulative_trapezoid, quad, simpson

import idescent as ide
from idescent.models.half_step import decoupled_decay
from idescent.models.paper import mass

PAPER = ide.models.Paper()
QUADRATIC = ide.Quadratic(4.0)
OPTIMIZERS = [
    ide.AdaGrad(),
    ide.RMSProp(0.9),
    ide.Adam(0.9, 0.99),
    ide.AdamW(0.9, 0.99, 0.1),
    ide.AdamL2(0.9, 0.99, 0.1),
]


@dataclass(frozen=True)
class Local:
    """The paper's model without look-ahead and with eps = 0: the variant that has invariants."""

    initial: float = 0.0
    name: str = "local"
    order: int = 1

    def equation(self, optimizer, alpha):
        equation = PAPER.equation(replace(optimizer, eps=0.0), alpha)
        memories = tuple(replace(memory, initial=self.initial) for memory in equation.memories)
        return replace(equation, lookahead=0.0, memories=memories)


@pytest.mark.parametrize(("objective", "theta0"), [(Rosenbrock(), [-1.2, 1.0]), (Rotated(), [1.0, 1.0, 1.0])])
def test_adagrad_norm_conserves_objective_plus_root_of_accumulator(objective, theta0):
    """f + 2 alpha sqrt(G) is constant for any f and n, from the singular start G(0) = 0 on.

    There theta moves like sqrt(s), which costs digits.
    """
    alpha = 0.05
    optimizer = ide.AdaGrad(accumulator="norm")
    path = ide.solve(Local(), optimizer, objective, alpha=alpha, theta0=theta0, steps=300)
    invariant = path.loss + 2 * alpha * np.sqrt(path.moments["G"][:, 0])
    assert path.report.ok, path.report.message
    assert np.abs(invariant - path.loss[0]).max() < 1e-6 * path.loss[0]


def test_adagrad_by_coordinate_conserves_objective_plus_sum_of_roots():
    alpha = 0.05
    path = ide.solve(Local(), ide.AdaGrad(), Rosenbrock(), alpha=alpha, theta0=[-1.2, 1.0], steps=300)
    invariant = path.loss + 2 * alpha * np.sqrt(path.moments["G"]).sum(axis=1)
    assert path.report.ok, path.report.message
    assert np.abs(invariant - path.loss[0]).max() < 1e-6 * path.loss[0]


@pytest.mark.parametrize("initial", [0.0, 0.5, 2.0])
def test_adagrad_on_a_parabola_obeys_the_time_law(initial):
    """For f = u^2: s = sqrt(G0) ln(u0/u)/(2 alpha) + [u0^2 ln(u0/u) - (u0^2 - u^2)/2]/(4 alpha^2)."""
    alpha, u0 = 0.1, 3.0
    path = ide.solve(Local(initial), ide.AdaGrad(), QUADRATIC, alpha=alpha, theta0=4.0 - u0, steps=500)
    u = 4.0 - path.theta[:, 0]
    root = np.sqrt(initial * (2 * u0) ** 2)
    law = root * np.log(u0 / u) / (2 * alpha) + (u0**2 * np.log(u0 / u) - (u0**2 - u**2) / 2) / (4 * alpha**2)
    assert path.report.ok, path.report.message
    assert np.abs(law - path.k).max() < 1e-6


def test_rmsprop_obeys_its_energy_balance():
    """d/dt [f + (2/lambda) sqrt(v)] = -sqrt(v), lambda = (1 - beta)/alpha, integrated over iterations."""
    alpha, beta = 0.002, 0.99
    path = ide.solve(Local(1.0), ide.RMSProp(beta), Cosh(), alpha=alpha, theta0=[1.3], steps=800)
    root = np.sqrt(path.moments["v"][:, 0])
    energy = path.loss + 2 * alpha / (1 - beta) * root
    work = np.array([simpson(root[: k + 1], dx=alpha) for k in range(2, 801, 2)])
    assert path.report.ok, path.report.message
    assert np.abs(energy[2::2] + work - energy[0]).max() < 1e-8 * energy[0]
    # The trapezoid's coarser work must fail the same test: it can tell a wrong balance.
    coarse = cumulative_trapezoid(root, dx=alpha)
    assert np.abs(energy[1:] + 1.001 * coarse - energy[0]).max() > 1e-8 * energy[0]


class Cosh:
    """A smooth one-dimensional objective that is no parabola."""

    def value(self, theta):
        return np.cosh(theta[..., 0])

    def gradient(self, theta):
        return np.sinh(theta)


@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.0, 0.999), (0.5, 0.9)])
def test_a_constant_gradient_gives_adams_moments_in_closed_form(betas):
    slope, alpha, steps = 3.0, 0.1, 60
    optimizer = ide.Adam(*betas, eps=0.0)
    path = ide.solve(PAPER, optimizer, Linear([slope]), alpha=alpha, theta0=1.0, steps=steps)
    rate1, rate2 = 1 - betas[0], 1 - betas[1]
    assert np.allclose(path.moments["m"][:, 0], -slope * np.expm1(-rate1 * path.k), rtol=1e-9, atol=1e-12)
    assert np.allclose(
        path.moments["v"][:, 0], -(slope**2) * np.expm1(-rate2 * path.k), rtol=1e-9, atol=1e-12
    )

    def speed(s):
        first, second = -np.expm1(-rate1 * s), -np.expm1(-rate2 * s)
        s = np.array(s)
        return alpha * np.sqrt(mass(betas[1], s)) / mass(betas[0], s) * first / np.sqrt(second)

    moved = quad(speed, 0.0, steps, epsabs=1e-12, epsrel=1e-12, limit=200)[0]
    assert abs(path.theta[-1, 0] - (1.0 - moved)) < 1e-9


@pytest.mark.parametrize("beta2", [0.99, 0.999])
@pytest.mark.parametrize("beta1", [0.0, 0.5, 0.9])
def test_adams_velocity_has_the_stated_limit_at_the_start(beta1, beta2):
    alpha, g, s = 0.1, -6.0, 1e-9
    equation = PAPER.equation(ide.Adam(beta1, beta2, eps=0.0), alpha)
    at = np.array([[s]])
    moments = [
        np.array([[memory.gain * (g * g if memory.squared else g) * s]]) for memory in equation.memories
    ]
    velocity = equation.velocity(at, np.array([[1.0]]), np.array([[g]]), moments)[0, 0]
    if beta1 == 0.0:
        assert abs(velocity) < 1e-8
    else:
        limit = -alpha * np.sign(g) * (1 - beta1) / -np.log(beta1) * np.sqrt(-np.log(beta2) / (1 - beta2))
        assert abs(velocity - limit) < 1e-7 * alpha


@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.0, 0.99), (0.5, 0.6)])
def test_adams_moments_obey_the_update_bound(betas):
    """|m|/sqrt(v) <= l1/sqrt(l2(2 l1 - l2)) for l2 < 2 l1."""
    path = ide.solve(PAPER, ide.Adam(*betas), QUADRATIC, alpha=0.1, theta0=1.0, steps=50)
    l1, l2 = 1 - betas[0], 1 - betas[1]
    ratio = np.abs(path.moments["m"][1:, 0]) / np.sqrt(path.moments["v"][1:, 0])
    assert (ratio <= l1 / np.sqrt(l2 * (2 * l1 - l2)) * (1 + 1e-9)).all()


def paths(*optimizers, objective=QUADRATIC, theta0=1.0, steps=80):
    return [ide.solve(PAPER, o, objective, alpha=0.1, theta0=theta0, steps=steps) for o in optimizers]


def assert_same(first, second, tolerance=1e-9):
    for name in ("theta", *first.moments):
        scale = max(1.0, np.nanmax(np.abs(first.quantity(name))))
        assert np.abs(first.quantity(name) - second.quantity(name)).max() <= tolerance * scale, name


def test_decoupled_decay_is_that_of_whole_steps():
    """exp(-rate) is 1 - alpha w, and rate over alpha w multiplies the step; both have their limits at 0."""
    rate, push = decoupled_decay(0.1, 0.5)
    assert np.exp(-rate) == pytest.approx(0.95, rel=1e-15)
    assert push == pytest.approx(-np.log(0.95) / 0.05, rel=1e-15)
    rates, pushes = decoupled_decay(np.array([0.1, 0.0, 0.2]), 0.5)
    assert rates == pytest.approx([rate, 0.0, -np.log(0.9)], rel=1e-15)
    assert pushes == pytest.approx([push, 1.0, -np.log(0.9) / 0.1], rel=1e-15)
    assert decoupled_decay(0.1, 0.0) == (0.0, 1.0)


@pytest.mark.parametrize("alpha", [0.5, 0.75, np.array([0.1, 0.5])], ids=["equal", "above", "one"])
def test_decay_that_takes_all_in_a_step_is_refused(alpha):
    with pytest.raises(ValueError, match=r"^weight_decay: ") as caught:
        decoupled_decay(alpha, 2.0)
    assert str(caught.value) == (
        f"weight_decay: 2.0 is not allowed with alpha = {np.max(alpha):g}: alpha*weight_decay must be < 1"
    )


def test_without_decay_adamw_and_adaml2_are_adam():
    adam, w, l2 = paths(ide.Adam(0.9, 0.99), ide.AdamW(0.9, 0.99, 0.0), ide.AdamL2(0.9, 0.99, 0.0))
    assert_same(adam, w)
    assert_same(adam, l2)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_in_one_dimension_norm_and_coordinate_agree(optimizer):
    assert_same(*paths(optimizer, replace(optimizer, accumulator="norm")))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_coordinates_of_a_separable_objective_do_not_feel_each_other(optimizer):
    together = paths(optimizer, objective=ide.Quadratic([4.0, -2.0]), theta0=[1.0, 3.0])[0]
    for i, (center, theta0) in enumerate(((4.0, 1.0), (-2.0, 3.0))):
        alone = paths(optimizer, objective=ide.Quadratic(center), theta0=theta0)[0]
        assert np.abs(together.theta[:, i] - alone.theta[:, 0]).max() < 2e-9


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_rotation_commutes_with_the_norm_variant(optimizer):
    """One accumulator for all coordinates knows no directions."""
    optimizer = replace(optimizer, accumulator="norm")
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    center, theta0 = np.array([4.0, 1.0]), np.array([1.0, 2.0])
    plain = paths(optimizer, objective=ide.Quadratic(center), theta0=theta0)[0]
    turned = paths(optimizer, objective=ide.Quadratic(turn @ center), theta0=turn @ theta0)[0]
    assert np.abs(plain.theta @ turn.T - turned.theta).max() < 1e-8


class Scaled:
    def __init__(self, objective, factor):
        self.objective, self.factor = objective, factor

    def value(self, theta):
        return self.factor * self.objective.value(theta)

    def gradient(self, theta):
        return self.factor * self.objective.gradient(theta)


@pytest.mark.parametrize(
    "optimizer", [ide.AdaGrad(eps=1e-3), ide.RMSProp(0.9, eps=1e-3), ide.Adam(0.9, 0.99, eps=1e-3)]
)
def test_scaling_the_objective_and_eps_together_leaves_the_path_unchanged(optimizer):
    plain = paths(optimizer)[0]
    scaled = paths(replace(optimizer, eps=7.0 * optimizer.eps), objective=Scaled(QUADRATIC, 7.0))[0]
    assert np.abs(plain.theta - scaled.theta).max() < 1e-8


@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
@pytest.mark.parametrize(("objective", "theta0"), [(Rosenbrock(), [-1.2, 1.0]), (Rotated(), [1.0, 1.0, 1.0])])
def test_every_optimizer_is_solved_in_several_dimensions(objective, theta0, optimizer, accumulator):
    optimizer = replace(optimizer, accumulator=accumulator)
    path = ide.solve(PAPER, optimizer, objective, alpha=0.001, theta0=theta0, steps=300)
    run = ide.simulate(optimizer, objective, alpha=0.001, theta0=theta0, steps=300)
    assert path.report.ok, path.report.message
    assert path.moments[optimizer.moments[-1]].shape == (301, 1 if accumulator == "norm" else len(theta0))
    moved = np.abs(run.theta - run.theta[0]).max()
    assert np.abs(path.theta - run.theta).max() < 0.1 * moved


WINDOW = (2.0**-8, 2.0**-9, 2.0**-10, 2.0**-11)


@pytest.mark.parametrize(
    "optimizer",
    [
        ide.AdaGrad(),
        ide.RMSProp(0.0),
        ide.RMSProp(0.9),
        *(ide.Adam(b1, b2) for b1 in (0.0, 0.9) for b2 in (0.99, 0.999)),
    ],
    ids=str,
)
def test_the_papers_model_is_first_order_in_alpha(optimizer):
    """Sup norm of theta over k, horizon t <= 1 (before the minimum is reached), alpha from 2^-8 to 2^-11."""
    errors = []
    for alpha in WINDOW:
        steps = round(1.0 / alpha)
        run = ide.simulate(optimizer, QUADRATIC, alpha=alpha, theta0=1.0, steps=steps)
        path = ide.solve(PAPER, optimizer, QUADRATIC, alpha=alpha, theta0=1.0, steps=steps)
        errors.append(np.abs(run.theta - path.theta).max())
    slopes = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert (np.abs(slopes - PAPER.order) <= 0.1).all(), slopes
