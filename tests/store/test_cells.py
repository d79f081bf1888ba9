"""From files to cells: the one reader of runs and solutions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import idescent as ide
from idescent.store.cells import read_cells
from idescent.store.trajectories import write

SETUP = {
    "objective": {"name": "bowl", "class": "Quadratic"},
    "optimizer": {"class": "AdaGrad", "arguments": {}},
    "alpha": 0.1,
    "theta0": [1.0],
    "steps": 5,
}


def put(folder: Path, name: str, setup: dict[str, Any] = SETUP, solution: str | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    run = ide.simulate(ide.AdaGrad(), ide.Quadratic(4.0), alpha=0.1, theta0=1.0, steps=5)
    about = setup if solution is None else setup | {"solution": {"name": solution, "rtol": 1e-9}}
    write(folder / f"{name}.parquet", run, about, {})
    return folder / f"{name}.parquet"


def test_files_of_a_folder_are_a_cell_in_the_order_of_the_files(tmp_path: Path) -> None:
    files = [put(tmp_path / "b", "discrete"), put(tmp_path / "a", "discrete")]
    files += [put(tmp_path / "b", "two", solution="two"), put(tmp_path / "b", "one", solution="one")]
    first, second = read_cells(files)
    assert (first.label, second.label) == ("b", "a")
    assert list(first.solutions) == ["two", "one"]
    assert list(first.paths) == ["discrete", "two", "one"]
    assert first.setup == SETUP
    assert first.solutions["one"].spec == {"name": "one", "rtol": 1e-9}
    assert np.array_equal(first.run.theta, first.paths["discrete"].theta)


def test_cells_are_read_one_after_another(tmp_path: Path) -> None:
    files = [put(tmp_path / name, "discrete") for name in ("a", "b")]
    cells = read_cells(files)
    next(cells)
    files[1].unlink()
    with pytest.raises(ValueError, match=r"b/discrete\.parquet"):
        next(cells)


@pytest.mark.parametrize(("names", "count"), [(["one"], 0), (["discrete", "again"], 2)])
def test_a_cell_has_exactly_one_run(names: list[str], count: int, tmp_path: Path) -> None:
    files = [put(tmp_path, name, solution="one" if name == "one" else None) for name in names]
    (cell,) = read_cells(files)
    with pytest.raises(ValueError, match=f"{count} discrete runs are not allowed: must be exactly one"):
        cell.run  # noqa: B018 (the property refuses)


def test_files_of_different_cells_in_one_folder_are_refused(tmp_path: Path) -> None:
    files = [put(tmp_path, "discrete"), put(tmp_path, "one", SETUP | {"alpha": 0.2}, "one")]
    with pytest.raises(ValueError, match="one belongs to another cell than the other files"):
        list(read_cells(files))
