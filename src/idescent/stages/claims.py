"""The stage ``claims``: the paper's statements against the trajectories of a study, into tables."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from idescent.products.claims import audit, table
from idescent.products.claims import keys as spec
from idescent.trajectory import read_with_metadata

FORMATS = {".md": table.markdown, ".csv": table.csv}


def run(claims: Path, files: Sequence[Path], outputs: Sequence[Path]) -> str:
    """Evaluate all claims and write them down; return a line about the verdicts.

    Parameters
    ----------
    claims : path
        The claims file.
    files : sequence of path
        Discrete runs and solutions.
    outputs : sequence of path
        .md or .csv; the suffix says which.

    Raises
    ------
    ValueError
        If the claims file cannot be used, a trajectory is damaged, or the suffix of an output is not known.
    """
    for output in outputs:
        if output.suffix not in FORMATS:
            raise ValueError(
                f"{output}: {output.suffix!r} is not allowed: must be one of {', '.join(FORMATS)}"
            )
    checked = spec.read(claims)
    findings = audit.audit(checked, _runs(files))
    texts = [FORMATS[output.suffix](checked, findings) for output in outputs]
    partials = [output.with_name(f".{output.name}.{os.getpid()}.partial") for output in outputs]
    try:
        for partial, text in zip(partials, texts, strict=True):
            partial.write_text(text, encoding="utf-8")
        for partial, output in zip(partials, outputs, strict=True):
            partial.replace(output)
    finally:
        for partial in partials:
            partial.unlink(missing_ok=True)
    return table.counts(findings)


def _runs(files: Sequence[Path]) -> list[audit.Run]:
    runs: dict[str, audit.Run] = {}
    for file in files:
        trajectory, metadata = read_with_metadata(file)
        cell = metadata["cell"]
        name = cell.pop("solution", {"name": "discrete"})["name"]
        run = runs.setdefault(json.dumps(cell, sort_keys=True), audit.Run(cell, {}))
        run.paths[name] = trajectory
    return list(runs.values())
