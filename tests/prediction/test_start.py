"""Where a prediction starts: every form of a start leads to the same prediction."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
from predictions import THETA0, Quartic

import idescent as ide

ADAM, ALPHA = ide.Adam(0.9, 0.99), 1e-3
RUN = ide.simulate(ADAM, Quartic(), alpha=ALPHA, theta0=THETA0, steps=400)
HERE, LATER = 100, np.arange(100, 401, 20)


@dataclass
class Checkpoint:
    theta: np.ndarray
    moments: dict
    k: int


class ScaleByAdamState(NamedTuple):
    """The state of optax, with its names."""

    count: np.ndarray
    mu: np.ndarray
    nu: np.ndarray


def predicted(start, optimizer=ADAM, steps=300, **settings):
    settings = {"alpha": ALPHA, "estimate": False, **settings}
    return ide.predict(optimizer, Quartic(), start=start, steps=steps, **settings)


def row(name):
    return RUN.moments[name][HERE]


FORMS = {
    "a trajectory": (RUN, HERE),
    "a mapping": {"theta": RUN.theta[HERE], "moments": {"m": row("m"), "v": row("v")}, "k": HERE},
    "an object": Checkpoint(RUN.theta[HERE], {"m": row("m"), "v": row("v")}, HERE),
    "torch.optim": {
        "theta": [RUN.theta[HERE][:3].reshape(3, 1), RUN.theta[HERE][3:]],
        "moments": {
            "step": np.array(float(HERE)),
            "exp_avg": [row("m")[:3].reshape(3, 1), row("m")[3:]],
            "exp_avg_sq": [row("v")[:3].reshape(3, 1), row("v")[3:]],
        },
    },
    "optax": {"theta": RUN.theta[HERE], "moments": ScaleByAdamState(np.array(HERE), row("m"), row("v"))},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_prediction_continues_a_run_from_its_state(form):
    result = predicted(FORMS[form])
    assert (result.first, result.reached) == (HERE, 400)
    assert np.array_equal(result(HERE), RUN.theta[HERE])
    assert np.array_equal(result(LATER), predicted(FORMS["a trajectory"])(LATER))
    assert np.abs(result.loss(LATER) / RUN.loss[LATER] - 1.0).max() <= 1e-4
    assert result.report.gradient_evaluations <= 60


def test_a_start_without_the_moments_would_be_another_prediction():
    result = predicted({"theta": RUN.theta[HERE]})
    assert np.abs(result(300) - RUN.theta[400]).max() >= 1e-3


@pytest.mark.parametrize(
    ("optimizer", "alpha"),
    [(ide.AdaGrad(), 0.01), (ide.RMSProp(0.9), 1e-3), (ide.HeavyBall(0.9, 0.1), 1e-4), (ide.Lion(), 1e-3)],
    ids=lambda x: type(x).__name__,
)
def test_moments_of_other_optimizers_continue_their_runs(optimizer, alpha):
    run = ide.simulate(optimizer, Quartic(), alpha=alpha, theta0=THETA0, steps=400)
    result = predicted((run, HERE), optimizer, alpha=alpha)
    losses = result.loss(LATER)
    assert np.abs(losses - run.loss[LATER]).max() <= 2e-3 * (run.loss[HERE] - run.loss[-1])


@pytest.mark.parametrize("iterations", [0, 5, 20])
def test_true_iterations_come_first_and_are_exact(iterations):
    result = predicted({"theta": THETA0, "iterations": iterations})
    k = np.arange(iterations + 1)
    # The loop of the run rounds in another order.
    assert np.abs(result(k) - RUN.theta[k]).max() <= 1e-14
    assert np.abs(result(iterations + 5) - RUN.theta[iterations + 5]).max() > 1e-14
    assert np.abs(result(np.arange(301)) - RUN.theta[:301]).max() <= 1e-4
    assert result.report.details["path"] == result.report.gradient_evaluations >= iterations + 10


def test_a_start_is_followed_by_eight_true_iterations():
    assert np.abs(predicted(THETA0)(np.arange(9)) - RUN.theta[:9]).max() <= 1e-14
    assert np.abs(predicted(THETA0)(12) - RUN.theta[12]).max() > 1e-14


def test_a_horizon_within_the_true_iterations_is_the_run():
    result = predicted(THETA0, steps=6, estimate=True)
    assert (result.reached, result.report.status) == (6, "estimated")
    assert np.abs(result(np.arange(7)) - RUN.theta[:7]).max() <= 1e-14
    assert result.report.error_estimate == 0.0


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (RUN, r"a Trajectory alone is not allowed"),
        ((RUN, 401), r"k = 401 is not allowed: the trajectory has no row of this iteration"),
        ((RUN, -1), r"start: k: -1 is not allowed"),
        ((RUN, 1, 2), r"3 values are not allowed"),
        ({"theta": THETA0, "iteration": 3}, r"the keys \['theta', 'iteration'\] are not allowed"),
        ({"moments": {}}, r"the keys \['moments'\] are not allowed"),
        ({"theta": THETA0, "k": 3}, r"k = 3 without moments is not allowed"),
        ({"theta": THETA0, "moments": {"m": THETA0, "v": THETA0}}, r"moments without k are not allowed"),
        ({"theta": THETA0, "moments": {"m": THETA0}, "k": 3}, r"'v' is missing: must have m, v"),
        (
            {"theta": THETA0, "moments": {"m": THETA0, "v": THETA0[:2]}, "k": 3},
            r"moment 'v'.*must be .*\(4,\)",
        ),
        ({"theta": THETA0, "moments": 3, "k": 3}, r"start\['moments'\]: 3 is not allowed"),
        ({"theta": THETA0, "iterations": -1}, r"start\['iterations'\]: -1 is not allowed"),
        ([1.0, np.nan, 0.0, 0.0], r"every value must be finite"),
        ("theta", r"start: 'theta' is not allowed"),
        ([], r"must have a parameter"),
    ],
)
def test_any_other_start_is_refused_in_one_line(start, message):
    with pytest.raises(ValueError, match=message) as error:
        predicted(start)
    assert "\n" not in str(error.value)


def test_a_trajectory_of_another_optimizer_is_refused():
    with pytest.raises(ValueError, match="the trajectory has no moment 'G': it is of another optimizer"):
        predicted((RUN, HERE), ide.AdaGrad())


def test_a_start_of_another_size_than_the_shape_is_refused():
    with pytest.raises(ValueError, match=r"Muon.shape: \(3, 2\) is not allowed: there are 4 parameters"):
        predicted(THETA0, ide.Muon(shape=(3, 2)))


def test_a_run_that_overflows_in_its_first_iterations_is_refused():
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match="start: theta is not finite after iteration"),
    ):
        predicted(1e3 * THETA0, ide.GradientDescent(), alpha=1.0)
