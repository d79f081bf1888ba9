"""The stage ``solve``: the continuous paths of some cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from idescent import registry
from idescent.continuous import solve
from idescent.trajectory import Report, Trajectory


def make(
    cells: Sequence[Mapping[str, Any]], objective: Any, log: Callable[[str], None]
) -> Iterator[Trajectory | ValueError]:
    """Solve a model for cells of one objective; yield for each its path, or why it cannot be solved.

    A solution that does not converge is a result like any other, and says so.

    Parameters
    ----------
    cells : sequence of mapping
        As for :func:`idescent.stages.simulate.make`, with ``solution``: ``name``, ``model``, ``solver``,
        ``rtol``, ``atol``.
    objective : Objective
    log : callable
        Receives lines for the job's log: what the solver says of its sweeps and residuals.
    """
    for cell in cells:
        try:
            trajectory = _solved(cell, objective, log)
        except ValueError as error:
            yield error
            continue
        report = trajectory.report
        work = f"gradient evaluations: {report.gradient_evaluations}; details: {report.details}"
        log(f"{report.message}; {work}")
        yield trajectory


def _solved(cell: Mapping[str, Any], objective: Any, log: Callable[[str], None]) -> Trajectory:
    solution = cell["solution"]
    return solve(
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


def describe(report: Report) -> str:
    """Return a line about a solution."""
    error = "no error estimate" if math.isnan(report.error_estimate) else f"error {report.error_estimate:.1e}"
    return f"{report.status}, {report.sweeps} sweeps, {error}"
