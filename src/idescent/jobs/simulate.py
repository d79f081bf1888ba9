"""The stage ``simulate``: discrete runs of cells that share an objective."""

from __future__ import annotations

import importlib
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
    """Run cells of one objective; yield for each its trajectory, or the error that prevents it.

    A run that diverges yields a trajectory, whose status is ``diverged``.  A cell with leaps
    yields sampled rows, of a run or of a leap (:func:`idescent.analysis.reference.reference`).

    Parameters
    ----------
    cells : sequence of mapping
        ``optimizer`` as for :mod:`idescent.study.registry`, ``alpha``, ``theta0``, ``steps`` and, optionally,
        ``schedule`` and ``leap``.
    objective : Objective
    log : callable
        Receives lines for the job's log.
    """
    for batch in _batches(cells, objective):
        trajectories: Sequence[Trajectory | ValueError]
        try:
            trajectories = _run(batch, objective)
        except ValueError:
            # The error does not name the cell: run each one alone.
            trajectories = [_run_alone(cell, objective) for cell in batch]
        for trajectory in trajectories:
            if isinstance(trajectory, Trajectory):
                log(f"gradient evaluations: {trajectory.report.gradient_evaluations}")
            yield trajectory


def _run(cells: Sequence[Cell], objective: Any) -> list[Trajectory]:
    if cells[0].get("leap"):
        return [_reference(cell, objective) for cell in cells]
    return simulate_many(
        [registry.optimizer(cell["optimizer"]) for cell in cells],
        objective,
        alpha=[cell["alpha"] for cell in cells],
        theta0=np.stack([registry.start(cell["theta0"], objective) for cell in cells]),
        steps=[cell["steps"] for cell in cells],
        schedule=[registry.schedule(cell) for cell in cells],
    )


def _reference(cell: Cell, objective: Any) -> Trajectory:
    # No import statement: the code of other cells does not depend on leaps (idescent.study.provenance).
    module = importlib.import_module("idescent.analysis.reference")
    trajectory: Trajectory = module.reference(
        registry.optimizer(cell["optimizer"]),
        objective,
        alpha=cell["alpha"],
        theta0=registry.start(cell["theta0"], objective),
        steps=cell["steps"],
        schedule=registry.schedule(cell),
    )
    return trajectory


def _run_alone(cell: Cell, objective: Any) -> Trajectory | ValueError:
    try:
        return _run([cell], objective)[0]
    except ValueError as error:
        return error


def _batches(cells: Sequence[Cell], objective: Any) -> Iterator[list[Cell]]:
    """Divide cells, in their order, into batches: equal numbers of parameters, rows that fit into a block.

    A cell with leaps is a batch of its own.
    """
    batch: list[Cell] = []
    parameters, size = 0, 0
    for cell in cells:
        theta0, own = cell["theta0"], getattr(objective, "dimension", None)
        # theta0 {"seed": ...} is drawn by the objective, its length is unknown here: a batch of its own.
        own = own or (BLOCK if isinstance(theta0, Mapping) else np.size(theta0))
        rows = BLOCK + 1 if cell.get("leap") else (cell["steps"] + 1) * own
        if batch and (own != parameters or size + rows > BLOCK):
            yield batch
            batch, size = [], 0
        batch.append(cell)
        parameters, size = own, size + rows
    if batch:
        yield batch


def describe(report: Report) -> str:
    """Return a one-line description of a run."""
    return f"{report.status}, {report.message}"
