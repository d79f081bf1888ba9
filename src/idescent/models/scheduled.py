"""Models under a learning-rate schedule.

What lives here: the equation of any model with its learning rate replaced by a scheduled one.  What does not:
the schedules (:mod:`idescent.schedules`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import Equation, LearningRate, Memory, Model, derive
from idescent.optimizers.optimizer import Optimizer
from idescent.schedules import Constant, Schedule, factors, within

Array = NDArray[np.float64]

# Iterations beyond the horizon for which breaks are listed: an overlap or an element may reach there.
_BEYOND = 64


@dataclass(frozen=True)
class Scheduled:
    r"""A model under a schedule: :math:`\alpha\rho(s)` replaces :math:`\alpha`.

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
        """Name of the model."""
        return self.model.name

    @property
    def order(self) -> int:
        """Order of the model, but at most 2: terms of third order assume a constant learning rate."""
        return min(self.model.order, 2)

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the model's equation with a learning rate that depends on k-time."""
        plain = derive(self.model, optimizer, alpha)

        def at(s: Array) -> Equation:
            # Models are closures over alpha: with an array for alpha the functions broadcast it against
            # theirs.
            return self.model.equation(optimizer, alpha * self.schedule.rate(s))

        def source(i: int, s: Array, *state: Any) -> Array:
            source_at: Callable[..., Array] | None = at(s).memories[i].source
            assert source_at is not None  # as in the plain equation
            return source_at(s, *state)

        memories: list[Memory] = [
            memory if memory.source is None else replace(memory, source=partial(source, i))
            for i, memory in enumerate(plain.memories)
        ]
        # Elements may reach beyond the horizon.  With a look-ahead the velocity has a second kink, one
        # look-ahead before each break.
        breaks = (*self.schedule.breaks(self.steps + _BEYOND), float(self.steps))
        early = [s - plain.lookahead for s in breaks]

        def place(name: str) -> Any:
            if getattr(plain, name) is None:
                return None
            return lambda s, *state: getattr(at(s), name)(s, *state)

        def mobility(s: Array, values: Sequence[Array]) -> Array:
            mobility_at = at(s).mobility
            assert mobility_at is not None  # as in the plain equation
            return mobility_at(s, values)

        return replace(
            plain,
            memories=tuple(memories),
            velocity=lambda s, *state: at(s).velocity(s, *state),
            mobility=None if plain.mobility is None else mobility,
            breaks=within((*plain.breaks, *breaks, *early), math.inf),
            point=place("point"),
            evaluate=place("evaluate"),
            begin=None
            if plain.begin is None
            else partial(plain.begin, factors=factors(self.schedule, self.steps)),
        )


def under(model: Model, schedule: Schedule | None, steps: int) -> Model:
    """Return the model under a schedule; the model itself without a schedule or with the constant 1."""
    return model if schedule is None or schedule == Constant() else Scheduled(model, schedule, steps)
