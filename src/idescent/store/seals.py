"""Whether a table that was read is the one that was written.

Parquet's checksums cover the data of a page, but neither its header nor the footer of the file: a bit that
flips there can change values or names, and no reader notices.  The seal of a table covers all that it says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEAL_KEY = b"idescent_sha256"


def sealed(table: Any) -> Any:
    """Return a pyarrow table with its seal in its metadata."""
    return table.replace_schema_metadata({**(table.schema.metadata or {}), SEAL_KEY: seal(table)})


def opened(table: Any) -> Any:
    """Check a table against its seal and return it without: what is made from it needs one of its own.

    Raises
    ------
    ValueError
        If it has none, or is not what was written.
    """
    if (table.schema.metadata or {}).get(SEAL_KEY) != seal(table):
        raise ValueError("its content is not what was written")
    return table.replace_schema_metadata(_unsealed(table))


def _unsealed(table: Any) -> dict[bytes, bytes]:
    return {key: value for key, value in (table.schema.metadata or {}).items() if key != SEAL_KEY}


def seal(table: Any) -> bytes:
    """Return the digest of a table of 64-bit numbers, words and truth values: all that it says."""
    digest = hashlib.sha256(repr(sorted(_unsealed(table).items())).encode())
    for name, column in zip(table.column_names, table.columns, strict=True):
        digest.update(f"{name} {column.type} {len(column)} ".encode())
        for part in _parts(column):
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest().encode()


def _parts(column: Any) -> Iterator[NDArray[Any]]:
    """Take a column apart, without pyarrow.compute: that would import pandas, half a second a job."""
    import pyarrow as pa

    def bits(buffer: Any) -> NDArray[np.uint8]:
        return np.unpackbits(np.frombuffer(buffer or b"", np.uint8), count=rows, bitorder="little")

    array, rows = pa.concat_arrays([*column.chunks, pa.nulls(0, column.type)]), len(column)
    validity, *buffers = array.buffers()
    valid = np.ones(rows, dtype=np.uint8) if validity is None else bits(validity)
    yield valid
    if pa.types.is_string(column.type):
        offsets = np.frombuffer(buffers[0], np.int32, rows + 1) if rows else np.zeros(1, np.int32)
        yield offsets
        yield np.frombuffer(buffers[1] or b"", np.uint8, offsets[-1])
    else:
        boolean = pa.types.is_boolean(column.type)
        values = bits(buffers[0]) if boolean else np.frombuffer(buffers[0] or b"", np.int64, rows)
        # What lies in memory under a null is nobody's choice.
        yield np.where(valid, values, 0)
