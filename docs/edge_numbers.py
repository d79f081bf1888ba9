"""Write the table of edge.md between its markers.

    python docs/edge_numbers.py            some minutes on one core

Does the sharpness reach 1 before the half-step model leaves the run?  Each cell is a discrete run and its
model, with a horizon that is doubled until the model's loss is off by 10 %.  The sharpness is that along the
model's own path: the run is used for the end only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from refresh import fill_measured

import idescent as ide
from idescent.objectives import LogisticRegression, Perceptron, Rosenbrock
from idescent.objectives.data import read, split
from idescent.products.fidelity.rows import horizon, relative_errors

TARGET = Path(__file__).with_name("edge.md")
WITHIN, SHORTEST = 0.1, 64
# Iterations of the path at which the sharpness is computed.
CHECKS = 200
ACCUMULATORS = ("coordinate", "norm")


@dataclass(frozen=True)
class Cell:
    """A run to compare.

    Attributes
    ----------
    name : str
    objective : Objective
    optimizer : Optimizer
    alpha : float
    theta0 : list of float
    longest : int
        Horizon beyond which no end is looked for.
    """

    name: str
    objective: Any
    optimizer: Any
    alpha: float
    theta0: list[float]
    longest: int


def grid() -> Iterator[Cell]:
    """Yield the 48 cells: three objectives, each with one accumulator a coordinate and one for the norm."""
    x, y = read("breast_cancer")
    data = split(x[::3, :8], y[::3], 0.2, 0)
    logistic, network = LogisticRegression(data), Perceptron(data, hidden=2)
    for accumulator in ACCUMULATORS:
        rms = {beta: ide.RMSProp(beta, accumulator=accumulator) for beta in (0.9, 0.95, 0.99)}
        adams = [ide.Adam(0.9, beta2, accumulator=accumulator) for beta2 in (0.9, 0.99)]
        for optimizer in (rms[0.9], rms[0.99], *adams):
            for alpha in (0.05, 0.03, 0.02):
                yield Cell("Rosenbrock", Rosenbrock(), optimizer, alpha, [-1.2, 1.0], 2048)
        for optimizer in rms.values():
            for alpha in (0.5, 0.3):
                yield Cell("logistic regression", logistic, optimizer, alpha, [0.0] * logistic.dimension, 512)
        for optimizer in (rms[0.9], rms[0.95]):
            for alpha in (0.3, 0.2, 0.1):
                yield Cell("perceptron", network, optimizer, alpha, network.initial(1).tolist(), 256)


def measured(cell: Cell) -> dict[str, Any]:
    """Return the end of the model's prediction, and the crossings of the sharpness along its path."""
    steps, end = SHORTEST // 2, -1
    while steps < cell.longest:
        steps *= 2
        setting: dict[str, Any] = {"alpha": cell.alpha, "theta0": cell.theta0, "steps": steps}
        run = ide.simulate(cell.optimizer, cell.objective, **setting)
        model = ide.models.HalfStep()
        path = ide.solve(model, cell.optimizer, cell.objective, **setting, rtol=1e-4, atol=1e-6)
        k, errors = relative_errors(run, path)
        end = horizon(k, errors["loss"], WITHIN)
        if end < steps:
            break
    known = path.k[(path.k >= 1) & (path.k <= max(end, 1)) & np.isfinite(path.theta).all(axis=1)]
    checked = known[np.unique(np.linspace(0, len(known) - 1, CHECKS).astype(int))]
    result = ide.edge(cell.optimizer, cell.objective, path, k=checked)
    above = result.sharpness >= 1.0
    rises = np.flatnonzero(above & ~np.append(False, above[:-1]))
    return {
        "end": None if end == steps else end,
        "first": result.since,
        "last": int(result.k[rises[-1]]) if rises.size else None,
        "growth": float(result.growth[-1]),
        "products": result.report.details["most_products"],
        "status": path.report.status,
    }


def row(cell: Cell, values: dict[str, Any]) -> str:
    """Return a line of the table."""
    hyper = cell.optimizer.hyperparameters
    betas = ", ".join(f"{name} {hyper[name]:g}" for name in ("beta", "beta1", "beta2") if name in hyper)
    numbers = [values["first"], values["last"], values["end"]]
    texts = ["–" if number is None else str(number) for number in numbers]
    cells = [cell.name, type(cell.optimizer).__name__, betas, hyper["accumulator"], f"{cell.alpha:g}", *texts]
    return "| " + " | ".join([*cells, f"{values['growth']:.0e}"]) + " |"


def report() -> str:
    """Return the summary and the table."""
    cells = list(grid())
    values = []
    for cell in cells:
        values.append(measured(cell))
        print(row(cell, values[-1]), values[-1]["status"], flush=True)
    ended = [value for value in values if value["end"] is not None]
    before = [value for value in ended if value["first"] is not None and value["first"] <= value["end"]]
    late = [value for value in before if value["last"] > 1]
    leads = [value["end"] / value["last"] for value in late]
    share, most = 100.0 * len(before) / len(ended), max(value["products"] for value in values)
    summary = (
        f"The error of the model exceeds 10 % in {len(ended)} of {len(cells)} cells. The sharpness along its "
        f"own path reaches 1 before that in {len(before)} of them ({share:.0f} %). In "
        f"{len(before) - len(late)} of these it is above 1 from the first iteration on; in the others the "
        f"end is {min(leads):.2f} to {max(leads):.1f} times as late as the last rise above 1 (median "
        f"{np.median(leads):.2f}). No iteration took more than {most} products with the Hessian."
    )
    head = "| objective | optimizer | decay rates | accumulator | α | first | last | end | growth |"
    rule = "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: |"
    return "\n".join([summary, "", head, rule, *map(row, cells, values)])


if __name__ == "__main__":
    fill_measured(TARGET, {"crossings": report()})
