"""The measures of the audit on paths drawn by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from idescent.products.claims import measures
from idescent.products.claims import statements as spec

ROOT = Path(__file__).parents[2]


def measure(
    name: str, y: list[float], other: list[float] | None = None, first: int = 0, **options: Any
) -> float:
    values = np.array(y, dtype=np.float64)
    k = np.arange(first, first + len(y), dtype=np.float64)
    reference = None if other is None else np.array(other, dtype=np.float64)
    return measures.MEASURES[name](k, values, reference, options)


@pytest.mark.parametrize(
    ("name", "y", "options", "expected"),
    [
        # Within 10 % of 3 from iteration 3 on, although it was there at 1 already.
        ("settling", [-3.0, 0.2, 1.0, 0.3, -0.1], {"within": 0.1}, 3),
        ("settling", [-3.0, 0.2, 1.0, 0.3, 0.4], {"within": 0.1}, math.inf),
        ("settling", [0.0, 5.0, 9.0, 9.95, 10.0], {"within": 0.01, "target": "last"}, 3),
        ("settling", [2.0, 2.0], {"within": 0.01, "target": "last"}, 0),
        ("reach", [-3.0, -1.0, -0.3, -2.0], {"within": 0.1}, 2),
        ("reach", [-3.0, -1.0, 2.0, 1.0], {"within": 0.1}, 2),  # it jumped over
        ("reach", [-3.0, -1.0, -0.4], {"within": 0.1}, math.inf),
        ("sign_changes", [-3.0, -1.0, 1.0, 0.0, -1.0, -2.0], {"floor": 0.0}, 2),
        ("sign_changes", [-3.0, 1e-12, -1e-12, 1e-12], {"floor": 1e-6}, 0),
        ("sign_changes", [-3.0, -1.0, 0.0, 0.0], {"floor": 0.0}, 0),
        # There at 2, across at 3, back across at 5.
        ("oscillation_delay", [-9.0, -3.0, -0.3, 1.0, 2.0, -1.0, 1.0], {"within": 0.1, "floor": 0.0}, 3),
        ("oscillation_delay", [-9.0, -3.0, -0.3, 1.0, 2.0], {"within": 0.1, "floor": 0.0}, math.nan),
        ("overshoot", [-4.0, -1.0, 1.0, 0.5], {}, 0.25),
        ("overshoot", [0.0, 4.0, 8.0, -2.0], {}, 0.25),  # a moment starts at 0
        ("overshoot", [-4.0, -1.0, -0.5], {}, 0.0),
        ("overshoot", [0.0, 0.0], {}, math.nan),
        ("peak", [0.0, -7.0, 5.0], {}, 7.0),
        ("last", [-4.0, 8.0, -2.0], {}, 0.25),
        ("last", [0.0, 0.0], {}, math.nan),
        ("jump", [0.0, -6.0, -5.0], {}, 6.0),
        ("rise", [4.0, 2.0, 3.0, 1.0, 2.0, 0.0], {}, 0.25),
        ("rise", [4.0, 3.0, 0.0], {}, 0.0),
        ("decay", [0.0, 8.0, 6.0, 4.0, 1.0], {"to": 0.5}, 2),
        ("decay", [0.0, 8.0, 6.0], {"to": 0.5}, math.inf),
        ("bump_at", [10.0, 0.0, 2.0, 1.0, 3.0, 1.0, 1.5, 0.5], {}, 4),
        ("bump_at", [10.0, 5.0, 1.0, 0.0], {}, math.nan),
        # From 3 down to 0 on the left and 0.5 on the right: the shallower side counts.
        ("bump_height", [10.0, 0.0, 2.0, 1.0, 3.0, 1.0, 1.5, 0.5], {}, 0.25),
        ("bump_height", [10.0, 5.0, 1.0, 0.0], {}, 0.0),
        ("bump_height", [4.0, 0.0, 1.0, 1.0, 0.0], {}, 0.25),  # a flat top
    ],
)
def test_a_measure_reads_the_number_off_a_path(
    name: str, y: list[float], options: dict[str, Any], expected: float
) -> None:
    assert measure(name, y, **options) == pytest.approx(expected, nan_ok=True)


def test_measures_of_two_paths_use_the_range_of_the_other_one() -> None:
    y, other = [0.0, 3.0, 5.0], [0.0, 2.0, 4.5]
    assert measure("gap", y, other) == pytest.approx(1.0 / 4.5)
    assert measure("gap_at", y, other) == 1


def test_iterations_are_counted_from_the_first_row_of_the_window() -> None:
    assert measure("settling", [3.0, 0.0, 0.0], first=100, within=0.1) == 101
    assert measure("decay", [3.0, 1.0, 0.0], first=100, to=0.5) == 1


def test_every_measure_is_tested_and_used() -> None:
    marks = test_a_measure_reads_the_number_off_a_path.pytestmark  # type: ignore[attr-defined]
    tested = {case[0] for case in marks[0].args[1]} | {"gap", "gap_at"}
    paper = spec.read(ROOT / "config/claims.yaml")
    used = {check.measure for claim in paper.claims for check in claim.checks}
    assert tested == set(measures.MEASURES) == used
