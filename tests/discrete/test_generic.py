"""The loop of declared optimizers: against the loops of the five, loops written out, and as any run."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from declared_optimizers import OWN, AdaDelta, Mixed, NAdam, Polar, ScheduleFree
from problems import Opaque

import idescent as ide
from idescent.discrete import generic
from idescent.discrete import loop as discrete
from idescent.discrete.setup import Setup
from idescent.objectives.protocol import CountedObjective
from idescent.optimizers import Optimizer, average, total
from idescent.schedules import Cosine

CENTER = np.array([4.0, -1.5, 0.3, 2.0, 1.0, -0.7])
START = np.array([1.03, 0.52, 2.77, 0.1, -0.4, 0.9])
FIVE = [
    ide.AdaGrad(),
    ide.RMSProp(0.9),
    ide.Adam(0.9, 0.99),
    ide.AdamW(0.9, 0.99, 0.1),
    ide.AdamL2(0.9, 0.99, 0.1),
]


def named(optimizer):
    return type(optimizer).__name__


def cell(optimizer, **more):
    n = 6 if optimizer.shape else 3
    return {"alpha": 0.05, "theta0": START[:n], "steps": 60, **more}


def bowl(optimizer):
    return ide.Quadratic(CENTER[: 6 if optimizer.shape else 3])


def declared(optimizer):
    """Return the optimizer as one of somebody's own, which has no loop of its own."""
    kind = type(optimizer)
    steps = {
        ide.AdaGrad: lambda self, gradient, G: kind.step(self, gradient, G),  # noqa: N803
        ide.RMSProp: lambda self, gradient, v: kind.step(self, gradient, v),
    }
    step = steps.get(kind, lambda self, m, v, k: kind.step(self, m, v, k))
    return type("Own", (kind,), {"step": step})(**optimizer.hyperparameters)


@pytest.mark.parametrize("optimizer", FIVE, ids=named)
@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("schedule", [None, Cosine(100)], ids=["constant", "cosine"])
def test_the_five_in_the_loop_of_any_optimizer_agree_with_their_own(optimizer, accumulator, n, schedule):
    arguments = {**optimizer.hyperparameters, "accumulator": accumulator}
    special = type(optimizer)(**arguments)
    run = {"alpha": 0.01, "theta0": START[:n], "steps": 100, "schedule": schedule}
    one, other = (ide.simulate(o, ide.Quadratic(CENTER[:n]), **run) for o in (special, declared(special)))
    assert other.report == one.report
    for name in ("theta", "loss", *one.moments):
        np.testing.assert_allclose(
            other.quantity(name), one.quantity(name), rtol=1e-13, atol=1e-13, err_msg=name
        )


# Loops written out ------------------------------------------------------------------------------------------


def gradient(theta):
    return 2.0 * (theta - CENTER[: len(theta)])


def nadam(theta, alpha, steps, beta1=0.9, beta2=0.999, eps=1e-8, psi=4e-3):
    m, v, product = 0.0, 0.0, 1.0
    for k in range(1, steps + 1):
        g = gradient(theta)
        mu, after = (beta1 * (1 - 0.5 * 0.96 ** (i * psi)) for i in (k, k + 1))
        product *= mu
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        root = np.sqrt(v / (1 - beta2**k)) + eps
        theta = (
            theta
            - alpha * (1 - mu) / (1 - product) * g / root
            - alpha * after / (1 - product * after) * m / root
        )
        yield theta, m, v


def adadelta(theta, alpha, steps, beta=0.9, eps=1e-3):
    v, u = 0.0, 0.0
    for _ in range(steps):
        g = gradient(theta)
        v = beta * v + (1 - beta) * g * g
        d = np.sqrt((u + eps) / (v + eps)) * g
        theta, u = theta - alpha * d, beta * u + (1 - beta) * d * d
        yield theta, v, u


def schedule_free(theta, alpha, steps, beta=0.9):
    z = x = theta
    for k in range(1, steps + 1):
        z = z - alpha * gradient((1 - beta) * z + beta * x)
        x = (1 - 1 / k) * x + z / k
        yield x, x


def mixed(theta, alpha, steps, beta=0.8, w=0.3):
    a, b, c, d = -gradient(theta), 0.0, 2.0, 0.0
    for k in range(1, steps + 1):
        point = theta + 0.5 * d
        g, before, b_before = gradient(point) + w * point, a, b
        a = beta * a + g
        b = np.maximum(beta * b, abs(g - before))
        c = c + b[:1]
        moved = theta - alpha * (a / (1 + b + b_before + np.sqrt(c)) + alpha * d)
        share = 1 / (k + 1)
        d, theta = share * d + (1 - share) * (moved - theta), moved
        yield theta, a, b, c, d


def polar(theta, alpha, steps, beta=0.9, w=0.1):
    m, left = 0.0, 0.0
    for _ in range(steps):
        g = gradient(theta).reshape(2, 3)
        m, left = beta * m + (1 - beta) * g, left + g @ g.T
        u, _, v = np.linalg.svd(m, full_matrices=False)
        theta = (1 - alpha * w) * theta - alpha * (u @ v).ravel() / (1 + np.trace(left))
        yield theta, m.ravel(), left.ravel()


LOOPS = {NAdam: nadam, AdaDelta: adadelta, ScheduleFree: schedule_free, Mixed: mixed, Polar: polar}


@pytest.mark.parametrize("optimizer", OWN, ids=named)
def test_a_declared_optimizer_is_the_loop_written_out(optimizer):
    arguments = cell(optimizer)
    run = ide.simulate(optimizer, bowl(optimizer), **arguments)
    rows = list(LOOPS[type(optimizer)](arguments["theta0"], arguments["alpha"], arguments["steps"]))
    for values, expected in zip((run.theta, *run.moments.values()), zip(*rows, strict=True), strict=True):
        np.testing.assert_allclose(values[1:], np.stack(expected), rtol=1e-12, atol=1e-13)


def test_memories_start_where_they_are_declared_to():
    run = ide.simulate(Mixed(), ide.Quadratic(CENTER[:3]), **cell(Mixed()))
    assert run.moments["a"][0].tolist() == (-gradient(START[:3])).tolist()
    assert run.moments["c"][0].tolist() == [2.0]
    assert not run.moments["b"][0].any()
    assert run.theta[0].tolist() == START[:3].tolist()


def test_a_start_from_the_gradient_is_an_evaluation_and_no_other_is():
    for optimizer, more in ((Mixed(), 1), (ScheduleFree(), 0), (NAdam(), 0)):
        report = ide.simulate(optimizer, ide.Quadratic(CENTER[:3]), **cell(optimizer)).report
        assert report.gradient_evaluations == 60 + more


# As any run ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OWN, ids=named)
@pytest.mark.parametrize("schedule", [None, Cosine(60)], ids=["constant", "cosine"])
def test_a_run_thinned_block_by_block_has_the_rows_of_a_whole_one(monkeypatch, optimizer, schedule):
    arguments = cell(optimizer, schedule=schedule)
    whole = ide.simulate(optimizer, bowl(optimizer), **arguments)
    keep = [0, 1, 9, 10, 11, 33, 60]
    monkeypatch.setattr(discrete, "BLOCK", 10 * len(arguments["theta0"]))
    part = ide.simulate(optimizer, bowl(optimizer), **arguments, keep=keep)
    assert part.k.tolist() == keep
    for name in ("theta", "loss", *whole.moments):
        assert part.quantity(name).tobytes() == whole.quantity(name)[keep].tobytes(), name


@pytest.mark.parametrize("optimizer", OWN, ids=named)
def test_runs_beside_each_other_are_runs_by_themselves(optimizer):
    arguments = cell(optimizer)
    n = len(arguments["theta0"])
    starts = arguments["theta0"] + 0.1 * np.arange(4 * n).reshape(4, n)
    setup = Setup(optimizer, CountedObjective(bowl(optimizer)), 0.05, starts[0], 20)
    many = generic.GenericLoop(setup, starts)
    for k in range(1, 21):
        many.iterate(k, 0.05)
    alone = ide.simulate_many(optimizer, bowl(optimizer), alpha=0.05, theta0=starts, steps=20)
    theta, *memories = many.state()
    for i, run in enumerate(alone):
        for rows, values in zip((run.theta, *run.moments.values()), (theta, *memories), strict=True):
            np.testing.assert_allclose(values[i], rows[-1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("optimizer", OWN, ids=named)
def test_an_ensemble_without_noise_is_the_run(optimizer):
    from idescent.stochastic import Additive, simulate_runs

    arguments, at = cell(optimizer), [0, 1, 7, 60]
    noise = Additive(bowl(optimizer), 0.0)
    ensemble = simulate_runs(
        optimizer, noise, **arguments, runs=3, seed=1, at=at, observe=("loss", "theta_1", "second")
    )
    run = ide.simulate(optimizer, bowl(optimizer), **arguments)
    last = list(run.moments.values())[-1]
    for values, expected in (("loss", run.loss), ("theta_1", run.theta[:, 1]), ("second", last.mean(axis=1))):
        np.testing.assert_allclose(ensemble.values[values], np.tile(expected[at][:, None], 3), rtol=1e-12)


@dataclass(frozen=True)
class Growing(Optimizer):
    """A memory that overflows while theta stays: at 1e-300 of it."""

    def memories(self):
        return {"v": total(of=lambda v: 1e30 * v + 1.0)}

    def step(self, v):
        return np.ones_like(v) / v


def test_a_memory_that_is_not_finite_ends_the_run():
    run = ide.simulate(Growing(), ide.Quadratic(4.0), alpha=0.1, theta0=1.0, steps=40)
    assert run.report.status == "diverged"
    assert run.report.diverged_at == 12
    assert run.report.message == "iteration 12 is not finite"
    assert np.isfinite(run.theta[:12]).all()
    assert np.isnan(run.theta[12:]).all()
    assert np.isnan(run.moments["v"][12:]).all()


@dataclass(frozen=True)
class Starting(Optimizer):
    kind: float = 0.0

    def memories(self):
        def start(gradient):
            return [np.full(7, 1.0), math.nan * gradient][int(self.kind)]

        return {"m": average(0.5, start=start)}

    def step(self, m):
        return m


FAULTS = [
    (
        Starting(0.0),
        "Starting.memories 'm': start has shape (7,) but the source has (3,): they must be equal",
    ),
    (Starting(1.0), "Starting.memories 'm': start is not finite: array([nan, nan, nan])"),
    (Polar(), "Polar.shape: (2, 3) is not allowed: there are 3 parameters"),
]


@pytest.mark.parametrize(("optimizer", "line"), FAULTS, ids=lambda value: str(value)[:20])
@pytest.mark.parametrize("wrap", [lambda objective: objective, Opaque], ids=["closed form", "none"])
def test_what_does_not_fit_a_run_is_one_line(optimizer, line, wrap):
    arguments = {"alpha": 0.05, "theta0": START[:3], "steps": 10}
    with pytest.raises(ValueError, match=type(optimizer).__name__) as caught:
        ide.simulate(optimizer, wrap(ide.Quadratic(CENTER[:3])), **arguments)
    assert str(caught.value) == line


def test_a_sequence_asked_for_backwards_is_computed_again():
    from idescent.optimizers.plan import Plan

    plan = Plan(NAdam())
    values = {"theta": np.ones(1)}
    found = []
    for k in (1, 5, 2, 2, 5):
        plan.place(values, k, 0.1)
        found.append(values["product"])
    assert (
        found[1]
        == found[4]
        == pytest.approx(math.prod(0.9 * (1 - 0.5 * 0.96 ** (i * 4e-3)) for i in range(1, 6)))
    )
    assert (
        found[2] == found[3] == pytest.approx(math.prod(0.9 * (1 - 0.5 * 0.96 ** (i * 4e-3)) for i in (1, 2)))
    )
