"""Predict long runs, simulate those that are short enough, and compare cost and error."""

from __future__ import annotations

import csv as standard
import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from idescent.discrete.loop import simulate
from idescent.discrete.setup import Setup
from idescent.products.product import Task
from idescent.solvers.fast_forward import fast_forward
from idescent.store.files import write_text
from idescent.study import registry
from idescent.trajectory import REFUSED

# The longest run that is simulated for comparison: its rows need half a gigabyte.
LONGEST = 20_000_000
COLUMNS = (
    *("objective", "optimizer", "arguments", "alpha", "steps", "gradients"),
    *("estimate", "error", "status"),
)


def job(task: Task) -> str:
    """Predict runs, and write table (.csv) and figure (.pdf, .svg, .png); return a line for the screen."""
    rows = []
    for cell in task.given["cells"]:
        rows.append(predict(cell))
        task.log(", ".join(f"{name} {rows[-1][name]}" for name in COLUMNS))
    names = (*COLUMNS, "reason") if any(row["status"] == REFUSED for row in rows) else COLUMNS
    for output in task.outputs:
        if output.suffix == ".csv":
            write_text(output, csv([[row[name] for name in names] for row in rows], names))
    if pictures := [output for output in task.outputs if output.suffix != ".csv"]:
        from idescent.products.forecast.figure import render_forecast

        render_forecast(rows, pictures)
    simulated = sum(row["error"] != "" for row in rows)
    return f"{len(rows)} runs predicted, {simulated} of them also simulated"


def predict(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Predict one run, and return its row; ``error`` is empty for a run that is too long to simulate.

    A run that the half-step model cannot express has the status ``refused`` and no numbers.
    """
    optimizer, objective = registry.optimizer(cell["optimizer"]), registry.objective(cell["objective"])
    arguments = {"alpha": cell["alpha"], "theta0": cell["theta0"], "steps": cell["steps"]}
    hyperparameters = cell["optimizer"].get("arguments", {})
    row = {
        "objective": cell["objective"]["name"],
        "optimizer": cell["optimizer"]["class"],
        "arguments": " ".join(f"{name}={value}" for name, value in hyperparameters.items()),
        "alpha": cell["alpha"],
        "steps": cell["steps"],
        **dict.fromkeys(("gradients", "estimate", "error", "reason"), ""),
        "look": cell["optimizer"],
    }
    try:
        prediction = fast_forward(optimizer, objective, **arguments)
    except ValueError as refusal:
        Setup.checked(
            optimizer, objective, **arguments
        )  # an invalid start is an error, not a refusal by the model
        return row | {"status": REFUSED, "reason": " ".join(str(refusal).split())}
    error: float | str = ""
    if cell["steps"] <= LONGEST and np.isfinite(prediction.report.error_estimate):
        run = simulate(optimizer, objective, **arguments)
        # The first 10 000 iterations and an even sample of the later ones, where a long run changes slowly.
        k = np.unique(
            np.append(np.arange(min(cell["steps"], 10_000) + 1), run.k[:: 1 + len(run.k) // 100_000])
        )
        error = float(np.abs(prediction(k) - run.theta[k]).max())
    return row | {
        "gradients": prediction.report.gradient_evaluations,
        "estimate": prediction.report.error_estimate,
        "error": error,
        "status": prediction.report.status,
    }


def csv(rows: Iterable[Iterable[Any]], names: Iterable[str]) -> str:
    """Format rows as CSV, with a header of the names."""
    text = io.StringIO()
    writer = standard.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue()
