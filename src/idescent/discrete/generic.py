"""The loop of any declared optimizer, in NumPy.

What lives here: :class:`GenericLoop`.  What does not: one iteration
(:class:`idescent.optimizers.plan.Plan`), and the loops of the paper's optimizers
(:mod:`idescent.discrete.loop`, :mod:`idescent.discrete.kernels`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from idescent.discrete.setup import Setup
from idescent.optimizers.layout import Dims, layout
from idescent.optimizers.plan import Plan

Array = NDArray[np.float64]


class GenericLoop:
    """A run, or several runs together, of a declared optimizer.

    Parameters
    ----------
    setup : Setup
    start : ndarray, shape (..., n), optional
        Initial parameters of independent runs, one for each index of the leading axes; by default those of
        the setup, one run.
    like : GenericLoop, optional
        Loop of an equal optimizer with n parameters, whose plan and dims are used again.

    Attributes
    ----------
    plan : Plan
    values : dict
        Parameters and memories by name, after the last computed iteration.
    dims : dict
        Shapes of the memories of one run, by name.
    evaluations : int
        Number of gradients evaluated for the initial values of memories.

    Raises
    ------
    ValueError
        If the declaration does not fit n parameters.
    """

    def __init__(self, setup: Setup, start: Array | None = None, like: GenericLoop | None = None) -> None:
        self.alpha, self.objective = setup.alpha, setup.objective
        self.plan: Plan = Plan(setup.optimizer) if like is None else like.plan
        start = setup.start if start is None else start
        self.dims: Dims = layout(self.plan, start.shape[-1]) if like is None else like.dims
        if setup.values is not None:
            self.evaluations, self.values = 0, dict(setup.values)
            return
        needs_gradient = self.plan.starts_from_gradient
        self.evaluations = start.size // start.shape[-1] if needs_gradient else 0
        gradient = self.objective.gradient(start) if needs_gradient else np.zeros_like(start)
        self.values = self.plan.starts(start, gradient, self.dims)

    def state(self) -> list[Array]:
        """Return the stored iterate, shape (..., n), and each memory, shape (..., width)."""
        lead = self.values["theta"].shape[: -len(self.plan.shape or (1,))]
        memories = (self.values[name] for name in self.plan.memories)
        return [self.plan.evaluated(self.values), *(values.reshape((*lead, -1)) for values in memories)]

    def iterate(self, k: int, rate: float) -> None:
        """Compute iteration ``k`` at the learning rate ``rate``."""
        point = self.plan.place(self.values, k, rate)
        self.plan.advance(self.values, self.objective.gradient(point))

    def fill(self, arrays: Sequence[Array], done: int, rates: Array | None) -> int | None:
        """Compute rows 1 ... of a single run; return the first row that is not finite, or None.

        Parameters
        ----------
        arrays : sequence of ndarray, shape (rows, width)
            The arrays of :meth:`state` over the iterations; row 0 is the state after ``done`` iterations.
        done : int
        rates : ndarray, shape (rows - 1,), or None
            Factors of alpha.
        """
        theta, *memories = arrays
        rows_of = list(zip(self.plan.memories, memories, strict=True))
        rate = self.alpha
        for k in range(1, len(theta)):
            if rates is not None:
                rate = self.alpha * float(rates[k - 1])
            self.iterate(done + k, rate)
            theta[k] = self.plan.evaluated(self.values)
            finite = np.isfinite(self.values["theta"]).all()
            for name, rows in rows_of:
                value = self.values[name]
                rows[k] = value if value.ndim == 1 else value.ravel()
                # If a memory overflows, theta stops changing: a test of theta alone would miss it.
                finite = finite and np.isfinite(value).all()
            if not finite:
                return k
        return None
