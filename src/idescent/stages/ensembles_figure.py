"""The stage ``ensembles_figure``: mini-batch runs of one optimizer and what models expect, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from idescent.products.ensembles.figure import render_ensembles


def run(files: Sequence[Path], outputs: Sequence[Path]) -> str:
    """Draw one figure from ensembles' curves; return a line about it.

    Parameters
    ----------
    files : sequence of path
    outputs : sequence of path
        One for each format.
    """
    render_ensembles(files, outputs)
    return f"{len(outputs)} files"
