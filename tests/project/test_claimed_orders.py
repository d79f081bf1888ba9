"""The page of measured orders: every optimizer of the package is there, with the claim of its structure."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import orders_numbers  # noqa: E402 (in the folder above)

from idescent.models.card import claim  # noqa: E402
from idescent.optimizers import _OPTIMIZERS  # noqa: E402

ROWS = orders_numbers.tables((ROOT / "docs/orders.md").read_text(encoding="utf-8"))
OPTIMIZERS = list(orders_numbers.optimizers(sorted(_OPTIMIZERS)))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: type(optimizer).__name__)
def test_an_optimizer_is_measured_on_every_objective_against_its_claim(optimizer):
    name, second = type(optimizer).__name__, orders_numbers.MODELS["second"]
    kinds = ["second"] if claim(second, optimizer).order else ["second", "first"]
    for kind in kinds:
        model = orders_numbers.MODELS[kind]
        objectives = orders_numbers.objectives(model, optimizer)
        assert {key for key in ROWS[kind] if key[0] == name} == {(name, one) for one in objectives}
        for objective in objectives:
            row = ROWS[kind][name, objective]
            assert len(row) == len(orders_numbers.HEAD)
            assert row[2] == orders_numbers.claimed(model, optimizer)
            assert not row[3].startswith("fail")
    if "first" not in kinds:
        assert not [key for key in ROWS["first"] if key[0] == name]


def test_the_page_has_no_other_rows():
    assert {name for rows in ROWS.values() for name, _ in rows} == set(_OPTIMIZERS)


@pytest.mark.parametrize("kind", ROWS)
def test_a_confirmed_claim_has_slopes_that_confirm_it(kind):
    confirmed = [row for row in ROWS[kind].values() if row[3] == "ok" and row[4] != "exact"]
    assert confirmed
    for row in confirmed:
        order = int(row[2].removeprefix("order "))
        assert all(float(slope) >= order - 0.1 for slope in row[4].split(", "))


def test_a_row_is_measured_as_the_page_has_it():
    (optimizer,) = orders_numbers.optimizers(["GradientDescent"])
    row = orders_numbers.row(optimizer, "quadratic", orders_numbers.MODELS["second"])
    assert row == ROWS["second"]["GradientDescent", "quadratic"]


def test_a_table_can_be_read_again():
    text = "\n".join(
        f"<!-- {kind}: measured -->\n{orders_numbers.table(ROWS[kind])}\n<!-- end -->" for kind in ROWS
    )
    assert orders_numbers.tables(text) == ROWS
