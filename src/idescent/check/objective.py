"""Checks of an objective: its methods, and that they are functions of theta alone.

What lives here: the checks of methods, shapes, types, purity, batches and speed.  What does not: derivatives
(:mod:`idescent.check.derivatives`), means over samples (:mod:`idescent.check.finite_sum`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from idescent.check import derivatives, finite_sum
from idescent.check.subject import Array, Subject
from idescent.check.verdicts import Checks, FaultError, NotOfferedError, Verdict, in_one_line
from idescent.study import registry

_BATCH = 1000  # points in the batch that is timed, at most
_SECONDS = 1.0  # time of that batch, at most
_ROUNDING = 1e-12  # relative, between a batch and its rows


def check(
    make: Callable[[], Any], *, theta0: Any = None, dimension: int | None = None, seed: int = 0
) -> list[Verdict]:
    """Check an objective.

    Parameters
    ----------
    make : callable
        Returns the objective.
    theta0 : number, list of numbers or ``{"seed": int}``, optional
        Point of the checks; by default drawn by ``initial(seed)``, or 1 in every coordinate.
    dimension : int, optional
        Number of parameters n, if the objective allows any (default 2).
    seed : int
        Seed of the points around ``theta0``.

    Raises
    ------
    ValueError
        If ``theta0`` or ``dimension`` does not fit the objective.
    """
    checks, built = Checks(), []

    def constructs() -> str:
        objective = make()
        missing = [name for name in ("value", "gradient") if not callable(getattr(objective, name, None))]
        if missing:
            raise FaultError(f"there is no method {' and no '.join(missing)}: add {_signatures(missing)}")
        built.append(objective)
        return "value(theta) and gradient(theta)"

    checks.add("methods", constructs)
    if not built:
        return checks.verdicts
    (objective,) = built
    _check_request(objective, theta0, dimension)

    def starts() -> str:
        point = _start(objective, theta0, dimension, seed)
        if not np.isfinite(point).all():
            raise FaultError("initial(seed) is not finite: must return finite numbers of shape (n,)")
        built.append(Subject(objective, point, seed))
        if not hasattr(objective, "initial"):
            return f"n = {point.size}; there is no initial(seed)"
        return _drawn(objective, point)

    checks.add("theta0", starts)
    if len(built) == 1:
        return checks.verdicts
    subject = built[1]
    checks.add("one point", lambda: _one_point(subject))
    checks.add("float64", lambda: _types(subject), "one point")
    checks.add("finite", lambda: _finite(subject), "one point")
    checks.add("input kept", lambda: _input_kept(subject), "one point")
    checks.add("repeatable", lambda: _repeatable(subject), "one point")
    checks.add("order of calls", lambda: _any_order(subject), "one point", "repeatable")
    checks.add("batches", lambda: _batch_shapes(subject), "one point")
    function = ("one point", "float64", "finite", "repeatable", "order of calls")
    checks.add("batch = rows", lambda: _batch_rows(subject), "batches", *function)
    derivatives.add(checks, subject, *function)
    finite_sum.add(checks, subject, "batches", "gradient", *function)
    checks.add("speed", lambda: _speed(subject), "one point", "batches", "finite", "input kept")
    return checks.verdicts


def _signatures(names: list[str]) -> str:
    shapes = {
        "value": "value(theta), which returns shape (...)",
        "gradient": "gradient(theta), which returns shape (..., n)",
    }
    return " and ".join(shapes[name] for name in names)


def _check_request(objective: Any, theta0: Any, dimension: int | None) -> None:
    """Check that ``theta0`` and ``dimension`` fit the objective."""
    own, name = getattr(objective, "dimension", None), type(objective).__name__
    if dimension is not None and own is not None and own != dimension:
        raise ValueError(f"dimension: {dimension} is not allowed: {name} has {own} parameters")
    if isinstance(theta0, list):
        if dimension is not None and len(theta0) not in (1, dimension):
            raise ValueError(f"theta0: {len(theta0)} numbers are not allowed: dimension is {dimension}")
        registry.start(theta0, objective)
    elif theta0 is not None and not hasattr(objective, "initial"):
        raise ValueError(f"theta0: {theta0!r} is not allowed: {name} has no method initial(seed)")


def _start(objective: Any, theta0: Any, dimension: int | None, seed: int) -> Array:
    own = getattr(objective, "dimension", None)
    if own is not None and (isinstance(own, bool) or not isinstance(own, int | np.integer) or own < 1):
        raise FaultError(f"dimension is {own!r}: must be an integer >= 1, or None if any number is allowed")
    if theta0 is None:
        theta0 = {"seed": seed} if hasattr(objective, "initial") and dimension is None else 1.0
    point = registry.start(theta0, objective)
    if own is None and point.size == 1 and not isinstance(theta0, dict):
        return np.full(dimension or (1 if isinstance(theta0, list) else 2), point[0])
    return point


def _drawn(objective: Any, point: Array) -> str:
    """Check ``initial``: the same seed must give the same start."""
    first, again, other = (np.asarray(objective.initial(seed)) for seed in (3, 3, 4))
    if first.shape != point.shape:
        raise FaultError(f"initial(seed) has shape {first.shape}: must be {point.shape}, the shape of theta0")
    if not np.array_equal(first, again):
        raise FaultError("initial(3) differs from call to call: draw from numpy.random.RandomState(seed)")
    return f"n = {point.size}" + ("; the same for every seed" if np.array_equal(first, other) else "")


def _one_point(subject: Subject) -> str:
    n = subject.n
    for name, shape in (("value", ()), ("gradient", (n,))):
        try:
            result = subject.raw(name, subject.theta0)
        except Exception as error:
            hint = (
                ""
                if getattr(subject.objective, "dimension", None)
                else " (set another n with --dimension or --theta0)"
            )
            raise FaultError(
                f"{name} raises {in_one_line(error)}: it must accept theta of shape ({n},){hint}"
            ) from error
        try:
            result = np.asarray(result, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise FaultError(f"{name} returns {type(result).__name__}: return an array of numbers") from error
        if result.shape != shape:
            sums = "sum over axis=-1" if name == "value" else "return one number for every coordinate"
            raise FaultError(f"{name} of theta ({n},) has shape {result.shape}: must be {shape}; {sums}")
    return f"theta ({n},): value (), gradient ({n},)"


def _types(subject: Subject) -> str:
    for name in ("value", "gradient"):
        dtype = np.asarray(subject.raw(name, subject.theta0)).dtype
        if dtype != np.float64:
            raise FaultError(
                f"{name} is {dtype}: compute in float64, the type of theta; check stored data and constants"
            )
    return ""


def _finite(subject: Subject) -> str:
    for name in ("value", "gradient"):
        if not np.isfinite(subject.call(name, subject.theta0)).all():
            raise FaultError(f"{name} is not finite at theta0: set another --theta0, or correct the formula")
    subject.pull_in()
    return ""


def _input_kept(subject: Subject) -> str:
    thetas = [subject.theta0] if subject.single else [subject.theta0, np.stack([subject.theta0] * 3)]
    for name in ("value", "gradient"):
        for theta in thetas:
            argument = theta.copy()
            try:
                with np.errstate(all="ignore"):
                    getattr(subject.objective, name)(argument)
            except Exception:  # the check "batches" reports an exception for a batch
                if theta.ndim == 1:
                    raise
                continue
            if argument.tobytes() != theta.tobytes():
                raise FaultError(
                    f"{name} changes its argument theta: write theta = theta - c, not theta -= c"
                )
    return ""


def _repeatable(subject: Subject) -> str:
    for name in ("value", "gradient"):
        for theta in subject.points:
            first, *others = (subject.call(name, theta).tobytes() for _ in range(3))
            if any(other != first for other in others):
                raise FaultError(
                    f"{name} of the same theta differs from call to call: draw random numbers once, in "
                    "__init__, and count no calls"
                )
    return ""


def _any_order(subject: Subject) -> str:
    """Check that no result depends on earlier calls, in several orders of calls."""
    calls = [(name, i) for i in range(len(subject.points)) for name in ("value", "gradient")]
    results = {key: subject.call(key[0], subject.points[key[1]]).tobytes() for key in calls}
    for name, i in [
        *reversed(calls),
        *calls[::2],
        *calls[1::2],
        *reversed(calls[::2]),
        *reversed(calls[1::2]),
    ]:
        if subject.call(name, subject.points[i]).tobytes() != results[name, i]:
            raise FaultError(
                f"{name} depends on earlier calls: compute it from theta alone, store nothing between calls"
            )
    # A buffer that is returned by every call would change a gradient that a solver keeps.
    kept = subject.raw("gradient", subject.points[0])
    before = np.array(kept)
    subject.raw("gradient", subject.points[1])
    if not np.array_equal(before, kept, equal_nan=True):
        raise FaultError(
            "gradient overwrites the array that an earlier call returned: return a new array from every call"
        )
    return ""


def _batch_shapes(subject: Subject) -> str:
    if subject.single:
        return "vectorized = False: one point at a time"
    n, hint = subject.n, "write for theta of shape (..., n), or set vectorized = False"
    # No length of the batch equals n: a function of one point could return the right shape by chance.
    leads = [(2 if n != 2 else 3,), (2, 3) if n not in (2, 3) else (4, 5)]
    for lead in leads:
        theta = np.broadcast_to(subject.theta0, (*lead, n))
        for name, shape in (("value", lead), ("gradient", theta.shape)):
            try:
                result = np.shape(subject.raw(name, theta))
            except Exception as error:
                raise FaultError(
                    f"{name} of theta {theta.shape} raises {in_one_line(error)}: {hint}"
                ) from error
            if result != shape:
                raise FaultError(f"{name} of theta {theta.shape} has shape {result}, not {shape}: {hint}")
    return "theta " + ", ".join(str((*lead, n)) for lead in leads)


def _batch_rows(subject: Subject) -> str:
    if subject.single:
        raise NotOfferedError("one point at a time")
    points = np.stack([*subject.points, *subject.points[::-1]]).reshape(2, -1, subject.n)
    worst = 0.0
    for name in ("value", "gradient"):
        rows = np.stack([subject.call(name, theta) for theta in points.reshape(-1, subject.n)])
        whole = subject.call(name, points).reshape(rows.shape)
        deviation = float(np.max(np.abs(whole - rows))) / max(float(np.max(np.abs(rows))), 1e-300)
        if not deviation <= _ROUNDING:
            raise FaultError(
                f"{name} of a batch differs from {name} of its rows by {deviation:.1e} (relative): "
                "do not mix the rows, reduce over axis=-1 only"
            )
        worst = max(worst, deviation)
    return "same bits" if worst == 0.0 else f"relative deviation {worst:.0e}"


def _speed(subject: Subject) -> str:
    """Time gradients; the check always passes."""
    one = _time(lambda: subject.raw("gradient", subject.theta0))
    count = int(np.clip(_SECONDS / one, 10, _BATCH))
    batch = np.tile(subject.theta0, (count, 1))
    each = _time(lambda: subject.batch("gradient", batch)) / count
    text = f"{1e6 * one:.3g} µs a gradient, {1e6 * each:.3g} µs in a batch of {count}"
    if subject.single:
        return f"{text}; solvers evaluate batches: accept theta (m, n) at once to save time"
    if each > 0.5 * one:
        return f"{text}: a batch saves little; replace loops over points, if any, by array operations"
    return text


def _time(work: Callable[[], Any]) -> float:
    """Return the shortest time of one call in seconds, over a tenth of a second of calls."""
    best, until = np.inf, time.perf_counter() + 0.1
    while True:
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
        if time.perf_counter() > until:
            return float(max(best, 1e-9))
