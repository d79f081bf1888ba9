"""Deprecated former name of :func:`idescent.leap`."""

from __future__ import annotations

import warnings

from numpy.typing import ArrayLike

from idescent.objectives.protocol import Objective
from idescent.optimizers.optimizer import Optimizer
from idescent.solvers.leap import Leap, leap


def fast_forward(
    optimizer: Optimizer,
    objective: Objective,
    *,
    alpha: float,
    theta0: ArrayLike,
    steps: int,
    rtol: float = 1e-10,
) -> Leap:
    """Call :func:`idescent.leap`, which replaces this function, and issue a DeprecationWarning."""
    warnings.warn("fast_forward is deprecated: use leap", DeprecationWarning, stacklevel=2)
    return leap(optimizer, objective, alpha=alpha, theta0=theta0, steps=steps, rtol=rtol)
