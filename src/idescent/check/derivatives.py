"""Checks of derivatives: gradients against differences of values, Hessians against differences of gradients.

What lives here: the comparisons and their tolerances.  What does not: the differences themselves
(:mod:`idescent.check.differences`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from idescent.check.differences import Line, derivative, noise
from idescent.check.subject import Array, Subject
from idescent.check.verdicts import Checks, FaultError, NotOfferedError

_DIRECTIONS = 8  # per point, at most
_SAFETY = 10.0  # a deviation counts as a fault beyond so many times its estimated error
_SLACK = 1e-8  # relative, on top of that
_PRECISION = 1e-10  # largest relative noise of the value
_ROUGH = 1e-4  # largest relative error of a difference with which anything is compared
_ROUNDING = 1e-11  # relative, between results that must agree to rounding

Product = Callable[[Array, Array], Array]


def add(checks: Checks, subject: Subject, *function: str) -> None:
    """Add all checks of derivatives; ``function`` has the names of the checks on which they depend."""
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
            f"value has a relative noise of {worst:.0e}: compute in float64 throughout, and without jumps"
        )
    return f"relative noise of value {worst:.0e}"


def _gradient(subject: Subject) -> str:
    def directional(theta: Array, direction: Array) -> Array:
        return np.asarray(subject.call("gradient", theta) @ direction)

    advice = "differentiate value again, sign and factors included"
    return _compared(subject, "gradient", "value", directional, advice)


def _compared(subject: Subject, name: str, below: str, product: Product, advice: str) -> str:
    """Compare a derivative with differences of the method of one order less.

    Parameters
    ----------
    subject : Subject
    name : str
        Method that returns the derivative.
    below : str
        Method whose differences are computed: ``value`` or ``gradient``.
    product : callable
        Product of the derivative with a direction.
    advice : str
        End of the message about a deviation.
    """
    worst, compared, bound = 0.0, 0, 0.0
    size = {id(theta): np.max(np.abs(subject.call("gradient", theta))) for theta in subject.points}
    for theta in subject.points:
        samples = []
        for direction in subject.directions(_DIRECTIONS):
            line, scale = _line(subject, below, theta, direction), subject.scale(theta)
            own = product(theta, direction)
            # The rounding of theta itself changes the value by up to eps |theta| |gradient|.
            moved = np.finfo(np.float64).eps * scale * float(size[id(theta)]) if below == "value" else 0.0
            slope, error = derivative(line, scale, noise(line, scale) + moved)
            rounding = noise(_product_line(product, theta, direction), scale)
            samples.append((own, slope, error, rounding))
        # Relative to the largest derivative at this point: in single directions it may vanish.
        largest = max(float(np.max(np.abs(slope))) for _, slope, _, _ in samples)
        if not np.isfinite(largest):
            continue
        for own, slope, error, rounding in samples:
            if error > _ROUGH * largest + 1e-9:
                continue
            compared += 1
            deviation = float(np.max(np.abs(own - slope)))
            if not deviation <= _SAFETY * (error + rounding) + _SLACK * largest:
                raise FaultError(
                    f"{name} is {_farthest(own, slope)} where differences of {below} give "
                    f"{_farthest(slope, own)} ± {error:.0e}: {advice}"
                )
            worst = max(worst, deviation / max(largest, 1e-300))
            bound = max(bound, error / max(largest, 1e-300))
    if compared == 0:
        raise FaultError(
            f"differences of {below} do not converge: make it smooth around theta0, or set another --theta0"
        )
    return f"relative deviation from differences {worst:.0e} (their error {bound:.0e}, {compared} compared)"


def _farthest(values: Array, others: Array) -> str:
    """Return the value that deviates most from the other array, as text."""
    at = np.argmax(np.abs(values - others))
    return f"{np.ravel(values)[at]:.10g}"


def _offered(subject: Subject, name: str) -> None:
    if not callable(getattr(subject.objective, name, None)):
        raise NotOfferedError


def _shaped(subject: Subject, name: str, end: tuple[int, ...], *, product: bool = False) -> None:
    """Check shapes for one point and for a batch, and that a batch gives the same as its rows one by one.

    ``end`` is the shape for one point; ``product`` says that the method takes a direction, too.
    """
    n = subject.n
    for lead in ((), (3 if n == 2 else 2,)):
        theta = np.broadcast_to(subject.theta0, (*lead, n))
        if lead and subject.single:
            continue
        allowed = (*lead, *end)
        shape = np.shape(subject.raw(name, theta, *([np.ones_like(theta)] if product else [])))
        if shape != allowed:
            raise FaultError(f"{name} of theta {theta.shape} has shape {shape}: must be {allowed}")
    if subject.single:
        return
    batch = np.stack(subject.points)
    directions = [np.ones_like(batch)] if product else []
    rows = np.stack([subject.call(name, row, *(other[0] for other in directions)) for row in batch])
    whole = subject.call(name, batch, *directions)
    if not np.allclose(rows, whole, rtol=0.0, atol=_ROUNDING * max(float(np.max(np.abs(rows))), 1e-300)):
        raise FaultError(f"{name} of a batch differs from {name} of its rows: do not mix the rows")


def _symmetric(subject: Subject) -> str:
    _offered(subject, "hessian")
    _shaped(subject, "hessian", (subject.n, subject.n))
    for theta in subject.points:
        full = subject.call("hessian", theta)
        asymmetry = float(np.max(np.abs(full - full.T)))
        if not asymmetry <= _ROUNDING * float(np.max(np.abs(full))):
            i, j = np.unravel_index(np.argmax(np.abs(full - full.T)), full.shape)
            raise FaultError(
                f"hessian[{i}, {j}] is {full[i, j]:.6g} but hessian[{j}, {i}] is {full[j, i]:.6g}: "
                "must be equal, because second derivatives commute"
            )
    return ""


def _hessian(subject: Subject) -> str:
    _offered(subject, "hessian")
    advice = "differentiate gradient again"
    return _compared(
        subject, "hessian", "gradient", lambda theta, d: subject.call("hessian", theta) @ d, advice
    )


def _diagonal(subject: Subject) -> str:
    _offered(subject, "hessian_diagonal")
    _shaped(subject, "hessian_diagonal", (subject.n,))
    advice = "define it only if the whole Hessian is diagonal"
    return _compared(
        subject,
        "hessian_diagonal",
        "gradient",
        lambda theta, d: subject.call("hessian_diagonal", theta) * d,
        advice,
    )


def _vector(subject: Subject) -> str:
    _offered(subject, "hessian_vector")
    _shaped(subject, "hessian_vector", (subject.n,), product=True)
    advice = "return the Hessian at theta times direction, not normalised"
    return _compared(
        subject,
        "hessian_vector",
        "gradient",
        lambda theta, d: subject.call("hessian_vector", theta, d),
        advice,
    )


def _separable(subject: Subject) -> str:
    _offered(subject, "separable_quadratic")
    a, c = (np.asarray(part, dtype=np.float64) for part in subject.objective.separable_quadratic(subject.n))
    for name, part in (("curvature", a), ("center", c)):
        if part.shape not in ((), (subject.n,)):
            raise FaultError(f"{name} of separable_quadratic has shape {part.shape}: must be ({subject.n},)")
    for theta in subject.points:
        gradient = subject.call("gradient", theta)
        terms = np.abs(a) * (np.abs(theta) + np.abs(c))
        if not (np.abs(a * (theta - c) - gradient) <= _ROUNDING * (terms + np.abs(gradient))).all():
            raise FaultError(
                "separable_quadratic is not the gradient: return (a, c) such that the gradient is "
                "a (theta - c), or remove the method"
            )
    return "a (theta - c) is the gradient: discrete runs use the compiled loop"
