"""The page on real objectives: its rows, against horizons that are counted by hand, and its blocks."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import idescent as ide
from idescent.study.cells import Cell
from idescent.trajectory import Report

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import real_data_numbers as real  # noqa: E402 (in the folder above)

PAGE = (ROOT / "docs/real-data.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"<!-- (\w+): measured -->\n(.*?)<!-- \1: end -->", PAGE, flags=re.S))
LATE = {"theta": 1.0, "iterations": real.TRUE}


def tiny(steps: int = 60) -> Cell:
    objective = {"name": "logistic", "class": "Quadratic", "arguments": {"center": 4.0}}
    optimizer = {"class": "RMSProp", "arguments": {"beta": 0.9}}
    return Cell(objective, optimizer, 0.1, [1.0], steps, ())


@pytest.fixture(scope="module")
def run():
    objective = ide.objectives.Quadratic(center=4.0)
    return ide.simulate(ide.RMSProp(0.9), objective, alpha=0.1, theta0=1.0, steps=6)


# Relative errors of the loss by iteration: above 1 % from k = 3 on, above 10 % at k = 5 only.
FACTORS = np.array([1.0, 1.001, 0.992, 1.02, 1.005, 0.5, 1.0])


def test_a_horizon_ends_before_the_first_error_above_the_bound(run):
    path = replace(run, loss=run.loss * FACTORS, report=Report("converged", gradient_evaluations=15))
    prediction = real.solved(run, path)
    assert (prediction.horizons, prediction.open, prediction.reason) == ((2, 4), (False, False), "")
    assert prediction.largest == pytest.approx(0.5)
    assert prediction.cost == 2.5


def test_a_solution_without_an_end_has_open_horizons_and_a_reason(run):
    loss, theta = run.loss * FACTORS, run.theta.copy()
    loss[5:], theta[5:] = np.nan, np.nan
    report = Report("not converged", "no solution beyond iteration 4.5: budget", diverged_at=5)
    prediction = real.solved(run, replace(run, loss=loss, theta=theta, report=report))
    assert (prediction.horizons, prediction.open) == ((2, 4), (False, True))
    assert prediction.reason == "not converged: no solution beyond iteration 4.5: budget"
    assert prediction.largest == pytest.approx(0.02)


@pytest.mark.parametrize(("reached", "horizons", "still"), [(6, (2, 4), False), (4, (2, 4), True)])
def test_a_prediction_counts_up_to_the_iteration_that_it_reached(run, reached, horizons, still):
    report = Report("estimated", "budget used up at iteration 4 of 6; more", gradient_evaluations=3)
    result = SimpleNamespace(reached=reached, loss=lambda k: (run.loss * FACTORS)[k], report=report)
    prediction = real.predicted(run, result)
    assert (prediction.horizons, prediction.open) == (horizons, (False, still))
    assert prediction.reason == ("budget used up at iteration 4 of 6" if still else "")
    assert prediction.cost == 0.5


def count(errors: list[float], bound: float) -> int:
    end = -1
    for k, error in enumerate(errors):
        if error > bound:
            return end
        end = k
    return end


def test_the_row_of_a_cell_has_the_horizons_of_a_run_computed_by_hand():
    cell = tiny()
    theta, second, losses = 1.0, 0.0, [9.0]
    for _ in range(cell.steps):
        gradient = 2.0 * (theta - 4.0)
        second = 0.9 * second + 0.1 * gradient**2
        theta -= cell.alpha * gradient / (np.sqrt(second) + 1e-8)
        losses.append((theta - 4.0) ** 2)
    m = real.measured(cell)
    np.testing.assert_allclose(m.run.loss, losses, rtol=1e-12)
    optimizer, objective = ide.RMSProp(0.9), ide.objectives.Quadratic(center=4.0)
    setting = {"alpha": cell.alpha, "steps": cell.steps}
    others = {
        "paper, 0": ide.solve(ide.models.Paper(), optimizer, objective, theta0=1.0, **setting).loss,
        "half-step, 5": ide.solve(
            ide.models.HalfStep(start=5), optimizer, objective, theta0=1.0, **setting
        ).loss,
        "predict, 5": ide.predict(optimizer, objective, start=LATE, **setting).loss(
            np.arange(cell.steps + 1)
        ),
    }
    for name, predicted in others.items():
        errors = [abs(x - y) / max(y, 1e-3 * losses[0]) for x, y in zip(predicted, losses, strict=True)]
        assert m.predictions[name].horizons == tuple(count(errors, bound) for bound in (0.01, 0.1))
        assert m.predictions[name].largest == pytest.approx(max(errors), rel=1e-3)
    # The prediction from the start ends at its budget.
    assert m.predictions["predict, 0"].open == (False, True)
    row = next(line for line in real.horizons([m]).splitlines() if line.startswith("| RMSProp"))
    assert row == "| RMSProp, α 0.1, β 0.9 | 60 | 0 / 29 | 0 / ≥ 58 | all / all | all / all |"


def test_an_end_names_the_edge_and_the_neighbour():
    def end(horizon: int, still: bool = False) -> real.Prediction:
        return real.Prediction((0, horizon), (False, still), 1.0, 1.0, "")

    assert real.reason(end(90), 90, None, 90) == "no end"
    assert real.reason(end(40), 60, 7, 90) == "at the edge since k = 7, neighbour leaves too"
    assert real.reason(end(40, still=True), 90, None, 90) == "solver, below the edge, neighbour holds"


def test_the_page_has_a_row_of_every_cell_and_the_refusals_of_today():
    rows = [line for line in BLOCKS["held"].splitlines() if line.startswith("| ") and "α " in line]
    # One for horizons, one for errors and gradients.
    assert len(rows) == 2 * len(real.cells())
    assert set(BLOCKS) == {*real.BLOCKS, "refusals"}
    assert BLOCKS["refusals"].strip() == real.refusals()
