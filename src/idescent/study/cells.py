"""Cells, packs and the study as plain data, and the path of every trajectory.

What lives here: :class:`Cell`, :class:`Pack` and :class:`Study`, created by :mod:`idescent.config` and read
by the workflow's rules.  A path is computed from a cell; no cell is ever parsed from a path.  What does not:
the partition into packs (:mod:`idescent.study.packs`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from idescent.store import DISCRETE
from idescent.study.packs import partition, seconds

T = TypeVar("T")

# For the estimate of time.  A start drawn by the objective is used for objectives with many parameters.
_UNKNOWN_PARAMETERS = 1000


@dataclass(frozen=True)
class Cell:
    """One discrete run and the names of the solutions that are computed for it.

    Attributes
    ----------
    objective : dict
        Keys ``name``, ``class`` and ``arguments``.
    optimizer : dict
        Keys ``class`` and ``arguments``.
    alpha : float
        Learning rate.
    theta0 : list of float or ``{"seed": int}``
        Initial parameters.
    steps : int
        Horizon in iterations.
    solutions : tuple of str
    schedule : dict, optional
        Keys ``name``, ``class`` and ``arguments``.
    leap : bool
        Whether a leap may replace the run (:func:`idescent.analysis.reference.reference`).
    """

    objective: dict[str, Any]
    optimizer: dict[str, Any]
    alpha: float
    theta0: list[float] | dict[str, int]
    steps: int
    solutions: tuple[str, ...]
    schedule: dict[str, Any] | None = None
    leap: bool = False

    def spec(self) -> dict[str, Any]:
        """Return the discrete run as plain data, as stored in the metadata of its file."""
        return {
            "objective": self.objective,
            "optimizer": self.optimizer,
            "alpha": self.alpha,
            "theta0": self.theta0,
            "steps": self.steps,
            # No key without a schedule or leaps: the file of such a cell keeps the bytes of earlier versions.
            **({} if self.schedule is None else {"schedule": self.schedule}),
            **({"leap": True} if self.leap else {}),
        }

    @property
    def paths(self) -> tuple[str, ...]:
        """Names of the paths: ``discrete``, then the solutions."""
        return (DISCRETE, *self.solutions)

    @property
    def group(self) -> tuple[str, str]:
        """Name of the objective and class of the optimizer; they name the two upper folders."""
        return self.objective["name"], self.optimizer["class"].rpartition(":")[2]

    @property
    def label(self) -> str:
        """Name of the cell's folder, for example ``alpha~0.1,beta1~0.9,beta2~0.99``.

        It has the learning rate, the hyper-parameters that the configuration sets and, if there is one, the
        name of the schedule.
        """
        settings = {"alpha": self.alpha, **self.optimizer["arguments"]}
        if self.schedule is not None:
            settings["schedule"] = self.schedule["name"]
        return ",".join(f"{name}~{value}" for name, value in settings.items())

    @cached_property
    def folder(self) -> str:
        """Path of the cell's folder below the study's folder."""
        return "/".join((*self.group, self.label))


@dataclass(frozen=True)
class Pack:
    """Cells of one objective and one optimizer that share jobs: one for the runs, one for each solution."""

    group: tuple[str, str]
    name: str
    cells: tuple[Cell, ...]

    @property
    def folder(self) -> str:
        """Path of the pack's folder below ``packs`` in the study's folder."""
        return "/".join((*self.group, self.name))

    @property
    def wildcards(self) -> dict[str, str]:
        """Values of Snakemake's wildcards in the outputs of the pack's rules."""
        return {"objective": self.group[0], "optimizer": self.group[1], "pack": self.name}


@dataclass(frozen=True)
class Study:
    """A checked configuration: cells, solutions, and the settings of the products.

    Attributes
    ----------
    name : str
    cells : tuple of Cell
    solutions : dict
        Model, solver and tolerances, by name.
    blocks : tuple of int
        For each cell, the index of its block under ``runs``.
    settings : dict
        Checked settings of each product, by the product's name.
    raw : dict
        The configuration file's content, without keys that begin with ``x-``.
    cells_per_job : int or None
        Number of cells in a pack; None divides by the estimated time.
    seconds_per_job : float
        Estimated time of a pack if ``cells_per_job`` is None.  Results do not depend on either.
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
        """Path of the study's folder, with all its results."""
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
        """All packs of the study, group by group (:mod:`idescent.study.packs`)."""
        packs = []
        for group, cells in self.groups.items():
            if self.cells_per_job == 1:
                # A cluster's job has the name rule:wildcard=value,wildcard=value: a value must have no comma.
                divided = {cell.label.replace(",", "+"): [cell] for cell in cells}
            elif self.cells_per_job is not None:
                divided = partition(cells, lambda _: 1.0, self.cells_per_job)
            else:
                # The partition halves every branch above the limit.  With twice the requested time as the
                # limit, most packs weigh between one and two times the requested time.
                divided = partition(cells, self._seconds, 2.0 * self.seconds_per_job)
            packs += [Pack(group, name, tuple(members)) for name, members in divided.items()]
        return packs

    def _seconds(self, cell: Cell) -> float:
        # A pack has one job for each path: its slowest job counts.
        return max(self.seconds_of(cell, name) for name in cell.paths)

    def seconds_of(self, cell: Cell, name: str) -> float:
        """Return the estimated processor time of a cell's run (``discrete``) or solution in seconds."""
        parameters = len(cell.theta0) if isinstance(cell.theta0, list) else _UNKNOWN_PARAMETERS
        if name == DISCRETE:
            return seconds(cell.steps, parameters, None, leap=cell.leap)
        solution = self.solutions[name]
        classes = solution["solver"]["class"], solution["model"]["class"], cell.optimizer["class"]
        return seconds(cell.steps, parameters, *classes)

    def seconds(self, pack: Pack, name: str) -> float:
        """Return the estimated time of one job of a pack in seconds, on one core.

        ``name`` is ``discrete`` or the name of a solution, here and in the methods below.
        """
        return sum(self.seconds_of(cell, name) for cell in pack.cells if name in cell.paths)

    def place(self, cell: Cell, name: str) -> str:
        """Return the path of a trajectory file below the study's folder."""
        return f"{cell.folder}/{name}.parquet"

    def path(self, cell: Cell, name: str) -> str:
        """Return the path of a trajectory file."""
        return f"{self.root}/{self.place(cell, name)}"

    def manifest(self, pack: Pack, name: str) -> str:
        """Return the path of the manifest of a pack's trajectory files."""
        return f"{self.root}/packs/{pack.folder}/{name}.json"

    def manifests(self, wanted: Iterable[tuple[Cell, str]]) -> list[str]:
        """Return the manifests that list the given trajectories, without repetitions.

        Parameters
        ----------
        wanted : iterable of (Cell, str)
            Cells, and ``discrete`` or the name of a solution.
        """
        packs = self._pack_of_folder
        return list(dict.fromkeys(self.manifest(packs[cell.folder], name) for cell, name in wanted))

    @cached_property
    def _pack_of_folder(self) -> dict[str, Pack]:
        return {cell.folder: pack for pack in self.packs for cell in pack.cells}

    def names(self, pack: Pack) -> tuple[str, ...]:
        """Return the names of the solutions of a pack's cells, in the order of the configuration."""
        solved = {name for cell in pack.cells for name in cell.solutions}
        return tuple(name for name in self.solutions if name in solved)

    def job(self, pack: Pack, name: str) -> dict[str, Any]:
        """Return the arguments of the job that computes a pack's runs or one of its solutions."""
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
        """Outputs of the rules ``simulate`` and ``solve``, which run pack by pack."""
        return {
            "simulate": [self.manifest(pack, DISCRETE) for pack in self.packs],
            "solve": [self.manifest(pack, name) for pack in self.packs for name in self.names(pack)],
        }


def spread(cells: Sequence[T], most: int) -> list[T]:
    """Choose at most ``most`` (>= 2) cells, evenly spaced in their order, with the first and the last."""
    if len(cells) <= most:
        return list(cells)
    return [cells[round(i * (len(cells) - 1) / (most - 1))] for i in range(most)]
