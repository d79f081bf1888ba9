"""Files that appear whole or not at all, what they can hold, and what is done about those damaged later."""

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
    """A file has been damaged since it was written.

    A job that meets one removes it: the next run sees that it is missing, and makes it again.
    """

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


def refused(path: str | Path, kind: str, error: Exception) -> ValueError:
    """Return the error to raise about an unreadable file: only its content can prove it damaged."""
    reason = (str(error) or type(error).__name__).splitlines()[0]
    message = f"{path}: not a whole {kind} ({reason})"
    # Errors of the system, unlike those of a decoder, have a number: no such file, no permission.
    if isinstance(error, OSError) and error.errno is not None:
        return ValueError(message)
    return DamagedError(message, Path(path))


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Give a path to write to, and rename it to ``path`` at the end; on an error leave nothing behind.

    What a killed process leaves is for the next run of the workflow to remove: only that knows that nobody
    is at work on it.
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
    """Remove the file that this process is writing: the process is about to end."""
    for partial in list(_unfinished):
        partial.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write text, whole or not at all."""
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def read_csv(path: str | Path) -> list[list[str]]:
    """Return the rows of a CSV file, the first of which are its columns; fields may have any length."""
    csv.field_size_limit(sys.maxsize)  # the default is 128 KiB
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def plain(value: Any) -> Any:
    """Return a value that JSON can hold, at any depth: NaN and infinity become null, arrays lists."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def remove_partials(folder: str | Path) -> None:
    """Remove unfinished files of killed processes anywhere below a folder."""
    for partial in Path(folder).rglob(".*.partial"):
        partial.unlink(missing_ok=True)
