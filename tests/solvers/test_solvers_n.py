"""Exact solutions in many dimensions, where no Hessian is made: against other methods, and what they keep."""

import re
import tracemalloc

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import idescent as ide
from idescent.objectives.data import Split
from idescent.objectives.perceptron import Perceptron
from idescent.optimizers.ratio import ratio_of
from idescent.solvers.acceleration import Anderson
from idescent.solvers.newton import BLOCK
from idescent.store.trajectories import read, write
from idescent.trajectory import kept

M = ide.models
BETAS = (0.9, 0.99)


def perceptron():
    """A network of 183 parameters on 60 samples."""
    stream = np.random.default_rng(0)
    x = stream.normal(size=(60, 12))
    y = (x[:, 0] * x[:, 1] > 0.0).astype(int) + (x[:, 2] > 0.5)
    return Perceptron(Split(x, y, x[:1], y[:1]), hidden=11)


class Plain:
    """Value and gradient of an objective, and nothing else: no Hessian in any form."""

    def __init__(self, objective):
        self.value, self.gradient = objective.value, objective.gradient


def squares(gradient, norm):
    return (gradient @ gradient)[None] if norm else gradient**2


def chain(model, optimizer, objective, alpha, theta0, steps):
    """Return theta at k = 0 ... steps from SciPy, for average-over-average models written out here."""
    n, norm, eps = len(theta0), optimizer.norm, optimizer.eps
    betas = ratio_of(optimizer).beta1, ratio_of(optimizer).beta2
    rate1, rate2 = (1.0 - beta if model == "barakat-bianchi" else -np.log(beta) for beta in betas)
    begin = 1e-7

    def masses(s):
        return -np.expm1(-rate1 * s), -np.expm1(-rate2 * s)

    def slope(s, y):
        theta, m, v = y[:n], y[n : 2 * n], y[2 * n :]
        gradient = objective.gradient(theta)
        first, second = masses(s)
        direction = (m / first) / (np.sqrt(v / second) + eps)
        second_source = squares(gradient, norm)
        return np.concatenate((-alpha * direction, rate1 * (gradient - m), rate2 * (second_source - v)))

    g0 = objective.gradient(theta0)
    first, second = masses(begin)
    step = alpha * begin * g0 / (np.sqrt(squares(g0, norm)) + eps)
    start = np.concatenate((theta0 - step, first * g0, second * squares(g0, norm)))
    k = np.arange(1, steps + 1)
    found = solve_ivp(slope, (begin, steps), start, "DOP853", k, rtol=1e-10, atol=1e-13)
    assert found.success
    return np.concatenate((theta0[None], found.y[:n].T))


def half_step_chain(optimizer, objective, alpha, theta0, steps, held=8):
    """Return theta at k = 0 ... steps: ``held`` iterations of Adam, then SciPy with the rates (1 - L')/L."""
    n, norm, eps = len(theta0), optimizer.norm, optimizer.eps
    betas = ratio_of(optimizer).beta1, ratio_of(optimizer).beta2

    def rate(beta, kappa):
        x = -np.log(beta) * kappa
        lag = 0.5 + beta / (1.0 - beta) - kappa / np.expm1(x)
        return (1.0 + (np.expm1(x) - x * np.exp(x)) / np.expm1(x) ** 2) / lag

    def moved(means):
        return -alpha * means[:n] / (np.sqrt(means[n:]) + eps)

    def slope(s, y):
        gradient, means = objective.gradient(y[:n]), y[n:]
        rates = [rate(beta, s + 0.5) for beta in betas]
        turned = rates[0] * (gradient - means[:n]), rates[1] * (squares(gradient, norm) - means[n:])
        return np.concatenate((moved(means), *turned))

    theta, m, v = [theta0], 0.0, 0.0
    for k in range(1, held + 2):
        gradient = objective.gradient(theta[-1])
        m = betas[0] * m + (1.0 - betas[0]) * gradient
        v = betas[1] * v + (1.0 - betas[1]) * squares(gradient, norm)
        means = np.concatenate((m / (1.0 - betas[0] ** k), v / (1.0 - betas[1] ** k)))
        theta.append(theta[-1] + moved(means))
    # The memories of the next step are constant until its middle, and the step is as well.
    start = np.concatenate(((theta[held] + theta[held + 1]) / 2.0, means))
    k = np.arange(held + 1, steps + 1)
    found = solve_ivp(slope, (held + 0.5, steps), start, "DOP853", k, rtol=1e-10, atol=1e-13)
    assert found.success
    return np.concatenate((theta[: held + 1], found.y[:n].T))


@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
@pytest.mark.parametrize(
    "model", [M.LogRate(), M.BarakatBianchi(), M.HalfStep()], ids=lambda model: model.name
)
def test_a_networks_path_is_that_of_an_explicit_method_and_the_estimate_covers_the_error(
    record_property, model, accumulator
):
    network, optimizer = perceptron(), ide.Adam(*BETAS, eps=1e-4, accumulator=accumulator)
    alpha, steps = (0.1 if accumulator == "norm" else 0.01), 60
    start = network.initial(0)
    path = ide.solve(model, optimizer, network, alpha=alpha, theta0=start, steps=steps, rtol=1e-7, atol=1e-9)
    cell = optimizer, network, alpha, start, steps
    other = half_step_chain(*cell) if model.name == "half-step" else chain(model.name, *cell)
    error = np.abs(path.theta - other).max()
    assert path.report.ok, path.report.message
    assert np.abs(other[-1] - other[0]).max() > 0.1
    # The other method has an error of its own, of about 1e-9.
    assert error <= 10.0 * path.report.error_estimate + 5e-9
    record_property("error", float(error))
    record_property("gradients per iteration", path.report.gradient_evaluations / steps)
    # Solution and certificate together: a discrete run takes one gradient an iteration.
    assert path.report.gradient_evaluations < 50 * steps


@pytest.mark.parametrize(
    "optimizer", [ide.AdaGrad(), ide.RMSProp(0.9), ide.Adam(*BETAS)], ids=lambda o: type(o).__name__
)
def test_copies_of_a_problem_are_solved_as_one_of_them_alone_without_a_hessian(optimizer):
    centers = np.linspace(2.0, 5.0, 40)
    many = Plain(ide.Quadratic(centers))
    settings = {"alpha": 0.02, "steps": 40, "rtol": 1e-7, "atol": 1e-9}
    together = ide.solve(M.Paper(), optimizer, many, theta0=np.ones(40), **settings)
    assert together.report.ok, together.report.message
    for i in (0, 17, 39):
        alone = ide.solve(M.Paper(), optimizer, ide.Quadratic(centers[i]), theta0=1.0, **settings)
        error = np.abs(together.theta[:, i] - alone.theta[:, 0]).max()
        assert error <= 2.0 * (together.report.error_estimate + alone.report.error_estimate) + 1e-10


@pytest.mark.parametrize(
    ("model", "optimizer"),
    [
        (M.Paper(), ide.RMSProp(0.9, accumulator="norm")),
        (M.Paper(), ide.AdaGrad(accumulator="norm")),
        (M.HalfStep(), ide.RMSProp(0.9, accumulator="norm")),
        (M.Local(), ide.AdaGrad(accumulator="norm")),
        (M.ThirdOrder(), ide.Adam(*BETAS, accumulator="norm")),
        (M.Cattaneo(), ide.Adam(*BETAS, accumulator="norm")),
        (M.SignFlow(), ide.Adam(*BETAS, accumulator="norm")),
        (M.DaSilvaGazeau(), ide.Adam(*BETAS, accumulator="norm")),
        (M.HerediaSecondOrder(), ide.Adam(*BETAS, accumulator="norm")),
    ],
    ids=lambda value: getattr(value, "name", type(value).__name__),
)
def test_with_one_accumulator_a_rotated_problem_has_the_rotated_solution(model, optimizer):
    """Against Newton's sweeps with a diagonal Hessian, which the rotated problem has not."""
    n = 30
    curvature, start = np.linspace(0.2, 1.0, n), np.linspace(1.0, 2.0, n)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(n, n)))[0]

    class Diagonal:
        def value(self, theta):
            return 0.5 * (curvature * theta**2).sum(axis=-1)

        def gradient(self, theta):
            return curvature * theta

        def hessian_diagonal(self, theta):
            return np.broadcast_to(curvature, theta.shape)

    class Turned:
        def value(self, theta):
            return Diagonal().value(theta @ turn.T)

        def gradient(self, theta):
            return (curvature * (theta @ turn.T)) @ turn

    settings = {"alpha": 0.1, "steps": 15, "rtol": 1e-6, "atol": 1e-9}
    plain = ide.solve(model, optimizer, Diagonal(), theta0=start, **settings)
    turned = ide.solve(model, optimizer, Turned(), theta0=start @ turn, **settings)
    assert plain.report.ok, plain.report.message
    assert turned.report.ok, turned.report.message
    estimate = plain.report.error_estimate + turned.report.error_estimate
    difference = np.abs(turned.theta @ turn.T - plain.theta).max()
    # The sup norm of a rotated error is up to sqrt(n) times as large.
    assert difference <= np.sqrt(n) * estimate + 1e-9
    assert np.abs(plain.theta[-1] - start).max() > 0.05


def test_so_many_coordinates_that_newton_takes_them_in_blocks_are_solved_like_each_by_itself():
    n = BLOCK + 5
    center = np.linspace(-4.0, 4.0, n)
    settings = {"alpha": 0.1, "steps": 5, "rtol": 1e-6, "atol": 1e-9}
    together = ide.solve(
        M.HalfStep(), ide.Adam(*BETAS), ide.Quadratic(center), theta0=np.full(n, 5.0), **settings
    )
    assert together.report.ok, together.report.message
    for i in (0, BLOCK - 1, BLOCK, n - 1):
        alone = ide.solve(M.HalfStep(), ide.Adam(*BETAS), ide.Quadratic(center[i]), theta0=5.0, **settings)
        allowed = together.report.error_estimate + alone.report.error_estimate
        assert np.abs(together.theta[:, i] - alone.theta[:, 0]).max() <= allowed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "optimizer", "most"),
    [
        (M.Paper(), ide.RMSProp(0.99), 1500),
        (M.Paper(), ide.AdaGrad(), 300),
        (M.HerediaSecondOrder(), ide.Adam(*BETAS), 900),
        (M.ThirdOrder(), ide.Adam(*BETAS), 150),
    ],
    ids=lambda value: getattr(value, "name", type(value).__name__),
)
def test_a_network_is_solved_per_coordinate_and_the_estimate_covers_the_distance_to_a_finer_solution(
    model, optimizer, most
):
    network = perceptron()
    cell = {"alpha": 0.001, "theta0": network.initial(0), "steps": 20}
    path = ide.solve(model, optimizer, network, **cell, rtol=1e-6, atol=1e-9)
    finer = ide.solve(
        model, optimizer, network, **cell, rtol=1e-8, atol=1e-11, solver=ide.solvers.Collocation(stages=7)
    )
    assert path.report.ok, path.report.message
    assert finer.report.ok, finer.report.message
    assert np.abs(path.theta - finer.theta).max() <= path.report.error_estimate + finer.report.error_estimate
    assert np.abs(path.theta[-1] - path.theta[0]).max() > 0.005
    assert path.report.gradient_evaluations < most * cell["steps"]


def test_a_coordinate_whose_gradient_begins_near_zero_does_not_run_away_in_the_third_order_model():
    """Its square soon is far above its average, where the model's expansion means nothing."""
    n, alpha = 20, 1e-3
    hessian = np.full((n, n), 0.3) + np.diag(np.linspace(1.0, 2.0, n))
    start = np.ones(n)
    start[0] = -hessian[0, 1:].sum() / hessian[0, 0] + 1e-9

    class Coupled:
        def value(self, theta):
            return 0.5 * ((theta @ hessian) * theta).sum(axis=-1)

        def gradient(self, theta):
            return theta @ hessian

    cell = {"alpha": alpha, "theta0": start, "steps": 20}
    optimizer = ide.Adam(0.9, 0.999)
    path = ide.solve(M.ThirdOrder(), optimizer, Coupled(), **cell, rtol=1e-6, atol=1e-9)
    run = ide.simulate(optimizer, Coupled(), **cell)
    assert path.report.ok, path.report.message
    assert path.report.gradient_evaluations < 200 * cell["steps"]
    assert np.abs(path.theta - run.theta).max() < 3.0 * alpha
    # The other coordinates do not notice it.
    assert np.abs(path.theta[:, 1:] - run.theta[:, 1:]).max() < 0.01 * alpha


@pytest.mark.parametrize(("limit", "solved"), [(20.0, False), (1e5, True)])
def test_a_solution_that_asks_for_too_many_gradients_stops_and_says_where(limit, solved):
    network = perceptron()
    solver, steps = ide.solvers.Collocation(max_gradients=limit), 12
    path = ide.solve(
        M.SignFlow(),
        ide.Adam(*BETAS, eps=1e-4),
        network,
        alpha=1e-3,
        theta0=network.initial(0),
        steps=steps,
        rtol=1e-6,
        atol=1e-9,
        solver=solver,
    )
    assert path.report.ok == solved, path.report.message
    if not solved:
        spent = path.report.gradient_evaluations
        # The sweep under way is finished; the first window has one element of nine nodes.
        assert (
            limit * steps
            <= spent
            <= limit * steps + 2 * solver.stages * path.report.details["largest_window"]
        )
        assert path.report.status == "not converged"
        assert "budget of 240 gradients is spent" in path.report.message
        reached = float(re.search(r"beyond iteration ([0-9.]+)", path.report.message)[1])
        filled = np.isfinite(path.theta).all(axis=1)
        assert filled.tolist() == (path.k <= reached).tolist()


@pytest.mark.parametrize("limit", [0, -1.0, float("nan")])
def test_a_limit_of_gradients_that_is_none_is_refused_in_one_line(limit):
    with pytest.raises(
        ValueError, match=r"^Collocation.max_gradients: .* is not allowed: must be > 0, or None$"
    ):
        ide.solvers.Collocation(max_gradients=limit)


def test_anderson_solves_a_linear_fixed_point_that_expands():
    """Three directions in which G expands, up to threefold: plain sweeps would grow without bound."""
    rates = np.concatenate(([-3.0, -2.0, 1.5], np.full(20, 0.1)))
    exact = 1.0 / (1.0 - rates)
    acceleration, point = Anderson(5), np.zeros(23)
    for _ in range(6):
        correction = rates * point + 1.0 - point
        point = point + acceleration.step(point, correction)
    assert np.abs(point - exact).max() < 1e-10


@pytest.mark.parametrize("keep", [7, [0, 3, 4, 30]])
@pytest.mark.parametrize("optimizer", [ide.AdaGrad(), ide.Adam(*BETAS)], ids=lambda o: type(o).__name__)
def test_rows_kept_are_rows_of_the_whole(optimizer, keep, tmp_path, monkeypatch):
    monkeypatch.setattr("idescent.discrete.loop.BLOCK", 11)
    problem = {"alpha": 0.1, "theta0": [1.0, 2.0], "steps": 30}
    arguments = optimizer, ide.Quadratic([4.0, -1.0])
    made = [
        (ide.simulate(*arguments, **problem), ide.simulate(*arguments, **problem, keep=keep)),
        (
            ide.solve(M.HalfStep(), *arguments, **problem),
            ide.solve(M.HalfStep(), *arguments, **problem, keep=keep),
        ),
    ]
    for whole, thin in made:
        assert thin.k.tolist() == kept(30, keep).tolist()
        assert thin.steps == 30
        for name in ("theta", "loss", *whole.moments):
            # Interpolation at fewer points sums in another order.
            assert np.allclose(thin.quantity(name), whole.quantity(name)[thin.k], rtol=1e-13, atol=1e-15), (
                name
            )
    (run, thin_run), (path, thin_path) = made
    assert np.array_equal(run.theta[thin_run.k], thin_run.theta)
    assert ide.compare(run, thin_path).sup == ide.compare(thin_run, thin_path).sup
    assert ide.compare(run, thin_path).final["theta"] == pytest.approx(ide.compare(run, path).final["theta"])
    write(tmp_path / "thin.parquet", thin_path, {}, {})
    assert read(tmp_path / "thin.parquet").k.tolist() == thin_path.k.tolist()


def test_a_divergence_between_kept_rows_is_found(monkeypatch):
    monkeypatch.setattr("idescent.discrete.loop.BLOCK", 11)

    class Cliff:
        def value(self, theta):
            return theta.sum(axis=-1)

        def gradient(self, theta):
            return np.where(theta < 0.45, np.nan, 1.0)

    run = ide.simulate(ide.RMSProp(0.0), Cliff(), alpha=0.1, theta0=[1.0], steps=20, keep=5)
    assert run.report.status == "diverged"
    assert run.report.diverged_at == 7
    assert np.isfinite(run.theta[:2]).all()
    assert np.isnan(run.theta[2:]).all()


@pytest.mark.parametrize("keep", [0, True, 2.5, [0, 2, 2, 30], [0, 10], [1, 30]])
def test_iterations_that_cannot_be_kept_are_refused_in_one_line(keep):
    with pytest.raises(ValueError, match=r"^keep: .* is not allowed: must be [^\n]*$"):
        kept(30, keep)


@pytest.mark.parametrize("solved", [False, True])
def test_memory_does_not_grow_with_the_horizon_where_few_rows_are_kept(solved, monkeypatch):
    n = 2000
    monkeypatch.setattr("idescent.discrete.loop.BLOCK", 4 * n)
    objective, optimizer = Plain(ide.Quadratic(0.0)), ide.Adam(*BETAS)

    def peak(steps):
        problem = {"alpha": 1e-3, "theta0": np.linspace(1.0, 2.0, n), "steps": steps, "keep": [0, steps]}
        tracemalloc.start()
        if solved:
            ide.solve(M.HalfStep(), optimizer, objective, rtol=1e-5, **problem)
        else:
            ide.simulate(optimizer, objective, **problem)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    rows = 8 * n
    # The whole would have 450 rows more, of theta and two moments.
    assert peak(600) < peak(150) + 100 * rows
