"""The processor time of whole studies, against an earlier commit."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from suite import processes
from suite.projects import Project
from suite.rows import Row, Spread
from suite.settings import ROOT, Settings
from suite.timing import in_turns

COMMIT = "f9850d4"
ROUNDS = 3
TITLE = "Processor time of studies"
TEXT = f"""User and system seconds of all processes of `snakemake`, from nothing, against commit {COMMIT} with
the same Python and libraries, in turns on the same machine. *paper*: `config/config.yaml` of each commit.
*scaling*: the earlier commit's `config/scaling.yaml` in both, as the present one has more learning rates,
with the `seconds_per_job` of each commit's own file. *share, %* and *s* are of the last run of the present
code, by rule and solution. The *shared processes* are those that import the libraries of the jobs."""


def measure(settings: Settings) -> list[Row]:
    """Run both studies by both versions; the smoke study by the present one for a quick look."""
    if settings.quick:
        usage = _Version(ROOT, settings, "now").run("config/smoke.yaml")
        return [_row("smoke", "now", [usage.seconds]), *_shares("smoke", usage)]
    if not known():
        return [Row("paper", COMMIT, status="not measured", note=f"{COMMIT} is not in this clone")]
    now, earlier = _Version(ROOT, settings, "now"), _Version(_checkout(settings), settings, "earlier")
    rows = []
    for case, rounds in (("paper", ROUNDS), ("scaling", 1)):
        config = {version: version.config(case, earlier) for version in (now, earlier)}
        usages: dict[str, list[processes.Usage]] = {"now": [], "earlier": []}

        def seconds(version: _Version, case: str = case, config: Any = config, usages: Any = usages) -> float:
            usage = version.run(config[version])
            usages[version.name].append(usage)
            settings.say(f"{case}, {version.name}: {usage.seconds:.1f} s")
            return usage.seconds

        # The files of libraries are in the system's cache after the paper: no round of scaling is left out.
        calls = [partial(seconds, now), partial(seconds, earlier)]
        times = in_turns(calls, rounds=rounds, budget=1e9) if rounds > 1 else [[call()] for call in calls]
        ratios = [new / old for new, old in zip(*times, strict=True)]
        rows += [_row(case, "now", times[0], ratios), _row(case, COMMIT, times[1])]
        rows += _shares(case, usages["now"][-1])
    return rows


def known() -> bool:
    """Return whether the history of this clone has the earlier commit."""
    command = ["git", "-C", str(ROOT), "cat-file", "-e", f"{COMMIT}^{{commit}}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class _Version:
    """A copy of the project at one commit, whose results are removed before each run."""

    def __init__(self, source: Path, settings: Settings, name: str) -> None:
        self.name, self.source, self.cores = name, source, settings.cores
        self.places = settings.scratch / name
        self.runs = 0

    def config(self, case: str, earlier: _Version) -> str:
        """Return a configuration: text of a file of ``config``, or a path of the project."""
        if case == "paper":
            return "config/config.yaml"
        text = (earlier.source / "config/scaling.yaml").read_text(encoding="utf-8")
        own = yaml.safe_load((self.source / "config/scaling.yaml").read_text(encoding="utf-8"))
        if "seconds_per_job" not in own:
            return text
        return f"seconds_per_job: {own['seconds_per_job']}\n{text}"

    def run(self, config: str) -> processes.Usage:
        """Run a study from nothing."""
        self.runs += 1
        project = Project(self.places / str(self.runs), self.source)
        if "\n" in config:
            (project.folder / "config/cost.yaml").write_text(config, encoding="utf-8")
            config = "config/cost.yaml"
        command = [sys.executable, "-m", "snakemake", "--cores", str(self.cores), "--configfile", config]
        return processes.run(command, project.folder, project.environment)


def _checkout(settings: Settings) -> Path:
    """Clone the earlier commit and compile its kernels.

    Raises
    ------
    RuntimeError
        If it cannot be cloned, or its kernels cannot be compiled.
    """
    folder = settings.scratch / "checkout"
    for command in (
        ["git", "clone", "--quiet", "--no-checkout", str(ROOT), str(folder)],
        ["git", "-C", str(folder), "checkout", "--quiet", COMMIT],
        [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"],
    ):
        place = folder if command[0] == sys.executable else ROOT
        done = subprocess.run(command, cwd=place, env=os.environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return folder


def _row(case: str, method: str, seconds: list[float], ratios: list[float] | None = None) -> Row:
    values = {"s": Spread.of(seconds)}
    if ratios is not None:
        values["ratio"] = Spread.of(ratios)
    return Row(case, method, values=values)


def _shares(case: str, usage: processes.Usage) -> list[Row]:
    """Return one row for each kind of job, the most expensive first."""
    kinds = sorted(usage.shares.items(), key=lambda item: -item[1])
    return [
        Row(
            f"{case}, {kind}",
            "now",
            values={"s": Spread.exact(seconds), "share, %": Spread.exact(100.0 * seconds / usage.seconds)},
        )
        for kind, seconds in kinds
    ]
