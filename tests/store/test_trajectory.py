"""Trajectory files: nothing is lost, nothing half-written is left, nothing damaged is read."""

import hashlib
import json
import math
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import idescent as ide
from idescent import trajectory
from idescent.store import trajectories

CELL = {"objective": {"class": "Quadratic", "arguments": {"center": 4.0}}, "alpha": 0.1, "theta0": [1.0]}
PROVENANCE = {"version": "0.1.0", "sources": "ab12"}

MAKE = """
import sys
import idescent as ide
from idescent.store import trajectories
run = ide.simulate(ide.Adam(0.9, 0.99), ide.Quadratic([4.0, -1.5]), alpha=0.1, theta0=[1.0, 2.0], steps=50)
trajectories.write(sys.argv[1], run, {"b": 1, "a": {"d": 2, "c": 3}}, {"version": "x"})
again = trajectories.read(sys.argv[1])
assert again.theta.tobytes() == run.theta.tobytes()
print(*sorted(sys.modules))
"""


def make(kind="scalar", steps=20):
    if kind == "scalar":
        return ide.simulate(ide.AdaGrad(), ide.Quadratic(), alpha=0.1, theta0=1.0, steps=steps)
    if kind == "diverged":
        return ide.simulate(
            ide.AdamW(0.9, 0.99, 30.0), ide.Quadratic(), alpha=0.1, theta0=1.0, steps=max(steps, 600)
        )
    optimizer = ide.Adam(0.9, 0.99, accumulator="norm" if kind == "norm" else "coordinate")
    return ide.simulate(
        optimizer, ide.Quadratic([4.0, -1.5, 0.3]), alpha=0.1, theta0=[1.0, 2.0, 3.0], steps=steps
    )


def assert_equal(one, other):
    assert one.k.dtype == other.k.dtype == np.int64
    assert one.k.tolist() == other.k.tolist()
    assert one.t.tobytes() == other.t.tobytes()
    assert list(one.moments) == list(other.moments)
    for name in ("theta", "loss", *one.moments):
        assert one.quantity(name).shape == other.quantity(name).shape, name
        assert one.quantity(name).tobytes() == other.quantity(name).tobytes(), name
    for field in fields(one.report):
        left, right = getattr(one.report, field.name), getattr(other.report, field.name)
        both_absent = isinstance(left, float) and math.isnan(left) and math.isnan(right)
        assert both_absent or left == right, field.name


@pytest.mark.parametrize("kind", ["scalar", "vector", "norm", "diverged"])
def test_a_trajectory_comes_back_bit_for_bit(tmp_path, kind):
    path, run = tmp_path / "run.parquet", make(kind)
    trajectories.write(path, run, CELL, PROVENANCE)
    assert_equal(trajectories.read(path), run)


def test_metadata_and_every_field_of_the_report_come_back(tmp_path):
    path = tmp_path / "run.parquet"
    report = trajectory.Report(
        "not converged",
        "3 of 4 windows",
        1200,
        17,
        3.5e-10,
        1e-9,
        1e-12,
        None,
        {"windows": 4, "residual": 0.1},
    )
    trajectories.write(path, replace(make(), report=report), CELL, PROVENANCE)
    run, metadata = trajectories.read_with_metadata(path)
    assert run.report == report
    assert (metadata["cell"], metadata["provenance"]) == (CELL, PROVENANCE)
    assert metadata["report"]["status"] == "not converged"


def test_other_programs_can_read_the_file_and_its_metadata(tmp_path):
    import pandas

    path, run = tmp_path / "run.parquet", make("vector")
    trajectories.write(path, run, CELL, PROVENANCE)
    frame = pandas.read_parquet(path)
    assert list(frame.columns) == ["k", "t", "theta", "loss", "m", "v"]
    assert np.stack(frame["theta"]).tobytes() == run.theta.tobytes()
    assert frame["loss"].to_numpy().tobytes() == run.loss.tobytes()


def test_the_metadata_are_strict_json_although_numbers_may_be_absent(tmp_path):
    import pyarrow.parquet as pq

    path = tmp_path / "run.parquet"
    trajectories.write(path, make(), CELL, PROVENANCE)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    metadata = json.loads(pq.read_schema(path).metadata[trajectories.METADATA_KEY], parse_constant=refuse)
    assert metadata["report"]["rtol"] is None


@pytest.mark.parametrize("kind", ["scalar", "vector", "norm", "diverged"])
def test_the_same_content_has_the_same_bytes(tmp_path, kind):
    one, other = tmp_path / "one.parquet", tmp_path / "other.parquet"
    trajectories.write(one, make(kind), CELL, PROVENANCE)
    trajectories.write(other, make(kind), dict(reversed(CELL.items())), dict(reversed(PROVENANCE.items())))
    assert one.read_bytes() == other.read_bytes()
    trajectories.write(other, make(kind), {**CELL, "alpha": 0.2}, PROVENANCE)
    assert one.read_bytes() != other.read_bytes()


def test_two_processes_write_the_same_bytes_and_load_no_heavy_library(tmp_path):
    digests = set()
    for seed in ("1", "2"):
        path = tmp_path / f"{seed}.parquet"
        done = subprocess.run(
            [sys.executable, "-c", MAKE, str(path)],
            env={"PYTHONHASHSEED": seed, "PYTHONWARNINGS": "error"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
        loaded = set(done.stdout.split())
        assert "pyarrow.parquet" in loaded
        heavy = {"pandas", "scipy", "matplotlib", "seaborn", "pydantic", "snakemake"} & loaded
        assert not heavy
    assert len(digests) == 1


def assert_refused(path):
    with pytest.raises(ValueError, match="not a whole trajectory file") as caught:
        trajectories.read_with_metadata(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message


def test_a_truncated_file_is_refused_by_name_wherever_it_was_cut(tmp_path):
    path = tmp_path / "run.parquet"
    trajectories.write(path, make("norm"), CELL, PROVENANCE)
    content = path.read_bytes()
    for length in [*range(0, len(content), 97), len(content) - 1]:
        path.write_bytes(content[:length])
        assert_refused(path)


def test_a_flipped_bit_anywhere_is_refused_by_name_or_changes_nothing(tmp_path):
    path = tmp_path / "run.parquet"
    run = make("norm", steps=3)
    trajectories.write(path, run, CELL, PROVENANCE)
    content = path.read_bytes()
    messages = []
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        try:
            read, metadata = trajectories.read_with_metadata(path)
        except ValueError as error:
            messages.append(str(error))
        else:
            # Parquet says some things twice, and nobody reads the second copy.
            assert_equal(read, run)
            assert (metadata["cell"], metadata["provenance"]) == (CELL, PROVENANCE)
    assert len(messages) > len(content) / 2
    assert all(message.startswith(f"{path}: not a whole trajectory file") for message in messages)


def test_files_of_other_kinds_are_refused_by_name(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = tmp_path / "table.parquet"
    pq.write_table(pa.table({"k": [1, 2]}), table)
    text = tmp_path / "text.parquet"
    text.write_text("k,t\n0,0\n")
    for path in (table, text, tmp_path / "absent.parquet", tmp_path):
        assert_refused(path)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError, MemoryError])
@pytest.mark.parametrize("existing", [False, True])
def test_an_interrupted_write_leaves_what_was_there_before(tmp_path, monkeypatch, interruption, existing):
    import pyarrow.parquet as pq

    path = tmp_path / "run.parquet"
    if existing:
        trajectories.write(path, make(), CELL, PROVENANCE)
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    interrupted = []

    def write_half(table, where, **options):  # pyarrow's signature
        where.write(b"PAR1 and then")
        interrupted.extend(set(tmp_path.iterdir()) - {path})
        raise interruption

    monkeypatch.setattr(pq, "write_table", write_half)
    with pytest.raises(interruption):
        trajectories.write(path, make("vector"), CELL, PROVENANCE)
    assert len(interrupted) == 1
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_every_number_is_split_by_bytes_and_compressed(tmp_path):
    path = tmp_path / "run.parquet"
    trajectories.write(path, make("vector"), CELL, PROVENANCE)
    with pq.ParquetFile(path) as file:
        group = file.metadata.row_group(0)
        columns = [group.column(i) for i in range(group.num_columns)]
        schema = file.schema_arrow
    number = pa.float64()
    vector = pa.list_(pa.field("element", number, nullable=False), 3)
    types = {"k": pa.int64(), "t": number, "theta": vector, "loss": number, "m": vector, "v": vector}
    assert schema.remove_metadata() == pa.schema([pa.field(*pair, nullable=False) for pair in types.items()])
    assert len(columns) == 6
    for column in columns:
        assert column.compression == "ZSTD", column.path_in_schema
        assert "BYTE_STREAM_SPLIT" in column.encodings, column.path_in_schema
        assert not column.has_dictionary_page, column.path_in_schema
        assert not column.is_stats_set, column.path_in_schema


def test_a_file_that_says_what_nobody_wrote_is_refused_with_that_reason(tmp_path):
    path = tmp_path / "run.parquet"
    trajectories.write(path, make(), CELL, PROVENANCE)
    table = pq.read_table(path)
    pq.write_table(table.set_column(1, table.schema.field(1), table.column(2)), path)
    with pytest.raises(ValueError, match=r"not a whole trajectory file") as caught:
        trajectories.read(path)
    assert (
        str(caught.value) == f"{path}: not a whole trajectory file (its content does not match its checksum)"
    )


def test_rows_of_some_iterations_are_those_of_the_whole_path():
    path = make("vector", 12)
    k = np.array([0, 3, 4, 12])
    thinned = path.rows(k)
    assert thinned.k.tolist() == k.tolist()
    assert thinned.t.tobytes() == path.t[k].tobytes()
    assert thinned.report == path.report
    for name in ("theta", "loss", *path.moments):
        assert thinned.quantity(name).tobytes() == path.quantity(name)[k].tobytes()


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        (None, list(range(11))),
        (1, list(range(11))),
        (np.int32(3), [0, 3, 6, 9, 10]),
        (5, [0, 5, 10]),
        (20, [0, 10]),
        ([0, 10], [0, 10]),
        (np.array([0, 4, 10], dtype=np.uint8), [0, 4, 10]),
    ],
    ids=str,
)
def test_iterations_are_kept_by_distance_or_by_name(keep, expected):
    k = trajectory.kept(10, keep)
    assert k.tolist() == expected
    assert k.dtype == np.int64


@pytest.mark.parametrize(
    "keep", [0, -1, True, 1.5, "2", [0], [], [0, 5, 5, 10], [0, 6, 5, 10], [[0, 10]], [0.0, 10.0]], ids=repr
)
def test_other_ways_to_say_what_is_kept_are_refused(keep):
    with pytest.raises(ValueError, match=r"^keep: ") as caught:
        trajectory.kept(10, keep)
    allowed = "must be an integer >= 1, or increasing iterations"
    assert str(caught.value) == f"keep: {keep!r} is not allowed: {allowed}"


@pytest.mark.parametrize("keep", [[1, 10], [0, 9], [0, 5, 11]], ids=str)
def test_the_first_and_the_last_iteration_are_always_kept(keep):
    with pytest.raises(ValueError, match=r"^keep: ") as caught:
        trajectory.kept(10, keep)
    assert str(caught.value) == (
        f"keep: {keep[0]} ... {keep[-1]} is not allowed: must be from 0 to steps = 10"
    )


def test_what_cannot_be_described_is_not_written(tmp_path):
    with pytest.raises(TypeError):
        trajectories.write(tmp_path / "run.parquet", make(), {"alpha": object()}, PROVENANCE)
    assert list(tmp_path.iterdir()) == []


def test_quantities_have_one_column_per_coordinate():
    run = make("norm")
    assert run.quantity("theta") is run.theta
    assert run.quantity("loss").shape == (21, 1)
    assert run.quantity("v").shape == (21, 1)
    with pytest.raises(KeyError):
        run.quantity("G")


@pytest.mark.parametrize("kind", ["scalar", "norm", "vector", "diverged"])
def test_a_trajectory_is_a_table_for_pandas_bit_for_bit(kind):
    run = make(kind)
    table = run.to_dataframe()
    n = run.theta.shape[1]
    moments = [f"{name}_{i}" for name, values in run.moments.items() for i in range(values.shape[1])]
    assert list(table.columns) == ["k", "t", "loss", *(f"theta_{i}" for i in range(n)), *moments]
    assert table["k"].dtype == np.int64
    assert np.array_equal(table["k"], run.k)
    assert np.array_equal(table["t"], run.t)
    assert np.array_equal(table["loss"], run.loss, equal_nan=True)
    for name in ("theta", *run.moments):
        columns = table[[c for c in table.columns if c.startswith(f"{name}_")]]
        assert np.array_equal(columns, run.quantity(name), equal_nan=True)


def test_the_table_of_some_iterations_has_a_row_for_each():
    run = make(steps=20).rows(np.array([0, 5, 20]))
    assert list(run.to_dataframe()["k"]) == [0, 5, 20]
