"""What the tests of faults share: a study slow enough to be hit in the middle, runs in the background.

Its objective sleeps, so that cells take a while on any machine, and none of it from the processor.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import finished
import projects
import psutil
import pytest
from projects import Project, new_project

SOLUTIONS = [
    f"results/tiny/packs/quadratic/{optimizer}/all/paper.exact.json" for optimizer in ("RMSProp", "Adam")
]
TABLE = "results/tiny/tables/errors.csv"
# All of the study but what is drawn: its packs, and the tables of all errors.
TARGETS = [
    *(
        f"results/tiny/packs/quadratic/{optimizer}/all/{name}"
        for optimizer in ("RMSProp", "Adam")
        for name in ("discrete.json", "paper.exact.json", "errors.parquet")
    ),
    TABLE,
    "results/tiny/tables/errors.parquet",
]
# Seconds of a gradient: cells end one after the other, slowly enough for a test to see each of them.
PAUSE = 0.003
OBJECTIVE = """\
import time


class Slow:
    def value(self, theta):
        return (theta**2).sum(axis=-1)

    def gradient(self, theta):
        time.sleep({pause})
        return 2.0 * theta
"""
# Two packs of four cells each, and so four jobs with cells that end one after the other.
STUDY: dict[str, Any] = {
    "study": "tiny",
    "objectives": {"quadratic": "mine:Slow"},
    "runs": [
        {
            "objective": "quadratic",
            "optimizer": "RMSProp",
            "theta0": 1.0,
            "hyperparameters": {"beta": 0.9},
            "alpha": [0.1, 0.08, 0.06, 0.04],
            "steps": 30,
        },
        {
            "objective": "quadratic",
            "optimizer": "Adam",
            "theta0": 1.0,
            "hyperparameters": {"beta1": 0.9, "beta2": 0.99},
            "alpha": [0.1, 0.08, 0.06, 0.04],
            "steps": 30,
        },
    ],
    "solutions": {"paper.exact": {"model": "Paper", "solver": "Collocation", "rtol": 1e-6, "atol": 1e-9}},
}


def make_slow(project: Project, pause: float = PAUSE, study: dict[str, Any] = STUDY) -> Project:
    (project.folder / "mine.py").write_text(OBJECTIVE.format(pause=pause), encoding="utf-8")
    project.configure(study)
    return project


def completed(factory: pytest.TempPathFactory) -> finished.Finished:
    """Run the study to its tables, with gradients that do not sleep."""
    return finished.once(
        factory, "awake", lambda folder: make_slow(new_project(folder), pause=0.0).complete(*TARGETS)
    )


class Run(projects.Run):
    """A run whose jobs can be killed or stopped."""

    def jobs(self) -> list[psutil.Process]:
        """The Python processes that wait for a job just now; a job ends with the one that waits for it."""
        return [child for child in self._children() if "idescent.jobs.client" in _words(child)]

    def workers(self) -> list[psutil.Process]:
        """The processes that do the work of the jobs."""
        children = self._children()
        servers = {child.pid for child in children if "--serve" in _words(child)}
        return [child for child in children if _parent(child) in servers]

    def _children(self) -> list[psutil.Process]:
        try:
            children = self.process.children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [child for child in children if _words(child)[:1] and "python" in _words(child)[0]]

    def kill_a_job(self, choice: random.Random) -> bool:
        """Kill a job that is at work; say whether there was one before the run ended."""
        while self.alive:
            # One that has just ended cannot be hit, though it is still listed: stopped first, it stays.
            for job in choice.sample(jobs := self.jobs(), len(jobs)):
                if stopped(job):
                    job.kill()
                    return True
            time.sleep(0.01)
        return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Stop the run and its jobs for a while, so that what is done meanwhile is done beside them."""
        held: list[psutil.Process] = []
        try:
            assert stopped(self.process), self.text
            held.append(self.process)
            # What a shell has started just before it is stopped is found in the next round.
            while new := [child for child in self.process.children(recursive=True) if child not in held]:
                held += new
                for child in new:
                    stopped(child)
            yield
        finally:
            for process in held:
                with suppress(psutil.NoSuchProcess):
                    process.resume()


def _words(process: psutil.Process) -> list[str]:
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return [str(word) for word in process.cmdline()]
    return []


def _parent(process: psutil.Process) -> int | None:
    with suppress(psutil.NoSuchProcess):
        return int(process.ppid())
    return None


def stopped(job: psutil.Process) -> bool:
    """Stop a process; say whether it was still there."""
    with suppress(psutil.NoSuchProcess):
        job.suspend()
        while job.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            time.sleep(0.001)
        return bool(job.status() == psutil.STATUS_STOPPED)
    return False


@contextmanager
def running(project: Project, *arguments: str) -> Iterator[Run]:
    """Start a run; nothing of it is left at the end."""
    run = Run(project, *arguments)
    try:
        yield run
    finally:
        for job in run.jobs() + run.workers():
            with suppress(psutil.NoSuchProcess):
                job.kill()
        if run.alive:
            run.kill_all()
        run.screen.unlink(missing_ok=True)


def cells(project: Project) -> dict[Path, tuple[int, int]]:
    """Files of cells, complete as soon as they are there, with what changes if one is made again."""
    found = {file: file.stat() for file in project.results.glob("*/*/alpha*/*.parquet")}
    return {file: (status.st_mtime_ns, status.st_ino) for file, status in found.items()}


def partials(project: Project) -> list[Path]:
    return list(project.results.rglob(".*.partial"))
