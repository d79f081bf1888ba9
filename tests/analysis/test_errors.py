"""Norms of the distance between hand-made paths, against values computed by hand."""

import math

import numpy as np
import pytest
from handmade import path
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import idescent as ide
from idescent.analysis import errors


def test_norms_of_a_one_dimensional_path_are_those_computed_by_hand():
    found = ide.compare(path([1.0, 2.0, 4.0, 4.0]), path([1.0, 5.0, 0.0, 4.5]))
    assert found.sup["theta"] == 4.0
    assert found.at["theta"] == 2
    assert found.rms["theta"] == pytest.approx(math.sqrt((0 + 9 + 16 + 0.25) / 4), rel=1e-15)
    assert found.final["theta"] == 0.5
    assert found.complete
    assert found.compared == 3


def test_coordinates_enter_by_their_euclidean_norm():
    run, other = path([[0.0, 0.0], [1.0, 1.0]]), path([[3.0, -4.0], [1.0, 3.0]])
    found = ide.compare(run, other)
    assert found.sup["theta"] == 5.0
    assert found.at["theta"] == 0
    assert found.final["theta"] == 2.0


def test_relative_errors_are_relative_to_the_same_norm_of_the_run():
    found = ide.compare(path([1.0, -8.0, 2.0]), path([1.0, -7.0, 1.0]))
    assert found.relative_sup["theta"] == 1.0 / 8.0
    assert found.relative_rms["theta"] == pytest.approx(math.sqrt(2.0 / 69.0), rel=1e-15)
    assert found.relative_final["theta"] == 0.5


def test_a_reference_below_one_is_one_too():
    assert ide.compare(path([0.25, 0.5]), path([0.25, 0.625])).relative_sup["theta"] == 0.25


def test_paths_that_keep_other_iterations_are_compared_on_those_that_all_have():
    k = np.arange(11)
    run = path(k * 1.0).rows(np.array([0, 2, 3, 6, 10]))
    other = path(k * 1.5).rows(np.array([0, 1, 3, 6, 10]))
    exact = path(k * 1.25).rows(np.array([0, 3, 5, 6, 7, 10]))
    assert errors.common(run, other).tolist() == [0, 3, 6, 10]
    assert errors.common(other, exact).tolist() == [0, 3, 6, 10]
    assert errors.distance(run, other, "theta").tolist() == [0.0, 1.5, 3.0, 5.0]
    assert errors.distance(other, run, "theta").tolist() == [0.0, 1.5, 3.0, 5.0]
    found = ide.compare(run, other, exact)
    assert (found.sup["theta"], found.at["theta"], found.compared) == (2.5, 10, 10)
    # Each iteration counts for those nearest to it: 2, 3, 3.5 and 2.5 of the 11.
    mean = (3 * 0.75**2 + 3.5 * 1.5**2 + 2.5 * 2.5**2) / 11
    assert found.rms["theta"] == pytest.approx(math.sqrt(mean), rel=1e-15)
    # The exact solution alone lacks iteration 2.
    twin = path(k * 1.5).rows(np.array([0, 2, 3, 6, 10]))
    mean = (1.5 * 1 + 2 * 1.5**2 + 3.5 * 9 + 2.5 * 25) / 11
    assert ide.compare(run, twin).rms["theta"] == pytest.approx(math.sqrt(mean))
    assert ide.compare(run, twin, exact).rms["theta"] == found.rms["theta"]


def test_differences_that_are_none_are_no_warnings():
    run, other = path([1.0, math.inf, 1e308]), path([1.0, math.inf, -1e308])
    assert np.isnan(errors.distance(run, other, "theta")[1])
    assert errors.distance(run, other, "theta")[2] == math.inf


def test_relative_error_to_a_zero_reference_does_not_exist():
    run = path([1.0, 1.0], moments={"v": [0.0, 0.0]})
    found = ide.compare(run, path([1.0, 1.0], moments={"v": [0.0, 2.0]}))
    assert found.sup["v"] == 2.0
    assert math.isnan(found.relative_sup["v"])


def test_every_quantity_is_compared_and_a_moment_that_only_one_has_is_not():
    run = path([1.0, 2.0], moments={"m": [0, 1], "v": [0, 4]}, loss=[3.0, 1.0])
    other = path([1.0, 2.0], moments={"v": [0, 5], "z": [0, 9]}, loss=[3.0, 1.5])
    found = ide.compare(run, other)
    assert found.sup == {"theta": 0.0, "loss": 0.5, "v": 1.0}
    assert list(found.relative_final) == ["theta", "loss", "v"]


def test_the_first_of_equal_largest_errors_is_reported():
    assert ide.compare(path([0.0, 0.0, 0.0]), path([0.0, 1.0, -1.0])).at["theta"] == 1


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_diverged_path_is_compared_up_to_its_last_finite_row(bad):
    found = ide.compare(path([1.0, 2.0, 3.0, 4.0]), path([1.0, 2.5, bad, bad]))
    assert found.compared == 1
    assert not found.complete
    assert found.sup["theta"] == found.final["theta"] == 0.5


def test_a_row_counts_only_if_every_quantity_is_finite_in_it():
    run = path([1.0, 2.0, 3.0])
    found = ide.compare(run, path([1.0, 2.5, 9.0], loss=[0.0, 0.0, math.inf]))
    assert found.compared == 1
    assert found.sup["theta"] == 0.5


def test_a_path_without_any_finite_row_has_no_errors():
    found = ide.compare(path([1.0, 2.0]), path([math.nan, math.nan]))
    assert found.compared == -1
    assert math.isnan(found.sup["theta"])
    assert found.at == {}


def test_paths_with_other_iterations_cannot_be_compared():
    with pytest.raises(ValueError, match=r"^compare: ") as caught:
        ide.compare(path([1.0, 2.0]), path([1.0, 2.0, 3.0]))
    assert str(caught.value) == (
        "compare: the run has iterations 0 ... 1 (2 rows) and the path 0 ... 2 (3 rows): "
        "both must end at the same iteration"
    )


def test_paths_with_other_coordinates_cannot_be_compared():
    with pytest.raises(ValueError, match="theta has 2 coordinates in the run and 1 in the path"):
        ide.compare(path([[1.0, 2.0]] * 2), path([1.0, 2.0]))


def test_tiny_errors_do_not_underflow():
    found = ide.compare(path([0.0, 0.0]), path([1e-200, 1e-200]))
    assert found.rms["theta"] == found.sup["theta"] == 1e-200


values = st.floats(-1e6, 1e6, allow_nan=False)


@given(arrays(float, (7, 3), elements=values), arrays(float, (7, 3), elements=values))
def test_norms_agree_with_sums_written_out(left, right):
    found = ide.compare(path(left), path(right))
    lengths = [
        math.sqrt(math.fsum((a - b) ** 2 for a, b in zip(x, y, strict=True)))
        for x, y in zip(left, right, strict=True)
    ]
    assert found.sup["theta"] == pytest.approx(max(lengths), rel=1e-13, abs=1e-150)
    assert found.rms["theta"] == pytest.approx(
        math.sqrt(math.fsum(e * e for e in lengths) / 7), rel=1e-13, abs=1e-150
    )
    assert found.final["theta"] == pytest.approx(lengths[-1], rel=1e-13, abs=1e-150)


def test_errors_are_a_table_for_pandas_with_a_row_for_each_quantity():
    found = ide.compare(path([1.0, 2.0, 4.0]), path([1.0, 5.0, 3.0]))
    table = found.to_dataframe()
    assert list(table.index) == ["theta", "loss", "v"]
    assert table.index.name == "quantity"
    for norm in errors.NORMS:
        assert dict(table[norm]) == getattr(found, norm)
    assert table["relative_sup"]["theta"] == found.relative_sup["theta"] == 0.75
    assert math.isnan(table["relative_sup"]["loss"])
    assert list(table["at"]) == [1, 0, 0]
    assert set(table["compared"]) == {2}
    assert table["complete"].all()


def test_the_table_of_paths_that_diverged_at_once_has_no_numbers():
    table = ide.compare(path([1.0, 2.0]), path([math.nan, math.nan])).to_dataframe()
    assert table[["sup", "rms", "final", "relative_sup", "at"]].isna().all(axis=None)
    assert set(table["compared"]) == {-1}
    assert not table["complete"].any()
