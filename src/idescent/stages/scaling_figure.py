"""The stage ``scaling_figure``: the errors of one optimizer's models against the learning rate, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from idescent.products.scaling.figure import render_scaling


def run(table: Path, objective: str, optimizer: str, outputs: Sequence[Path]) -> str:
    """Draw one figure from a complete scaling table; return a line about it.

    Parameters
    ----------
    table : path
    objective, optimizer : str
    outputs : sequence of path
        One for each format.
    """
    render_scaling(table, objective, optimizer, outputs)
    return f"{len(outputs)} files"
