"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: str | Path, shared: bool = False) -> Iterator[Path]:
    """Give a path to write to, and rename it to ``path`` at the end; on an error leave nothing behind.

    What a killed process left of an earlier attempt is removed, unless ``shared``: others may then be writing
    the same file at the same time.
    """
    path = Path(path)
    if not shared:
        for stale in path.parent.glob(f".{path.name}.*.partial"):
            stale.unlink(missing_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write text, whole or not at all."""
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
