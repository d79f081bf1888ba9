r"""Exact solutions of continuous-time models, with a certificate: adaptive Radau collocation in k-time.

A model of an optimizer is the equation :math:`\theta'(s) = V(s, \theta, g, M_1(s+\ell), \dots)` with
exponential memories :math:`M' = c\,h - \lambda M` (:mod:`idescent.models.equation`).  :class:`Collocation`
solves it in three layers:

- the *fixed point* on one window of elements (:mod:`idescent.solvers.window`): gradients, memories and path
  are computed from each other until they agree;
- the *march* (:mod:`idescent.solvers.march`): one pass over the horizon that chooses the elements' lengths
  and the windows for one tolerance;
- the *certificate* (:meth:`Collocation.solve`): passes i = 0, 1, 2, ... of the march, each with a mesh of
  its own.  Without look-ahead a finer pass takes its first guess, and the lengths of its elements, from the
  pass before (:mod:`idescent.solvers.guide`); its equations are the same as without a guess.  At a tolerance
  from 1e-7 on, for an objective with a closed form, the first guess of pass 0 is a discrete run, or, below
  0.01, the path of a preliminary pass from that run.  The gradients of both are counted.

Pass i has the tolerance :math:`100^{-i}\,(\text{rtol}, \text{atol})` and the overlap :math:`(1 + i/2)` times
that of the settings.  After pass i >= 1 the error estimate is

.. math:: e_i = \max_k \|\theta_i(k) - \theta_{i-1}(k)\|_\infty
          \qquad\text{(at least the rounding of } \theta_i\text{)}

over the iterations k that are stored.  It measures the error of the coarser pass i - 1; the finer pass i is
returned.  The passes end when :math:`e_i \le \text{atol} + \text{rtol} \max|\theta_i|` (status
``converged``), when a pass fails (``diverged`` if its path became infinite or NaN, else ``not converged``),
or when rounding forbids a finer tolerance (``not converged``).

What lives here: the solver's settings and the certificate.  What does not: the rows of the trajectory
(:mod:`idescent.solvers.rows`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.common.numeric import integer, is_number, positive, shown
from idescent.discrete.setup import Setup
from idescent.models.beginning import Started
from idescent.models.equation import Model, derive
from idescent.models.scheduled import Scheduled
from idescent.objectives.protocol import CountedObjective, Objective
from idescent.optimizers.optimizer import Optimizer
from idescent.solvers.guide import Guide, run_guide
from idescent.solvers.march import March
from idescent.solvers.problem import Problem
from idescent.solvers.radau import radau
from idescent.solvers.rows import Discarded, SolutionRows
from idescent.solvers.window import ROUNDING
from idescent.trajectory import Keep, Report, Trajectory, assemble, kept

Array = NDArray[np.float64]
Progress = Callable[[str], None]

# With more nodes the conversion to Legendre coefficients loses digits.
MOST_STAGES = 50

# Tolerance of a pass relative to the one before: its error is then negligible in their difference.
FINER = 0.01

# Tolerance from which on a discrete run is the guess of the first pass.  At a finer one a preliminary pass
# with this tolerance, itself from the run, is the guess, down to the second one: below it the long windows of
# refined meshes evaluate more gradients than a march element by element.
LOOSE, FINE = 0.01, 1e-7

# Default budget of gradients: a fixed number, one for each of the first iterations, and one for each later
# iteration.  Solutions that converge stay below it.
START, EARLY, EARLY_STEPS, LATE = 2e6, 1000.0, 10_000, 50.0


@dataclass(frozen=True)
class Collocation:
    r"""Solve a model to a tolerance, and estimate the error of the solution.

    Memories are integrated as linear equations; path and memories are relaxed against each other on windows
    of Radau IIA elements, whose lengths follow the decay of the path's Legendre coefficients.  If the
    equation looks ahead, a window is solved with an overlap beyond it, and only the part that is insensitive
    to the overlap's far end is accepted.

    The certificate is a second solution, on a mesh of its own, with a hundredth of the tolerance and a longer
    overlap.  Its largest difference from the first one over all iterations stored is the error estimate, and
    the second solution is returned.  If the estimate exceeds the tolerance a third solution follows, and so
    on down to rounding.

    With many parameters and no diagonal Hessian no matrix is computed: sweeps are plain ones, accelerated by
    the last few, and each new element starts from the continuation of the one before.  This is efficient for
    equations that are about as stiff as the discrete run is stable.  Where such sweeps fail and the equation
    does not look ahead, they are preconditioned by the secants of each coordinate's gradient.  This solves
    coordinates that have converged, whose stiffness grows without limit as their average of squared gradients
    decays, if the Hessian is nearly diagonal.  The solver is inefficient where the velocity
    changes sign within eps of a zero of a gradient's coordinate (no memory, one accumulator for each
    coordinate): elements become as short as the time of this change.  ``max_gradients`` ends such a solution:
    when the budget is spent, or when steadily short elements show that the rest of the horizon would exceed
    it.

    Memory is bounded by the window, not the horizon: at most ``max_elements * stages`` nodes of 2n +
    (memories) numbers, besides the returned rows and, without look-ahead, the path of one pass, at most
    2**20 numbers.

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
        decreases faster than geometrically: on the paper's cells 4 iterations leave 1e-12, 8 leave rounding.
    max_gradients : float or None
        Gradient evaluations per iteration of the horizon, of all solutions together, after which the solver
        stops with the status ``not converged`` and reports the iteration that it reached.  None is a budget
        that solutions which converge do not reach: 2 million, and 1 000 for each of the first 10 000
        iterations and 50 for each later one; ``math.inf`` is no limit.

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
        """Check every setting; a message names the field, its value and the rule."""
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
        setup = Setup(optimizer, counted, alpha, start, steps)
        problem = self._problem(model, setup)
        k = kept(steps, keep)
        log = progress or (lambda line: None)
        sweeps, factor, overlap = 0, 1.0, self.overlap
        coarse: SolutionRows | None = None
        march: March | Guide | None = None
        # Overflow in a sweep that diverges is part of the outcome, no warning.
        with np.errstate(all="ignore"):
            first = problem.first_iterations(start, steps)
            if rtol >= FINE and not isinstance(model, Scheduled | Started):
                begin = 0.0 if first is None else float(first.count)
                march = run_guide(problem, setup, begin, self.max_elements)
            if march is not None and rtol < LOOSE:
                preliminary = LOOSE, LOOSE / rtol * atol
                march = March(
                    self, problem, start, steps, *preliminary, overlap, Discarded(), log, first, march
                ).run()
                sweeps += march.sweeps
                march = march if march.failed_at is None else None
            while True:
                rows = SolutionRows(problem, start, k, first)
                tolerances = factor * rtol, factor * atol
                guide = march
                march = March(
                    self, problem, start, steps, *tolerances, overlap, rows, log, first, guide
                ).run()
                sweeps += march.sweeps
                estimate, allowed = _certify(coarse, rows, rtol, atol)
                if march.failed_at is not None or estimate <= allowed:
                    break
                # The march raises its rtol to the rounding of a window: a finer pass would repeat this one.
                if coarse is not None and factor * rtol <= march.rtol / 100.0:
                    if not (isinstance(guide, March) and guide.path.complete):
                        break
                    # Long windows may miss a kink of the equation, which a march element by element resolves.
                    coarse, march = rows, None
                    continue
                coarse, factor, overlap = rows, FINER * factor, overlap + 0.5 * self.overlap
            loss = counted.value(rows.theta)
        status, message = "converged", f"error estimate {estimate:.2g}, allowed {allowed:.2g}"
        if march.failed_at is not None:
            status = "diverged" if march.diverged else "not converged"
            message = f"no solution beyond iteration {march.failed_at:.6g}: {march.reason}"
        elif not estimate <= allowed:
            status = "not converged"
        if first is not None and 2 * (first.count - first.first) > steps - first.first:
            count = min(first.count, steps) - first.first
            message += f"; the first {count} iterations are the optimizer's own"
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

    def _problem(self, model: Model, setup: Setup) -> Problem:
        """Return the equation on the objective; its budget begins at the gradients already counted."""
        steps = setup.steps
        if self.max_gradients is None:
            most = START + EARLY * min(steps, EARLY_STEPS) + LATE * max(steps - EARLY_STEPS, 0)
        else:
            most = self.max_gradients * steps
        most += setup.objective.gradients
        equation = derive(model, setup.optimizer, setup.alpha)
        return Problem(equation, setup.optimizer, setup.objective, radau(self.stages), most)


def _certify(
    coarse: SolutionRows | None, fine: SolutionRows, rtol: float, atol: float
) -> tuple[float, float]:
    """Return the error estimate and the error allowed, both in the sup norm over iterations and coordinates.

    The estimate is infinite after the first pass.  It is NaN, which no tolerance allows, if a pass has no
    value at some iteration.
    """
    scale = float(np.nanmax(np.abs(fine.theta)))
    allowed = atol + rtol * scale
    if coarse is None:
        return math.inf, allowed
    # Two solutions may agree better than their rounding: the estimate is at least that.
    difference = float(np.abs(fine.theta - coarse.theta).max())
    return max(difference, ROUNDING * scale), allowed
