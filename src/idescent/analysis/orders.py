r"""Observed orders of errors in the learning rate.

What lives here: pairwise slopes, the asymptotic window, the order fitted in it and its interval; all work on
plain lists of numbers.  What does not: tables (:mod:`idescent.products.scaling.rows`), drawing
(:mod:`idescent.products.scaling.figure`).

An error has order p if :math:`e(\alpha) = C\alpha^p(1 + o(1))`.  :func:`fit` chooses the range of learning
rates in which this holds, the asymptotic window, by a fixed rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idescent.analysis.floor import ABOVE_FLOOR
from idescent.common.numeric import integer, positive, shown

Array = NDArray[np.float64]

FEWEST = 4  # errors in an asymptotic window
SPREAD = 0.15  # largest difference of the pairwise slopes in it
CONFIDENCE = 0.95
CHATTER = 4  # a run chatters if a coordinate reverses at least so often


@dataclass(frozen=True)
class Order:
    """A fitted order and the window of the fit.

    Attributes
    ----------
    order : float
    low, high : float
        Ends of the order's interval.
    largest, smallest : float
        Learning rates at the ends of the window.
    points : int
        Number of errors in the window.
    """

    order: float
    low: float
    high: float
    largest: float
    smallest: float
    points: int


def slopes(alphas: Sequence[float], errors: Sequence[float]) -> Array:
    r"""Return the pairwise slopes :math:`\ln(e_{i-1}/e_i) / \ln(\alpha_{i-1}/\alpha_i)`, shape of ``alphas``.

    The first slope is NaN, and so is a slope of which one error is not a positive finite number.

    Raises
    ------
    ValueError
        If the learning rates are not positive and falling, or the number of errors differs from theirs.
    """
    rates, values = _checked(alphas, errors)
    logs = np.log(np.where(np.isfinite(values) & (values > 0.0), values, math.nan))
    pairwise = np.full(len(rates), math.nan)
    pairwise[1:] = np.diff(logs) / np.diff(np.log(rates))
    return pairwise


def usable(
    alphas: Sequence[float], errors: Sequence[float], floors: Sequence[float] | None = None
) -> NDArray[np.bool_]:
    """Return whether each error can be used to fit an order, shape of ``alphas``.

    A missing error (NaN) and an error of exactly 0 are not usable.  An error of at most 100 times its
    floor is not usable, and neither is any error at a smaller learning rate: it may exceed its floor by
    chance.
    """
    _, values = _checked(alphas, errors)
    good = np.isfinite(values) & (values > 0.0)
    if floors is not None:
        drowned = good & ~(values > ABOVE_FLOOR * np.asarray(floors, dtype=np.float64))
        good &= np.cumsum(drowned) == 0
    return np.asarray(good)


def fit(
    alphas: Sequence[float],
    errors: Sequence[float],
    floors: Sequence[float] | None = None,
    *,
    spread: float = SPREAD,
    fewest: int = FEWEST,
) -> Order | None:
    r"""Fit an order in the asymptotic window.

    The window starts at the smallest usable learning rate (:func:`usable`) and is extended to larger ones as
    long as its pairwise slopes agree: the largest and the smallest slope differ by at most ``spread``.  With
    fewer than ``fewest`` errors it does not count as asymptotic.

    The order is the least-squares slope of :math:`\ln e` over :math:`\ln\alpha`.  Errors of a deterministic
    model may follow a curve without any scatter, so that the interval is the wider of two:

    - Student's 95 % interval of the slope;
    - the distance of the slope from the last pairwise slope, plus an estimate of the distance from the last
      pairwise slope to its limit.  A correction of relative size :math:`\sqrt\alpha`, as with AdaGrad,
      shrinks by the factor :math:`\sqrt\rho` from one learning rate to the next, with :math:`\rho` the mean
      ratio of the last three; the remaining change of the slope is then its last change divided by
      :math:`\sqrt\rho - 1`.  The estimate is twice this, as a margin for corrections of other powers;
      corrections of relative size :math:`\alpha` leave less.

    The fit depends on the learning rates that are given.  If a term of lower order has so small a constant
    that it dominates only at still smaller learning rates, the fitted order is that of the larger term.

    Parameters
    ----------
    alphas : sequence of float
        Learning rates, falling.
    errors : sequence of float
        NaN where there is no error.
    floors : sequence of float, optional
        Upper bounds on the share of the solver and of rounding in each error
        (:func:`idescent.analysis.floor.floor`).
    spread : float
        Largest difference of the pairwise slopes in the window.
    fewest : int, >= 3
        Smallest number of errors in the window.

    Returns
    -------
    Order or None
        None if there is no asymptotic window.

    Raises
    ------
    ValueError
        If the learning rates are not positive and falling, lengths differ, or ``fewest`` is below 3.
    """
    integer("fewest", fewest, least=3)
    positive("spread", spread)
    good = usable(alphas, errors, floors)
    rates, values = (np.asarray(row, dtype=np.float64)[good] for row in (alphas, errors))
    if len(rates) < fewest:
        return None
    pairwise = slopes(list(rates), list(values))[1:]
    # Slope i lies between errors i and i + 1: slopes from `first` on belong to the errors from `first` on.
    first = len(pairwise) - 1
    while first > 0 and float(np.ptp(pairwise[first - 1 :])) <= spread:
        first -= 1
    window = slice(first, None)
    n = len(rates[window])
    if n < fewest:
        return None
    x, y = np.log(rates[window]), np.log(values[window])
    centred = x - x.mean()
    order = float(centred @ y / (centred @ centred))
    residual = y - y.mean() - order * centred
    deviation = math.sqrt(float(residual @ residual) / (n - 2) / float(centred @ centred))
    ratio = math.sqrt(float(rates[-3] / rates[-1]))
    drift = abs(order - pairwise[-1]) + 2.0 * abs(pairwise[-1] - pairwise[-2]) / (math.sqrt(ratio) - 1.0)
    half = max(_student(n - 2) * deviation, float(drift))
    return Order(order, order - half, order + half, float(rates[first]), float(rates[-1]), n)


def reason(
    alphas: Sequence[float],
    errors: Sequence[float],
    floors: Sequence[float],
    trusted: Sequence[bool],
    reversals: Sequence[int],
) -> str:
    """Return the reason why :func:`fit` finds no order.

    Parameters
    ----------
    alphas, errors, floors : sequence of float
        As for :func:`fit`, but with the errors that are not trusted, too.
    trusted : sequence of bool
        Whether the solution converged and the run was completed, for each error.
    reversals : sequence of int
        Number of reversals of a coordinate in each run (:func:`idescent.trajectory.reversals`).

    Returns
    -------
    str
        The kind of reason (``not counted``, ``too few``, ``zero``, ``floor``, ``chatter`` or ``slopes
        differ``), a colon, and the numbers.
    """
    _, values = _checked(alphas, errors)
    kept = [i for i, good in enumerate(trusted) if good]
    if not kept:
        return f"not counted: 0 of {len(alphas)} errors count"
    good = usable(alphas, np.where(trusted, values, math.nan).tolist(), floors)
    if (count := int(good.sum())) < FEWEST:
        zero = sum(values[i] == 0.0 for i in kept)
        below_floor = len(kept) - zero - count
        if len(kept) >= FEWEST and zero + below_floor:
            kind, n = ("zero", zero) if zero > below_floor else ("floor", below_floor)
            return f"{kind}: {n} of {len(kept)} errors"
        if len(kept) < len(alphas) >= FEWEST:
            return f"not counted: {len(kept)} of {len(alphas)} errors count"
        return f"too few: {len(alphas)} errors"
    # A run outside the smallest possible window is no reason: the window does not need it.
    smallest = np.flatnonzero(good)[-FEWEST:]
    chattering = [i for i in smallest if reversals[i] >= CHATTER]
    if chattering:
        last = chattering[-1]
        return f"chatter: {reversals[last]} reversals at α = {alphas[last]:g}"
    pairwise = slopes(alphas, np.where(good, values, math.nan).tolist())
    pairwise = pairwise[np.isfinite(pairwise)]
    return f"slopes differ: {pairwise.min():.2f} to {pairwise.max():.2f}"


def short(text: str) -> str:
    """Return a reason of :func:`reason` in a word or two, and with the number of reversals if there are any.

    >>> short("chatter: 998 reversals at α = 0.002"), short("floor: 3 of 5 errors")
    ('chatter: 998 reversals', 'floor')
    """
    kind = text.partition(":")[0]
    return text.partition(" at ")[0] if kind == "chatter" else kind


def constant(alphas: Sequence[float], errors: Sequence[float], order: float) -> tuple[float, float, float]:
    r"""Return the constant C of :math:`e = C\,\alpha^p` for a given order p, and the ends of its interval.

    C is the geometric mean of :math:`e/\alpha^p` over the given errors, those of the asymptotic window.  Its
    interval is the wider of Student's 95 % interval of the mean logarithm and the distance to the value at
    the smallest learning rate, the closest to the limit.

    Parameters
    ----------
    alphas, errors : sequence of float
        At least 2 of each, positive; those in the asymptotic window.
    order : float
        The declared order of the model.

    Returns
    -------
    float, float, float
        C, and the lower and the upper end of its interval.

    Raises
    ------
    ValueError
        If there are fewer than two errors.
    """
    rates, values = _checked(alphas, errors)
    if len(values) < 2:
        raise ValueError(f"errors: a list of {len(values)} is not allowed: must have at least 2")
    logs = np.log(values) - order * np.log(rates)
    middle, n = float(logs.mean()), len(logs)
    scatter = _student(n - 1) * float(logs.std(ddof=1)) / math.sqrt(n)
    half = max(scatter, abs(float(logs[-1]) - middle))
    return math.exp(middle), math.exp(middle - half), math.exp(middle + half)


def _student(freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + 0.5 * CONFIDENCE))


def _checked(alphas: Sequence[float], errors: Sequence[float]) -> tuple[Array, Array]:
    rates, values = _row("alphas", alphas), _row("errors", errors)
    if rates.shape != values.shape:
        raise ValueError(
            f"errors: a list of {len(values)} is not allowed: must have {len(rates)}, as many as alphas"
        )
    if not (rates > 0.0).all() or not (np.diff(rates) < 0.0).all():
        raise ValueError(f"alphas: {list(alphas)!r} is not allowed: must be positive and falling")
    return rates, values


def _row(name: str, values: Sequence[float]) -> Array:
    try:
        row = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        row = np.empty(())
    if row.ndim != 1:
        raise ValueError(f"{name}: {shown(values)} is not allowed: must be a list of numbers")
    return row
