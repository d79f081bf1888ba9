"""The report's section on the paper's statements, from the complete table of the audit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from idescent.products.report.content import Column, Table, file_link
from idescent.store.files import read_csv

Row = Mapping[str, str]
_MARKS = {"holds": "✓", "fails": "✗"}
_FILES = (file_link("CSV", "tables/claims.csv"), file_link("Markdown", "tables/claims.md"))


def read(file: Path) -> list[dict[str, str]]:
    """Read ``claims.csv``: one row for each measured number."""
    head, *body = read_csv(file)
    return [dict(zip(head, row, strict=True)) for row in body]


def verdicts(rows: Sequence[Row]) -> Counter[str]:
    """Count the claims by verdict."""
    return Counter({row["id"]: row["verdict"] for row in rows}.values())


def section(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the content of the section: the table has one row for each claim.

    Parameters
    ----------
    rows : sequence of mapping
        As returned by :func:`read`.
    """
    claims: dict[str, list[Row]] = {}
    for row in rows:
        claims.setdefault(row["id"], []).append(row)
    names = [name.removesuffix(" state") for name in (rows[0] if rows else ()) if name.endswith(" state")]
    sources = [name for name in names if any(row[f"{name} state"] for row in rows)]
    members = list(claims.values())
    first = [rows[0] for rows in members]
    table = Table(
        "claims-table",
        "Statements of the paper, each decided by measured numbers",
        [
            Column("claim", [_claim(rows) for rows in members], "claim"),
            Column("verdict", [row["verdict"] for row in first], filter="", looks=_looks(first)),
            Column("where", [row["where"] for row in first]),
            Column("about", [row["about"] for row in first], filter=""),
            *(Column(source, [_source(rows, source) for rows in members], "note") for source in sources),
        ],
        _FILES,
    )
    return {"verdicts": verdicts(rows), "table": table.content()}


def _looks(rows: Iterable[Row]) -> dict[str, str]:
    """Return the classes of the verdicts: the colour of the rule beside each."""
    colours = {"holds": "verdict good", "fails": "verdict bad"}
    return {row["verdict"]: colours.get(row["verdict"], "verdict") for row in rows}


def _claim(rows: Sequence[Row]) -> dict[str, Any]:
    checks = {row["check"]: f"{row['measure']}: must be {row['threshold']}" for row in rows}
    return {**{key: rows[0][key] for key in ("id", "statement", "reason")}, "checks": list(checks.values())}


def _source(rows: Sequence[Row], source: str) -> tuple[str, str]:
    """Return the measurement of one source for a claim; without one, the state and the reason."""
    states = [row[f"{source} state"] for row in rows]
    other = [state for state in states if state not in _MARKS]
    if other:
        notes = dict.fromkeys(row[f"{source} note"] for row in rows)
        return other[0], "; ".join(filter(None, notes))
    checks = []
    for check in dict.fromkeys(row["check"] for row in rows):
        members = [row for row in rows if row["check"] == check]
        numbers = [float(row[source]) for row in members if row[source]]
        enough = any if members[0]["threshold"].endswith(" for one") else all
        mark = _MARKS["holds" if enough(row[f"{source} state"] == "holds" for row in members) else "fails"]
        checks.append(f"{mark} {_range(numbers)}")
    return "; ".join(checks), ""


def _range(numbers: Sequence[float]) -> str:
    if not numbers:
        return "none"
    low, high = _text(min(numbers)), _text(max(numbers))
    return low if low == high else f"{low} … {high}"


def _text(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"
