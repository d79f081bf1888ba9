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
"""Hyper-parameters with a column of numbers in every table; the column has their name."""

OTHERS = "optimizer."
"""First part of the name of the column of any other hyper-parameter, for example ``optimizer.psi``.

No other column begins with it, whatever names a user's optimizer has.  A table has these columns only for the
hyper-parameters that the study sets.
"""


def columns_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyper-parameters of an optimizer by column; the usual ones are None if they are not set."""
    row = dict.fromkeys(HYPERPARAMETERS)
    for name, value in arguments.items():
        word = isinstance(value, bool | str)
        column = name if name in HYPERPARAMETERS and not word else OTHERS + name
        row[column] = str(value) if word else float(value)
    return row


def hyperparameters(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the hyper-parameters of a row of a table by name, without the null ones."""
    columns = (*HYPERPARAMETERS, *filter(is_other, row))
    return {name.removeprefix(OTHERS): row[name] for name in columns if row.get(name) is not None}


def is_other(column: str) -> bool:
    """Whether a column is that of a hyper-parameter that not every table has."""
    return column.startswith(OTHERS)


def with_others(table: Any, rows: Iterable[Mapping[str, Any]]) -> Any:
    """Add the columns of the other hyper-parameters of some rows to their table, after the usual ones.

    A column holds numbers, or texts if one of its values is a text.
    """
    import pyarrow as pa

    rows = list(rows)
    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row if is_other(name)):
        values = [row.get(name) for row in rows]
        words = any(isinstance(value, str) for value in values)
        if words:
            values = [None if value is None else str(value) for value in values]
        columns[name] = nullable(values, pa.string() if words else pa.float64())
    return _inserted(table, columns)


def _inserted(table: Any, columns: dict[str, Any]) -> Any:
    at = table.column_names.index(HYPERPARAMETERS[-1]) + 1
    for name in reversed(columns):
        table = table.add_column(at, name, columns[name])
    return table


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
    return pa.concat_tables(_alike(tables), promote_options="default")


def _alike(tables: list[Any]) -> list[Any]:
    """Give tables the same columns of other hyper-parameters, in the same place and of the same types."""
    import pyarrow as pa

    columns = [(field.name, field.type) for table in tables for field in table.schema if is_other(field.name)]
    types = dict(columns)
    # An optimizer may have a word where another one has a number.
    types |= {name: pa.string() for name, type_ in columns if type_ != types[name]}
    if not types:
        return tables
    alike = []
    for table in tables:
        values = {
            name: table[name].cast(type_) if name in table.column_names else pa.nulls(len(table), type_)
            for name, type_ in types.items()
        }
        bare = table.drop_columns([name for name in values if name in table.column_names])
        alike.append(_inserted(bare, values))
    return alike


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
