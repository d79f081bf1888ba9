"""What each kind of job costs before it does anything."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from suite.projects import Project
from suite.rows import Row, Spread
from suite.settings import Settings
from suite.timing import in_turns

TITLE = "Start-up of each kind of job"
TEXT = """The workflow's own commands, each for the smallest thing that it can make (a run of 8 iterations, a
figure of one curve …), made anew, one at a time: wall time from the start of the process to its end. *import*
is what `-X importtime` adds up, measured by itself; *modules* how many the process has loaded at its end, and
*loads* which of the large packages are among them. `python` and `numpy` are the interpreter alone and with
NumPy: no job can be faster."""

LARGE = ("numpy", "pyarrow", "pydantic", "scipy", "matplotlib", "pandas", "seaborn", "snakemake")
# Jobs that need no input.
QUICK = ("simulate", "solve")

CLAIMS = {
    "sources": {
        "discrete": {"path": "discrete", "role": "discrete"},
        "exact": {"path": "paper", "role": "exact"},
    },
    "claims": [
        {
            "id": "moves",
            "where": "nowhere",
            "statement": "Adam comes nearer to the minimum.",
            "about": "both",
            "checks": [
                {
                    "measure": "last",
                    "quantity": "offset",
                    "cell": {"objective": "quadratic", "alpha": 0.1},
                    "expect": {"below": 1},
                }
            ],
        }
    ],
}

_TRACE = """
import sys, atexit
atexit.register(lambda: open({path!r}, "w").write(" ".join(sys.modules)))
"""


def study() -> dict[str, Any]:
    """Return a tiny study that has a job of every kind."""
    quadratic = {"class": "Quadratic", "arguments": {"center": 4.0}}
    mse = {"class": "MeanSquaredError.synthetic", "arguments": {"seed": 42}}
    adam = {"optimizer": "Adam", "hyperparameters": {"beta1": 0.9, "beta2": 0.99}}
    solved = {"solver": "Collocation", "rtol": 1e-6, "atol": 1e-9}
    block = {"objective": "quadratic", **adam, "theta0": 1.0}
    crowd = {**block, "objective": "mse", "alpha": 0.1, "steps": 8, "batch": 2, "runs": 4}
    return {
        "study": "startup",
        "objectives": {"quadratic": quadratic, "mse": mse, "map": quadratic},
        "runs": [
            {**block, "alpha": [0.1, 0.05], "steps": 8},
            {
                **block,
                "objective": "map",
                "alpha": [0.1, 0.05, 0.02],
                "hyperparameters": {"beta1": 0.9, "beta2": [0.9, 0.99, 0.999]},
                "steps": 8,
            },
        ],
        "solutions": {"paper": {"model": "Paper", **solved}},
        "figures": {
            "adam": {
                "title": "Adam",
                "caption": "Discrete iterations only.",
                "quantity": "theta",
                "objective": "quadratic",
                "select": [{"optimizer": "Adam"}],
                "panels": [{"alpha": 0.1}],
            }
        },
        "scaling": {"maps": ["map"]},
        "fidelity": {"curves": ["quadratic"]},
        "forecast": [{**block, "alpha": [0.1, 0.05], "steps": [8, 16]}],
        "ensembles": [crowd],
    }


def measure(settings: Settings) -> list[Row]:
    """Start every kind of job."""
    project = Project(settings.scratch / "project")
    config = ("--configfile", project.study(study()))
    project.snakemake(settings.cores, *config, *(("--until", *QUICK) if settings.quick else ()))
    commands = _commands(project, "startup")
    if not settings.quick:
        # The audit and the errors at a glance belong to studies of another kind.
        text = yaml.safe_dump(CLAIMS)
        (project.folder / "config/audited_claims.yaml").write_text(text, encoding="utf-8")
        audited = ("--configfile", project.study(_audited()))
        project.snakemake(settings.cores, *audited)
        commands = _commands(project, "audited") | commands
    kinds = [kind for kind in commands if not settings.quick or kind in QUICK]
    bases = {"python": [sys.executable, "-c", "pass"], "numpy": [sys.executable, "-c", "import numpy"]}
    called: dict[str, Sequence[str]] = {**bases, **{kind: commands[kind] for kind in kinds}}
    environment = project.environment | {"IDESCENT_FRESH": "1"}
    times = in_turns(
        [lambda c=command: _seconds(c, project.folder, environment) for command in called.values()],
        rounds=1 if settings.quick else 7,
        budget=150.0,
    )
    found = []
    for (kind, command), seconds in zip(called.items(), times, strict=True):
        imports, modules = _imports(command, project.folder, environment, settings.scratch)
        loads = ", ".join(name for name in LARGE if name in modules)
        values = {
            "s": Spread.of(seconds),
            "import, s": Spread.exact(imports),
            "modules": Spread.exact(len(modules)),
        }
        found.append(Row("start", kind, note=loads, values=values))
        settings.say(f"{kind}: {found[-1].value('s'):.3g} s ({loads})")
    return found


def _audited() -> dict[str, Any]:
    """Return a study with statements to decide, and without a ladder, so that it has the overview."""
    raw = study()
    for key in ("scaling", "fidelity", "forecast", "ensembles"):
        del raw[key]
    raw["solutions"]["scheme"] = {"model": "Paper", "solver": "Picard", "reference": "paper"}
    return {**raw, "study": "audited", "claims": "config/audited_claims.yaml"}


def _commands(project: Project, name: str) -> dict[str, list[str]]:
    """Return the command of one job of each rule of a study that has run, in a process of its own."""
    found: dict[str, list[str]] = {}
    for file in sorted(project.folder.glob(f"results/{name}/logs/jobs/**/*.json")):
        rule = json.loads(file.read_text(encoding="utf-8"))["name"]
        found.setdefault(rule, [sys.executable, "-m", "idescent", "job", str(file)])
    return found


def _seconds(command: Sequence[str], folder: Path, environment: dict[str, str]) -> float:
    begin = time.perf_counter()
    _run(command, folder, environment)
    return time.perf_counter() - begin


def _run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:300]}\n{done.stdout}{done.stderr}")
    return done.stderr


def _imports(
    command: Sequence[str], folder: Path, environment: dict[str, str], scratch: Path
) -> tuple[float, list[str]]:
    """Return the seconds that imports take and the modules that are there at the end."""
    said = _run(command, folder, environment | {"PYTHONPROFILEIMPORTTIME": "1"})
    own = [int(match[1]) for match in re.finditer(r"^import time:\s+(\d+) \|", said, flags=re.M)]
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        listed = Path(place, "modules")
        Path(place, "sitecustomize.py").write_text(_TRACE.format(path=str(listed)), encoding="utf-8")
        path = f"{place}{os.pathsep}{environment['PYTHONPATH']}"
        _run(command, folder, environment | {"PYTHONPATH": path})
        return sum(own) * 1e-6, listed.read_text(encoding="utf-8").split()
