"""What corrects the bias of moments: the same numbers in C and in Python, each operation rounded once."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idescent.discrete import corrections, kernels


@given(st.floats(min_value=0.01, max_value=1.0 - 1e-9), st.integers(1, 5000))
def test_power_difference_and_quotient_are_each_rounded_once(beta, k):
    with mpmath.workdps(60):
        power = float(mpmath.mpf(beta) ** k)
        assert corrections.correction(beta, k) == float(1 / mpmath.mpf(1.0 - power))


@pytest.mark.parametrize("beta", [0.1, 0.5, 0.9, 0.999, 1.0 / 3.0])
def test_powers_are_right_to_a_hundred_bits(beta):
    table = corrections._Table(beta)
    table.at(256)
    for behind, (high, low) in enumerate(reversed(table._powers)):
        with mpmath.workprec(400):
            power = mpmath.mpf(beta) ** (256 - behind)
            assert abs(mpmath.mpf(high) + mpmath.mpf(low) - power) < power * mpmath.mpf(2) ** -96


@given(st.floats(min_value=0.01, max_value=0.999), st.integers(1, 5000))
def test_the_moment_is_as_near_to_the_quotient_as_a_division_leaves_it(beta, k):
    """The rounding of the power, which 1 - beta^k magnifies, and three more."""
    moment = 0.1
    with mpmath.workdps(60):
        power = mpmath.mpf(beta) ** k
        exact = moment / (1 - power)
        corrected, divided = corrections.correction(beta, k) * moment, moment / (1.0 - float(power))
        allowed = (power / (1 - power) + 3) * mpmath.mpf(2) ** -53
        for value in (corrected, divided):
            assert abs(value - exact) <= allowed * exact


@pytest.mark.parametrize("beta", [5e-324, 1e-300, 0.1, 0.5, 0.9, 0.999, 0.9999, 1.0 - 2.0**-53])
@pytest.mark.parametrize("count", [1, 7, 8, 9, 4001])
def test_compiled_and_python_factors_have_the_same_bits(beta, count):
    library = kernels.compiled()
    assert library is not None
    compiled = np.full(count + 1, np.nan)
    library.corrections(beta, count, compiled.ctypes.data)
    assert np.isnan(compiled[count])
    known = min(count, corrections.fading(beta))
    assert compiled[:known].tolist() == [corrections.correction(beta, k) for k in range(1, known + 1)]
    assert (compiled[known:count] == 1.0).all()


@pytest.mark.parametrize("beta", [0.0, 1e-300, 0.1, 0.5, 0.9, 0.999, 1.0 - 1e-6])
def test_the_factors_left_out_are_exactly_one(beta):
    count = corrections.fading(beta)
    assert all(1.0 - beta**k == 1.0 for k in range(count + 1, count + 100))
    assert corrections.correction(beta, count + 1) == 1.0
    # Nor is much more kept than needed.
    assert beta == 0.0 or count <= 2 or 1.0 - beta ** (count // 1.05 - 2) < 1.0


def test_asking_in_any_order_gives_the_same_numbers():
    beta = 0.123456789
    late = corrections.correction(beta, 17)
    corrections._table.cache_clear()
    assert [corrections.correction(beta, k) for k in range(1, 18)][-1] == late
