"""A job's file, as the workflow writes it: what the tests of jobs share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from idescent.jobs import job_files

FUNCTIONS = {
    "claims": "products.claims.table:job",
    "compare": "products.errors.rows:job",
    "scaling": "products.scaling.table:job",
    "scaling_figure": "products.scaling.figure:job",
    "scaling_optimizers": "products.scaling.optimizers:job",
    "scaling_optimizers_figure": "products.scaling.optimizers_figure:job",
    "scaling_map": "products.scaling.map:job",
    "simulate": "jobs.pack:simulate",
    "solve": "jobs.pack:solve",
}


def job_words(
    name: str,
    folder: Path,
    outputs: Iterable[str | Path],
    inputs: Iterable[str | Path] = (),
    given: Any = None,
) -> list[str]:
    """Write what a job is given below ``folder``; return the words that run it."""
    file = folder / "jobs" / f"{name}.json"
    content = {"name": name, "function": f"idescent.{FUNCTIONS[name]}", "given": given or {}}
    paths = {"files": [str(path) for path in inputs], "output": [str(path) for path in outputs]}
    job_files.write(file, {"code": "c", "plan": "", **content, **paths})
    return ["job", str(file)]
