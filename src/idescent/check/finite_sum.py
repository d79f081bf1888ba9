"""Checks of an objective that declares itself a mean over samples.

What lives here: the contract of :class:`idescent.objectives.protocol.FiniteSum`.  What does not: other checks
of an objective (:mod:`idescent.check.objective`).
"""

from __future__ import annotations

import numpy as np

from idescent.check.subject import Array, Subject
from idescent.check.verdicts import Checks, FaultError, NotOfferedError

_NAMES = ("samples", "value_of", "gradient_of")
_ROUNDING = 1e-9


def add(checks: Checks, subject: Subject, *needs: str) -> None:
    """Add the check of the finite sum."""
    checks.add("finite sum", lambda: _finite_sum(subject), *needs)


def _finite_sum(subject: Subject) -> str:
    missing = [name for name in _NAMES if not hasattr(subject.objective, name)]
    # An objective may have samples for its own use: without both methods it is no finite sum.
    if missing in ([*_NAMES], [*_NAMES[1:]]):
        raise NotOfferedError
    if missing:
        raise FaultError(f"there is no {missing[0]}: mini-batches need all of {', '.join(_NAMES)}")
    samples, n = subject.objective.samples, subject.n
    if isinstance(samples, bool) or not isinstance(samples, int | np.integer) or samples < 1:
        raise FaultError(f"samples is {samples!r}: must be the number of samples, an integer >= 1")
    # Batches of some samples only: batches of all samples have equal means, which would hide mixed-up rows.
    every, few = np.arange(samples), np.arange(max(1, min(samples - 1, 5)))
    points = np.stack(subject.points)
    batches = np.stack([(few + i) % samples for i in range(len(points))])
    for whole, part, end in (("gradient", "gradient_of", (n,)), ("value", "value_of", ())):
        for theta, indices in ((points[0], few), (points, few), (points, batches)):
            shape, allowed = np.shape(subject.raw(part, theta, indices)), (*theta.shape[:-1], *end)
            if shape != allowed:
                arguments = f"theta {theta.shape} and indices {indices.shape}"
                raise FaultError(f"{part} of {arguments} has shape {shape}: must be {allowed}")
        for theta in points:
            if not _close(subject.call(part, theta, every), subject.call(whole, theta)):
                raise FaultError(
                    f"{part} over all {samples} samples differs from {whole}: both must be means over the "
                    "samples, with the same regularisation"
                )
        each = np.stack([subject.call(part, points[0], every[j : j + 1]) for j in few])
        if not _close(each.mean(axis=0), subject.call(part, points[0], few)):
            raise FaultError(
                f"{part} of {len(few)} samples is not the mean of {part} of each: divide by the number of "
                "samples in the batch"
            )
        rows = np.stack([subject.call(part, *pair) for pair in zip(points, batches, strict=True)])
        if not _close(rows, subject.call(part, points, batches)):
            raise FaultError(f"{part} uses wrong rows of indices: row i of indices belongs to row i of theta")
    return f"{samples} samples"


def _close(one: Array, other: Array) -> bool:
    size = max(float(np.max(np.abs(one))), float(np.max(np.abs(other))), 1e-300)
    return bool(np.max(np.abs(one - other)) <= _ROUNDING * size + 1e-14)
