"""From trajectory files to cells: the one reader of what a study has computed.

What lives here: :func:`read_cells`, :func:`by_cell`.  What does not: reading one file
(:mod:`.trajectories`), which files there are (:mod:`idescent.study.cells`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from idescent.store import DISCRETE
from idescent.store.trajectories import read_with_metadata
from idescent.trajectory import Trajectory

Read = Callable[[Path], tuple[Trajectory, dict[str, Any]]]


@dataclass(frozen=True)
class Solved:
    """A solution of a cell: how it was asked for (name, model, solver, tolerances ...), and its path."""

    spec: dict[str, Any]
    path: Trajectory


@dataclass(frozen=True)
class CellResults:
    """What the files of one cell hold.

    Attributes
    ----------
    folder : Path
    setup : dict
        Objective, optimizer, learning rate, start, horizon and any schedule, as in a configuration.
    solutions : dict of str to Solved
        In the order of the files.
    """

    folder: Path
    setup: dict[str, Any]
    solutions: dict[str, Solved] = field(default_factory=dict)
    _runs: list[Trajectory] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Name of the cell's folder: learning rate and hyper-parameters."""
        return self.folder.name

    @property
    def run(self) -> Trajectory:
        """The discrete run.

        Raises
        ------
        ValueError
            If there is not exactly one among the files.
        """
        if len(self._runs) != 1:
            raise ValueError(
                f"{self.folder}: {len(self._runs)} discrete runs among the files given: must be exactly one"
            )
        return self._runs[0]

    @property
    def paths(self) -> dict[str, Trajectory]:
        """Run (``discrete``) and solutions by name, those that are among the files."""
        run = dict(zip([DISCRETE], self._runs, strict=False))
        return run | {name: solved.path for name, solved in self.solutions.items()}


def read_cells(files: Iterable[str | Path], read: Read = read_with_metadata) -> Iterator[CellResults]:
    """Read trajectory files cell by cell, in the order in which cells first appear.

    Parameters
    ----------
    files : iterable of path
        One folder a cell.
    read : callable, optional
        What reads one file; by default each is read once and not kept.

    Raises
    ------
    ValueError
        If a file is damaged, or the files of a folder are of different cells.
    """
    for members in by_cell(files):
        yield _read(members[0].parent, members, read)


def by_cell(files: Iterable[str | Path]) -> list[list[Path]]:
    """Group trajectory files by their cells, in the order in which these first appear."""
    folders: dict[Path, list[Path]] = {}
    for file in map(Path, files):
        folders.setdefault(file.parent, []).append(file)
    return list(folders.values())


def _read(folder: Path, files: Iterable[Path], read: Read) -> CellResults:
    cell: CellResults | None = None
    for file in files:
        trajectory, metadata = read(file)
        setup = dict(metadata["cell"])
        solution = setup.pop("solution", None)
        cell = cell or CellResults(folder, setup)
        if setup != cell.setup:
            raise ValueError(
                f"{folder}: {file.stem} is of another cell than what lies beside it; delete and rerun"
            )
        if solution is None:
            cell._runs.append(trajectory)
        else:
            cell.solutions[solution["name"]] = Solved(solution, trajectory)
    assert cell is not None  # a folder is here for a file in it
    return cell
