"""A solution that its model or solver refuses is a fact about that cell, and costs no other."""

from __future__ import annotations

import copy
import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from idescent import config
from idescent.drawing.saving import styled
from idescent.jobs import pack, solve
from idescent.products.ensembles import rows as ensembles
from idescent.products.ensembles import table as ensembles_table
from idescent.products.errors import rows as error_rows
from idescent.products.errors import table as errors_table
from idescent.products.fidelity import figure as fidelity_figures
from idescent.products.fidelity import rows as fidelity
from idescent.products.fidelity import table as fidelity_table
from idescent.products.forecast import rows as forecast
from idescent.products.product import Task
from idescent.products.report import summary
from idescent.products.scaling import figure as scaling_figures
from idescent.products.scaling import rows as scaling
from idescent.products.scaling import table as scaling_table
from idescent.products.scaling.rows import sup_errors
from idescent.store.tables import data_frame
from idescent.study import registry
from idescent.trajectory import Trajectory, read

DECAY = "weight_decay: 20.0 is not allowed with alpha = 0.1: alpha*weight_decay must be < 1"
EXACT = {"solver": "Collocation", "rtol": 1e-8, "atol": 1e-11}
STUDY: dict[str, Any] = {
    "study": "refusing",
    "objectives": {"quadratic": {"class": "Quadratic", "arguments": {"center": 4.0}}},
    "runs": [
        {
            "objective": "quadratic",
            "optimizer": "AdamW",
            "theta0": 1.0,
            "hyperparameters": {"beta1": 0.9, "beta2": 0.99, "weight_decay": [0.1, 20]},
            "alpha": [0.1, 0.04],
            "steps": 12,
        },
        {"objective": "quadratic", "optimizer": "AdaGrad", "theta0": 1.0, "alpha": [0.1], "steps": 12},
    ],
    "solutions": {
        "half-step": {"model": "HalfStep", **EXACT},
        "third-order": {"model": "ThirdOrder", **EXACT},
        "paper": {"model": "Paper", **EXACT},
    },
}


def changed(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(STUDY) | changes


@pytest.fixture(scope="module")
def study() -> Any:
    return config.load(STUDY)


@pytest.fixture(scope="module")
def files(study: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """All trajectories of the study, made by its jobs."""
    root = tmp_path_factory.mktemp("refusing")
    for one in study.packs:
        for name in ("discrete", *study.names(one)):
            output = root / f"packs/{one.folder}/{name}.json"
            output.parent.mkdir(parents=True, exist_ok=True)
            stage = "simulate" if name == "discrete" else "solve"
            pack.run(stage, study.job(one, name), output, "code", lambda _: None)
    return [root / study.place(cell, name) for cell in study.cells for name in cell.paths]


@pytest.fixture(scope="module")
def rows(files: list[Path]) -> list[dict[str, Any]]:
    return list(error_rows.table(files).to_pylist())


def test_each_cell_has_all_its_solutions_and_the_refused_ones_say_why(files: list[Path]) -> None:
    said = {
        (file.parents[1].name, file.parent.name, file.stem): read(file).report
        for file in files
        if file.stem != "discrete"
    }
    refused = {key: report.message for key, report in said.items() if report.status == "refused"}
    large = "alpha~0.1,beta1~0.9,beta2~0.99,weight_decay~20.0"
    assert refused == {
        ("AdamW", large, "half-step"): DECAY,
        ("AdamW", large, "third-order"): DECAY,
        ("AdaGrad", "alpha~0.1", "third-order"): (
            "ThirdOrder: AdaGrad is not allowed: must be Adam, AdamW or AdamL2"
        ),
    }
    assert {report.status for report in said.values()} == {"refused", "converged"}


def test_a_refused_solution_has_no_numbers_but_those_of_its_cell(rows: list[dict[str, Any]]) -> None:
    refused = [row for row in rows if row["status"] == "refused"]
    assert {row["quantity"] for row in refused} == {"theta", "loss", "m", "v", "G"}
    numbers = ("error", "relative", "at", "compared", "error_estimate", "gradient_evaluations", "sweeps")
    assert {row[name] for row in refused for name in numbers} == {None}
    assert all(row["reason"] is None for row in rows if row["status"] != "refused")
    assert {row["steps"] for row in refused} == {12}


def test_without_a_refusal_the_table_has_the_columns_that_it_always_had(files: list[Path]) -> None:
    plain = [file for file in files if "weight_decay~0.1" in file.parent.name]
    assert "reason" not in error_rows.table(plain).column_names


def test_the_tables_for_people_and_the_summary_say_which_and_why(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    frame = data_frame(error_rows.as_table(rows))
    lines, splits = errors_table.compact(frame), errors_table.split(frame)
    text = errors_table.markdown(lines, splits)
    assert text.count("| – | – | – | – | – | **refused** † |") == 3
    assert f"half-step is refused at quadratic, AdamW (0.9, 0.99, decay 20), alpha = 0.1: {DECAY}." in text
    assert r"\textbf{refused}$^\dagger$" in errors_table.latex(lines, splits)
    table = tmp_path / "tables/errors.csv"
    table.parent.mkdir()
    texts = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    said = "\n".join(summary.lines("refusing", table, [], texts))
    assert "not converged: none" in said
    place = "quadratic AdamW alpha~0.1,beta1~0.9,beta2~0.99,weight_decay~20.0"
    assert f"refused solutions: 3\n    {place} half-step: {DECAY}\n" in said


def test_scaling_tables_and_figures_hold_the_others(rows: list[dict[str, Any]]) -> None:
    declared = {"half-step": ("half-step", 2), "third-order": ("third-order", 3), "paper": ("paper", 1)}
    found = scaling.rows(rows, declared, reference="half-step")
    text = scaling_table.markdown(scaling.compact(found, [0.1, 0.04]), [0.1, 0.04], "half-step")
    assert "| 0.9, 0.99, decay 20 | half-step † | **refused** |" in text
    assert "Refused: the model or its solver does not allow these hyper-parameters." in text
    with styled():
        figure = scaling_figures.scaling_figure(sup_errors(found, "quadratic", "AdamW"))
    said = [note.get_text() for ax in figure.axes for note in ax.texts if note.get_gid() == "remark"]
    assert said == ["half-step: refused at α = 0.1\nthird-order: refused at α = 0.1"]


def test_of_how_long_a_refused_model_holds_nothing_is_said(files: list[Path]) -> None:
    objective = registry.objective({"class": "Quadratic", "arguments": {"center": 4.0}})
    found = fidelity.rows(files, [0.05], objective)
    table = fidelity.as_table(found).to_pylist()
    refused = [row for row in table if row["status"] == "refused"]
    assert len(refused) == 3 * 2
    assert {
        row[name] for row in refused for name in ("horizon", "largest", "last", "gradient_evaluations")
    } == {None}
    assert "| – | – | – | – | **refused** † |" in fidelity_table.markdown(table)
    assert "refused" in fidelity_table.latex(table)
    cell = {}
    for file in files:
        if file.parent.name == "alpha~0.1":
            cell[file.stem] = fidelity_figures.read_with_metadata(file)
    models = {"half-step": "half-step", "third-order": "third-order", "paper": "paper"}
    with styled():
        figure = fidelity_figures.fidelity_figure([cell], models, [0.05])
    assert [note.get_text() for note in figure.axes[1].texts if note.get_gid() == "remark"] == [
        "third-order: refused"
    ]


def test_what_every_cell_refuses_is_a_mistake_of_the_configuration_in_one_line() -> None:
    raw = changed(runs=STUDY["runs"][1:])
    with pytest.raises(config.ConfigError) as caught:
        config.load(raw)
    assert str(caught.value) == (
        "config: solutions.third-order: refused in its only cell: "
        "ThirdOrder: AdaGrad is not allowed: must be Adam, AdamW or AdamL2"
    )
    raw = changed(runs=[STUDY["runs"][0] | {"alpha": [0.1, 0.06]}])
    raw["runs"][0]["hyperparameters"] = {"beta1": 0.9, "beta2": 0.99, "weight_decay": 20}
    with pytest.raises(config.ConfigError) as caught:
        config.load(raw)
    assert str(caught.value) == f"config: solutions.half-step: refused in all of its 2 cells: {DECAY}"


def test_what_a_solver_refuses_is_known_as_well() -> None:
    local = {"local": {"model": "Local", "solver": "Picard"}}
    raw = changed(runs=STUDY["runs"][1:], solutions=local)
    with pytest.raises(
        config.ConfigError, match=r"^config: solutions\.local: .*not allowed with Picard[^\n]*$"
    ):
        config.load(raw)
    # Of Adam the same model is the paper's, which Algorithm 4 solves.
    config.load(changed(solutions=local))


def test_what_a_class_of_ones_own_refuses_is_known_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "choosy.py").write_text(
        "from idescent.models import Paper\n"
        "class Choosy(Paper):\n"
        "    def equation(self, optimizer, alpha):\n"
        "        if alpha > 0.05:\n"
        "            raise ValueError('alpha: too\\n  large for me')\n"
        "        return super().equation(optimizer, alpha)\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    own = {"mine": {"model": "choosy:Choosy", **EXACT}}
    config.load(changed(solutions=own))
    with pytest.raises(config.ConfigError, match=r"only cell: alpha: too large for me$"):
        config.load(changed(runs=STUDY["runs"][1:], solutions=own))


def test_a_schedule_is_judged_at_its_largest_rate() -> None:
    # alpha * decay is 0.8 at the start, and 2.4 from iteration 10 on.
    run = STUDY["runs"][0] | {"alpha": [0.04], "steps": 20, "schedule": "tripling"}
    run["hyperparameters"] = {"beta1": 0.9, "beta2": 0.99, "weight_decay": 20.0}
    tripling = {"tripling": {"class": "Step", "arguments": {"every": 10, "factor": 3.0}}}
    solutions = {"half-step": STUDY["solutions"]["half-step"]}
    with pytest.raises(config.ConfigError, match=r"only cell: weight_decay: 20\.0 .* with alpha = 0\.12: "):
        config.load(changed(runs=[run], solutions=solutions, schedules=tripling))
    steady = run | {"schedule": None}
    # Behind the run, the schedule goes on to rates that this one never has.
    low = run | {"alpha": [0.01]}
    study = config.load(changed(runs=[run, steady, low], solutions=solutions, schedules=tripling))
    made = [
        next(solve.make([cell.spec() | {"solution": study.solutions["half-step"]}], _quadratic(), list))
        for cell in study.cells
    ]
    ended = [path.report.status for path in made if isinstance(path, Trajectory)]
    assert ended == ["refused", "converged", "converged"]


def _quadratic() -> Any:
    return registry.objective(STUDY["objectives"]["quadratic"])


class _Holed:
    """A gradient that is not a number."""

    def value(self, theta: Any) -> Any:
        return theta[..., 0] * theta[..., 0]

    def gradient(self, theta: Any) -> Any:
        return theta * np.nan


def test_an_objective_that_is_not_finite_at_the_start_is_for_no_model_to_refuse() -> None:
    study = config.load(STUDY)
    cell = study.cells[0].spec() | {"solution": study.solutions["half-step"]}
    (found,) = solve.make([cell], _Holed(), list)
    assert isinstance(found, ValueError)
    assert "must be finite" in str(found)


ENSEMBLE: dict[str, Any] = {
    "objective": "mse", "optimizer": "RMSProp", "theta0": 0.0, "hyperparameters": {"beta": 0.9},
    "alpha": [0.05], "steps": 30, "batch": [4], "runs": 5, "seed": 7, "equations": ["Compagnoni", "Malladi"],
    "substeps": 2, "start": 5, "points": 10,
}  # fmt: skip


def _crowd(*blocks: dict[str, Any]) -> dict[str, Any]:
    mse = {"mse": {"class": "MeanSquaredError.synthetic", "arguments": {"size": 40}}}
    return changed(objectives=STUDY["objectives"] | mse, ensembles=[ENSEMBLE | block for block in blocks])


def test_an_ensemble_records_models_and_equations_that_refuse_its_optimizer() -> None:
    decay = {"beta1": 0.9, "beta2": 0.99, "weight_decay": 20.0}
    study = config.load(_crowd({"optimizer": "AdamW", "hyperparameters": decay, "alpha": [0.06]}, {}))
    given = next(one for one in study.settings["ensembles"].values() if one["optimizer"]["class"] == "AdamW")
    _, largest = ensembles.make(given, lambda _: None)
    table = ensembles.largest_table(largest).to_pylist()
    status = {row["model"]: row["status"] for row in table}
    assert status == {
        "half-step": "refused", "third-order": "refused", "paper": "converged",
        "compagnoni": "completed", "malladi": "refused",
    }  # fmt: skip
    reasons = {row["model"]: row["reason"] for row in table}
    assert reasons["malladi"] == "malladi: AdamW is not allowed: it has weight decay"
    assert {row["error"] for row in table if row["status"] == "refused"} == {None}
    text = ensembles_table.markdown(table)
    assert "malladi is refused for AdamW: malladi: AdamW is not allowed: it has weight decay." in text


def test_an_equation_that_every_ensemble_refuses_is_a_mistake() -> None:
    with pytest.raises(config.ConfigError) as caught:
        config.load(_crowd({"equations": []}, {"optimizer": "AdaGrad", "hyperparameters": {}}))
    assert str(caught.value) == (
        "config: ensembles.1.equations: Compagnoni: refused in its only cell: "
        "compagnoni: AdaGrad is not allowed: its accumulator is a sum, not an average"
    )


def test_a_run_that_a_leap_refuses_has_a_row_that_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "noisy_forecast.py").write_text(
        "import numpy as np\n"
        "class Noisy:\n"
        "    random = np.random.default_rng(0)\n"
        "    def value(self, theta): return (theta * theta).sum(axis=-1)\n"
        "    def gradient(self, theta): return 2.0 * theta + self.random.normal(size=theta.shape)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    run = {
        "optimizer": {"class": "NAdam", "arguments": {}}, "theta0": [1.0], "steps": 50, "alpha": 0.1,
    }  # fmt: skip
    objectives = [
        {"name": "noisy", "class": "noisy_forecast:Noisy"},
        {"name": "quadratic", "class": "Quadratic", "arguments": {"center": 4.0}},
    ]
    outputs = [tmp_path / f"forecast{suffix}" for suffix in (".csv", ".svg")]
    forecast.job(Task([], outputs, {"cells": [run | {"objective": one} for one in objectives]}))
    with outputs[0].open(encoding="utf-8", newline="") as file:
        refused, computed = csv.DictReader(file)
    assert refused["status"] == "refused"
    assert refused["reason"] == "objective.gradient: two gradients at theta0 differ: leap takes no noise"
    assert (refused["estimate"], refused["error"], refused["gradients"]) == ("", "", "")
    assert computed["status"] == "converged"
    assert math.isfinite(float(computed["error"]))
    assert "refused" in outputs[1].read_text(encoding="utf-8")
