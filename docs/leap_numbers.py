"""Compare leaps with the discrete runs that they compute, and write docs/leap-errors.md.

    python docs/leap_numbers.py            measure all cells; a few minutes on one core
    python docs/leap_numbers.py Adam Lion  measure the cells of these optimizers, and keep the others
    python docs/leap_numbers.py --page     write the page from the stored cells

The cells are stored in docs/leap_numbers.json.
"""

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from refresh import fill_measured

import idescent as ide
from idescent import objectives
from idescent.optimizers import _OPTIMIZERS, Optimizer
from idescent.schedules import Cosine, LinearWarmup, Schedule, Sequential, Step

TARGET = Path(__file__).parent / "leap-errors.md"
STORE = Path(__file__).parent / "leap_numbers.json"
RTOL = 1e-11
# Hyperparameters of the cells, shorter and longer memories in turn.
HYPERPARAMETERS: dict[str, tuple[dict[str, Any], ...]] = {
    "ADOPT": ({"beta2": 0.97}, {"accumulator": "norm", "beta2": 0.995}),
    "AMSGrad": ({"beta2": 0.95}, {"beta1": 0.7, "beta2": 0.995, "accumulator": "norm"}),
    "AdaBelief": ({"beta2": 0.97, "eps_root": 1e-8}, {"beta1": 0.8, "beta2": 0.995}),
    "AdaDelta": ({"beta": 0.85}, {"beta": 0.97, "eps": 1e-4}),
    "AdaGrad": ({}, {"accumulator": "norm"}, {"eps": 1e-3}),
    "Adafactor": ({"tau": 0.7}, {"scaled": False, "weight_decay": 0.05}),
    "Adam": (
        {"beta1": 0.85, "beta2": 0.97},
        {"beta1": 0.9, "beta2": 0.999, "accumulator": "norm"},
        {"beta1": 0.0, "beta2": 0.95, "eps": 1e-4},
    ),
    "AdamL2": (
        {"beta1": 0.8, "beta2": 0.97, "weight_decay": 0.02},
        {"beta1": 0.9, "beta2": 0.999, "weight_decay": 0.2, "accumulator": "norm"},
    ),
    "AdamW": (
        {"beta1": 0.8, "beta2": 0.97, "weight_decay": 0.02},
        {"beta1": 0.95, "beta2": 0.9, "weight_decay": 0.2, "accumulator": "norm"},
    ),
    "Adamax": ({"beta1": 0.8, "beta2": 0.97}, {"beta2": 0.995}),
    "CenteredRMSProp": ({"beta": 0.95}, {"beta": 0.995, "eps": 1e-4}),
    "GradientDescent": ({},),
    "HeavyBall": ({"beta": 0.8}, {"beta": 0.95, "dampening": 0.5}),
    "Lion": ({"beta1": 0.8, "beta2": 0.97}, {"weight_decay": 0.1}),
    "MomentumRMSProp": ({"beta": 0.95, "beta1": 0.7}, {"beta": 0.995, "accumulator": "norm"}),
    "Muon": ({"beta": 0.9}, {"beta": 0.8, "exact": True, "nesterov": False, "weight_decay": 0.1}),
    "NAdam": ({"beta2": 0.97}, {"beta1": 0.8, "beta2": 0.995, "accumulator": "norm"}),
    "Nesterov": ({"beta": 0.8}, {"beta": 0.95}),
    "QHM": ({"beta": 0.95, "nu": 0.5}, {"beta": 0.99, "nu": 0.9}),
    "RMSProp": ({"beta": 0.95}, {"beta": 0.995, "accumulator": "norm"}, {"beta": 0.9, "eps": 1e-4}),
    "ScheduleFreeAdamW": ({"beta2": 0.97}, {"beta1": 0.8, "beta2": 0.995, "weight_decay": 0.1}),
    "ScheduleFreeSGD": ({"beta": 0.8}, {"beta": 0.95}),
    "Shampoo": ({}, {"eps": 1e-2}),
    "Signum": ({"beta": 0.8}, {"beta": 0.95}),
}
# The step is proportional to the gradient: stable only below a learning rate of about 2 / curvature.
PLAIN = ("GradientDescent", "HeavyBall", "Nesterov", "QHM", "ScheduleFreeSGD")
LEFT = 1  # columns aligned left


@dataclass(frozen=True)
class Problem:
    """An objective with the start and the largest curvature there."""

    objective: Any
    theta0: Any
    curvature: float


def problems(matrix: bool) -> dict[str, Problem]:
    """Return the objectives of an optimizer by name."""
    rotated, well = [1.5, -2.0, 0.7, 2.5, -0.3, 1.1], [0.2, -1.8, 0.05, 1.4, -0.6, 0.9]
    valley = [-1.2, 1.0, -0.5, 0.8, 0.3, -0.7]
    count = 6 if matrix else 5
    common = {
        "rotated quadratic": Problem(objectives.RotatedQuadratic(count, 30.0, 7), rotated[:count], 1.0),
        "double well": Problem(objectives.DoubleWell(6 if matrix else 3), well[: 6 if matrix else 3], 9.0),
        "Rosenbrock": Problem(
            objectives.Rosenbrock(6 if matrix else 2), valley[: 6 if matrix else 2], 2000.0
        ),
    }
    if matrix:
        return common | {"quadratic": Problem(ide.Quadratic(0.7), rotated, 2.0)}
    regression = objectives.LogisticRegression.breast_cancer()
    return common | {
        "quadratic": Problem(ide.Quadratic(0.7), -1.3, 2.0),
        "squared error": Problem(ide.MeanSquaredError.synthetic(seed=3), -0.4, 2.0),
        "logistic regression": Problem(regression, regression.initial(5), 5.0),
    }


# Learning rates and horizons; the long ones for optimizers whose runs are compiled.
LADDER = ((2e-2, 700), (1.7e-3, 3000), (2.3e-4, 6000))
LONG = ((1.1e-5, 150_000), (7e-4, 150_000))
COMPILED = ("AdaGrad", "Adam", "RMSProp")
SCHEDULES: dict[str, Schedule] = {
    "cosine": Cosine(3500, 0.1),
    "warm-up, then steps": Sequential((LinearWarmup(400), Step(900, 0.5)), (1200,)),
}


@dataclass(frozen=True)
class Cell:
    """One comparison.

    Attributes
    ----------
    error : float
        Largest absolute difference of a coordinate of theta, over all iterations.
    estimate : float
        Error estimate of the leap.
    size : float
        Largest absolute value of a coordinate of theta.
    single : int
        Iterations that were made one by one.
    """

    optimizer: str
    settings: str
    objective: str
    alpha: float
    steps: int
    schedule: str
    error: float
    estimate: float
    size: float
    reached: int
    gradients: int
    single: int
    status: str

    @property
    def covered(self) -> bool:
        """Whether the estimate covers the error."""
        return self.error <= self.estimate


def cells(name: str) -> Iterator[tuple[Optimizer, str, Problem, float, int, str]]:
    """Return the cells of an optimizer: its objectives, learning rates and horizons, and schedules."""
    kind, matrix = getattr(ide, name), name in ("Adafactor", "Muon", "Shampoo")
    variants = HYPERPARAMETERS[name]
    shape = {"shape": (2, 3)} if matrix else {}
    chosen = 0
    for objective, problem in problems(matrix).items():
        scale = 1.0 / max(1.0, problem.curvature) if name in PLAIN else 1.0
        plan = [(alpha * scale, steps, "") for alpha, steps in LADDER]
        if objective == "rotated quadratic":
            plan += [(1.3e-3 * scale, 4000, schedule) for schedule in SCHEDULES]
        if name in COMPILED and objective in ("quadratic", "squared error"):
            plan += [(alpha, steps, "") for alpha, steps in LONG]
        for alpha, steps, schedule in plan:
            optimizer = kind(**shape, **variants[chosen % len(variants)])
            chosen += 1
            yield optimizer, objective, problem, float(f"{alpha:.3g}"), steps, schedule


def measure(
    optimizer: Optimizer, objective: str, problem: Problem, alpha: float, steps: int, schedule: str
) -> Cell:
    """Compare one leap with its run."""
    settings: dict[str, Any] = {"alpha": alpha, "theta0": problem.theta0, "steps": steps}
    settings["schedule"] = SCHEDULES.get(schedule)
    leap = ide.leap(optimizer, problem.objective, rtol=RTOL, **settings)
    run = ide.simulate(optimizer, problem.objective, **settings).theta[: leap.reached + 1]
    error = float(np.abs(leap(np.arange(leap.reached + 1)) - run).max())
    details, report = leap.report.details, leap.report
    name = type(optimizer).__name__
    shown = repr(optimizer).partition("(")[2].removesuffix(")")
    return Cell(
        name,
        shown,
        objective,
        alpha,
        steps,
        schedule,
        float(f"{error:.3g}"),
        float(f"{report.error_estimate:.3g}"),
        float(f"{np.abs(run).max():.3g}"),
        leap.reached,
        report.gradient_evaluations,
        details["iterations"],
        report.status,
    )


def stored() -> list[Cell]:
    """Return the stored cells."""
    return [Cell(**row) for row in json.loads(STORE.read_text(encoding="utf-8"))] if STORE.exists() else []


def store(measured: list[Cell]) -> None:
    """Write the cells, one a line."""
    lines = ",\n".join(json.dumps(asdict(cell), allow_nan=True) for cell in measured)
    STORE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def quantile(values: list[float], part: float) -> str:
    """Return a quantile of positive numbers for the page."""
    return f"{float(np.quantile(values, part)):.2g}" if values else "–"


def careful(measured: list[Cell]) -> list[float]:
    """Return the estimates over the errors, of cells that are not exact."""
    ratios = [cell.estimate / cell.error for cell in measured if cell.error > 0.0]
    return [ratio for ratio in ratios if math.isfinite(ratio)]


def row(name: str, measured: list[Cell]) -> list[str]:
    """Return a row of the main table."""
    ratios = careful(measured)
    median = [quantile([cell.error for cell in measured], part) for part in (0.5, 1.0)]
    iterations = sum(cell.reached for cell in measured)
    return [
        name,
        f"{sum(cell.covered for cell in measured)} of {len(measured)}",
        *median,
        *(quantile(ratios, part) for part in (0.0, 0.5, 0.9, 1.0)),
        f"{sum(cell.gradients for cell in measured) / iterations:.2f}",
        f"{sum(cell.single for cell in measured) / iterations:.0%}",
    ]


HEAD = (
    *("", "covered", "median error", "largest error", "least factor", "median factor", "0.9 quantile"),
    *("largest factor", "gradients per iteration", "made one by one"),
)


def table(lines: list[list[str]], head: tuple[str, ...], left: int) -> str:
    """Return rows as a Markdown table."""
    dashes = ["---"] * left + ["---:"] * (len(head) - left)
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, dashes, *lines])


def grouped(measured: list[Cell], of: str) -> str:
    """Return the main table by one attribute of the cells."""
    names = sorted({getattr(cell, of) for cell in measured}, key=lambda name: (name == "", name))
    lines = [
        row(f"`{name}`" if of == "optimizer" else str(name), [c for c in measured if getattr(c, of) == name])
        for name in names
    ]
    return table([*lines, row("all", measured)], HEAD, LEFT)


def missed(measured: list[Cell]) -> str:
    """Return the cells that are not covered."""
    lines = [
        [
            *(f"`{cell.optimizer}({cell.settings})`", cell.objective, f"{cell.alpha:g}", str(cell.steps)),
            *(cell.schedule or "–", f"{cell.error:.1e}", f"{cell.estimate:.1e}"),
        ]
        for cell in measured
        if not cell.covered
    ]
    head = ("optimizer", "objective", "α", "iterations", "schedule", "error", "estimate")
    return table(lines, head, 2) if lines else "None."


def summary(measured: list[Cell]) -> str:
    """Return the sentence above the tables."""
    covered, ratios = sum(cell.covered for cell in measured), careful(measured)
    parts = [
        f"{len(measured)} cells of {len({cell.optimizer for cell in measured})} optimizers.",
        f"The estimate covers the error in {covered}.",
        f"It is {quantile(ratios, 0.5)} times the error in the median cell, up to {quantile(ratios, 0.9)} in 90 %",
        "of the cells.",
    ]
    return " ".join(parts)


def page(measured: list[Cell]) -> None:
    """Write the page."""
    every = [cell for cell in measured if cell.single == cell.reached]
    fill_measured(
        TARGET,
        {
            "summary": summary(measured),
            "optimizers": grouped(measured, "optimizer"),
            "objectives": grouped(measured, "objective"),
            "rates": grouped(measured, "alpha"),
            "missed": missed(measured),
        },
    )
    del every


def main() -> None:
    """Measure, and write cells and page after each optimizer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=sorted(_OPTIMIZERS), help="optimizers (default: all)")
    parser.add_argument("--page", action="store_true", help="only write the page from the stored cells")
    arguments = parser.parse_args()
    for name in [] if arguments.page else arguments.names:
        new = []
        for cell in cells(name):
            new.append(measure(*cell))
            print(new[-1], "" if new[-1].covered else "NOT COVERED", flush=True)
        store(sorted([c for c in stored() if c.optimizer != name] + new, key=lambda c: c.optimizer))
    page(stored())


if __name__ == "__main__":
    main()
