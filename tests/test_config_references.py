"""Solutions that are measured against another, in a configuration."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from configured import changed, figure, minimal, problem

from idescent import config


def with_scheme(**change: Any) -> dict[str, Any]:
    raw = minimal()
    raw["solutions"]["half.exact"] = {"model": "HalfStep", "solver": "Collocation"}
    scheme = {"model": "Paper", "solver": "Picard", "reference": "paper.exact"}
    raw["solutions"]["paper.picard"] = scheme | change
    return raw


def test_a_reference_reaches_the_job_that_solves_and_is_absent_where_none_is_given() -> None:
    solutions = config.load(with_scheme()).solutions
    assert solutions["paper.picard"]["reference"] == "paper.exact"
    assert "reference" not in solutions["paper.exact"]


@pytest.mark.parametrize(
    "reference",
    ["paper.exakt", "discrete", "paper.picard", "half.exact"],
    ids=["unknown", "discrete", "itself", "of another model"],
)
def test_a_reference_must_be_another_solution_of_the_same_model(reference: str) -> None:
    assert problem(with_scheme(reference=reference)) == (
        f"config: solutions.paper.picard.reference: {reference!r} is not allowed: must be one of paper.exact"
    )


def test_a_reference_that_is_itself_measured_is_refused() -> None:
    raw = with_scheme()
    raw["solutions"]["paper.gauss"] = {"model": "Paper", "solver": "Picard", "reference": "paper.picard"}
    assert problem(raw) == (
        "config: solutions.paper.gauss.reference: 'paper.picard' is not allowed: must be one of paper.exact"
    )


def test_a_reference_where_no_other_solution_has_the_model_is_one_line() -> None:
    raw = changed("solutions/paper.exact/reference", "paper.exact")
    assert problem(raw) == (
        "config: solutions.paper.exact.reference: 'paper.exact' is not allowed: "
        "no other solution has this model"
    )


def test_a_run_may_choose_its_solutions() -> None:
    raw = with_scheme()
    second = copy.deepcopy(raw["runs"][0]) | {"optimizer": "AdamL2", "solutions": ["half.exact"]}
    second["hyperparameters"]["weight_decay"] = 0.1
    raw["runs"].append(second)
    study = config.load(raw)
    assert [cell.solutions for cell in study.cells] == [
        *[("paper.exact", "half.exact", "paper.picard")] * 4,
        *[("half.exact",)] * 4,
    ]
    jobs = [study.job(pack, name) for pack in study.packs for name in study.names(pack)]
    solved = [(cell["folder"], job["solution"]["name"]) for job in jobs for cell in job["cells"]]
    assert sorted(solved) == sorted((cell.folder, name) for cell in study.cells for name in cell.solutions)
    assert study.planned["solve"] == [
        *[
            f"results/tiny/packs/quadratic/Adam/all/{name}.json"
            for name in ("paper.exact", "half.exact", "paper.picard")
        ],
        "results/tiny/packs/quadratic/AdamL2/all/half.exact.json",
    ]


@pytest.mark.parametrize(
    ("solutions", "message"),
    [
        (["nobody"], "'nobody' is not allowed: must be one of paper.exact, half.exact, paper.picard"),
        (["paper.picard"], "'paper.picard' is not allowed without its reference 'paper.exact'"),
        ([], "[] is not allowed: must not be empty"),
    ],
)
def test_a_choice_of_solutions_that_cannot_be_is_one_line(solutions: list[str], message: str) -> None:
    raw = with_scheme()
    raw["runs"][0]["solutions"] = solutions
    assert problem(raw) == f"config: runs.0.solutions: {message}"


def test_a_figure_of_a_solution_that_its_cells_do_not_have_is_refused() -> None:
    raw = with_scheme()
    raw["runs"][0]["solutions"] = ["paper.exact"]
    raw["figures"]["one"] = figure(
        select=[{"optimizer": "Adam", "beta2": 0.99}], show=["discrete", "half.exact"]
    )
    assert problem(raw) == (
        "config: figures.one.show: 'half.exact' is not allowed: "
        "the cell quadratic/Adam/alpha~0.1,beta1~0.9,beta2~0.99 has no such solution"
    )


def test_a_figure_of_a_path_that_the_study_has_not_is_refused() -> None:
    assert problem(changed("figures/one", figure(show=["nobody"]))) == (
        "config: figures.one.show: 'nobody' is not allowed: must be one of discrete, paper.exact"
    )
