"""What runs and models must not feel: scale, sign, order, place and direction, drawn at random."""

import math
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import idescent as ide
from idescent.optimizers.ratio import ratio_of

M = ide.models
EXACT = ide.solvers.Collocation()
RTOL = 1e-8


@dataclass(frozen=True)
class Bowl:
    """Convex, not quadratic: scale times sums of a u^2/2 + b u^4/4, with u = turn^T (theta - center)."""

    quadratic: tuple[float, ...]
    quartic: tuple[float, ...]
    center: tuple[float, ...]
    scale: float = 1.0
    turn: tuple[tuple[float, ...], ...] | None = None

    def inner(self, theta):
        u = theta - np.array(self.center)
        return u if self.turn is None else u @ np.array(self.turn)

    def value(self, theta):
        u = self.inner(theta)
        return self.scale * (
            np.array(self.quadratic) * u * u / 2 + np.array(self.quartic) * u * u * u * u / 4
        ).sum(-1)

    def gradient(self, theta):
        u = self.inner(theta)
        g = self.scale * (np.array(self.quadratic) * u + np.array(self.quartic) * u * u * u)
        return g if self.turn is None else g @ np.array(self.turn).T

    def hessian(self, theta):
        u = self.inner(theta)
        diagonal = self.scale * (np.array(self.quadratic) + 3 * np.array(self.quartic) * u * u)
        turn = np.eye(len(self.center)) if self.turn is None else np.array(self.turn)
        return np.einsum("ij,...j,kj->...ik", turn, diagonal, turn)


@dataclass(frozen=True)
class Problem:
    objective: Bowl
    theta0: tuple[float, ...]
    alpha: float
    steps: int

    def run(self, optimizer, **settings):
        return ide.simulate(optimizer, self.objective, **self.arguments, **settings)

    def solve(self, model, optimizer):
        path = ide.solve(model, optimizer, self.objective, **self.arguments, rtol=RTOL, solver=EXACT)
        assert path.report.ok, path.report.message
        return path

    @property
    def arguments(self):
        return {"alpha": self.alpha, "theta0": list(self.theta0), "steps": self.steps}


UP_TO_THREE = st.integers(1, 3)


@st.composite
def problems(draw, n=UP_TO_THREE):
    """Starts are so far from the minimum that no run arrives: near it, runs multiply rounding."""
    n = draw(n)

    def some(low, high):
        return tuple(draw(st.lists(st.floats(low, high), min_size=n, max_size=n)))

    center, away = some(-2.0, 2.0), some(2.0, 3.0)
    side = draw(st.lists(st.sampled_from((-1.0, 1.0)), min_size=n, max_size=n))
    theta0 = tuple(c + s * a for c, s, a in zip(center, side, away, strict=True))
    objective = Bowl(some(0.5, 2.0), some(0.0, 0.5), center)
    return Problem(objective, theta0, draw(st.floats(0.005, 0.04)), draw(st.integers(1, 12)))


EPS = st.sampled_from((0.0, 1e-8, 0.1))
BETA = st.sampled_from((0.0, 0.5, 0.9, 0.99))
ACCUMULATOR = st.sampled_from(("coordinate", "norm"))


@st.composite
def optimizers(draw, eps=EPS, accumulator=ACCUMULATOR, decay=True):
    common = {"eps": draw(eps), "accumulator": draw(accumulator)}
    betas = {"beta1": draw(BETA), "beta2": draw(BETA)}
    choices = [ide.AdaGrad(**common), ide.RMSProp(betas["beta2"], **common), ide.Adam(**betas, **common)]
    if decay:
        rate = draw(st.floats(0.0, 0.5))
        choices += [kind(**betas, **common, weight_decay=rate) for kind in (ide.AdamW, ide.AdamL2)]
    return draw(st.sampled_from(choices))


def models(optimizer):
    """Every kind of equation that covers the optimizer: with look-ahead, frozen steps, closures, and none."""
    found = [M.Paper(), M.HalfStep(), M.Local()]
    if not ratio_of(optimizer).sums:
        found += [M.SignFlow(), M.LogRate()]
    if ratio_of(optimizer).corrected:
        found += [M.ThirdOrder()]
    return st.sampled_from(found)


def scaled(problem, factor):
    return replace(problem, objective=replace(problem.objective, scale=factor))


def assert_same_bits(one, other):
    assert one.tobytes() == other.tobytes()


def assert_close(one, other, within):
    assert np.abs(one - other).max() <= within * max(1.0, np.abs(one).max())


# Runs -------------------------------------------------------------------------------------------------------


@given(problems(), optimizers(eps=st.just(0.0)), st.integers(-20, 20))
def test_without_eps_a_run_does_not_feel_a_power_of_two_that_multiplies_the_objective(
    problem, optimizer, power
):
    factor = 2.0**power
    other = optimizer
    if optimizer.coupled_decay:
        other = replace(optimizer, weight_decay=factor * optimizer.weight_decay)
    run, again = problem.run(optimizer), scaled(problem, factor).run(other)
    assert_same_bits(run.theta, again.theta)
    name = optimizer.moments[-1]
    assert_same_bits(factor * factor * run.moments[name], again.moments[name])


@given(problems(), optimizers(eps=st.just(0.0), decay=False), st.floats(1e-3, 1e3))
def test_without_eps_a_run_feels_no_other_factor_but_in_rounding(problem, optimizer, factor):
    assert_close(problem.run(optimizer).theta, scaled(problem, factor).run(optimizer).theta, 1e-12)


@given(problems(), optimizers(eps=st.just(0.0)), st.integers(-8, 4))
def test_without_eps_a_run_feels_no_unit_of_length_that_its_learning_rate_has_too(problem, optimizer, power):
    """theta -> c theta with alpha -> c alpha; decay is then per iteration, not per alpha."""
    c = 2.0**power
    bowl = problem.objective
    quartic = tuple(b / c**2 for b in bowl.quartic)
    long = replace(bowl, center=tuple(c * x for x in bowl.center), quartic=quartic)
    other = Problem(long, tuple(c * x for x in problem.theta0), c * problem.alpha, problem.steps)
    changed = (
        replace(optimizer, weight_decay=optimizer.decoupled_decay / c)
        if optimizer.decoupled_decay
        else optimizer
    )
    assert_close(c * problem.run(optimizer).theta, other.run(changed).theta, 1e-12)


@given(problems(), optimizers())
def test_a_run_of_the_mirrored_objective_is_the_mirrored_run_bit_for_bit(problem, optimizer):
    bowl = problem.objective
    mirrored = replace(bowl, center=tuple(-x for x in bowl.center))
    other = replace(problem, objective=mirrored, theta0=tuple(-x for x in problem.theta0))
    run, again = problem.run(optimizer), other.run(optimizer)
    assert_same_bits(run.theta, -again.theta)
    assert_same_bits(run.moments[optimizer.moments[-1]], again.moments[optimizer.moments[-1]])
    assert_same_bits(run.loss, again.loss)


@given(problems(), optimizers(), st.randoms(use_true_random=False))
def test_the_order_of_coordinates_is_nothing_to_a_run(problem, optimizer, random):
    order = list(range(len(problem.theta0)))
    random.shuffle(order)
    run, again = problem.run(optimizer), permuted(problem, order).run(optimizer)
    if optimizer.norm:
        assert_close(run.theta[:, order], again.theta, 1e-12)
    else:
        assert_same_bits(run.theta[:, order].copy(), again.theta)


def permuted(problem, order):
    bowl = problem.objective

    def of(values):
        return tuple(values[i] for i in order)

    moved = replace(bowl, quadratic=of(bowl.quadratic), quartic=of(bowl.quartic), center=of(bowl.center))
    return replace(problem, objective=moved, theta0=of(problem.theta0))


@given(problems(), optimizers(decay=False), st.floats(-5.0, 5.0))
def test_a_run_does_not_feel_where_the_origin_is(problem, optimizer, shift):
    assert_close(problem.run(optimizer).theta + shift, moved(problem, shift).run(optimizer).theta, 1e-11)


def moved(problem, shift):
    center = tuple(x + shift for x in problem.objective.center)
    theta0 = tuple(x + shift for x in problem.theta0)
    return replace(problem, objective=replace(problem.objective, center=center), theta0=theta0)


def turned(problem, angle):
    """The problem in coordinates that are turned about the origin, and the matrix that turns points."""
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    bowl = problem.objective
    objective = replace(bowl, center=tuple(turn @ bowl.center), turn=tuple(map(tuple, turn)))
    return replace(problem, objective=objective, theta0=tuple(turn @ problem.theta0)), turn


@given(problems(n=st.just(2)), optimizers(accumulator=st.just("norm")), st.floats(0.0, 6.3))
def test_a_run_with_one_accumulator_turns_with_the_coordinates(problem, optimizer, angle):
    other, turn = turned(problem, angle)
    assert_close(problem.run(optimizer).theta @ turn.T, other.run(optimizer).theta, 1e-11)


def test_a_run_with_an_accumulator_for_each_coordinate_does_not_turn_with_them():
    problem = Problem(Bowl((1.0, 2.0), (0.1, 0.0), (0.0, 0.0)), (2.0, 3.0), 0.02, 10)
    other, turn = turned(problem, 0.5)
    run = problem.run(ide.Adam(0.9, 0.99))
    assert np.abs(run.theta @ turn.T - other.run(ide.Adam(0.9, 0.99)).theta).max() > 0.01


@dataclass(frozen=True)
class RootOfMass:
    """rho(k - 1/2) = sqrt(1 - beta^k)."""

    beta: float

    def rate(self, s):
        return np.sqrt(1.0 - self.beta ** (s + 0.5))

    def breaks(self, steps):
        return ()


@given(problems(), BETA, ACCUMULATOR)
def test_adam_without_momentum_is_rmsprop_under_a_schedule_that_corrects_its_bias(problem, beta, accumulator):
    adam = problem.run(ide.Adam(0.0, beta, eps=0.0, accumulator=accumulator))
    rmsprop = ide.RMSProp(beta, eps=0.0, accumulator=accumulator)
    other = problem.run(rmsprop, schedule=RootOfMass(beta))
    assert_close(adam.theta, other.theta, 1e-12)
    assert_same_bits(adam.moments["m"][1:], problem.objective.gradient(adam.theta[:-1]))


@given(problems(), optimizers(), st.integers(1, 11))
def test_a_shorter_run_is_the_beginning_of_a_longer_one(problem, optimizer, fewer):
    short = replace(problem, steps=min(fewer, problem.steps))
    assert_same_bits(short.run(optimizer).theta, problem.run(optimizer).theta[: short.steps + 1])


@given(problems(n=st.just(1)), optimizers())
def test_in_one_dimension_there_is_one_accumulator_whatever_it_is_called(problem, optimizer):
    other = "norm" if optimizer.accumulator == "coordinate" else "coordinate"
    again = problem.run(replace(optimizer, accumulator=other))
    assert_same_bits(problem.run(optimizer).theta, again.theta)


# Models -----------------------------------------------------------------------------------------------------

FEW = settings(max_examples=20)
SAME = 4 * RTOL


@FEW
@given(st.data(), problems(), optimizers(eps=st.just(0.0), decay=False), st.floats(0.01, 100.0))
def test_without_eps_a_model_does_not_feel_a_factor_of_the_objective(data, problem, optimizer, factor):
    model = data.draw(models(optimizer))
    path, again = problem.solve(model, optimizer), scaled(problem, factor).solve(model, optimizer)
    assert_close(path.theta, again.theta, SAME)
    name = optimizer.moments[-1]
    if name in path.moments:
        assert_close(path.moments[name], again.moments[name] / factor**2, 100 * SAME)


@FEW
@given(st.data(), problems(), optimizers(decay=False), st.floats(-5.0, 5.0))
def test_a_model_does_not_feel_where_the_origin_is_nor_on_which_side_the_minimum(
    data, problem, optimizer, shift
):
    model = data.draw(models(optimizer))
    path = problem.solve(model, optimizer)
    assert_close(path.theta + shift, moved(problem, shift).solve(model, optimizer).theta, SAME)
    bowl = problem.objective
    mirrored = replace(bowl, center=tuple(-x for x in bowl.center))
    other = replace(problem, objective=mirrored, theta0=tuple(-x for x in problem.theta0))
    assert_close(path.theta, -other.solve(model, optimizer).theta, SAME)


@FEW
@given(st.data(), problems(n=st.integers(2, 3)), optimizers(), st.randoms(use_true_random=False))
def test_the_order_of_coordinates_is_nothing_to_a_model(data, problem, optimizer, random):
    model = data.draw(models(optimizer))
    order = list(range(len(problem.theta0)))
    random.shuffle(order)
    path, again = problem.solve(model, optimizer), permuted(problem, order).solve(model, optimizer)
    assert_close(path.theta[:, order], again.theta, SAME)


@FEW
@given(st.data(), problems(n=st.just(2)), optimizers(accumulator=st.just("norm")), st.floats(0.0, 6.3))
def test_a_model_with_one_accumulator_turns_with_the_coordinates(data, problem, optimizer, angle):
    model = data.draw(models(optimizer))
    other, turn = turned(problem, angle)
    assert_close(problem.solve(model, optimizer).theta @ turn.T, other.solve(model, optimizer).theta, SAME)


@dataclass(frozen=True)
class WithoutLookahead:
    """The paper's equation with its memory felt at once, and remembering the start."""

    name: str = "without-lookahead"
    order: int = 1

    def equation(self, optimizer, alpha):
        equation = M.Paper().equation(optimizer, alpha)
        (memory,) = equation.memories
        return replace(equation, memories=(replace(memory, initial=1.0),), lookahead=0.0)


@FEW
@given(problems(), ACCUMULATOR)
def test_adagrad_without_look_ahead_conserves_the_objective_plus_the_roots_of_its_sums(problem, accumulator):
    path = problem.solve(WithoutLookahead(), ide.AdaGrad(eps=0.0, accumulator=accumulator))
    energy = path.loss + 2.0 * problem.alpha * np.sqrt(path.moments["G"]).sum(axis=1)
    assert_close(energy, energy[0], 100 * RTOL)


@FEW
@given(problems(), st.integers(2, 4), st.sampled_from((0.0, 0.1)), ACCUMULATOR)
def test_without_memory_learning_rate_and_iteration_are_felt_as_their_product_only(
    problem, times, eps, accumulator
):
    optimizer = ide.RMSProp(0.9, eps=eps, accumulator=accumulator)
    slow = replace(problem, alpha=problem.alpha / times, steps=problem.steps * times)
    path, again = (of.solve(M.SignFlow(), optimizer) for of in (problem, slow))
    assert_close(path.theta, again.theta[::times], SAME)


@FEW
@given(st.data(), problems(), optimizers(), st.floats(0.1, 1.0))
def test_a_constant_schedule_is_another_learning_rate_to_a_model(data, problem, optimizer, factor):
    model = data.draw(models(optimizer).filter(lambda model: model.order < 3))
    other = replace(problem, alpha=problem.alpha * factor)
    path = ide.solve(
        model, optimizer, problem.objective, **problem.arguments,
        rtol=RTOL, schedule=ide.schedules.Constant(factor),
    )  # fmt: skip
    assert path.report.ok
    assert_close(path.theta, other.solve(model, optimizer).theta, SAME)
