"""Whatever numbers a trajectory has, its file gives back the same bits, or is refused."""

import json
import math
import re
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from idescent import trajectory
from idescent.store import trajectories as stored

NAMES = st.sampled_from((("G",), ("v",), ("m", "v"), ()))
# Every bit pattern is a number to a file: infinities, both zeros, denormals, and NaN with any payload.
BITS = st.one_of(
    st.sampled_from([0x0000000000000001, 0x8000000000000000, 0x7FF0000000000000, 0xFFF8000000000001]),
    st.integers(0, 2**64 - 1),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NUMBER = st.floats()


def numbers(shape):
    return hnp.arrays(np.uint64, shape, elements=BITS).map(lambda bits: bits.view(np.float64))


@st.composite
def trajectories(draw):
    rows, n = draw(st.integers(2, 6)), draw(st.integers(1, 3))
    k = np.array(sorted(draw(st.sets(st.integers(0, 2**53), min_size=rows, max_size=rows))))
    moments = {name: draw(numbers((rows, draw(st.sampled_from((1, n)))))) for name in draw(NAMES)}
    report = trajectory.Report(
        status=draw(st.sampled_from(("completed", "converged", "not converged", "diverged"))),
        message=draw(st.text()),
        gradient_evaluations=draw(st.integers(0, 2**53)),
        sweeps=draw(st.integers(0, 2**53)),
        error_estimate=draw(NUMBER),
        rtol=draw(NUMBER),
        atol=draw(NUMBER),
        diverged_at=draw(st.none() | st.integers(0, 2**53)),
        details=draw(st.dictionaries(st.text(), NUMBER | st.integers(-(2**53), 2**53), max_size=3)),
    )
    t, theta, loss = draw(numbers(rows)), draw(numbers((rows, n))), draw(numbers(rows))
    return trajectory.Trajectory(k, t, theta, loss, moments, report)


def content(path):
    """All that a trajectory says, as bytes; numbers of its report that are not finite are all alike."""
    columns = {"k": path.k, "t": path.t, "theta": path.theta, "loss": path.loss, **path.moments}
    arrays = [(name, str(values.dtype), values.shape, values.tobytes()) for name, values in columns.items()]
    report = asdict(path.report)
    details = {name: known(value) for name, value in report.pop("details").items()}
    return arrays, [(name, known(value)) for name, value in report.items()], details


def known(value):
    return None if isinstance(value, float) and not math.isfinite(value) else value


def written(folder, path, cell=None):
    file = Path(folder) / "run.parquet"
    stored.write(file, path, cell or {}, {})
    return file


@given(trajectories(), st.dictionaries(st.text(), JSON, max_size=3))
def test_a_trajectory_of_any_numbers_comes_back_bit_for_bit_with_its_report_and_cell(path, cell):
    with tempfile.TemporaryDirectory() as folder:
        file = written(folder, path, cell)
        found, metadata = stored.read_with_metadata(file)
        assert content(found) == content(path)
        assert metadata["cell"] == cell
        again = file.read_bytes()
        assert written(folder, found, metadata["cell"]).read_bytes() == again


@given(trajectories())
def test_metadata_are_json_that_every_reader_takes_whatever_a_report_holds(path):
    import pyarrow.parquet as pq

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    with tempfile.TemporaryDirectory() as folder:
        described = pq.read_schema(written(folder, path)).metadata[stored.METADATA_KEY]
        json.loads(described, parse_constant=refuse)


@settings(max_examples=200)
@given(trajectories(), st.floats(0.0, 1.0, exclude_max=True), st.integers(0, 7))
def test_a_bit_flipped_anywhere_in_any_trajectory_is_refused_or_changes_nothing(path, where, bit):
    with tempfile.TemporaryDirectory() as folder:
        file = written(folder, path)
        damaged = bytearray(file.read_bytes())
        damaged[int(where * len(damaged))] ^= 1 << bit
        file.write_bytes(damaged)
        refusal = f"^{re.escape(str(file))}: not a whole trajectory file.*$"
        try:
            with pytest.raises(ValueError, match=refusal):
                stored.read(file)
        except pytest.fail.Exception:
            # Parquet says some things twice, and nobody reads the second copy.
            assert content(stored.read(file)) == content(path)
