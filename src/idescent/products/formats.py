"""Write a table in each format: Parquet and CSV with all columns, Markdown and LaTeX as a given text.

What lives here: the shared work of all tables.  What does not: the texts for Markdown and LaTeX, which are in
the folders of the products.
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
    """Write a table to each output file.

    Parameters
    ----------
    outputs : iterable of path
        Files with the suffix .parquet, .csv, .md or .tex.
    table : pyarrow.Table
        The complete table, for .parquet and .csv.
    markdown, latex : callable
        Return the text for .md and for .tex.

    Raises
    ------
    ValueError
        If an output has another suffix; no file is written then.
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
    """Sort a table of errors by cell, so that the order does not depend on the jobs that wrote its parts.

    The sort keys are the pair of objective and optimizer (in the order of their first rows), the
    hyper-parameters (ascending) and the learning rate (descending).  The rows of a cell keep their order.
    """
    import pyarrow as pa

    names = ("objective", "optimizer", "label")
    cells = list(zip(*(table.column(name).to_pylist() for name in names), strict=True))
    if not cells:
        return table
    starts = [i for i, cell in enumerate(cells) if i == 0 or cell != cells[i - 1]]
    ends = dict(zip(starts, [*starts[1:], len(cells)], strict=True))
    ranks = {group: i for i, group in enumerate(dict.fromkeys(cell[:2] for cell in cells))}

    def key(start: int) -> tuple[Any, ...]:
        values = [table.column(name)[start].as_py() for name in HYPERPARAMETERS]
        # Only the label contains the other hyper-parameters of a user's own optimizer.
        others = cells[start][2].partition(",")[2]
        hyperparameters = [(value is None, value or 0.0) for value in values]
        return ranks[cells[start][:2]], *hyperparameters, others, -table.column("alpha")[start].as_py()

    # Not table.sort_by: it imports pandas.
    parts = [table.slice(start, ends[start] - start) for start in sorted(starts, key=key)]
    return pa.concat_tables(parts).combine_chunks()


def csv(table: Any) -> str:
    """Format the complete table as CSV: numbers with all digits, null as an empty field."""
    import csv as standard
    import io

    text = io.StringIO()
    writer = standard.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(row.values() for row in table.to_pylist())
    return text.getvalue()
