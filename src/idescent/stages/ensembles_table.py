"""The stage ``ensembles_table``: the largest weak errors of all ensembles of a study, into its tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from idescent.products.ensembles import table as ensembles
from idescent.products.formats import read_errors


def run(files: Sequence[Path], outputs: Sequence[Path]) -> str:
    """Gather the ensembles' files into one table in several formats; return a line about it.

    Parameters
    ----------
    files : sequence of path
        Largest errors of :func:`idescent.stages.ensemble.run`; their order is that of the rows.
    outputs : sequence of path
        One for each format; the suffix says which.
    """
    ensembles.write(read_errors(files), outputs)
    return f"{len(outputs)} formats"
