"""Content of tables as plain data, which JSON can hold and the templates turn into HTML.

A cell of a table is a string, or a dict whose first key is its kind:

========== ======================================================================================
``number``  sort key of a number, with its ``text`` and the ``section`` of the page that it links to
``value``   sort key of a number aligned like text, with its ``text``
``mark``    status that needs attention
``links``   pairs of text and address
========== ======================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

Cell = str | dict[str, Any]
MISSING = "–"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    title : str
    filter : str or None
        Value that the filter of the column selects at first, empty for all values; None without a filter.
    """

    title: str
    filter: str | None = None


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    name : str
        Its ``id`` in the page.
    caption : str
    columns : sequence of Column
    rows : sequence of sequence of cells
        The first cell of each row is its header.
    tool : bool
        Whether the page's script adds fields that filter and buttons that sort.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    tool: bool = True


def number(value: float | None, text: str, section: str = "") -> Cell:
    """Return the cell of a number; ``section`` is the section of the page that it links to."""
    return {"number": "" if value is None else repr(value), "text": text, "section": section}


def error(value: float | None) -> Cell:
    """Return the cell of an error, with three digits; a dash for None and NaN."""
    if value is None or math.isnan(value):
        return number(None, MISSING)
    return number(value, "0" if value == 0.0 else f"{value:.2e}")


def count(value: float | None, section: str = "") -> Cell:
    """Return the cell of a number with at most 15 digits; a dash for None."""
    return number(None, MISSING) if value is None else number(value, f"{value:.15g}", section)


def file_link(text: str, path: str) -> tuple[str, str]:
    """Return text and address of a link to a file beside the page."""
    return text, quote(path)


def explorer_link(text: str, view: Mapping[str, Any]) -> tuple[str, str]:
    """Return text and address of a link that opens a view of the explorer."""
    return text, "#explore?" + urlencode(view, doseq=True, quote_via=quote)
