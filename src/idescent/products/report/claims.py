"""The report's section on the paper's statements, from the complete table of the audit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from idescent.products.report.content import Column
from idescent.store.files import read_csv

Row = Mapping[str, str]
_MARKS = {"holds": "✓", "fails": "✗"}


def read(file: Path) -> list[dict[str, str]]:
    """Read ``claims.csv``: one row for each measured number."""
    head, *body = read_csv(file)
    return [dict(zip(head, row, strict=True)) for row in body]


def verdicts(rows: Sequence[Row]) -> Counter[str]:
    """Count the claims by verdict."""
    return Counter({row["id"]: row["verdict"] for row in rows}.values())


def section(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the content of the section: one entry of ``rows`` for each claim.

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
    columns = [Column("claim"), Column("verdict", ""), Column("where"), Column("about", "")]
    return {
        "verdicts": verdicts(rows),
        "columns": [*columns, *map(Column, sources)],
        "rows": [_claim(members, sources) for members in claims.values()],
    }


def _claim(rows: Sequence[Row], sources: Sequence[str]) -> dict[str, Any]:
    checks = {row["check"]: (row["measure"], row["threshold"]) for row in rows}
    return {
        **{key: rows[0][key] for key in ("id", "statement", "verdict", "where", "about", "reason")},
        "checks": list(checks.values()),
        "sources": [_source(rows, source) for source in sources],
    }


def _source(rows: Sequence[Row], source: str) -> dict[str, Any]:
    """Return the measurement of one source for a claim, or the reason for none."""
    states = [row[f"{source} state"] for row in rows]
    other = [state for state in states if state not in _MARKS]
    if other:
        notes = dict.fromkeys(row[f"{source} note"] for row in rows)
        return {"measured": False, "text": other[0], "notes": "; ".join(filter(None, notes))}
    checks = []
    for check in dict.fromkeys(row["check"] for row in rows):
        members = [row for row in rows if row["check"] == check]
        numbers = [float(row[source]) for row in members if row[source]]
        enough = any if members[0]["threshold"].endswith(" for one") else all
        mark = _MARKS["holds" if enough(row[f"{source} state"] == "holds" for row in members) else "fails"]
        checks.append(f"{mark} {_range(numbers)}")
    return {"measured": True, "text": "; ".join(checks)}


def _range(numbers: Sequence[float]) -> str:
    if not numbers:
        return "none"
    low, high = _text(min(numbers)), _text(max(numbers))
    return low if low == high else f"{low} … {high}"


def _text(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"
