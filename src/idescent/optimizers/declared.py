"""The memories of an optimizer, declared as data: averages, accumulations, sums and maxima.

What lives here: :func:`average`, :func:`accumulate`, :func:`total` and :func:`maximum`, which declare
memories, and :func:`recursion`, which declares a sequence.  What does not: the matching of parameters by
name, and the iteration (:mod:`idescent.optimizers.plan`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from idescent.common.numeric import is_number, shown

Kind = Literal["average", "accumulation", "sum", "maximum"]
Read = Literal["new", "old"]
Of = str | Callable[..., Any]
"""Source of a memory: ``"gradient"``, ``"square"``, or a function; its parameters are matched by name."""

Beta = float | Callable[..., Any]
"""Decay rate per iteration: a number, or a function of ``k`` and of sequences, matched by name."""


@dataclass(frozen=True)
class DeclaredMemory:
    r"""One memory of an optimizer.

    .. math:: M_k = \beta M_{k-1} + c\,h_k \quad\text{or}\quad M_k = \max(\beta M_{k-1}, h_k), \qquad
              c = 1 - \beta \text{ (average)}, \quad c = 1 \text{ (accumulation)}, \quad
              \beta = c = 1 \text{ (sum)}

    Attributes
    ----------
    kind : {"average", "accumulation", "sum", "maximum"}
    beta : float or callable
        :math:`\beta` per iteration; see :data:`Beta`.
    of : {"gradient", "square"} or callable
        Source h.  The square is that of each coordinate, or :math:`|g|^2` if the accumulator is the norm.
    read : {"new", "old"}
        ``"new"``: updated before the step.  ``"old"``: updated after the step, whose result the source may
        use.
    start : array_like or callable
        Initial value :math:`M_0`, or a function of the initial ``gradient`` and ``theta``.
    """

    kind: Kind
    beta: Beta
    of: Of = "gradient"
    read: Read = "new"
    start: ArrayLike | Callable[..., Any] = 0.0

    def __post_init__(self) -> None:
        """Check the arguments, as far as this is possible without the optimizer."""
        if is_number(self.beta):
            object.__setattr__(self, "beta", float(self.beta))  # type: ignore[arg-type]
            _allowed(self.kind, "beta", self.beta, 0.0 <= self.beta <= 1.0, "in [0, 1]")  # type: ignore[operator]
        else:
            _allowed(
                self.kind, "beta", self.beta, callable(self.beta), "a number in [0, 1] or a function of k"
            )
        valid = callable(self.of) or self.of in ("gradient", "square")
        _allowed(self.kind, "of", self.of, valid, "'gradient', 'square' or a function")
        _allowed(self.kind, "read", self.read, self.read in ("new", "old"), "'new' or 'old'")
        # Fast path for the default 0: every run of a study declares its memories anew.
        if not callable(self.start) and not (type(self.start) is float and self.start == 0.0):
            start = np.asarray(self.start)
            finite = start.dtype.kind in "iuf" and bool(np.isfinite(start).all())
            _allowed(self.kind, "start", self.start, finite, "finite numbers or a function")

    @property
    def constant(self) -> bool:
        """Whether the decay is the same in every iteration."""
        return not callable(self.beta)

    @property
    def decay(self) -> float:
        """Decay rate beta, which must be constant; 1 for a sum."""
        assert not callable(self.beta)
        return self.beta

    @property
    def gain(self) -> float:
        """Factor c of the source."""
        return 1.0 - self.decay if self.kind == "average" else 1.0

    @property
    def from_nothing(self) -> bool:
        """Whether it starts at 0."""
        return (type(self.start) is float and self.start == 0.0) or not (
            callable(self.start) or np.any(self.start)
        )


def _allowed(kind: str, name: str, value: Any, allowed: bool, rule: str) -> None:
    if not allowed:
        raise ValueError(f"{kind}: {name} = {shown(value)} is not allowed: must be {rule}")


def average(
    beta: Beta, of: Of = "gradient", *, read: Read = "new", start: ArrayLike | Callable[..., Any] = 0.0
) -> DeclaredMemory:
    r"""Declare an exponential average, :math:`M_k = \beta M_{k-1} + (1-\beta) h`."""
    return DeclaredMemory("average", beta, of, read, start)


def accumulate(
    beta: Beta, of: Of = "gradient", *, read: Read = "new", start: ArrayLike | Callable[..., Any] = 0.0
) -> DeclaredMemory:
    r"""Declare an accumulation with decay, as in heavy ball, :math:`M_k = \beta M_{k-1} + h`."""
    return DeclaredMemory("accumulation", beta, of, read, start)


def total(
    of: Of = "gradient", *, read: Read = "new", start: ArrayLike | Callable[..., Any] = 0.0
) -> DeclaredMemory:
    """Declare a plain sum, :math:`M_k = M_{k-1} + h`."""
    return DeclaredMemory("sum", 1.0, of, read, start)


def maximum(
    beta: Beta, of: Of = "gradient", *, read: Read = "new", start: ArrayLike | Callable[..., Any] = 0.0
) -> DeclaredMemory:
    r"""Declare a maximum with decay, :math:`M_k = \max(\beta M_{k-1}, h)`."""
    return DeclaredMemory("maximum", beta, of, read, start)


@dataclass(frozen=True)
class Recursion:
    """A sequence whose value depends on the previous one; see :func:`recursion`."""

    start: float
    function: Callable[..., Any]


def recursion(start: float, function: Callable[..., Any]) -> Recursion:
    r"""Declare a sequence by recursion: :math:`q_0` is ``start``, ``function`` returns :math:`q_k`.

    Parameters
    ----------
    start : float
    function : callable
        Its parameters are matched by name: ``k``, sequences declared before it, and its own name followed by
        ``_old`` for :math:`q_{k-1}`.
    """
    if not is_number(start) or not np.isfinite(start):
        raise ValueError(f"recursion: start = {shown(start)} is not allowed: must be a finite number")
    if not callable(function):
        raise ValueError(f"recursion: function = {shown(function)} is not allowed: must be a function")
    return Recursion(float(start), function)
