"""Copies of the project in which the workflow runs, as a user would run it."""

from __future__ import annotations

import compileall
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

from idescent.discrete.loop import simulate
from idescent.solvers.solve import solve
from idescent.store.trajectories import write
from idescent.study import registry
from idescent.study.cells import Cell, Study
from suite.settings import ROOT

COPIED = ("Snakefile", "workflow", "config", "src", "profiles")
# A process between this one and the workflow: what a process starts with counts as its own peak, and the
# memory of a benchmark before this one is no part of the workflow's.
_WATCHED = """
import pathlib, resource, subprocess, sys
status = subprocess.call(sys.argv[2:])
pathlib.Path(sys.argv[1]).write_text(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
"""
# Seconds between two readings of the memory of workers: nobody waits for them, so it is no child's peak.
SAMPLE = 0.5
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info")


class Project:
    """A copy of what a user has, in a folder; ``root`` is the folder of the code, by default this one's."""

    def __init__(self, folder: Path, root: Path = ROOT) -> None:
        folder.mkdir(parents=True)
        for name in COPIED:
            source = root / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=LEFT_OUT)
            else:
                shutil.copyfile(source, folder / name)
        # As after `make install`.
        compileall.compile_dir(folder / "src", quiet=2)
        self.folder = folder
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(folder / "src"),
            "IDESCENT_PYTHON": sys.executable,
        }

    def study(self, raw: Mapping[str, Any]) -> str:
        """Write a configuration; return its name."""
        name = f"config/{raw['study']}.yaml"
        (self.folder / name).write_text(yaml.safe_dump(dict(raw)), encoding="utf-8")
        return name

    def snakemake(self, cores: int, *arguments: str) -> tuple[float, float, str]:
        """Run the workflow; return seconds, the peak memory of its largest process in MB, and what it said.

        Raises
        ------
        RuntimeError
            If it fails; the text is what it said.
        """
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments]
        begin = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as said:
            peak = Path(folder) / "peak"
            process = subprocess.Popen(
                [sys.executable, "-c", _WATCHED, str(peak), *command],
                cwd=self.folder, env=self.environment, stdout=said, stderr=subprocess.STDOUT,
            )  # fmt: skip
            workers = 0
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(SAMPLE)
                workers = max([workers, *map(high_water, descendants(process.pid))])
            elapsed = time.perf_counter() - begin
            said.seek(0)
            text = said.read()
            if process.returncode:
                raise RuntimeError(text)
            return elapsed, max(workers, int(peak.read_text(encoding="utf-8"))) / 1024, text


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that these have; none without ``/proc``."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            parent = path.read_text(encoding="utf-8").rpartition(")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(path.parent.name))
    found, waiting = list[int](), [pid]
    while waiting:
        more = children.get(waiting.pop(), [])
        found += more
        waiting += more
    return found


def high_water(pid: int) -> int:
    """Return the largest memory that a process has had, in kB; 0 if it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1])
    return 0


def in_one_process(study: Study, cells: Iterable[Cell], scratch: Path | None = None) -> float:
    """Return the seconds that cells take one after another in this process.

    Parameters
    ----------
    study : Study
    cells : iterable of Cell
    scratch : path, optional
        Where to write their files.  Without it nothing is written: the pure computation.
    """
    objectives: dict[str, Any] = {}
    begin = time.perf_counter()
    for cell in cells:
        spec, name = cell.spec(), cell.objective["name"]
        if name not in objectives:
            objectives[name] = registry.objective(cell.objective)
        shared = {
            "optimizer": registry.optimizer(cell.optimizer),
            "objective": objectives[name],
            "alpha": cell.alpha,
            "theta0": registry.start(cell.theta0, objectives[name]),
            "steps": cell.steps,
            "schedule": registry.schedule(spec),
        }
        paths = [(spec, simulate(**shared))]
        for wanted in cell.solutions:
            given = study.solutions[wanted]
            model, solver = registry.model(given["model"]), registry.solver(given["solver"])
            path = solve(model, **shared, rtol=given["rtol"], atol=given["atol"], solver=solver)
            paths.append(({**spec, "solution": given}, path))
        if scratch is not None:
            for given, path in paths:
                write(scratch / "path.parquet", path, given, {"version": "", "code": ""})
    return time.perf_counter() - begin


def at_once(study: Study, cells: Sequence[Cell], processes: int) -> float:
    """Return the seconds that cells take in so many processes at the same time, summed over the processes."""
    shares = [cells[i::processes] for i in range(processes)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return sum(pool.map(in_one_process, repeat(study), shares))
