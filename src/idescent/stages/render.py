"""The stage ``render``: one figure, and its companion of errors, into files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from idescent.products.paths.figure import render, render_errors
from idescent.products.paths.keys import parse


def run(values: Mapping[str, Any], files: Sequence[Path], outputs: Sequence[Path]) -> str:
    """Draw a figure from trajectory files; return a line about it.

    Parameters
    ----------
    values : mapping
        One entry of ``figures`` in the configuration.
    files : sequence of path
        Trajectories of the cells that it shows.
    outputs : sequence of path
        One for each format, the figure's own first; ``<figure>_errors`` is the companion.

    Raises
    ------
    ValueError
        If a cell or path that the figure shows is missing, or a file is damaged.
    """
    name = outputs[0].stem
    spec = parse(name, values)
    render(spec, files, [output for output in outputs if output.stem == name])
    if companion := [output for output in outputs if output.stem != name]:
        render_errors(spec, files, companion)
    return f"{len(outputs)} files"
