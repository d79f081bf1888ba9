"""What bias correction divides by: the same numbers in C and in Python, each the nearest there is."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idescent import kernels, masses


@given(st.floats(min_value=0.01, max_value=1.0 - 1e-9), st.integers(1, 5000))
def test_the_power_is_rounded_once(beta, k):
    with mpmath.workdps(60):
        power = float(mpmath.mpf(beta) ** k)
    assert masses.mass(beta, k) == 1.0 - power


@pytest.mark.parametrize("beta", [5e-324, 1e-300, 0.1, 0.5, 0.9, 0.999, 0.9999, 1.0 - 2.0**-53])
@pytest.mark.parametrize("count", [1, 7, 8, 9, 4001])
def test_compiled_and_python_masses_have_the_same_bits(beta, count):
    library = kernels.compiled()
    assert library is not None
    compiled = np.full(count + 1, np.nan)
    library.masses(beta, count, compiled.ctypes.data)
    assert np.isnan(compiled[count])
    known = min(count, masses.fading(beta))
    assert compiled[:known].tolist() == [masses.mass(beta, k) for k in range(1, known + 1)]
    assert (compiled[known:count] == 1.0).all()


@pytest.mark.parametrize("beta", [0.0, 1e-300, 0.1, 0.5, 0.9, 0.999, 1.0 - 1e-6])
def test_the_masses_left_out_are_exactly_one(beta):
    count = masses.fading(beta)
    assert all(1.0 - beta**k == 1.0 for k in range(count + 1, count + 100))
    assert masses.mass(beta, count + 1) == 1.0
    # Nor is much more kept than needed.
    assert beta == 0.0 or count <= 2 or 1.0 - beta ** (count // 1.05 - 2) < 1.0


def test_asking_in_any_order_gives_the_same_numbers():
    beta = 0.123456789
    late = masses.mass(beta, 17)
    masses._table.cache_clear()
    assert [masses.mass(beta, k) for k in range(1, 18)][-1] == late
