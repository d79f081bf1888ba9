"""Scaling tables and figures in the workflow: made where a study asks for them, and only then."""

from __future__ import annotations

import re

import finished
import pyarrow.parquet as pq
import pytest
import yaml
from projects import ROOT, STUDY, Project

from idescent.analysis import orders
from idescent.analysis.floor import ABOVE_FLOOR

pytestmark = pytest.mark.workflow

PAGE = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
BLOCKS = [
    yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
]


def test_asking_for_scaling_makes_its_table_and_figures_and_solves_nothing_again(
    scaled: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert not (finished.completed(tmp_path_factory).folder / "results/tiny/tables/scaling.csv").exists()
    # The summary lists all figures.
    jobs = finished.scaled(tmp_path_factory).jobs
    assert (jobs["scaling"], jobs["scaling_figure"]) == (1, 1)
    assert not {"simulate", "solve", "compare", "tables", "scaling_map"} & set(jobs)
    table = (scaled.results / "tables/scaling.csv").read_text(encoding="utf-8").splitlines()
    # Three cells, two solutions each, three norms.
    assert len(table) == 1 + 3 * 2 * 3
    # Adam has one learning rate, which makes no ladder.
    drawn = {file.name for file in (scaled.results / "figures").glob("scaling_*.pdf")}
    assert drawn == {"scaling_quadratic_AdaGrad.pdf"}
    assert scaled.succeed() == {}
    scaled.configure({**STUDY, "scaling": {"reference": "paper.exact", "alpha": [0.05]}})
    jobs = scaled.succeed("--dry-run")
    assert (jobs["scaling"], jobs["scaling_figure"]) == (1, 1)


def test_edited_code_of_the_fit_reruns_the_tables_and_figures_alone(scaled: Project) -> None:
    scaled.edit("src/idescent/analysis/orders.py", lambda text: text + "\nUNUSED = 1\n")
    jobs = scaled.succeed("--dry-run")
    assert (jobs["scaling"], jobs["scaling_figure"]) == (1, 1)
    assert not {"simulate", "solve", "compare", "tables"} & set(jobs)


def test_the_study_of_the_documentation_runs_and_its_page_names_what_comes_out(fresh: Project) -> None:
    study, asked, all_optimizers = BLOCKS
    # Two blocks at once: the ladder, and the map that is drawn in its place.
    fresh.configure({**study, "study": "tiny"})
    assert fresh.succeed()["scaling_figure"] == 1
    folder = fresh.folder / "results/tiny"
    for suffix in ("csv", "parquet", "md", "tex"):
        assert (folder / f"tables/scaling.{suffix}").is_file()
    paper = (folder / "tables/scaling_compact.tex").read_text(encoding="utf-8")
    assert r"\label{tab:tiny-scaling}" in paper
    assert r"\ref{tab:my-scaling-scaling}" in PAGE
    rows = pq.read_table(folder / "tables/scaling.parquet").to_pylist()
    of_theta = [row for row in rows if (row["quantity"], row["norm"]) == ("theta", "sup")]
    assert len(of_theta) == 3 * 5 * 2
    documented = {
        name for line in PAGE.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line)
    }
    assert set(rows[0]) <= documented
    fresh.configure({**study, "study": "tiny", "scaling": {**study["scaling"], **asked["scaling"]}})
    jobs = fresh.succeed()
    assert jobs["scaling_map"] == 1
    assert "scaling_figure" not in jobs
    assert (folder / "figures/scaling_bowl_Adam.pdf").is_file()
    fresh.configure({**study, "study": "tiny", "scaling": all_optimizers["scaling"]})
    jobs = fresh.succeed()
    assert (jobs["scaling_optimizers"], jobs["scaling_optimizers_figure"]) == (1, 1)
    assert not {"scaling_figure", "scaling_map", "simulate", "solve"} & set(jobs)
    (head, *_) = (folder / "tables/scaling_optimizers.csv").read_text(encoding="utf-8").splitlines()
    assert set(head.split(",")) - {"coefficient"} <= documented
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert 'id="scaling_optimizers"' in page
    assert "Orders and error constants" not in page


def test_the_page_states_the_rule_that_the_code_has() -> None:
    rule = " ".join(PAGE.split())
    assert f"above {ABOVE_FLOOR:g} times its `floor`" in rule
    assert f"differ by at most {orders.SPREAD:g}. It has at least {orders.FEWEST} errors" in rule
    assert f"Student's {100 * orders.CONFIDENCE:g} % interval" in rule


def test_a_horizon_found_by_running_is_that_of_the_stored_run_and_shown_in_the_table(fresh: Project) -> None:
    run = {**STUDY["runs"][1], "alpha": [0.1, 0.05], "until": {"within": 0.1, "at_most": 60}}
    del run["steps"]
    solutions = {"paper": STUDY["solutions"]["paper.exact"]}
    study = {**STUDY, "runs": [run], "solutions": solutions, "figures": {}, "scaling": {}}
    fresh.configure(study)
    fresh.succeed()
    rows = pq.read_table(fresh.results / "tables/scaling.parquet").to_pylist()
    assert {(row["alpha"], row["horizon"]) for row in rows} == {(0.1, "reached"), (0.05, "capped")}
    for alpha in (0.1, 0.05):
        (file,) = fresh.results.glob(f"quadratic/Adam/alpha~{alpha},*/discrete.parquet")
        (steps,) = {row["steps"] for row in rows if row["alpha"] == alpha}
        assert pq.read_metadata(file).num_rows == steps + 1
    assert fresh.succeed() == {}
