"""Copies of the project in which the workflow runs, as a user would run it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from idescent import registry
from idescent.continuous import solve
from idescent.discrete import simulate
from idescent.study import Cell, Study
from idescent.trajectory import write
from suite.settings import ROOT

COPIED = ("Snakefile", "workflow", "config", "src", "profiles")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info")


class Project:
    """A copy of what a user has, in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=LEFT_OUT)
            else:
                shutil.copyfile(source, folder / name)
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
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=said, stderr=subprocess.STDOUT
            )
            # The usage is that of the process and of all that it has waited for.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            elapsed = time.perf_counter() - begin
            said.seek(0)
            text = said.read()
        if process.returncode:
            raise RuntimeError(text)
        return elapsed, usage.ru_maxrss / 1024, text


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
