"""Errors against the learning rate, for the explorer: all cells, solutions and quantities of a study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from idescent.products.report.content import optimizer_name
from idescent.products.report.explorer import configuration

DIGITS = 4


def gather(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the errors in the sup norm, grouped into ladders of learning rates; values that JSON can store.

    Parameters
    ----------
    lines : iterable of mapping
        Rows of :func:`idescent.products.report.tables.pivoted`.

    Returns
    -------
    list of dict
        ``objective``, ``optimizer``, ``configuration``, ``key`` (the configuration in the name of the cell's
        folder), ``path`` (the solution), ``quantity``, and pairs of
        learning rate and error in ``points``, by rising learning rate.  Errors have four digits.  There is no
        ladder of one learning rate, and no point without an error.
    """
    ladders: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for line in lines:
        if line["norm"] == "sup" and line["error"] is not None:
            key = (
                line["objective"],
                optimizer_name(line),
                configuration(line["label"]),
                line["label"].partition(",")[2],
                line["solution"],
                line["quantity"],
            )
            ladders.setdefault(key, []).append((line["alpha"], float(f"{line['error']:.{DIGITS}g}")))
    names = ("objective", "optimizer", "configuration", "key", "path", "quantity")
    return [
        dict(zip(names, key, strict=True)) | {"points": sorted(points)}
        for key, points in ladders.items()
        if len({alpha for alpha, _ in points}) > 1
    ]
