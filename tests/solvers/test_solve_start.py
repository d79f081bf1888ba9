"""Leaps and solutions that start at a checkpoint, against the run and against those from iteration 0."""

import numpy as np
import pytest

import idescent as ide
from idescent.discrete.generic import GenericLoop
from idescent.discrete.setup import Setup
from idescent.models import HalfStep, Naive, Paper
from idescent.schedules import Cosine, LinearWarmup
from idescent.solvers import Collocation, Picard

BOWL, THETA0, HERE, STEPS = ide.Quadratic(4.0), [1.0, -0.7], 300, 1500
ADAM = ide.Adam(0.9, 0.99)
TIGHT = {"rtol": 1e-12, "atol": 1e-14}
OPTIMIZERS = [
    ADAM,
    ide.RMSProp(0.9),
    ide.AdaGrad(),
    ide.NAdam(),
    ide.HeavyBall(),
    ide.Lion(),
    ide.AdaBelief(eps_root=1e-8),
    ide.Adamax(),
    ide.AdamW(0.9, 0.99, 0.1),
    ide.Adam(0.9, 0.99, accumulator="norm"),
    ide.ScheduleFreeAdamW(0.9, 0.99),
]


def named(value):
    return type(value).__name__


def checkpoint(optimizer, cell, k):
    """Return the state of the run after iteration k, as a training program has it."""
    training = GenericLoop(Setup.checked(optimizer, BOWL, **cell))
    schedule = cell.get("schedule")
    for i in range(1, k + 1):
        factor = 1.0 if schedule is None else float(schedule.rate(np.array([i - 0.5]))[0])
        training.iterate(i, cell["alpha"] * factor)
    moments = {name: training.values[name] for name in optimizer.moments}
    return {"theta": training.values["theta"], "moments": moments, "k": k}


@pytest.mark.parametrize(
    "schedule", [None, Cosine(STEPS), LinearWarmup(500)], ids=["constant", "cosine", "warmup"]
)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=named)
def test_a_leap_from_a_checkpoint_is_the_run_to_rounding(optimizer, schedule):
    cell = {"alpha": 1e-3, "theta0": THETA0, "steps": STEPS, "schedule": schedule}
    run = ide.simulate(optimizer, BOWL, **cell)
    cell = {"alpha": 1e-3, "start": checkpoint(optimizer, cell, HERE), "schedule": schedule}
    leap = ide.leap(optimizer, BOWL, steps=STEPS - HERE, **cell)
    assert (leap.first, leap.reached, leap.steps) == (HERE, STEPS, STEPS)
    assert leap.report.ok
    k = np.arange(HERE, STEPS + 1)
    error = np.abs(leap(k) - run.theta[k]).max()
    assert error <= min(1e-12, leap.report.error_estimate)
    assert leap.report.error_estimate <= 1e-9
    for name, rows in leap.moments(k).items():
        assert np.abs(rows - run.moments[name][k]).max() <= 1e-9 * np.abs(run.moments[name]).max()
    assert leap.report.details["elements"] >= 1
    assert sum(leap.report.details["lengths"]) + leap.report.details["iterations"] == STEPS - HERE


def test_a_leap_from_a_checkpoint_costs_no_gradients_before_it():
    cell = {"alpha": 1e-6, "steps": 10**6}
    run = ide.simulate(ADAM, BOWL, theta0=THETA0, **cell)
    leap = ide.leap(ADAM, BOWL, start=(run, 500_000), **cell | {"steps": 500_000})
    k = np.linspace(500_000, 10**6, 20_001).astype(int)
    assert np.abs(leap(k) - run.theta[k]).max() <= min(1e-11, leap.report.error_estimate)
    assert leap.report.gradient_evaluations <= 1_300


def test_a_leap_makes_the_iterations_asked_for_one_by_one():
    cell = {"alpha": 1e-3, "steps": STEPS}
    run = ide.simulate(ADAM, BOWL, theta0=THETA0, **cell)
    leap = ide.leap(ADAM, BOWL, start={"theta": THETA0, "iterations": 700}, **cell)
    assert leap.report.details["where"][0] == (0, 700)
    assert np.abs(leap(np.arange(STEPS + 1)) - run.theta).max() <= 1e-12


def test_a_leap_from_theta_is_that_from_theta0():
    cell = {"alpha": 1e-3, "steps": STEPS}
    leap, other = (ide.leap(ADAM, BOWL, **cell | x) for x in ({"theta0": THETA0}, {"start": THETA0}))
    k = np.arange(STEPS + 1)
    assert np.array_equal(leap(k), other(k))
    assert leap.report == other.report


def test_iterations_before_the_start_of_a_leap_are_refused():
    run = ide.simulate(ADAM, BOWL, alpha=1e-3, theta0=THETA0, steps=HERE)
    leap = ide.leap(ADAM, BOWL, alpha=1e-3, start=(run, HERE), steps=100)
    for k in (299, 401, 0):
        with pytest.raises(ValueError, match=rf"^k: {k} ... {k} is not allowed: must be in \[300, 400\]$"):
            leap(k)
    assert np.array_equal(leap(HERE), run.theta[HERE])


# Exponents p of the learning rates 2**-p in the asymptotic range.
WINDOWS = [
    (ADAM, 0.3, (9, 10, 11)),
    (ide.RMSProp(0.9), 0.3, (9, 10, 11)),
    (ide.AdaGrad(), 0.3, (7, 8, 9)),
    (ide.NAdam(), 0.3, (10, 11, 12)),
    (ide.HeavyBall(), 0.25, (14, 15)),
]


@pytest.mark.parametrize(("optimizer", "time", "exponents"), WINDOWS, ids=named)
def test_a_solution_from_a_checkpoint_is_of_second_order(optimizer, time, exponents, record_property):
    """Sup norm of theta over all iterations from the twelfth on, against the run."""
    errors = []
    for p in exponents:
        alpha, steps = 2.0**-p, round(time * 2**p)
        run = ide.simulate(optimizer, BOWL, alpha=alpha, theta0=1.0, steps=steps)
        path = ide.solve(HalfStep(), optimizer, BOWL, alpha=alpha, start=(run, 12), steps=steps - 12, **TIGHT)
        assert path.report.ok
        assert path.k.tolist() == list(range(12, steps + 1))
        errors.append(np.abs(path.theta - run.theta[12:]).max())
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    for order in orders:
        record_property("slope", float(order))
    assert (np.abs(orders - 2.0) <= 0.1).all(), (orders, errors)


def test_a_solution_of_lion_from_a_checkpoint_is_the_run_until_its_sign_changes():
    run = ide.simulate(ide.Lion(), BOWL, alpha=1e-3, theta0=THETA0, steps=600)
    path = ide.solve(HalfStep(), ide.Lion(), BOWL, alpha=1e-3, start=(run, 100), steps=500, **TIGHT)
    assert np.abs(path.theta - run.theta[100:]).max() <= 1e-13


@pytest.mark.slow
@pytest.mark.parametrize("schedule", [None, Cosine(300)], ids=["constant", "cosine"])
@pytest.mark.parametrize("optimizer", [x for x in OPTIMIZERS if named(x) != "AdaBelief"], ids=named)
def test_a_solution_from_a_checkpoint_is_that_after_as_many_first_iterations(optimizer, schedule):
    """The equation begins after the same true iterations, once from a checkpoint and once from theta0."""
    cell = {"alpha": 1e-3, "theta0": THETA0, "steps": 300, "schedule": schedule}
    whole = ide.solve(HalfStep(start=100), optimizer, BOWL, **cell, **TIGHT)
    start = checkpoint(optimizer, cell, 100)
    cell = {"alpha": 1e-3, "start": start, "steps": 200, "schedule": schedule}
    path = ide.solve(HalfStep(), optimizer, BOWL, **cell, **TIGHT)
    assert path.report.ok
    assert path.k.tolist() == list(range(100, 301))
    assert np.array_equal(path.t, whole.t[100:])
    assert np.abs(path.theta - whole.theta[100:]).max() <= 1e-12
    assert path.moments.keys() == whole.moments.keys()
    for name, rows in path.moments.items():
        assert np.abs(rows - whole.moments[name][100:]).max() <= 1e-10 * np.abs(whole.moments[name]).max()


@pytest.mark.parametrize(
    ("k", "iterations", "count"),
    [(0, 5, 5), (0, 30, 30), (3, None, 8), (3, 2, 5), (20, 10, 30), (20, None, 20)],
)
def test_the_first_iterations_of_a_solution_are_true_ones(k, iterations, count):
    run = ide.simulate(ADAM, BOWL, alpha=1e-2, theta0=THETA0, steps=100)
    moments = {name: rows[k] for name, rows in run.moments.items()}
    start = {"theta": run.theta[k], "moments": moments, "k": k} if k else {"theta": THETA0}
    start = start if iterations is None else start | {"iterations": iterations}
    path = ide.solve(HalfStep(), ADAM, BOWL, alpha=1e-2, start=start, steps=100 - k, **TIGHT)
    errors = np.abs(path.theta - run.theta[k:]).max(axis=1)
    assert errors[: count - k + 1].max() <= 1e-15
    assert errors[count - k + 1] >= 1e-9
    whole = ide.solve(HalfStep(start=count), ADAM, BOWL, alpha=1e-2, theta0=THETA0, steps=100, **TIGHT)
    assert np.abs(path.theta - whole.theta[k:]).max() <= 1e-12


def test_a_solution_stores_the_rows_asked_for():
    run = ide.simulate(ADAM, BOWL, alpha=1e-2, theta0=THETA0, steps=100)
    cell = {"alpha": 1e-2, "start": (run, 20), "steps": 80, **TIGHT}
    whole = ide.solve(HalfStep(), ADAM, BOWL, **cell)
    for keep, k in ((30, [20, 50, 80, 100]), ([20, 21, 77, 100], [20, 21, 77, 100])):
        path = ide.solve(HalfStep(), ADAM, BOWL, **cell, keep=keep)
        assert path.k.tolist() == k
        assert np.abs(path.theta - whole.theta[path.k - 20]).max() <= 1e-12
        assert np.abs(path.loss - BOWL.value(path.theta)).max() <= 1e-15
        assert np.abs(path.moments["v"] - whole.moments["v"][path.k - 20]).max() <= 1e-10
    with pytest.raises(ValueError, match=r"^keep: 0 ... 100 is not allowed: must be from 20 to 100$"):
        ide.solve(HalfStep(), ADAM, BOWL, **cell, keep=[0, 100])


@pytest.mark.slow
def test_logistic_regression_from_five_true_iterations():
    """At a learning rate of 0.1, with a memory of a hundred iterations."""
    objective = ide.objectives.LogisticRegression.breast_cancer()
    optimizer, cell = ide.RMSProp(0.99), {"alpha": 0.1, "rtol": 1e-6, "atol": 1e-8}
    theta0 = objective.initial(0)
    run = ide.simulate(optimizer, objective, alpha=0.1, theta0=theta0, steps=20)
    whole = ide.solve(
        HalfStep(), optimizer, objective, start={"theta": theta0, "iterations": 5}, steps=20, **cell
    )
    moments = {"square_avg": run.moments["v"][5], "step": 5}
    start = {"theta": run.theta[5], "moments": moments, "iterations": 0}
    path = ide.solve(HalfStep(), optimizer, objective, start=start, steps=15, **cell)
    assert whole.report.ok
    assert path.report.ok
    assert np.abs(whole.theta[:6] - run.theta[:6]).max() <= 1e-15
    assert np.abs(path.theta - whole.theta[5:]).max() <= 1e-6
    assert np.abs(path.theta - run.theta[5:]).max() <= 0.005 * np.abs(run.theta[5:] - theta0).max()


@pytest.mark.parametrize("model", [Paper(), Naive(), ide.models.Cattaneo()], ids=named)
def test_models_that_begin_at_theta0_refuse_a_checkpoint(model):
    run = ide.simulate(ADAM, BOWL, alpha=1e-2, theta0=THETA0, steps=20)
    cell = {"alpha": 1e-2, "steps": 20}
    rule = f"{type(model).__name__} begins at theta0 with the initial memories; HalfStep begins after any"
    for start, where in (((run, 7), "k = 7 is"), ({"theta": THETA0, "iterations": 5}, "k = 0 is")):
        with pytest.raises(ValueError, match=rf"^start: {where} not allowed: {rule} iterations$"):
            ide.solve(model, ADAM, BOWL, start=start, **cell)
    path, other = (
        ide.solve(model, ADAM, BOWL, **cell | x) for x in ({"theta0": THETA0}, {"start": (run, 0)})
    )
    assert np.array_equal(path.theta, other.theta)


def test_starts_that_no_solution_has_are_refused():
    run = ide.simulate(ADAM, BOWL, alpha=1e-2, theta0=THETA0, steps=20)
    cell = {"alpha": 1e-2, "steps": 20}
    moments = {name: rows[3] for name, rows in run.moments.items()}
    few = {"theta": run.theta[3], "moments": moments, "k": 3, "iterations": 1}
    with pytest.raises(
        ValueError, match=r"^start: k \+ iterations = 4 is not allowed: must be an integer >= 5$"
    ):
        ide.solve(HalfStep(), ADAM, BOWL, start=few, **cell)
    with pytest.raises(
        ValueError, match=r"^start: a checkpoint is not allowed with Picard: must be solved by"
    ):
        ide.solve(HalfStep(), ADAM, BOWL, start=(run, 7), solver=Picard(), **cell)
    with pytest.raises(
        ValueError, match=r"^start: moments after k = 0 are not allowed: Paper begins at theta0"
    ):
        ide.solve(Paper(), ADAM, BOWL, start={"theta": THETA0, "moments": moments, "k": 0}, **cell)


def test_a_solution_that_is_mostly_true_iterations_states_their_number():
    run = ide.simulate(ADAM, BOWL, alpha=1e-2, theta0=THETA0, steps=20)
    moments = {name: rows[10] for name, rows in run.moments.items()}
    start = {"theta": run.theta[10], "moments": moments, "k": 10, "iterations": 7}
    path = ide.solve(HalfStep(), ADAM, BOWL, alpha=1e-2, start=start, steps=10, solver=Collocation())
    assert path.report.message.endswith("; the first 7 iterations are the optimizer's own")
    path = ide.solve(HalfStep(), ADAM, BOWL, alpha=1e-2, start=(run, 10), steps=10)
    assert "own" not in path.report.message
