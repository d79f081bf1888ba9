"""The tolerances of the path and of the memories in one pass, and the Legendre tails in units of them.

What lives here: the scales of the memories.  What does not: the pass (:mod:`idescent.solvers.march`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import FirstIterations
from idescent.solvers import mesh
from idescent.solvers.problem import Problem
from idescent.solvers.rest import unknown
from idescent.solvers.window import Window

Array = NDArray[np.float64]


class Tolerances:
    """Tolerances ``atol + rtol*max|theta|`` of the path, and ``rtol`` times its largest value of each memory.

    Parameters
    ----------
    problem : Problem
    rtol, atol : float
    sources : sequence of ndarray
        Source of each memory at the start.
    first : FirstIterations, optional
        Iterations of the optimizer before the start.

    Attributes
    ----------
    scales : list of float
        Largest absolute value of each memory so far; at first, one iteration's gain.
    """

    def __init__(
        self,
        problem: Problem,
        rtol: float,
        atol: float,
        sources: Sequence[Array],
        first: FirstIterations | None,
    ) -> None:
        self.problem, self.rtol, self.atol = problem, rtol, atol
        sizes = None if first is None else first.scales
        sizes = sizes or tuple(float(np.abs(h).max()) for h in sources)
        pairs = zip(problem.equation.memories, sizes, strict=True)
        self.scales = [max(m.gain * size, 1e-300) for m, size in pairs]

    def path(self, theta: Array) -> float:
        """Return the tolerance of the path."""
        return self.atol + self.rtol * float(np.abs(theta).max())

    def tails(self, window: Window, target: float, curvature: float = 0.0, *, thorough: bool) -> Array:
        """Compute the Legendre tails of a window, shape (E,), and update the scales of the memories.

        For a path that began near a zero of the gradient (``thorough``) a memory is not resolved below the
        change that the path's own tolerance causes.
        """
        self.update(window)
        targets: list[float | Array] = [
            max(self.rtol * scale, unknown(memory, scale, target, curvature) if thorough else 0.0)
            for memory, scale in zip(self.problem.equation.memories, self.scales, strict=True)
        ]
        return self._tails(window, target, targets)

    def running_tails(self, window: Window, target: float) -> Array:
        """Compute the tails of a long window, each element with the largest values up to its end.

        Those of the first iteration have a common scale: a memory may begin at 0.
        """
        targets: list[float | Array] = []
        early = window.edges[:-1] < window.start.s + 1.0
        for values, scale in zip(window.memories, self.scales, strict=True):
            sizes = np.maximum(np.abs(values).max(axis=(1, 2)), scale)
            sizes[early] = sizes[early].max()
            targets.append(self.rtol * np.maximum.accumulate(sizes))
        return self._tails(window, target, targets)

    def update(self, window: Window) -> None:
        """Update the scales of the memories with their values on a window."""
        sizes = [float(np.abs(values).max()) for values in window.memories]
        self.scales = list(map(max, self.scales, sizes))

    def _tails(self, window: Window, target: float, targets: list[float | Array]) -> Array:
        targets = mesh.resolvable(self.problem, window, targets, self.rtol)
        return mesh.legendre_tails(self.problem, window, target, targets)
