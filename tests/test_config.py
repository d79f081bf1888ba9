"""The configuration: what a grid expands to, and what is said of a mistake."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from configured import changed, figure, minimal, problem

from idescent import config

ROOT = Path(__file__).parent.parent


def test_the_grid_is_the_product_of_all_hyperparameters_and_learning_rates() -> None:
    study = config.load(minimal())
    assert [(cell.alpha, cell.optimizer["arguments"]["beta2"], cell.steps) for cell in study.cells] == [
        (0.1, 0.99, 10),
        (0.01, 0.99, 100),
        (0.1, 0.999, 10),
        (0.01, 0.999, 100),
    ]


def test_a_cell_is_the_plain_data_that_jobs_read() -> None:
    cell = config.load(minimal()).cells[0].spec()
    assert json.loads(json.dumps(cell)) == {
        "objective": {"name": "quadratic", "class": "Quadratic", "arguments": {"center": 4.0}},
        "optimizer": {"class": "Adam", "arguments": {"beta1": 0.9, "beta2": 0.99}},
        "alpha": 0.1,
        "theta0": [1.0],
        "steps": 10,
    }


def test_paths_name_the_learning_rate_and_then_hyperparameters_in_the_order_of_the_optimizer() -> None:
    study = config.load(minimal())
    folder = "results/tiny/quadratic/Adam/alpha~0.1,beta1~0.9,beta2~0.99"
    assert study.path(study.cells[0], "paper.exact") == f"{folder}/paper.exact.parquet"


def test_a_horizon_in_time_is_divided_by_the_learning_rate() -> None:
    raw = changed("runs/0/time", 3.0)
    del raw["runs"][0]["steps"]
    assert {cell.alpha: cell.steps for cell in config.load(raw).cells} == {0.1: 30, 0.01: 300}


def test_one_number_of_steps_holds_for_every_learning_rate() -> None:
    assert {cell.steps for cell in config.load(changed("runs/0/steps", 7)).cells} == {7}


def test_numbers_with_an_exponent_and_no_dot_are_numbers() -> None:
    raw = changed("solutions/paper.exact/rtol", yaml.safe_load("1e-7"))
    assert config.load(raw).solutions["paper.exact"]["rtol"] == 1e-7


def test_whole_and_decimal_notation_of_a_hyperparameter_are_the_same_cell() -> None:
    whole, decimal = changed("runs/0/hyperparameters/beta1", 0), changed("runs/0/hyperparameters/beta1", 0.0)
    assert config.load(whole) == config.load(decimal)


@pytest.mark.parametrize(
    ("theta0", "message"),
    [
        ([1.0, 2.0], "shape (2,) is not allowed: Rosenbrock has 3 parameters"),
        ({"seed": 2**32}, "{'seed': 4294967296} is not allowed: Seed must be between 0 and 2**32 - 1"),
    ],
)
def test_a_start_that_does_not_fit_its_objective_stops_before_the_first_job(
    theta0: Any, message: str
) -> None:
    raw = changed("objectives/quadratic", {"class": "Rosenbrock", "arguments": {"dimension": 3}})
    raw["runs"][0]["theta0"] = {"seed": 1}
    assert config.load(raw).cells[0].theta0 == {"seed": 1}
    raw["runs"][0]["theta0"] = theta0
    assert problem(raw) == f"config: runs.0.theta0: {message}"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("runs/0/alpha/0", 1.5, "config: runs.0.alpha.0: 1.5 is not allowed: must be in (0, 1]"),
        ("runs/0/alpha/0", 0, "config: runs.0.alpha.0: 0 is not allowed: must be in (0, 1]"),
        ("runs/0/alpha/0", True, "config: runs.0.alpha.0: True is not allowed: must be a number"),
        ("runs/0/alpha", [], "config: runs.0.alpha: [] is not allowed: must not be empty"),
        (
            "runs/0/theta0",
            {"sed": 1},
            "config: runs.0.theta0: {'sed': 1} is not allowed: "
            "must be a number, a list of numbers, or {seed: an integer >= 0}",
        ),
        (
            "runs/0/theta0",
            float("nan"),
            "config: runs.0.theta0.0: nan is not allowed: must be a finite number",
        ),
        ("runs/0/steps/0", 0, "config: runs.0.steps.0: 0 is not allowed: must be an integer >= 1"),
        (
            "runs/0/steps",
            [1, 2, 3],
            "config: runs.0: steps must be one number, or 2 numbers, one for each alpha",
        ),
        ("runs/0/time", 1.0, "config: runs.0: must have exactly one of steps, time and until"),
        (
            "runs/0/hyperparameters/beta1",
            1.0,
            "config: runs.0.hyperparameters.beta1: 1.0 is not allowed: must be a number in [0, 1)",
        ),
        (
            "study",
            "../elsewhere",
            "config: study: '../elsewhere' is not allowed: must consist of letters, digits, '_' and '-'",
        ),
        (
            "solutions/paper.exact/rtol",
            0.0,
            "config: solutions.paper.exact.rtol: 0.0 is not allowed: must be in (0, 1)",
        ),
        (
            "runs/0/objective",
            "cubic",
            "config: runs.0.objective: 'cubic' is not allowed: must be one of quadratic",
        ),
        (
            "runs/0/alfa",
            0.1,
            "config: runs.0.alfa: this key is not allowed: must be one of "
            "objective, optimizer, theta0, hyperparameters, alpha, steps, time, until, schedule, solutions, "
            "leap",
        ),
        (
            "colour",
            "red",
            "config: colour: this key is not allowed: "
            "must be one of study, objectives, schedules, runs, solutions, cells_per_job, seconds_per_job, "
            "figures, scaling, fidelity, ensembles, forecast, claims, products",
        ),
        (
            "scaling",
            {"reference": "elsewhere"},
            "config: scaling.reference: 'elsewhere' is not allowed: must be one of paper.exact",
        ),
        (
            "scaling",
            {"alpha": [0.1, 0.05]},
            "config: scaling.alpha: 0.05 is not allowed: must be one of 0.1, 0.01",
        ),
        (
            "scaling",
            {"name": "errors"},
            "config: scaling.name: 'errors' is not allowed: other tables have this name",
        ),
        (
            "scaling",
            {"ladder": True},
            "config: scaling.ladder: this key is not allowed: "
            "must be one of name, reference, alpha, maps, quantities, optimizers",
        ),
        (
            "objectives/mine",
            "nowhere_at_all:Mine",
            "config: objectives.mine: 'nowhere_at_all:Mine' is not allowed: "
            "there is no module 'nowhere_at_all'",
        ),
    ],
)
def test_a_mistake_is_one_line_with_field_value_and_what_is_allowed(
    path: str, value: Any, message: str
) -> None:
    assert problem(changed(path, value)) == message


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("runs/0/optimizer", "Adagrda", ["config: runs.0", "optimizer", "'Adagrda'"]),
        ("objectives/quadratic/class", "Cubic", ["config: objectives.quadratic", "'Cubic'"]),
        ("objectives/quadratic/arguments", {"centre": 4.0}, ["config: objectives.quadratic", "centre"]),
        ("solutions/paper.exact/model", "Nobody", ["config: solutions.paper.exact.model", "'Nobody'"]),
        ("runs/0/hyperparameters/beta3", 0.5, ["config: runs.0.hyperparameters", "beta3"]),
        ("runs/0/theta0", "one", ["config: runs.0.theta0", "'one'", "must be a number"]),
        ("objectives/a b", {"class": "Quadratic"}, ["config: objectives.a b", "must consist of"]),
    ],
)
def test_a_misspelt_name_is_one_line_that_names_it(path: str, value: Any, words: list[str]) -> None:
    text = problem(changed(path, value))
    assert "\n" not in text
    for word in words:
        assert word in text


def test_a_missing_field_is_named() -> None:
    raw = minimal()
    del raw["runs"][0]["alpha"]
    assert problem(raw) == "config: runs.0.alpha is missing: Learning rates in (0, 1]"


def test_two_mistakes_are_two_lines() -> None:
    raw = changed("runs/0/alpha/0", 1.5)
    raw["study"] = "a/b"
    assert len(problem(raw).splitlines()) == 2


def test_the_same_cell_twice_is_refused() -> None:
    raw = minimal()
    raw["runs"].append(copy.deepcopy(raw["runs"][0]))
    assert problem(raw) == (
        "config: runs.1: quadratic/Adam/alpha~0.1,beta1~0.9,beta2~0.99 is not allowed: "
        "it is already in runs.0"
    )


def test_the_same_learning_rate_twice_is_refused() -> None:
    assert "already in runs.0" in problem(changed("runs/0/alpha/1", 0.1))


def test_a_figure_of_a_cell_that_is_not_run_is_refused() -> None:
    text = problem(changed("figures/one", figure(panels=[{"alpha": 0.5}])))
    assert text.startswith("config: figures.one.select: ")
    assert "0.5" in text


def test_a_figure_names_the_files_it_is_drawn_from_and_no_others() -> None:
    chosen = figure(
        select=[{"optimizer": "Adam", "beta2": 0.99}], show=["discrete", "paper.exact"], errors=True
    )
    drawn = config.load(changed("figures/one", chosen)).settings["figures"]["one"]
    folder = "quadratic/Adam/alpha~0.1,beta1~0.9,beta2~0.99"
    assert drawn.inputs == (f"{folder}/discrete.parquet", f"{folder}/paper.exact.parquet")
    assert drawn.stems == ("one", "one_errors")


STUDIES = sorted(set((ROOT / "config").glob("*.yaml")) - {ROOT / "config/claims.yaml"})


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_that_comes_with_the_project_is_valid(path: Path) -> None:
    assert config.load(yaml.safe_load(path.read_text(encoding="utf-8"))).cells


def test_the_papers_grid_has_its_twenty_six_cells() -> None:
    study = config.load(yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8")))
    assert {group: len(cells) for group, cells in study.groups.items()} == {
        ("quadratic", "AdaGrad"): 2,
        ("quadratic", "RMSProp"): 6,
        ("quadratic", "Adam"): 8,
        ("mse", "AdaGrad"): 2,
        ("mse", "RMSProp"): 4,
        ("mse", "Adam"): 4,
    }


def test_the_stored_schema_is_the_one_that_the_code_generates() -> None:
    stored = json.loads((ROOT / "workflow/schemas/config.schema.json").read_text(encoding="utf-8"))
    assert stored == config.schema()


def test_every_key_of_the_schema_says_what_it_means() -> None:
    definitions = config.schema()["$defs"]
    for name in ("RunSpec", "SolutionSpec", "ClassSpec"):
        for key, field in definitions[name]["properties"].items():
            assert field.get("description"), f"{name}.{key}"
