"""Processor time of a command with everything that it starts, by kind of job.

The sum of two numbers, in user and system seconds:

- the children of a process that waits for the command and inherits its orphans (``PR_SET_CHILD_SUBREAPER``),
- the processes for which nobody waits, as the workers of a shared process: Linux adds their time to no other
  process, so they write it themselves (``hooks/sitecustomize.py``).

No privilege is needed, as it would be for a control group.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOOKS = Path(__file__).resolve().parent / "hooks"
_WATCH = """
import ctypes, os, pathlib, resource, subprocess, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
status = subprocess.call(sys.argv[2:])
try:
    while True:
        os.wait()
except ChildProcessError:
    pass
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
pathlib.Path(sys.argv[1]).write_text(str(usage.ru_utime + usage.ru_stime))
sys.exit(status)
"""
OTHER = "shells, start and end of interpreters"


@dataclass(frozen=True)
class Usage:
    """Processor time of a command.

    Attributes
    ----------
    seconds : float
        User and system time of all processes.
    shares : dict of str to float
        Seconds by kind of job; they add up to ``seconds``.
    """

    seconds: float
    shares: dict[str, float]


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Usage:
    """Run a command to its end and return its processor time.

    Raises
    ------
    RuntimeError
        If it fails; the text is its output.
    """
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryFile("w+") as output:
        records, total = Path(place, "records"), Path(place, "total")
        records.mkdir()
        path = os.pathsep.join([str(HOOKS), *filter(None, [environment.get("PYTHONPATH")])])
        done = subprocess.run(
            [sys.executable, "-c", _WATCH, str(total), *command],
            cwd=folder,
            env={**environment, "PYTHONPATH": path, "BENCHMARK_PROCESSES": str(records)},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            output.seek(0)
            raise RuntimeError(output.read())
        seconds, shares = float(total.read_text(encoding="utf-8")), defaultdict[str, float](float)
        for file in records.iterdir():
            record = json.loads(file.read_text(encoding="utf-8"))
            if _WATCH in record["arguments"]:
                continue
            if record["unreaped"]:
                seconds += record["seconds"]
            rest = record["seconds"] - sum(record["shares"].values())
            last = _kind(record["arguments"], folder)
            for kind, share in [*record["shares"].items(), (last, rest)]:
                shares[kind] += share
    shares[OTHER] += seconds - sum(shares.values())
    return Usage(seconds, dict(shares))


def _kind(arguments: Sequence[str], folder: Path) -> str:
    """Return the kind of a process: the rule of a job, or another name."""
    if "snakemake" in arguments:
        return "Snakemake"
    if "--serve" in arguments:
        return "shared processes"
    if "idescent.jobs.client" in arguments:
        return "start of jobs"
    if "job" not in arguments:
        return OTHER
    job = arguments[arguments.index("job") + 1]
    if not job.endswith(".json"):  # before job files
        return job
    description: dict[str, Any] = json.loads((folder / job).read_text(encoding="utf-8"))
    solution = description["given"].get("solution")
    return description["name"] + (f" {solution['name']}" if solution else "")
