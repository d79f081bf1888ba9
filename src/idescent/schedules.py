r"""Learning-rate schedules: factors of :math:`\alpha`, for discrete runs and for models.

What lives here: schedules as data.  What does not: an optimizer or a model under a schedule
(:mod:`idescent.discrete.loop`, :mod:`idescent.models.scheduled`).

A schedule is one function :math:`\rho` of k-time.  Iteration k, from :math:`s = k-1` to :math:`s = k`, has
the factor :math:`\rho(k-\tfrac12)` of its middle; a model has the factor :math:`\rho(s)` at every s.  The
average of :math:`\rho` over a step is then the factor of that step, exactly for steps and straight lines, and
up to a relative error :math:`(\pi/T)^2/24` for a cosine of length T.  So a schedule adds no error of first
order to a model.

Time remains :math:`t = \alpha s` with the nominal :math:`\alpha`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import is_number, is_whole

Array = NDArray[np.float64]

# Ends of elements are whole s up to rounding: within it, the end of a step belongs to that step, not to the
# next.
_ROUNDING = 1e-12


class Schedule(Protocol):
    """A factor on the learning rate, as a function of k-time."""

    def rate(self, s: Array) -> Array:
        r"""Return :math:`\rho(s)`, shape of ``s``; at a jump the value before it."""

    def breaks(self, steps: int) -> tuple[float, ...]:
        """Return the points in (0, steps) at which the factor or its slope may jump, in increasing order."""


@dataclass(frozen=True)
class Constant:
    r"""A constant factor, :math:`\rho = c`.

    Parameters
    ----------
    factor : float, > 0

    Raises
    ------
    ValueError
        If ``factor`` is not a finite number above 0.
    """

    factor: float = 1.0

    def __post_init__(self) -> None:
        """Check the factor."""
        _positive("Constant.factor", self.factor)

    def rate(self, s: Array) -> Array:
        """Return the factor; see :class:`Schedule`."""
        return np.full_like(s, self.factor)

    def breaks(self, steps: int) -> tuple[float, ...]:
        """Return an empty tuple: there are no jumps."""
        return ()


@dataclass(frozen=True)
class LinearWarmup:
    r"""A linear increase to the full rate, which then stays constant.

    .. math:: \text{iteration } k: \quad \rho_k = a + (1-a)\min(k/W, 1)

    so that iteration W is the first at the full rate.  In PyTorch: ``LinearLR(start_factor=a + (1-a)/W,
    total_iters=W-1)``.

    Parameters
    ----------
    steps : int, >= 1
        W.
    start : float in [0, 1]
        a.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    steps: int
    start: float = 0.0

    def __post_init__(self) -> None:
        """Check both."""
        _whole("LinearWarmup.steps", self.steps)
        _fraction("LinearWarmup.start", self.start)

    def rate(self, s: Array) -> Array:
        """Return the factor; see :class:`Schedule`."""
        # Step W has the full rate throughout: with a kink inside, its average would not be its factor.
        rising = self.start + (1.0 - self.start) * ((s + 0.5) / self.steps)
        return np.where(s <= (self.steps - 1) * (1.0 + _ROUNDING), rising, 1.0)

    def breaks(self, steps: int) -> tuple[float, ...]:
        """Return the end of the increase."""
        return within((self.steps - 1.0,), steps)


@dataclass(frozen=True)
class Cosine:
    r"""Half a cosine from 1 to ``final``, then constant (Loshchilov & Hutter 2017, without restarts).

    .. math:: \text{iteration } k: \quad \rho_k = b + \tfrac{1-b}2\Bigl(1 + \cos\frac{\pi(k-1)}T\Bigr)
              \quad (k \le T + 1), \qquad b \text{ afterwards}

    In PyTorch: ``CosineAnnealingLR(T_max=T, eta_min=b*lr)`` up to iteration T + 1, after which PyTorch's
    increases.

    Parameters
    ----------
    steps : int, >= 1
        T.
    final : float in [0, 1]
        b.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        """Check both."""
        _whole("Cosine.steps", self.steps)
        _fraction("Cosine.final", self.final)

    def rate(self, s: Array) -> Array:
        """Return the factor; see :class:`Schedule`."""
        part = np.minimum((s - 0.5) / self.steps, 1.0)
        return np.asarray(self.final + 0.5 * (1.0 - self.final) * (1.0 + np.cos(np.pi * part)))

    def breaks(self, steps: int) -> tuple[float, ...]:
        """Return the end of the decrease."""
        return within((self.steps + 0.5,), steps)


@dataclass(frozen=True)
class Step:
    r"""Multiplication by a factor after every K iterations.

    .. math:: \text{iteration } k: \quad \rho_k = \gamma^{\lfloor (k-1)/K\rfloor}

    In PyTorch: ``StepLR(step_size=K, gamma=gamma)``.

    Parameters
    ----------
    every : int, >= 1
        K.
    factor : float, > 0
        :math:`\gamma`.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    every: int
    factor: float

    def __post_init__(self) -> None:
        """Check both."""
        _whole("Step.every", self.every)
        _positive("Step.factor", self.factor)

    def rate(self, s: Array) -> Array:
        """Return the factor; see :class:`Schedule`."""
        count = np.ceil(s / self.every * (1.0 - _ROUNDING)) - 1.0
        return np.asarray(self.factor ** np.maximum(count, 0.0))

    def breaks(self, steps: int) -> tuple[float, ...]:
        """Return the jumps."""
        return tuple(float(s) for s in range(self.every, steps, self.every))


@dataclass(frozen=True)
class Sequential:
    """Several schedules in sequence, each starting at its own s = 0 (PyTorch's ``SequentialLR``).

    Parameters
    ----------
    schedules : sequence of Schedule
    milestones : sequence of int
        Numbers of iterations after which the second, third, ... schedule begins; one fewer than schedules.

    Raises
    ------
    ValueError
        If an entry is not a schedule, the number of milestones is wrong, or they do not increase.
    """

    schedules: Sequence[Schedule]
    milestones: Sequence[int]

    def __post_init__(self) -> None:
        """Check the milestones."""
        object.__setattr__(self, "schedules", tuple(self.schedules))
        object.__setattr__(self, "milestones", tuple(self.milestones))
        for schedule in self.schedules:
            check(schedule)
        for at in self.milestones:
            _whole("Sequential.milestones", at)
        rising = all(a < b for a, b in zip(self.milestones, self.milestones[1:], strict=False))
        if len(self.schedules) != len(self.milestones) + 1 or not rising:
            raise ValueError(
                f"Sequential.milestones: {self.milestones!r} is not allowed: "
                f"must be {len(self.schedules) - 1} increasing numbers of iterations"
            )

    def rate(self, s: Array) -> Array:
        """Return the factor; see :class:`Schedule`."""
        rate = self.schedules[0].rate(s)
        for at, schedule in zip(self.milestones, self.schedules[1:], strict=True):
            rate = np.where(s > at * (1.0 + _ROUNDING), schedule.rate(s - at), rate)
        return rate

    def breaks(self, steps: int) -> tuple[float, ...]:
        """Return the milestones, and the jumps of each schedule in its part of the horizon."""
        starts, ends = (0, *self.milestones), (*self.milestones, steps)
        inner = [
            at + start
            for schedule, start, end in zip(self.schedules, starts, ends, strict=True)
            if start < steps
            for at in (0.0, *schedule.breaks(min(end, steps) - start))
        ]
        return within(inner, steps)


def factors(schedule: Schedule | None, steps: int) -> Array | None:
    r"""Return the factors :math:`\rho(k-\tfrac12)` of iterations k = 1 ... steps; None without a schedule.

    Raises
    ------
    ValueError
        If it is not a schedule, it writes to ``s``, or a factor is negative or not finite.
    """
    if schedule is None:
        return None
    check(schedule)
    s = np.arange(0.5, steps)
    # Read-only, because models pass arrays that they use again: a rate that works in place would change their
    # equations.
    s.setflags(write=False)
    try:
        rates = np.ascontiguousarray(schedule.rate(s), dtype=np.float64)
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise ValueError(
            f"schedule: {schedule!r} is not allowed: rate must not write to the array s, which is read-only"
        ) from error
    if rates.shape != (steps,) or not (np.isfinite(rates) & (rates >= 0.0)).all():
        raise ValueError(f"schedule: {schedule!r} is not allowed: every factor must be a finite number >= 0")
    return rates


def check(schedule: Any) -> None:
    """Raise ValueError for a value that is not a schedule, such as a function or a class."""
    methods = all(callable(getattr(schedule, name, None)) for name in ("rate", "breaks"))
    if isinstance(schedule, type) or not methods:
        raise ValueError(
            f"schedule: {schedule!r} is not allowed: must be an object with the methods rate(s) and "
            "breaks(steps), such as ide.schedules.Cosine(1000)"
        )


def within(at: Sequence[float], end: float) -> tuple[float, ...]:
    """Return the distinct values strictly between 0 and ``end``, in increasing order."""
    return tuple(sorted({s for s in at if 0.0 < s < end}))


def _positive(name: str, value: Any) -> None:
    if not is_number(value) or not 0.0 < value < math.inf:
        raise ValueError(f"{name}: {value!r} is not allowed: must be a finite number > 0")


def _fraction(name: str, value: Any) -> None:
    if not is_number(value) or not 0.0 <= value <= 1.0:
        raise ValueError(f"{name}: {value!r} is not allowed: must be a number in [0, 1]")


def _whole(name: str, value: Any) -> None:
    if not is_whole(value) or value < 1:
        raise ValueError(f"{name}: {value!r} is not allowed: must be an integer >= 1")
