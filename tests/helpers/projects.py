"""A project of its own for every test: a copy of workflow and package, with a study of a few cells."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
STUDY: dict[str, Any] = {
    "study": "tiny",
    # What runs again after which change is counted cell by cell.
    "cells_per_job": 1,
    "objectives": {"quadratic": {"class": "Quadratic", "arguments": {"center": 4.0}}},
    "runs": [
        {"objective": "quadratic", "optimizer": "AdaGrad", "theta0": 1.0, "alpha": [0.1, 0.05], "steps": 8},
        {
            "objective": "quadratic",
            "optimizer": "Adam",
            "theta0": 1.0,
            "hyperparameters": {"beta1": 0.9, "beta2": 0.99},
            "alpha": [0.1],
            "steps": 8,
        },
    ],
    "solutions": {
        "paper.exact": {"model": "Paper", "solver": "Collocation", "rtol": 1e-6, "atol": 1e-9},
        "paper.picard": {"model": "Paper", "solver": "Picard", "reference": "paper.exact"},
    },
    "figures": {
        "adagrad": {
            "title": "AdaGrad",
            "caption": "One learning rate, and its errors.",
            "quantity": "theta",
            "objective": "quadratic",
            "select": [{"optimizer": "AdaGrad"}],
            "panels": [{"alpha": 0.1}],
            "show": ["discrete", "paper.exact"],
            "errors": True,
        },
        "adam": {
            "title": "Adam",
            "caption": "Discrete iterations only.",
            "quantity": "theta",
            "objective": "quadratic",
            "select": [{"optimizer": "Adam"}],
            "panels": [{"alpha": 0.1}],
        },
    },
}


@dataclass(frozen=True)
class Outcome:
    """What a person sees of one call of Snakemake."""

    status: int
    text: str

    @property
    def jobs(self) -> dict[str, int]:
        """Planned jobs by rule, without the target; nothing planned is an empty dict."""
        if "Nothing to be done" in self.text:
            return {}
        _, _, table = self.text.partition("Job stats:")
        rows = re.findall(r"^(\w+) +(\d+)$", table.partition("\n\n")[0], flags=re.MULTILINE)
        return {rule: int(count) for rule, count in rows if rule not in ("all", "total")}


class Project:
    """A folder with a Snakefile in which a study can be run."""

    def __init__(self, folder: Path, sources: Path | None = None) -> None:
        self.folder = folder
        self.sources = sources or folder / "src"

    @property
    def results(self) -> Path:
        return self.folder / "results" / "tiny"

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--configfile", "config/tiny.yaml"]

    @property
    def environment(self) -> dict[str, str]:
        # The copy's sources come before the installed package: what is edited is what runs.
        return {**os.environ, "PYTHONPATH": str(self.sources)}

    def configure(self, study: dict[str, Any]) -> None:
        (self.folder / "config/tiny.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")

    def run(self, *arguments: str, cores: int = 2) -> Outcome:
        done = subprocess.run(
            [*self.command, "--cores", str(cores), *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Outcome(done.returncode, done.stdout)

    def succeed(self, *arguments: str, cores: int = 2) -> dict[str, int]:
        """Run, and return the jobs by rule."""
        outcome = self.run(*arguments, cores=cores)
        assert outcome.status == 0, outcome.text
        return outcome.jobs

    def interrupt(self, seen: str) -> None:
        """Start a run, and press Ctrl-C as soon as it has said ``seen``."""
        with subprocess.Popen(
            [*self.command, "--cores", "1"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if seen in line:
                    break
            else:
                raise AssertionError(f"the run ended without saying {seen!r}")
            os.killpg(process.pid, signal.SIGINT)
            process.stdout.read()
        assert process.returncode != 0

    def edit(self, file: str, change: Callable[[str], str]) -> None:
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert change(text) != text
        path.write_text(change(text), encoding="utf-8")

    def contents(self) -> dict[str, bytes]:
        """All results but the logs, by path."""
        files = (path for path in self.results.rglob("*") if path.is_file() and "logs" not in path.parts)
        return {str(path.relative_to(self.results)): path.read_bytes() for path in files}


def new_project(folder: Path) -> Project:
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("src", "workflow", "profiles"):
        shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
    (folder / "config").mkdir()
    shutil.copy(ROOT / "Snakefile", folder)
    for name in ("config.yaml", "claims.yaml"):
        shutil.copy(ROOT / "config" / name, folder / "config")
    project = Project(folder)
    project.configure(STUDY)
    return project
