"""A table in every format: complete in Parquet and CSV, or as the text made for it.

What lives here: what the tables of all products share.  What does not: what a table says to people, which is
in the products' own folders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from idescent.store.files import write_text
from idescent.store.tables import HYPERPARAMETERS
from idescent.store.trajectories import write_table

FORMATS = (".parquet", ".csv", ".md", ".tex")


def write_formats(
    outputs: Iterable[str | Path], table: Any, markdown: Callable[[], str], latex: Callable[[], str]
) -> None:
    """Write a table in each format: complete (.parquet, .csv), or as the text made for it (.md, .tex).

    Raises
    ------
    ValueError
        If the suffix of an output is not known; then nothing is written.
    """
    targets = [Path(output) for output in outputs]
    for target in targets:
        if target.suffix not in FORMATS:
            known = ", ".join(FORMATS)
            raise ValueError(f"{target}: {target.suffix!r} is not allowed: must be one of {known}")
    texts = {".csv": lambda: csv(table), ".md": markdown, ".tex": latex}
    for target in targets:
        if target.suffix == ".parquet":
            write_table(target, table)
        else:
            write_text(target, texts[target.suffix]())


def in_order(table: Any) -> Any:
    """Sort a table of errors by cell, whichever jobs its parts come from.

    Objectives and optimizers keep the order in which they first appear; below them come hyper-parameters,
    ascending, then learning rates, descending.  The rows of a cell keep their order.
    """
    import pyarrow as pa

    names = ("objective", "optimizer", "label")
    cells = list(zip(*(table.column(name).to_pylist() for name in names), strict=True))
    if not cells:
        return table
    starts = [i for i, cell in enumerate(cells) if i == 0 or cell != cells[i - 1]]
    ends = dict(zip(starts, [*starts[1:], len(cells)], strict=True))
    place = {group: i for i, group in enumerate(dict.fromkeys(cell[:2] for cell in cells))}

    def key(start: int) -> tuple[Any, ...]:
        given = [table.column(name)[start].as_py() for name in HYPERPARAMETERS]
        # What else the user's own optimizer takes stands in the label only.
        others = cells[start][2].partition(",")[2]
        hyperparameters = [(value is None, value or 0.0) for value in given]
        return place[cells[start][:2]], *hyperparameters, others, -table.column("alpha")[start].as_py()

    # Cell by cell and not by table.sort_by, which imports pandas.
    parts = [table.slice(start, ends[start] - start) for start in sorted(starts, key=key)]
    return pa.concat_tables(parts).combine_chunks()


def csv(table: Any) -> str:
    """Return the complete table as CSV: digits that read back the same, empty where there is none."""
    import csv as standard
    import io

    text = io.StringIO()
    writer = standard.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(row.values() for row in table.to_pylist())
    return text.getvalue()
