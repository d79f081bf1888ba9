"""Optimizers whose step is recognised as a ratio of moments, and steps that only resemble one."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from members import BUILT_IN, OWN, Corrected, Mine, Renamed

import idescent as ide
from idescent import models as M  # noqa: N812  # as in other tests
from idescent.models.equation import derive
from idescent.objectives import DoubleWell
from idescent.optimizers import Optimizer, average
from idescent.optimizers.ratio import ratio_of
from idescent.study.arguments import known

CELL = {"alpha": 0.1, "theta0": [2.0, -0.4], "steps": 8}
OF_ANY_STEP = ("HalfStep", "Naive", "Paper")
OF_RATIOS = [getattr(M, name)() for name in sorted(known("model")) if name not in OF_ANY_STEP]


def labelled(value):
    return value.name if hasattr(value, "equation") else type(value).__name__


@dataclass(frozen=True)
class Flagged(Optimizer):
    moments = ("m", "v")


class Asking(Mine):
    def step(self, m, t):
        return m / t


class Clipped(Mine):
    """A ratio of moments that is clipped: models of the ratio refuse it."""

    def step(self, m, v):
        return np.clip(m / (np.sqrt(v) + self.eps), -5.0, 5.0)


class Branching(Mine):
    def step(self, m, v, k):
        return m / (np.sqrt(v) + self.eps) if k < 1000 else m


class Momentum(Mine):
    def memories(self):
        return {"m": average(self.beta1)}

    def step(self, m):
        return m


@pytest.mark.parametrize("optimizer", [Clipped(), Branching(), Momentum()], ids=labelled)
@pytest.mark.parametrize("model", OF_RATIOS, ids=labelled)
def test_a_model_of_ratios_refuses_what_is_no_ratio(model, optimizer):
    with pytest.raises(ValueError, match=f"{type(optimizer).__name__}"):
        derive(model, optimizer, 0.1)


@pytest.mark.parametrize("optimizer", [*BUILT_IN, *OWN], ids=labelled)
def test_what_is_a_ratio_is_read_from_the_declaration(optimizer):
    ratio = ratio_of(optimizer)
    memories = optimizer.memories()
    assert memories[ratio.second_name] == ratio.second
    assert ratio.first is None or memories[ratio.first_name] == ratio.first
    assert (ratio.beta1, ratio.eps) == (getattr(optimizer, "beta1", 0.0), 0.1)
    assert ratio.sums == ("G" in memories)
    assert ratio.corrected == isinstance(optimizer, ide.Adam | ide.AdamW | ide.AdamL2 | Corrected | Renamed)


def test_an_optimizer_that_cannot_be_hashed_is_read_as_well():
    class Unhashable(Mine):
        __hash__ = None

    assert ratio_of(Unhashable()) == ratio_of(Mine())


def test_an_optimizer_declared_by_flags_is_refused_when_it_is_made():
    with pytest.raises(
        ValueError, match=r"^Flagged: moments belongs to the former declaration by flags: declare mem"
    ):
        Flagged()


def test_an_optimizer_whose_declaration_is_faulty_is_refused_by_runs_and_models():
    from idescent.stochastic import Additive, simulate_runs

    optimizer = Asking()

    def refused(call, *arguments, **more):
        with pytest.raises(
            ValueError, match=r"^Asking\.step: parameter 't' is unknown: must be one of gradient, point, "
        ):
            call(*arguments, **CELL, **more)

    refused(ide.simulate, optimizer, DoubleWell(2))
    refused(ide.simulate_many, optimizer, DoubleWell(2))
    refused(ide.solve, M.Paper(), optimizer, DoubleWell(2))
    refused(ide.leap, optimizer, DoubleWell(2))
    refused(simulate_runs, optimizer, Additive(DoubleWell(2), 0.1), runs=2, seed=1)


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(ValueError, match="must be an object with memories and step and hyperparameters"):
        ide.simulate(object(), DoubleWell(2), **CELL)

    class Stranger:
        hyperparameters: ClassVar = {}
        memories = step = None

    with pytest.raises(ValueError, match="must derive from Optimizer"):
        ide.simulate(Stranger(), DoubleWell(2), **CELL)
