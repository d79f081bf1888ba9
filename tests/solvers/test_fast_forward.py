"""The former name of a leap."""

import numpy as np
import pytest

import idescent as ide


def test_the_former_name_leaps_and_warns():
    arguments = {"alpha": 1e-3, "theta0": 1.0, "steps": 1500, "rtol": 1e-9}
    with pytest.warns(DeprecationWarning, match=r"^fast_forward is deprecated: use leap$") as warned:
        former = ide.fast_forward(ide.Adam(0.9, 0.99), ide.Quadratic(4.0), **arguments)
    assert [warning.filename for warning in warned] == [__file__]
    leap = ide.leap(ide.Adam(0.9, 0.99), ide.Quadratic(4.0), **arguments)
    k = np.arange(1501)
    assert former(k).tobytes() == leap(k).tobytes()
    assert former.report == leap.report
