"""The stage ``scaling_map``: the errors of one optimizer's models over learning rate and memory, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from idescent.products.scaling.map import render_heatmap


def run(table: Path, objective: str, optimizer: str, outputs: Sequence[Path]) -> str:
    """Draw one map from a complete scaling table; return a line about it.

    Parameters
    ----------
    table : path
    objective, optimizer : str
    outputs : sequence of path
        One for each format.
    """
    render_heatmap(table, objective, optimizer, outputs)
    return f"{len(outputs)} files"
