"""Discrete runs of the optimizers: Algorithms 1-3 of the paper.

What lives here: :func:`simulate` and the loop in Python.  Compiled loops (:mod:`idescent.discrete.kernels`)
serve objectives whose gradient is affine and separable; everything else runs the Python loop, which has the
same bits.  What does not: many runs at once (:mod:`idescent.discrete.lockstep`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.discrete import memory
from idescent.discrete.corrections import correction, fading
from idescent.discrete.kernels import RunRows, compiled, empty, fill, in_lanes
from idescent.discrete.setup import Setup
from idescent.objectives.protocol import CountedObjective, Objective
from idescent.optimizers.optimizer import Optimizer
from idescent.schedules import Schedule, factors
from idescent.trajectory import Keep, Report, Trajectory, assemble, kept

Array = NDArray[np.float64]

# Numbers in a block of rows that is thinned before the next one is made.
BLOCK = 2**22


def simulate(
    optimizer: Optimizer,
    objective: Objective,
    *,
    alpha: float,
    theta0: ArrayLike,
    steps: int,
    schedule: Schedule | None = None,
    keep: Keep | None = None,
) -> Trajectory:
    r"""Run an optimizer for a number of iterations.

    Parameters
    ----------
    optimizer : Optimizer
    objective : Objective
    alpha : float in (0, 1]
        Learning rate.
    theta0 : float or array_like, shape (n,)
        Initial parameters.
    steps : int, >= 1
        Number of iterations.
    schedule : Schedule, optional
        What the learning rate is multiplied by, for example ``ide.schedules.Cosine(1000)``; time stays
        :math:`\alpha k`.
    keep : int or sequence of int, optional
        Every how many-th iteration is stored (and the last); or which ones, from 0 to ``steps``; default all.
        Memory is that of the rows kept, and of a block of fixed size.

    Returns
    -------
    Trajectory
        Row k holds :math:`\theta_k` and the moments after iteration k; moments are 0 in row 0 and not
        bias-corrected.  If ``theta`` or a moment is not finite the report says ``diverged`` and where; rows
        from there on are NaN.

    Raises
    ------
    ValueError
        If an argument is outside its range, the objective is not finite at ``theta0``, or the rows kept do
        not fit into the memory available.
    """
    setup = Setup.checked(optimizer, objective, alpha=alpha, theta0=theta0, steps=steps, schedule=schedule)
    return DiscreteRun(setup, keep).go()


class DiscreteRun:
    """A run from its checked arguments over its rows to its trajectory.

    Attributes
    ----------
    rows : Rows
        All of them, or a block; allocated by :meth:`begin`.
    diverged_at : int or None
        First iteration that is not finite.
    """

    def __init__(self, setup: Setup, keep: Keep | None) -> None:
        self.optimizer, self.objective, self.alpha = setup.optimizer, setup.objective, setup.alpha
        self.start, self.steps = setup.start, setup.steps
        memory.check(self.steps, needed(setup, keep))
        self.keep, self.k = keep, kept(self.steps, keep)
        self.rates = factors(setup.schedule, self.steps)
        self.diverged_at: int | None = None
        self.whole = keep is None or self.size <= BLOCK
        closed_form = getattr(self.objective.objective, "separable_quadratic", None)
        known = closed_form is not None and self.optimizer.momentum == self.optimizer.bias_correction
        self.library = compiled() if known else None
        self._separable = None if closed_form is None else closed_form(len(self.start))

    @property
    def size(self) -> int:
        """Numbers in all rows of theta."""
        return (self.steps + 1) * len(self.start)

    @property
    def in_lanes(self) -> bool:
        """Whether it can go in lockstep with others."""
        return self.library is not None and self.whole and in_lanes(self.optimizer, len(self.start))

    def begin(self) -> RunRows:
        """Allocate the rows, all or a block of them, and fill the first."""
        count = self.steps if self.whole else min(self.steps, max(1, BLOCK // len(self.start)))
        self.rows = self._of(self.rates, *_state(self.optimizer, self.start, count))
        return self.rows

    def go(self) -> Trajectory:
        """Make the iterations; return the trajectory."""
        self.begin()
        # Overflow on the way to a divergence is recorded in the report, not warned about.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if self.whole:
                self.diverged_at = self._fill(0)
            else:
                self._fill_block_by_block()
        return self.result()

    def _of(self, rates: Array | None, theta: Array, first: Array | None, second: Array) -> RunRows:
        return RunRows(self.optimizer, self._separable, self.alpha, rates, theta, first, second)

    def _fill(self, done: int) -> int | None:
        rows = self.rows
        if self.library is not None:
            return fill(self.library, rows, done)
        state = rows.theta, rows.first, rows.second
        return run_python(
            self.optimizer, self.objective, self.alpha, rows.steps, *state, done=done, rates=rows.rates
        )

    def _fill_block_by_block(self) -> None:
        """Keep rows ``k`` of each block; the last row of one is the first of the next."""
        theta, first, second = block = self.rows.theta, self.rows.first, self.rows.second
        filled = _state(self.optimizer, self.start, len(self.k) - 1)
        done = 0
        while done < self.steps and self.diverged_at is None:
            count = min(len(theta) - 1, self.steps - done)
            rates = None if self.rates is None else self.rates[done : done + count]
            part = slice(count + 1)
            self.rows = self._of(rates, theta[part], None if first is None else first[part], second[part])
            found = self._fill(done)
            self.diverged_at = None if found is None else done + found
            at = slice(*np.searchsorted(self.k, (done + 1, done + count + 1)))
            for rows, values in zip(filled, block, strict=True):
                if rows is not None and values is not None:
                    rows[at] = values[self.k[at] - done]
                    values[0] = values[count]
            done += count
        self.rows = self._of(None, *filled)

    def result(self) -> Trajectory:
        """Return the trajectory of the filled rows; rows from a divergence on are NaN."""
        theta, first, second = self.rows.theta, self.rows.first, self.rows.second
        k, diverged_at = self.k, self.diverged_at
        if self.whole and self.keep is not None:
            theta, second, first = theta[k], second[k], None if first is None else first[k]
        moments = (second,) if first is None else (first, second)
        end = len(k) if diverged_at is None else int(np.searchsorted(k, diverged_at))
        loss = np.empty(len(k))
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            loss[:end] = self.objective.value(theta[:end])
        for rows in (theta, loss, *moments):
            rows[end:] = np.nan
        status, message = "completed", f"{self.steps} iterations"
        if diverged_at is not None:
            status, message = "diverged", f"iteration {diverged_at} is not finite"
        evaluations = self.steps if diverged_at is None else diverged_at
        report = Report(status, message, gradient_evaluations=evaluations, diverged_at=diverged_at)
        named = dict(zip(self.optimizer.moments, moments, strict=True))
        return assemble(theta, loss, named, self.alpha, report, k)


def needed(setup: Setup, keep: Keep | None) -> int:
    """Return how many numbers a run needs, to be checked by ``idescent.discrete.memory.check``."""
    optimizer, steps = setup.optimizer, setup.steps
    rates = 0 if setup.schedule is None else 2 * steps
    decays = (optimizer.decay1, optimizer.decay2) if optimizer.bias_correction else ()
    corrections = sum(min(steps, fading(beta)) for beta in decays)
    return memory.numbers(optimizer, len(setup.start), steps, keep) + rates + corrections


def _state(optimizer: Optimizer, start: Array, steps: int) -> tuple[Array, Array | None, Array]:
    """Return rows 0 ... steps of theta, first and second moment, of which only row 0 is filled."""
    n = len(start)
    theta, second = empty(steps + 1, n), empty(steps + 1, optimizer.width(n))
    first = empty(steps + 1, n) if optimizer.momentum else None
    theta[0], second[0] = start, 0.0
    if first is not None:
        first[0] = 0.0
    return theta, first, second


def run_python(
    optimizer: Optimizer,
    objective: CountedObjective,
    alpha: float,
    steps: int,
    theta: Array,
    first: Array | None,
    second: Array,
    done: int = 0,
    rates: Array | None = None,
) -> int | None:
    """Fill rows 1 ... steps of ``theta`` and the moments; return the first row not finite, if any.

    Row 0 is the state after ``done`` iterations; ``rates`` is what alpha is multiplied by in each row.  The
    order of operations is that of ``_kernels.c``.
    """
    rate = alpha
    for k in range(1, steps + 1):
        old = theta[k - 1]
        if rates is not None:
            rate = alpha * float(rates[k - 1])
        momentum = None if first is None else first[k - 1]
        theta[k], kept, second[k] = update(
            optimizer, rate, done + k, old, momentum, second[k - 1], objective.gradient(old)
        )
        if first is not None:
            first[k] = kept
        # A second moment that overflows stops theta for good: on theta alone that would pass as a run.
        if not (np.isfinite(theta[k]).all() and np.isfinite(second[k]).all()):
            return k
    return None


def update(
    optimizer: Optimizer,
    rate: float,
    k: int,
    theta: Array,
    first: Array | None,
    second: Array,
    gradient: Array,
) -> tuple[Array, Array | None, Array]:
    """Return ``theta`` and the moments after iteration ``k``, given those before it and the gradient.

    Parameters
    ----------
    optimizer : Optimizer
    rate : float
        Learning rate of this iteration.
    k : int, >= 1
    theta, gradient : ndarray, shape (..., n)
        Leading axes are independent runs.
    first : ndarray, shape (..., n), or None
        First moment, where the optimizer has one.
    second : ndarray, shape (..., width)
    """
    beta1, beta2 = optimizer.decay1, optimizer.decay2
    if optimizer.coupled_decay:
        gradient = gradient + optimizer.coupled_decay * theta
    squares = optimizer.squares(gradient)
    second = second + squares if optimizer.summing else beta2 * second + (1.0 - beta2) * squares
    direction, scale = gradient, second
    if first is not None:
        first = beta1 * first + (1.0 - beta1) * gradient
        direction = first
    if optimizer.bias_correction:
        direction = correction(beta1, k) * direction
        scale = correction(beta2, k) * scale
    shrink = 1.0 - rate * optimizer.decoupled_decay
    return shrink * theta - rate * direction / (np.sqrt(scale) + optimizer.eps), first, second
