"""Measured orders against claims: what is right is verified, what is wrong fails, what is unclear says so."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest

import idescent as ide
from idescent.analysis import ladder
from idescent.models import Paper
from idescent.models.lags import Lag
from idescent.objectives import RotatedQuadratic
from idescent.optimizers import Optimizer, average

BOWL = ide.Quadratic(4.0)
ADAM = ide.Adam(0.8, 0.9)


@dataclass(frozen=True)
class Signed(Optimizer):
    def memories(self):
        return {"m": average(0.5)}

    def step(self, m):
        return np.sign(m)


@pytest.mark.parametrize("optimizer", [ADAM, ide.HeavyBall(0.5)], ids=["Adam", "HeavyBall"])
def test_the_claim_of_second_order_is_verified(optimizer):
    result = ide.verify(optimizer, BOWL, theta0=1.0)
    assert (result.claim, result.verdict) == (2, "ok")
    assert all(slope >= 1.9 for slope in result.slopes[-2:])
    assert all(rung.share <= ladder.SHARE for rung in result.rungs)
    assert {a.alpha / b.alpha for a, b in pairwise(result.rungs)} == {2.0}
    assert {rung.alpha * rung.steps for rung in result.rungs} == {result.time}


def test_an_error_of_a_rung_is_that_of_solve_and_simulate():
    result = ide.verify(ADAM, BOWL, theta0=1.0, model=Paper(), time=0.5, exponents=(6, 8))
    assert [rung.steps for rung in result.rungs] == [32, 128]
    cell = {"alpha": 2.0**-8, "theta0": 1.0, "steps": 128}
    run = ide.simulate(ADAM, BOWL, **cell)
    path = ide.solve(Paper(), ADAM, BOWL, **cell, rtol=1e-10)
    assert result.rungs[1].error == pytest.approx(np.abs(run.theta - path.theta).max(), rel=1e-3)
    assert result.rungs[1].slope == pytest.approx(
        np.log2(result.rungs[0].error / result.rungs[1].error) / 2.0, rel=1e-12
    )


def test_a_lag_shifted_by_half_an_iteration_fails(monkeypatch):
    change = Lag.change

    def shifted(self, kappa):
        # Not all lags: the direction of Adam depends on their difference only, to first order.
        return 1.0 / (1.0 / change(self, kappa) + (0.5 if self.beta == 0.5 else 0.0))

    monkeypatch.setattr(Lag, "change", shifted)
    for optimizer in (ide.HeavyBall(0.5), ide.Adam(0.5, 0.8)):
        result = ide.verify(optimizer, BOWL, theta0=1.0)
        assert (result.claim, result.verdict) == (2, "fail")
        assert result.slopes[-1] == pytest.approx(1.0, abs=0.1)
        assert "below 1.9" in result.why


@pytest.mark.parametrize(
    "optimizer", [ADAM, ide.RMSProp(0.9), ide.GradientDescent()], ids=lambda o: type(o).__name__
)
def test_a_first_order_model_that_claims_order_two_fails(optimizer):
    result = ide.verify(optimizer, BOWL, theta0=1.0, model=replace(Paper(), order=2))
    assert (result.claim, result.verdict) == (2, "fail")


def test_an_optimizer_without_a_claim_says_why():
    result = ide.verify(Signed(), BOWL, theta0=1.0)
    assert (result.claim, result.verdict, result.rungs) == (None, "no claim", ())
    assert "sign" in result.why
    variance = {"theta0": 1.0, "model": Paper(), "time": 0.0625, "exponents": (8, 9, 10)}
    measured = ide.verify(ide.CenteredRMSProp(0.9), BOWL, **variance)
    assert (measured.claim, measured.verdict, len(measured.rungs)) == (None, "no claim", 3)
    assert measured.why.startswith("slopes ")
    refused = ide.verify(ide.AdaBelief(0.9, 0.99), BOWL, theta0=1.0, model=ide.models.HalfStep())
    assert (refused.verdict, refused.rungs) == ("no claim", ())
    assert refused.why.startswith("refused: ")


def test_the_horizon_ends_before_a_coordinate_of_the_gradient_reaches_zero():
    objective, start = RotatedQuadratic(3, 4.0, 0), [1.5, -1.0, 2.0]
    result = ide.verify(ide.RMSProp(0.9), objective, theta0=start)
    assert result.verdict == "ok"
    last = result.rungs[-1]
    run = ide.simulate(ide.RMSProp(0.9), objective, alpha=last.alpha, theta0=start, steps=last.steps)
    gradient = objective.gradient(run.theta)
    assert (gradient * gradient[0] > 0.0).all()


@pytest.mark.slow
def test_a_zero_of_the_gradient_is_found_where_the_optimizer_evaluates_it():
    objective, start = RotatedQuadratic(3, 4.0, 0), [1.5, -1.0, 2.0]
    result = ide.verify(ide.ScheduleFreeAdamW(0.5, 0.8), objective, theta0=start)
    assert (result.claim, result.verdict) == (2, "ok")
    steps = ladder.Ladder(ide.ScheduleFreeSGD(0.5), objective, start, Paper(), 1e6, None)
    run = steps.simulated(6, 0.5)
    gradients = []

    class Counted(RotatedQuadratic):
        def gradient(self, theta):
            gradients.append(super().gradient(theta))
            return gradients[-1]

    ide.simulate(ide.ScheduleFreeSGD(0.5), Counted(3, 4.0, 0), alpha=2.0**-6, theta0=start, steps=run.steps)
    np.testing.assert_allclose(objective.gradient(steps.points), gradients[-run.steps :], rtol=1e-12)


def test_slopes_beyond_a_zero_of_the_gradient_are_not_judged():
    objective, start = RotatedQuadratic(3, 4.0, 0), [1.5, -1.0, 2.0]
    model = replace(Paper(), order=2)
    result = ide.verify(ide.RMSProp(0.9), objective, theta0=start, model=model, time=1.0, exponents=(6, 7, 8))
    assert result.verdict == "undecided"
    assert "of the gradient reaches 0 at t = " in result.why


def test_the_work_is_bounded_and_an_open_end_is_no_verdict():
    result = ide.verify(ide.QHM(0.9, 0.7), BOWL, theta0=1.0, work=5e3)
    assert result.verdict == "undecided"
    assert "the work of 5000 iterations and gradients is done" in result.why


def test_rounding_ends_the_ladder():
    result = ide.verify(ide.Adam(0.9, 0.999), BOWL, theta0=1.0)
    assert result.verdict == "undecided"
    assert "near rounding" in result.why


def test_learning_rates_at_which_the_run_diverges_are_left_out():
    result = ide.verify(ide.GradientDescent(), ide.Quadratic([4.0, 4.0]), theta0=[1.0, 6.0])
    assert result.verdict == "ok"


def test_the_text_has_a_line_for_each_learning_rate(capsys):
    lines = []
    result = ide.verify(ADAM, BOWL, theta0=1.0, model=Paper(), progress=lines.append)
    text = str(result)
    assert text.count("\n 2^-") + text.count("\n2^-") == len(result.rungs) == len(lines)
    assert "horizon: t = alpha k = 1" in text
    assert "claim: order 1" in text
    assert result.to_dict()["rungs"][0]["alpha"] == result.rungs[0].alpha


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"exponents": (5,)}, r"exponents: \(5,\) is not allowed: must be at least 2 increasing integers"),
        ({"exponents": (5, 5)}, "must be at least 2 increasing integers"),
        ({"exponents": (5, 6.5)}, "must be at least 2 increasing integers"),
        ({"exponents": (5, 6), "time": 0.3}, r"time \* 2\*\*5 must be a whole number of iterations"),
        ({"time": -1.0}, "time"),
        ({"work": 0.0}, "work"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(arguments, said):
    with pytest.raises(ValueError, match=said) as caught:
        ide.verify(ADAM, BOWL, theta0=1.0, **arguments)
    assert "\n" not in str(caught.value)


def test_a_ladder_leaps_to_small_learning_rates_where_the_slope_is_two():
    result = ide.verify(ADAM, BOWL, theta0=1.0, time=0.5, exponents=(12, 14, 15, 16), work=3e4)
    assert [rung.steps for rung in result.rungs] == [2**11, 2**13, 2**14, 2**15]
    assert result.slopes == pytest.approx([2.0, 2.0, 2.0], abs=0.005)
    assert all(rung.share <= ladder.SHARE for rung in result.rungs)


@pytest.mark.slow
def test_the_work_of_a_leap_is_its_gradients():
    steps = ladder.Ladder(ADAM, BOWL, 1.0, ide.models.HalfStep(), 1e6, None)
    run = steps.simulated(20, 0.5)
    assert run.report.details["reference"] == "leap"
    assert steps.spent == run.report.gradient_evaluations < 5000
    # A zero of the gradient is at the time of its iteration, not of its row.
    steps.simulated(17, 4.0)
    assert steps.zero()[1] == pytest.approx(ladder.Ladder.zero(_whole(17, 4.0))[1], rel=0.01)


def _whole(exponent, time):
    steps = ladder.Ladder(ADAM, BOWL, 1.0, ide.models.HalfStep(), 1e6, None)
    run = ide.simulate(ADAM, BOWL, alpha=2.0**-exponent, theta0=1.0, steps=round(time * 2**exponent))
    steps.points, steps.k, steps.alpha = run.theta, run.k, 2.0**-exponent
    return steps
