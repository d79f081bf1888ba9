r"""The rows of a trajectory, from the elements of a pass.

What lives here: the sinks of accepted elements.  What does not: the pass (:mod:`idescent.solvers.march`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import FirstIterations
from idescent.solvers.problem import Problem

Array = NDArray[np.float64]

# Units in the last place by which the end of an element may be rounded.
ROUNDED = 4

# Numbers in elements that wait for their rows to be filled, and in their polynomials there: together they
# take fewer calls.
MOST_PENDING = 2**18
# Numbers in the coefficients of all rows up to which the rows of all elements are one product.
MOST_GATHERED = 2**14


class Discarded:
    """A sink that stores nothing."""

    def take(self, s: Array, lengths: Array, theta: Array, memories: Sequence[Array]) -> None:
        """See ``idescent.solvers.problem.Sink``."""


@dataclass(frozen=True)
class _Elements:
    """Elements whose rows are still to be filled.

    Attributes
    ----------
    ends : ndarray of int, shape (E + 1,)
        First row of the first element, and the row behind the last one of each.
    s, lengths : ndarray, shape (E,)
    values : list of ndarray, shape (E, p + 1, width)
    """

    ends: NDArray[np.int64]
    s: Array
    lengths: Array
    values: list[Array]


class SolutionRows:
    """A sink that evaluates the path and the optimizer's moments at r whole iterations ``k``.

    Moments are read at ``s = k + moment_offset`` (:class:`~idescent.models.equation.Equation`), the path at
    ``s = k``.

    Attributes
    ----------
    theta : ndarray, shape (r, n)
        NaN beyond the last accepted element.
    """

    def __init__(
        self, problem: Problem, theta0: Array, k: NDArray[np.int64], first: FirstIterations | None = None
    ) -> None:
        self.problem, self.k, self.first = problem, k, first
        # The first row that the equation fills.
        self._begin = 1 if first is None else int(np.searchsorted(k, first.count, side="right"))
        self._stored = [i for i, memory in enumerate(problem.equation.memories) if memory.stored]
        self._theta = np.full((len(k), len(theta0)), np.nan)
        self._theta[0] = theta0
        if first is not None:
            self._theta[: self._begin] = first.theta[first.rows(k[: self._begin])]
        self._memories: list[Array] = []
        # Of the path and of the moments: index of the next row to fill.  Neighbouring elements may round
        # their common border to different sides of a whole number: it neither skips nor repeats a row there.
        self._next = [self._begin, self._begin]
        self._pending: list[list[_Elements]] = [[], []]
        self._numbers = 0

    @property
    def theta(self) -> Array:
        """See above."""
        self._fill(0)
        return self._theta

    def take(self, s: Array, lengths: Array, theta: Array, memories: Sequence[Array]) -> None:
        """Fill the rows in elements; see ``idescent.solvers.problem.Sink``."""
        offset = self.problem.equation.moment_offset
        moments = [memories[i] for i in self._stored]
        if moments and not self._memories:
            self._memories = [np.full((len(self.k), values.shape[2]), np.nan) for values in moments]
            for rows, values in zip(self._memories, moments, strict=True):
                rows[0] = 0.0 if offset else values[0, 0]
        # An element that ends at a whole number may be rounded to end just before it: the row is its own.
        borders = s + lengths
        borders += ROUNDED * np.spacing(borders)
        for i, parts in enumerate(([theta], moments)):
            behind = self.k.searchsorted(borders - offset if i else borders, side="right")
            ends = np.maximum(np.concatenate(([self._next[i]], behind)), self._next[i])
            count = int(ends[-1]) - self._next[i]
            self._next[i] += count
            if parts and count:
                self._pending[i].append(_Elements(ends, s, lengths, parts))
                self._numbers += count * theta.shape[2] + sum(part.size for part in parts)
        if self._numbers > MOST_PENDING:
            self._fill(0)
            self._fill(1)
            self._numbers = 0

    def _fill(self, which: int) -> None:
        """Fill the rows of the path (0) or of the moments (1) in the pending elements."""
        method = self.problem.method
        tables = self._memories if which else [self._theta]
        offset = self.problem.equation.moment_offset if which else 0.0
        for elements in self._pending[which]:
            ends = elements.ends
            first, last = int(ends[0]), int(ends[-1])
            element = np.repeat(np.arange(len(elements.s)), np.diff(ends))
            at = self.k[first:last] + offset
            polynomials = method.polynomials((at - elements.s[element]) / elements.lengths[element])
            for rows, values in zip(tables, elements.values, strict=True):
                if len(polynomials) * values[0].size <= MOST_GATHERED:
                    coefficients = method.transform @ (values - values[:, :1])
                    # Differences from the left values: see Radau.interpolate.
                    rows[first:last] = values[element, 0]
                    rows[first:last] += np.einsum("rq,rqn->rn", polynomials, coefficients[element])
                    continue
                for e in np.flatnonzero(np.diff(ends)).tolist():
                    part = polynomials[ends[e] - first : ends[e + 1] - first]
                    rows[ends[e] : ends[e + 1]] = method.sum(part, values[e])
        self._pending[which].clear()

    def moments(self) -> dict[str, Array]:
        """Return the optimizer's moments by name at the iterations ``k``, shape (r, width) each."""
        k = self.k[self._begin :, None].astype(np.float64)
        moments = {}
        memories = [self.problem.equation.memories[i] for i in self._stored]
        n, of_square = self.theta.shape[1], self.problem.optimizer.width(self.theta.shape[1])
        widths = [of_square if m.squared else n for m in memories]
        if self.first is not None:
            widths = [self.first.moments[memory.name].shape[1] for memory in memories]
        empty = [np.full((len(self.k), width), np.nan) for width in widths]
        self._fill(1)
        tables = self._memories or empty
        for memory, rows in zip(memories, tables, strict=True):
            if memory.readout is not None and len(k):
                rows[self._begin :] *= memory.readout(k)
            if self.first is not None:
                at = self.first.rows(self.k[: self._begin])
                rows[: self._begin] = self.first.moments[memory.name][at]
            moments[memory.name] = rows
        return moments
