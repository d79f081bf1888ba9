r"""Learning-rate schedules: what :math:`\alpha` is multiplied by, in discrete runs and in models alike.

What lives here: schedules as data.  What does not: running an optimizer or solving a model under one
(:mod:`idescent.discrete.loop`, :mod:`idescent.models.scheduled`).

One function of k-time serves both: iteration k, which leads from :math:`s = k-1` to :math:`s = k`, uses the
factor :math:`\rho(k-\tfrac12)` of its middle, and a model uses :math:`\rho(s)` at every s.  The average of
:math:`\rho` over a step is then the factor of that step: exactly for steps and straight lines, up to a
relative :math:`(\pi/T)^2/24` for a cosine of length T.  So a schedule adds no error of first order to a
model.

Time stays :math:`t = \alpha s` with the nominal :math:`\alpha`.
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

# Ends of elements are whole s up to rounding; the end of a step belongs to it, not to the next.
_ROUNDING = 1e-12


class Schedule(Protocol):
    """A factor on the learning rate, as a function of k-time."""

    def rate(self, s: Array) -> Array:
        r"""Return :math:`\rho(s)`, shape of ``s``; at a jump the value before it."""

    def breaks(self, steps: int) -> tuple[float, ...]:
        """Return where in (0, steps) the factor or its slope may jump, in increasing order."""


@dataclass(frozen=True)
class Constant:
    r"""The same factor throughout: :math:`\rho = c`.

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
        """Return nothing."""
        return ()


@dataclass(frozen=True)
class LinearWarmup:
    r"""A linear rise, then the full rate.

    .. math:: \text{iteration } k: \quad \rho_k = a + (1-a)\min(k/W, 1)

    so that iteration W is the first at the full rate.  PyTorch's ``LinearLR(start_factor=a + (1-a)/W,
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
        # The last step of the rise is at the full rate throughout: a kink in it would spoil its average.
        rising = self.start + (1.0 - self.start) * ((s + 0.5) / self.steps)
        return np.where(s <= (self.steps - 1) * (1.0 + _ROUNDING), rising, 1.0)

    def breaks(self, steps: int) -> tuple[float, ...]:
        """Return the end of the rise."""
        return within((self.steps - 1.0,), steps)


@dataclass(frozen=True)
class Cosine:
    r"""Half a cosine from 1 to ``final``, which is then kept (Loshchilov & Hutter 2017, without restarts).

    .. math:: \text{iteration } k: \quad \rho_k = b + \tfrac{1-b}2\Bigl(1 + \cos\frac{\pi(k-1)}T\Bigr)
              \quad (k \le T + 1), \qquad b \text{ afterwards}

    PyTorch's ``CosineAnnealingLR(T_max=T, eta_min=b*lr)`` up to iteration T + 1 (which then rises again).

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
        """Return the end of the fall."""
        return within((self.steps + 0.5,), steps)


@dataclass(frozen=True)
class Step:
    r"""A factor applied again every so many iterations.

    .. math:: \text{iteration } k: \quad \rho_k = \gamma^{\lfloor (k-1)/K\rfloor}

    PyTorch's ``StepLR(step_size=K, gamma=gamma)``.

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
        done = np.ceil(s / self.every * (1.0 - _ROUNDING)) - 1.0
        return np.asarray(self.factor ** np.maximum(done, 0.0))

    def breaks(self, steps: int) -> tuple[float, ...]:
        """Return the jumps."""
        return tuple(float(s) for s in range(self.every, steps, self.every))


@dataclass(frozen=True)
class Sequential:
    """Schedules one after the other, each begun anew (PyTorch's ``SequentialLR``).

    Parameters
    ----------
    schedules : sequence of Schedule
    milestones : sequence of int
        After how many iterations the second, third, ... takes over; one fewer than schedules.

    Raises
    ------
    ValueError
        If one of them is no schedule, the numbers do not fit or the milestones do not increase.
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
        found = self.schedules[0].rate(s)
        for at, schedule in zip(self.milestones, self.schedules[1:], strict=True):
            found = np.where(s > at * (1.0 + _ROUNDING), schedule.rate(s - at), found)
        return found

    def breaks(self, steps: int) -> tuple[float, ...]:
        """Return the milestones, and the breaks of each part as long as it lasts."""
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
        If it is no schedule or writes to ``s``, or a factor is negative or not finite.
    """
    if schedule is None:
        return None
    check(schedule)
    s = np.arange(0.5, steps)
    # Models ask with arrays that they use again: a rate that works in place would change their equations.
    s.setflags(write=False)
    try:
        found = np.ascontiguousarray(schedule.rate(s), dtype=np.float64)
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise ValueError(
            f"schedule: {schedule!r} is not allowed: rate must not write to the array s, which is read-only"
        ) from error
    if found.shape != (steps,) or not (np.isfinite(found) & (found >= 0.0)).all():
        raise ValueError(f"schedule: {schedule!r} is not allowed: every factor must be a finite number >= 0")
    return found


def check(schedule: Any) -> None:
    """Refuse a value that is no schedule, such as a function or a class."""
    methods = all(callable(getattr(schedule, name, None)) for name in ("rate", "breaks"))
    if isinstance(schedule, type) or not methods:
        raise ValueError(
            f"schedule: {schedule!r} is not allowed: must be an object with the methods rate(s) and "
            "breaks(steps), such as ide.schedules.Cosine(1000)"
        )


def within(at: Sequence[float], end: float) -> tuple[float, ...]:
    """Return the values strictly between 0 and an end, each once and in increasing order."""
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
