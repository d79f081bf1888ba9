"""Columns made from buffers are those that pyarrow makes, without what it loads."""

import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idescent.store.columns import nullable

KINDS = {
    pa.string(): st.text(max_size=5),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.bool_(): st.booleans(),
}


@pytest.mark.parametrize("type_", KINDS, ids=str)
def test_any_values_and_gaps_are_those_that_pyarrow_makes_of_them(type_):
    @given(st.lists(st.none() | KINDS[type_], max_size=20))
    def check(values):
        column = nullable(values, type_)
        column.validate(full=True)
        assert column.equals(pa.array(values, type_))
        assert column.null_count == values.count(None)

    check()


def test_no_column_loads_pandas():
    code = (
        "import sys, pyarrow as pa\nfrom idescent.store.columns import nullable\n"
        "nullable(['a', None], pa.string()), nullable([1.0], pa.float64()), nullable([True], pa.bool_())\n"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
