"""The reference of a cell: a run or a leap by a rule on counts, with an estimate of its own error."""

import math
from pathlib import Path

import numpy as np
import pytest

import idescent as ide
from idescent.analysis.errors import BELOW, reference_error
from idescent.analysis.floor import ABOVE_FLOOR
from idescent.analysis.reference import COMPILED, PYTHON, RTOL, reference
from idescent.objectives import Quadratic
from idescent.trajectory import WHOLE, sampled

ROOT = Path(__file__).parents[2]
BOWL = Quadratic(4.0)
ADAM = ide.Adam(0.9, 0.99)
NADAM = ide.NAdam(0.9, 0.99)


def referenced(optimizer, steps, **given):
    return reference(optimizer, BOWL, **{"alpha": 1.0 / steps, "theta0": 1.0, "steps": steps, **given})


class Flat:
    """An objective without a slope."""

    def value(self, theta):
        return 0.0 * theta[..., 0]

    def gradient(self, theta):
        return 0.0 * theta


class Noisy(Quadratic):
    """A gradient with noise: no leap takes it."""

    calls = 0

    def gradient(self, theta):
        self.calls += 1
        return super().gradient(theta) + 1e-3 * math.sin(self.calls)


@pytest.mark.parametrize(
    ("optimizer", "steps", "kind", "rows"),
    [
        (ADAM, WHOLE, "run", WHOLE + 1),
        (ADAM, WHOLE + 1, "run", None),
        (ADAM, COMPILED[0], "run", None),
        (ADAM, COMPILED[0] + 1, "leap", None),
        (NADAM, 1000, "run", 1001),
        (NADAM, PYTHON[0] + 1, "leap", None),
    ],
)
def test_long_cells_leap_and_store_a_sample_of_their_rows(optimizer, steps, kind, rows):
    path = referenced(optimizer, steps)
    assert (path.report.status, path.report.details["reference"]) == ("completed", kind)
    assert len(path.k) == (rows or len(sampled(steps)))
    assert (path.k[0], path.k[-1]) == (0, steps)
    share = COMPILED[1] if optimizer is ADAM else PYTHON[1]
    work = path.report.gradient_evaluations
    assert work <= steps // share if kind == "leap" else work == steps
    assert set(path.moments) == set(optimizer.moments)


def test_the_gradients_of_a_leap_hardly_grow_with_its_length():
    few, many = (referenced(ADAM, steps).report.gradient_evaluations for steps in (10**6, 10**8))
    assert many < 1.5 * few


def test_a_leap_that_takes_too_many_gradients_gives_way_to_the_run():
    # A leap of this run takes about 2 000 gradients: more than a thirtieth of its iterations.
    optimizer, cell = ide.RMSProp(0.0), {"alpha": 0.01, "theta0": 3.9, "steps": 30_000}
    path = reference(optimizer, BOWL, **cell, rule=(PYTHON[0], 100))
    assert path.report.details["reference"] == "run"
    assert "gradients ended it at iteration" in path.report.details["leap"]
    assert cell["steps"] < path.report.gradient_evaluations < 1.3 * cell["steps"]
    run = ide.simulate(optimizer, BOWL, **cell, keep=sampled(cell["steps"]))
    np.testing.assert_array_equal(path.theta, run.theta)


def test_a_gradient_with_noise_is_run():
    path = reference(NADAM, Noisy(4.0), alpha=1e-3, theta0=1.0, steps=20_001)
    assert path.report.details["reference"] == "run"
    assert "no noise" in path.report.details["leap"]


def test_a_bad_argument_is_refused_as_by_a_run():
    with pytest.raises(ValueError, match="alpha: 2 is not allowed"):
        reference(NADAM, BOWL, alpha=2, theta0=1.0, steps=50_000)


@pytest.mark.parametrize(
    "optimizer", [ide.AdaGrad(), ide.RMSProp(0.9), ADAM, ide.AdamW(0.9, 0.99, 0.1)], ids=lambda o: repr(o)[:9]
)
def test_run_and_leap_of_a_cell_agree_within_their_estimates(optimizer):
    steps = 150_000
    leap, run = referenced(optimizer, steps, rule=(0, 1)), referenced(optimizer, steps, rule=(steps, 1))
    assert [path.report.details["reference"] for path in (leap, run)] == ["leap", "run"]
    difference = np.abs(leap.theta - run.theta).max()
    assert 0.0 < difference <= sum(reference_error(path, "theta", 0.0, 0.0) for path in (leap, run))
    for name, moment in leap.moments.items():
        scale = np.abs(moment).max()
        allowed = sum(reference_error(path, name, scale, 1.0) for path in (leap, run))
        assert np.abs(moment - run.moments[name]).max() <= allowed
    assert leap.loss == pytest.approx(run.loss, rel=1e-12)


def test_the_estimate_has_the_rounding_of_the_factor_of_weight_decay():
    steps, decay = 1_000_000, 0.1
    path = reference(ide.AdamW(0.9, 0.99, decay), Flat(), alpha=1.0 / steps, theta0=1.0, steps=steps)
    assert path.report.details["reference"] == "leap"
    exact = np.exp(path.k * math.log1p(-decay / steps))
    error = np.abs(path.theta[:, 0] - exact).max()
    assert 0.1 * path.report.error_estimate < error <= path.report.error_estimate
    # Far more than the resolution of the elements.
    assert error > 100.0 * path.report.details["resolution"]


def test_a_sample_has_the_first_iterations_and_groups_of_four():
    assert sampled(WHOLE) is None
    for steps in (WHOLE + 1, 10**6, 10**9):
        k = sampled(steps)
        assert (k[:1000] == np.arange(1000)).all()
        assert k[-1] == steps
        assert (np.diff(k) > 0).all()
        assert len(k) < 5002
        starts = k[1:][np.diff(k) > 1]
        assert np.isin(starts + 3, k).all()
        # No gap is longer than a 499th of the horizon.
        assert np.diff(k).max() <= steps / 499 + 1


def test_the_page_states_the_rule_that_the_code_has():
    page = " ".join((ROOT / "docs/scaling.md").read_text(encoding="utf-8").split())
    numbers = [f"{number:,}".replace(",", " ") for number in (PYTHON[0], COMPILED[0])]
    assert f"Up to {numbers[0]} iterations, or {numbers[1]} if the run has a compiled loop" in page
    assert f"one gradient for {PYTHON[1]} iterations of the run, or for {COMPILED[1]} if" in page
    assert f"at the tolerance {RTOL:g}" in page
    assert f"less than {ABOVE_FLOOR:g} times the reference's own has the status `{BELOW}`" in page
