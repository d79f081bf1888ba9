"""A project of its own for every test: a copy of workflow and package, with a study of a few cells."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from projects import ROOT, STUDY, Outcome, Project, new_project

__all__ = ["ROOT", "STUDY", "Outcome", "Project", "new_project"]


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """A project in which nothing has run."""
    return new_project(tmp_path / "fresh")


@pytest.fixture(scope="session")
def _completed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, int]]:
    project = new_project(tmp_path_factory.mktemp("completed") / "project")
    return project, project.succeed()


@pytest.fixture
def first_jobs(_completed: tuple[Project, dict[str, int]]) -> dict[str, int]:
    """Jobs of the first run, by rule."""
    return _completed[1]


@pytest.fixture
def done(_completed: tuple[Project, dict[str, int]], tmp_path: Path) -> Project:
    """A project whose study is complete."""
    shutil.copytree(_completed[0].folder, tmp_path / "done")
    return Project(tmp_path / "done")
