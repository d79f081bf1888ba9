"""First screen of the report: the study's result in sentences, and the content of a small picture.

What lives here: ratios of errors, ranges of fitted orders, and positions of the dots of the picture.  What
does not: the picture itself (``templates/headline.html.j2``), the fit of orders
(:mod:`idescent.analysis.orders`).
"""

from __future__ import annotations

import math
from collections import Counter
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
# Models that the first screen compares with the paper's equation, if the study has them.
PROMINENT = ("half-step", "third-order")
_NOUNS = {
    PAPER: "the paper’s equation",
    "half-step": "the half-step model",
    "third-order": "the third-order model",
}
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


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
    declared: dict[str, set[float]] = {}
    for row in orders:
        if row["declared_order"]:
            declared.setdefault(row["solution"], set()).add(row["declared_order"])
    title = "Fitted order of the error in α, one dot for each configuration"
    if not fits:
        title = "Largest error of θ over all iterations, one dot for each cell"
    return {
        "sentences": [*comparisons(errors, models), *slopes(fits, declared, models)],
        "picture": picture(fits or errors, title, models, declared if fits else {}, log=not fits),
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


def comparisons(errors: Points, models: Mapping[str, Row]) -> list[str]:
    """Compare the half-step and third-order models with the paper's equation, one sentence for each.

    Without these models, the sentence is about the model with the largest median of error ratios, among
    those that share at least half of the cells with the paper's equation.  Without a second model, it has the
    errors of the solution with the smallest median.  Schemes take no part.  No error gives no sentence.
    """
    names = [name for name in errors if models.get(name, {}).get("solver") != SCHEME]
    base = _of(names, PAPER, models)
    sentences = _closer(base[0], names, errors, models) if base else []
    if sentences or not errors:
        return sentences
    best = min(names or errors, key=lambda name: median(errors[name].values()))
    values = list(errors[best].values())
    middle = f" (median {_digits(median(values))})" if len(values) > 1 else ""
    return [
        f"The largest error of θ over all iterations of {_noun(best, models)} is {_range(values)} "
        f"in {_cells(len(values))}{middle}."
    ]


def slopes(orders: Points, declared: Mapping[str, set[float]], models: Mapping[str, Row]) -> list[str]:
    """Return the fitted orders of the paper's equation, the half-step and the third-order model.

    A study without any of them has the orders of all its solutions.  Schemes take no part.
    """
    names = [name for name in orders if models.get(name, {}).get("solver") != SCHEME]
    prominent = [name for model in (PAPER, *PROMINENT) for name in _of(names, model, models)[:1]]
    parts = []
    for name in prominent or names:
        claims = " or ".join(f"{order:g}" for order in sorted(declared.get(name, ())))
        claim = f" (declared {claims})" if claims else ""
        parts.append(f"{_interval(list(orders[name].values()))} for {_noun(name, models)}{claim}")
    return [f"Fitted order of the error in α: {', '.join(parts)}."] if parts else []


def failures(solutions: int, odd: Sequence[Row]) -> str:
    """Return a sentence on the failed solutions, by name.

    Parameters
    ----------
    solutions : int
        Number of solutions of the study.
    odd : sequence of mapping
        Rows of :func:`idescent.products.report.tables.odd`.
    """
    if not odd:
        return "No failures: every run was completed, and every solution converged."
    counts = Counter(row["solution"] for row in odd).most_common()
    listed = ", ".join(f"{count} of {name}" for name, count in counts[:3])
    more = f" and {sum(count for _, count in counts[3:])} of others" if counts[3:] else ""
    return f"{len(odd)} of {solutions} solutions failed or belong to a diverged run: {listed}{more}."


def picture(
    points: Points, title: str, models: Mapping[str, Row], marks: Mapping[str, set[float]], *, log: bool
) -> dict[str, Any]:
    """Return the rows, ticks, dots and further marks of a strip plot, at rounded fractions of the axis."""
    values = [value for cells in points.values() for value in cells.values()]
    if not values:
        return {}
    marks = {name: marks.get(name, set()) for name in points}
    values += [mark for each in marks.values() for mark in each]
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
            "marks": [at(mark) for mark in sorted(marks[name])],
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


def _closer(base: str, names: Sequence[str], errors: Points, models: Mapping[str, Row]) -> list[str]:
    ratios: dict[str, list[float]] = {}
    for name in names:
        common = [cell for cell in errors[base] if cell in errors[name]]
        if common and _model(name, models) != PAPER:
            ratios[name] = [errors[base][cell] / errors[name][cell] for cell in common]
    chosen = [name for model in PROMINENT for name in _of(list(ratios), model, models)[:1]]
    if not chosen:
        shared = [name for name in ratios if 2 * len(ratios[name]) >= len(errors[base])]
        chosen = sorted(shared, key=lambda name: median(ratios[name]), reverse=True)[:1]
    against = f" to the discrete run than the paper’s equation{_called(base, PAPER)}"
    measure = ", measured by the largest error of θ over all iterations"
    # The sentences after the first repeat neither.
    repeated = [(against, measure), *[("", "")] * len(chosen)]
    return [_ratio(name, ratios[name], models, *texts) for name, texts in zip(chosen, repeated, strict=False)]


def _ratio(name: str, ratios: Sequence[float], models: Mapping[str, Row], against: str, measure: str) -> str:
    """Return the sentence on the ratios of the paper's error to that of a model."""
    noun = _noun(name, models)
    noun = noun[:1].upper() + noun[1:] if noun.startswith("the ") else noun
    number, closer = len(ratios), sum(ratio > 1.0 for ratio in ratios)
    if closer == number:
        cells = f"in all {_cells(number)}" if number > 1 else "in one cell"
        middle = f" (median {_digits(median(ratios))})" if number > 1 else ""
        return f"{noun} is {_range(ratios)} times closer{against}{measure}, {cells}{middle}."
    where = f"in {closer or 'none'} of {_cells(number)}"
    return (
        f"{noun} is closer{against} {where}: the paper’s largest error of θ is {_range(ratios)} times "
        f"its own (median {_digits(median(ratios))})."
    )


def _of(names: Sequence[str], model: str, models: Mapping[str, Row]) -> list[str]:
    return [name for name in names if _model(name, models) == model]


def _noun(name: str, models: Mapping[str, Row]) -> str:
    model = _model(name, models)
    return _NOUNS[model] + _called(name, model) if model in _NOUNS else displayed(name)


def _called(name: str, model: str) -> str:
    return "" if name == model else f" ({name})"


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
    """Return two significant digits: ``0.035``, ``57``, ``4 700``, ``3.1 × 10⁻⁹``."""
    rounded = float(f"{value:.2g}")
    if 10 <= rounded < 1e6:
        return f"{rounded:,.0f}".replace(",", "\u202f")
    mantissa, _, exponent = f"{rounded:.2g}".partition("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_RAISED)}" if exponent else mantissa
