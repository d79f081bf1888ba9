"""The relative error of a loss that is negative or crosses zero."""

from __future__ import annotations

import math

import numpy as np
import pytest
from odd import path

from idescent.products.fidelity import rows as fidelity


def of_loss(run: list[float], model: list[float]) -> np.ndarray:
    k = np.arange(len(run), dtype=float)
    return fidelity.relative_errors(path(k, run, 0.1, status="completed"), path(k, model, 0.1))[1]["loss"]


def test_it_is_relative_to_the_range_of_the_runs_losses() -> None:
    # From 2 through 0 to -8: the range is 10, by hand.
    assert of_loss([2.0, 0.0, -8.0], [2.0, 1.0, -7.5]) == pytest.approx([0.0, 0.1, 0.05])


def test_a_constant_added_to_a_negative_loss_changes_nothing() -> None:
    run, model = np.array([-1.0, -20.0, -39.0]), np.array([-1.0, -22.0, -38.0])
    assert of_loss(list(run - 1e4), list(model - 1e4)) == pytest.approx(of_loss(list(run), list(model)))


def test_a_constant_loss_has_no_size_so_that_any_difference_is_infinite() -> None:
    assert of_loss([-1.0, -1.0, -1.0], [-1.0, -1.0, -1.0]).tolist() == [0.0, 0.0, 0.0]
    assert of_loss([-1.0, -1.0, -1.0], [-1.0, -1.5, -1.0]).tolist() == [0.0, math.inf, math.inf]
    assert of_loss([0.0, 0.0], [0.0, 1e-30]).tolist() == [0.0, math.inf]


def test_losses_that_are_not_negative_are_compared_as_before() -> None:
    assert of_loss([1.0, 1e-3, 0.0], [1.0, 1.1e-3, 1e-4]) == pytest.approx([0.0, 0.1, 0.1])
