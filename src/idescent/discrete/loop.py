"""Discrete runs of the optimizers.

What lives here: :func:`simulate`, and the loop in Python for the paper's optimizers.  If the gradient is
affine and separable, compiled loops (:mod:`idescent.discrete.kernels`) compute their runs instead, with the
same bits.  What does not: the loop for any other optimizer (:mod:`idescent.discrete.generic`), and many runs
in one call (:mod:`idescent.discrete.lockstep`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.discrete import memory
from idescent.discrete.corrections import correction, fading
from idescent.discrete.generic import GenericLoop
from idescent.discrete.kernels import RunRows, compiled, empty, fill, in_lanes
from idescent.discrete.setup import Setup
from idescent.discrete.start import kept_from
from idescent.objectives.protocol import CountedObjective, Objective
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.ratio import Ratio, own, ratio_of
from idescent.schedules import Schedule, factors
from idescent.trajectory import Keep, Report, Trajectory, assemble

Array = NDArray[np.float64]

# Numbers in a block of rows; of each block the rows to keep are selected before the next one is computed.
BLOCK = 2**22


def simulate(
    optimizer: Optimizer,
    objective: Objective,
    *,
    alpha: float,
    theta0: ArrayLike | None = None,
    start: Any = None,
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
    start : array, tuple or dict, optional
        Replaces ``theta0``; one of

        - theta, shape (n,);
        - ``(trajectory, k)``: a :class:`~idescent.Trajectory` and one of its iterations;
        - ``{"theta": ..., "moments": {...}, "k": ...}``, or an object with these attributes: a checkpoint.
          Moments are not bias-corrected.  Names of ``torch.optim`` (``exp_avg``, ``exp_avg_sq``, ``step``)
          and of ``optax`` (``mu``, ``nu``, ``count``) are accepted.  A list of arrays is joined in its order;
        - ``{"theta": ..., "iterations": 20}``: theta; all iterations are true ones.

        Iterations count from the start of the run: the run continues after ``k`` and ends at ``k + steps``,
        with the learning rates of a schedule there.
    steps : int, >= 1
        Number of iterations.
    schedule : Schedule, optional
        Factors of the learning rate, for example ``ide.schedules.Cosine(1000)``; time remains
        :math:`\alpha k`.
    keep : int or sequence of int, optional
        Interval between stored iterations (the last one is stored as well), or a list of iterations from the
        first to the last one; by default all are stored.  The run uses memory for the stored rows and a block
        of fixed size.

    Returns
    -------
    Trajectory
        Row k contains :math:`\theta_k` (or the iterate that the optimizer's ``evaluate`` returns) and the
        memories after iteration k, not bias-corrected; row 0 contains their initial values, in general 0, and
        the first row after a checkpoint those of the checkpoint.  If ``theta`` or a memory is not finite, the
        report has the status ``diverged`` and the iteration; rows from there on are NaN.

    Raises
    ------
    ValueError
        If an argument is outside its range, the objective is not finite at the start, or the stored rows do
        not fit into the available memory.
    """
    setup = Setup.checked(
        optimizer, objective, alpha=alpha, theta0=theta0, start=start, steps=steps, schedule=schedule
    )
    return DiscreteRun(setup, keep).go()


class DiscreteRun:
    """One run: memory check, iterations and trajectory.

    Parameters
    ----------
    setup : Setup
    keep : int or sequence of int, or None
    like : GenericLoop, optional
        Loop of an equal declared optimizer with as many parameters.

    Attributes
    ----------
    loop : GenericLoop or None
        Loop of an optimizer that is none of the paper's.
    first : int
        Iteration at which the run starts.
    steps : int
        Number of iterations.
    k : ndarray of int64, shape (r,)
        Rows to keep, counted from the start.
    rows : RunRows
        All rows, or a block of them, for an optimizer of the paper; allocated by :meth:`begin`.
    diverged_at : int or None
        First row that is not finite, counted from the start.
    """

    def __init__(self, setup: Setup, keep: Keep | None, like: GenericLoop | None = None) -> None:
        self.optimizer, self.objective, self.alpha = setup.optimizer, setup.objective, setup.alpha
        self.start, self.values = setup.start, setup.values
        self.first, self.steps = setup.first, setup.steps - setup.first
        memory.check(self.steps, needed(setup, keep))
        self.keep, self.k = keep, kept_from(self.first, self.steps, keep) - self.first
        rates = factors(setup.schedule, setup.steps)
        self.rates = None if rates is None else rates[self.first :]
        self.diverged_at: int | None = None
        self.whole = keep is None or self.size <= BLOCK
        closed_form = getattr(self.objective.objective, "separable_quadratic", None)
        ratio = self.ratio = own(self.optimizer)
        self.loop = GenericLoop(setup, like=like) if ratio is None else None
        self.library = compiled() if has_kernel(self.optimizer, self.objective.objective) else None
        self._separable = None if closed_form is None or ratio is None else closed_form(len(self.start))

    @property
    def size(self) -> int:
        """Numbers in all rows of theta."""
        return (self.steps + 1) * len(self.start)

    @property
    def in_lanes(self) -> bool:
        """Whether the kernel can compute it in lockstep with other runs."""
        return self.library is not None and self.whole and in_lanes(self.optimizer, len(self.start))

    @property
    def rows(self) -> RunRows:
        """The rows that a kernel fills."""
        return self._of(self.arrays, self.block_rates)

    def begin(self) -> RunRows:
        """Allocate the rows, all or a block of them, fill the first one, and return them."""
        self.allocate()
        return self.rows

    def allocate(self) -> None:
        """Allocate the rows, all or a block of them, and fill the first one."""
        count = self.steps if self.whole else min(self.steps, max(1, BLOCK // len(self.start)))
        self.arrays, self.block_rates = self._state(count), self.rates

    def go(self) -> Trajectory:
        """Compute the iterations; return the trajectory."""
        self.allocate()
        # The report records a divergence, so overflow needs no warning.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if self.whole:
                self.diverged_at = self._fill(0)
            else:
                self._fill_block_by_block()
        return self.result()

    def _state(self, count: int) -> list[Array]:
        """Return rows 0 ... count of theta and of each memory; only row 0 is filled."""
        if self.loop is not None:
            first = self.loop.state()
        elif self.values is not None:
            first = [self.start, *(self.values[name].ravel() for name in self.optimizer.moments)]
        else:
            widths = memory.widths(self.optimizer, len(self.start))
            first = [self.start, *map(np.zeros, widths)]
        arrays = [empty(count + 1, len(values)) for values in first]
        for rows, values in zip(arrays, first, strict=True):
            rows[0] = values
        return arrays

    def _of(self, arrays: list[Array], rates: Array | None) -> RunRows:
        theta, *first, second = arrays
        return RunRows(
            self.optimizer, self._separable, self.alpha, rates, theta, first[0] if first else None, second
        )

    def _fill(self, done: int) -> int | None:
        done += self.first
        if self.loop is not None:
            return self.loop.fill(self.arrays, done, self.block_rates)
        rows = self.rows
        if self.library is not None:
            return fill(self.library, rows, done)
        state = rows.theta, rows.first, rows.second
        return run_python(
            self.optimizer, self.objective, self.alpha, rows.steps, *state, done=done, rates=rows.rates
        )

    def _fill_block_by_block(self) -> None:
        """Compute block by block, and keep rows ``k``; the last row of a block is the first of the next."""
        block = self.arrays
        filled = self._state(len(self.k) - 1)
        done = 0
        while done < self.steps and self.diverged_at is None:
            count = min(len(block[0]) - 1, self.steps - done)
            self.block_rates = None if self.rates is None else self.rates[done : done + count]
            self.arrays = [rows[: count + 1] for rows in block]
            failed = self._fill(done)
            self.diverged_at = None if failed is None else done + failed
            at = slice(*np.searchsorted(self.k, (done + 1, done + count + 1)))
            for rows, values in zip(filled, block, strict=True):
                rows[at] = values[self.k[at] - done]
                values[0] = values[count]
            done += count
        self.arrays, self.block_rates = filled, None

    def result(self) -> Trajectory:
        """Return the trajectory of the filled rows; rows from a divergence on are NaN."""
        arrays, k, diverged_at = self.arrays, self.k, self.diverged_at
        if self.whole and self.keep is not None:
            arrays = [rows[k] for rows in arrays]
        theta, *moments = arrays
        end = len(k) if diverged_at is None else int(np.searchsorted(k, diverged_at))
        loss = np.empty(len(k))
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            loss[:end] = self.objective.value(theta[:end])
        for rows in (theta, loss, *moments):
            rows[end:] = np.nan
        evaluations, status, message = self.steps, "completed", f"{self.steps} iterations"
        if diverged_at is not None:
            evaluations, diverged_at = diverged_at, self.first + diverged_at
            status, message = "diverged", f"iteration {diverged_at} is not finite"
        evaluations += 0 if self.loop is None else self.loop.evaluations
        report = Report(status, message, gradient_evaluations=evaluations, diverged_at=diverged_at)
        named = dict(zip(self.optimizer.moments, moments, strict=True))
        return assemble(theta, loss, named, self.alpha, report, self.first + k)


def has_kernel(optimizer: Optimizer, objective: Objective) -> bool:
    """Whether a compiled loop can compute the runs, on a machine with a compiler."""
    ratio = own(optimizer)
    known = ratio is not None and (ratio.first is None) != ratio.corrected
    return known and getattr(objective, "separable_quadratic", None) is not None


def needed(setup: Setup, keep: Keep | None) -> int:
    """Return the count of numbers that a run needs, for ``idescent.discrete.memory.check``."""
    optimizer, steps = setup.optimizer, setup.steps - setup.first
    rates = 0 if setup.schedule is None else 2 * steps
    ratio = own(optimizer)
    decays = (ratio.beta1, ratio.beta2) if ratio is not None and ratio.corrected else ()
    corrections = sum(min(steps, fading(beta)) for beta in decays)
    return memory.numbers(optimizer, len(setup.start), steps, keep) + rates + corrections


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
    """Compute rows 1 ... steps for an optimizer that is a ratio; return the first row not finite, or None.

    Row 0 is the state after ``done`` iterations; ``rates`` are factors of alpha, one for each row.  The order
    of operations is that of ``_kernels.c``.
    """
    rate, ratio = alpha, known_ratio(optimizer)
    for k in range(1, steps + 1):
        old = theta[k - 1]
        if rates is not None:
            rate = alpha * float(rates[k - 1])
        momentum = None if first is None else first[k - 1]
        theta[k], kept, second[k] = update(
            optimizer, ratio, rate, done + k, old, momentum, second[k - 1], objective.gradient(old)
        )
        if first is not None:
            first[k] = kept
        # If the second moment overflows, theta stops changing: a test of theta alone would miss it.
        if not (np.isfinite(theta[k]).all() and np.isfinite(second[k]).all()):
            return k
    return None


def known_ratio(optimizer: Optimizer) -> Ratio:
    """Return the structure of an optimizer that is known to be a ratio."""
    ratio = ratio_of(optimizer)
    assert ratio is not None
    return ratio


def update(
    optimizer: Optimizer,
    ratio: Ratio,
    rate: float,
    k: int,
    theta: Array,
    first: Array | None,
    second: Array,
    gradient: Array,
) -> tuple[Array, Array | None, Array]:
    """Return ``theta`` and the moments after iteration ``k``.

    Parameters
    ----------
    optimizer : Optimizer
    ratio : Ratio
        Structure of the optimizer.
    rate : float
        Learning rate of this iteration.
    k : int, >= 1
    theta, gradient : ndarray, shape (..., n)
        Parameters before the iteration, and the gradient there; leading axes are independent runs.
    first : ndarray, shape (..., n), or None
        First moment before the iteration, if the optimizer has one.
    second : ndarray, shape (..., width)
        Second moment before the iteration.
    """
    beta1, beta2 = ratio.beta1, ratio.beta2
    if optimizer.coupled_decay:
        gradient = gradient + optimizer.coupled_decay * theta
    squares = optimizer.squares(gradient)
    second = second + squares if ratio.sums else beta2 * second + (1.0 - beta2) * squares
    direction, scale = gradient, second
    if first is not None:
        first = beta1 * first + (1.0 - beta1) * gradient
        direction = first
    if ratio.corrected:
        direction = correction(beta1, k) * direction
        scale = correction(beta2, k) * scale
    shrink = 1.0 - rate * optimizer.decoupled_decay
    return shrink * theta - rate * direction / (np.sqrt(scale) + ratio.eps), first, second
