"""Models under a learning-rate schedule.

What lives here: how a schedule enters the equation of a model that knows nothing of it.  The schedules are in
:mod:`idescent.schedules`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import Equation, LearningRate, Memory, Model, derive
from idescent.optimizers.optimizer import Optimizer
from idescent.schedules import Constant, Schedule, within

Array = NDArray[np.float64]

# Iterations beyond the horizon that the overlap of an equation that looks ahead may need.
_BEYOND = 64


@dataclass(frozen=True)
class Scheduled:
    r"""A model under a schedule: :math:`\alpha\rho(s)` stands wherever the model has :math:`\alpha`.

    Attributes
    ----------
    model : Model
    schedule : Schedule
    steps : int
        Horizon in iterations.
    """

    model: Model
    schedule: Schedule
    steps: int

    @property
    def name(self) -> str:
        """The model's."""
        return self.model.name

    @property
    def order(self) -> int:
        """The model's, but at most 2: the third-order terms know a constant learning rate only."""
        return min(self.model.order, 2)

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the model's equation with a learning rate that depends on k-time."""
        plain = derive(self.model, optimizer, alpha)

        def at(s: Array) -> Equation:
            # Models are closures over alpha: made anew they broadcast it against what they are given.
            return self.model.equation(optimizer, alpha * self.schedule.rate(s))

        def source(i: int, s: Array, *state: Any) -> Array:
            remembered: Callable[..., Array] | None = at(s).memories[i].source
            assert remembered is not None  # as in the plain equation
            return remembered(s, *state)

        memories: list[Memory] = [
            memory if memory.source is None else replace(memory, source=partial(source, i))
            for i, memory in enumerate(plain.memories)
        ]
        # Elements reach beyond the horizon, and what looks ahead to a kink has one itself, earlier.
        breaks = (*self.schedule.breaks(self.steps + _BEYOND), float(self.steps))
        early = [s - plain.lookahead for s in breaks]
        return replace(
            plain,
            memories=tuple(memories),
            velocity=lambda s, *state: at(s).velocity(s, *state),
            mobility=lambda s, felt: at(s).mobility(s, felt),
            breaks=within((*plain.breaks, *breaks, *early), math.inf),
        )


def under(model: Model, schedule: Schedule | None, steps: int) -> Model:
    """Return the model under a schedule; the model itself if there is none or it changes nothing."""
    return model if schedule is None or schedule == Constant() else Scheduled(model, schedule, steps)
