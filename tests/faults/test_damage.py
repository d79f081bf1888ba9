"""Damaged files: found by their checksums or on reading, named, and made again, they and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import faulty
import pyarrow.parquet as pq
import pytest
from faulty import TARGETS
from finished import Finished
from projects import Project

from idescent.store.files import DamagedError
from idescent.store.tables import read_errors
from idescent.study.packs import read_manifest

SOLUTION = "quadratic/RMSProp/alpha~0.06,beta~0.9/paper.exact.parquet"
DISCRETE = "quadratic/RMSProp/alpha~0.06,beta~0.9/discrete.parquet"
PACK = "packs/quadratic/RMSProp/all"
ERRORS = f"{PACK}/errors.parquet"
ALL_ERRORS = "tables/errors.parquet"


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 16
    file.write_bytes(data)


def flip_unseen(file: Path) -> None:
    """Flip a bit of the first column's data without a trace in size or date, as a disk does.

    Where it flips is said by the file itself: there are bits elsewhere, in the statistics of a page's header
    for example, that mean nothing to a reader.
    """
    before = file.stat()
    column = pq.ParquetFile(file).metadata.row_group(0).column(0)
    data = bytearray(file.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    data[start + column.total_compressed_size - 1] ^= 16
    file.write_bytes(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def completed(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return faulty.completed(tmp_path_factory)


@pytest.fixture
def complete(completed: Finished, tmp_path: Path) -> Project:
    return completed.copy(tmp_path / "complete")


def computed(project: Project, stage: str) -> int:
    """How many cells of the pack the last job of a stage has computed, from its log."""
    (log,) = (project.results / "logs" / stage / "quadratic/RMSProp").rglob("*.log")
    return log.read_text(encoding="utf-8").count("gradient evaluations")


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("file", "harm", "jobs", "cells"),
    [
        (DISCRETE, flip, {"simulate": 1, "compare": 1, "tables": 1}, {"simulate": 1}),
        (SOLUTION, cut, {"solve": 1, "compare": 1, "tables": 1}, {"solve": 1}),
        (f"{PACK}/paper.exact.json", flip, {"solve": 1, "compare": 1, "tables": 1}, {"solve": 0}),
        (f"{PACK}/discrete.json", cut, {"simulate": 1, "compare": 1, "tables": 1}, {"simulate": 0}),
    ],
    ids=["discrete", "solution", "manifest flipped", "manifest cut"],
)
def test_a_damaged_file_is_found_at_the_start_and_made_again_alone(
    complete: Project, file: str, harm: Callable[[Path], None], jobs: dict[str, int], cells: dict[str, int]
) -> None:
    before = complete.contents()
    harm(complete.results / file)
    outcome = complete.run(*TARGETS)
    assert outcome.status == 0, outcome.text
    assert outcome.text.count(f"results/tiny/{file} is damaged: it is created again") == 1
    assert outcome.jobs == jobs
    assert {stage: computed(complete, stage) for stage in cells} == cells
    assert complete.contents() == before


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("file", "reader", "jobs", "cells"),
    [
        (DISCRETE, ERRORS, {"simulate": 1, "compare": 1, "tables": 1}, {"simulate": 1}),
        (SOLUTION, ERRORS, {"solve": 1, "compare": 1, "tables": 1}, {"solve": 1}),
        (ERRORS, ALL_ERRORS, {"compare": 1, "tables": 1}, {}),
    ],
    ids=["discrete", "solution", "errors"],
)
def test_a_bit_that_flips_unseen_is_found_on_reading_and_the_next_run_makes_that_file_again(
    complete: Project, file: str, reader: str, jobs: dict[str, int], cells: dict[str, int]
) -> None:
    before = complete.contents()
    flip_unseen(complete.results / file)
    (complete.results / reader).unlink()
    outcome = complete.run(*TARGETS)
    assert outcome.status == 1
    said = [line for line in outcome.text.splitlines() if ": removed; run again" in line]
    assert f"results/tiny/{file}: not a whole t" in said[0]
    assert "Traceback" not in outcome.text
    again = complete.run(*TARGETS)
    assert again.status == 0, again.text
    assert again.jobs == jobs
    assert {stage: computed(complete, stage) for stage in cells} == cells
    assert complete.contents() == before


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("file", "jobs"), [(ERRORS, {"compare": 1, "tables": 1}), (ALL_ERRORS, {"tables": 1})]
)
def test_a_table_of_errors_that_was_cut_short_is_made_again(
    complete: Project, file: str, jobs: dict[str, int]
) -> None:
    before = complete.contents()
    cut(complete.results / file)
    assert complete.succeed(*TARGETS) == jobs
    assert complete.contents() == before


@pytest.mark.workflow
def test_no_flipped_byte_of_a_table_or_of_a_manifest_is_read_as_something_else(
    completed: Finished, tmp_path: Path
) -> None:
    file, results = tmp_path / "flipped", completed.project.results
    table, manifest = results / ERRORS, results / PACK / "discrete.json"
    for source, read in ((table, lambda path: read_errors([path])), (manifest, read_manifest)):
        data, sound, refused = source.read_bytes(), read(source), 0
        for i in range(len(data)):
            file.write_bytes(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :])
            try:
                assert read(file) == sound, i
            except DamagedError:
                refused += 1
        assert refused > len(data) / 2
