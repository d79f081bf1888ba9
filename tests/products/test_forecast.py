"""The product and the study of long runs that are leapt over: table, figure, configuration."""

import csv
from pathlib import Path

import numpy as np
import pytest
import yaml

import idescent as ide
from idescent.config import ConfigError, load
from idescent.drawing.saving import styled
from idescent.products.forecast import rows as forecast
from idescent.products.forecast.figure import forecast_figure
from idescent.products.product import Task
from idescent.solvers.leap import leap
from idescent.study import registry

ROOT = Path(__file__).parents[2]
STUDY = yaml.safe_load((ROOT / "config" / "forecast.yaml").read_text(encoding="utf-8"))
CELL = {
    "objective": {"name": "quadratic", "class": "Quadratic", "arguments": {"center": 4.0}},
    "optimizer": {"class": "RMSProp", "arguments": {"beta": 0.99}},
    "alpha": 0.001,
    "theta0": [1.0],
    "steps": 2000,
}


def test_the_study_leaps_at_learning_rates_down_to_a_hundred_millionth():
    study = load(STUDY)
    ladders = {}
    for cell in study.settings["forecast"]:
        ladders.setdefault(str(cell["optimizer"]), []).append(cell)
    assert len(ladders) == 8
    for ladder in ladders.values():
        power = 2 if ladder[0]["optimizer"]["class"] == "AdaGrad" else 1
        horizons = [cell["alpha"] ** power * cell["steps"] for cell in ladder]
        assert horizons == pytest.approx([horizons[0]] * len(ladder))
        assert ladder[0]["alpha"] == 0.1
    smallest = [ladder[-1]["alpha"] for ladder in ladders.values()]
    assert sorted(smallest) == [1e-8] * 6 + [1e-7, 1e-5]
    # Runs that are leapt over are not among those that are made.
    assert [cell.steps for cell in study.cells] == [50_000]


def test_a_mistake_in_a_run_to_leap_over_is_one_line_that_names_it():
    wrong = STUDY | {"forecast": [STUDY["forecast"][1] | {"hyperparameters": {"beta": 1.5}}]}
    with pytest.raises(
        ConfigError, match=r"^config: forecast\.0\.hyperparameters\.beta: 1\.5 is not allowed: [^\n]*$"
    ):
        load(wrong)


def test_the_table_has_cost_estimate_and_error_of_every_run(tmp_path, monkeypatch):
    monkeypatch.setattr(forecast, "LONGEST", 3000)
    monkeypatch.setattr(forecast, "LONGEST_GENERIC", 1000)
    nadam = {"optimizer": {"class": "NAdam", "arguments": {}}}
    cells = [CELL, CELL | {"alpha": 0.0001, "steps": 20_000}, CELL | nadam]
    outputs = [tmp_path / f"forecast{suffix}" for suffix in (".csv", ".svg")]
    lines = []
    assert (
        forecast.job(Task([], outputs, {"cells": cells}, log=lines.append))
        == "3 runs leapt over, 1 of them also simulated"
    )
    assert len(lines) == 3
    with outputs[0].open(encoding="utf-8", newline="") as file:
        simulated, long, generic = csv.DictReader(file)
    assert long["error"] == generic["error"] == ""
    assert 0.0 < float(simulated["error"]) <= float(simulated["estimate"]) < 1e-9
    for row in (simulated, long, generic):
        parts = float(row["resolution"]) + float(row["rounding"])
        assert float(row["estimate"]) == pytest.approx(3.0 * parts)
        assert row["reached"] == row["steps"]
        assert int(row["iterations"]) < int(row["gradients"])
        assert int(row["elements"]) >= 5
    assert int(long["gradients"]) < 0.1 * int(long["steps"])


def test_a_leap_that_ends_early_has_the_error_of_its_part(monkeypatch):
    def short(*arguments, **settings):
        return leap(*arguments, **settings, limit=300)

    monkeypatch.setattr(forecast, "leap", short)
    row = forecast.predict(CELL)
    assert row["status"] == "not converged"
    assert 40 < row["reached"] < row["steps"] == 2000
    assert row["error"] <= row["estimate"] < 1e-9
    monkeypatch.undo()
    hill = CELL["objective"] | {"class": "DoubleWell", "arguments": {}}
    row = forecast.predict(CELL | {"objective": hill, "theta0": [1e70]})
    assert (row["status"], row["reached"], row["error"]) == ("diverged", 0, "")


def test_the_measured_error_is_that_of_every_iteration():
    """The run and the leap, compared at all iterations instead of a sample."""
    cell = CELL | {"steps": 150_000, "alpha": 1e-5}
    row = forecast.predict(cell)
    settings = {"alpha": 1e-5, "theta0": 1.0, "steps": 150_000}
    run = ide.simulate(ide.RMSProp(0.99), ide.Quadratic(4.0), **settings)
    error = np.abs(leap(ide.RMSProp(0.99), ide.Quadratic(4.0), **settings)(run.k) - run.theta).max()
    assert 0.9 * error <= row["error"] <= error


def test_the_figure_shows_the_numbers_of_the_table_and_marks_a_leap_that_ended_early():
    row = {"look": CELL["optimizer"], "steps": 100, "gradients": 50, "estimate": 1e-3, "status": "converged"}
    row |= {"rounding": 1e-5}
    rows = [
        row | {"alpha": 0.1, "error": 1e-4},
        row | {"alpha": 0.01, "error": "", "status": "not converged"},
    ]
    with styled():
        cost, error, estimate = forecast_figure(rows).axes
    assert [list(line.get_ydata()) for line in cost.lines] == [[50, 50], [100, 100], [50]]
    assert [list(line.get_xydata()[0]) for line in error.lines] == [[0.1, 1e-4]]
    assert [list(line.get_ydata()) for line in estimate.lines] == [[1e-3, 1e-3], [1e-5, 1e-5], [1e-3]]
    assert [list(ax.lines[-1].get_xdata()) for ax in (cost, estimate)] == [[0.01], [0.01]]
    assert error.get_ylim() == estimate.get_ylim()


def test_the_cost_is_flat_while_the_learning_rate_falls_to_a_hundred_millionth():
    """From alpha = 1e-4 to 1e-8 runs become 10 000 times as long, and cost at most 3 times the gradients."""
    gradients = {}
    for cell in load(STUDY).settings["forecast"]:
        optimizer = registry.optimizer(cell["optimizer"])
        # RMSProp with beta = 0.9 is unstable at the minimum: its iterations there are made one by one.
        if cell["alpha"] in (1e-4, 1e-6, 1e-8) and optimizer != ide.RMSProp(0.9):
            arguments = {name: cell[name] for name in ("alpha", "theta0", "steps")}
            report = leap(optimizer, ide.Quadratic(4.0), **arguments).report
            assert report.ok
            gradients.setdefault(str(optimizer), []).append(report.gradient_evaluations)
    assert sorted(map(len, gradients.values())) == [2, *[3] * 6]
    for optimizer, counts in gradients.items():
        assert max(counts) <= 3 * min(counts), (optimizer, counts)
