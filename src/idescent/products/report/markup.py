"""Small pieces of HTML: escaped text, numbers, and tables that the page's script can sort and filter."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Html:
    """Text that is HTML already."""

    text: str


@dataclass(frozen=True)
class Number:
    """A number as it is sorted, as it is shown, and the part of the page that it leads to."""

    value: float | None
    shown: str
    target: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    title : str
    filter : bool
        Whether the reader can choose one of its values.
    first : str or None
        The value chosen at first.
    """

    title: str
    filter: bool = False
    first: str | None = None


Content = str | Html | Number


def escape(text: object) -> str:
    """Return a text as HTML shows it, inside attributes too."""
    return html.escape(str(text))


def restructured(text: str) -> str:
    """Return a text as reStructuredText shows it: one paragraph, without any markup.

    A directive could otherwise put any file of the machine, or a script, into Snakemake's own report.
    """
    return re.sub(r"([^\w\s])", r"\\\1", " ".join(text.split()))


def link(target: str, text: str) -> Html:
    """Return a link to a file beside the page."""
    return Html(f'<a href="{escape(quote(target))}">{escape(text)}</a>')


def error(value: float | None) -> Number:
    """Return an error with three digits; a dash where there is none."""
    if value is None or math.isnan(value):
        return Number(None, "–")
    return Number(value, "0" if value == 0.0 else f"{value:.2e}")


def count(value: float | None) -> Number:
    """Return a number as short as it is exact; a dash where there is none."""
    return Number(None, "–") if value is None else Number(value, f"{value:.15g}")


def table(
    name: str, caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Content]], tool: bool = True
) -> str:
    """Return a table in a frame that scrolls by itself where the screen is narrow.

    Parameters
    ----------
    name : str
        Its ``id``.
    caption : str
    columns : sequence of Column
    rows : iterable of sequence
        The first cell of each is its header.
    tool : bool
        Whether the script gives it buttons to sort and fields to filter.
    """
    head = "".join(f'<th scope="col"{_filter(column)}>{escape(column.title)}</th>' for column in columns)
    body = "\n".join(f"<tr>{''.join(map(_cell, row, range(len(row))))}</tr>" for row in rows)
    kind = " data-tool" if tool else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">\n'
        f'<table id="{name}"{kind}><caption>{escape(caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def pairs(name: str, caption: str, rows: Iterable[tuple[str, Content]]) -> str:
    """Return a table of names and values."""
    return table(name, caption, [Column("What"), Column("Value")], rows, tool=False)


def explore(view: Mapping[str, Any], text: str) -> Html:
    """Return a link that opens a view of the explorer."""
    fields = [
        (name, one) for name, value in view.items() for one in (value if isinstance(value, list) else [value])
    ]
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in fields)
    return Html(f'<a href="#explore?{escape(query)}">{escape(text)}</a>')


def _filter(column: Column) -> str:
    if not column.filter:
        return ""
    return " data-filter" if column.first is None else f' data-filter="{escape(column.first)}"'


def _cell(content: Content, position: int) -> str:
    tag = 'th scope="row"' if position == 0 else "td"
    if isinstance(content, Number):
        value = "" if content.value is None else f"{content.value!r}"
        shown = escape(content.shown)
        shown = f'<a href="#{content.target}">{shown}</a>' if content.target else shown
        return f'<{tag} class="number" data-value="{value}">{shown}</{tag.split()[0]}>'
    text = content.text if isinstance(content, Html) else escape(content)
    return f"<{tag}>{text}</{tag.split()[0]}>"
