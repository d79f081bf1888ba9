"""Discrete runs of the optimizers: Algorithms 1-3 of the paper.

What lives here: :func:`simulate`, the compiled loop's loader and the same loop in Python.  The compiled loop
serves objectives whose gradient is affine and separable; everything else runs the Python loop, which has the
same bits.
"""

from __future__ import annotations

import ctypes
import hashlib
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.objectives.protocol import CountedObjective, Objective
from idescent.optimizers import Optimizer
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
        If an argument is outside its range, or the objective is not finite at ``theta0``.
    """
    start = checked_start(objective, alpha, theta0, steps)
    alpha, steps = float(alpha), int(steps)
    rates = factors(schedule, steps)
    k = kept(steps, keep)
    n = len(start)
    whole = keep is None or (steps + 1) * n <= BLOCK
    theta, first, second = _state(optimizer, start, steps if whole else 0)
    counted = CountedObjective(objective)
    separable = getattr(objective, "separable_quadratic", None)
    library = compiled() if optimizer.momentum == optimizer.bias_correction else None
    # Overflow on the way to a divergence is recorded in the report, not warned about.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if not whole:
            theta, first, second, diverged_at = _run_thinned(optimizer, counted, alpha, rates, start, k)
            evaluations = counted.gradients
        elif separable is not None and library is not None:
            diverged_at = _run_compiled(library, optimizer, separable(n), alpha, rates, theta, first, second)
            evaluations = steps if diverged_at is None else diverged_at
        else:
            diverged_at = run_python(optimizer, counted, alpha, steps, theta, first, second, rates=rates)
            evaluations = counted.gradients
        if whole and keep is not None:
            theta, second, first = theta[k], second[k], None if first is None else first[k]
        moments = dict(zip(optimizer.moments, (second,) if first is None else (first, second), strict=True))
        end = len(k) if diverged_at is None else int(np.searchsorted(k, diverged_at))
        loss = np.empty(len(k))
        loss[:end] = counted.value(theta[:end])
        for rows in (theta, loss, *moments.values()):
            rows[end:] = np.nan
    status = "completed" if diverged_at is None else "diverged"
    message = f"{steps} iterations" if diverged_at is None else f"iteration {diverged_at} is not finite"
    report = Report(status, message, gradient_evaluations=evaluations, diverged_at=diverged_at)
    return assemble(theta, loss, moments, alpha, report, k)


def _state(optimizer: Optimizer, start: Array, steps: int) -> tuple[Array, Array | None, Array]:
    """Return rows 0 ... steps of theta, first and second moment, of which only row 0 is filled."""
    n = len(start)
    theta = np.empty((steps + 1, n))
    theta[0] = start
    first = np.zeros((steps + 1, n)) if optimizer.momentum else None
    return theta, first, np.zeros((steps + 1, optimizer.width(n)))


def _run_thinned(
    optimizer: Optimizer,
    objective: CountedObjective,
    alpha: float,
    rates: Array | None,
    start: Array,
    k: NDArray[np.int64],
) -> tuple[Array, Array | None, Array, int | None]:
    """Run block by block; return the rows ``k`` and the first iteration that is not finite, if any."""
    steps = int(k[-1])
    block = _state(optimizer, start, min(steps, max(1, BLOCK // len(start))))
    rows = _state(optimizer, start, len(k) - 1)
    done, diverged_at = 0, None
    while done < steps and diverged_at is None:
        count = min(len(block[0]) - 1, steps - done)
        share = None if rates is None else rates[done : done + count]
        found = run_python(optimizer, objective, alpha, count, *block, done=done, rates=share)
        diverged_at = None if found is None else done + found
        at = slice(*np.searchsorted(k, (done + 1, done + count + 1)))
        for filled, values in zip(rows, block, strict=True):
            if filled is not None and values is not None:
                filled[at] = values[k[at] - done]
                values[0] = values[count]
        done += count
    return *rows, diverged_at


def checked_start(objective: Objective, alpha: float, theta0: ArrayLike, steps: int) -> Array:
    """Check the arguments that runs and solutions share; return ``theta0`` as a vector, shape (n,)."""
    if isinstance(alpha, bool) or not isinstance(alpha, int | float | np.floating) or not 0.0 < alpha <= 1.0:
        raise ValueError(f"alpha: {alpha!r} is not allowed: must be a number in (0, 1]")
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise ValueError(f"steps: {steps!r} is not allowed: must be an integer >= 1")
    try:
        start = np.atleast_1d(np.asarray(theta0, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(f"theta0: {theta0!r} is not allowed: must be a number or a vector (n,)") from error
    if start.ndim != 1 or start.size == 0:
        raise ValueError(f"theta0: shape {start.shape} is not allowed: must be a number or a vector (n,)")
    if not np.isfinite(start).all():
        raise ValueError(f"theta0: {theta0!r} is not allowed: every value must be finite")
    _check_objective(CountedObjective(objective), start)
    return start


def _check_objective(objective: CountedObjective, start: Array) -> None:
    n = start.size
    # In a square array a function of a single point could get the shapes right by chance.
    copies = 3 if n == 2 else 2
    for theta, where in ((start, "at theta0"), (np.tile(start, (copies, 1)), f"at {copies} points")):
        hint = "" if theta.ndim == 1 else "; set vectorized = False if it takes one point at a time"
        for name, evaluate, shape in (
            ("value", objective.value, theta.shape[:-1]),
            ("gradient", objective.gradient, theta.shape),
        ):
            try:
                value = evaluate(theta)
            except (TypeError, ValueError, IndexError) as error:
                raise ValueError(f"objective.{name} {where} of shape {theta.shape}: {error}{hint}") from error
            if value.shape != shape:
                raise ValueError(f"objective.{name}: shape {value.shape} {where}: must be {shape}{hint}")
            if not np.isfinite(value).all():
                raise ValueError(
                    f"objective.{name}: {value.tolist()!r} at theta0 = {start.tolist()!r}: must be finite"
                )


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
    gradient = gradient + optimizer.coupled_decay * theta
    squares = optimizer.squares(gradient)
    second = second + squares if optimizer.summing else beta2 * second + (1.0 - beta2) * squares
    direction, scale = gradient, second
    if first is not None:
        first = beta1 * first + (1.0 - beta1) * gradient
        direction = first
    if optimizer.bias_correction:
        direction = direction / (1.0 - beta1**k)
        scale = scale / (1.0 - beta2**k)
    shrink = 1.0 - rate * optimizer.decoupled_decay
    return shrink * theta - rate * direction / (np.sqrt(scale) + optimizer.eps), first, second


class _Rule(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_double) for name in ("beta1", "beta2", "eps", "decoupled_decay", "coupled_decay")),
        *((name, ctypes.c_int32) for name in ("summing", "bias_correction", "norm")),
    )


def _run_compiled(
    library: ctypes.CDLL,
    optimizer: Optimizer,
    separable: tuple[Array, Array],
    alpha: float,
    rates: Array | None,
    theta: Array,
    first: Array | None,
    second: Array,
) -> int | None:
    rule = _Rule(
        optimizer.decay1,
        optimizer.decay2,
        optimizer.eps,
        optimizer.decoupled_decay,
        optimizer.coupled_decay,
        optimizer.summing,
        optimizer.bias_correction,
        optimizer.norm,
    )
    # The kernel trusts its pointers: shape and type are made certain here.
    arrays = [np.broadcast_to(np.asarray(a, dtype=np.float64), theta.shape[1:]).copy() for a in separable]
    # Without momentum the kernel never touches the first moment; any valid pointer will do.
    arrays += [theta, theta if first is None else first, second]
    pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in arrays]
    at = library.simulate(
        ctypes.c_int64(len(theta) - 1),
        ctypes.c_int64(theta.shape[1]),
        ctypes.c_double(alpha),
        None if rates is None else rates.ctypes.data_as(ctypes.c_void_p),
        ctypes.byref(rule),
        *pointers,
    )
    return None if at < 0 else int(at)


@cache
def compiled() -> ctypes.CDLL | None:
    """Load the compiled kernels, or return None if they were not built.

    Raises
    ------
    RuntimeError
        If they were compiled from another version of the source: install again.
    """
    folder = Path(__file__).parent
    found = next(
        (p for p in (folder / f"_kernels{suffix}" for suffix in EXTENSION_SUFFIXES) if p.exists()), None
    )
    if found is None:
        return None
    library = ctypes.CDLL(str(found))
    library.simulate.restype = ctypes.c_int64
    library.source_digest.restype = ctypes.c_char_p
    if library.source_digest().decode() != hashlib.sha256((folder / "_kernels.c").read_bytes()).hexdigest():
        raise RuntimeError("the compiled kernels are older than src/idescent/_kernels.c: run `make install`")
    return library
