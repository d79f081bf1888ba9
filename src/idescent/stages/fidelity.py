"""The stage ``fidelity``: how long the models of a pack of cells hold, into one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from idescent.products.fidelity import rows as fidelity
from idescent.study import packs, registry
from idescent.trajectory import write_table


def run(
    manifests: Sequence[Path], objective: Mapping[str, Any], within: Sequence[float], output: Path
) -> str:
    """Compare every solution with the discrete run beside it; return a line about it.

    Parameters
    ----------
    manifests : sequence of path
        Lists of discrete runs and of solutions, of one objective.
    objective : mapping
        As for :mod:`idescent.study.registry`.
    within : sequence of float
        Bounds of the relative errors.
    output : path

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    files = packs.files(manifests)
    write_table(output, fidelity.as_table(fidelity.rows(files, within, registry.objective(objective))))
    return f"{len(files)} trajectories"
