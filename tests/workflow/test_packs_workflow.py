"""Packs in the workflow: no result depends on them, and nothing that is complete is computed twice."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import finished
import pytest
from finished import AUTO, Finished
from projects import Project

from idescent.config import load
from idescent.store.trajectories import read_with_metadata

pytestmark = pytest.mark.workflow

CELL = "quadratic/AdaGrad/alpha~0.1"


def results(project: Project) -> dict[str, bytes]:
    """Results without the files of packs."""
    return {name: data for name, data in project.contents().items() if not name.startswith("packs/")}


def logged(project: Project, file: str) -> str:
    return (project.results / "logs" / file).read_text(encoding="utf-8")


def test_packs_change_no_byte_of_any_result(alone: Finished, first: Finished, tmp_path: Path) -> None:
    jobs = alone.jobs
    assert (jobs["simulate"], jobs["solve"], jobs["compare"]) == (2, 4, 2)
    assert results(alone.project) == results(first.project)
    assert alone.copy(tmp_path / "alone").succeed() == {}


def test_the_longest_jobs_start_first(alone: Finished) -> None:
    # Short jobs fill the gaps at the end.
    began = re.findall(r"^(simulate|solve) .*?: (\S+) (\S+) (\S+) ?(\S*?):", alone.text, flags=re.M)
    assert len(began) == 6
    study = load(AUTO)
    packs = {pack.group: pack for pack in study.packs}
    lengths = [
        study.seconds(packs[objective, optimizer], name or "discrete")
        for _, objective, optimizer, _, name in began
    ]
    assert len(set(lengths)) > 2
    assert lengths == sorted(lengths, reverse=True)


def test_other_packs_keep_the_cells_that_are_there(
    done: Project, packed: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert finished.packed(tmp_path_factory).jobs["solve"] == 4
    assert results(packed) == results(done)
    assert "gradient evaluations" not in logged(packed, "solve/quadratic/AdaGrad/all/paper.exact.log")


def test_a_grown_pack_computes_only_its_new_cells(packed: Project) -> None:
    study = copy.deepcopy(AUTO)
    study["runs"][0]["alpha"].append(0.02)
    packed.configure(study)
    jobs = packed.succeed("results/tiny/tables/errors.parquet")
    assert (jobs["simulate"], jobs["solve"], jobs["compare"]) == (1, 2, 1)
    log = logged(packed, "simulate/quadratic/AdaGrad/all.log")
    assert log.count(": kept") == 2
    assert log.count("gradient evaluations") == 1
    assert "3 cells, 2 kept: 3 completed" in log


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 16
    file.write_bytes(data)


def test_harmed_cells_of_packs_are_made_again_alone(packed: Project) -> None:
    before = packed.contents()
    # One cell of each of three packs.
    harmed = {
        "quadratic/AdaGrad/alpha~0.1/paper.exact.parquet": Path.unlink,
        "quadratic/AdaGrad/alpha~0.05/paper.picard.parquet": cut,
        "quadratic/Adam/alpha~0.1,beta1~0.9,beta2~0.99/paper.exact.parquet": flip,
    }
    for file, harm in harmed.items():
        harm(packed.results / file)
    outcome = packed.complete()
    assert all(f"{file} is " in outcome.text for file in harmed)
    assert outcome.text.count("it is created again") == len(harmed)
    assert outcome.jobs["solve"] == len(harmed)
    for solution in ("paper.exact", "paper.picard"):
        assert "2 cells, 1 kept" in logged(packed, f"solve/quadratic/AdaGrad/all/{solution}.log")
    assert packed.contents() == before


def test_what_is_forced_is_computed_again(packed: Project) -> None:
    packed.succeed("--forceall", "results/tiny/packs/quadratic/AdaGrad/all/paper.exact.json")
    log = logged(packed, "solve/quadratic/AdaGrad/all/paper.exact.log")
    assert "kept" not in log
    assert log.count("gradient evaluations") == 2


def test_one_cell_that_cannot_be_run_costs_no_other_one(fresh: Project) -> None:
    (fresh.folder / "mine.py").write_text(
        "import numpy as np\n\n\n"
        "class Picky:\n"
        "    def value(self, theta):\n"
        "        return (theta**2).sum(axis=-1)\n\n"
        "    def gradient(self, theta):\n"
        "        if (theta < -0.05).any():\n"
        "            raise ValueError('theta must not be below -0.05')\n"
        "        return 2.0 * theta\n",
        encoding="utf-8",
    )
    study = copy.deepcopy(AUTO) | {"objectives": {"quadratic": "mine:Picky"}, "figures": {}, "solutions": {}}
    study["solutions"]["paper.exact"] = AUTO["solutions"]["paper.exact"]
    study["runs"] = [study["runs"][0] | {"alpha": [0.9, 0.1, 0.05], "optimizer": "RMSProp"}]
    study["runs"][0]["hyperparameters"] = {"beta": 0.0}
    fresh.configure(study)
    outcome = fresh.run("--keep-going")
    assert outcome.status != 0
    assert "theta must not be below -0.05" in outcome.text
    there = {file.parent.name for file in fresh.results.rglob("discrete.parquet")}
    assert there == {"alpha~0.1,beta~0.0", "alpha~0.05,beta~0.0"}


def test_a_cache_serves_other_studies_and_other_folders(
    fresh: Project, done: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDESCENT_CACHE", str(tmp_path / "cache"))
    done.succeed("--forceall", "--until", "simulate", "solve")
    assert len(list((tmp_path / "cache").rglob("*.parquet"))) == 9
    fresh.configure(AUTO | {"study": "other", "figures": {}})
    fresh.succeed("--until", "simulate", "solve")
    logs = fresh.folder / "results/other/logs"
    made = [*(logs / "simulate").rglob("*.log"), *(logs / "solve").rglob("*.log")]
    text = "".join(log.read_text(encoding="utf-8") for log in made)
    assert text.count("kept") >= 9
    assert "gradient evaluations" not in text
    mine, theirs = (
        read_with_metadata(p / CELL / "discrete.parquet")
        for p in (fresh.folder / "results/other", done.results)
    )
    assert mine[1] == theirs[1]
