"""Atomic writing of files, errors about damaged files, and values that JSON can store.

What lives here: :func:`whole`, through which every result is written, and the removal of unfinished files.
What does not: the format of any result.

How a file is written:

1. :func:`whole` yields the name ``.run.parquet.4711.partial`` for ``run.parquet`` (4711: the process); the
   caller writes to it.
2. If the caller succeeds, the file is renamed to ``run.parquet``.  A rename is atomic: a reader finds the old
   file, the new file or none, never a part of one.
3. If the caller raises, the partial file is removed; if a signal ends the process,
   :func:`remove_unfinished` removes it.
4. After ``kill -9`` or a loss of power it remains until the next run of the workflow calls
   :func:`remove_partials`.

A file that is damaged later is found on reading: :func:`refused` turns the reader's exception into
:class:`DamagedError`.
"""

from __future__ import annotations

import csv
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_unfinished: set[Path] = set()


class DamagedError(ValueError):
    """A file is damaged; its path is in ``path``.

    A job that raises it removes the file, so that the next run of the workflow computes the file again.
    """

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


def refused(path: str | Path, kind: str, error: Exception) -> ValueError:
    """Return the error to raise about a file that cannot be read.

    Parameters
    ----------
    path : path
    kind : str
        The expected content, for example ``trajectory file``.
    error : Exception
        The reader's exception.

    Returns
    -------
    ValueError
        A :class:`DamagedError` if the content is wrong, and a plain ``ValueError`` if the operating system
        refused to read it: such a file is perhaps sound and must not be removed.
    """
    reason = (str(error) or type(error).__name__).splitlines()[0]
    message = f"{path}: not a whole {kind} ({reason})"
    # Errors of the operating system have a number (no such file, no permission); pyarrow's decoder raises
    # OSError without one.
    if isinstance(error, OSError) and error.errno is not None:
        return ValueError(message)
    return DamagedError(message, Path(path))


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path to write to; rename it to ``path`` at the end, or remove it after an error.

    The partial file of a killed process stays.  Only the next run of the workflow may remove it, because only
    that run knows that no other process is still writing it.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    _unfinished.add(partial)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
        _unfinished.discard(partial)


def remove_unfinished() -> None:
    """Remove the partial files of this process, before a signal ends it."""
    for partial in list(_unfinished):
        partial.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write text to a file atomically."""
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def read_csv(path: str | Path) -> list[list[str]]:
    """Return the rows of a CSV file, the first with the names of the columns; fields may have any length."""
    csv.field_size_limit(sys.maxsize)  # the default is 128 KiB
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def plain(value: Any) -> Any:
    """Convert a value for JSON, at any depth: NaN and infinity become None, arrays become lists."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def remove_partials(folder: str | Path) -> None:
    """Remove the partial files of killed processes, in a folder and in all folders below it."""
    for partial in Path(folder).rglob(".*.partial"):
        partial.unlink(missing_ok=True)
