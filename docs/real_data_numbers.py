"""Write the numbers of real-data.md between its markers.

    python docs/real_data_numbers.py        some minutes on one core

The cells are those of config/digits.yaml.  Each discrete run is compared with four predictions of it: the
paper's model and ``predict`` from the start, the half-step model and ``predict`` after five iterations of the
optimizer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from refresh import fill_measured

import idescent as ide
from idescent import config
from idescent.products.fidelity.rows import horizon, relative_errors, unsolved
from idescent.study import documents, registry
from idescent.study.cells import Cell

TARGET = Path(__file__).with_name("real-data.md")
CONFIG = Path(__file__).parent.parent / "config/digits.yaml"
BOUNDS = (0.01, 0.1)
TRUE = 5  # iterations of the optimizer before the half-step model
TOLERANCE = {"rtol": 1e-6, "atol": 1e-9}
# Gradients an iteration after which a solution, and a prediction, end.
MOST_SOLVED, MOST_PREDICTED = 100, 3
MOST_CHECKS = 100  # iterations at which the sharpness is computed
NEIGHBOUR = 1e-8
METHODS = ("paper, 0", "predict, 0", "half-step, 5", "predict, 5")


@dataclass(frozen=True)
class Prediction:
    """A prediction of a run.

    Attributes
    ----------
    horizons : tuple of int
        Last iteration before the relative error of the loss exceeds 1 % and 10 %; -1: it does from the start.
    open : tuple of bool
        Whether the prediction ended while the loss was within the bound.
    largest : float
        Largest relative error of the loss up to the end of the prediction.
    cost : float
        Gradients an iteration of the run, those for certificate or estimate included.
    reason : str
        Why the prediction has no value at the last iteration; empty if it has one.
    path : Trajectory or None
        Solution of the model.
    """

    horizons: tuple[int, ...]
    open: tuple[bool, ...]
    largest: float
    cost: float
    reason: str
    path: Any = None


@dataclass(frozen=True)
class Measured:
    """A cell with its run and predictions."""

    cell: Cell
    optimizer: Any
    objective: Any
    run: Any
    predictions: dict[str, Prediction]

    @property
    def name(self) -> str:
        """Optimizer with its hyper-parameters."""
        text = self.cell.label
        for name, letter in (("alpha", "α"), ("beta1", "β₁"), ("beta2", "β₂"), ("beta", "β")):
            text = text.replace(f"{name}~", f"{letter} ")
        return f"{self.cell.group[1]}, {text.replace(',', ', ')}"


def cells() -> list[Cell]:
    """Return the cells of the study; those of its map have no row."""
    study = config.load(documents.read(CONFIG))
    return [cell for cell in study.cells if cell.objective["name"] != "memories"]


def measured(cell: Cell) -> Measured:
    """Run a cell and make its predictions."""
    optimizer, objective = registry.optimizer(cell.optimizer), registry.objective(cell.objective)
    theta0 = registry.start(cell.theta0, objective)
    setting: dict[str, Any] = {"alpha": cell.alpha, "steps": cell.steps}
    run = ide.simulate(optimizer, objective, theta0=theta0, **setting)
    solver = ide.solvers.Collocation(max_gradients=MOST_SOLVED)
    late = {"theta": theta0, "iterations": TRUE}
    paths = [
        ide.solve(model, optimizer, objective, solver=solver, **setting, **TOLERANCE, **start)
        for model, start in (
            (ide.models.Paper(), {"theta0": theta0}),
            (ide.models.HalfStep(), {"start": late}),
        )
    ]
    budget = MOST_PREDICTED * cell.steps
    results = [
        ide.predict(optimizer, objective, start={"theta": theta0, "iterations": k}, budget=budget, **setting)
        for k in (0, TRUE)
    ]
    values = [
        solved(run, paths[0]),
        predicted(run, results[0]),
        solved(run, paths[1]),
        predicted(run, results[1]),
    ]
    return Measured(cell, optimizer, objective, run, dict(zip(METHODS, values, strict=True)))


def solved(run: Any, path: Any) -> Prediction:
    """Compare the solution of a model with its run."""
    k, errors = relative_errors(run, path)
    held = tuple(horizon(k, errors["loss"], bound) for bound in BOUNDS)
    report = path.report
    finite = errors["loss"][np.isfinite(errors["loss"])]
    reason = "" if report.ok else f"{report.status}: {report.message.split(';')[0]}"
    ended = tuple(unsolved(path, k, end) for end in held)
    return Prediction(held, ended, float(finite.max()), report.gradient_evaluations / run.steps, reason, path)


def predicted(run: Any, result: Any) -> Prediction:
    """Compare the result of ``predict`` with its run, up to the iteration that it reached."""
    k = run.k[run.k <= result.reached]
    part = run.rows(k)
    k, errors = relative_errors(part, replace(part, loss=result.loss(k)))
    held = tuple(horizon(k, errors["loss"], bound) for bound in BOUNDS)
    short = result.reached < run.steps
    ended = tuple(short and end == result.reached for end in held)
    reason = result.report.message.split(";")[0] if short else ""
    cost = result.report.gradient_evaluations / run.steps
    return Prediction(held, ended, float(errors["loss"].max()), cost, reason)


def until(end: int, open_: bool, steps: int) -> str:
    """Return a horizon as text."""
    return "all" if end == steps else ("≥ " if open_ else "") + str(max(end, 0))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a table in Markdown with ``left`` columns of text."""
    lines = [head, ["---"] * left + ["---:"] * (len(head) - left), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def horizons(measurements: Sequence[Measured]) -> str:
    """Return horizons, errors and costs, two tables for each objective, and reasons of early ends."""
    texts = []
    for objective in dict.fromkeys(m.cell.group[0] for m in measurements):
        group = [m for m in measurements if m.cell.group[0] == objective]
        held, costs, reasons = [], [], []
        for m in group:
            values = m.predictions
            steps = m.cell.steps
            ends = [
                " / ".join(until(*pair, steps) for pair in zip(p.horizons, p.open, strict=True))
                for p in values.values()
            ]
            held.append([m.name, str(steps), *ends])
            costs.append([m.name, *(f"{p.largest:.1e} / {p.cost:.2g}" for p in values.values())])
            early = [f"*{name}*: {p.reason}" for name, p in values.items() if p.reason]
            reasons += [f"- {m.name}; {'; '.join(early)}."] if early else []
        texts += [f"### {objective}", "Within 1 % / within 10 %, up to iteration:"]
        texts += [table(["optimizer", "iterations", *METHODS], held)]
        texts += ["Largest error / gradients an iteration:", table(["optimizer", *METHODS], costs)]
        if reasons:
            texts += ["Without a value at the last iteration:", "\n".join(reasons)]
    return "\n\n".join(texts)


def findings(measurements: Sequence[Measured]) -> str:
    """Return what the tables contain, in sentences."""
    count = len(measurements)

    def whole(name: str, bound: int) -> int:
        return sum(m.predictions[name].horizons[bound] == m.cell.steps for m in measurements)

    def middle(name: str) -> str:
        return f"{np.median([m.predictions[name].cost for m in measurements]):.2g}"

    ratios = [m.predictions["predict, 5"].cost / m.predictions["half-step, 5"].cost for m in measurements]
    lines = [
        f"- The half-step model after {TRUE} iterations predicts the loss of the whole run within 1 % in "
        f"{whole('half-step, 5', 0)} of {count} runs, and within 10 % in {whole('half-step, 5', 1)}. "
        f"The paper's model does so in {whole('paper, 0', 0)} and {whole('paper, 0', 1)}.",
        f"- `predict` after {TRUE} iterations: {whole('predict, 5', 0)} and {whole('predict, 5', 1)}; "
        f"from the start: {whole('predict, 0', 0)} and {whole('predict, 0', 1)}.",
        f"- Gradients an iteration, median: paper {middle('paper, 0')}, half-step {middle('half-step, 5')}, "
        f"`predict` {middle('predict, 5')}. `predict` needs fewer than the solution of the half-step model "
        f"in {sum(ratio < 1.0 for ratio in ratios)} of {count} runs. It needs fewer than the run, 1, in "
        f"{sum(m.predictions['predict, 5'].cost < 1.0 for m in measurements)}.",
    ]
    for m in measurements:
        if (m.cell.group, m.cell.alpha) == (("logistic", "RMSProp"), 0.1):
            ends = [m.predictions[name].horizons[0] for name in METHODS]
            beta = m.cell.optimizer["arguments"]["beta"]
            lines.append(
                f"- Logistic regression, RMSProp, α 0.1, β {beta:g}, within 1 %: the "
                f"half-step model and `predict` after {TRUE} iterations up to k = {ends[2]} and {ends[3]}, "
                f"the paper's model and `predict` from the start up to k = {max(ends[0], 0)} and "
                f"{max(ends[1], 0)}."
            )
    return "\n".join(lines)


def refusals() -> str:
    """Return why the other starts of the two models have no rows."""
    objective, optimizer = ide.objectives.Rosenbrock(), ide.RMSProp(0.9)
    lines = []
    for model, k in ((ide.models.HalfStep(), 0), (ide.models.Paper(), TRUE)):
        start = {"theta": [-1.2, 1.0], "iterations": k}
        try:
            ide.solve(model, optimizer, objective, alpha=0.01, start=start, steps=10)
        except ValueError as error:
            lines.append(f"- {model.name} after {k} iterations: `{error}`")
        else:
            raise AssertionError(f"{model.name} after {k} iterations: solve accepts this start; add its rows")
    return "\n".join(lines)


def neighbour(m: Measured) -> Any:
    """Return a run whose start is moved by about 1e-8 a coordinate."""
    moved = NEIGHBOUR * np.random.default_rng(0).standard_normal(m.run.theta.shape[1])
    start = m.run.theta[0] + moved
    return ide.simulate(m.optimizer, m.objective, alpha=m.cell.alpha, theta0=start, steps=m.cell.steps)


def reason(prediction: Prediction, near: int, since: int | None, steps: int) -> str:
    """Return what is known about the end of the half-step prediction within 10 %.

    Parameters
    ----------
    prediction : Prediction
    near : int
        Horizon of the neighbour within 10 %.
    since : int or None
        First iteration, up to the end, with a sharpness of at least 1.
    steps : int
    """
    if prediction.horizons[1] == steps:
        return "no end"
    parts = ["solver"] if prediction.open[1] else []
    parts += ["below the edge" if since is None else f"at the edge since k = {since}"]
    parts += ["neighbour holds" if near == steps else "neighbour leaves too"]
    return ", ".join(parts)


def ends(measurements: Sequence[Measured]) -> str:
    """Return the state of the runs that the half-step model leaves by 10 %, and of the perceptron's."""
    rows = []
    for m in measurements:
        prediction, steps = m.predictions["half-step, 5"], m.cell.steps
        end = prediction.horizons[1]
        if end == steps and m.cell.group[0] != "perceptron":
            continue
        other = neighbour(m)
        apart = np.linalg.norm(other.theta - m.run.theta, axis=1)
        k, errors = relative_errors(m.run, other)
        near = horizon(k, errors["loss"], BOUNDS[1])
        checked = np.unique(np.linspace(1, max(end, 1), MOST_CHECKS).astype(int))
        edge = ide.edge(m.optimizer, m.objective, m.run, k=checked)
        late = np.abs(np.diff(m.run.theta[-(steps // 10) :], axis=0)).max() / m.cell.alpha
        rows.append(
            [
                m.cell.group[0],
                m.name,
                reason(prediction, near, edge.since, steps),
                until(end, prediction.open[1], steps),
                until(near, False, steps),
                f"{(apart / apart[0]).max():.0e}",
                f"{edge.sharpness.max():.2g}",
                f"{late:.2g}",
            ]
        )
    head = ["objective", "optimizer", "end", "model", "neighbour", "growth", "sharpness", "late steps"]
    return table(head, rows, left=3)


def parting(measurements: Sequence[Measured]) -> str:
    """Return the parameter in which run and half-step model part; perceptron, longer memory."""
    m = [m for m in measurements if m.cell.group[0] == "perceptron"][-1]
    run, path = m.run, m.predictions["half-step, 5"].path
    apart = run.theta - path.theta
    order = np.argsort(-np.abs(apart[-1]))
    share = np.linalg.norm(apart[-1, order[:5]]) / np.linalg.norm(apart[-1])
    rows = []
    for k in (10, 50, 100, 200, 400, 1000):
        gradient = m.objective.gradient(run.theta[k])[order[0]]
        values = (run.theta[k, order[0]], path.theta[k, order[0]], gradient)
        rows.append([str(k), *(f"{value:+.1e}" for value in values), f"{np.linalg.norm(apart[k]):.1e}"])
    text = table(["k", "run", "half-step", "gradient of the run", "distance of all parameters"], rows)
    n = run.theta.shape[1]
    return f"{text}\n\nFive of {n} parameters contribute {100 * share:.0f} % of the distance at the end."


BLOCKS: dict[str, Callable[[Sequence[Measured]], str]] = {
    "findings": findings,
    "held": horizons,
    "ends": ends,
    "parting": parting,
}


def main() -> None:
    """Replace the text between the markers."""
    measurements = []
    for cell in cells():
        m = measured(cell)
        measurements.append(m)
        print(
            m.cell.group[0],
            m.name,
            [(p.horizons, f"{p.cost:.2g}") for p in m.predictions.values()],
            flush=True,
        )
    texts = {name: block(measurements) for name, block in BLOCKS.items()}
    fill_measured(TARGET, texts | {"refusals": refusals()})


if __name__ == "__main__":
    main()
