r"""Measured orders of a model for one optimizer, against the order that it claims.

What lives here: :func:`verify`, which measures errors at learning rates :math:`2^{-p}` and compares their
slopes with the claim.  What does not: the claims (:mod:`idescent.models.card`), the measurement
(:mod:`idescent.analysis.ladder`), fits with intervals (:mod:`idescent.analysis.orders`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

from numpy.typing import ArrayLike

from idescent.analysis.ladder import EXACT, WITHIN, Ladder, Rung, power, settled
from idescent.common.numeric import positive, shown
from idescent.discrete.setup import Setup
from idescent.models import HalfStep
from idescent.models.card import Claim, claim
from idescent.models.equation import Model
from idescent.objectives import Objective
from idescent.optimizers.optimizer import Optimizer, check_declared

# Smallest share of the solver that is shown as a number.
_SHOWN = 1e-4
_NOTES = (
    "error: largest |discrete - continuous| of theta over all iterations",
    "solver's share: at most so much of the error is the solver's and rounding",
)
Outcome = Literal["ok", "fail", "no claim", "undecided"]


@dataclass(frozen=True)
class Verification:
    r"""Measured slopes of a model's error, and the verdict on its claim; ``print`` shows it as text.

    Attributes
    ----------
    model, optimizer, objective : str
    claim : int or None
        Claimed order; None if there is none.
    claim_why : str
        Reason of the claim, or of its absence.
    time : float
        Horizon in time :math:`t = \alpha k`, the same at all learning rates.
    rungs : tuple of Rung
        With falling learning rates.
    verdict : {"ok", "fail", "no claim", "undecided"}
        ``ok``: the last two slopes are at most 0.1 below the claim.  ``undecided``: the slopes say nothing
        about the claim, for the reason in ``why``.
    why : str
        Reason of the verdict, in one line.
    """

    model: str
    optimizer: str
    objective: str
    claim: int | None
    claim_why: str
    time: float
    rungs: tuple[Rung, ...]
    verdict: Outcome
    why: str

    @property
    def slopes(self) -> tuple[float, ...]:
        """Slopes of the error, from one learning rate to the next."""
        return tuple(rung.slope for rung in self.rungs[1:])

    def to_dict(self) -> dict[str, Any]:
        """Return the verification as plain data."""
        return asdict(self)

    def __str__(self) -> str:
        """Return the verification as text."""
        rows = [("alpha", "iterations", "error", "slope", "solver's share")]
        for rung in self.rungs:
            slope = "" if math.isnan(rung.slope) else f"{rung.slope:.2f}"
            share = f"{100.0 * rung.share:.1g} %" if rung.share >= _SHOWN else f"< {100.0 * _SHOWN:g} %"
            rows.append((power(rung.alpha), str(rung.steps), f"{rung.error:.2e}", slope, share))
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        table = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        claimed = "none" if self.claim is None else f"order {self.claim}"
        lines = [
            f"{self.model} of {self.optimizer} on {self.objective}",
            *(["", *table, "", *_NOTES, f"horizon: t = alpha k = {self.time:g}"] if self.rungs else []),
            *([] if self.why == self.claim_why else [f"claim: {claimed}, {self.claim_why}"]),
            f"{self.verdict}: {self.why}",
        ]
        return "\n".join(lines)


def verify(
    optimizer: Optimizer,
    objective: Objective,
    *,
    theta0: ArrayLike,
    model: Model | None = None,
    time: float | None = None,
    exponents: Sequence[int] | None = None,
    work: float = 1e6,
    progress: Callable[[str], None] | None = None,
) -> Verification:
    r"""Measure the order of a model for one optimizer, and compare it with the claim.

    The error is the largest distance of theta between the solution and the discrete run, over all iterations
    up to a fixed time :math:`t = \alpha k`.  It is measured at :math:`\alpha = 2^{-p}`, from an exponent at
    which the horizon covers a few times the longest mean lag, and then at half the learning rate, until the
    slopes settle.  The run is replaced by a leap above 20 000 iterations, where that is cheaper
    (:func:`idescent.analysis.reference.reference`).  Each solution is computed to a tolerance at which the
    solver's error estimate, with the run's or the leap's own error, is at most 1 % of the error.

    Parameters
    ----------
    optimizer : Optimizer
    objective : Objective
    theta0 : float or array_like, shape (n,)
        Initial parameters.
    model : Model, optional
        Default :class:`idescent.models.HalfStep`.
    time : float, optional
        Horizon.  By default it ends before the first zero of a coordinate of the gradient, which is measured
        in runs of the optimizer, and is at most 1.
    exponents : sequence of int, optional
        Increasing exponents p; by default they are extended until the slopes settle, and nothing is measured
        if the model claims no order.
    work : float
        Largest number of iterations and gradient evaluations, of all runs, leaps and solutions together.
    progress : callable, optional
        Receives a line after each learning rate.

    Returns
    -------
    Verification

    Raises
    ------
    ValueError
        If an argument is outside its range, or the declaration has a fault.
    """
    check_declared(optimizer)
    model = HalfStep() if model is None else model
    positive("work", work)
    Setup.checked(optimizer, objective, alpha=0.5, theta0=theta0, steps=1)
    claimed = claim(model, optimizer)
    ladder = Ladder(optimizer, objective, theta0, model, work, progress)
    if claimed.refused or (claimed.order is None and exponents is None):
        return _result(ladder, claimed, objective, math.nan)
    free = time is None
    time = ladder.horizon() if time is None else time
    positive("time", time)
    if exponents is None:
        assert claimed.order is not None
        time = ladder.climb(time, claimed.order, free)
    else:
        _check(exponents, time)
        for exponent in exponents:
            if not ladder.measure(exponent, ladder.simulated(exponent, time)):
                break
    return _result(ladder, claimed, objective, time)


def _check(exponents: Sequence[int], time: float) -> None:
    """Refuse exponents that are no increasing integers, or whose horizon is no number of iterations."""
    rising = all(isinstance(p, int) for p in exponents) and all(a < b for a, b in pairwise(exponents))
    if len(exponents) < 2 or not rising:
        rule = "must be at least 2 increasing integers"
        raise ValueError(f"exponents: {shown(exponents)} is not allowed: {rule}")
    steps = time * 2.0 ** exponents[0]
    if steps < 1 or steps != round(steps):
        rule = f"time * 2**{exponents[0]} must be a whole number of iterations"
        raise ValueError(f"time: {time!r} is not allowed: {rule}")


def _result(ladder: Ladder, claimed: Claim, objective: Objective, time: float) -> Verification:
    verdict, why = _verdict(ladder, claimed)
    return Verification(
        ladder.model.name,
        repr(ladder.optimizer),
        described(objective),
        claimed.order,
        claimed.why,
        time,
        tuple(ladder.rungs),
        verdict,
        why,
    )


def _verdict(ladder: Ladder, claimed: Claim) -> tuple[Outcome, str]:
    """Return the verdict on a claim, and its reason."""
    slopes, ended = ladder.slopes, f"; {ladder.ended}" if ladder.ended else ""
    last = f"slopes {', '.join(f'{slope:.2f}' for slope in slopes[-2:])}"
    if claimed.order is None:
        return "no claim", f"{last}{ended}" if slopes else claimed.why
    least = claimed.order - WITHIN
    if ladder.exact >= EXACT:
        return "ok", f"exact: the errors at {ladder.exact} learning rates are near rounding"
    if len(slopes) < 2:
        return "undecided", f"{len(slopes)} of 2 slopes measured{ended}"
    if min(slopes[-2:]) >= least:
        return "ok", f"{last}, at least {least:g}"
    coordinate, first = ladder.zero()
    if math.isfinite(first):
        zero = f"coordinate {coordinate} of the gradient reaches 0 at t = {first:.2g}, within the horizon"
        return "undecided", f"{last}, below {least:g}, but {zero}"
    if not settled(slopes):
        return "undecided", f"{last}, below {least:g}, but not settled{ended}"
    return "fail", f"{last}, below {least:g}{ended}"


def described(objective: Any) -> str:
    """Return an objective as text: its own representation, or the name of its class."""
    text = repr(objective)
    return type(objective).__name__ if text.startswith("<") or "\n" in text else text
