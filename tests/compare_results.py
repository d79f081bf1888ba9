"""Compare the results of two checkouts: columns, tables and figures byte for byte, digests masked.

    python tests/compare_results.py OLD/results/paper NEW/results/paper [--changes changes.json]

``changes.json`` lists the texts that may change: {"file pattern": [["old text", "new text"], ...]}, and with
null in place of a list the files that are made anew.  In Parquet files only texts on the list may change, in
columns of text and in the metadata; numbers never.  Exit status 1 and one line for each difference.

``tests/references/plain_english.json`` is such a list: displayed texts that were put into plainer English.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

DIGESTS = re.compile(rb'\b[0-9a-f]{64}\b(?:"?, "?[0-9a-f]{64}\b)*')
LEFT_OUT = ("logs", "jobs")
Changes = Mapping[str, Sequence[tuple[str, str]] | None]


def files(root: Path) -> dict[str, Path]:
    """Return the files of a study by their path below its folder; logs are left out."""
    found = (path for path in root.rglob("*") if path.is_file())
    named = {path.relative_to(root).as_posix(): path for path in found}
    return {name: path for name, path in sorted(named.items()) if name.split("/")[0] not in LEFT_OUT}


def masked(content: bytes) -> bytes:
    """Replace digests: they name the code.  A list counts as one; its length follows from the modules."""
    return DIGESTS.sub(b"<digest>", content)


def expected(name: str, content: bytes, changes: Changes) -> bytes:
    """Return the old content with the texts replaced that may change."""
    for pattern, pairs in changes.items():
        if fnmatch.fnmatch(name, pattern):
            for old, new in pairs or ():
                content = content.replace(old.encode(), new.encode())
    return content


def anew(name: str, changes: Changes) -> bool:
    """Whether a file may differ altogether."""
    return any(pairs is None and fnmatch.fnmatch(name, pattern) for pattern, pairs in changes.items())


def parquet(name: str, old: Path, new: Path, changes: Changes) -> Iterator[str]:
    """Yield the differences between two Parquet files."""
    tables = []
    for path in (old, new):
        with pq.ParquetFile(path) as file:
            tables.append(file.read())
    before, after = tables
    if before.schema != after.schema:
        yield f"columns {before.schema.names} -> {after.schema.names}"
        return
    for column in before.column_names:
        one, other = before.column(column), after.column(column)
        if pa.types.is_string(one.type):
            texts = [text and expected(name, text.encode(), changes).decode() for text in one.to_pylist()]
            same = texts == other.to_pylist()
        else:
            same = _same(one, other)
        if not same:
            yield f"column {column}"
    metadata = before.schema.metadata or {}, after.schema.metadata or {}
    wanted = {key: masked(expected(name, value, changes)) for key, value in metadata[0].items()}
    if wanted != {key: masked(value) for key, value in metadata[1].items()}:
        yield "metadata"


def _same(before: Any, after: Any) -> bool:
    # Bit for bit: NaN equals NaN, 0.0 is not -0.0.
    one, other = (column.combine_chunks() for column in (before, after))
    buffers = [[None if b is None else b.to_pybytes() for b in c.buffers()] for c in (one, other)]
    return bool(len(one) == len(other) and buffers[0] == buffers[1])


def differences(old: Path, new: Path, changes: Changes) -> Iterator[str]:
    """Yield one line for each difference between two folders of results."""
    before, after = files(old), files(new)
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"{name}: missing"
        elif name not in before:
            yield f"{name}: new"
        elif anew(name, changes):
            continue
        elif name.endswith(".parquet"):
            yield from (f"{name}: {what}" for what in parquet(name, before[name], after[name], changes))
        else:
            texts = before[name].read_bytes(), after[name].read_bytes()
            if masked(expected(name, texts[0], changes)) != masked(texts[1]):
                yield f"{name}: differs"


def main(arguments: Sequence[str]) -> int:
    """Compare two folders; return the exit status."""
    parser = argparse.ArgumentParser(description="Compare the results of two checkouts.")
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--changes", type=Path, help="JSON: texts that may change, by file pattern")
    given = parser.parse_args(arguments)
    changes = json.loads(given.changes.read_text(encoding="utf-8")) if given.changes else {}
    found = list(differences(given.old, given.new, changes))
    for line in found:
        print(line)
    compared = len(files(given.old))
    print(f"{given.old.name}: {compared} files compared, {len(found)} differences")
    return 1 if found or not compared else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
