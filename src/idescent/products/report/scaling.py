"""The report's section on scaling: one row for each ladder of learning rates, from the complete table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from idescent.products.report import content
from idescent.products.report.content import MISSING, Cell, Column, Table

_LADDER = ("objective", "optimizer", "configuration", "solution")
_NUMBERS = ("order", "order_low", "order_high", "window_from", "window_to", "points", "declared_order")
COLUMNS = {*_LADDER, *_NUMBERS, "alpha", "error", "quantity", "norm", "reason"}


def is_complete(head: Sequence[str]) -> bool:
    """Whether a table with these columns is a complete scaling table."""
    return set(head) >= COLUMNS


def fitted(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[dict[str, Any]]:
    """Return one row for each ladder: the fit of θ in the sup norm, and the errors at the ends of the ladder.

    Parameters
    ----------
    head : sequence of str
        Columns of ``tables/scaling.csv``.
    body : iterable of sequence of str
        Its rows; learning rates fall within a ladder.
    """
    rows = (dict(zip(head, row, strict=True)) for row in body)
    of_theta = [row for row in rows if (row["quantity"], row["norm"]) == ("theta", "sup")]
    ladders = []
    for _, members in groupby(of_theta, key=lambda row: [row[name] for name in _LADDER]):
        ladder = list(members)
        first, last = ladder[0], ladder[-1]
        ladders.append(
            {name: first[name] for name in (*_LADDER, "reason")}
            | {name: _number(first[name]) for name in _NUMBERS}
            | {"alphas": (_number(first["alpha"]), _number(last["alpha"]))}
            | {"errors": (_number(first["error"]), _number(last["error"]))}
        )
    return ladders


def table(name: str, ladders: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of fitted orders."""
    columns = [
        Column("objective", ""),
        Column("optimizer", ""),
        Column("configuration", ""),
        Column("solution", ""),
        Column("declared order"),
        Column("order"),
        Column("±"),
        Column("window of α"),
        Column("points"),
        Column("largest α"),
        Column("error there"),
        Column("smallest α"),
        Column("error there"),
        Column("why no order", ""),
    ]
    return Table(
        name, "Fitted orders of the largest error of θ in α", columns, [_row(row) for row in ladders]
    )


def _row(row: Mapping[str, Any]) -> list[Cell]:
    (high, low), (at_high, at_low) = row["alphas"], row["errors"]
    order, window = row["order"], MISSING
    if row["window_from"] is not None:
        window = f"{row['window_from']:g} … {row['window_to']:g}"
    spread = None if order is None else max(row["order_high"] - order, order - row["order_low"])
    return [
        row["objective"],
        row["optimizer"].rpartition(":")[2],
        row["configuration"] or MISSING,
        row["solution"],
        content.count(row["declared_order"]),
        content.number(order, MISSING if order is None else f"{order:.2f}"),
        content.number(spread, MISSING if spread is None else f"{spread:.2g}"),
        window,
        content.count(row["points"]),
        content.count(high),
        content.error(at_high),
        content.count(low),
        content.error(at_low),
        row["reason"] or MISSING,
    ]


def _number(text: str) -> float | None:
    return float(text) if text else None
