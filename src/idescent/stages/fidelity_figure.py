"""The stage ``fidelity_figure``: loss curves of one optimizer's runs and models, drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from idescent.products.fidelity.figure import render_fidelity
from idescent.study import registry


def run(files: Sequence[Path], given: Mapping[str, Any], outputs: Sequence[Path]) -> str:
    """Draw one figure from trajectories; return a line about it.

    Parameters
    ----------
    files : sequence of path
    given : mapping
        ``models`` (solution -> model as for :mod:`idescent.study.registry`), ``within``, ``objective`` and
        ``optimizer``.
    outputs : sequence of path
        One for each format.
    """
    models = {name: str(registry.model(spec).name) for name, spec in given["models"].items()}
    render_fidelity(files, models, given["within"], given["objective"], given["optimizer"], outputs)
    return f"{len(outputs)} files"
