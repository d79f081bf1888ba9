"""The stage and the study of predicted runs: table, figure, configuration."""

import csv
from pathlib import Path

import pytest
import yaml

from idescent.config import ConfigError, load
from idescent.drawing.saving import styled
from idescent.products.forecast import rows as forecast
from idescent.products.forecast.figure import forecast_figure
from idescent.products.product import Task

ROOT = Path(__file__).parents[2]
STUDY = yaml.safe_load((ROOT / "config" / "forecast.yaml").read_text(encoding="utf-8"))
CELL = {
    "objective": {"name": "quadratic", "class": "Quadratic", "arguments": {"center": 4.0}},
    "optimizer": {"class": "RMSProp", "arguments": {"beta": 0.99}},
    "alpha": 0.001,
    "theta0": [1.0],
    "steps": 2000,
}


def test_the_study_predicts_each_learning_rate_of_its_ladder():
    study = load(STUDY)
    rates = {cell["alpha"] for cell in study.settings["forecast"]}
    assert (max(rates), min(rates)) == (0.1, 0.0001)
    assert len(study.settings["forecast"]) == 5 * len(rates)
    # Predicted runs are not among those that are made.
    assert {cell.alpha for cell in study.cells} == {0.1}


def test_a_mistake_in_a_predicted_run_is_one_line_that_names_it():
    wrong = STUDY | {"forecast": [STUDY["forecast"][1] | {"hyperparameters": {"beta": 1.5}}]}
    with pytest.raises(
        ConfigError, match=r"^config: forecast\.0\.hyperparameters\.beta: 1\.5 is not allowed: [^\n]*$"
    ):
        load(wrong)


def test_the_table_has_cost_estimate_and_error_of_every_run(tmp_path, monkeypatch):
    monkeypatch.setattr(forecast, "LONGEST", 3000)
    cells = [CELL, CELL | {"alpha": 0.0001, "steps": 20_000}]
    outputs = [tmp_path / f"forecast{suffix}" for suffix in (".csv", ".svg")]
    lines = []
    assert (
        forecast.job(Task([], outputs, {"cells": cells}, log=lines.append))
        == "2 runs predicted, 1 of them also simulated"
    )
    assert len(lines) == 2
    with outputs[0].open(encoding="utf-8", newline="") as file:
        made, predicted = csv.DictReader(file)
    assert predicted["error"] == ""
    assert 0.0 < float(made["error"]) <= float(made["estimate"])
    assert int(predicted["gradients"]) < 0.5 * int(predicted["steps"])


def test_the_figure_shows_the_numbers_of_the_table_and_crosses_out_what_did_not_converge():
    row = {"look": CELL["optimizer"], "steps": 100, "gradients": 50, "estimate": 1e-3, "status": "converged"}
    rows = [
        row | {"alpha": 0.1, "error": 1e-4},
        row | {"alpha": 0.01, "error": "", "status": "not converged"},
    ]
    with styled():
        cost, error = forecast_figure(rows).axes
    assert [list(line.get_ydata()) for line in cost.lines] == [[50, 50], [100, 100]]
    estimate, true, crosses = error.lines
    assert list(estimate.get_ydata()) == [1e-3, 1e-3]
    assert (list(true.get_xdata()), list(true.get_ydata())) == ([0.1], [1e-4])
    assert list(crosses.get_xdata()) == [0.01]
