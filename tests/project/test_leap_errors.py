"""The page of leaps against runs: all cells of its grid are there, and all are covered."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import leap_numbers  # noqa: E402 (in the folder above)

from idescent.optimizers import _OPTIMIZERS  # noqa: E402

STORED = leap_numbers.stored()


def key(cell):
    return cell.optimizer, cell.settings, cell.objective, cell.alpha, cell.steps, cell.schedule


@pytest.mark.parametrize("name", sorted(_OPTIMIZERS))
def test_every_cell_of_an_optimizer_is_stored(name):
    planned = [
        (name, leap_numbers.settings(optimizer), objective, alpha, steps, schedule)
        for optimizer, objective, _, alpha, steps, schedule in leap_numbers.cells(name)
    ]
    assert [key(cell) for cell in STORED if cell.optimizer == name] == planned
    assert len(planned) >= 14


def test_no_other_cells_are_stored():
    assert {cell.optimizer for cell in STORED} == set(_OPTIMIZERS)
    assert len(STORED) >= 300


def test_the_estimate_covers_every_cell():
    assert not [key(cell) for cell in STORED if not cell.covered]


def test_the_page_is_that_of_the_stored_cells(tmp_path, monkeypatch):
    text = leap_numbers.TARGET.read_text(encoding="utf-8")
    copy = tmp_path / "leap-errors.md"
    copy.write_text(text, encoding="utf-8")
    monkeypatch.setattr(leap_numbers, "TARGET", copy)
    leap_numbers.page(STORED)
    assert copy.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", ["GradientDescent", "AdaGrad", "Shampoo"])
def test_a_cell_is_measured_as_it_is_stored(name):
    """Its error is rounding, which differs between machines: the estimate and the cost are compared."""
    stored = [cell for cell in STORED if cell.optimizer == name]
    for old, planned in list(zip(stored, leap_numbers.cells(name), strict=True))[1:3]:
        new = leap_numbers.measure(*planned)
        assert key(new) == key(old)
        assert new.covered
        assert new.estimate == pytest.approx(old.estimate, rel=0.5)
        assert new.gradients == pytest.approx(old.gradients, rel=0.1)
