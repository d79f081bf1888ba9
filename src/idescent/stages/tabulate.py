"""The stage ``tabulate``: all errors of a study into its tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from idescent.products.errors import table as errors


def run(files: Sequence[Path], outputs: Sequence[Path]) -> str:
    """Gather error files into one table in several formats; return a line about it.

    Parameters
    ----------
    files : sequence of path
        Parquet files of :func:`idescent.stages.compare.run`.
    outputs : sequence of path
        One for each format; the suffix says which.
    """
    errors.write_errors(files, outputs)
    return f"{len(outputs)} formats"
