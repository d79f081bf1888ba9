"""Runs that start at a checkpoint: every form of it continues the run to the last digit."""

from dataclasses import dataclass
from typing import NamedTuple

import array_api_strict
import numpy as np
import pytest

import idescent as ide
from idescent.discrete import loop
from idescent.discrete.generic import GenericLoop
from idescent.discrete.setup import Setup
from idescent.schedules import Cosine

ADAM, BOWL, ALPHA, HERE, STEPS = ide.Adam(0.9, 0.99), ide.Quadratic(4.0), 1e-2, 60, 200
THETA0 = [1.0, -0.7]
RUN = ide.simulate(ADAM, BOWL, alpha=ALPHA, theta0=THETA0, steps=STEPS)
THETA = RUN.theta[HERE]
M, V = (RUN.moments[name][HERE] for name in "mv")
OPTIMIZERS = [
    ADAM,
    ide.RMSProp(0.9),
    ide.AdaGrad(),
    ide.Adam(0.9, 0.99, accumulator="norm"),
    ide.AdamW(0.9, 0.99, 0.1),
    ide.NAdam(),
    ide.HeavyBall(),
    ide.Lion(),
    ide.AMSGrad(0.9, 0.99),
    ide.MomentumRMSProp(),
    ide.ADOPT(),
]


def named(optimizer):
    return type(optimizer).__name__


class Steep:
    """A quadratic too steep for a learning rate of 1."""

    def value(self, theta):
        return 50.0 * (theta**2).sum(axis=-1)

    def gradient(self, theta):
        return 100.0 * theta


@dataclass
class Checkpoint:
    theta: np.ndarray
    moments: dict
    k: int


class Adam32(NamedTuple):
    """The state of optax, with its names."""

    count: np.ndarray
    mu: np.ndarray
    nu: np.ndarray


FORMS = {
    "trajectory": (RUN, HERE),
    "mapping": {"theta": THETA, "moments": {"m": M, "v": V}, "k": HERE},
    "object": Checkpoint(THETA, {"m": M, "v": V}, HERE),
    "torch.optim": {
        "theta": [THETA[:1].reshape(1, 1), THETA[1:]],
        "moments": {
            "step": np.array(float(HERE)),
            "exp_avg": [M[:1].reshape(1, 1), M[1:]],
            "exp_avg_sq": [V[:1].reshape(1, 1), V[1:]],
        },
    },
    "optax": {"theta": THETA, "moments": Adam32(np.array(HERE), M, V)},
}


def continued(start, optimizer=ADAM, steps=STEPS - HERE, **settings):
    return ide.simulate(optimizer, BOWL, alpha=ALPHA, start=start, steps=steps, **settings)


def assert_continues(path, run, k):
    assert path.k.tolist() == list(k)
    assert np.array_equal(path.t, run.t[k])
    assert np.array_equal(path.theta, run.theta[k])
    assert np.array_equal(path.loss, run.loss[k])
    for name, rows in run.moments.items():
        assert np.array_equal(path.moments[name], rows[k])


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_checkpoint_continues_the_run(form):
    path = continued(FORMS[form])
    assert_continues(path, RUN, range(HERE, STEPS + 1))
    assert path.report.gradient_evaluations == STEPS - HERE


@pytest.mark.parametrize("schedule", [None, Cosine(STEPS)], ids=["constant", "cosine"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=named)
def test_a_run_of_any_optimizer_continues_with_its_schedule(optimizer, schedule):
    cell = {"alpha": ALPHA, "theta0": THETA0, "steps": STEPS, "schedule": schedule}
    run = ide.simulate(optimizer, BOWL, **cell)
    path = continued((run, HERE), optimizer, schedule=schedule)
    assert_continues(path, run, range(HERE, STEPS + 1))


@pytest.mark.parametrize("optimizer", [ADAM, ide.NAdam()], ids=named)
def test_a_continued_run_stores_the_rows_asked_for_in_blocks(optimizer, monkeypatch):
    run = ide.simulate(optimizer, BOWL, alpha=ALPHA, theta0=THETA0, steps=STEPS)
    monkeypatch.setattr(loop, "BLOCK", 2 * 16)
    for keep, k in ((50, [60, 110, 160, 200]), ([60, 61, 133, 200], [60, 61, 133, 200])):
        assert_continues(continued((run, HERE), optimizer, keep=keep), run, k)


@pytest.mark.parametrize(
    "start", [THETA0, {"theta": THETA0}, {"theta": THETA0, "iterations": 20}, (RUN, 0)], ids=range(4)
)
def test_a_start_without_iterations_is_theta0(start):
    assert_continues(continued(start, steps=STEPS), RUN, range(STEPS + 1))


def test_a_checkpoint_of_a_loop_continues_an_optimizer_whose_stored_iterate_is_another_one():
    """The state is that of the loop, as a training program has it: rows of the run contain other iterates."""
    optimizer = ide.ScheduleFreeAdamW(0.9, 0.99)
    cell = {"alpha": ALPHA, "theta0": THETA0, "steps": STEPS}
    training = GenericLoop(Setup.checked(optimizer, BOWL, **cell))
    for k in range(1, HERE + 1):
        training.iterate(k, ALPHA)
    moments = {name: training.values[name] for name in optimizer.moments}
    start = {"theta": training.values["theta"], "moments": moments, "k": HERE}
    run = ide.simulate(optimizer, BOWL, **cell)
    assert_continues(continued(start, optimizer), run, range(HERE, STEPS + 1))


def test_a_divergence_is_reported_at_its_iteration_of_the_run():
    cell = {"alpha": 1.0, "steps": 1000}
    run = ide.simulate(ide.HeavyBall(0.9), Steep(), theta0=THETA0, **cell)
    path = ide.simulate(ide.HeavyBall(0.9), Steep(), start=(run, 10), **cell)
    at = run.report.diverged_at
    assert at is not None
    assert at > 10
    assert path.report.diverged_at == at
    assert path.report.message == run.report.message
    assert path.report.gradient_evaluations == at - 10
    assert np.array_equal(path.theta, np.pad(run.theta[10:], ((0, 10), (0, 0)), constant_values=np.nan), True)


def test_a_start_does_not_change_with_its_arrays():
    start = {"theta": THETA.copy(), "moments": {"m": M.copy(), "v": V.copy()}, "k": HERE}
    path = continued(start)
    path.theta[:] = 0.0
    assert np.array_equal(start["theta"], THETA)
    assert np.array_equal(start["moments"]["m"], M)


MOMENTS = {"m": M, "v": V}
BAD = [
    ({"theta": THETA, "theta0": THETA}, "start: the keys ['theta', 'theta0'] are not allowed"),
    ({"theta": THETA, "moments": MOMENTS}, "start: moments without k are not allowed"),
    ({"theta": THETA, "k": 3}, "start: k = 3 without moments is not allowed"),
    ({"theta": THETA, "moments": MOMENTS, "k": 0.5}, "start['k']: 0.5 is not allowed: must be an integer"),
    ({"theta": THETA, "moments": MOMENTS, "k": -1}, "start['k']: -1 is not allowed"),
    ({"theta": THETA, "moments": MOMENTS, "k": 2**53}, "start: k + steps = 9007199254741132 is not allowed"),
    ({"theta": THETA, "iterations": -1}, "start['iterations']: -1 is not allowed"),
    ({"theta": THETA, "moments": {"m": M}, "k": 3}, "start['moments']: 'v' is missing: must have m, v"),
    ({"theta": THETA, "moments": 3, "k": 3}, "start['moments']: 3 is not allowed: must be a dict by name"),
    (
        {"theta": THETA, "moments": {"m": M, "v": V[:1]}, "k": 3},
        "start: moment 'v': 1 values are not allowed: must be 2",
    ),
    (
        {"theta": THETA, "moments": {"m": M, "v": V * np.nan}, "k": 3},
        "start['moments']['v']: array([nan, nan]) is not allowed: every value must be finite",
    ),
    ({"theta": []}, "start['theta']: [] is not allowed: must have a parameter"),
    ({"theta": None}, "start['theta']: None is not allowed: must be theta, (trajectory, k)"),
    ("theta", "start: 'theta' is not allowed: must be real numbers"),
    (RUN, "start: a Trajectory alone is not allowed: must be (trajectory, k)"),
    ((RUN, HERE, 3), "start: 3 values are not allowed: must be (trajectory, k)"),
    ((RUN, True), "start: k: True is not allowed: must be an integer >= 0"),
    ((RUN, 300), "start: k = 300 is not allowed: the trajectory has no row of this iteration"),
    (
        (ide.simulate(ide.RMSProp(0.9), BOWL, alpha=ALPHA, theta0=THETA0, steps=9), 3),
        "start: the trajectory has no moment 'm': it is of another optimizer",
    ),
]


@pytest.mark.parametrize(("start", "message"), BAD, ids=range(len(BAD)))
def test_a_start_in_no_form_is_refused_in_one_line(start, message):
    with pytest.raises(ValueError, match=r"^start") as caught:
        continued(start)
    text = str(caught.value)
    assert text.startswith(message)
    assert "\n" not in text


def test_a_trajectory_of_other_iterates_is_refused():
    optimizer = ide.ScheduleFreeSGD()
    run = ide.simulate(optimizer, BOWL, alpha=ALPHA, theta0=THETA0, steps=9)
    with pytest.raises(ValueError, match="contains the iterates of evaluate: must be a dict"):
        continued((run, 3), optimizer)


def test_exactly_one_of_theta0_and_start_is_required():
    with pytest.raises(ValueError, match=r"^start: .* is not allowed: must be None beside theta0$"):
        continued(THETA0, theta0=THETA0)
    with pytest.raises(ValueError, match=r"^theta0: None is not allowed: must be a number or a vector"):
        ide.simulate(ADAM, BOWL, alpha=ALPHA, steps=3)


@pytest.mark.parametrize("keep", [[0, 200], [60, 199], [61, 200]], ids=str)
def test_the_rows_kept_are_those_of_the_iterations(keep):
    rule = rf"^keep: {keep[0]} ... {keep[1]} is not allowed: must be from 60 to 200$"
    with pytest.raises(ValueError, match=rule):
        continued((RUN, HERE), keep=keep)


class Tensor:
    """The methods of a tensor that requires a gradient and is on a device."""

    def __init__(self, values):
        self.values, self.shape = np.asarray(values), np.shape(values)

    def __array__(self, *arguments, **settings):
        raise RuntimeError("Can't call numpy() on a tensor that requires grad")

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.values


@pytest.mark.parametrize("library", [Tensor, array_api_strict.asarray], ids=["torch", "array API"])
def test_arrays_of_other_libraries_are_accepted(library):
    moments = {"step": library(np.array(60.0)), "exp_avg": library(M), "exp_avg_sq": library(V)}
    path = continued({"theta": [library(THETA[:1]), library(THETA[1:])], "moments": moments})
    assert_continues(path, RUN, range(HERE, STEPS + 1))
