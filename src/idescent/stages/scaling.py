"""The stage ``scaling``: the errors of a study into its scaling tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from idescent.products.formats import read_errors
from idescent.products.scaling import rows as scaling
from idescent.products.scaling import table as scaling_table
from idescent.study import registry


def run(table: Path, given: Mapping[str, Any], outputs: Sequence[Path]) -> str:
    """Write the complete table and its compact forms; return a line about them.

    Parameters
    ----------
    table : path
        ``errors.parquet`` of the study.
    given : mapping
        ``models`` (solution -> model as for :mod:`idescent.study.registry`), ``reference``, ``quantities``,
        ``until`` (see :func:`idescent.products.scaling.rows.rows`), ``maps``: objectives that are left out of
        the compact tables, and ``alpha``: the learning rates of those.
    outputs : sequence of path
        One for each format; the suffix says which.

    Raises
    ------
    ValueError
        If the suffix of an output is not known, or the table is damaged.
    """
    models = {name: registry.model(spec) for name, spec in given["models"].items()}
    declared = {name: (model.name, model.order) for name, model in models.items()}
    errors = read_errors([table]).to_pylist()
    rows = scaling.rows(errors, declared, given["reference"], given["quantities"], given["until"])
    scaling_table.write(rows, given["alpha"], given["reference"], outputs, given["maps"])
    return f"{len(outputs)} formats"
