"""Trajectories in Parquet files.

What lives here: reading and writing of trajectories, and the options with which every Parquet file is
written.  What does not: tables of rows (:mod:`idescent.store.tables`), the seal of a table
(:mod:`idescent.store.seals`).

A file has the columns ``k``, ``t``, ``theta``, ``loss`` and the moments, a row for each stored iteration.
Its metadata has, as JSON, the whole configuration of the cell, the version and the digest of the code, and
the report; and a SHA-256 digest of this text and of all columns.  Files are written atomically.  Equal
content gives equal bytes.  A file whose content does not match its digest is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from idescent.store.files import plain, refused, whole
from idescent.store.seals import SEAL_KEY, sealed
from idescent.trajectory import Report, Trajectory

METADATA_KEY = b"idescent"
DIGEST_KEY = SEAL_KEY


def write(
    path: str | Path, trajectory: Trajectory, cell: Mapping[str, Any], provenance: Mapping[str, Any]
) -> None:
    """Write a trajectory to a Parquet file atomically.

    JSON has no NaN: numbers of the report that are not finite are stored as null.  :func:`read` returns NaN
    for the fields of the report itself, and None inside its details.

    Parameters
    ----------
    path : path
        Target; its folder must exist.
    trajectory : Trajectory
    cell : mapping
        The configuration of the cell.
    provenance : mapping
        Version of the package, and digest of the code (:mod:`idescent.study.provenance`).
    """
    import pyarrow as pa

    values = {"k": trajectory.k, "t": trajectory.t, "theta": trajectory.theta, "loss": trajectory.loss}
    values |= trajectory.moments
    columns = {name: wrapped(column) for name, column in values.items()}
    report = plain(vars(trajectory.report))
    metadata = {"cell": dict(cell), "provenance": dict(provenance), "report": report}
    described = json.dumps(metadata, sort_keys=True).encode()
    schema = pa.schema(
        [pa.field(name, column.type, nullable=False) for name, column in columns.items()],
        metadata={METADATA_KEY: described, DIGEST_KEY: _digest(described, values)},
    )
    write_table(path, pa.Table.from_arrays(list(columns.values()), schema=schema))


def pyarrow_file(path: str | Path, mode: Literal["r", "w"] = "r") -> Any:
    """Open a file for pyarrow; as bytes, because pyarrow refuses a text that is not valid UTF-8."""
    import pyarrow as pa

    return pa.OSFile(os.fsencode(path), mode)


def write_table(path: str | Path, table: Any) -> None:
    """Write a pyarrow table to a Parquet file atomically.

    The file is compressed with zstd after a byte-stream split, and has page checksums and a seal.  A
    trajectory has its own digest and gets no seal.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    def numeric(type_: pa.DataType) -> bool:
        return bool(pa.types.is_floating(type_) or pa.types.is_integer(type_))

    split = [f.name for f in table.schema if numeric(f.type)]
    split += [f"{f.name}.list.element" for f in table.schema if pa.types.is_fixed_size_list(f.type)]
    if DIGEST_KEY not in (table.schema.metadata or {}):
        table = sealed(table)
    with whole(path) as partial, pyarrow_file(partial, "w") as target:
        pq.write_table(
            table,
            target,
            compression="zstd",
            use_dictionary=False,
            use_byte_stream_split=split,
            write_page_checksum=True,
            write_statistics=False,
        )


def read(path: str | Path) -> Trajectory:
    """Read a trajectory.

    Raises
    ------
    ValueError
        If the file is damaged, or is not a trajectory; the message names it.
    """
    return read_with_metadata(path)[0]


def read_with_metadata(path: str | Path) -> tuple[Trajectory, dict[str, Any]]:
    """Read a trajectory and the metadata of its file (keys ``cell``, ``provenance``, ``report``)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # pq.read_table would import pandas.
        with pyarrow_file(path) as source, pq.ParquetFile(source, page_checksum_verification=True) as file:
            table = file.read(use_threads=False)
        described = table.schema.metadata[METADATA_KEY]
        columns = {name: _values(table.column(name)) for name in table.column_names}
        if _digest(described, columns) != table.schema.metadata[DIGEST_KEY]:
            raise ValueError("its content does not match its checksum")
    except (pa.ArrowException, OSError, LookupError, TypeError, ValueError) as error:
        raise refused(path, "trajectory file", error) from error
    metadata: dict[str, Any] = json.loads(described)
    k = columns.pop("k")[:, 0]
    t, theta, loss = columns.pop("t")[:, 0], columns.pop("theta"), columns.pop("loss")[:, 0]
    fields: dict[str, Any] = {
        name: math.nan if value is None else value for name, value in metadata["report"].items()
    }
    fields["diverged_at"] = metadata["report"]["diverged_at"]
    return Trajectory(k, t, theta, loss, columns, Report(**fields)), metadata


def _digest(described: bytes, columns: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the digest of the metadata and all columns; Parquet's page checksums leave out the footer."""
    digest = hashlib.sha256(described)
    for name, column in columns.items():
        rows = np.ascontiguousarray(column).reshape(len(column), -1)
        digest.update(f"{name} {rows.dtype} {rows.shape}".encode())
        digest.update(rows.data)
    return digest.hexdigest().encode()


def wrapped(values: NDArray[Any]) -> Any:
    """Wrap a NumPy array, shape (rows,) or (rows, width), in a pyarrow array without a copy.

    ``pyarrow.array(values)`` would import pandas, which costs each job half a second.
    """
    import pyarrow as pa

    values = np.ascontiguousarray(values)
    flat = pa.Array.from_buffers(
        pa.int64() if values.dtype == np.int64 else pa.float64(), values.size, [None, pa.py_buffer(values)]
    )
    if values.ndim == 1 or values.shape[1] == 1:
        return flat
    element = pa.field("element", flat.type, nullable=False)
    return pa.FixedSizeListArray.from_arrays(flat, type=pa.list_(element, values.shape[1]))


def _values(column: Any) -> NDArray[Any]:
    """Return a column as a NumPy array, shape (rows, width), without a copy; ``to_numpy`` imports pandas."""
    import pyarrow as pa

    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    if pa.types.is_fixed_size_list(array.type):
        width, array = array.type.list_size, array.flatten()
    else:
        width = 1
    types: dict[Any, type[np.generic]] = {pa.int64(): np.int64, pa.float64(): np.float64}
    flat = np.frombuffer(array.buffers()[1], types[array.type], count=array.offset + len(array))
    return flat[array.offset :].reshape(-1, width)
