"""Leaps of every optimizer of config/zoo.yaml, on the horizons of the study, and of users' optimizers."""

from collections import defaultdict
from pathlib import Path

import pytest
from declared_optimizers import OWN
from leaps import compared

import idescent as ide
from idescent.config import load
from idescent.objectives import RotatedQuadratic
from idescent.study import registry
from idescent.study.documents import read

ZOO = Path(__file__).parents[2] / "config" / "zoo.yaml"


def ladders():
    """Return the cells of the zoo by objective and optimizer, largest learning rate first."""
    cells = defaultdict(list)
    for cell in load(read(ZOO)).cells:
        settings = tuple(cell.optimizer["arguments"].values())
        cells[cell.objective["name"], cell.optimizer["class"].rpartition(":")[2], settings].append(cell)
    return dict(cells)


LADDERS = ladders()


@pytest.mark.slow
@pytest.mark.parametrize("key", LADDERS, ids=lambda key: f"{key[0]}-{key[1]}{key[2] or ''}")
def test_a_leap_is_the_run_to_rounding_on_the_ladder_of_the_zoo(key):
    """The study ends before a coordinate of the gradient changes its sign: no maximum or sign switches."""
    for cell in LADDERS[key][-2:]:
        objective = registry.objective(cell.objective)
        start = registry.start(cell.theta0, objective)
        leap, error = compared(registry.optimizer(cell.optimizer), objective, cell.alpha, start, cell.steps)
        assert error <= 1e-11
        assert error <= leap.report.error_estimate <= 1e-9
        assert leap.report.ok
        assert leap.report.details["elements"] >= 1


def test_the_zoo_has_the_optimizers_without_matrices():
    """A matrix needs four parameters: test_leap.py has a quadratic for the three with matrices."""
    elsewhere = {"AdaBelief", "AdaDelta", "Adafactor", "CenteredRMSProp", "Muon", "Shampoo"}
    assert {key[1] for key in LADDERS} - {"UncorrectedAdam"} == set(ide.optimizers._OPTIMIZERS) - elsewhere


@pytest.mark.parametrize("alpha", [1e-3, 2e-4])
@pytest.mark.parametrize("optimizer", OWN, ids=lambda optimizer: type(optimizer).__name__)
def test_a_leap_moves_any_declared_optimizer(optimizer, alpha):
    """Recursions, memories of each kind and start, old values, memories of D, points, and matrices."""
    n = 6 if optimizer.shape else 2
    start = [1.5, -1.0, 2.0, -0.5, 0.7, 1.2][:n]
    leap, error = compared(optimizer, RotatedQuadratic(n, 4.0, 0), alpha, start, round(1.0 / alpha))
    assert error <= 1e-11
    assert error <= leap.report.error_estimate <= 1e-9
    assert leap.report.details["elements"] >= 1
