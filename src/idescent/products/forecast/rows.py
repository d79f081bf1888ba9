"""Leap over long runs, simulate those that are short enough, and compare cost and error."""

from __future__ import annotations

import csv as standard
import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from idescent.discrete.loop import simulate
from idescent.discrete.setup import Setup
from idescent.optimizers.ratio import own
from idescent.products.product import Task
from idescent.solvers.leap import leap
from idescent.store.files import write_text
from idescent.study import registry
from idescent.trajectory import REFUSED

# The longest runs that are simulated for comparison, about a second each: of the paper's optimizers, which
# have compiled loops, and of others.
LONGEST, LONGEST_GENERIC = 20_000_000, 100_000
COLUMNS = (
    *("objective", "optimizer", "arguments", "alpha", "steps", "reached", "gradients", "elements"),
    *("iterations", "estimate", "resolution", "rounding", "error", "status"),
)


def job(task: Task) -> str:
    """Leap over runs, and write table (.csv) and figure (.pdf, .svg, .png); return a line for the screen."""
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
    return f"{len(rows)} runs leapt over, {simulated} of them also simulated"


def predict(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Leap over one run, and return its row.

    Errors are in the sup norm of theta over the iterations k = 0 ... ``reached``: ``estimate`` and its parts
    ``resolution`` and ``rounding`` are those of the leap; ``error`` is measured against the run at up to
    110 000 iterations, and is empty for a run that is too long to simulate.  The cost of the leap is the
    number of ``gradients``, that of the run ``steps``; ``iterations`` were made one by one.  A run that
    :func:`idescent.leap` refuses has the status ``refused`` and no numbers.
    """
    optimizer, objective = registry.optimizer(cell["optimizer"]), registry.objective(cell["objective"])
    arguments = {"alpha": cell["alpha"], "theta0": cell["theta0"], "steps": cell["steps"]}
    hyperparameters = cell["optimizer"].get("arguments", {})
    row = {
        "objective": cell["objective"]["name"],
        "optimizer": cell["optimizer"]["class"],
        "arguments": " ".join(f"{name}={value}" for name, value in hyperparameters.items()),
        **dict.fromkeys((*COLUMNS[3:], "reason"), ""),
        "alpha": cell["alpha"],
        "steps": cell["steps"],
        "look": cell["optimizer"],
    }
    try:
        result = leap(optimizer, objective, **arguments)
    except ValueError as refusal:
        # An invalid start is an error, not a refusal.
        Setup.checked(optimizer, objective, **arguments)
        return row | {"status": REFUSED, "reason": " ".join(str(refusal).split())}
    report, reached = result.report, result.reached
    if 0 < reached <= (LONGEST_GENERIC if own(optimizer) is None else LONGEST):
        # The first 10 000 iterations and an even sample of the later ones, where a long run changes slowly.
        later = np.linspace(0, reached, 100_001).astype(np.int64)
        k = np.unique(np.append(np.arange(min(reached, 10_000) + 1), later))
        run = simulate(optimizer, objective, **arguments | {"steps": reached}, keep=k)
        row["error"] = float(np.abs(result(k) - run.theta).max())
    return row | {
        "reached": reached,
        "gradients": report.gradient_evaluations,
        "estimate": report.error_estimate,
        "status": report.status,
        **{name: report.details[name] for name in ("elements", "iterations", "resolution", "rounding")},
    }


def csv(rows: Iterable[Iterable[Any]], names: Iterable[str]) -> str:
    """Format rows as CSV, with a header of the names."""
    text = io.StringIO()
    writer = standard.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue()
