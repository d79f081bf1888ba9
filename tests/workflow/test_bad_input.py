"""What a person sees of mistakes and of runs that go wrong."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import finished
import pytest
import yaml
from finished import Finished
from projects import ROOT, STUDY, Project

from idescent.config import load
from idescent.store.trajectories import read

pytestmark = pytest.mark.workflow

NEW_CELL = dict.fromkeys(("simulate", "compare", "tables", "summary", "report_numbers", "report"), 1)
NEW_CELL |= {"solve": 2, "overview": 2}

# A gradient that stops being a number at 1.2: every optimizer gets there in three steps of 0.1 from 1.
FRAGILE = """
import numpy as np

class Fragile:
    def value(self, theta):
        return np.where(theta[..., 0] < 1.2, -theta[..., 0], np.nan)

    def gradient(self, theta):
        return np.where(theta < 1.2, -1.0, np.nan)
"""


def with_run(objective: str, **changes: Any) -> dict[str, Any]:
    study = copy.deepcopy(STUDY)
    study["objectives"]["mine"] = {"class": objective}
    run = {"objective": "mine", "optimizer": "AdaGrad", "theta0": 1.0, "alpha": [0.1], "steps": 8}
    study["runs"].append(run | changes)
    return study


def set_alpha(study: dict[str, Any]) -> None:
    study["runs"][0]["alpha"][0] = 1.5


def set_beta(study: dict[str, Any]) -> None:
    study["runs"][1]["hyperparameters"]["beta1"] = 1.0


def set_optimizer(study: dict[str, Any]) -> None:
    study["runs"][0]["optimizer"] = "Adagrda"


def set_duplicate(study: dict[str, Any]) -> None:
    study["runs"].append(study["runs"][0])


def set_steps(study: dict[str, Any]) -> None:
    study["runs"][0]["steps"] = 0


def set_theta0(study: dict[str, Any]) -> None:
    study["runs"][0]["theta0"] = float("nan")


def set_unknown_key(study: dict[str, Any]) -> None:
    study["runs"][0]["beta"] = 0.9


def set_reference(study: dict[str, Any]) -> None:
    study["solutions"]["paper.picard"]["reference"] = "paper.picard"


def set_study(study: dict[str, Any]) -> None:
    study["study"] = "../elsewhere"


@pytest.mark.parametrize(
    "spoil",
    [
        set_alpha,
        set_beta,
        set_optimizer,
        set_duplicate,
        set_steps,
        set_theta0,
        set_unknown_key,
        set_reference,
        set_study,
    ],
)
def test_a_bad_configuration_is_one_line_and_writes_nothing(fresh: Project, spoil: Any) -> None:
    study = copy.deepcopy(STUDY)
    spoil(study)
    fresh.configure(study)
    outcome = fresh.run()
    assert outcome.status != 0
    assert [line for line in outcome.text.splitlines() if "profile" not in line] == [
        line for line in outcome.text.splitlines() if line.startswith("config: ")
    ]
    assert outcome.text.count("config: ") == 1
    assert not (fresh.folder / "results").exists()


@pytest.fixture
def diverged(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The complete study, now with a cell that diverges."""

    def add(project: Project) -> None:
        (project.folder / "fragile.py").write_text(FRAGILE, encoding="utf-8")
        project.configure(with_run("fragile:Fragile"))

    return finished.continued(tmp_path_factory, "diverged", add)


def test_a_diverging_cell_is_recorded_and_does_not_stop_the_others(diverged: Finished) -> None:
    assert diverged.jobs == NEW_CELL
    run = read(diverged.project.results / "mine/AdaGrad/alpha~0.1/discrete.parquet")
    assert run.report.status == "diverged"
    assert run.report.diverged_at is not None
    assert "diverged runs: 1\n    mine AdaGrad alpha~0.1" in diverged.text


def test_an_edited_objective_of_ones_own_runs_its_cells_again(diverged: Finished, tmp_path: Path) -> None:
    done = diverged.copy(tmp_path / "diverged")
    done.edit("fragile.py", lambda text: text.replace("1.2", "1.3"))
    assert done.succeed("--dry-run") == NEW_CELL


def test_an_objective_not_finite_at_the_start_fails_in_one_line_and_writes_no_file(
    done: Project,
) -> None:
    (done.folder / "fragile.py").write_text(FRAGILE, encoding="utf-8")
    done.configure(with_run("fragile:Fragile", theta0=2.0))
    outcome = done.run("--keep-going")
    assert outcome.status != 0
    said = [line for line in outcome.text.splitlines() if line.startswith("simulate: ")]
    assert len(said) == 1
    assert "mine AdaGrad alpha~0.1" in said[0]
    assert "must be finite" in said[0]
    assert "Traceback" not in outcome.text
    assert not list((done.results / "mine").rglob("*.parquet"))


def test_a_study_of_ones_own_replaces_the_papers(fresh: Project) -> None:
    assert fresh.succeed("--dry-run")["simulate"] == 3


def test_plain_snakemake_runs_the_paper(fresh: Project) -> None:
    (fresh.folder / "config/tiny.yaml").unlink()
    outcome = Project.run(_Plain(fresh.folder), "--dry-run")
    paper = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    assert outcome.jobs["simulate"] == len(load(paper).packs)


class _Plain(Project):
    @property
    def command(self) -> list[str]:
        return [part for part in super().command if part not in ("--configfile", "config/tiny.yaml")]


def test_progress_counts_cells_stage_by_stage_and_ends_with_a_summary(first: Finished) -> None:
    text = first.text
    assert "simulate 3 of 3: " in text
    assert "solve 6 of 6: " in text
    assert "Study tiny: 3 cells, 6 solutions" in text
    assert "results/tiny/figures" in text
    assert "not converged: none" in text
