r"""Weak errors: differences of expectations between a model and the runs, with confidence intervals.

What lives here: differences of means and their intervals.  What does not: the runs
(:mod:`idescent.stochastic.runs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from idescent.stochastic.runs import Columns, Ensemble, statistics

Array = NDArray[np.float64]

# Relative rounding error of a mean of many numbers.
ROUNDING = 1e-15


@dataclass(frozen=True)
class WeakError:
    r"""One difference of expectations, :math:`E\,q(\text{model}) - E\,q(\text{truth})`.

    Attributes
    ----------
    quantity : str
    k : int
    t : float
    truth, model : float
        Estimates of both expectations.
    error : float
        Model minus truth.
    standard_error : float
    low, high : float
        Confidence interval of the error at this iteration alone.
    band_low, band_high : float
        Simultaneous interval: the band contains the errors at *all* iterations of the quantity with the same
        confidence.
    """

    quantity: str
    k: int
    t: float
    truth: float
    model: float
    error: float
    standard_error: float
    low: float
    high: float
    band_low: float
    band_high: float


@dataclass(frozen=True)
class LargestError:
    """The largest weak error over the iterations, in absolute value.

    Attributes
    ----------
    quantity : str
    k : int
        Iteration at which the estimate is largest.
    error : float
        The estimate; noise makes it too large rather than too small.
    low, high : float
        Confidence interval of the true largest error; ``low`` is 0 if the band contains 0 everywhere.
    relative : float
        ``error`` over the largest absolute expectation of the truth.
    """

    quantity: str
    k: int
    error: float
    low: float
    high: float
    relative: float

    @property
    def detected(self) -> bool:
        """Whether the model differs significantly from the truth."""
        return self.low > 0.0


def weak_errors(truth: Ensemble, model: Ensemble, *, confidence: float = 0.95) -> list[WeakError]:
    r"""Return the weak errors of a model for each quantity and iteration.

    Runs and paths with the same numbers are subtracted pair by pair: the variance of the differences is
    correct whether or not they share random numbers, and small if they do.  Ensembles with different numbers
    are compared by their means, and a path without randomness (:func:`idescent.stochastic.runs.along`) is
    treated as exact.  Intervals are Student's, with Welch's degrees of freedom for two ensembles that are not
    paired; the band is Bonferroni's.  A standard error is never below the rounding of the means.

    Parameters
    ----------
    truth, model : Ensemble
        Observed at the same iterations; quantities that only one of them has are ignored.
    confidence : float in (0, 1)

    Raises
    ------
    ValueError
        If the iterations differ, no quantity is shared, or the confidence is outside its range.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence: {confidence!r} is not allowed: must be a number in (0, 1)")
    if truth.k.tolist() != model.k.tolist():
        raise ValueError("model: its iterations are not those of the runs: must be the same")
    shared = [name for name in truth.values if name in model.values]
    if not shared:
        names = ", ".join(model.values)
        raise ValueError(f"model: none of its quantities ({names}) was observed in the runs")
    # Imported here, as it is slow and runs do not need it.
    from scipy.special import stdtrit

    outside = 0.5 * (1.0 - confidence)
    errors = []
    for name in shared:
        for i, (k, t) in enumerate(zip(truth.k.tolist(), truth.t.tolist(), strict=True)):
            true, modelled = truth.values[name][i], model.values[name][i]
            error, spread, freedom = _difference(true, modelled, truth.runs, model.runs)
            spread = max(spread, ROUNDING * max(abs(_mean(true)), abs(_mean(modelled))))
            point, band = (-float(stdtrit(freedom, p)) for p in (outside, outside / len(truth.k)))
            errors.append(
                WeakError(
                    name, k, t, _mean(true), _mean(modelled), error, spread,
                    error - point * spread, error + point * spread,
                    error - band * spread, error + band * spread,
                )
            )  # fmt: skip
    return errors


def largest(errors: list[WeakError]) -> list[LargestError]:
    """Return the largest error of each quantity, with an interval from the band."""
    largest_errors = []
    for name in dict.fromkeys(e.quantity for e in errors):
        of_quantity = [e for e in errors if e.quantity == name]
        worst = max(of_quantity, key=lambda e: abs(e.error))
        low = max(max(e.band_low, -e.band_high, 0.0) for e in of_quantity)
        high = max(max(abs(e.band_low), abs(e.band_high)) for e in of_quantity)
        scale = max(abs(e.truth) for e in of_quantity)
        relative = abs(worst.error) / scale
        largest_errors.append(LargestError(name, worst.k, abs(worst.error), low, high, relative))
    return largest_errors


def columns(errors: Sequence[WeakError] | Sequence[LargestError]) -> Columns:
    """Return a table of errors, column by column, for ``idescent.store.tables.write_columns``."""
    return {
        field.name: np.array([getattr(error, field.name) for error in errors]) for field in fields(errors[0])
    }


def _difference(
    truth: Array, model: Array, truth_runs: range, model_runs: range
) -> tuple[float, float, float]:
    """Return the difference of the means, its standard error and the degrees of freedom."""
    if truth_runs == model_runs and len(truth_runs):
        finite = (model - truth)[np.isfinite(model - truth)]
        mean, _, error = statistics(finite)
        return mean, error, max(finite.size - 1.0, 1.0)
    means, squares, parts = [], 0.0, 0.0
    for values, runs in ((truth, truth_runs), (model, model_runs)):
        finite = values[np.isfinite(values)]
        mean, _, error = statistics(finite)
        means.append(mean)
        if len(runs):
            squares += error * error
            parts += error**4 / max(finite.size - 1.0, 1.0)
    freedom = squares * squares / parts if parts > 0.0 else np.inf
    return means[1] - means[0], float(np.sqrt(squares)), freedom


def _mean(values: Array) -> float:
    return statistics(values[np.isfinite(values)])[0]
