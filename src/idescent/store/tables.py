"""Tables in Parquet: reading and writing them, and the columns of hyper-parameters."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from idescent.store.columns import nullable
from idescent.store.files import plain, refused
from idescent.store.seals import opened
from idescent.store.trajectories import METADATA_KEY, pyarrow_file, wrapped, write_table
from idescent.trajectory import Report

HYPERPARAMETERS = ("beta", "beta1", "beta2", "weight_decay")


def hyperparameters(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the hyper-parameters that a row of errors has, by name."""
    return {name: row[name] for name in HYPERPARAMETERS if row[name] is not None}


def read_errors(files: Iterable[str | Path]) -> Any:
    """Read error files into one pyarrow table, in order.

    Raises
    ------
    ValueError
        If a file is damaged; the message names it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for file in files:
        try:
            # Not pq.read_table: it imports pandas.
            with (
                pyarrow_file(file) as source,
                pq.ParquetFile(source, page_checksum_verification=True) as table,
            ):
                tables.append(opened(table.read()))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise refused(file, "table of errors", error) from error
    if not tables:
        raise ValueError("tables: no error files are given: there must be at least one")
    # Reasons are a column of those parts only in which there is one.
    return pa.concat_tables(tables, promote_options="default")


def write_columns(
    path: str | Path,
    columns: Mapping[str, NDArray[Any]],
    about: Mapping[str, Any],
    report: Report | None = None,
) -> None:
    """Write tidy columns to a Parquet file, whole or not at all; metadata: ``about`` and the report."""
    import pyarrow as pa

    described: dict[str, Any] = {"about": dict(about)}
    if report is not None:
        described["report"] = plain(vars(report))
    text = json.dumps(described, sort_keys=True).encode()
    arrays = [
        nullable(values.tolist(), pa.string()) if values.dtype.kind == "U" else wrapped(values)
        for values in columns.values()
    ]
    schema = pa.schema(
        [pa.field(name, array.type, nullable=False) for name, array in zip(columns, arrays, strict=True)],
        metadata={METADATA_KEY: text},
    )
    write_table(path, pa.Table.from_arrays(arrays, schema=schema))
