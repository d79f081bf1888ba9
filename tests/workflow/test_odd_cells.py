"""A study of nothing but odd cells runs to its report, which says of each what it is."""

from __future__ import annotations

import copy
import html
import re
import shutil

import pyarrow.parquet as pq
import pytest
import yaml
from conftest import ROOT, STUDY, Project

pytestmark = pytest.mark.workflow

ODD = yaml.safe_load((ROOT / "config/odd.yaml").read_text(encoding="utf-8"))


def test_a_study_of_odd_cells_runs_to_its_report(fresh: Project) -> None:
    shutil.copy(ROOT / "config/odd.py", fresh.folder / "config")
    fresh.configure(ODD)
    outcome = fresh.run()
    assert outcome.status == 0, outcome.text
    assert "Traceback" not in outcome.text
    folder = fresh.folder / "results/odd"
    rows = pq.read_table(folder / "tables/errors.parquet").to_pylist()
    total = [row for row in rows if (row["quantity"], row["norm"], row["kind"]) == ("theta", "sup", "total")]

    # Each solution of each cell has its row.
    cells = {(row["objective"], row["optimizer"], row["label"]) for row in total}
    assert len(cells) == 14
    assert len(total) == len({(row["objective"], row["label"], row["solution"]) for row in total}) == 46

    found: dict[str, set[tuple[str, str, float | None, str]]] = {}
    for row in total:
        one = (row["objective"], row["optimizer"], row["weight_decay"], row["solution"])
        found.setdefault(row["status"], set()).add(one)
    assert found.pop("converged")
    assert found == {
        "implausible": {("quadratic", "Adam", None, "algorithm-4")},
        "refused": {
            ("quadratic", "AdamW", 20.0, "half-step"),
            ("quadratic", "AdamW", 20.0, "third-order"),
            ("quadratic", "AdamW", 40.0, "half-step"),
            ("quadratic", "AdaGrad", None, "third-order"),
            ("quadratic", "AdaGrad", None, "local-picard"),
        },
        "not converged": {("quadratic", "Adam", None, "thrifty")},
    }
    assert {row["weight_decay"] for row in total if row["discrete_status"] == "diverged"} == {40.0}
    assert {row["error"] for row in total if row["objective"] == "still"} == {0.0}
    (worst,) = (row["error"] for row in total if row["status"] == "implausible" and row["alpha"] == 0.1)
    assert worst == pytest.approx(29998, abs=1.0)

    summary = (folder / "summary.txt").read_text(encoding="utf-8")
    for line in ("not converged: 1", "implausible solutions: 2", "refused solutions: 5", "diverged runs: 1"):
        assert f"\n  {line}\n" in summary

    page = html.unescape((folder / "report.html").read_text(encoding="utf-8"))
    odd = re.search(r'<section id="odd".*?</section>', page, re.DOTALL)
    assert odd is not None
    marks = re.findall(r'<strong class="mark">([^<]+)</strong>', odd[0])
    assert sorted(marks) == ["implausible"] * 2 + ["not converged"] + ["refused"] * 5 + ["run diverged"]
    for reason in (
        "3e+04 from the start, where the run is at most 1.09 from it",
        "weight_decay: 20.0 is not allowed with alpha = 0.1: alpha*weight_decay must be < 1",
        "ThirdOrder: AdaGrad is not allowed: must be Adam, AdamW or AdamL2",
        "model: 'local' is not allowed with Picard",
        "gradient evaluations",
        "<strong>Implausible</strong>",
        "<strong>Refused</strong>",
    ):
        assert reason in odd[0]
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
    assert "config: solutions.third: it is refused in all of its 2 cells: ThirdOrder: AdaGrad" in outcome.text
    assert not (fresh.folder / "results").exists()
