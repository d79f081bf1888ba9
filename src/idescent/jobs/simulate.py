"""The stage ``simulate``: the discrete runs of some cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from idescent.discrete.lockstep import simulate_many
from idescent.discrete.loop import BLOCK
from idescent.study import registry
from idescent.trajectory import Report, Trajectory

Cell = Mapping[str, Any]


def make(
    cells: Sequence[Cell], objective: Any, log: Callable[[str], None]
) -> Iterator[Trajectory | ValueError]:
    """Run cells of one objective; yield for each its trajectory, or why it cannot be run.

    A run that diverges is a result like any other.

    Parameters
    ----------
    cells : sequence of mapping
        ``optimizer`` as for :mod:`idescent.study.registry`, ``alpha``, ``theta0``, ``steps``, perhaps
        ``schedule``.
    objective : Objective
    log : callable
        Receives lines for the job's log.
    """
    for batch in _batches(cells, objective):
        found: Sequence[Trajectory | ValueError]
        try:
            found = _run(batch, objective)
        except ValueError:
            # Which of them it was shows when each is run by itself.
            found = [_run_alone(cell, objective) for cell in batch]
        for one in found:
            if isinstance(one, Trajectory):
                log(f"gradient evaluations: {one.report.gradient_evaluations}")
            yield one


def _run(cells: Sequence[Cell], objective: Any) -> list[Trajectory]:
    return simulate_many(
        [registry.optimizer(cell["optimizer"]) for cell in cells],
        objective,
        alpha=[cell["alpha"] for cell in cells],
        theta0=np.stack([registry.start(cell["theta0"], objective) for cell in cells]),
        steps=[cell["steps"] for cell in cells],
        schedule=[registry.schedule(cell) for cell in cells],
    )


def _run_alone(cell: Cell, objective: Any) -> Trajectory | ValueError:
    try:
        return _run([cell], objective)[0]
    except ValueError as error:
        return error


def _batches(cells: Sequence[Cell], objective: Any) -> Iterator[list[Cell]]:
    """Divide cells, in their order, into those with as many parameters whose rows fit into a block."""
    batch: list[Cell] = []
    parameters, size = 0, 0
    for cell in cells:
        theta0, own = cell["theta0"], getattr(objective, "dimension", None)
        # A start that only the objective knows, of unknown length: a batch of its own.
        own = own or (BLOCK if isinstance(theta0, Mapping) else np.size(theta0))
        rows = (cell["steps"] + 1) * own
        if batch and (own != parameters or size + rows > BLOCK):
            yield batch
            batch, size = [], 0
        batch.append(cell)
        parameters, size = own, size + rows
    if batch:
        yield batch


def describe(report: Report) -> str:
    """Return a line about a run."""
    return f"{report.status}, {report.message}"
