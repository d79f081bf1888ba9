"""Compare leaps with the discrete runs that they compute, and write docs/leap-errors.md.

    python docs/leap_numbers.py            measure all cells; a few minutes on one core
    python docs/leap_numbers.py Adam Lion  measure the cells of these optimizers, and keep the others
    python docs/leap_numbers.py --page     write the page from the stored cells

The cells are stored in docs/leap_numbers.json.
"""

import argparse
import json
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
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
    "ADOPT": ({"beta2": 0.96}, {"accumulator": "norm", "beta2": 0.997}),
    "AMSGrad": ({"beta2": 0.95}, {"beta1": 0.7, "beta2": 0.997, "accumulator": "norm"}),
    "AdaBelief": ({"beta2": 0.96, "eps_root": 1e-8}, {"beta1": 0.75, "beta2": 0.997}),
    "AdaDelta": ({"beta": 0.88}, {"beta": 0.97, "eps": 1e-4}),
    "AdaGrad": ({}, {"accumulator": "norm"}, {"eps": 1e-3}),
    "Adafactor": ({"tau": 0.7}, {"scaled": False, "weight_decay": 0.05}),
    "Adam": (
        {"beta1": 0.87, "beta2": 0.96},
        {"beta1": 0.9, "beta2": 0.999, "accumulator": "norm"},
        {"beta1": 0.0, "beta2": 0.95, "eps": 1e-4},
    ),
    "AdamL2": (
        {"beta1": 0.75, "beta2": 0.96, "weight_decay": 0.02},
        {"beta1": 0.9, "beta2": 0.999, "weight_decay": 0.2, "accumulator": "norm"},
    ),
    "AdamW": (
        {"beta1": 0.75, "beta2": 0.96, "weight_decay": 0.02},
        {"beta1": 0.95, "beta2": 0.9, "weight_decay": 0.2, "accumulator": "norm"},
    ),
    "Adamax": ({"beta1": 0.75, "beta2": 0.96}, {"beta2": 0.997}),
    "CenteredRMSProp": ({"beta": 0.93}, {"beta": 0.997, "eps": 1e-4}),
    "GradientDescent": ({},),
    "HeavyBall": ({"beta": 0.78}, {"beta": 0.93, "dampening": 0.5}),
    "Lion": ({"beta1": 0.75, "beta2": 0.96}, {"weight_decay": 0.1}),
    "MomentumRMSProp": ({"beta": 0.93, "beta1": 0.7}, {"beta": 0.997, "accumulator": "norm"}),
    "Muon": ({"beta": 0.9}, {"beta": 0.8, "exact": True, "nesterov": False, "weight_decay": 0.1}),
    "NAdam": ({"beta2": 0.96}, {"beta1": 0.75, "beta2": 0.997, "accumulator": "norm"}),
    "Nesterov": ({"beta": 0.78}, {"beta": 0.93}),
    "QHM": ({"beta": 0.93, "nu": 0.5}, {"beta": 0.99, "nu": 0.9}),
    "RMSProp": ({"beta": 0.93}, {"beta": 0.997, "accumulator": "norm"}, {"beta": 0.9, "eps": 1e-4}),
    "ScheduleFreeAdamW": ({"beta2": 0.96}, {"beta1": 0.75, "beta2": 0.997, "weight_decay": 0.1}),
    "ScheduleFreeSGD": ({"beta": 0.78}, {"beta": 0.93}),
    "Shampoo": ({}, {"eps": 1e-2}),
    "Signum": ({"beta": 0.78}, {"beta": 0.93}),
}
# The step is proportional to the gradient: stable only below a learning rate of about 2 / curvature.
PLAIN = ("GradientDescent", "HeavyBall", "Nesterov", "QHM", "ScheduleFreeSGD")
MATRICES = ("Adafactor", "Muon", "Shampoo")
# A cell is calm up to this estimate.
CALM = 1e-8
FACTORS = (0.1, 0.5, 0.9)
HEAD = (
    *("cells", "covered", "calm", "median error", "largest error", "factor, 10 %", "50 %", "90 %"),
    *("gradients per iteration", "made one by one"),
)


@dataclass(frozen=True)
class Problem:
    """An objective with the start and the largest curvature there."""

    objective: Any
    theta0: Any
    curvature: float


@lru_cache(maxsize=2)
def problems(matrix: bool) -> dict[str, Problem]:
    """Return the objectives of an optimizer by name."""
    rotated, well = [-1.1, 2.3, 0.4, -1.7, 0.9, 1.6], [0.3, -1.6, -0.08, 1.7, 0.5, -0.7]
    valley = [-0.9, 1.3, -0.4, 0.6, 0.5, -0.9]
    count = 6 if matrix else 5
    common = {
        "rotated quadratic": Problem(objectives.RotatedQuadratic(count, 20.0, 11), rotated[:count], 1.0),
        "double well": Problem(objectives.DoubleWell(6 if matrix else 3), well[: 6 if matrix else 3], 9.0),
        "Rosenbrock": Problem(
            objectives.Rosenbrock(6 if matrix else 2), valley[: 6 if matrix else 2], 2000.0
        ),
    }
    if matrix:
        return common | {"quadratic": Problem(ide.Quadratic(-0.4), rotated, 2.0)}
    regression = objectives.LogisticRegression.breast_cancer()
    return common | {
        "quadratic": Problem(ide.Quadratic(-0.4), 1.9, 2.0),
        "squared error": Problem(ide.MeanSquaredError.synthetic(seed=8), 0.3, 2.0),
        "logistic regression": Problem(regression, regression.initial(9), 5.0),
    }


# Learning rates and horizons; the long ones for optimizers whose runs are compiled.
LADDER = ((2.7e-2, 600), (1.2e-3, 3500), (1.9e-4, 7000))
LONG = ((9e-6, 180_000), (5e-4, 120_000))
COMPILED = ("AdaGrad", "Adam", "RMSProp")
SCHEDULED = (1.6e-3, 3800)
SCHEDULES: dict[str, Schedule] = {
    "cosine": Cosine(3300, 0.05),
    "warm-up, then steps": Sequential((LinearWarmup(300), Step(1100, 0.4)), (900,)),
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

    @property
    def calm(self) -> bool:
        """Whether no neighbours part."""
        return self.estimate <= CALM

    @property
    def factor(self) -> float:
        """The estimate over the error, or over half a unit in the last place of theta if that is larger."""
        return self.estimate / max(self.error, 0.5 * float(np.spacing(self.size)))


def cells(name: str) -> Iterator[tuple[Optimizer, str, Problem, float, int, str]]:
    """Return the cells of an optimizer: its objectives, learning rates and horizons, and schedules."""
    kind, matrix = getattr(ide, name), name in MATRICES
    variants = HYPERPARAMETERS[name]
    shape = {"shape": (2, 3)} if matrix else {}
    chosen = 0
    for objective, problem in problems(matrix).items():
        scale = 1.0 / max(1.0, problem.curvature) if name in PLAIN else 1.0
        plan = [(alpha * scale, steps, "") for alpha, steps in LADDER]
        if objective == "rotated quadratic":
            plan += [(SCHEDULED[0] * scale, SCHEDULED[1], schedule) for schedule in SCHEDULES]
        if name in COMPILED and objective in ("quadratic", "squared error"):
            plan += [(alpha, steps, "") for alpha, steps in LONG]
        for alpha, steps, schedule in plan:
            optimizer = kind(**shape, **variants[chosen % len(variants)])
            chosen += 1
            yield optimizer, objective, problem, float(f"{alpha:.3g}"), steps, schedule


def settings(optimizer: Optimizer) -> str:
    """Return the hyperparameters of an optimizer as text."""
    return repr(optimizer).partition("(")[2].removesuffix(")")


def measure(
    optimizer: Optimizer, objective: str, problem: Problem, alpha: float, steps: int, schedule: str
) -> Cell:
    """Compare one leap with its run."""
    setup: dict[str, Any] = {"alpha": alpha, "theta0": problem.theta0, "steps": steps}
    setup["schedule"] = SCHEDULES.get(schedule)
    leap = ide.leap(optimizer, problem.objective, rtol=RTOL, **setup)
    run = ide.simulate(optimizer, problem.objective, **setup).theta[: leap.reached + 1]
    error = float(np.abs(leap(np.arange(leap.reached + 1)) - run).max())
    details, report = leap.report.details, leap.report
    return Cell(
        type(optimizer).__name__,
        settings(optimizer),
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
    """Return a quantile of numbers for the page."""
    return f"{float(np.quantile(values, part)):.1e}" if values else "–"


def percent(part: float, whole: float) -> str:
    """Return a ratio in percent."""
    return f"{100.0 * part / whole:.0f} %"


def row(name: str, measured: list[Cell]) -> list[str]:
    """Return a row of a table: coverage and cost of all cells, errors and factors of the calm ones."""
    calm = [cell for cell in measured if cell.calm]
    iterations = sum(cell.reached for cell in measured)
    factors = [f"{float(np.quantile([c.factor for c in calm], q)):.0f}" if calm else "–" for q in FACTORS]
    return [
        name,
        str(len(measured)),
        str(sum(cell.covered for cell in measured)),
        str(len(calm)),
        *(quantile([cell.error for cell in calm], part) for part in (0.5, 1.0)),
        *factors,
        f"{sum(cell.gradients for cell in measured) / iterations:.2f}",
        percent(sum(cell.single for cell in measured), iterations),
    ]


def table(lines: list[list[str]], head: tuple[str, ...], left: int = 1) -> str:
    """Return rows as a Markdown table."""
    dashes = ["---"] * left + ["---:"] * (len(head) - left)
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, dashes, *lines])


def grouped(measured: list[Cell], title: str, of: Callable[[Cell], Any]) -> str:
    """Return a table of cells by one of their attributes."""
    groups: dict[Any, list[Cell]] = {}
    for cell in measured:
        groups.setdefault(of(cell), []).append(cell)
    names = sorted(groups, key=lambda name: name.strip("`") if isinstance(name, str) else name)
    lines = [row(str(name), groups[name]) for name in names]
    return table([*lines, row("all", measured)], (title, *HEAD))


def parted(measured: list[Cell]) -> str:
    """Return the cells in which neighbours part, by optimizer."""
    lines = []
    for name in (*sorted({cell.optimizer for cell in measured if not cell.calm}), "all"):
        group = [cell for cell in measured if not cell.calm and name in (cell.optimizer, "all")]
        errors, estimates = ([getattr(cell, of) for cell in group] for of in ("error", "estimate"))
        lines.append(
            [
                name if name == "all" else f"`{name}`",
                str(len(group)),
                str(sum(cell.covered for cell in group)),
                *(quantile(values, part) for values in (errors, estimates) for part in (0.5, 1.0)),
            ]
        )
    head = (
        "optimizer",
        "cells",
        "covered",
        "median error",
        "largest error",
        "median estimate",
        "largest estimate",
    )
    return table(lines, head)


def missed(measured: list[Cell]) -> str:
    """Return the cells that are not covered."""
    lines = [
        [
            f"`{cell.optimizer}({cell.settings})`",
            *(cell.objective, cell.schedule or "–", f"{cell.alpha:g}", str(cell.steps)),
            *(f"{cell.error:.1e}", f"{cell.estimate:.1e}"),
        ]
        for cell in measured
        if not cell.covered
    ]
    head = ("optimizer", "objective", "schedule", "α", "iterations", "error", "estimate")
    return table(lines, head, 3) if lines else "None."


def summary(measured: list[Cell]) -> str:
    """Return the sentences above the tables."""
    calm = [cell for cell in measured if cell.calm]
    factors = [cell.factor for cell in calm]
    none = sum(cell.single == cell.reached for cell in measured)
    ended = sum(cell.status == "not converged" for cell in measured)
    low, median, high = np.quantile(factors, FACTORS)
    parts = [
        f"{len(measured)} cells of {len({cell.optimizer for cell in measured})} optimizers, with",
        f"{sum(cell.reached for cell in measured)} iterations; the tolerance is rtol = {RTOL:g}.",
        f"The estimate covers the error in {sum(cell.covered for cell in measured)} of them.",
        f"{len(calm)} cells are calm: their largest error is {quantile([c.error for c in calm], 1.0)},",
        f"and the estimate is {median:.0f} times the error in the median,",
        f"from {low:.0f} to {high:.0f} times in 80 % of them.",
        f"In {len(measured) - len(calm)} cells neighbours part.",
        f"{none} cells have no element: all their iterations were made one by one.",
        f"The limit of gradients ended {ended}.",
    ]
    return textwrap.fill(" ".join(parts), 130)


def grid(measured: list[Cell]) -> str:
    """Return the learning rates with their horizons, and the objectives with their starts."""
    rungs, long = (", ".join(f"{alpha:g} ({steps})" for alpha, steps in pairs) for pairs in (LADDER, LONG))
    text = (
        f"Learning rates α, with the horizon in iterations: {rungs}; for {', '.join(COMPILED)} on the"
        f" objectives in one dimension also {long}. With a schedule: {SCHEDULED[0]:g} ({SCHEDULED[1]})."
    )
    lines = [
        [
            name + (" (matrices)" if matrix else ""),
            f"`{problem.objective!r}`",
            ", ".join(f"{value:g}" for value in np.atleast_1d(problem.theta0)[:6])
            + (", …" if np.size(problem.theta0) > 6 else ""),
            f"{problem.curvature:g}",
            str(sum(c.objective == name and (c.optimizer in MATRICES) == matrix for c in measured)),
        ]
        for matrix in (False, True)
        for name, problem in problems(matrix).items()
    ]
    head = ("objective", "class", "start", "curvature", "cells")
    return f"{textwrap.fill(text, 130)}\n\n{table(lines, head, 3)}"


def page(measured: list[Cell]) -> None:
    """Write the page."""
    fill_measured(
        TARGET,
        {
            "summary": summary(measured),
            "optimizers": grouped(measured, "optimizer", lambda cell: f"`{cell.optimizer}`"),
            "objectives": grouped(measured, "objective", lambda cell: cell.objective),
            "horizons": grouped(measured, "iterations", lambda cell: cell.steps),
            "parted": parted(measured),
            "missed": missed(measured),
            "grid": grid(measured),
        },
    )


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
