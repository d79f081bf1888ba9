"""The workflow as a module of another one: its studies beside that one's own rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from projects import STUDY, Project, new_project

pytestmark = pytest.mark.workflow

OUTER = """
module idescent:
    snakefile:
        "library/workflow/Snakefile"
    config:
        config["study"]
    {prefix}


use rule * from idescent as idescent_*


rule widest:
    default_target: True
    input:
        table="{folder}results/tiny/tables/errors.csv",
        figure="{folder}results/tiny/figures/adam.pdf",
    output:
        "widest.txt",
    shell:
        "python -c 'import sys; print(len(open(sys.argv[1]).readlines()))' {{input.table}} > {{output}}"
"""


@pytest.fixture
def outer(tmp_path: Path) -> Project:
    """Another workflow, in whose folder this one lies as a library."""
    new_project(tmp_path / "outer" / "library")
    (tmp_path / "outer/config").mkdir()
    project = Project(tmp_path / "outer", sources=tmp_path / "outer/library/src")
    project.configure({"study": STUDY, "of_its_own": 1})
    return project


@pytest.mark.parametrize("folder", ["", "elsewhere/"])
def test_another_workflow_uses_the_tables_of_a_study(outer: Project, done: Project, folder: str) -> None:
    prefix = f'prefix: "{folder.rstrip("/")}"' if folder else ""
    (outer.folder / "Snakefile").write_text(OUTER.format(prefix=prefix, folder=folder), encoding="utf-8")
    jobs = outer.succeed()
    assert jobs["widest"] == 1
    assert jobs["idescent_solve"] == 6
    mine, theirs = (root / "results/tiny" for root in (outer.folder / folder, done.folder))
    for name in (
        "tables/errors.parquet",
        "quadratic/AdaGrad/alpha~0.1/paper.exact.parquet",
        "figures/adam.svg",
    ):
        assert (mine / name).read_bytes() == (theirs / name).read_bytes()
    lines = int((outer.folder / "widest.txt").read_text(encoding="utf-8"))
    assert lines == len((theirs / "tables/errors.csv").read_text(encoding="utf-8").splitlines())
    assert outer.succeed() == {}
