"""Seals: the check that a table has the content with which it was written.

A seal is a SHA-256 digest of a table's metadata, column names, types and values; it is stored in the metadata
of the table itself, under ``idescent_sha256``.  Parquet's own checksums cover the data of a page, but not its
header and not the footer of the file: a flipped bit there changes values or names, and no reader notices.

What lives here: :func:`sealed` before writing and :func:`opened` after reading.  What does not: reading and
writing (:mod:`idescent.store.tables`), and the digest of a trajectory, which is taken from its arrays
(:mod:`idescent.store.trajectories`).

A seal is computed in three steps:

1. Hash the sorted metadata, without the seal.
2. For each column, hash the line ``name type length``.
3. Add which rows are null, and the values: the 8 bytes of each number, one byte for each truth value,
   offsets and UTF-8 bytes of texts.  Null numbers and truth values count as 0.

For example, a column ``order`` with the values 1.0 and null adds ``order double 2 ``, the bytes 1 and 0, and
the two floats 1.0 and 0.0.  The compression and the division into row groups do not count.
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
    """Check a table against its seal, and return it without the seal.

    The seal is removed because it does not fit a table that is derived from this one.

    Raises
    ------
    ValueError
        If the table has no seal, or its content does not match the seal.
    """
    if (table.schema.metadata or {}).get(SEAL_KEY) != seal(table):
        raise ValueError("its content does not match its checksum")
    return table.replace_schema_metadata(_unsealed(table))


def seal(table: Any) -> bytes:
    """Return the digest of a table of 64-bit numbers, texts and truth values, as 64 hexadecimal digits."""
    digest = hashlib.sha256(repr(sorted(_unsealed(table).items())).encode())
    for name, column in zip(table.column_names, table.columns, strict=True):
        digest.update(f"{name} {column.type} {len(column)} ".encode())
        for part in _parts(column):
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest().encode()


def _unsealed(table: Any) -> dict[bytes, bytes]:
    return {key: value for key, value in (table.schema.metadata or {}).items() if key != SEAL_KEY}


def _parts(column: Any) -> Iterator[NDArray[Any]]:
    """Yield the arrays of a column: validity of each row, then values, or offsets and bytes of texts.

    They are read from the buffers of Arrow's memory format.  ``pyarrow.compute`` would be shorter, but it
    imports pandas, which costs each job half a second.
    """
    import pyarrow as pa

    def bits(buffer: Any) -> NDArray[np.uint8]:
        return np.unpackbits(np.frombuffer(buffer or b"", np.uint8), count=rows, bitorder="little")

    # The empty array makes it one array at offset 0, even if the column has no chunk at all.
    array, rows = pa.concat_arrays([*column.chunks, pa.nulls(0, column.type)]), len(column)
    validity, *buffers = array.buffers()
    # Arrow leaves out the validity of a column without nulls.
    valid = np.ones(rows, dtype=np.uint8) if validity is None else bits(validity)
    yield valid
    if pa.types.is_string(column.type):
        # An empty column may have no buffer of offsets.
        offsets = np.frombuffer(buffers[0], np.int32, rows + 1) if rows else np.zeros(1, np.int32)
        yield offsets
        yield np.frombuffer(buffers[1] or b"", np.uint8, offsets[-1])
    else:
        boolean = pa.types.is_boolean(column.type)
        values = bits(buffers[0]) if boolean else np.frombuffer(buffers[0] or b"", np.int64, rows)
        # The memory under a null may have any content.
        yield np.where(valid, values, 0)
