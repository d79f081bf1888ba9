"""A table in every format: complete in Parquet and CSV, as text in Markdown and LaTeX.

What lives here: the formats and the order of rows that the tables of all products share.  What does not: the
text of a table, which is in the folder of its product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from idescent.store.files import write_text
from idescent.store.tables import HYPERPARAMETERS, data_frame, is_other
from idescent.store.trajectories import write_table

FORMATS = (".parquet", ".csv", ".md", ".tex")


def write_formats(
    outputs: Iterable[str | Path], table: Any, markdown: Callable[[], str], latex: Callable[[], str]
) -> None:
    """Write a table in each format: complete (.parquet, .csv), or as the text of its product (.md, .tex).

    Parameters
    ----------
    outputs : iterable of path
    table : pyarrow.Table
    markdown, latex : callable
        Return the text of the table; called only if the format is among the outputs.

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
    """Sort a table of errors by cell, in whatever order its parts were computed.

    The sort keys are the pair of objective and optimizer (in the order of their first rows), the
    hyper-parameters (ascending) and the learning rate (descending).  The rows of a cell keep their order.
    """
    if not len(table):
        return table
    further = [name for name in table.column_names if is_other(name)]
    cells = data_frame(table.select(["objective", "optimizer", "label", *HYPERPARAMETERS, *further, "alpha"]))
    cells["group"] = cells.groupby(["objective", "optimizer"], sort=False).ngroup()
    for name in further:
        # A cell that leaves a hyper-parameter at its default comes first.
        cells[name] = cells[name].fillna(-math.inf if cells[name].dtype == float else "")
    # The name of a schedule is in the label only.
    cells["others"] = cells["label"].str.partition(",")[2]
    keys = ["group", *HYPERPARAMETERS, *further, "others", "alpha"]
    # By several columns pandas sorts stably, and puts missing values last.
    order = cells.sort_values(keys, ascending=[key != "alpha" for key in keys]).index
    return table.take(order.to_numpy()).combine_chunks()


def csv(table: Any) -> str:
    """Return the complete table as CSV: digits that read back the same, empty where there is none."""
    return data_frame(table).to_csv(index=False, lineterminator="\n")
