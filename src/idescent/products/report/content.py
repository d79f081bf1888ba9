"""Tables of the page as plain data, column by column, and their compression.

The page's script (``assets/tables.js``) formats the values, so that it can sort and export them with all
digits.  The kinds of columns:

========== ==========================================================================================
``text``    text; empty or None if there is none
``error``   number, shown with three digits
``count``   number, shown with at most 15 digits
``number``  number, shown with five digits if it is no integer
``order``   number, shown with two decimals
``spread``  number, shown with two digits
``links``   list of pairs of text and address
``note``    pair of text and note; the note appears under the pointer
``claim``   statement of a claim, followed by its checks
========== ==========================================================================================
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

NUMBERS = ("error", "count", "number", "order", "spread")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    title : str
        Unique in its table: addresses of views name it.
    values : sequence
        JSON values, one for each row.  None replaces a missing number.
    kind : str
        One of the kinds above.
    filter : str or None
        Value that the filter of the column selects at first, empty for all values; None without a filter.
    looks : mapping
        Classes of the style sheet, by value: the look of a status that needs attention.
    """

    title: str
    values: Sequence[Any]
    kind: str = "text"
    filter: str | None = None
    looks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    name : str
        Its ``id`` in the page.
    caption : str
    columns : sequence of Column
        The first is the header of its row.
    files : sequence of (text, address)
        Links to the files with the same or with more rows, for a page without JavaScript.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    files: Sequence[tuple[str, str]] = ()

    def content(self) -> dict[str, Any]:
        """Return ``name``, ``caption`` and ``files`` for the templates, and the compressed columns."""
        columns = [
            {**vars(column), "values": _plain(column) if column.kind in NUMBERS else list(column.values)}
            for column in self.columns
        ]
        return {
            "name": self.name,
            "caption": self.caption,
            "files": list(self.files),
            "block": compressed(columns),
        }


def columns(
    rows: Sequence[Mapping[str, Any]],
    *fields: tuple[str, Callable[[Mapping[str, Any]], Any], str, str | None],
) -> list[Column]:
    """Return columns from fields: title, function from a row to its value, kind, filter."""
    return [Column(title, [value(row) for row in rows], kind, start) for title, value, kind, start in fields]


def compressed(value: Any) -> str:
    """Return a JSON value as compressed text (zlib, base64); equal values give equal text.

    Raises
    ------
    ValueError
        If the value contains NaN or infinity, which JSON cannot store.
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def optimizer_name(row: Mapping[str, Any]) -> str:
    """Return the name of the optimizer's class in a row, without the module of a user's own."""
    return str(row["optimizer"]).rpartition(":")[2]


def file_link(text: str, path: str) -> tuple[str, str]:
    """Return text and address of a link to a file beside the page."""
    return text, quote(path)


def view_link(text: str, tool: str, view: Mapping[str, Any]) -> tuple[str, str]:
    """Return text and address of a link that opens a view of ``explore`` (curves) or ``ladder`` (errors)."""
    return text, f"#{tool}?" + urlencode(view, doseq=True, quote_via=quote)


def _plain(column: Column) -> Iterable[float | str | None]:
    """Return numbers that JSON can store: None replaces NaN, and text infinity."""
    numbers: list[float | str | None] = []
    for value in column.values:
        if value is None or math.isnan(value):
            numbers.append(None)
        else:
            numbers.append(("-" if value < 0 else "") + "Infinity" if math.isinf(value) else value)
    return numbers
