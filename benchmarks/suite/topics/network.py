"""What a neural network costs the solver: hours, so it is measured when asked for by name."""

from __future__ import annotations

from typing import Any

import numpy as np

import idescent as ide
from idescent.models import Cattaneo, SignFlow
from idescent.objectives.perceptron import Perceptron
from suite.rows import Row, Spread
from suite.settings import Settings
from suite.topics.models import MODELS

TITLE = "A neural network"
TEXT = """Every model on the perceptron for the digits (4 960 parameters, 1 000 iterations), per coordinate
and with one accumulator, rtol 1e-6. Work is counted in gradients an iteration, products with the Hessian as
two each, both solutions of the certificate included; the discrete run takes one. A solution that asks for
more than the budget, 60 with one accumulator and 40 per coordinate, is ended by the solver; *reached* says
where. Per coordinate, SignFlow and Cattaneo are left out: their velocity turns round where a coordinate of
the gradient is 0. *zeros* shows that: work against ε on a smaller perceptron over 40 iterations of Adam, and
how many coordinates of the gradient have come to stay within 10 ε of 0."""

ALPHAS = {"Adam": 1e-3, "RMSProp": 1e-3, "AdaGrad": 1e-2}
BUDGETS = {"norm": 60.0, "coordinate": 40.0}
# One step per norm is as long as this many coordinates' worth.
FACTOR = 30.0
STEPS, QUICK_STEPS = 1_000, 3
ZEROS_STEPS, ZEROS_BUDGET = 40, 1500.0


class Counted:
    """An objective that counts its work, in gradients."""

    def __init__(self, objective: Any) -> None:
        self.objective, self.work = objective, 0
        self.value = objective.value

    def _count(self, theta: np.ndarray, weight: int) -> None:
        self.work += weight * (theta.size // theta.shape[-1])

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        self._count(theta, 1)
        return self.objective.gradient(theta)

    def hessian_vector(self, theta: np.ndarray, direction: np.ndarray) -> np.ndarray:
        self._count(theta, 2)
        return self.objective.hessian_vector(theta, direction)


def measure(settings: Settings) -> list[Row]:
    """Solve every model for every optimizer and accumulator."""
    objective = Perceptron.digits(hidden=2) if settings.quick else Perceptron.digits()
    start, found = objective.initial(0), []
    steps = QUICK_STEPS if settings.quick else STEPS
    for accumulator, budget in BUDGETS.items():
        solver = ide.solvers.Collocation(max_gradients=budget)
        for optimizer in (
            ide.Adam(0.9, 0.999, accumulator=accumulator),
            ide.RMSProp(0.99, accumulator=accumulator),
            ide.AdaGrad(accumulator=accumulator),
        ):
            kind = type(optimizer).__name__
            alpha = ALPHAS[kind] * (FACTOR if accumulator == "norm" else 1.0)
            cell = {"alpha": alpha, "theta0": start, "steps": steps}
            run = ide.simulate(optimizer, objective, **cell)
            for model in MODELS:
                if accumulator == "coordinate" and isinstance(model, SignFlow | Cattaneo):
                    continue
                try:
                    model.equation(optimizer, alpha)
                except ValueError:
                    continue  # the model says that it does not cover this optimizer
                row = _solved(
                    f"{accumulator}, {kind}", model, optimizer, Counted(objective), cell, solver, run
                )
                found.append(row)
                settings.say(f"{row.case}, {row.method}: {row.status}")
    return found + ([] if settings.quick else _zeros(settings))


def _solved(
    case: str,
    model: Any,
    optimizer: Any,
    counted: Counted,
    cell: dict[str, Any],
    solver: Any,
    run: Any = None,
) -> Row:
    path = ide.solve(model, optimizer, counted, **cell, rtol=1e-6, atol=1e-9, solver=solver)
    report = path.report
    # The message of a solution that was ended begins with the place that it had reached.
    reached = cell["steps"] if report.ok else float(report.message.split(":")[0].split()[-1])
    values = {"gradients a step": counted.work / cell["steps"], "reached": reached}
    if report.ok:
        values["estimate"] = report.error_estimate
        if run is not None:
            values["model error"] = np.abs(path.theta - run.theta).max()
        begin, end = np.abs(counted.objective.gradient(path.theta[[0, -1]]))
        values["come to zero"] = ((begin > 100.0 * optimizer.eps) & (end < 10.0 * optimizer.eps)).sum()
    return Row(
        case,
        model.name,
        f"eps {optimizer.eps:g}",
        optimizer.eps,
        report.status,
        values={k: Spread.exact(v) for k, v in values.items()},
    )


def _zeros(settings: Settings) -> list[Row]:
    objective = Perceptron.digits(hidden=6)
    cell = {"alpha": 1e-3, "theta0": objective.initial(0), "steps": ZEROS_STEPS}
    solver, found = ide.solvers.Collocation(max_gradients=ZEROS_BUDGET), []
    for model in (SignFlow(), Cattaneo()):
        for eps in (1e-2, 1e-3, 1e-4):
            found.append(
                _solved("zeros", model, ide.Adam(0.9, 0.999, eps=eps), Counted(objective), cell, solver)
            )
            settings.say(f"zeros, {model.name}, eps {eps:g}: {found[-1].status}")
    return found
