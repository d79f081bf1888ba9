"""The stage ``compare``: the errors of a pack of cells into one file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from idescent import __version__
from idescent.analysis import errors
from idescent.study import packs
from idescent.trajectory import METADATA_KEY, write_table


def run(manifests: Sequence[Path], output: Path, code: str) -> str:
    """Compare every solution with the discrete run beside it; return a line about it.

    Parameters
    ----------
    manifests : sequence of path
        Lists of discrete runs and of solutions.
    output : path
    code : str
        Digest of the code, recorded in the file.

    Raises
    ------
    ValueError
        If a file is damaged or a solution is not of the cell it lies beside.
    """
    files = packs.files(manifests)
    provenance = {"version": __version__, "code": code}
    metadata = {METADATA_KEY: json.dumps({"provenance": provenance}, sort_keys=True)}
    write_table(output, errors.table(files).replace_schema_metadata(metadata))
    return f"{len(files)} trajectories"
