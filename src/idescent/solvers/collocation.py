"""Exact solutions: adaptive Radau collocation over windows that march through time.

What lives here: the mesh, the overlap of windows for equations that look ahead, and the certificate.  The
fixed point on one window is :mod:`idescent.solvers.window`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.common.numeric import integer, is_number, positive, shown
from idescent.models.equation import Equation, Model, derive
from idescent.objectives.protocol import CountedObjective, Objective
from idescent.optimizers.optimizer import Optimizer
from idescent.solvers.march import March
from idescent.solvers.problem import Problem
from idescent.solvers.radau import Radau, radau
from idescent.solvers.window import ROUNDING
from idescent.trajectory import Keep, Report, Trajectory, assemble, kept

Array = NDArray[np.float64]
Progress = Callable[[str], None]

# Above, the conversion to Legendre coefficients loses digits.
MOST_STAGES = 50


# Default budget of gradients: at once, for each of the first iterations, and for each later one.
START, EARLY, EARLY_STEPS, LATE = 2e6, 1000.0, 10_000, 50.0


@dataclass(frozen=True)
class Collocation:
    r"""Solve a model as exactly as asked for, and say how exactly that was.

    Memories are integrated as the linear equations that they are, path and memories are relaxed against each
    other on windows of Radau IIA elements whose lengths follow the decay of the path's Legendre coefficients.
    An equation that looks ahead is solved on the window and an overlap beyond it; only what the overlap's
    far end cannot reach is accepted.

    The certificate is a second solution, on a mesh of its own, to a hundredth of the tolerance and with a
    longer overlap: their difference over all iterations stored is the error estimate, and the second one is
    returned.  If the estimate exceeds the tolerance, a third one follows, and so on down to rounding.

    With many parameters and no diagonal Hessian no matrix is made: sweeps are plain ones, accelerated from
    the last few, and each new element starts from the continuation of the one before.  That serves equations
    that are about as stiff as the discrete run is stable.  Not so where the velocity turns round within eps
    of a gradient coordinate's zero (no memory, one accumulator per coordinate): elements become as short as
    the time in which it does, and the cost is out of proportion.  ``max_gradients`` ends such a solution:
    when it is spent, or once steadily short elements show that the rest of the horizon would exceed it.

    Memory is bounded by the window, not the horizon: at most ``max_elements * stages`` nodes of 2n +
    (memories) numbers, besides the returned rows.

    Parameters
    ----------
    stages : int, 3 ... 50
        Nodes per element.
    max_sweeps : int, >= 1
        Sweeps on one window before its elements are shortened.
    max_elements : int, >= 2
        Elements in a window.
    overlap : float, > 0
        Overlap in iterations (half as long again for the second solution).  The influence of the far end
        fades faster than geometrically: on the paper's cells 4 iterations leave 1e-12, 8 leave rounding.
    max_gradients : float or None
        Gradient evaluations per iteration of the horizon, of all solutions together, after which the solver
        gives up with the status ``not converged`` and says where it was.  None is a budget that solutions
        which end do not meet: 2 million, 1 000 for each of the first 10 000 iterations, and 50 for each one
        after; ``math.inf`` is no limit.

    Raises
    ------
    ValueError
        If a setting is outside its range.
    """

    stages: int = 9
    max_sweeps: int = 60
    max_elements: int = 200
    overlap: float = 8.0
    max_gradients: float | None = None

    def __post_init__(self) -> None:
        """Check every setting; the message names field, value and what is allowed."""
        integer("Collocation.stages", self.stages, least=3, most=MOST_STAGES)
        integer("Collocation.max_sweeps", self.max_sweeps)
        integer("Collocation.max_elements", self.max_elements, least=2)
        positive("Collocation.overlap", self.overlap)
        limit = self.max_gradients
        if limit is not None and not (is_number(limit) and limit > 0.0):
            raise ValueError(
                f"Collocation.max_gradients: {shown(limit)} is not allowed: must be > 0, or None"
            )

    def solve(
        self,
        model: Model,
        optimizer: Optimizer,
        objective: Objective,
        *,
        alpha: float,
        theta0: ArrayLike,
        steps: int,
        rtol: float,
        atol: float,
        progress: Progress | None = None,
        keep: Keep | None = None,
    ) -> Trajectory:
        """Solve the model; see :func:`idescent.solve`."""
        start = np.atleast_1d(np.asarray(theta0, dtype=np.float64))
        counted = CountedObjective(objective)
        problem = self._problem(model, optimizer, counted, alpha, steps)
        k = kept(steps, keep)
        say = progress or (lambda line: None)
        sweeps, factor, overlap = 0, 1.0, self.overlap
        coarse: SolutionRows | None = None
        with np.errstate(all="ignore"):
            while True:
                rows = SolutionRows(problem, start, k)
                march = March(
                    self, problem, start, steps, factor * rtol, factor * atol, overlap, rows, say
                ).run()
                sweeps += march.sweeps
                estimate, allowed = _certify(coarse, rows, rtol, atol)
                finest = coarse is not None and factor * rtol <= march.rtol / 100.0
                if march.failed_at is not None or estimate <= allowed or finest:
                    break
                coarse, factor, overlap = rows, 0.01 * factor, overlap + 0.5 * self.overlap
            loss = counted.value(rows.theta)
        status, message = "converged", f"error estimate {estimate:.2g}, allowed {allowed:.2g}"
        if march.failed_at is not None:
            status = "diverged" if march.diverged else "not converged"
            message = f"no solution beyond iteration {march.failed_at:.6g}: {march.reason}"
        elif not estimate <= allowed:
            status = "not converged"
        report = Report(
            status,
            message,
            gradient_evaluations=counted.gradients,
            sweeps=sweeps,
            error_estimate=estimate if math.isfinite(estimate) else math.nan,
            rtol=rtol,
            atol=atol,
            diverged_at=None if march.failed_at is None else min(steps, math.ceil(march.failed_at + 1e-9)),
            details={
                "elements": march.elements,
                "windows": march.windows,
                "largest_window": march.largest_window,
                "overlap": march.overlap,
            },
        )
        return assemble(rows.theta, loss, rows.moments(), alpha, report, k)

    def record(
        self,
        model: Model,
        optimizer: Optimizer,
        objective: CountedObjective,
        alpha: float,
        theta0: Array,
        steps: int,
        rtol: float,
        atol: float,
    ) -> Recorded:
        """March once, without certificate, and keep the elements: memory O(elements), not O(steps)."""
        problem = self._problem(model, optimizer, objective, alpha, steps)
        recorded = Recorded(problem.method, problem.equation)
        with np.errstate(all="ignore"):
            march = March(
                self, problem, theta0, steps, rtol, atol, self.overlap, recorded, lambda line: None
            ).run()
        recorded.failed = march.reason
        recorded.sweeps = march.sweeps
        return recorded

    def _problem(
        self, model: Model, optimizer: Optimizer, objective: CountedObjective, alpha: float, steps: int
    ) -> Problem:
        if self.max_gradients is None:
            most = START + EARLY * min(steps, EARLY_STEPS) + LATE * max(steps - EARLY_STEPS, 0)
        else:
            most = self.max_gradients * steps
        most += objective.gradients
        return Problem(derive(model, optimizer, alpha), optimizer, objective, radau(self.stages), most)


class SolutionRows:
    """A sink that evaluates the path and the optimizer's moments at r whole iterations ``k``.

    Attributes
    ----------
    theta : ndarray, shape (r, n)
        NaN where nothing was accepted.
    """

    def __init__(self, problem: Problem, theta0: Array, k: NDArray[np.int64]) -> None:
        self.problem, self.k = problem, k
        self._stored = [i for i, memory in enumerate(problem.equation.memories) if memory.stored]
        self.theta = np.full((len(k), len(theta0)), np.nan)
        self.theta[0] = theta0
        self._memories: list[Array] = []
        # Next row, by offset: neighbours may round their common border to different sides of a whole number.
        self._next = {0.0: 1, problem.equation.moment_offset: 1}

    def take(self, s: float, length: float, theta: Array, memories: Sequence[Array]) -> None:
        """Fill the rows that lie in the element; see ``idescent.solvers.problem.Sink``."""
        offset = self.problem.equation.moment_offset
        memories = [memories[i] for i in self._stored]
        if not self._memories:
            self._memories = [np.full((len(self.k), values.shape[1]), np.nan) for values in memories]
            for rows, values in zip(self._memories, memories, strict=True):
                rows[0] = 0.0 if offset else values[0]
        ends = {at: int(np.searchsorted(self.k, s + length - at, side="right")) for at in self._next}
        self._fill(self.theta, 0.0, ends[0.0], s, length, theta)
        for rows, values in zip(self._memories, memories, strict=True):
            self._fill(rows, offset, ends[offset], s, length, values)
        self._next = {at: max(first, ends[at]) for at, first in self._next.items()}

    def _fill(self, rows: Array, offset: float, end: int, s: float, length: float, values: Array) -> None:
        first = self._next[offset]
        if end > first:
            x: Array = (self.k[first:end].astype(np.float64) + offset - s) / length
            rows[first:end] = self.problem.method.interpolate(x, values)

    def moments(self) -> dict[str, Array]:
        """The optimizer's moments at the iterations ``k``, shape (r, width) each."""
        k = self.k[1:, None].astype(np.float64)
        found = {}
        memories = [self.problem.equation.memories[i] for i in self._stored]
        n, of_square = self.theta.shape[1], self.problem.optimizer.width(self.theta.shape[1])
        empty = [np.full((len(self.k), of_square if m.squared else n), np.nan) for m in memories]
        tables = self._memories or empty
        for memory, rows in zip(memories, tables, strict=True):
            if memory.readout is not None:
                rows[1:] *= memory.readout(k)
            found[memory.name] = rows
        return found


@dataclass
class Recorded:
    """A sink that keeps the path's polynomials: dense output at any iteration.

    Attributes
    ----------
    failed : str
        Why the march ended early; empty if it did not.
    sweeps : int
    """

    method: Radau
    equation: Equation
    left: list[float] = field(default_factory=list)
    lengths: list[float] = field(default_factory=list)
    values: list[Array] = field(default_factory=list)
    memories: list[list[Array]] = field(default_factory=list)
    failed: str = ""
    sweeps: int = 0

    @property
    def elements(self) -> int:
        """Number of elements."""
        return len(self.left)

    def take(self, s: float, length: float, theta: Array, memories: Sequence[Array]) -> None:
        """Keep an element; see ``idescent.solvers.problem.Sink``."""
        self.left.append(s)
        self.lengths.append(length)
        self.values.append(theta)
        self.memories.append(list(memories))

    def __call__(self, s: Array) -> Array:
        """Return theta at points of k-time within the elements, shape (..., n)."""
        return self._evaluate(self.values, np.asarray(s, dtype=np.float64))

    def moments(self, k: int) -> list[Array]:
        """Return the optimizer's moments after ``k >= 1`` iterations, in their order."""
        at = np.array([float(k)])
        found = []
        for i, memory in enumerate(self.equation.memories):
            values = self._evaluate([parts[i] for parts in self.memories], at + self.equation.moment_offset)
            found.append(values[0] if memory.readout is None else (values * memory.readout(at[:, None]))[0])
        return [value for value, memory in zip(found, self.equation.memories, strict=True) if memory.stored]

    def _evaluate(self, values: list[Array], s: Array) -> Array:
        flat = s.ravel()
        at = np.clip(np.searchsorted(self.left, flat, side="right") - 1, 0, None)
        found = np.empty((len(flat), values[0].shape[1]))
        for e in np.unique(at):
            mine = at == e
            x = (flat[mine] - self.left[e]) / self.lengths[e]
            found[mine] = self.method.interpolate(x, values[e])
        return found.reshape(*s.shape, -1)

    def nodes(self) -> tuple[Array, Array]:
        """Return all nodes, shape (m,), and theta there, shape (m, n)."""
        parts = zip(self.left, self.lengths, strict=True)
        s = np.concatenate([left + length * self.method.nodes for left, length in parts])
        return s, np.concatenate([values[1:] for values in self.values])


def _certify(
    coarse: SolutionRows | None, fine: SolutionRows, rtol: float, atol: float
) -> tuple[float, float]:
    """Error estimate and error allowed, both in the sup norm over iterations and coordinates."""
    scale = float(np.nanmax(np.abs(fine.theta)))
    allowed = atol + rtol * scale
    if coarse is None:
        return math.inf, allowed
    # The difference of two solutions cannot certify less than their rounding.
    difference = float(np.abs(fine.theta - coarse.theta).max())
    return max(difference, ROUNDING * scale), allowed
