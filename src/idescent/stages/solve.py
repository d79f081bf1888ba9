"""The stage ``solve``: one continuous path into one file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from idescent import __version__, registry
from idescent.continuous import solve
from idescent.trajectory import Report, write


def run(
    cell: Mapping[str, Any], objective: Any, output: Path, code: str, log: Callable[[str], None]
) -> Report:
    """Solve a cell's model and write the path; return what it says about itself.

    A solution that does not converge is a result: it is written like any other, and says so.

    Parameters
    ----------
    cell : mapping
        As for :func:`idescent.stages.simulate.run`, with ``solution``: ``name``, ``model``, ``solver``,
        ``rtol``, ``atol``.
    objective : Objective
        The cell's, built: a pack builds it once.
    output : path
    code : str
        Digest of the code, recorded in the file.
    log : callable
        Receives lines for the job's log: what the solver says of its sweeps and residuals.

    Raises
    ------
    ValueError
        If the cell cannot be solved.
    """
    solution = cell["solution"]
    trajectory = solve(
        registry.model(solution["model"]),
        registry.optimizer(cell["optimizer"]),
        objective,
        alpha=cell["alpha"],
        theta0=registry.start(cell["theta0"], objective),
        steps=cell["steps"],
        schedule=registry.schedule(cell),
        rtol=solution["rtol"],
        atol=solution["atol"],
        solver=registry.solver(solution["solver"]),
        progress=log,
    )
    write(output, trajectory, cell, {"version": __version__, "code": code})
    report = trajectory.report
    log(f"{report.message}; gradient evaluations: {report.gradient_evaluations}; details: {report.details}")
    return report


def describe(report: Report) -> str:
    """Return a line about a solution."""
    error = "no error estimate" if math.isnan(report.error_estimate) else f"error {report.error_estimate:.1e}"
    return f"{report.status}, {report.sweeps} sweeps, {error}"
