"""The report's section on scaling: one row for each ladder of learning rates, from the complete table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from idescent.products.report.content import Table, columns, optimizer_name, view_link
from idescent.products.report.explorer import configuration

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


def table(name: str, ladders: Sequence[Mapping[str, Any]], files: Sequence[tuple[str, str]] = ()) -> Table:
    """Return the table of fitted orders."""
    parts = columns(
        ladders,
        ("objective", itemgetter("objective"), "text", ""),
        ("optimizer", optimizer_name, "text", ""),
        ("configuration", _configuration, "text", ""),
        ("solution", itemgetter("solution"), "text", ""),
        ("declared order", itemgetter("declared_order"), "count", None),
        ("order", itemgetter("order"), "order", None),
        ("±", _spread, "spread", None),
        ("window of α", _window, "text", None),
        ("points", itemgetter("points"), "count", None),
        ("largest α", lambda ladder: ladder["alphas"][0], "count", None),
        ("error at largest α", lambda ladder: ladder["errors"][0], "error", None),
        ("smallest α", lambda ladder: ladder["alphas"][1], "count", None),
        ("error at smallest α", lambda ladder: ladder["errors"][1], "error", None),
        ("why no order", itemgetter("reason"), "text", ""),
        ("links", _links, "links", None),
    )
    return Table(name, "Fitted orders of the largest error of θ in α", parts, files)


def _configuration(ladder: Mapping[str, Any]) -> str:
    return configuration(f"alpha,{ladder['configuration']}" if ladder["configuration"] else "alpha")


def _spread(ladder: Mapping[str, Any]) -> float | None:
    order = ladder["order"]
    return None if order is None else max(ladder["order_high"] - order, order - ladder["order_low"])


def _window(ladder: Mapping[str, Any]) -> str:
    if ladder["window_from"] is None:
        return ""
    return f"{ladder['window_from']:g} … {ladder['window_to']:g}"


def _links(ladder: Mapping[str, Any]) -> list[tuple[str, str]]:
    view = {
        "objective": ladder["objective"],
        "optimizer": optimizer_name(ladder),
        "configuration": _configuration(ladder),
        "quantity": "theta",
    }
    return [view_link("plot", "ladder", view)]


def _number(text: str) -> float | None:
    return float(text) if text else None
