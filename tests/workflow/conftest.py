"""A project of its own for every test: a copy of workflow and package, with a study of a few cells."""

from __future__ import annotations

from pathlib import Path

import finished
import pytest
from finished import Finished
from projects import ROOT, STUDY, Outcome, Project, new_project

__all__ = ["ROOT", "STUDY", "Outcome", "Project", "new_project"]


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """A project in which nothing has run."""
    return new_project(tmp_path / "fresh")


@pytest.fixture
def first(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The first run of the study."""
    return finished.completed(tmp_path_factory)


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The first run of the study in packs, on one core."""
    return finished.alone(tmp_path_factory)


@pytest.fixture
def done(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Project:
    """A project whose study is complete."""
    return finished.completed(tmp_path_factory).copy(tmp_path / "done")


@pytest.fixture
def packed(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Project:
    """The complete study, its cells now in packs."""
    return finished.packed(tmp_path_factory).copy(tmp_path / "packed")


@pytest.fixture
def scaled(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Project:
    """The complete study, now with scaling tables."""
    return finished.scaled(tmp_path_factory).copy(tmp_path / "scaled")
