"""The stage ``fidelity_table``: how long all models of a study hold, into its tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from idescent.products.fidelity import table as fidelity
from idescent.products.formats import in_order, read_errors


def run(files: Sequence[Path], outputs: Sequence[Path]) -> str:
    """Gather the packs' files into one table in several formats; return a line about it.

    Parameters
    ----------
    files : sequence of path
        Parquet files of :func:`idescent.stages.fidelity.run`.
    outputs : sequence of path
        One for each format; the suffix says which.
    """
    fidelity.write(in_order(read_errors(files)), outputs)
    return f"{len(outputs)} formats"
