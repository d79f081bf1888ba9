"""What a job is given: one readable JSON file for each, which its rule names by path.

What lives here: where these files lie, writing and reading them.  What does not: what is in them (the
workflow's rules), what is done with it (:mod:`idescent.jobs.command`).

A command line takes 128 KiB, and what stands on it is read by a shell: no text of a configuration, and no
list that grows with a study, goes there.
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
    """Return the digest of a job's arguments: 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(given).encode()).hexdigest()


def place(root: str, output: str) -> str:
    """Return the path of the file for the job that makes ``output``, below the study's folder ``root``.

    Another workflow that uses this one may put results elsewhere: ``root`` may follow a prefix of its own.
    """
    before, _, below = output.partition(f"{root}/")
    return f"{before}{root}/logs/jobs/{below}.json"


def parameters(
    rule: Rule, job_of: Callable[[Any], Job], root: str, plan: str, may_write: Callable[[], bool]
) -> dict[str, Callable[..., str]]:
    """Return the parameters of a rule of Snakemake, all of them functions of a job.

    Snakemake takes braces in a string for wildcards, but not in what a function returns.  It runs a job again
    when ``given`` or ``code`` has changed; the file is none of its inputs, and only its path, ``job``, stands
    on the command line.

    Parameters
    ----------
    rule : Rule
    job_of : callable
        From wildcards to the job.
    root, plan : str
        Folder of the study, and the file of what a run makes.
    may_write : callable
        Whether this process may change anything: not in a dry run.  What then cannot be written ends it.
    """

    def about(job: Job) -> dict[str, Any]:
        files = job.inputs if job.files is None else job.files
        return {"name": rule.name, "function": rule.function, "files": list(files), "given": job.given}

    def file(wildcards: Any, output: Any) -> str:
        job, path = job_of(wildcards), place(root, output[0])
        if may_write():
            content = {**about(job), "code": job.code, "output": list(output), "plan": plan}
            # Another workflow that uses this one may have put the study elsewhere.
            folder = output[0].removesuffix(rule.made_by(job)[0])
            try:
                write(path, content | {"files": [f"{folder}{name}" for name in content["files"]]})
            except OSError as error:  # Snakemake would show where in the code any other exception came from
                sys.exit(f"{root} cannot be written to: {error.strerror}")
        return path

    return {
        "given": lambda wildcards: digest(about(job_of(wildcards))),
        "code": lambda wildcards: job_of(wildcards).code,
        "job": file,
    }


def write(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write the arguments of a job, unless the file holds them already."""
    path, text = Path(path), json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    if not path.is_file() or path.read_bytes() != text.encode():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)


def read(path: str | Path) -> dict[str, Any]:
    """Return what was written.

    Raises
    ------
    ValueError
        If there is no such file, or it is damaged; the message names it.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if sorted(content) != sorted(KEYS):
            raise ValueError(f"must have the keys {', '.join(KEYS)}")
    except (OSError, ValueError, TypeError) as error:
        raise refused(path, "description of a job", error) from error
    return dict(content)


def remove_stale(root: str | Path) -> None:
    """Remove the files of a study whose results are not there."""
    folder = Path(root, "logs/jobs")
    for file in folder.rglob("*.json"):
        if not Path(root, file.relative_to(folder)).with_suffix("").exists():
            file.unlink()
