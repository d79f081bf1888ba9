"""Tables of the rows: Markdown for people, one tidy CSV for programs."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from idescent.trajectory import ended_well
from suite.records import Record
from suite.rows import Row, Spread

COLUMNS = (
    "topic",
    "case",
    "method",
    "setting",
    "x",
    "status",
    "note",
    "quantity",
    "median",
    "low",
    "high",
    "runs",
)
DASH = "–"


def table(head: Sequence[str], lines: Sequence[Sequence[str]], numbers_from: int) -> str:
    """Return a Markdown table whose columns are right-aligned from one on."""
    rule = ["---" if i < numbers_from else "---:" for i in range(len(head))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))


def number(value: float) -> str:
    """Return a number with three digits, as people write it."""
    if not math.isfinite(value):
        return DASH
    if value == 0.0:
        return "0"
    if abs(value) < 1e-3 or abs(value) >= 1e9:
        return f"{value:.1e}"
    if abs(value) >= 1e3 or value == int(value):
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def spread(given: Spread | None) -> str:
    """Return a median with its quartiles, or a number that has none."""
    if given is None:
        return DASH
    if given.runs == 1 or given.low == given.high:
        return number(given.median)
    return f"{number(given.median)} [{number(given.low)} {number(given.high)}]"


def topic_table(rows: Sequence[Row]) -> str:
    """Return a topic's rows as a Markdown table; a column that would be empty is left out."""
    words = [name for name in ("case", "method", "setting") if any(getattr(row, name) for row in rows)]
    quantities = list(dict.fromkeys(name for row in rows for name in row.values))
    remarks = [row.note if row.status == "ok" or ended_well(row.status) else _remark(row) for row in rows]
    head = [*words, *quantities, *(["remark"] if any(remarks) else [])]
    lines = []
    for row, remark in zip(rows, remarks, strict=True):
        line = [str(getattr(row, name)) for name in words]
        line += [spread(row.values.get(name)) for name in quantities]
        lines.append([*line, remark] if any(remarks) else line)
    return table(head, lines, len(words))


def _remark(row: Row) -> str:
    return f"{row.status}: {row.note}" if row.note else row.status


def targets_table(judged: Sequence[Mapping[str, Any]]) -> str:
    """Return the targets, what was measured, and the verdicts."""
    marked = {"missed": "**missed**"}
    lines = [[t["what"], t["shown"], t["target"], marked.get(t["verdict"], t["verdict"])] for t in judged]
    return table(["what", "measured", "target", "verdict"], lines, 1)


def tidy(records: Sequence[Record]) -> str:
    """Return everything as CSV, one line for each quantity, digits that read back the same."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in records:
        for row in record.rows:
            words = [record.topic, row.case, row.method, row.setting, "" if row.x is None else row.x]
            words += [row.status, row.note]
            for name, values in row.values.items():
                writer.writerow([*words, name, values.median, values.low, values.high, values.runs])
            if not row.values:
                writer.writerow([*words, "", "", "", "", ""])
    return text.getvalue()


def machine_line(record: Record) -> str:
    """Return the machine of a record in a line."""
    m = record.machine
    system = m["system"].split()[0]
    return f"{m['processor']}, {m['cores']} cores, {m['memory_gb']:g} GB, {system}, Python {m['python']}"
