"""The stage ``forecast``: predict long runs, make those that are short enough, and compare cost and error."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from idescent import registry
from idescent.discrete import simulate
from idescent.files import write_text
from idescent.forecast import fast_forward

# The longest run that is made for comparison: half a gigabyte of rows.
LONGEST = 20_000_000
COLUMNS = (
    *("objective", "optimizer", "arguments", "alpha", "steps", "gradients"),
    *("estimate", "error", "status"),
)


def run(cells: Sequence[Mapping[str, Any]], outputs: Sequence[Path], log: Callable[[str], None]) -> str:
    """Predict runs and write table (.csv) and figure (.pdf, .svg, .png); return a line about it.

    Parameters
    ----------
    cells : sequence of mapping
        Cells of the configuration.
    outputs : sequence of path
    log : callable
    """
    rows = []
    for cell in cells:
        rows.append(predict(cell))
        log(", ".join(f"{name} {rows[-1][name]}" for name in COLUMNS))
    for output in outputs:
        if output.suffix == ".csv":
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerows([COLUMNS, *([str(row[name]) for name in COLUMNS] for row in rows)])
            write_text(output, text.getvalue())
    if pictures := [output for output in outputs if output.suffix != ".csv"]:
        from idescent.figures.forecast import render_forecast

        render_forecast(rows, pictures)
    made = sum(row["error"] != "" for row in rows)
    return f"{len(rows)} runs predicted, {made} of them made"


def predict(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Predict one run; return its row, with an empty ``error`` if the run is too long to be made."""
    optimizer, objective = registry.optimizer(cell["optimizer"]), registry.objective(cell["objective"])
    arguments = {"alpha": cell["alpha"], "theta0": cell["theta0"], "steps": cell["steps"]}
    prediction = fast_forward(optimizer, objective, **arguments)
    error: float | str = ""
    if cell["steps"] <= LONGEST and np.isfinite(prediction.report.error_estimate):
        made = simulate(optimizer, objective, **arguments)
        # Everywhere at the start, then evenly: the path of a long run hardly changes between.
        k = np.unique(
            np.append(np.arange(min(cell["steps"], 10_000) + 1), made.k[:: 1 + len(made.k) // 100_000])
        )
        error = float(np.abs(prediction(k) - made.theta[k]).max())
    given = cell["optimizer"].get("arguments", {})
    return {
        "objective": cell["objective"]["name"],
        "optimizer": cell["optimizer"]["class"],
        "arguments": " ".join(f"{name}={value}" for name, value in given.items()),
        "alpha": cell["alpha"],
        "steps": cell["steps"],
        "gradients": prediction.report.gradient_evaluations,
        "estimate": prediction.report.error_estimate,
        "error": error,
        "status": prediction.report.status,
        "look": cell["optimizer"],
    }
