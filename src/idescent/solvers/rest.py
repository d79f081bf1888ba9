"""Paths that begin where a coordinate of the gradient is near 0.

What lives here: how such a start is told, how long its first element may be, and how exactly memories are
known there.  Near 0 the root of a memory is as small as eps, the equation as stiff as eps is small, and
nothing is known of how large the memories will be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import Equation, Memory

Array = NDArray[np.float64]

# Share of the path's tolerance that is felt in a memory.
SHARE = 1e-3


def unknown(memory: Memory, scale: float, target: float, curvature: float) -> float:
    """Return what of a memory is not known along a path known to ``target``: 0 for one of its own source.

    Parameters
    ----------
    memory : Memory
    scale : float
        Its size.
    target : float
        Tolerance of the path.
    curvature : float
        Largest entry of the Hessian: how the gradient changes with the path.
    """
    if memory.source is not None:
        return 0.0
    change = SHARE * curvature * target
    if memory.squared:
        change *= change + 2.0 * math.sqrt(scale / memory.gain)
    return memory.gain * change


def begins_at_rest(
    equation: Equation, sources: Sequence[Array], rtol: float, target: float, curvature: float
) -> bool:
    """Return whether a coordinate of some memory begins smaller than it is known to ``rtol``.

    Parameters
    ----------
    equation : Equation
    sources : sequence of ndarray
        Of the memories, at the start.
    rtol, target, curvature : float
        As for :func:`unknown`.
    """
    return any(
        rtol * memory.gain * float(np.abs(source).min())
        < unknown(memory, memory.gain * float(np.abs(source).max()), target, curvature)
        for memory, source in zip(equation.memories, sources, strict=True)
        if memory.source is None
    )


def soft_length(
    equation: Equation, sources: Sequence[Array], memories: Sequence[Array], curvature: float
) -> float:
    """Return the length of a first element on which the path's linearised equation is not stiff.

    Parameters
    ----------
    equation : Equation
    sources, memories : sequence of ndarray
        At the start.
    curvature : float
        As for :func:`unknown`.
    """
    length = 0.25
    while length > 1e-12:
        after = [
            first + memory.gain * source * (length + equation.lookahead if memory.rate < math.inf else 1.0)
            for memory, first, source in zip(equation.memories, memories, sources, strict=True)
        ]
        answer = float(np.abs(equation.mobility(np.array([length]), after)).max())
        if equation.direction is not None:
            answer *= equation.memories[equation.direction].gain * max(length - equation.held_until, 0.0)
        if answer * curvature * length <= 1.0:
            break
        length /= 4.0
    return length
