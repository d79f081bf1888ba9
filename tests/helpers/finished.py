"""Finished studies, each run once and shared by all tests and all processes of pytest-xdist.

Tests copy a finished study before they change it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from projects import STUDY, Outcome, Project, new_project

AUTO: dict[str, Any] = {key: value for key, value in STUDY.items() if key != "cells_per_job"}


@dataclass(frozen=True)
class Finished:
    """A study that has run, and the text that its last run printed."""

    folder: Path
    text: str

    @property
    def jobs(self) -> dict[str, int]:
        """Jobs of the last run, by rule."""
        return Outcome(0, self.text).jobs

    @property
    def project(self) -> Project:
        """The shared study itself, which tests only read."""
        return Project(self.folder)

    def copy(self, folder: Path) -> Project:
        """Copy the study into a folder in which a test may change it."""
        shutil.copytree(self.folder, folder)
        return Project(folder)


def once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], Outcome]) -> Finished:
    """Build the study of a name in a new folder, unless this or another process has built it.

    Parameters
    ----------
    factory
        Pytest's factory of temporary folders: its base folder belongs to this session of pytest.
    name
        Folder of the study.
    build
        Creates and runs the study in the folder; returns the outcome of the last run.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # The base folder of each worker lies in that of the session.
        base = base.parent
    folder, text = base / name, base / f"{name}.txt"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not text.exists():
            # A build that failed in another process.
            shutil.rmtree(folder, ignore_errors=True)
            text.write_text(build(folder).text, encoding="utf-8")
    return Finished(folder, text.read_text(encoding="utf-8"))


def completed(factory: pytest.TempPathFactory) -> Finished:
    """Run the study of ``projects.STUDY``."""
    return once(factory, "completed", lambda folder: new_project(folder).complete())


def continued(factory: pytest.TempPathFactory, name: str, change: Callable[[Project], None]) -> Finished:
    """Run the completed study once more, after a change of its configuration."""

    def build(folder: Path) -> Outcome:
        project = completed(factory).copy(folder)
        change(project)
        return project.complete()

    return once(factory, name, build)


def packed(factory: pytest.TempPathFactory) -> Finished:
    """Run the completed study with its cells in packs."""
    return continued(factory, "packed", lambda project: project.configure(AUTO))


def alone(factory: pytest.TempPathFactory) -> Finished:
    """Run the study with its cells in packs, on one core, from nothing."""

    def build(folder: Path) -> Outcome:
        project = new_project(folder)
        project.configure(AUTO)
        return project.complete(cores=1)

    return once(factory, "alone", build)


def scaled(factory: pytest.TempPathFactory) -> Finished:
    """Run the completed study with scaling tables."""
    study = {**STUDY, "scaling": {"reference": "paper.exact"}}
    return continued(factory, "scaled", lambda project: project.configure(study))
