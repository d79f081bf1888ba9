r"""Observed orders: how an error falls with the learning rate.

What lives here: pairwise slopes, the asymptotic window, the order fitted in it and its interval, all of plain
numbers.  What does not: tables (:mod:`idescent.products.scaling.rows`), drawing
(:mod:`idescent.products.scaling.figure`).

An error has order p if :math:`e(\alpha) = C\alpha^p(1 + o(1))`.  Where that holds is decided by a rule, not
by eye; see :func:`fit`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import integer, positive, shown

Array = NDArray[np.float64]

FEWEST = 4
SPREAD = 0.15
ABOVE_FLOOR = 10.0
CONFIDENCE = 0.95
# Reversals of a coordinate from which on a run chatters.
CHATTER = 4


@dataclass(frozen=True)
class Order:
    """A fitted order and where it was fitted.

    Attributes
    ----------
    order : float
    low, high : float
        Ends of its interval.
    largest, smallest : float
        Learning rates at the ends of the window.
    points : int
        Errors in it.
    """

    order: float
    low: float
    high: float
    largest: float
    smallest: float
    points: int


def slopes(alphas: Sequence[float], errors: Sequence[float]) -> Array:
    r"""Return :math:`\ln(e_{i-1}/e_i) / \ln(\alpha_{i-1}/\alpha_i)`, shape of ``alphas``.

    The first is NaN, and so is every one that has an error on either side that is not a positive number.

    Raises
    ------
    ValueError
        If the learning rates are not positive and falling, or there are not as many errors.
    """
    rates, values = _checked(alphas, errors)
    logs = np.log(np.where(np.isfinite(values) & (values > 0.0), values, math.nan))
    found = np.full(len(rates), math.nan)
    found[1:] = np.diff(logs) / np.diff(np.log(rates))
    return found


def usable(
    alphas: Sequence[float], errors: Sequence[float], floors: Sequence[float] | None = None
) -> NDArray[np.bool_]:
    """Say which errors can tell an order, shape of ``alphas``.

    A missing error (NaN) or one of exactly 0 cannot.  One below ten times its floor cannot, nor can any at a
    smaller learning rate: it may stand above its own floor by chance.
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

    The window ends at the smallest usable learning rate (:func:`usable`) and reaches up as far as all
    pairwise slopes in it agree: the largest and the smallest differ by at most ``spread``.  It is
    asymptotic only if at least ``fewest`` errors are in it.

    The order is the least-squares slope of :math:`\ln e` over :math:`\ln\alpha`.  Its interval is the wider
    of two, because errors of a deterministic model need not scatter:

    - Student's 95 % interval of the slope;
    - the slope's distance from the last pairwise slope, and how far that may still go: a correction of the
      relative size :math:`\sqrt\alpha` (AdaGrad has such) shrinks by :math:`\sqrt\rho` with every further
      learning rate, so that what is left is the last change of the slope over :math:`\sqrt\rho - 1`, with
      :math:`\rho` the mean ratio of the last three learning rates; twice that, for what is not of this
      power.  Corrections of first order leave less.

    What the ladder does not reach it cannot tell: where a term of lower order has so small a constant that
    it would show at still smaller learning rates only, the order found is that of the larger term.

    Parameters
    ----------
    alphas : sequence of float
        Falling.
    errors : sequence of float
        NaN where there is none.
    floors : sequence of float, optional
        What of each error may be solver and rounding.
    spread : float
    fewest : int, >= 3

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
    """Say why there is no order where :func:`fit` finds none.

    Parameters
    ----------
    alphas, errors, floors : sequence of float
        As for :func:`fit`, with the errors that are not trusted.
    trusted : sequence of bool
        Whether an error is of a solution that converged and a run that was completed.
    reversals : sequence of int
        How often a coordinate of each run reverses, see :func:`idescent.trajectory.reversals`.

    Returns
    -------
    str
        The kind, a colon, and the numbers: ``not counted``, ``too few``, ``zero``, ``floor``, ``chatter`` or
        ``slopes differ``.
    """
    _, values = _checked(alphas, errors)
    kept = [i for i, good in enumerate(trusted) if good]
    if not kept:
        return f"not counted: 0 of {len(alphas)} errors count"
    told = usable(alphas, np.where(trusted, values, math.nan).tolist(), floors)
    if (count := int(told.sum())) < FEWEST:
        zero = sum(values[i] == 0.0 for i in kept)
        drowned = len(kept) - zero - count
        if len(kept) >= FEWEST and zero + drowned:
            kind, n = ("zero", zero) if zero > drowned else ("floor", drowned)
            return f"{kind}: {n} of {len(kept)} errors"
        if len(kept) < len(alphas) >= FEWEST:
            return f"not counted: {len(kept)} of {len(alphas)} errors count"
        return f"too few: {len(alphas)} errors"
    chatters = [i for i in kept if told[i] and reversals[i] >= CHATTER]
    if chatters:
        # At the smallest learning rate of them: there the window would begin.
        last = chatters[-1]
        return f"chatter: {reversals[last]} reversals at α = {alphas[last]:g}"
    found = slopes(alphas, np.where(told, values, math.nan).tolist())
    found = found[np.isfinite(found)]
    return f"slopes differ: {found.min():.2f} to {found.max():.2f}"


def constant(alphas: Sequence[float], errors: Sequence[float], order: float) -> tuple[float, float, float]:
    r"""Return the constant C of :math:`e = C\,\alpha^p` for a given order p, and the ends of its interval.

    C is the geometric mean of :math:`e/\alpha^p` over the errors given, those of the asymptotic window.  Its
    interval is the wider of Student's 95 % interval of the mean logarithm and the distance to the value at
    the smallest learning rate, which is the closest to the limit.

    Parameters
    ----------
    alphas, errors : sequence of float
        At least 2 of each, positive.
    order : float
        The declared one.

    Raises
    ------
    ValueError
        If there are fewer than two errors.
    """
    rates, values = _checked(alphas, errors)
    if len(values) < 2:
        raise ValueError(f"errors: {len(values)} of them are not allowed: must be at least 2")
    logs = np.log(values) - order * np.log(rates)
    middle, n = float(logs.mean()), len(logs)
    scatter = _student(n - 1) * float(logs.std(ddof=1)) / math.sqrt(n)
    half = max(scatter, abs(float(logs[-1]) - middle))
    return math.exp(middle), math.exp(middle - half), math.exp(middle + half)


def floor(estimate: float, scale: float, steps: int) -> float:
    r"""Return the part of an error that solver and rounding may cause.

    The solver's own estimate of its error, and the random walk of the rounding of ``steps`` additions to
    parameters of size ``scale``: :math:`2^{-52}\,\text{scale}\,\sqrt{\text{steps}}`.
    """
    return estimate + float(np.finfo(np.float64).eps) * scale * math.sqrt(steps)


def _student(freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + 0.5 * CONFIDENCE))


def _checked(alphas: Sequence[float], errors: Sequence[float]) -> tuple[Array, Array]:
    rates, values = _row("alphas", alphas), _row("errors", errors)
    if rates.shape != values.shape:
        raise ValueError(f"errors: {len(values)} of them are not allowed: must be {len(rates)}, as alphas")
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
