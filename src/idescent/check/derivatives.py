"""Checks of derivatives: gradients against differences of the value, Hessians against those of gradients.

What lives here: what is compared with what, and when that is a fault.  What does not: the differences
themselves (:mod:`idescent.check.differences`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from idescent.check.differences import Line, derivative, noise
from idescent.check.subject import Array, Subject
from idescent.check.verdicts import Checks, FaultError, NotOfferedError

_DIRECTIONS = 8
_SAFETY = 10.0
_SLACK = 1e-8
_PRECISION = 1e-10
_ROUGH = 1e-4
_ROUNDING = 1e-11

Product = Callable[[Array, Array], Array]


def add(checks: Checks, subject: Subject, *function: str) -> None:
    """Add all checks of derivatives; ``function`` names those by which the objective is a function."""
    checks.add("precision", lambda: _precision(subject), *function)
    checks.add("gradient", lambda: _gradient(subject), "precision", *function)
    known = (*function, "gradient")
    checks.add("hessian symmetric", lambda: _symmetric(subject), *function)
    checks.add("hessian", lambda: _hessian(subject), "hessian symmetric", *known)
    checks.add("hessian_diagonal", lambda: _diagonal(subject), *known)
    checks.add("hessian_vector", lambda: _vector(subject), *known)
    checks.add("separable_quadratic", lambda: _separable(subject), *known)


def _line(subject: Subject, method: str, theta: Array, direction: Array) -> Line:
    return lambda h: subject.call(method, theta + h * direction)


def _product_line(product: Product, theta: Array, direction: Array) -> Line:
    return lambda h: product(theta + h * direction, direction)


def _precision(subject: Subject) -> str:
    worst = 0.0
    for theta in subject.points:
        value = _line(subject, "value", theta, subject.directions(1)[0])
        scale = subject.scale(theta)
        size = max(abs(float(value(h))) for h in (0.0, 0.1 * scale, -0.1 * scale))
        if size > 0.0 and np.isfinite(size):
            worst = max(worst, noise(value, scale) / size)
    if worst > _PRECISION:
        raise FaultError(
            f"value has noise of {worst:.0e} (relative): compute in float64 throughout, and without jumps"
        )
    return f"value to {worst:.0e}"


def _gradient(subject: Subject) -> str:
    def told(theta: Array, direction: Array) -> Array:
        return np.asarray(subject.call("gradient", theta) @ direction)

    mend = "differentiate value again, sign and factors included"
    return _compared(subject, "gradient", "value", told, mend)


def _compared(subject: Subject, name: str, below: str, product: Product, mend: str) -> str:
    """Compare a product with directions with differences of ``below`` along them."""
    worst, judged, bound = 0.0, 0, 0.0
    size = {id(theta): np.max(np.abs(subject.call("gradient", theta))) for theta in subject.points}
    for theta in subject.points:
        found = []
        for direction in subject.directions(_DIRECTIONS):
            line, scale = _line(subject, below, theta, direction), subject.scale(theta)
            said = product(theta, direction)
            # What the rounding of the point itself does to the value.
            moved = np.finfo(np.float64).eps * scale * float(size[id(theta)]) if below == "value" else 0.0
            slope, error = derivative(line, scale, noise(line, scale) + moved)
            rounding = noise(_product_line(product, theta, direction), scale)
            found.append((said, slope, error, rounding))
        whole = max(float(np.max(np.abs(slope))) for _, slope, _, _ in found)
        if not np.isfinite(whole):
            continue
        for said, slope, error, rounding in found:
            if error > _ROUGH * whole + 1e-9:
                continue
            judged += 1
            away = float(np.max(np.abs(said - slope)))
            if not away <= _SAFETY * (error + rounding) + _SLACK * whole:
                raise FaultError(
                    f"{name} is {_short(said, slope)} where differences of {below} give "
                    f"{_short(slope, said)} ± {error:.0e}: {mend}"
                )
            worst, bound = max(worst, away / max(whole, 1e-300)), max(bound, error / max(whole, 1e-300))
    if judged == 0:
        raise FaultError(
            f"differences of {below} do not settle: make it smooth around theta0, or give another --theta0"
        )
    return f"to {worst:.0e} (relative) of differences that are good to {bound:.0e}, {judged} compared"


def _short(values: Array, others: Array) -> str:
    at = np.argmax(np.abs(values - others))
    return f"{np.ravel(values)[at]:.10g}"


def _offered(subject: Subject, name: str) -> None:
    if not callable(getattr(subject.objective, name, None)):
        raise NotOfferedError


def _shaped(subject: Subject, name: str, end: tuple[int, ...], *, product: bool = False) -> None:
    """Check shapes at one point and at several, and that a batch is its rows."""
    n = subject.n
    for lead in ((), (3 if n == 2 else 2,)):
        theta = np.broadcast_to(subject.theta0, (*lead, n))
        if lead and subject.single:
            continue
        shape = (*lead, *end)
        found = np.shape(subject.raw(name, theta, *([np.ones_like(theta)] if product else [])))
        if found != shape:
            raise FaultError(f"{name} of theta {theta.shape} has shape {found}: it must be {shape}")
    if subject.single:
        return
    batch = np.stack(subject.points)
    rows, more = list(batch), [np.ones_like(batch)] if product else []
    one = np.stack([subject.call(name, row, *(other[0] for other in more)) for row in rows])
    whole = subject.call(name, batch, *more)
    if not np.allclose(one, whole, rtol=0.0, atol=_ROUNDING * max(float(np.max(np.abs(one))), 1e-300)):
        raise FaultError(f"{name} of a batch differs from that of its rows: keep rows apart")


def _symmetric(subject: Subject) -> str:
    _offered(subject, "hessian")
    _shaped(subject, "hessian", (subject.n, subject.n))
    for theta in subject.points:
        full = subject.call("hessian", theta)
        away = float(np.max(np.abs(full - full.T)))
        if not away <= _ROUNDING * float(np.max(np.abs(full))):
            i, j = np.unravel_index(np.argmax(np.abs(full - full.T)), full.shape)
            raise FaultError(
                f"hessian[{i}, {j}] is {full[i, j]:.6g} but hessian[{j}, {i}] is {full[j, i]:.6g}: "
                "second derivatives commute, so write both"
            )
    return ""


def _hessian(subject: Subject) -> str:
    _offered(subject, "hessian")
    mend = "differentiate gradient again"
    return _compared(
        subject, "hessian", "gradient", lambda theta, d: subject.call("hessian", theta) @ d, mend
    )


def _diagonal(subject: Subject) -> str:
    _offered(subject, "hessian_diagonal")
    _shaped(subject, "hessian_diagonal", (subject.n,))
    mend = "offer it only where the whole Hessian is diagonal"
    return _compared(
        subject,
        "hessian_diagonal",
        "gradient",
        lambda theta, d: subject.call("hessian_diagonal", theta) * d,
        mend,
    )


def _vector(subject: Subject) -> str:
    _offered(subject, "hessian_vector")
    _shaped(subject, "hessian_vector", (subject.n,), product=True)
    mend = "return the Hessian at theta times direction, not normalised"
    return _compared(
        subject, "hessian_vector", "gradient", lambda theta, d: subject.call("hessian_vector", theta, d), mend
    )


def _separable(subject: Subject) -> str:
    _offered(subject, "separable_quadratic")
    a, c = (np.asarray(part, dtype=np.float64) for part in subject.objective.separable_quadratic(subject.n))
    for name, part in (("curvature", a), ("center", c)):
        if part.shape not in ((), (subject.n,)):
            raise FaultError(
                f"{name} of separable_quadratic has shape {part.shape}: it must be ({subject.n},)"
            )
    for theta in subject.points:
        gradient = subject.call("gradient", theta)
        terms = np.abs(a) * (np.abs(theta) + np.abs(c))
        if not (np.abs(a * (theta - c) - gradient) <= _ROUNDING * (terms + np.abs(gradient))).all():
            raise FaultError(
                "separable_quadratic is not the gradient: return (a, c) with gradient a (theta - c), "
                "or leave it out"
            )
    return "a (theta - c) is the gradient: discrete runs are compiled"
