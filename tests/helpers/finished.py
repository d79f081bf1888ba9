"""Finished studies, each run once and shared by all tests and all processes of pytest-xdist.

Tests copy a finished study before they change it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from projects import STUDY, Project, new_project

AUTO: dict[str, Any] = {key: value for key, value in STUDY.items() if key != "cells_per_job"}


@dataclass(frozen=True)
class Finished:
    """A study that has run, and the jobs of its last run by rule."""

    folder: Path
    jobs: dict[str, int]

    def copy(self, folder: Path) -> Project:
        """Copy the study into a folder in which a test may change it."""
        shutil.copytree(self.folder, folder)
        return Project(folder)


def once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], dict[str, int]]) -> Finished:
    """Build the study of a name in a new folder, unless this or another process has built it.

    Parameters
    ----------
    factory
        Pytest's factory of temporary folders: its base folder belongs to this session of pytest.
    name
        Folder of the study.
    build
        Creates and runs the study in the folder; returns the jobs of the last run by rule.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # The base folder of each worker lies in that of the session.
        base = base.parent
    folder, jobs = base / name, base / f"{name}.json"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jobs.exists():
            # A build that failed in another process.
            shutil.rmtree(folder, ignore_errors=True)
            jobs.write_text(json.dumps(build(folder)), encoding="utf-8")
    return Finished(folder, json.loads(jobs.read_text(encoding="utf-8")))


def completed(factory: pytest.TempPathFactory) -> Finished:
    """Run the study of ``projects.STUDY``."""
    return once(factory, "completed", lambda folder: new_project(folder).succeed())


def continued(factory: pytest.TempPathFactory, name: str, change: Callable[[Project], None]) -> Finished:
    """Run the completed study once more, after a change of its configuration."""

    def build(folder: Path) -> dict[str, int]:
        project = completed(factory).copy(folder)
        change(project)
        return project.succeed()

    return once(factory, name, build)


def packed(factory: pytest.TempPathFactory) -> Finished:
    """Run the completed study with its cells in packs."""
    return continued(factory, "packed", lambda project: project.configure(AUTO))


def scaled(factory: pytest.TempPathFactory) -> Finished:
    """Run the completed study with scaling tables."""
    study = {**STUDY, "scaling": {"reference": "paper.exact"}}
    return continued(factory, "scaled", lambda project: project.configure(study))
