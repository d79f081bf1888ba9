"""Write the numbers of real-data.md between its markers.

    snakemake --cores all --configfile config/digits.yaml
    python docs/real_data_numbers.py               a minute on one core

Runs and solutions are those of the study.  Predictions, neighbours and the sharpness along each run are
computed here.
"""

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from refresh import fill_measured

import idescent as ide
from idescent.objectives import Perceptron
from idescent.products.fidelity import rows as fidelity
from idescent.store.trajectories import read, read_with_metadata
from idescent.study import registry

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(__file__).with_name("real-data.md")
RESULTS = ROOT / "results/digits"
SOLUTIONS = ("paper", "half-step")
STARTS = (0, 5)  # true iterations before a prediction
BUDGET = 3  # gradients of a prediction, in those of the run


@dataclass(frozen=True)
class Held:
    """Until when a solution or a prediction holds, and its cost.

    Attributes
    ----------
    bounds : tuple of int
        Last iteration within 1 % and within 10 %.
    reached : int
        Last iteration that was computed.
    steps : int
        Horizon of the run.
    largest : float
        Largest relative error of the loss up to ``reached``.
    cost : float
        Gradients an iteration of the run.
    """

    bounds: tuple[int, int]
    reached: int
    steps: int
    largest: float
    cost: float

    def __str__(self) -> str:
        """Return both iterations; ``all`` is the horizon, ``≥`` one that was not computed any further."""
        return " / ".join(self.text(bound) for bound in self.bounds)

    def text(self, bound: int) -> str:
        """Return one of the iterations."""
        if bound >= self.steps:
            return "all"
        return f"≥ {bound}" if bound >= self.reached else str(bound)


def compared(run: Any, loss: Any, reached: int, cost: float) -> Held:
    """Compare losses at the iterations of a run, up to the last one that is known."""
    known = run.k <= reached
    errors = np.abs(loss - run.loss[known]) / np.maximum(np.abs(run.loss[known]), 1e-3 * abs(run.loss[0]))
    bounds = tuple(fidelity.horizon(run.k[known], errors, bound) for bound in (0.01, 0.1))
    return Held((max(bounds[0], 0), max(bounds[1], 0)), reached, run.steps, float(errors.max()), cost)


@dataclass(frozen=True)
class Case:
    """A cell of the study."""

    objective_name: str
    optimizer_name: str
    label: str

    @cached_property
    def stored(self) -> tuple[Any, dict[str, Any]]:
        """Return the run and its cell."""
        run, metadata = read_with_metadata(self.folder / "discrete.parquet")
        return run, metadata["cell"]

    @property
    def folder(self) -> Path:
        """Return the folder of the trajectories."""
        return RESULTS / self.objective_name / self.optimizer_name / self.label

    @cached_property
    def problem(self) -> tuple[Any, Any]:
        """Return the optimizer and the objective."""
        cell = self.stored[1]
        return registry.optimizer(cell["optimizer"]), registry.objective(cell["objective"])

    def solution(self, name: str) -> Held | str:
        """Return what a stored solution holds, or its status if it has no row after the start."""
        run, path = self.stored[0], read(self.folder / f"{name}.parquet")
        finite = np.isfinite(path.loss)
        reached = int(path.k[finite][-1]) if finite.any() else 0
        if reached == 0:
            return path.report.status
        return compared(
            run, path.loss[path.k <= reached], reached, path.report.gradient_evaluations / run.steps
        )

    def predicted(self, iterations: int) -> Held:
        """Return what a prediction after true iterations holds."""
        (optimizer, objective), (run, cell) = self.problem, self.stored
        result = ide.predict(
            optimizer,
            objective,
            alpha=cell["alpha"],
            start={"theta": run.theta[0], "iterations": iterations},
            steps=run.steps,
            budget=BUDGET * run.steps,
        )
        known = run.k[run.k <= result.reached]
        cost = result.report.gradient_evaluations / run.steps
        return compared(run, result.loss(known), result.reached, cost)

    def neighbour(self) -> tuple[str, str]:
        """Until when the run from a start 1e-8 away is within 10 %, and the growth of the distance."""
        (optimizer, objective), (run, cell) = self.problem, self.stored
        moved = run.theta[0] + 1e-8 * np.random.default_rng(0).standard_normal(run.theta.shape[1])
        other = ide.simulate(optimizer, objective, alpha=cell["alpha"], theta0=moved, steps=run.steps)
        apart = np.linalg.norm(other.theta - run.theta, axis=1)
        return compared(run, other.loss, run.steps, 1.0).text(
            compared(run, other.loss, run.steps, 1.0).bounds[1]
        ), f"{(apart / apart[0]).max():.0e}"

    def edge(self) -> tuple[str, str]:
        """Return since when the run is at the edge of stability, and its largest sharpness."""
        (optimizer, objective), (run, cell) = self.problem, self.stored
        try:
            result = ide.edge(optimizer, objective, run, alpha=cell["alpha"])
        except ValueError:
            return "no limit", "–"
        since = "" if result.since is None else f" since {result.since}"
        return result.verdict + (since if result.verdict != "left" else ""), f"{result.sharpness.max():.2g}"

    def late_steps(self) -> str:
        """Return the longest step of a coordinate in the last tenth of the run, over alpha."""
        run, cell = self.stored
        return f"{np.abs(np.diff(run.theta[-(run.steps // 10) :], axis=0)).max() / cell['alpha']:.2g}"

    def names(self) -> list[str]:
        """Return objective and optimizer for a table."""
        label = self.label
        for name, letter in (("alpha", "α"), ("beta1", "β₁"), ("beta2", "β₂"), ("beta", "β")):
            label = label.replace(f"{name}~", f"{letter} ")
        return [self.objective_name, f"{self.optimizer_name}, {label.replace(',', ', ')}"]


def cases() -> list[Case]:
    """Return the cells of the study, without those of the map."""
    rows = pq.read_table(RESULTS / "tables/fidelity.parquet").to_pylist()
    names = dict.fromkeys((row["objective"], row["optimizer"], row["label"]) for row in rows)
    return [Case(*name) for name in names if name[0] != "memories"]


def table(head: list[str], rows: list[list[str]], texts: int = 2) -> str:
    """Return a table in Markdown, with columns of text on the left."""
    lines = [head, ["---"] * texts + ["---:"] * (len(head) - texts), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def blocks() -> dict[str, str]:
    """Return the tables by the names of their markers."""
    held, costs, ends = [], [], []
    horizons: dict[str, list[Held | str]] = {}
    for case in cases():
        steps = case.stored[0].steps
        columns = {name: case.solution(name) for name in SOLUTIONS}
        columns |= {f"predict, {start}": case.predicted(start) for start in STARTS}
        for name, column in columns.items():
            horizons.setdefault(name, []).append(column)
        held.append([*case.names(), str(steps), *map(str, columns.values())])
        numbers = [
            [f"{c.cost:.2g}", f"{c.largest:.1e}"] if isinstance(c, Held) else ["–", "–"]
            for c in columns.values()
        ]
        costs.append([*case.names(), *(number for pair in numbers for number in pair)])
        last = columns[f"predict, {STARTS[-1]}"]
        if last.bounds[1] < steps or case.objective_name == "perceptron":
            ends.append(
                [*case.names(), last.text(last.bounds[1]), *case.neighbour(), *case.edge(), case.late_steps()]
            )
    names = list(horizons)
    head = ["objective", "optimizer"]
    held_head = [*head, "iterations", "paper, 0", "half-step, 5", *names[2:]]
    costs_head = [*head, *(x for name in held_head[3:] for x in (name, "error"))]
    ends_head = [*head, "predict, 5", "neighbour", "growth", "edge", "sharpness", "late steps"]
    return {
        "summary": summary(horizons),
        "held": table(held_head, held),
        "costs": table(costs_head, costs),
        "ends": table(ends_head, ends),
        "parting": parting(),
    }


def summary(horizons: dict[str, list[Held | str]]) -> str:
    """Return the findings of the first table as a list."""
    lines = []
    titles = ("The paper's equations, from iteration 0,", "The half-step model, after 5 iterations,")
    titles += ("A prediction from iteration 0", "A prediction after 5 iterations")
    for title, column in zip(titles, horizons.values(), strict=True):
        solved = [held for held in column if isinstance(held, Held)]
        whole = [sum(held.bounds[i] >= held.steps for held in solved) for i in (0, 1)]
        cheap = sum(held.cost < 1.0 for held in solved)
        verb = "hold" if title.startswith("The paper") else "holds"
        lines.append(
            f"- {title} {verb} for the whole run within 1 % in {whole[0]} of {len(column)} cells and within "
            f"10 % in {whole[1]}, with fewer gradients than the run in {cheap}."
        )
    return "\n".join(lines)


def parting() -> str:
    """Return the parameter in which run and half-step model part, on the perceptron with β₂ = 0.999."""
    folder = RESULTS / "perceptron/Adam/alpha~0.001,beta1~0.9,beta2~0.999"
    run, path = (read(folder / f"{name}.parquet") for name in ("discrete", "half-step"))
    apart = run.theta - path.theta
    order = np.argsort(-np.abs(apart[-1]))
    share = np.linalg.norm(apart[-1, order[:5]]) / np.linalg.norm(apart[-1])
    perceptron, worst = Perceptron.digits(), order[0]
    rows = []
    for k in (1, 10, 50, 100, 200, 400, 1000):
        gradient = perceptron.gradient(run.theta[k])[worst]
        values = (run.theta[k, worst], path.theta[k, worst], gradient)
        rows.append([str(k), *(f"{value:+.1e}" for value in values), f"{np.linalg.norm(apart[k]):.1e}"])
    head = ["k", "run", "half-step", "gradient of the run", "distance of all parameters"]
    text = f"Five of {run.theta.shape[1]} parameters make {100 * share:.0f} % of the distance at the end."
    return f"{table(head, rows, texts=0)}\n\n{text}"


def main() -> None:
    """Replace the text between the markers."""
    if not (RESULTS / "tables/fidelity.parquet").is_file():
        sys.exit("results/digits is not there: snakemake --cores all --configfile config/digits.yaml")
    fill_measured(TARGET, blocks())


if __name__ == "__main__":
    main()
