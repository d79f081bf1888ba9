"""Reader of a study's trajectory files, grouped by cell.

What lives here: :func:`read_cells`, :func:`by_cell`.  What does not: reading one file
(:mod:`.trajectories`), the paths of a study's files (:mod:`idescent.study.cells`).
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
    """A solution of a cell: its entry in the configuration (name, model, solver ...), and its path."""

    spec: dict[str, Any]
    path: Trajectory


@dataclass(frozen=True)
class CellResults:
    """The discrete run and the solutions of one cell, as read from its files.

    Attributes
    ----------
    folder : Path
    setup : dict
        Objective, optimizer, learning rate, start, horizon and, if there is one, schedule, as in a
        configuration.
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
                f"{self.folder}: {len(self._runs)} discrete runs are not allowed: must be exactly one"
            )
        return self._runs[0]

    @property
    def paths(self) -> dict[str, Trajectory]:
        """The discrete run (``discrete``) and the solutions that were read, by name."""
        run = dict(zip([DISCRETE], self._runs, strict=False))
        return run | {name: solved.path for name, solved in self.solutions.items()}


def read_cells(files: Iterable[str | Path], read: Read = read_with_metadata) -> Iterator[CellResults]:
    """Read trajectory files cell by cell, in the order in which cells first appear.

    Parameters
    ----------
    files : iterable of path
        The files of a cell share a folder.
    read : callable, optional
        Function that reads one file.  The default reads from disk at each call; pass a cached function to
        read each file once.

    Raises
    ------
    ValueError
        If a file is damaged, or the files of a folder belong to different cells.
    """
    for cell_files in by_cell(files):
        yield _read(cell_files[0].parent, cell_files, read)


def by_cell(files: Iterable[str | Path]) -> list[list[Path]]:
    """Group trajectory files by cell (their folder), in the order in which the cells first appear."""
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
                f"{folder}: {file.stem} belongs to another cell than the other files; delete it and rerun"
            )
        if solution is None:
            cell._runs.append(trajectory)
        else:
            cell.solutions[solution["name"]] = Solved(solution, trajectory)
    assert cell is not None  # by_cell returns no empty group
    return cell
