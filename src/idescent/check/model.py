"""Checks of a continuous-time model: its equations, and its declared order.

What lives here: the checks, and the short problem on which errors are measured.  What does not: the fit of an
order (:mod:`idescent.analysis.orders`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from idescent.analysis import orders
from idescent.analysis.errors import compare
from idescent.analysis.floor import floor
from idescent.check.verdicts import Checks, FaultError, Verdict, in_one_line
from idescent.discrete.loop import simulate
from idescent.models.equation import Array, Equation, omission
from idescent.objectives import DoubleWell, Quadratic
from idescent.optimizers import AdaGrad, Adam, AdamL2, AdamW, RMSProp
from idescent.optimizers.optimizer import Optimizer
from idescent.solvers.solve import solve

_BETA1, _BETA2 = 0.5, 0.8
OPTIMIZERS: tuple[Optimizer, ...] = (
    AdaGrad(),
    RMSProp(beta=0.8),
    Adam(_BETA1, _BETA2),
    AdamW(_BETA1, _BETA2, weight_decay=0.1),
    AdamL2(_BETA1, _BETA2, weight_decay=0.1),
)
"""Optimizers with short memories: their asymptotic window starts at large learning rates."""

STEPS = (32, 64, 128, 256, 512)  # horizons; alpha = 1 / steps
WITHIN = 0.3  # largest distance of the observed from the declared order
_RTOL = 1e-12
_FEWEST = 3  # errors in the asymptotic window


def check(make: Callable[[], Any]) -> list[Verdict]:
    """Check the model that ``make`` returns."""
    checks, built = Checks(), []
    equations: dict[str, Equation] = {}

    def constructs() -> str:
        built.append(make())
        return repr(built[0])

    checks.add("constructs", constructs)
    if not built:
        return checks.verdicts
    (model,) = built
    checks.add("attributes", lambda: _attributes(model), "constructs")
    checks.add("equations", lambda: _equations(model, equations), "constructs")
    checks.add("velocity", lambda: _velocities(equations), "equations")
    checks.add("memories", lambda: _memories(equations), "velocity")
    checks.add("solved", lambda: _solved(model, equations), "attributes", "equations", "memories")
    checks.add("order", lambda: _order(model, equations), "solved")
    return checks.verdicts


def _attributes(model: Any) -> str:
    name, order = getattr(model, "name", None), getattr(model, "order", None)
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise FaultError(
            f"name is {name!r}: must be a word of letters, digits, '-' and '_', because files are named "
            "after it"
        )
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise FaultError(
            f"order is {order!r}: must be the order in alpha of the model's error, an integer >= 1"
        )
    return f"{name}, order {order}"


def _equations(model: Any, equations: dict[str, Equation]) -> str:
    """Derive the equation of each optimizer into ``equations``."""
    refused = []
    for optimizer in OPTIMIZERS:
        name = type(optimizer).__name__
        try:
            equation = model.equation(optimizer, 0.1)
        except ValueError as error:
            if not str(error).strip() or "\n" in str(error):
                raise FaultError(
                    f"the ValueError for {name} is not one line: give the reason for the refusal in one line"
                ) from error
            refused.append(name)
            continue
        except Exception as error:
            raise FaultError(
                f"equation for {name} raises {in_one_line(error)}: refuse with a ValueError and its reason"
            ) from error
        if not isinstance(equation, Equation):
            raise FaultError(
                f"equation for {name} is a {type(equation).__name__}: return idescent.models.Equation"
            )
        equations[name] = equation
    if not equations:
        raise FaultError("every optimizer is refused: the model must have an equation for at least one")
    return f"of {', '.join(equations)}" + (f"; refuses {', '.join(refused)}" if refused else "")


def _velocities(equations: dict[str, Equation]) -> str:
    theta, gradient = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([[0.5, -1.0], [2.0, 0.25]])
    s = np.array([[0.5], [7.0]])
    for name, equation in equations.items():
        memories = [0.5 + gradient**2 if memory.squared else 0.5 * gradient for memory in equation.memories]
        for method in ("velocity", "mobility"):
            value, again = (_of(equation, method, s, theta, gradient, memories) for _ in range(2))
            allowed = (theta.shape,) if method == "velocity" else (theta.shape, (2, 1))
            if value.shape not in allowed:
                raise FaultError(
                    f"{method} for {name} of theta (2, 2) has shape {value.shape}: must be {allowed[0]}"
                )
            if not np.isfinite(value).all():
                raise FaultError(
                    f"{method} for {name} is not finite at s = 0.5 or 7: avoid 0/0 for all s > 0"
                )
            if not np.array_equal(value, again):
                raise FaultError(
                    f"{method} for {name} differs from call to call: compute it from its arguments alone"
                )
    return ""


def _memories(equations: dict[str, Equation]) -> str:
    uses: dict[str, list[str]] = {}
    for optimizer in OPTIMIZERS:
        name = type(optimizer).__name__
        if name in equations:
            omitted = omission(equations[name], optimizer)
            if omitted is not None:
                raise FaultError(f"for {name} {omitted}")
            uses.setdefault(use_of_moments(equations[name], optimizer), []).append(name)
    return "; ".join(f"{', '.join(names)}: {use}" for use, names in uses.items())


def use_of_moments(equation: Equation, optimizer: Optimizer) -> str:
    """Return the moments that an equation uses, and those that it eliminates with their derivations."""
    used = [moment for moment in optimizer.moments if moment not in equation.eliminates]
    parts = [f"uses {', '.join(used)}"] if used else []
    for derivation in dict.fromkeys(equation.eliminates.values()):
        moments = [m for m in optimizer.moments if equation.eliminates.get(m) == derivation]
        parts.append(f"eliminates {', '.join(moments)} ({derivation})")
    return ", ".join(parts)


def _of(
    equation: Equation, method: str, s: Array, theta: Array, gradient: Array, memories: list[Array]
) -> Array:
    if method == "mobility" and equation.mobility is not None:
        return np.array(equation.mobility(s, memories))
    return np.array(equation.velocity(s, theta.copy(), gradient.copy(), memories))


def _measured(model: Any, optimizer: Optimizer, steps: int) -> tuple[float, float]:
    """Return the error of ``theta`` over a time of 1, and the solver's share of it at most."""
    # The accumulator of the norm differs from that of a coordinate only if there are several coordinates with
    # different paths.
    objective, theta0 = (DoubleWell(2), [2.0, 3.5]) if optimizer.norm else (Quadratic(4.0), [1.0])
    cell: dict[str, Any] = {"alpha": 1.0 / steps, "theta0": theta0, "steps": steps}
    run = simulate(optimizer, objective, **cell)
    path = solve(model, optimizer, objective, **cell, rtol=_RTOL)
    if path.report.status == "diverged" or not np.isfinite(path.theta).all():
        raise FaultError(
            f"the solution for {type(optimizer).__name__} at alpha = 1/{steps} is {path.report.status} "
            f"({path.report.message}): check the signs of velocity and mobility"
        )
    estimate = path.report.error_estimate
    return compare(run, path).sup["theta"], floor(estimate, 4.0, steps)


def _solved(model: Any, equations: dict[str, Equation]) -> str:
    for optimizer in OPTIMIZERS:
        if type(optimizer).__name__ in equations:
            _measured(model, optimizer, STEPS[0])
    return f"(theta - 4)^2, alpha = 1/{STEPS[0]}"


def _order(model: Any, equations: dict[str, Equation]) -> str:
    # The declared order must be observed for one optimizer at least, not for all.
    alphas, observed = [1.0 / steps for steps in STEPS], []
    norms = [replace(optimizer, accumulator="norm") for optimizer in OPTIMIZERS]  # type: ignore[type-var]
    for optimizer in (*OPTIMIZERS, *norms):
        name = type(optimizer).__name__
        if name not in equations:
            continue
        name += " (norm)" if optimizer.norm else ""
        measured = [_measured(model, optimizer, steps) for steps in STEPS]
        fitted = orders.fit(alphas, [e for e, _ in measured], [f for _, f in measured], fewest=_FEWEST)
        if fitted is not None and abs(fitted.order - model.order) <= WITHIN:
            return f"declared {model.order}, observed {fitted.order:.2f} for {name}"
        observed.append(f"{name} {'none' if fitted is None else f'{fitted.order:.2f}'}")
    raise FaultError(
        f"declared {model.order}, observed {', '.join(observed)}: "
        "declare the observed order, or correct the equation"
    )
