"""The fixed point over a whole path: sweep, relaxation and stopping.

What lives here: the loop, its result, and the check of its settings.  What does not: the sweeps of the
equations (:mod:`idescent.solvers.ide`, :mod:`idescent.solvers.picard`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import integer, is_number, positive, shown

Array = NDArray[Any]
Sweep = Callable[[Array], Array]
Status = Literal["converged", "smoothing exhausted", "iteration limit", "diverged"]
Smoothing = tuple[float, float, int]

PAPER_SMOOTHING: Smoothing = (0.5, 0.9999, 1000)
# The paper's code allows 10**10, which would take years; its longest runs take thousands.
MAX_SWEEPS = 100_000
MAX_FACTORS = 1_000_000


def check_settings(owner: str, tolerance: Any, smoothing: Any, max_sweeps: Any) -> Smoothing:
    """Check the settings of :func:`relax`; return ``smoothing`` as plain numbers.

    Raises
    ------
    ValueError
        If a setting is outside its range; the message begins with ``owner`` and the setting's name.
    """
    positive(f"{owner}tolerance", tolerance)
    integer(f"{owner}max_sweeps", max_sweeps)
    try:
        first, last, number = smoothing
    except (TypeError, ValueError):
        first = last = number = None
    if (
        not (is_number(first) and is_number(last) and is_number(number))
        or not 0.0 <= first <= last < 1.0
        or not 1 <= number <= MAX_FACTORS
        or int(number) != number
    ):
        raise ValueError(
            f"{owner}smoothing: {shown(smoothing)} is not allowed: "
            f"must be (first, last, number) with 0 <= first <= last < 1 and 1 <= number <= {MAX_FACTORS}"
        )
    return float(first), float(last), int(number)


@dataclass(frozen=True)
class Relaxation:
    """Result of the search for a fixed point.

    Attributes
    ----------
    path : ndarray
        Output of the last sweep.
    given : ndarray
        Input of the last sweep.
    initial_error : float
        2-norm of output minus input of the first sweep.
    errors, factors : tuple of float
        For each later sweep: 2-norm of output minus input, and the smoothing factor of the input.
    status : {"converged", "smoothing exhausted", "iteration limit", "diverged"}
    """

    path: Array
    given: Array
    initial_error: float
    errors: tuple[float, ...]
    factors: tuple[float, ...]
    status: Status

    @property
    def sweeps(self) -> int:
        """Number of sweeps after the first one, as the paper counts."""
        return len(self.errors)

    @property
    def residual(self) -> float:
        """The last error."""
        return self.errors[-1] if self.errors else self.initial_error


def relax(
    sweep: Sweep,
    first: Array,
    *,
    tolerance: float,
    smoothing: Smoothing = PAPER_SMOOTHING,
    max_sweeps: int = MAX_SWEEPS,
    progress: Callable[[str], None] | None = None,
) -> Relaxation:
    r"""Search for a fixed point of a sweep (Algorithm 4 of the paper, lines 4-23).

    .. math:: y_\text{new} = a\,y_\text{current} + (1-a)\,\text{sweep}(y_\text{current})

    until the error :math:`\|y_\text{new} - \text{sweep}(y_\text{new})\|_2` is at most the tolerance.
    Whenever the error rises, the next ``a`` of the list is taken; if there is none the search ends as
    ``smoothing exhausted``.

    Parameters
    ----------
    sweep : callable
        Path to path, shape (N, n).
    first : ndarray, shape (N, n)
    tolerance : float
    smoothing : (first, last, number)
        The list of ``a``, evenly spaced.
    max_sweeps : int
    progress : callable, optional
        Receives lines for a log.
    """
    factors = np.linspace(*smoothing).tolist()
    level = 0
    current, guess = first, sweep(first)
    error = initial = float(np.linalg.norm(guess - current))
    errors: list[float] = []
    used: list[float] = []

    def ended(status: Status) -> Relaxation:
        return Relaxation(guess, current, initial, tuple(errors), tuple(used), status)

    while not error <= tolerance:
        # The published loop would end at a NaN and report convergence.
        if not np.isfinite(error):
            return ended("diverged")
        if len(errors) >= max_sweeps:
            return ended("iteration limit")
        factor = factors[level]
        current = factor * current + (1.0 - factor) * guess
        guess = sweep(current)
        new_error = float(np.linalg.norm(guess - current))
        errors.append(new_error)
        used.append(factor)
        if progress and (len(errors) <= 20 or len(errors) % 50 == 0):
            progress(f"sweep {len(errors)}: error {new_error:.4g}, smoothing {factor:.4f}")
        if new_error > error:
            if level == len(factors) - 1:
                return ended("smoothing exhausted")
            level += 1
        error = new_error
    return ended("converged")
