"""The report's section on the paper's statements, from the complete table of their audit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from idescent.products.report.markup import Column, Content, Html, escape, table
from idescent.store.files import read_csv

_MARKS = {"holds": "✓", "fails": "✗"}
_KINDS = {"holds": "good", "fails": "bad"}


def read(file: Path) -> list[dict[str, str]]:
    """Return the rows of ``claims.csv``: one for each number."""
    head, *body = read_csv(file)
    return [dict(zip(head, row, strict=True)) for row in body]


def verdicts(rows: Sequence[Mapping[str, str]]) -> Counter[str]:
    """Count the verdicts, one for each claim."""
    return Counter({row["id"]: row["verdict"] for row in rows}.values())


def claims_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Return the table: one row for each claim; its measures, thresholds and reasons unfold."""
    claims: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        claims.setdefault(row["id"], []).append(row)
    states = [name for name in rows[0] if name.endswith(" state")] if rows else []
    sources = [name.removesuffix(" state") for name in states]
    sources = [name for name in sources if any(row[name] for row in rows)]
    columns = [Column("claim"), Column("verdict", filter=True), Column("where"), Column("about", filter=True)]
    columns += [Column(source) for source in sources]
    body: list[list[Content]] = [
        [
            _statement(members),
            _verdict(members[0]),
            members[0]["where"],
            members[0]["about"],
            *(_measured(members, source) for source in sources),
        ]
        for members in claims.values()
    ]
    return table("claims-table", "Statements of the paper, each decided by measured numbers", columns, body)


def _statement(rows: Sequence[Mapping[str, str]]) -> Html:
    first = rows[0]
    checks = {row["check"]: (row["measure"], row["threshold"]) for row in rows}
    items = "".join(
        f"<li>{escape(measure)}: must be {escape(threshold)}</li>" for measure, threshold in checks.values()
    )
    reason = f"<p>{escape(first['reason'])}</p>" if first["reason"] else ""
    return Html(
        f"{escape(first['statement'])}<details><summary>{escape(first['id'])}</summary>"
        f"<ul>{items}</ul>{reason}</details>"
    )


def _verdict(row: Mapping[str, str]) -> Html:
    kind = _KINDS.get(row["verdict"], "partly")
    return Html(f'<span class="verdict {kind}">{escape(row["verdict"])}</span>')


def _measured(rows: Sequence[Mapping[str, str]], source: str) -> Content:
    states = {row[f"{source} state"] for row in rows}
    if not states <= set(_MARKS):
        notes = dict.fromkeys(row[f"{source} note"] for row in rows)
        state = next(state for row in rows if (state := row[f"{source} state"]) not in _MARKS)
        return Html(f'<span title="{escape("; ".join(filter(None, notes)))}">{escape(state)}</span>')
    parts = []
    for check in dict.fromkeys(row["check"] for row in rows):
        found = [row for row in rows if row["check"] == check]
        numbers = [float(row[source]) for row in found if row[source]]
        enough = any if found[0]["threshold"].endswith(" for one") else all
        mark = _MARKS["holds" if enough(row[f"{source} state"] == "holds" for row in found) else "fails"]
        parts.append(f"{mark} {_range(numbers)}")
    return "; ".join(parts)


def _range(numbers: Sequence[float]) -> str:
    if not numbers:
        return "none"
    low, high = (_shown(value) for value in (min(numbers), max(numbers)))
    return low if low == high else f"{low} … {high}"


def _shown(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"
