"""Scaling tables: the errors of every model over a ladder of learning rates, and their fitted orders.

What lives here: the complete table from rows of errors, and its compact forms for people.  What does not:
computing errors (:mod:`idescent.analysis.errors`), fitting (:mod:`idescent.analysis.orders`), drawing
(:mod:`idescent.products.scaling.figure`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from idescent.analysis import orders
from idescent.analysis.errors import BELOW, MEANINGLESS
from idescent.analysis.floor import ABOVE_FLOOR
from idescent.drawing.hyperparameters import short
from idescent.store.columns import finite, nullable
from idescent.store.tables import HYPERPARAMETERS, hyperparameters, is_other, with_others
from idescent.trajectory import ended_well

Row = Mapping[str, Any]

_TEXT = ("objective", "optimizer", "configuration", "solution", "model")
_STATUS = ("status", "discrete_status", "reference", "horizon", "quantity", "norm")
_NUMBERS = ("error", "relative", "error_estimate", "reference_error", "floor", "slope", "ratio")
_FIT = (
    *("order", "order_low", "order_high", "window_from", "window_to"),
    *("constant", "constant_low", "constant_high"),
)
_COUNTS = ("gradient_evaluations", "sweeps", "reversals")
# The quantities of which a model declares an order.
_ORDERED = ("theta", "loss")


@dataclass(frozen=True)
class ScalingLine:
    """One row of the compact tables: a model of one configuration.

    Attributes
    ----------
    objective, optimizer, betas, solution : str
    steps : dict of float to int
        Horizon in iterations by learning rate.
    errors : tuple of float, str or None
        Sup errors of theta at the learning rates shown; for a meaningless error its status, ``implausible``,
        ``refused`` or ``below the reference``.
    ratios : tuple of float or None
        Errors of the reference divided by these.
    slopes : dict of float to float
        Pairwise slopes of the errors by the smaller learning rate, if both errors count for an order.
    orders : dict of (quantity, norm) to tuple (order, low, high) or None
        None without an asymptotic window.
    window : tuple (largest, smallest learning rate, number of errors) or None
        Of the sup error of theta.
    reason : str or None
        Why there is no window, see :func:`idescent.analysis.orders.reason`.
    declared, evaluations : int or None
        Declared order; gradient evaluations at the smallest learning rate shown.
    marked : bool
        Whether a solution did not reach its tolerance, or a run diverged.
    horizons : frozenset of str
        Those of its cells: ``given``, ``reached`` or ``capped``.
    """

    objective: str
    optimizer: str
    betas: str
    solution: str
    steps: dict[float, int]
    errors: tuple[float | str | None, ...]
    ratios: tuple[float | None, ...]
    slopes: dict[float, float]
    orders: dict[tuple[str, str], tuple[float, float, float] | None]
    window: tuple[float, float, int] | None
    reason: str | None
    declared: int | None
    evaluations: int | None
    marked: bool
    horizons: frozenset[str]

    @property
    def fitted(self) -> tuple[float, float, float] | None:
        """The fitted order of the sup error of theta, and its interval."""
        return self.orders["theta", "sup"]

    @property
    def slope(self) -> float | None:
        """The pairwise slope at the smallest learning rate."""
        return self.slopes[min(self.slopes)] if self.slopes else None


def rows(
    errors: Iterable[Row],
    declared: Mapping[str, tuple[str, int]],
    reference: str | None = None,
    quantities: Sequence[str] = ("theta",),
    until: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Return the complete table: a row for each configuration, solution, quantity, norm and learning rate.

    Parameters
    ----------
    errors : iterable of mapping
        Rows of :func:`idescent.products.errors.rows.table`, of which those of kind ``total`` are used.
    declared : mapping
        Name and declared order of each solution's model.
    reference : str, optional
        Solution whose error, divided by that of the row, is the ``ratio``.
    quantities : sequence of str
        Quantities of the table besides theta.
    until : sequence of mapping
        Blocks of cells that run until they settle: ``objective``, ``optimizer``, lists of
        ``configurations`` and ``alpha``, and the largest horizon, ``at_most``.

    Returns
    -------
    list of dict
        Learning rates fall within a group.  ``slope`` is the pairwise slope from the learning rate before,
        ``floor`` the estimated error of solver and reference, ``used`` whether the row is in the asymptotic
        window.  All rows of a group have its order, its constant (at the declared order) and the ``reason``
        why there is no order (:func:`idescent.analysis.orders.reason`).  ``horizon`` is ``given``,
        ``reached`` (the run has settled) or ``capped`` (it was cut before).  Models declare an order of
        theta, and so of the loss, but none of their moments.
    """
    caps = {
        (block["objective"], block["optimizer"], configuration, alpha): block["at_most"]
        for block in until
        for configuration in block["configurations"]
        for alpha in block["alpha"]
    }
    chosen = {"theta", *quantities}
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in errors:
        if row["kind"] == "total" and row["quantity"] in chosen:
            groups.setdefault(
                (*_configuration(row), row["solution"], row["quantity"], row["norm"]), []
            ).append(row)
    table = [row for members in groups.values() for row in _group(members, declared, caps)]
    if reference is not None:
        references = {_place(row): measured(row) for row in table if row["solution"] == reference}
        for row in table:
            base, error = references.get(_place(row)), measured(row)
            row["ratio"] = base / error if base is not None and error else None
    return table


def as_table(entries: Sequence[Row]) -> Any:
    """Return the complete table as a pyarrow table; missing values are null."""
    import pyarrow as pa

    columns = dict.fromkeys((*_TEXT, *_STATUS, "reason"), pa.string())
    columns |= dict.fromkeys((*HYPERPARAMETERS, "alpha", "time", *_NUMBERS, *_FIT), pa.float64())
    columns |= dict.fromkeys(("declared_order", "steps", "points", *_COUNTS), pa.int64())
    columns["used"] = pa.bool_()
    order: tuple[str, ...] = (
        *_TEXT[:3],
        *HYPERPARAMETERS,
        *_TEXT[3:],
        "declared_order",
        "alpha",
        "steps",
        "time",
        *_STATUS,
    )
    order += (*_NUMBERS, "used", *_FIT, "points", "reason", *_COUNTS)
    arrays = [nullable([finite(row.get(name)) for row in entries], columns[name]) for name in order]
    return with_others(pa.Table.from_arrays(arrays, names=list(order)), entries)


def compact(entries: Iterable[Row], alphas: Sequence[float]) -> list[ScalingLine]:
    """Reduce the complete table to one line for each configuration and solution."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in entries:
        groups.setdefault((*_configuration(row), row["solution"]), []).append(row)
    return [_line(members, alphas) for members in groups.values()]


def _line(members: Sequence[Row], alphas: Sequence[float]) -> ScalingLine:
    of_theta = [row for row in members if (row["quantity"], row["norm"]) == ("theta", "sup")]
    first, at = of_theta[0], {row["alpha"]: row for row in of_theta}
    chosen = [at.get(alpha) for alpha in alphas]
    above = {row["alpha"]: counts(row) for row in of_theta}
    larger = dict(zip(list(at)[1:], at, strict=False))
    cheapest = at.get(min(alphas))
    return ScalingLine(
        objective=first["objective"],
        optimizer=first["optimizer"].rpartition(":")[2],
        betas=short(hyperparameters(first)),
        solution=first["solution"],
        steps={alpha: row["steps"] for alpha, row in at.items()},
        errors=tuple(_shown(row) for row in chosen),
        ratios=tuple(row["ratio"] if row else None for row in chosen),
        slopes={
            alpha: row["slope"]
            for alpha, row in at.items()
            if row["slope"] is not None and above[alpha] and above[larger[alpha]]
        },
        orders={(row["quantity"], row["norm"]): _triple(row) for row in members},
        window=None
        if first["order"] is None
        else (first["window_from"], first["window_to"], first["points"]),
        reason=first.get("reason"),
        declared=first["declared_order"],
        evaluations=cheapest["gradient_evaluations"] if cheapest else None,
        marked=not all(good(row) for row in of_theta),
        horizons=frozenset(row["horizon"] for row in of_theta),
    )


def _shown(row: Row | None) -> float | str | None:
    if row is None:
        return None
    error: float | str | None = row["status"] if meaningless(row) else row["error"]
    return error


def sup_errors(rows: Iterable[dict[str, Any]], objective: str, optimizer: str) -> list[dict[str, Any]]:
    """Select the sup errors of theta of one objective and one optimizer, named without its module."""
    return [
        row
        for row in rows
        if (row["quantity"], row["norm"], row["objective"]) == ("theta", "sup", objective)
        and row["optimizer"].rpartition(":")[2] == optimizer
    ]


def good(row: Row) -> bool:
    """Whether a solution reached its tolerance and its run did not diverge."""
    return (row["status"] == BELOW or ended_well(row["status"])) and ended_well(row["discrete_status"])


def meaningless(row: Row) -> bool:
    """Whether a solution is implausible or refused, or its error is below the reference."""
    return row["status"] in MEANINGLESS


def measured(row: Row) -> float | None:
    """Return the error of a row; None if there is none, or it is meaningless."""
    error: float | None = None if meaningless(row) else row["error"]
    return error


def counts(row: Row) -> bool:
    """Whether an error counts for an order: solution and run are good, horizon not cut, above its floor."""
    comparable = good(row) and row["horizon"] != "capped"
    return bool(comparable and row["error"] and row["error"] > ABOVE_FLOOR * row["floor"])


def _configuration(row: Row) -> tuple[str, str, str]:
    # The first part of a label is the learning rate; the rest names the configuration.
    label = row.get("configuration")
    return row["objective"], row["optimizer"], row["label"].partition(",")[2] if label is None else label


def _place(row: Row) -> tuple[Any, ...]:
    return (*_configuration(row), row["quantity"], row["norm"], row["alpha"])


def _group(
    members: Sequence[Row], declared: Mapping[str, tuple[str, int]], caps: Mapping[tuple[Any, ...], int]
) -> list[dict[str, Any]]:
    members = sorted(members, key=lambda row: -row["alpha"])
    horizons = [_horizon(row, caps) for row in members]
    alphas = [row["alpha"] for row in members]
    errors = [math.nan if error is None else error for error in map(measured, members)]
    floors = [_floor(row) for row in members]
    # An error below the reference is also near its floor: no smaller learning rate is used.
    levels = [
        row["error"] if row["status"] == BELOW else error for error, row in zip(errors, members, strict=True)
    ]
    # An error over a horizon that was cut belongs to another experiment.
    trusted = [
        level if good(row) and horizon != "capped" else math.nan
        for level, row, horizon in zip(levels, members, horizons, strict=True)
    ]
    fitted = orders.fit(alphas, trusted, floors)
    usable = orders.usable(alphas, trusted, floors)
    model, order = declared[members[0]["solution"]]
    ordered = members[0]["quantity"] in _ORDERED
    shared: dict[str, Any] = dict.fromkeys((*_FIT, "points", "reason"))
    if fitted is None:
        counted = [math.isfinite(error) for error in trusted]
        turns = [row.get("reversals") or 0 for row in members]
        shared["reason"] = orders.reason(alphas, levels, floors, counted, turns)
    if fitted is not None:
        window = [i for i, alpha in enumerate(alphas) if usable[i] and alpha <= fitted.largest]
        chosen = [alphas[i] for i in window], [errors[i] for i in window]
        constants = orders.constant(*chosen, float(order)) if ordered else (None,) * 3
        interval = (fitted.order, fitted.low, fitted.high)
        values = (*interval, fitted.largest, fitted.smallest, *constants, fitted.points)
        shared |= dict(zip((*_FIT, "points"), values, strict=True))
    entries = []
    for i, (row, slope) in enumerate(zip(members, orders.slopes(alphas, errors), strict=True)):
        kept: tuple[str, ...] = ("objective", "optimizer", *HYPERPARAMETERS, *filter(is_other, row))
        kept += ("solution", "alpha", "steps", *_STATUS, "error", "relative", "error_estimate")
        kept += ("reference_error", *_COUNTS)
        entries.append(
            {name: row.get(name) for name in kept}
            | ({"error": None, "relative": None} if row["status"] == BELOW else {})
            | {
                "configuration": _configuration(row)[2],
                "horizon": horizons[i],
                "model": model,
                "declared_order": order if ordered else None,
                "time": row["alpha"] * row["steps"],
                "floor": floors[i],
                "slope": float(slope) if math.isfinite(slope) else None,
                "ratio": None,
                "used": bool(fitted is not None and usable[i] and row["alpha"] <= fitted.largest),
            }
            | shared
        )
    return entries


def _floor(row: Row) -> float:
    # Without an estimate of the solver only the reference's error is known; without a row compared, nothing.
    return (row["error_estimate"] or 0.0) + (row["reference_error"] or 0.0)


def _horizon(row: Row, caps: Mapping[tuple[Any, ...], int]) -> str:
    cap = caps.get((*_configuration(row), row["alpha"]))
    return "given" if cap is None else "capped" if row["steps"] >= cap else "reached"


def _triple(row: Row) -> tuple[float, float, float] | None:
    return None if row["order"] is None else (row["order"], row["order_low"], row["order_high"])
