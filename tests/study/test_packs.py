"""Packs: which cells share a job, and how their files are found again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idescent import config
from idescent.study import packs


def study(**change: Any) -> Any:
    return config.load(
        {
            "study": "grid",
            "objectives": {"quadratic": "Quadratic"},
            "runs": [
                {
                    "objective": "quadratic",
                    "optimizer": "Adam",
                    "theta0": 1.0,
                    "hyperparameters": {"beta1": [0.0, 0.5, 0.9], "beta2": [0.9, 0.99, 0.999]},
                    "alpha": [0.1, 0.03, 0.01, 0.003, 0.001],
                    "steps": 100,
                }
                | change.pop("run", {})
            ],
            "solutions": {"paper.exact": {"model": "Paper", "solver": "Collocation"}},
            **change,
        }
    )


def members(found: Any) -> dict[str, set[str]]:
    return {pack.folder: {cell.label for cell in pack.cells} for pack in found.packs}


@pytest.mark.parametrize("limit", [1, 2, 4, 7, 45, "auto"])
def test_every_cell_is_in_exactly_one_pack_of_at_most_so_many(limit: int | str) -> None:
    whole = study(cells_per_job=limit)
    labels = [label for pack in members(whole).values() for label in pack]
    assert sorted(labels) == sorted(cell.label for cell in whole.cells)
    if limit != "auto":
        assert max(len(pack) for pack in members(whole).values()) <= int(limit)


def test_a_grown_ladder_leaves_all_packs_alone_but_those_it_falls_into() -> None:
    before = members(study(cells_per_job=9))
    after = members(study(cells_per_job=9, run={"alpha": [0.1, 0.03, 0.01, 0.003, 0.001, 1e-6, 2e-6, 5e-6]}))
    assert {name for name, pack in before.items() if after.get(name) != pack} == set()


def test_the_order_of_a_grid_does_not_matter() -> None:
    backwards = {"beta1": [0.9, 0.5, 0.0], "beta2": [0.999, 0.99, 0.9]}
    turned = study(
        cells_per_job=4, run={"hyperparameters": backwards, "alpha": [0.001, 0.01, 0.1, 0.03, 0.003]}
    )
    assert members(turned) == members(study(cells_per_job=4))


def test_long_cells_get_jobs_of_their_own_and_short_ones_share() -> None:
    slow = {"model": "Paper", "solver": "Picard"}
    assert len(study().packs) == 1
    assert len(study(solutions={"slow": slow}, run={"steps": 4_000_000}).packs) == 45
    assert 1 < len(study(seconds_per_job=0.1).packs) < 45


class Cell:
    def __init__(self, alpha: float, i: int) -> None:
        self.alpha, self.i = alpha, i

    @property
    def folder(self) -> str:
        return f"objective/optimizer/alpha~{self.alpha},i~{self.i}"


@given(
    st.lists(st.tuples(st.floats(1e-300, 1.0), st.integers(0, 30)), unique=True, max_size=60),
    st.integers(1, 9),
)
def test_any_cells_are_divided_into_packs_below_the_limit(
    values: list[tuple[float, int]], limit: int
) -> None:
    cells = [Cell(*value) for value in values]
    found = packs.partition(cells, lambda _: 1.0, limit)
    assert sorted(id(c) for pack in found.values() for c in pack) == sorted(id(cell) for cell in cells)
    assert all(1 <= len(pack) <= limit for pack in found.values())


@pytest.fixture
def written(tmp_path: Path) -> Path:
    files = {f"o/p/{i}/discrete.parquet": tmp_path / f"o/p/{i}/discrete.parquet" for i in range(3)}
    for name, file in files.items():
        file.parent.mkdir(parents=True)
        file.write_bytes(name.encode() * 10)
    manifest = tmp_path / "packs/o/p/all/discrete.json"
    manifest.parent.mkdir(parents=True)
    packs.write_manifest(manifest, files, dict.fromkeys(files, "completed"))
    return manifest


def test_a_manifest_names_its_files_in_order(written: Path) -> None:
    assert packs.files([written]) == [written.parents[4] / f"o/p/{i}/discrete.parquet" for i in range(3)]
    assert packs.damaged(written) == []


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[5] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("harm", [Path.unlink, flip, lambda f: f.write_bytes(f.read_bytes()[:-1])])
def test_a_file_that_is_gone_cut_or_changed_is_found(written: Path, harm: Any) -> None:
    file = packs.files([written])[1]
    harm(file)
    assert packs.damaged(written) == [file]


def test_a_copy_with_new_dates_is_sound(written: Path) -> None:
    for file in packs.files([written]):
        file.touch()
    assert packs.damaged(written) == []


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cells": {"a": {}}}', '{"cells": 3}'])
def test_a_damaged_manifest_says_so(written: Path, text: str) -> None:
    written.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="not a whole manifest"):
        packs.read_manifest(written)
