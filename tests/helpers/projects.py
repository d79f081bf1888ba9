"""A project of its own for every test: a copy of workflow and package, with a study of a few cells."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import snakemakes
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


class Run:
    """A run of Snakemake in the background, in a process group of its own."""

    def __init__(self, project: Project, *arguments: str, cores: int = 2) -> None:
        # Not a pipe, and not the file of another run: jobs that outlive their Snakemake go on writing.
        descriptor, screen = tempfile.mkstemp(prefix="screen-")
        os.close(descriptor)
        self.screen = Path(screen)
        options = [*project.command[3:], "--cores", str(cores), *arguments]
        self._process = snakemakes.start(options, project.folder, project.environment, self.screen)
        self.process = psutil.Process(self.pid)

    @property
    def text(self) -> str:
        """Return what the run has printed."""
        return self.screen.read_text(encoding="utf-8")

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until something is so; the run must not end before."""
        while not condition():
            assert self.alive, self.text
            time.sleep(0.01)

    def end(self) -> Outcome:
        self._process.join()
        assert self._process.exitcode is not None
        outcome = Outcome(self._process.exitcode, self.text)
        self.screen.unlink()
        return outcome

    def kill_all(self) -> None:
        os.killpg(self.pid, signal.SIGKILL)
        self._process.join()


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

    def start(self, *arguments: str, cores: int = 2) -> Run:
        """Start a run in the background."""
        return Run(self, *arguments, cores=cores)

    def run(self, *arguments: str, cores: int = 2) -> Outcome:
        return self.start(*arguments, cores=cores).end()

    def complete(self, *arguments: str, cores: int = 2) -> Outcome:
        """Run to the end without an error."""
        outcome = self.run(*arguments, cores=cores)
        assert outcome.status == 0, outcome.text
        return outcome

    def succeed(self, *arguments: str, cores: int = 2) -> dict[str, int]:
        """Run to the end without an error; return the jobs by rule."""
        return self.complete(*arguments, cores=cores).jobs

    def interrupt(self, seen: str) -> None:
        """Start a run, and press Ctrl-C as soon as it has said ``seen``."""
        run = self.start(cores=1)
        run.wait(lambda: seen in run.text)
        os.killpg(run.pid, signal.SIGINT)
        assert run.end().status != 0

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
    # Bytecode is copied with the sources and their dates, so that no process of a run compiles them again.
    for name in ("src", "workflow", "profiles"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.egg-info"))
    (folder / "config").mkdir()
    shutil.copy(ROOT / "Snakefile", folder)
    for name in ("config.yaml", "claims.yaml"):
        shutil.copy(ROOT / "config" / name, folder / "config")
    project = Project(folder)
    project.configure(STUDY)
    return project
