"""`snakemake --delete-all-output`: what it removes, and that what it leaves is safe to keep."""

from __future__ import annotations

from pathlib import Path

import finished
import pytest
from projects import Project

pytestmark = pytest.mark.workflow


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Project:
    return finished.completed(tmp_path_factory).copy(tmp_path / "deleted")


def test_the_files_of_cells_stay_and_the_next_run_keeps_them(project: Project) -> None:
    before = project.contents()
    paths = ("discrete", "paper.exact", "paper.picard")
    cells = {name for name in before if Path(name).name in {f"{path}.parquet" for path in paths}}
    assert len(cells) == 9
    outcome = project.run("--delete-all-output")
    assert outcome.status == 0, outcome.text
    left = set(project.contents())
    assert left == cells
    outcome = project.run()
    assert outcome.status == 0, outcome.text
    assert outcome.text.count(", kept\n") == len(cells)
    assert project.contents() == before
