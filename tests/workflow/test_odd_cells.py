"""A study of nothing but odd cells runs to its report, which says of each what it is."""

from __future__ import annotations

import copy
import html
import re
import shutil

import pyarrow.parquet as pq
import pytest
import yaml
from projects import ROOT, STUDY, Project
from reported import table_of

pytestmark = pytest.mark.workflow

ODD = yaml.safe_load((ROOT / "config/odd.yaml").read_text(encoding="utf-8"))


def test_a_study_of_odd_cells_runs_to_its_report(fresh: Project) -> None:
    shutil.copy(ROOT / "config/odd.py", fresh.folder / "config")
    fresh.configure(ODD)
    outcome = fresh.run()
    assert outcome.status == 0, outcome.text
    assert "Traceback" not in outcome.text
    assert "Warning" not in outcome.text
    folder = fresh.folder / "results/odd"
    rows = pq.read_table(folder / "tables/errors.parquet").to_pylist()
    total = [row for row in rows if (row["quantity"], row["norm"], row["kind"]) == ("theta", "sup", "total")]

    # Each solution of each cell has its row.
    cells = {(row["objective"], row["optimizer"], row["label"]) for row in total}
    assert len(cells) == 26
    assert len(total) == len({(row["objective"], row["label"], row["solution"]) for row in total}) == 70

    found: dict[str, set[tuple[str, str, float | None, str]]] = {}
    for row in total:
        one = (row["objective"], row["optimizer"], row["weight_decay"], row["solution"])
        found.setdefault(row["status"], set()).add(one)
    assert found.pop("converged")
    assert found == {
        "implausible": {("memories", "Adam", None, "algorithm-4")},
        "refused": {
            ("quadratic", "AdamW", 20.0, "half-step"),
            ("quadratic", "AdamW", 20.0, "third-order"),
            ("quadratic", "AdaGrad", None, "third-order"),
            ("quadratic", "AdaGrad", None, "local-picard"),
        },
        "not converged": {("quadratic", "Adam", None, "thrifty")},
        "diverged": {("edge", "RMSProp", None, "paper"), ("edge", "RMSProp", None, "half-step")},
    }
    assert {row["objective"] for row in total if row["discrete_status"] == "diverged"} == {"edge"}
    assert {row["error"] for row in total if row["objective"] == "still"} == {0.0}
    (worst,) = (row["error"] for row in total if row["status"] == "implausible" and row["alpha"] == 0.1)
    assert worst == pytest.approx(29998, abs=1.0)

    summary = (folder / "summary.txt").read_text(encoding="utf-8")
    for line in (
        "not converged: 1",
        "diverged solutions: 4",
        "implausible solutions: 3",
        "refused solutions: 4",
        "diverged runs: 2",
    ):
        assert f"\n  {line}\n" in summary

    # A panel in which nothing can be drawn says why.
    said: dict[str, set[str]] = {}
    for picture in (folder / "figures").glob("*.svg"):
        text = picture.read_text(encoding="utf-8")
        if words := set(re.findall(r'id="nothing drawn: ([^"]*)"', text)):
            said[picture.stem] = words
    assert said == {
        "edge_errors": {"all runs diverged"},
        "scaling_edge_RMSProp": {"all runs diverged"},
        "fidelity_edge_RMSProp": {"all runs diverged"},
        "minimum_errors": {"all errors are zero"},
        "scaling_still_RMSProp": {"all errors are zero"},
        "fidelity_still_RMSProp": {"all loss values are zero", "all errors are zero"},
        "fidelity_valley_Adam": {"no positive error to draw on a logarithmic axis"},
        "negative": {"no positive value to draw on a logarithmic axis"},
    }
    # Losses below zero are drawn on a linear axis beside their models, and their errors are fractions.
    held = pq.read_table(folder / "tables/fidelity.parquet").to_pylist()
    hilly = [row for row in held if (row["objective"], row["quantity"]) == ("hilly", "loss")]
    assert hilly
    assert all(0.0 < row["largest"] < 1.0 for row in hilly)

    ladders = pq.read_table(folder / "tables/scaling.parquet").to_pylist()
    reasons = {(row["objective"], row["optimizer"], row["reason"]) for row in ladders if row["norm"] == "sup"}
    assert reasons >= {
        ("quadratic", "RMSProp", "chatter: 99 reversals at α = 0.01"),
        ("edge", "RMSProp", "not counted: 0 of 2 errors count"),
        ("memories", "Adam", "not counted: 0 of 3 errors count"),
        ("still", "RMSProp", "too few: 2 errors"),
    }
    assert all(row["order"] is None for row in ladders)

    page = html.unescape((folder / "report.html").read_text(encoding="utf-8"))
    odd = re.search(r'<section id="odd".*?</section>', page, re.DOTALL)
    assert odd is not None
    table = table_of(page, "odd-table")
    marks = table["status"]["values"]
    counted = {mark: marks.count(mark) for mark in marks}
    assert counted == {"implausible": 3, "not converged": 1, "refused": 4, "run diverged": 4}
    for reason in (
        "3e+04 from the start, where the run is at most 1.09 from it",
        "weight_decay: 20.0 is not allowed with alpha = 0.1: alpha*weight_decay must be < 1",
        "ThirdOrder: AdaGrad is not allowed: must be Adam, AdamW or AdamL2",
        "model: 'local' is not allowed with Picard",
        "budget of 20 gradients is spent",
    ):
        assert any(reason in message for message in table["message"]["values"])
    assert set(table["status"]["looks"]) == set(counted)
    assert "<strong>Implausible</strong>" in odd[0]
    assert "<strong>Refused</strong>" in odd[0]
    reasons = set(table_of(page, "scaling-table")["why no order"]["values"])
    assert reasons >= {"chatter: 99 reversals at α = 0.01", "not counted: 0 of 2 errors count"}
    # Nothing is left to do, refused solutions included.
    assert fresh.succeed("--dry-run") == {}


def test_a_solution_refused_by_every_cell_stops_the_study_before_it_writes(fresh: Project) -> None:
    study = copy.deepcopy(STUDY)
    study["runs"] = study["runs"][:1]
    del study["figures"]["adam"]
    study["solutions"]["third"] = {"model": "ThirdOrder", "solver": "Collocation"}
    fresh.configure(study)
    outcome = fresh.run()
    assert outcome.status != 0
    assert "Traceback" not in outcome.text
    assert outcome.text.count("config: ") == 1
    assert "config: solutions.third: refused in all of its 2 cells: ThirdOrder: AdaGrad" in outcome.text
    assert not (fresh.folder / "results").exists()
