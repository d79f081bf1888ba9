"""Tables in Parquet: reading and writing them, and the columns of hyper-parameters.

pandas takes half a second to import: the functions that return its tables import it themselves, so that no
job that simulates, solves or measures does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from idescent.store.columns import nullable
from idescent.store.files import plain, refused
from idescent.store.seals import opened
from idescent.store.trajectories import METADATA_KEY, pyarrow_file, wrapped, write_table
from idescent.trajectory import Report

if TYPE_CHECKING:
    from pandas import DataFrame

HYPERPARAMETERS = ("beta", "beta1", "beta2", "weight_decay")


def hyperparameters(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the hyper-parameters of a row of errors by name, without the null ones."""
    return {name: row[name] for name in HYPERPARAMETERS if row[name] is not None}


def read_errors(files: Iterable[str | Path]) -> Any:
    """Read error files into one pyarrow table, in the order of ``files``.

    Raises
    ------
    ValueError
        If a file is damaged (the message names it), or there is no file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for file in files:
        try:
            # pq.read_table would import pandas.
            with (
                pyarrow_file(file) as source,
                pq.ParquetFile(source, page_checksum_verification=True) as table,
            ):
                tables.append(opened(table.read()))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise refused(file, "table of errors", error) from error
    if not tables:
        raise ValueError("tables: 0 error files are not allowed: must be at least 1")
    # The default promotion fills missing columns with null: only files with a refused or implausible
    # solution have the column of reasons.
    return pa.concat_tables(tables, promote_options="default")


def read_table(path: str | Path) -> DataFrame:
    """Read a table of a study (``results/<study>/tables/*.parquet``) as a pandas table.

    Parameters
    ----------
    path : path
        Parquet file of errors, of scaling, of fidelity or of ensembles.

    Returns
    -------
    DataFrame
        The columns of the file.  Missing numbers are NaN; whole numbers and truth values have pandas' types
        ``Int64`` and ``boolean``, in which a value may be missing.

    Raises
    ------
    ValueError
        If the file is damaged; the message names it.
    """
    return data_frame(read_errors([path]))


def data_frame(table: Any) -> DataFrame:
    """Return a pyarrow table as a pandas table, with the types of :func:`read_table`."""
    import pandas as pd
    import pyarrow as pa

    types = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    frame: DataFrame = table.to_pandas(types_mapper=types.get)
    return frame


def write_columns(
    path: str | Path,
    columns: Mapping[str, NDArray[Any]],
    about: Mapping[str, Any],
    report: Report | None = None,
) -> None:
    """Write columns to a Parquet file atomically.

    Parameters
    ----------
    path : path
        Target; its folder must exist.
    columns : mapping of str to ndarray
        Columns of texts or 64-bit numbers, all of one length.
    about : mapping
        Description of the table; stored as JSON in the file's metadata, under ``about``.
    report : Report, optional
        Stored in the metadata under ``report``.
    """
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
