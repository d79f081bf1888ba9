"""First screen of the report: the study's result in sentences, and the content of a small picture.

What lives here: ratios of errors, ranges of fitted orders, and positions of the dots of the picture.  What
does not: the picture itself (``templates/headline.html.j2``), the fit of orders
(:mod:`idescent.analysis.orders`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from idescent.analysis.errors import MEANINGLESS
from idescent.drawing.looks import displayed, model_look
from idescent.study import registry
from idescent.trajectory import ended_well

Row = Mapping[str, Any]
Points = dict[str, dict[tuple[str, ...], float]]
PAPER = "paper"
# A solver that iterates the paper's own scheme: its errors are those of the scheme, not of the model.
SCHEME = "Picard"


def section(lines: Iterable[Row], orders: Iterable[Row], models: Mapping[str, Row]) -> dict[str, Any]:
    """Return the sentences and the picture of the first screen.

    Parameters
    ----------
    lines : iterable of mapping
        Rows of :func:`idescent.products.report.tables.pivoted`.
    orders : iterable of mapping
        Rows of :func:`idescent.products.report.scaling.fitted`; empty without a scaling table.
    models : mapping
        ``model`` (its specification) and ``solver`` (its class) of each solution, by its name.
    """
    errors = largest(lines)
    fits = _orders(orders)
    declared = {row["solution"]: row["declared_order"] for row in orders if row["declared_order"]}
    sentences = [comparison(errors, models)] + ([_slopes(fits, declared, models)] if fits else [])
    title = "Fitted order of the error in α, one dot for each configuration"
    if not fits:
        title = "Largest error of θ over all iterations, one dot for each cell"
    return {
        "sentences": [sentence for sentence in sentences if sentence],
        "picture": picture(fits or errors, title, models, log=not fits),
    }


def largest(lines: Iterable[Row]) -> Points:
    """Return the positive errors of θ in the sup norm, by solution and cell, without failed solutions."""
    errors: Points = {}
    for line in lines:
        usable = ended_well(line["status"], line["discrete_status"]) and line["status"] not in MEANINGLESS
        if (line["quantity"], line["norm"]) == ("theta", "sup") and usable and line["error"]:
            cell = (line["objective"], line["optimizer"], line["label"])
            errors.setdefault(line["solution"], {})[cell] = line["error"]
    return errors


def comparison(errors: Points, models: Mapping[str, Row]) -> str:
    """Compare the paper's equation with the model that is closest to the run; empty without an error.

    The closest model has the largest median of error ratios, among the models that share at least half of
    the cells with the paper's equation.  Schemes take no part.  Without such a model, the sentence has the
    errors of the solution with the smallest median.
    """
    names = [name for name in errors if models.get(name, {}).get("solver") != SCHEME]
    base = next((name for name in names if _model(name, models) == PAPER), None)
    ratios: dict[str, list[float]] = {}
    for name in names:
        if base is None or _model(name, models) == PAPER:
            continue
        common = [cell for cell in errors[base] if cell in errors[name]]
        if common and 2 * len(common) >= len(errors[base]):
            ratios[name] = [errors[base][cell] / errors[name][cell] for cell in common]
    if base is None or not ratios:
        if not errors:
            return ""
        best = min(names or errors, key=lambda name: median(errors[name].values()))
        return (
            f"The largest error of θ of {best} is {_range(errors[best].values())} "
            f"in {_cells(len(errors[best]))}."
        )
    best = max(ratios, key=lambda name: median(ratios[name]))
    closer = sum(ratio > 1.0 for ratio in ratios[best])
    where = f"in all {_cells(len(ratios[best]))} compared"
    if closer < len(ratios[best]):
        where = f"in {closer} of {_cells(len(ratios[best]))} compared"
    return (
        f"{best} is closer to the discrete run than the paper’s equation ({base}) {where}: its largest error "
        f"of θ is {_range(ratios[best])} times smaller, in the median {_digits(median(ratios[best]))} times."
    )


def picture(points: Points, title: str, models: Mapping[str, Row], *, log: bool) -> dict[str, Any]:
    """Return the rows, ticks and dots of a strip plot; positions are fractions of the axis, rounded."""
    values = [value for cells in points.values() for value in cells.values()]
    if not values:
        return {}
    scaled = [math.log10(value) for value in values] if log else values
    low, high = math.floor(min(scaled)), math.ceil(max(scaled))
    high = max(high, low + 1)

    def at(value: float) -> float:
        return round(((math.log10(value) if log else value) - low) / (high - low), 4)

    step = max(1, math.ceil((high - low) / 8))
    ticks = [
        {"at": round((i - low) / (high - low), 4), "power": i, "text": str(i)}
        for i in range(low, high + 1, step)
    ]
    rows = [
        {
            "label": displayed(name),
            "colour": _colour(name, models),
            "dots": sorted({at(value) for value in cells.values()}),
            "median": at(median(cells.values())),
            "text": f"{_range(cells.values())}, median {_digits(median(cells.values()))}",
        }
        for name, cells in points.items()
    ]
    return {"title": title, "log": log, "ticks": ticks, "rows": rows}


def _orders(rows: Iterable[Row]) -> Points:
    orders: Points = {}
    for row in rows:
        if row["order"] is not None:
            place = (row["objective"], row["optimizer"], row["configuration"])
            orders.setdefault(row["solution"], {})[place] = row["order"]
    return orders


def _slopes(orders: Points, declared: Mapping[str, int], models: Mapping[str, Row]) -> str:
    parts = []
    for name, fits in orders.items():
        if models.get(name, {}).get("solver") != SCHEME:
            claim = f" (declared {declared[name]:g})" if name in declared else ""
            parts.append(f"{name} {_interval(list(fits.values()))}{claim}")
    return f"Fitted orders of the largest error of θ in α: {'; '.join(parts)}." if parts else ""


def _interval(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _model(name: str, models: Mapping[str, Row]) -> str:
    return str(registry.model(models[name]["model"]).name) if name in models else ""


def _colour(name: str, models: Mapping[str, Row]) -> str:
    if name in models and models[name].get("solver") == SCHEME:
        return model_look("algorithm-4")[0]
    return model_look(_model(name, models) or name)[0]


def _cells(number: int) -> str:
    return f"{number} cell" + ("" if number == 1 else "s")


def _range(values: Iterable[float]) -> str:
    low, high = _digits(min(values := list(values))), _digits(max(values))
    return low if low == high else f"{low} to {high}"


def _digits(value: float) -> str:
    """Return two significant digits: ``0.035``, ``57``, ``4 700``, ``3.1e-09``."""
    if value == 0.0:
        return "0"
    rounded = float(f"{value:.2g}")
    if 10 <= rounded < 1e6:
        return f"{rounded:,.0f}".replace(",", "\u202f")
    return f"{rounded:.2g}"
