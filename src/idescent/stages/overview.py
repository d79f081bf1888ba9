"""The stage ``overview``: the errors of all cells of a study at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from idescent.products.errors.overview import render_overview
from idescent.products.errors.split import render_split


def run(files: Sequence[Path], outputs: Sequence[Path]) -> str:
    """Draw the overview and, if asked for, the three errors; return a line about it.

    Parameters
    ----------
    files : sequence of path
        Parquet files of :func:`idescent.stages.compare.run`.
    outputs : sequence of path
        ``errors_overview.*`` and, for a study that measures a scheme, ``errors_split.*``.

    Raises
    ------
    ValueError
        If an output is neither, or an input is damaged.
    """
    figures = {"errors_overview": render_overview, "errors_split": render_split}
    for output in outputs:
        if output.stem not in figures:
            raise ValueError(f"{output}: not a figure of errors: must be one of {', '.join(figures)}")
    for stem, render in figures.items():
        if chosen := [output for output in outputs if output.stem == stem]:
            render(files, chosen)
    return f"{len(outputs)} files"
