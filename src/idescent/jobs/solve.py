"""The stage ``solve``: solutions of a model for cells that share an objective."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.discrete import memory
from idescent.discrete.setup import Setup
from idescent.solvers.solve import solve
from idescent.study import registry
from idescent.trajectory import REFUSED, Report, Trajectory, assemble, kept, sampled


def make(
    cells: Sequence[Mapping[str, Any]], objective: Any, log: Callable[[str], None]
) -> Iterator[Trajectory | ValueError]:
    """Solve a model for cells of one objective; yield for each its solution, or the error that prevents it.

    A solution that does not converge yields a trajectory with the status ``not converged``.  A solution that
    the model or the solver refuses yields one with the status ``refused`` and the reason as its message.

    Parameters
    ----------
    cells : sequence of mapping
        As for :func:`idescent.jobs.simulate.make`, with ``solution``: ``name``, ``model``, ``solver``,
        ``rtol``, ``atol``.
    objective : Objective
    log : callable
        Receives lines for the job's log: the solver's sweeps and residuals.
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
    model, solver = registry.model(solution["model"]), registry.solver(solution["solver"])
    optimizer, schedule = registry.optimizer(cell["optimizer"]), registry.schedule(cell)
    alpha, steps, start = cell["alpha"], cell["steps"], registry.start(cell["theta0"], objective)
    rtol, atol = solution["rtol"], solution["atol"]
    try:
        return solve(
            model,
            optimizer,
            objective,
            alpha=alpha,
            theta0=start,
            steps=steps,
            schedule=schedule,
            rtol=rtol,
            atol=atol,
            solver=solver,
            progress=log,
            keep=_rows(cell),
        )
    except ValueError as error:
        # Raises if the objective or the start is at fault: then this is no refusal of the model.
        setup = Setup.checked(optimizer, objective, alpha=alpha, theta0=start, steps=steps)
        report = Report(REFUSED, " ".join(str(error).split()), rtol=rtol, atol=atol)
        return _unsolved(setup, report, _rows(cell))


def _rows(cell: Mapping[str, Any]) -> NDArray[np.int64] | None:
    """Return the iterations to store; None for all."""
    return sampled(cell["steps"]) if cell.get("leap") else None


def _unsolved(setup: Setup, report: Report, rows: NDArray[np.int64] | None) -> Trajectory:
    """Return a trajectory of NaN, for a refused solution."""
    k = kept(setup.steps, rows)
    theta = np.full((len(k), len(setup.start)), np.nan)
    widths = zip(setup.optimizer.moments, memory.widths(setup.optimizer, len(setup.start)), strict=True)
    moments = {name: np.full((len(k), width), np.nan) for name, width in widths}
    return assemble(theta, theta[:, 0], moments, setup.alpha, report, k)


def describe(report: Report) -> str:
    """Return a one-line description of a solution."""
    if report.status == REFUSED:
        return f"{report.status}: {report.message}"
    error = "no error estimate" if math.isnan(report.error_estimate) else f"error {report.error_estimate:.1e}"
    return f"{report.status}, {report.sweeps} sweeps, {error}"
