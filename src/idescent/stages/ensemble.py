"""The stage ``ensemble``: mini-batch runs of one cell and all descriptions of them, into two files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from idescent import __version__
from idescent.products.ensembles import rows as ensembles
from idescent.trajectory import METADATA_KEY, write_table


def run(given: Mapping[str, Any], outputs: Sequence[Path], code: str, log: Callable[[str], None]) -> str:
    """Make an ensemble and write its curves and its largest weak errors; return a line about it.

    Parameters
    ----------
    given : mapping
        As for :func:`idescent.products.ensembles.rows.make`.
    outputs : sequence of path
        Where curves and largest errors go.
    code : str
        Digest of the code, recorded in the files.
    log : callable
        Receives lines for the job's log.
    """
    curves, largest = ensembles.make(given, log)
    provenance = {"version": __version__, "code": code}
    metadata = {METADATA_KEY: json.dumps({"about": dict(given), "provenance": provenance}, sort_keys=True)}
    tables = (ensembles.curves_table(curves), ensembles.largest_table(largest))
    for output, table in zip(outputs, tables, strict=True):
        write_table(output, table.replace_schema_metadata(metadata))
    models = dict.fromkeys(row["model"] for row in largest)
    return f"{given['runs']} runs, {len(models)} models"
