"""Two runs at once in one folder: the second of a study says so and touches nothing; others do not mind."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml
from faulty import STUDY, TABLE, cells, make_slow, running
from projects import Project, new_project

pytestmark = pytest.mark.workflow


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_slow(new_project(tmp_path / "project"))


def test_a_second_run_says_so_and_touches_nothing_that_the_first_has_written(project: Project) -> None:
    # The first run writes cells anew that manifests of an earlier packing list with other checksums: what
    # looks damaged to the second is what the first has just made.
    project.succeed(TABLE)
    earlier = (project.folder / "config/tiny.yaml").read_text(encoding="utf-8")
    longer = copy.deepcopy(STUDY) | {"cells_per_job": 2}
    for run in longer["runs"]:
        run["steps"] = 40
    project.configure(longer)
    old = cells(project)
    with running(project, TABLE) as first:
        first.wait(lambda: any(cells(project)[file] != stamp for file, stamp in old.items()))
        (project.folder / "config/tiny.yaml").write_text(earlier, encoding="utf-8")
        with first.held():
            before = cells(project)
            second = project.run(TABLE)
            assert cells(project) == before
        made = {file: stamp for file, stamp in before.items() if old[file] != stamp}
        assert made
        assert second.status == 1
        assert (
            f"results/tiny: another run is at work (process {first.pid}): wait until it ends" in second.text
        )
        assert "Traceback" not in second.text
        assert "is damaged" not in second.text
        outcome = first.end()
        assert outcome.status == 0, outcome.text
    assert cells(project).items() >= made.items()
    project.configure(longer)
    assert project.succeed(TABLE) == {}


def test_a_dry_run_beside_a_run_is_allowed_and_removes_nothing(project: Project) -> None:
    with running(project, TABLE) as first:
        first.wait(lambda: cells(project))
        with first.held():
            before = cells(project)
            assert project.run("--dry-run", TABLE).status == 0
            assert cells(project) == before
        assert first.end().status == 0


def test_two_studies_share_a_folder(project: Project) -> None:
    other = yaml.safe_dump(STUDY | {"study": "other"})
    (project.folder / "config/other.yaml").write_text(other, encoding="utf-8")
    with running(project, TABLE) as first:
        first.wait(lambda: cells(project))
        second = project.run("results/other/tables/errors.csv", "--configfile", "config/other.yaml")
        assert second.status == 0, second.text
        assert first.end().status == 0
    a, b = (project.folder / "results" / name / "tables/errors.csv" for name in ("tiny", "other"))
    assert a.read_bytes() == b.read_bytes()
