"""A study: its cells, and the place of every result.

What lives here: plain data, made by :mod:`idescent.config` and read by the workflow's rules.  Nothing is
ever read back out of a path: a path is a function of a cell, not the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from idescent.store import DISCRETE
from idescent.study.packs import partition, seconds

T = TypeVar("T")

# A start that only the job knows belongs to a model with many parameters.
_UNKNOWN_PARAMETERS = 1000


@dataclass(frozen=True)
class Cell:
    """One run: objective, optimizer and hyper-parameters, learning rate and schedule, start, horizon; what is
    solved.
    """

    objective: dict[str, Any]
    optimizer: dict[str, Any]
    alpha: float
    theta0: list[float] | dict[str, int]
    steps: int
    solutions: tuple[str, ...]
    schedule: dict[str, Any] | None = None

    def spec(self) -> dict[str, Any]:
        """Return the run as plain data."""
        return {
            "objective": self.objective,
            "optimizer": self.optimizer,
            "alpha": self.alpha,
            "theta0": self.theta0,
            "steps": self.steps,
            # Only where there is one: all other cells keep their bytes.
            **({} if self.schedule is None else {"schedule": self.schedule}),
        }

    @property
    def paths(self) -> tuple[str, ...]:
        """Names of its paths: ``discrete``, then its solutions."""
        return (DISCRETE, *self.solutions)

    @property
    def group(self) -> tuple[str, str]:
        """Name of the objective and class of the optimizer: the two upper folders."""
        return self.objective["name"], self.optimizer["class"].rpartition(":")[2]

    @property
    def label(self) -> str:
        """``alpha~0.1,beta1~0.9,beta2~0.99``: the learning rate, the given hyper-parameters, any schedule."""
        given = {"alpha": self.alpha, **self.optimizer["arguments"]}
        if self.schedule is not None:
            given["schedule"] = self.schedule["name"]
        return ",".join(f"{name}~{value}" for name, value in given.items())

    @property
    def folder(self) -> str:
        """Folder of the cell below that of the study."""
        return "/".join((*self.group, self.label))


@dataclass(frozen=True)
class Pack:
    """Cells of one objective and optimizer that share a job for each stage."""

    group: tuple[str, str]
    name: str
    cells: tuple[Cell, ...]

    @property
    def folder(self) -> str:
        """Folder of the pack below ``packs`` in that of the study."""
        return "/".join((*self.group, self.name))

    @property
    def wildcards(self) -> dict[str, str]:
        """The pack in the outputs of a rule."""
        return {"objective": self.group[0], "optimizer": self.group[1], "pack": self.name}


@dataclass(frozen=True)
class Study:
    """A checked configuration: the cells of a study, the solutions by name, and the settings of its products.

    Attributes
    ----------
    name : str
    cells : tuple of Cell
    solutions : dict
        Model, solver and tolerances, by name.
    blocks : tuple of int
        For each cell, the number of its block under ``runs``.
    settings : dict
        What the products make of their sections of the configuration, by product.
    raw : dict
        The configuration as it was given.
    cells_per_job, seconds_per_job
        How it is run; no result depends on them.
    """

    name: str
    cells: tuple[Cell, ...]
    solutions: dict[str, dict[str, Any]]
    blocks: tuple[int, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)
    cells_per_job: int | None = None
    seconds_per_job: float = 5.0

    @property
    def root(self) -> str:
        """Folder of all results of the study."""
        return f"results/{self.name}"

    @property
    def groups(self) -> dict[tuple[str, str], list[Cell]]:
        """Cells by objective and optimizer."""
        groups: dict[tuple[str, str], list[Cell]] = {}
        for cell in self.cells:
            groups.setdefault(cell.group, []).append(cell)
        return groups

    @cached_property
    def packs(self) -> list[Pack]:
        """Cells by job: packs of one objective and optimizer (:mod:`idescent.study.packs`)."""
        found = []
        for group, cells in self.groups.items():
            if self.cells_per_job == 1:
                # To a cluster, jobs are named as rule:wildcard=value,wildcard=value: no comma in a value.
                packs = {cell.label.replace(",", "+"): [cell] for cell in cells}
            elif self.cells_per_job is not None:
                packs = partition(cells, lambda _: 1.0, self.cells_per_job)
            else:
                # The tree halves what is too heavy: packs then weigh between once and twice what is asked.
                packs = partition(cells, self._seconds, 2.0 * self.seconds_per_job)
            found += [Pack(group, name, tuple(members)) for name, members in packs.items()]
        return found

    def _seconds(self, cell: Cell) -> float:
        return max(self._seconds_of(cell, name) for name in cell.paths)

    def _seconds_of(self, cell: Cell, name: str) -> float:
        parameters = len(cell.theta0) if isinstance(cell.theta0, list) else _UNKNOWN_PARAMETERS
        solver = None if name == DISCRETE else self.solutions[name]["solver"]["class"]
        return seconds(cell.steps, parameters, solver)

    def seconds(self, pack: Pack, name: str) -> float:
        """Return the estimated time of the job that makes a pack's runs or solutions, on one core."""
        return sum(self._seconds_of(cell, name) for cell in pack.cells if name in cell.paths)

    def place(self, cell: Cell, name: str) -> str:
        """Return where a run (``discrete``) or solution of a cell lies below the study's folder."""
        return f"{cell.folder}/{name}.parquet"

    def path(self, cell: Cell, name: str) -> str:
        """Return the path of a cell's discrete run (``discrete``) or of one of its solutions."""
        return f"{self.root}/{self.place(cell, name)}"

    def manifest(self, pack: Pack, name: str) -> str:
        """Return the path of the list of a pack's discrete runs or solutions by that name."""
        return f"{self.root}/packs/{pack.folder}/{name}.json"

    def manifests(self, wanted: Iterable[tuple[Cell, str]]) -> list[str]:
        """Return the lists in which some cells' runs (``discrete``) and solutions stand, each once."""
        homes = self._homes
        return list(dict.fromkeys(self.manifest(homes[cell.folder], name) for cell, name in wanted))

    @cached_property
    def _homes(self) -> dict[str, Pack]:
        return {cell.folder: pack for pack in self.packs for cell in pack.cells}

    def names(self, pack: Pack) -> tuple[str, ...]:
        """Return the solutions that any cell of a pack asks for."""
        wanted = {name for cell in pack.cells for name in cell.solutions}
        return tuple(name for name in self.solutions if name in wanted)

    def job(self, pack: Pack, name: str) -> dict[str, Any]:
        """Return the arguments of the job that makes a pack's runs or solutions, as plain data."""
        cells = []
        for cell in pack.cells:
            if name in cell.paths:
                spec = cell.spec()
                del spec["objective"]
                cells.append({"folder": cell.folder, **spec})
        solution = {} if name == DISCRETE else {"solution": self.solutions[name]}
        return {"objective": pack.cells[0].objective, **solution, "cells": cells}

    @property
    def planned(self) -> dict[str, list[str]]:
        """Outputs of the stages that run pack by pack."""
        return {
            "simulate": [self.manifest(pack, DISCRETE) for pack in self.packs],
            "solve": [self.manifest(pack, name) for pack in self.packs for name in self.names(pack)],
        }


def spread(cells: Sequence[T], most: int) -> list[T]:
    """Choose at most so many, evenly over their order, the first and the last among them."""
    if len(cells) <= most:
        return list(cells)
    return [cells[round(i * (len(cells) - 1) / (most - 1))] for i in range(most)]
