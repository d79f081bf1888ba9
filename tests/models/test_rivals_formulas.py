"""Rival models: each against foreign solutions of its own formula."""

import numpy as np
import pytest
from problems import Cosh, Linear, Rosenbrock
from scipy.integrate import quad, solve_ivp

import idescent as ide
from idescent.objectives import CountedObjective
from idescent.solvers.problem import Problem
from idescent.solvers.radau import radau

M = ide.models
QUADRATIC = ide.Quadratic(4.0)


class RosenbrockWithHessian(Rosenbrock):
    def hessian(self, theta):
        x, y = theta[..., 0], theta[..., 1]
        rows = [[2 - 400 * (y - 3 * x * x), -400 * x], [-400 * x, np.full_like(x, 200.0)]]
        return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


class RosenbrockWithProduct(Rosenbrock):
    def hessian_vector(self, theta, direction):
        full = RosenbrockWithHessian().hessian(theta)
        return np.einsum("...ij,...j->...i", full, direction)


def solved(model, optimizer, objective=QUADRATIC, alpha=0.1, theta0=1.0, steps=40, **settings):
    path = ide.solve(model, optimizer, objective, alpha=alpha, theta0=theta0, steps=steps, **settings)
    assert path.report.ok, path.report.message
    return path


def foreign(slope, first, steps, start=0.0):
    """Scipy's solution at k = 1 ... steps, shape (steps, states)."""
    k = np.arange(1, steps + 1)
    found = solve_ivp(slope, (start, steps), first, "DOP853", k, rtol=1e-12, atol=1e-14)
    assert found.success
    return found.y.T


@pytest.mark.parametrize(
    ("model", "optimizer", "line"),
    [
        (
            M.BarakatBianchi(),
            ide.AdaGrad(),
            "BarakatBianchi does not model AdaGrad: it is an equation of Adam",
        ),
        (
            M.DaSilvaGazeau(),
            ide.AdamW(0.9, 0.99, 0.1),
            "DaSilvaGazeau does not model AdamW: only its equation of Adam is implemented",
        ),
        (
            M.Cattaneo(),
            ide.AdamW(0.9, 0.99, 0.1),
            "Cattaneo does not model AdamW: only its equation of Adam is implemented",
        ),
        (
            M.Cattaneo(),
            ide.RMSProp(0.9),
            "Cattaneo does not model RMSProp: only its equation of Adam is implemented",
        ),
        (
            M.HerediaSecondOrder(),
            ide.AdamW(0.9, 0.99, 0.1),
            "HerediaSecondOrder does not model AdamW: it is an equation of Adam",
        ),
        (
            M.HerediaSecondOrder(),
            ide.AdaGrad(),
            "HerediaSecondOrder does not model AdaGrad: it is an equation of Adam",
        ),
        (
            M.SignFlow(),
            ide.AdaGrad(),
            "SignFlow does not model AdaGrad: its accumulator is a sum, not an average",
        ),
        (M.LogRate(), ide.AdaGrad(), "LogRate does not model AdaGrad: a sum has no rate"),
        (
            M.ThirdOrder(),
            ide.RMSProp(0.9),
            "ThirdOrder: RMSProp is not allowed: must be Adam, AdamW or AdamL2",
        ),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_model_says_which_optimizer_it_does_not_cover_and_why(model, optimizer, line):
    with pytest.raises(ValueError, match=rf"^{line}$"):
        model.equation(optimizer, 0.1)


@pytest.mark.parametrize("closure", ["step", "relaxed"])
@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_local_rmsprop_solves_its_equation(closure, beta):
    alpha, steps = 0.02, 40
    keep = beta if closure == "step" else np.exp(beta - 1)
    path = solved(M.Local(closure), ide.RMSProp(beta), Cosh(), alpha, 1.3, steps)

    def slope(s, y):
        g = np.sinh(y[0])
        root = np.sqrt(keep * y[1] + (1 - keep) * g * g)
        return [-alpha * g / (root + 1e-8), (1 - beta) * (g * g - y[1])]

    expected = foreign(slope, [1.3, 0.0], steps)
    assert np.abs(path.theta[1:, 0] - expected[:, 0]).max() < 1e-8
    assert np.abs(path.moments["v"][1:, 0] - expected[:, 1]).max() < 1e-8


def test_local_adagrad_solves_its_equation():
    alpha, steps = 0.1, 40
    path = solved(M.Local(), ide.AdaGrad(), Cosh(), alpha, 1.3, steps)

    def slope(s, y):
        g = np.sinh(y[0])
        return [-alpha * g / (np.sqrt(y[1] + g * g) + 1e-8), g * g]

    expected = foreign(slope, [1.3, 0.0], steps)
    assert np.abs(path.theta[1:, 0] - expected[:, 0]).max() < 1e-8
    assert np.abs(path.moments["G"][1:, 0] - expected[:, 1]).max() < 1e-8


@pytest.mark.parametrize("optimizer", [ide.RMSProp(0.9), ide.RMSProp(0.5), ide.AdaGrad()])
def test_an_euler_step_of_the_local_model_is_the_optimizers(optimizer):
    """With the closure of Assumption 2, started from the moments of a run."""
    alpha = 0.05
    run = ide.simulate(optimizer, Cosh(), alpha=alpha, theta0=1.3, steps=6)
    equation = M.Local().equation(optimizer, alpha)
    second = run.moments[optimizer.moments[-1]]
    gradient = Cosh().gradient(run.theta)
    for k in range(6):
        velocity = equation.velocity(
            np.array([float(k)]), run.theta[k], gradient[k], [gradient[k], second[k]]
        )
        assert abs(run.theta[k, 0] + velocity[0] - run.theta[k + 1, 0]) < 1e-15 * abs(run.theta[k, 0]) + 1e-16


@pytest.mark.parametrize(
    ("model", "optimizer"),
    [
        (M.Local(), ide.AdaGrad()),
        (M.Local(), ide.RMSProp(0.9)),
        (M.SignFlow(), ide.Adam(0.5, 0.9)),
        (M.LogRate(), ide.RMSProp(0.0)),
        (M.LogRate(), ide.Adam(0.0, 0.9)),
        (M.Cattaneo(), ide.Adam(0.5, 0.9)),
        (M.HerediaSecondOrder(), ide.Adam(0.5, 0.9)),
        (M.HerediaSecondOrder(), ide.Adam(0.3, 0.9)),
        (M.HalfStep(), ide.RMSProp(0.9)),
        (M.ThirdOrder(), ide.Adam(0.5, 0.9)),
    ],
    ids=lambda value: getattr(value, "name", type(value).__name__),
)
def test_a_path_has_no_moments_but_the_optimizers(model, optimizer):
    path = solved(model, optimizer, Cosh(), 0.02, 1.3, 3)
    assert set(path.moments) <= set(optimizer.moments)
    stored = [memory.name for memory in model.equation(optimizer, 0.02).memories if memory.stored]
    assert list(path.moments) == stored


@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.5, 0.9)])
@pytest.mark.parametrize(
    ("model", "decoupled", "coupled"),
    [
        (M.BarakatBianchi(), 0.0, 0.0),
        (M.DaSilvaGazeau(), 0.0, 0.0),
        (M.LogRate(), 0.0, 0.0),
        (M.LogRate(), 0.5, 0.0),
        (M.LogRate(), 0.0, 0.5),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_corrected_averages_solve_the_equations_of_corrected_moments(model, betas, decoupled, coupled):
    """Equations of m/N and v/N, in which nothing is 0/0 but the rates: another way to write the same."""
    alpha, steps, eps = 0.02, 40, 0.3
    rates = [1 - b if model.name == "barakat-bianchi" else -np.log(b) for b in betas]
    adam = ide.AdamL2(*betas, coupled, eps=eps) if coupled else ide.AdamW(*betas, decoupled, eps=eps)
    path = solved(model, adam, Cosh(), alpha, 1.3, steps)

    def slope(s, y):
        g = np.sinh(y[0]) + coupled * y[0]
        first, second = (rate / -np.expm1(-rate * s) for rate in rates)
        root = np.sqrt(y[2] + eps * eps) if model.name == "da-silva-gazeau" else np.sqrt(y[2]) + eps
        return [-alpha * (y[1] / root + decoupled * y[0]), first * (g - y[1]), second * (g * g - y[2])]

    g0, start = np.sinh(1.3) + coupled * 1.3, 1e-10
    expected = foreign(slope, [1.3, g0, g0 * g0], steps, start)
    k = np.arange(1, steps + 1)
    assert np.abs(path.theta[1:, 0] - expected[:, 0]).max() < 1e-8
    for name, column, rate in (("m", 1, rates[0]), ("v", 2, rates[1])):
        assert np.abs(path.moments[name][1:, 0] + np.expm1(-rate * k) * expected[:, column]).max() < 1e-8


@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.0, 0.99), (0.5, 0.5)])
def test_heredias_inertial_equation_without_lookahead_is_solved(betas):
    """A system of six equations; kernels with sinh, sine and neither."""
    alpha, steps, eps = 0.02, 30, 1e-8
    path = solved(M.HerediaSecondOrder(0.0), ide.Adam(*betas, eps=eps), Cosh(), alpha, 1.3, steps)

    def slope(r, y):
        # In r = sqrt(s) the start is smooth.
        s = max(r * r, 1e-16)
        theta, speed, m, dm, v, dv = y
        g = np.sinh(theta)
        roots = [1.0 if b == 0.0 else -np.expm1(s * np.log(b)) for b in betas]
        force = (
            alpha * np.sqrt(roots[1]) / roots[0] * m / (np.sqrt(abs(v)) + eps * np.sqrt(roots[1]) + 1e-300)
        )
        rates = [
            speed,
            -2 * (speed + force),
            dm,
            2 * ((1 - betas[0]) * (g - m) - dm),
            dv,
            2 * ((1 - betas[1]) * (g * g - v) - dv),
        ]
        return [2 * r * rate for rate in rates]

    k = np.arange(1, steps + 1)
    found = solve_ivp(
        slope, (0.0, steps**0.5), [1.3, 0, 0, 0, 0, 0], "DOP853", np.sqrt(k), rtol=1e-11, atol=1e-13
    )
    assert found.success
    assert np.abs(path.theta[1:, 0] - found.y[0]).max() < 1e-7


@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.0, 0.99), (0.9, 0.999)])
@pytest.mark.parametrize("lookahead", [0.0, 1.0])
def test_heredias_equation_has_its_closed_form_for_a_constant_gradient(lookahead, betas):
    """Moments from the kernels' masses, theta'' by variation of constants."""
    alpha, steps, g = 0.1, 25, -3.0
    model = M.HerediaSecondOrder(lookahead)
    path = solved(model, ide.Adam(*betas, eps=0.0), Linear([g]), alpha, 1.0, steps)

    def kernel_mass(beta, s):
        kappa = np.sqrt(complex(2 * beta - 1))
        return 1 - (np.exp(-s) * (np.cosh(kappa * s) + np.sinh(kappa * s) / kappa)).real

    def pull(s, end):
        m, v = (kernel_mass(b, s + lookahead) for b in betas)
        eta = np.sqrt(1 - betas[1] ** s) / (1 - betas[0] ** s if betas[0] else 1.0)
        return (1 - np.exp(-2 * (end - s))) * eta * m / np.sqrt(v)

    for k in (1, 5, steps):
        # s = r^2: the force is singular like 1/sqrt(s).
        moved = quad(lambda r, k=k: 2 * r * pull(r * r, k), 1e-7, k**0.5, epsabs=1e-11, limit=200)[0]
        assert abs(path.theta[k, 0] - (1.0 + alpha * moved)) < 1e-6


@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.0, 0.9)])
def test_cattaneos_velocity_is_the_sources_in_terms_of_the_perturbed_one_norm(betas):
    """For endless runs and eps inside, with the gradient of the norm by differences."""
    alpha, eps, theta = 0.01, 0.4, np.array([-0.7, 1.2])
    optimizer = ide.Adam(*betas, eps=eps)
    objective = Rosenbrock()
    velocity = velocity_of(M.Cattaneo("inside", stage=False), optimizer, objective, alpha, theta)

    def norm(at):
        return np.sqrt(objective.gradient(at) ** 2 + eps).sum()

    step = 1e-5
    slope = np.array([(norm(theta + step * e) - norm(theta - step * e)) / (2 * step) for e in np.eye(2)])
    g = objective.gradient(theta)
    first, second = ((1 + b) / (1 - b) for b in betas)
    extra = alpha / 2 * (first - second + second * eps / (g**2 + eps)) * slope
    assert np.allclose(velocity, -alpha * (g + extra) / np.sqrt(g**2 + eps), rtol=1e-7, atol=0)


def velocity_of(model, optimizer, objective, alpha, theta, s=1e9):
    """The velocity of a memoryless model at one point."""
    equation = model.equation(optimizer, alpha)
    problem = Problem(equation, optimizer, CountedObjective(objective), radau(3))
    gradient, at, felt = problem.gradient(theta), np.array([s]), []
    for memory in equation.memories:
        felt.append(problem.source(memory, at, theta, gradient, felt))
    return equation.velocity(at, theta, gradient, felt)


def test_cattaneos_ages_are_those_of_the_corrected_discrete_weights():
    alpha, k = 0.01, 7
    optimizer, theta = ide.Adam(0.8, 0.95), np.array([1.0])
    velocity = velocity_of(M.Cattaneo(), optimizer, QUADRATIC, alpha, theta, s=k - 0.5)
    ages = []
    for beta in (0.8, 0.95):
        weights = beta ** np.arange(k)
        ages.append((weights * np.arange(k)).sum() / weights.sum())
    change = 2.0 * -1.0  # the Hessian times the gradient's sign
    expected = -alpha / 6.0 * (-6.0 + alpha * (ages[0] - ages[1]) * change)
    assert abs(velocity[0] - expected) < 1e-8 * alpha


@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
def test_hessian_vector_products_agree_wherever_they_come_from(accumulator):
    optimizer = ide.Adam(0.5, 0.9, accumulator=accumulator)
    settings = {"alpha": 1e-3, "theta0": [-0.7, 1.2], "steps": 60}
    objectives = (Rosenbrock(), RosenbrockWithHessian(), RosenbrockWithProduct())
    differences, full, product = (solved(M.Cattaneo(), optimizer, o, **settings) for o in objectives)
    assert np.abs(full.theta - product.theta).max() < 1e-11
    assert np.abs(full.theta - differences.theta).max() < 2e-9
    assert differences.report.gradient_evaluations >= 5 * full.report.gradient_evaluations


class OneByOne(RosenbrockWithProduct):
    vectorized = False

    def gradient(self, theta):
        assert theta.shape == (2,)
        return super().gradient(theta)

    def hessian_vector(self, theta, direction):
        assert theta.shape == direction.shape == (2,)
        return super().hessian_vector(theta, direction)


def test_an_objective_of_single_points_gets_its_directions_one_by_one():
    settings = {"alpha": 1e-3, "theta0": [-0.7, 1.2], "steps": 20}
    paths = [
        solved(M.Cattaneo(), ide.Adam(0.5, 0.9), o(), **settings) for o in (OneByOne, RosenbrockWithProduct)
    ]
    assert np.array_equal(paths[0].theta, paths[1].theta)
