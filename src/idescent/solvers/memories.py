r"""Memories on the elements of a window: their linear collocation equations, solved for any source.

What lives here: the matrices of each memory, and its values from its source.  What does not: the fixed point
of memories and path (:mod:`idescent.solvers.window`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import Memory
from idescent.solvers.newton import Propagator, identity
from idescent.solvers.radau import Radau

Array = NDArray[np.float64]


def propagators_of(
    memories: Sequence[Memory], s: Array, lengths: Array, held: NDArray[np.bool_], method: Radau
) -> list[Propagator]:
    r"""Solve the memories' collocation equations on each element for any left value and source.

    :math:`(1 + \lambda L A)\,M = M_a + c\,L A\,h` gives :math:`M = \text{carry}\,M_a + \text{drive}\,h`, with
    carry of shape (E, p) and drive of shape (E, p, p).  A normalised memory has
    :math:`(1 + L A R)\,M = M_a + c\,L A R\,h` with its rates R at the nodes ``s``, shape (E, p, 1).
    """
    # A held memory keeps its value, as over an element of length 0.
    scaled = np.where(held, 0.0, lengths[:, None, None]) * method.integration
    ones, eye = np.ones((len(lengths), method.stages)), identity(method.stages)
    propagators: list[Propagator] = []
    # The systems of all memories are solved in one call.
    systems, rights, solved = [], [], []
    for i, memory in enumerate(memories):
        if memory.rate == np.inf:
            # No memory: M = c h at every node.
            propagators.append((np.zeros_like(ones), memory.gain * np.broadcast_to(eye, scaled.shape)))
            continue
        drive = memory.gain * scaled
        propagators.append((ones, drive))
        if memory.rate == 0.0 and memory.change is None:
            continue  # a plain sum
        if memory.change is None:
            loss = memory.rate * scaled
        else:
            loss = scaled * memory.change(s).transpose(0, 2, 1)
            drive = memory.gain * loss
        systems.append(eye + loss)
        rights.append(np.concatenate((ones[..., None], drive), axis=2))
        solved.append(i)
    if solved:
        solutions: Any = np.linalg.solve(np.array(systems), np.array(rights))
        for i, solution in zip(solved, solutions, strict=True):
            propagators[i] = solution[..., 0], solution[..., 1:]
    return propagators


def propagated(propagator: Propagator, source: Array, first: Array) -> Array:
    """Compute a memory at all nodes, shape (E, p, width), from its source there and its first value."""
    carry, drive = propagator
    values = drive @ source
    if len(values) == 1:
        left = first[None, None]
    elif len(first) == 1:
        # One number: Python's own are faster than arrays.
        numbers = first.tolist()
        for value, kept in zip(values[:-1, -1, 0].tolist(), carry[:-1, -1].tolist(), strict=True):
            numbers.append(value + kept * numbers[-1])
        left = np.array(numbers)[:, None, None]
    else:
        left = np.empty((len(values), 1, values.shape[2]))
        left[0] = first
        for e in range(1, len(values)):
            left[e] = values[e - 1, -1] + carry[e - 1, -1] * left[e - 1]
    values += carry[:, :, None] * left
    return values
