"""The script of the page on real objectives: horizons and costs of a loss that is known."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    import real_data_numbers

    yield real_data_numbers
    sys.modules.pop("real_data_numbers")


RUN = SimpleNamespace(k=np.arange(6), loss=np.array([10.0, 5.0, 2.0, 1.0, 0.5, 0.001]), steps=5)


@pytest.mark.parametrize(
    ("factors", "reached", "text", "largest"),
    [
        ([1.0, 1.005, 1.0, 1.0, 1.0, 1.0], 5, "all / all", 0.005),
        ([1.0, 1.005, 1.05, 1.0, 1.2, 1.0], 5, "1 / 3", 0.2),
        ([1.0, 1.3, 1.0, 1.0, 1.0, 1.0], 5, "0 / 0", 0.3),
        ([1.0, 1.0, 1.0, 1.05], 3, "2 / ≥ 3", 0.05),
    ],
)
def test_a_horizon_is_the_iteration_before_the_first_that_is_outside(script, factors, reached, text, largest):
    held = script.compared(RUN, RUN.loss[: len(factors)] * factors, reached, 0.5)
    assert str(held) == text
    assert held.largest == pytest.approx(largest)


def test_errors_of_small_losses_are_relative_to_a_thousandth_of_the_first(script):
    loss = RUN.loss.copy()
    loss[-1] += 0.0005
    assert script.compared(RUN, loss, 5, 1.0).largest == pytest.approx(0.0005 / 0.01)
