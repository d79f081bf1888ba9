"""Paths that begin near a zero of a coordinate of the gradient ("at rest").

There the root of a memory is as small as eps, the equation is as stiff as eps is small, and the later size of
the memories is unknown.

What lives here: the test for such a start, the length of its first element, and the accuracy to which
memories are determined there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import Equation, Memory

Array = NDArray[np.float64]

# Change of the path that counts as a change of a memory, as a share of the path's tolerance.
SHARE = 1e-3


def unknown(memory: Memory, scale: float, target: float, curvature: float) -> float:
    r"""Return the uncertainty of a memory along a path that is known to a tolerance.

    A change :math:`d = 10^{-3} K \tau` of the gradient, for the curvature K and the tolerance :math:`\tau`,
    changes a memory of the gradient by :math:`c\,d`, and one of its square of size M by
    :math:`c\,d\,(d + 2\sqrt{M/c})`.  A memory with a source of its own has the uncertainty 0.

    Parameters
    ----------
    memory : Memory
    scale : float
        Size M of the memory.
    target : float
        Tolerance of the path.
    curvature : float
        Largest entry of the Hessian.
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
    """Return whether a coordinate of some memory begins below the accuracy that ``rtol`` asks for.

    That is: ``rtol`` times the gain of its smallest source is below its uncertainty (:func:`unknown`).

    Parameters
    ----------
    equation : Equation
    sources : sequence of ndarray
        Source of each memory at the start.
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

    The length is reduced by factors of 4 until mobility times curvature times length is at most 1.  The
    mobility is taken at the element's end with memories that grew linearly; along a memory it is multiplied
    by that memory's gain and time.

    Parameters
    ----------
    equation : Equation
    sources, memories : sequence of ndarray
        Sources and values of the memories at the start.
    curvature : float
        As for :func:`unknown`.
    """
    assert equation.mobility is not None  # as March._begins_at_rest checks
    length = 0.25
    while length > 1e-12:
        after = [
            first + memory.gain * source * (length + equation.lookahead if memory.rate < math.inf else 1.0)
            for memory, first, source in zip(equation.memories, memories, sources, strict=True)
        ]
        mobility = float(np.abs(equation.mobility(np.array([length]), after)).max())
        if equation.direction is not None:
            mobility *= equation.memories[equation.direction].gain * max(length - equation.held_until, 0.0)
        if mobility * curvature * length <= 1.0:
            break
        length /= 4.0
    return length
