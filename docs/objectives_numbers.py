"""Cost of the continuous models on a neural network; their work and memory against the number of parameters.

    python docs/objectives_numbers.py [--tables network zeros ahead sizes] [--steps 1000] [--budget 60]
        [--accumulators norm coordinate] [--optimizers Adam ...] [--only half-step ...]

network: every model on the perceptron for the digits (4 960 parameters), per coordinate and with one
accumulator, rtol = 1e-6.  Work is counted in gradients an iteration, products with the Hessian as two each,
and in processor time, in ratio to that of the discrete run, which takes one gradient an iteration; both
solutions of the certificate are included.  A solution that asks for more than the budget is ended by the
solver, and the table says where it was.

zeros: work against eps, per coordinate, for the models whose velocity turns round where a coordinate of the
gradient is 0, on a smaller perceptron; and how many coordinates have come to stay there.

ahead: the paper's equations that look ahead, per coordinate, over six iterations from the start at several
learning rates: below which they are solved, and at what cost.

sizes: gradients an iteration, and peak of traced memory over that of the rows kept in vectors of n numbers,
against n: the half-step model, a prediction and the run of Adam on a diagonal quadratic and on networks.

All of it takes more than an hour.  So every row, once measured, is kept in docs/objectives_numbers.json, and
docs/objectives.md has its tables from there: parts can be measured anew one by one, and `--tables` alone only
writes the page.
"""

import argparse
import json
import os
import time
import tracemalloc
from pathlib import Path

# Time is compared with that of a run of the same process.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from refresh import fill_measured

import idescent as ide
from idescent import models
from idescent.models.equation import derive
from idescent.objectives.data import Split
from idescent.objectives.perceptron import Perceptron

MODELS = [getattr(models, name)() for name in models.__all__ if name not in ("Equation", "Memory", "Model")]
ALPHAS = {"Adam": 1e-3, "RMSProp": 1e-3, "AdaGrad": 1e-2}
# One step per norm is as long as this many coordinates' worth.
FACTOR = 30.0
# Horizon of the second table.
STEPS = 40
SIZES = (100, 10_000, 100_000, 1_000_000)
# Features and hidden units of the networks with about as many parameters.
WIDTHS = ((6, 10), (50, 185), (200, 490), (1000, 996))
PREDICTED = 300
# Half-step is solved up to this n: the peak at 1 000 000 would be some gigabytes.
MOST_SOLVED = 100_000
KEPT = Path(__file__).with_suffix(".json")
TARGET = KEPT.with_name("objectives.md")
HEADS = {
    "network": (
        "accumulator",
        "optimizer",
        "model",
        "gradients",
        "time",
        "reached",
        "estimate",
        "model error",
    ),
    "zeros": ("model", "eps", "gradients", "reached", "within 10 eps of 0"),
    "ahead": ("optimizer", "alpha", "gradients", "reached"),
    "sizes": (
        "objective",
        "n",
        "half-step: gradients",
        "vectors",
        "predict: gradients",
        "vectors",
        "run: vectors",
    ),
}
# Columns of text, where they are more than one.
TEXTS = {"network": 3}
# Columns of a table that say which row it is.
KEYS = {"network": 3, "zeros": 2, "ahead": 2, "sizes": 2}


class Counted:
    """An objective that counts its work, in gradients."""

    def __init__(self, objective):
        self.objective, self.work = objective, 0
        self.value = objective.value

    def _count(self, theta, weight):
        self.work += weight * (theta.size // theta.shape[-1])

    def gradient(self, theta):
        """Count and return the gradient."""
        self._count(theta, 1)
        return self.objective.gradient(theta)

    def hessian_vector(self, theta, direction):
        """Count and return the product."""
        self._count(theta, 2)
        return self.objective.hessian_vector(theta, direction)


def timed(function, *arguments, **more):
    """What a function returns, and the processor time that it took."""
    begin = time.process_time()
    returned = function(*arguments, **more)
    return returned, time.process_time() - begin


def reached(report, steps):
    """Where a solution ended, and why if not at the horizon."""
    if report.ok:
        return str(steps)
    where, _, reason = report.message.partition(": ")
    short = "budget" if "gradient evaluations" in reason else report.status
    return f"{float(where.split()[-1]):.4g} ({short})"


def network(options):
    """Solve every model on the perceptron; yield rows of the first table."""
    objective = Perceptron.digits()
    start, steps = objective.initial(0), options.steps
    solver = ide.solvers.Collocation(max_gradients=options.budget)
    for accumulator in options.accumulators:
        for optimizer in (
            ide.Adam(0.9, 0.999, accumulator=accumulator),
            ide.RMSProp(0.99, accumulator=accumulator),
            ide.AdaGrad(accumulator=accumulator),
        ):
            kind = type(optimizer).__name__
            if kind not in options.optimizers:
                continue
            alpha = ALPHAS[kind] * (FACTOR if accumulator == "norm" else 1.0)
            cell = {"alpha": alpha, "theta0": start, "steps": steps}
            run, taken = timed(ide.simulate, optimizer, objective, **cell)
            for model in MODELS:
                if options.only and model.name not in options.only:
                    continue
                try:
                    derive(model, optimizer, alpha)
                except ValueError:
                    continue  # the model says that it does not cover this optimizer
                counted = Counted(objective)
                path, time_taken = timed(
                    ide.solve, model, optimizer, counted, **cell, rtol=1e-6, atol=1e-9, solver=solver
                )
                report = path.report
                numbers = ["–", "–"]
                if report.ok:
                    error = np.abs(path.theta - run.theta).max()
                    numbers = [f"{report.error_estimate:.1e}", f"{error:.1e}"]
                work = [f"{counted.work / steps:.1f}", f"{time_taken / taken:.2g}"]
                yield [accumulator, kind, model.name, *work, reached(report, steps), *numbers]


def zeros(options):
    """Yield rows of the second table."""
    objective = Perceptron.digits(hidden=6)
    start = objective.initial(0)
    solver = ide.solvers.Collocation(max_gradients=1500.0)
    for model in (models.SignFlow(), models.Cattaneo()):
        for eps in (1e-2, 1e-3, 1e-4):
            optimizer, counted = ide.Adam(0.9, 0.999, eps=eps), Counted(objective)
            path = ide.solve(
                model,
                optimizer,
                counted,
                alpha=1e-3,
                theta0=start,
                steps=STEPS,
                rtol=1e-6,
                atol=1e-9,
                solver=solver,
            )
            begin, end = np.abs(objective.gradient(path.theta[[0, -1]]))
            stay = str(((begin > 100.0 * eps) & (end < 10.0 * eps)).sum()) if path.report.ok else "–"
            yield [model.name, f"{eps:g}", f"{counted.work / STEPS:.0f}", reached(path.report, STEPS), stay]


def ahead(options):
    """Yield rows of the third table."""
    objective = Perceptron.digits()
    start, steps = objective.initial(0), 6
    solver = ide.solvers.Collocation(max_gradients=1500.0)
    for name, optimizer, alphas in (
        ("RMSProp 0.99", ide.RMSProp(0.99), (1e-3, 3e-4, 1e-4)),
        ("RMSProp 0.9", ide.RMSProp(0.9), (1e-3, 3e-4)),
        ("AdaGrad", ide.AdaGrad(), (1e-2, 1e-3, 1e-4)),
    ):
        for alpha in alphas:
            cell = {"alpha": alpha, "theta0": start, "steps": steps, "rtol": 1e-4, "atol": 1e-7}
            path = ide.solve(models.Paper(), optimizer, objective, **cell, solver=solver)
            work = f"{path.report.gradient_evaluations / steps:.0f}"
            yield [name, f"{alpha:g}", work, reached(path.report, steps)]


class Diagonal:
    """A quadratic with curvatures from 0.1 to 1 and no Hessian."""

    def __init__(self, n):
        self.curvature = np.geomspace(0.1, 1.0, n)

    def value(self, theta):
        """Return the loss."""
        return 0.5 * np.sum(self.curvature * theta * theta, axis=-1)

    def gradient(self, theta):
        """Return its gradient."""
        return self.curvature * theta


def classifier(features, hidden):
    """Return a perceptron of three classes on 40 random samples."""
    x = np.random.default_rng(0).normal(size=(40, features))
    y = (x[:, 0] > 0.0).astype(int) + (x[:, 1] > 0.5)
    return Perceptron(Split(x, y, x[:1], y[:1]), hidden)


def peak(function):
    """What a function returns, and its peak of traced memory in bytes."""
    tracemalloc.start()
    result = function()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return result, most


def sizes(options):
    """Yield rows of the last table."""
    cases = [
        ("quadratic", Diagonal(n), np.random.default_rng(0).normal(size=n), ide.Adam(0.9, 0.999))
        for n in SIZES
    ]
    for width in WIDTHS:
        network = classifier(*width)
        # With eps = 1e-8 the zeros of single gradients set the work: see the second table.
        cases.append(("network", network, network.initial(0), ide.Adam(0.9, 0.999, eps=1e-4)))
    for name, objective, theta0, optimizer in cases:
        n = len(theta0)
        cell = {"alpha": 1e-3, "theta0": theta0, "steps": 16, "keep": [0, 16]}
        half_step = ["–", "–"]
        if n <= MOST_SOLVED:
            path, most = peak(
                lambda o=optimizer, f=objective, c=cell: ide.solve(
                    models.HalfStep(), o, f, **c, rtol=1e-6, atol=1e-9
                )
            )
            gradients = path.report.gradient_evaluations / cell["steps"]
            half_step = [
                f"{gradients:.0f}" if path.report.ok else path.report.status,
                f"{most / (8 * n) - 2:.0f}",
            ]
        predicted, most = peak(
            lambda o=optimizer, f=objective, t=theta0: ide.predict(o, f, alpha=1e-3, start=t, steps=PREDICTED)
        )
        prediction = [f"{predicted.report.gradient_evaluations / PREDICTED:.2f}", f"{most / (8 * n):.0f}"]
        run = peak(lambda o=optimizer, f=objective, c=cell: ide.simulate(o, f, **c))[1]
        yield [name, str(n), *half_step, *prediction, f"{run / (8 * n) - 2:.0f}"]


def place(row):
    """Where a row stands in the first table."""
    return ["norm", "coordinate"].index(row[0]), list(ALPHAS).index(row[1]), row[2]


def kept(name, row):
    """Put a row into the file, in the place of what was measured before."""
    tables = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    rows = {tuple(old[: KEYS[name]]): old for old in tables.get(name, [])}
    rows[tuple(row[: KEYS[name]])] = row
    tables[name] = sorted(rows.values(), key=place) if name == "network" else list(rows.values())
    KEPT.write_text(json.dumps(tables, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write():
    """Put all that was kept into the page."""
    blocks = {}
    for name, rows in json.loads(KEPT.read_text(encoding="utf-8")).items():
        head = HEADS[name]
        words = TEXTS.get(name, 1)
        lines = [head, ["---"] * words + ["---:"] * (len(head) - words), *rows]
        blocks[name] = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    fill_measured(TARGET, blocks)


def main() -> None:
    """Measure what is asked for, then write the page."""
    tables = {"network": network, "zeros": zeros, "ahead": ahead, "sizes": sizes}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="*", default=list(tables), choices=list(tables))
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--accumulators", nargs="*", default=["norm", "coordinate"])
    parser.add_argument("--optimizers", nargs="*", default=list(ALPHAS), choices=list(ALPHAS))
    parser.add_argument("--only", nargs="*", default=[], help="names of models")
    options = parser.parse_args()
    for name in options.tables:
        for row in tables[name](options):
            print("| " + " | ".join(row) + " |", flush=True)
            kept(name, row)
    write()


if __name__ == "__main__":
    main()
