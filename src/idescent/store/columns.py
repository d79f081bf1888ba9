"""Columns of tables as pyarrow arrays, built from their buffers.

``pyarrow.array`` would be shorter, but it imports pandas, which costs each job half a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def finite(value: Any) -> Any:
    """Return a value, or None if it is a NaN or infinite number."""
    return None if isinstance(value, float | np.floating) and not np.isfinite(value) else value


def nullable(values: Sequence[Any], type_: Any) -> Any:
    """Return a pyarrow array of texts, integers, truth values or floats; None becomes null.

    Parameters
    ----------
    values : sequence
    type_ : pyarrow.DataType
        ``pa.string()``, ``pa.int64()``, ``pa.bool_()`` or ``pa.float64()``.
    """
    import pyarrow as pa

    valid = np.array([value is not None for value in values], dtype=bool)
    validity = pa.py_buffer(np.packbits(valid, bitorder="little"))
    if pa.types.is_string(type_):
        texts = [b"" if value is None else value.encode() for value in values]
        offsets = np.cumsum([0, *map(len, texts)], dtype=np.int32)
        buffers = [validity, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts))]
    elif pa.types.is_boolean(type_):
        bits = np.packbits(np.array([bool(value) for value in values], dtype=bool), bitorder="little")
        buffers = [validity, pa.py_buffer(bits)]
    else:
        dtype = np.int64 if pa.types.is_integer(type_) else np.float64
        numbers = np.array([0 if value is None else value for value in values], dtype=dtype)
        buffers = [validity, pa.py_buffer(numbers)]
    return pa.Array.from_buffers(type_, len(values), buffers)
