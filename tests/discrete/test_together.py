"""Runs of a declared optimizer in one loop: the bits, reports and rows of each by itself."""

from dataclasses import dataclass

import numpy as np
import pytest
from declared_optimizers import OWN

import idescent as ide
from idescent.discrete import loop as discrete
from idescent.discrete import together
from idescent.objectives import RotatedQuadratic
from idescent.optimizers import Optimizer, average
from idescent.schedules import Cosine, LinearWarmup

CENTER = [4.0, -1.5, 0.3, 2.0, 1.0, -0.7]
START = np.array([1.03, 0.52, 2.77, 0.1, -0.4, 0.9])
COUPLED = RotatedQuadratic(6, 20.0, seed=1, minimum=CENTER)
MATRICES = [
    ide.Muon((2, 3)),
    ide.Muon((3, 2), beta=0.8, weight_decay=0.1, corrected=True),
    ide.Muon((2, 3), exact=True, nesterov=False),
    ide.Muon((3, 1, 2)),
    ide.Shampoo((2, 3)),
    ide.Shampoo((6, 1)),
    ide.Adafactor((2, 3), weight_decay=0.1),
    ide.Adafactor((1, 3, 2), scaled=False),
]
VECTORS = [
    ide.GradientDescent(),
    ide.HeavyBall(0.9),
    ide.Nesterov(0.9),
    ide.NAdam(),
    ide.AMSGrad(),
    ide.Adamax(),
    ide.AdaDelta(),
    ide.AdaBelief(),
    ide.CenteredRMSProp(0.9),
    ide.MomentumRMSProp(0.9, 0.9),
    ide.Lion(weight_decay=0.1),
    ide.Signum(0.9),
    ide.ADOPT(),
    ide.QHM(0.9, 0.7),
    ide.ScheduleFreeSGD(),
    ide.ScheduleFreeAdamW(weight_decay=0.1),
]


def assert_same(one, other):
    assert one.report == other.report
    assert one.k.tobytes() == other.k.tobytes()
    assert list(one.moments) == list(other.moments)
    for quantity in ("theta", "loss", *one.moments):
        assert one.quantity(quantity).tobytes() == other.quantity(quantity).tobytes(), quantity


@pytest.fixture
def groups(monkeypatch):
    """Sizes of the groups whose loop is shared."""
    sizes, fill = [], together.fill

    def counted(runs):
        sizes.append(len(runs))
        fill(runs)

    monkeypatch.setattr(together, "fill", counted)
    return sizes


def own_objective(optimizer):
    n = 6 if optimizer.shape else 3
    return ide.Quadratic(CENTER[:n]), START[:n]


@pytest.mark.parametrize("optimizer", [*VECTORS, *MATRICES], ids=repr)
@pytest.mark.parametrize("keep", [None, 7])
def test_runs_share_a_loop_with_the_bits_of_each_by_itself(groups, optimizer, keep):
    alphas, steps = [0.1, 0.013, 0.05, 1.0], [200, 300, 37, 300]
    schedules = [None, Cosine(300), None, LinearWarmup(20, 0.1)]
    starts = START + 0.1 * np.arange(24.0).reshape(4, 6)
    many = ide.simulate_many(
        optimizer, COUPLED, alpha=alphas, theta0=starts, steps=steps, schedule=schedules, keep=keep
    )
    assert groups == [4]
    for alpha, count, schedule, start, run in zip(alphas, steps, schedules, starts, many, strict=True):
        cell = {"alpha": alpha, "theta0": start, "steps": count, "schedule": schedule, "keep": keep}
        assert_same(run, ide.simulate(optimizer, COUPLED, **cell))


@pytest.mark.parametrize("optimizer", OWN, ids=lambda optimizer: type(optimizer).__name__)
def test_runs_of_ones_own_optimizer_share_a_loop(groups, optimizer):
    objective, start = own_objective(optimizer)
    alphas = [0.05, 0.02, 0.01]
    many = ide.simulate_many(optimizer, objective, alpha=alphas, theta0=start, steps=400)
    assert groups == [3]
    for alpha, run in zip(alphas, many, strict=True):
        assert_same(run, ide.simulate(optimizer, objective, alpha=alpha, theta0=start, steps=400))


def test_runs_of_other_hyperparameters_are_another_group(groups):
    optimizers = [ide.HeavyBall(beta) for beta in (0.9, 0.5, 0.9, 0.5, 0.7, 0.9)]
    many = ide.simulate_many(optimizers, COUPLED, alpha=0.1, theta0=START, steps=600)
    assert groups == [3, 2]
    for optimizer, run in zip(optimizers, many, strict=True):
        assert_same(run, ide.simulate(optimizer, COUPLED, alpha=0.1, theta0=START, steps=600))


def test_runs_of_the_paper_are_in_lanes_beside_a_group(groups):
    optimizers = [ide.Adam(0.9, 0.99), ide.Lion(), ide.Adam(0.9, 0.9), ide.Lion()]
    many = ide.simulate_many(optimizers, ide.Quadratic(4.0), alpha=0.1, theta0=1.0, steps=600)
    assert groups == [2]
    for optimizer, run in zip(optimizers, many, strict=True):
        assert_same(run, ide.simulate(optimizer, ide.Quadratic(4.0), alpha=0.1, theta0=1.0, steps=600))


def test_a_group_that_saves_few_iterations_is_not_formed(groups):
    ide.simulate_many(ide.Lion(), COUPLED, alpha=[0.1, 0.2], theta0=START, steps=499)
    assert groups == []


def test_a_group_has_no_more_rows_than_a_block(groups, monkeypatch):
    monkeypatch.setattr(together, "BLOCK", 3 * 6 * 601)
    alphas = np.linspace(0.01, 0.1, 7)
    many = ide.simulate_many(ide.HeavyBall(0.9), COUPLED, alpha=alphas, theta0=START, steps=600)
    assert groups == [3, 3]
    for alpha, run in zip(alphas, many, strict=True):
        assert_same(run, ide.simulate(ide.HeavyBall(0.9), COUPLED, alpha=alpha, theta0=START, steps=600))


def test_runs_computed_in_blocks_go_alone(groups, monkeypatch):
    monkeypatch.setattr(discrete, "BLOCK", 600)
    ide.simulate_many(ide.Lion(), COUPLED, alpha=[0.1, 0.2], theta0=START, steps=600, keep=100)
    assert groups == []


def test_runs_of_many_parameters_go_alone(groups):
    alphas = [0.1, 0.2]
    ide.simulate_many(ide.Lion(), ide.Quadratic(), alpha=alphas, theta0=np.ones(2001), steps=510, keep=510)
    assert groups == []
    ide.simulate_many(ide.Lion(), ide.Quadratic(), alpha=alphas, theta0=np.ones(2000), steps=510, keep=510)
    assert groups == [2]


class Steep:
    """A hill on which runs leave the finite numbers, the sooner the larger their start."""

    def value(self, theta):
        return -5e2 * (theta * theta).sum(axis=-1)

    def gradient(self, theta):
        return -1e3 * theta


@pytest.mark.parametrize("optimizer", [ide.HeavyBall(0.9), ide.NAdam(), ide.Shampoo((2, 3))], ids=repr)
def test_a_divergence_of_one_run_disturbs_no_other(groups, optimizer):
    starts = START[None] * np.array([1.0, 1e140, 1e152, 1e-3])[:, None]
    steps = [60, 600, 600, 60]
    many = ide.simulate_many(optimizer, Steep(), alpha=0.1, theta0=starts, steps=steps)
    assert groups == [4]
    assert {run.report.status for run in many} == {"completed", "diverged"}
    for start, count, run in zip(starts, steps, many, strict=True):
        assert_same(run, ide.simulate(optimizer, Steep(), alpha=0.1, theta0=start, steps=count))


def test_gradients_for_starts_of_memories_count_in_every_run(groups):
    many = ide.simulate_many(ide.ADOPT(), COUPLED, alpha=[0.1, 0.01], theta0=START, steps=[600, 700])
    assert groups == [2]
    assert [run.report.gradient_evaluations for run in many] == [601, 701]


# What the trial refuses -------------------------------------------------------------------------------------

MIX = np.random.RandomState(0).standard_normal((6, 6))


class Product:
    """A gradient by a matrix product over all points."""

    def value(self, theta):
        return 0.5 * (self.gradient(theta) * theta).sum(axis=-1)

    def gradient(self, theta):
        return theta @ (MIX @ MIX.T / 30.0)


@dataclass(frozen=True)
class Mixing(Optimizer):
    """A step by a matrix product over all runs."""

    beta: float = 0.9

    def memories(self):
        return {"m": average(self.beta)}

    def step(self, m):
        return m @ (MIX @ MIX.T / 30.0)


@dataclass(frozen=True)
class Elsewhere(Optimizer):
    """A point of the gradient by a matrix product over all runs."""

    def point(self, theta):
        return theta @ (MIX @ MIX.T / 30.0)

    def step(self, gradient):
        return gradient


@dataclass(frozen=True)
class Careful(Optimizer):
    """A step for one learning rate."""

    limit: float = 0.05

    def step(self, gradient, alpha):
        return gradient if alpha < self.limit else 0.5 * gradient


class Partial:
    """A gradient that is defined for three points at most, and for more raises."""

    def value(self, theta):
        return (theta * theta).sum(axis=-1)

    def gradient(self, theta):
        if theta.ndim == 2 and len(theta) > 3:
            raise RuntimeError("too many")
        return 2.0 * theta


@pytest.mark.parametrize(
    ("optimizer", "objective"),
    [
        (ide.HeavyBall(0.9), Product()),
        (Mixing(), COUPLED),
        (Elsewhere(), COUPLED),
        (Careful(), COUPLED),
        (ide.HeavyBall(0.9), Partial()),
    ],
    ids=[
        "gradient by a product",
        "step by a product",
        "point by a product",
        "step for one rate",
        "gradient that raises",
    ],
)
def test_runs_that_would_depend_on_each_other_go_alone(groups, optimizer, objective):
    alphas = [0.1, 0.02, 0.01]
    many = ide.simulate_many(optimizer, objective, alpha=alphas, theta0=START, steps=400)
    assert groups == []
    for alpha, run in zip(alphas, many, strict=True):
        assert_same(run, ide.simulate(optimizer, objective, alpha=alpha, theta0=START, steps=400))
