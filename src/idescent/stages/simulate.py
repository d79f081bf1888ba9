"""The stage ``simulate``: one discrete run into one file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from idescent import __version__, registry
from idescent.discrete import simulate
from idescent.trajectory import Report, write


def run(
    cell: Mapping[str, Any], objective: Any, output: Path, code: str, log: Callable[[str], None]
) -> Report:
    """Run a cell and write its trajectory; return what it says about itself.

    A run that diverges is a result: it is written like any other.

    Parameters
    ----------
    cell : mapping
        ``objective`` and ``optimizer`` as for :mod:`idescent.registry`, ``alpha``, ``theta0``, ``steps``,
        perhaps ``schedule``.
    objective : Objective
        The cell's, built: a pack builds it once.
    output : path
    code : str
        Digest of the code, recorded in the file.
    log : callable
        Receives lines for the job's log.

    Raises
    ------
    ValueError
        If the cell cannot be run.
    """
    trajectory = simulate(
        registry.optimizer(cell["optimizer"]),
        objective,
        alpha=cell["alpha"],
        theta0=registry.start(cell["theta0"], objective),
        steps=cell["steps"],
        schedule=registry.schedule(cell),
    )
    write(output, trajectory, cell, {"version": __version__, "code": code})
    log(f"gradient evaluations: {trajectory.report.gradient_evaluations}")
    return trajectory.report


def describe(report: Report) -> str:
    """Return a line about a run."""
    return f"{report.status}, {report.message}"
