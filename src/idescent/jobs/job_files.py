"""Job files: the description of each job, as a readable JSON file.

What lives here: their paths, writing and reading them.  What does not: their content (the products' rules),
running a job (:mod:`idescent.jobs.command`).

Only the path of the file is on a job's command line.  A command line is limited to 128 KiB and is parsed by a
shell, so it holds neither texts from a configuration nor lists that grow with a study.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from idescent.products.product import Job, Rule
from idescent.store.files import refused, write_text

KEYS = ("code", "files", "function", "given", "name", "output", "plan")


def digest(given: Any) -> str:
    """Return the SHA-256 digest of a job's arguments: 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(given).encode()).hexdigest()


def place(root: str, output: str) -> str:
    """Return the path of the job file for the job that creates ``output``; ``root`` is the study's folder.

    Another workflow that uses this one may add a prefix to all outputs: it stays in front of ``root``.
    """
    prefix, _, below = output.partition(f"{root}/")
    return f"{prefix}{root}/logs/jobs/{below}.json"


def parameters(
    rule: Rule, job_of: Callable[[Any], Job], root: str, plan: str, may_write: Callable[[], bool]
) -> dict[str, Callable[..., str]]:
    """Return the ``params`` of a rule of Snakemake; each one is a function of the job's wildcards.

    Functions, because Snakemake would expand braces in a string.  Snakemake runs a job again when ``given``
    or ``code`` has changed.  ``job`` is the path of the job file; the job file is no input of the rule.

    Parameters
    ----------
    rule : Rule
    job_of : callable
        Function from wildcards to the job.
    root, plan : str
        Folder of the study, and path of the plan of this run (:mod:`idescent.jobs.progress`).
    may_write : callable
        Whether job files may be written; not in a dry run.  If writing then fails, the process ends with one
        line.
    """

    def about(job: Job) -> dict[str, Any]:
        files = job.inputs if job.files is None else job.files
        return {"name": rule.name, "function": rule.function, "files": list(files), "given": job.given}

    def file(wildcards: Any, output: Any) -> str:
        job, path = job_of(wildcards), place(root, output[0])
        if may_write():
            content = {**about(job), "code": job.code, "output": list(output), "plan": plan}
            # Input files get the same prefix as the outputs (see place).
            folder = output[0].removesuffix(rule.made_by(job)[0])
            try:
                write(path, content | {"files": [f"{folder}{name}" for name in content["files"]]})
            except OSError as error:  # for any other exception Snakemake would print a traceback
                sys.exit(f"{root} cannot be written to: {error.strerror}")
        return path

    return {
        "given": lambda wildcards: digest(about(job_of(wildcards))),
        "code": lambda wildcards: job_of(wildcards).code,
        "job": file,
    }


def write(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a job file, unless it has this content already."""
    path, text = Path(path), json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    if not path.is_file() or path.read_bytes() != text.encode():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)


def read(path: str | Path) -> dict[str, Any]:
    """Return the content of a job file.

    Raises
    ------
    ValueError
        If there is no such file, or it is damaged; the message names the file.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if sorted(content) != sorted(KEYS):
            raise ValueError(f"must have the keys {', '.join(KEYS)}")
    except (OSError, ValueError, TypeError) as error:
        raise refused(path, "description of a job", error) from error
    return dict(content)


def remove_stale(root: str | Path) -> None:
    """Remove job files whose outputs do not exist."""
    folder = Path(root, "logs/jobs")
    for file in folder.rglob("*.json"):
        if not Path(root, file.relative_to(folder)).with_suffix("").exists():
            file.unlink()
