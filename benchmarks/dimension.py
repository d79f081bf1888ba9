"""Cost of the continuous models on a neural network, and their memory against the number of parameters.

    .venv/bin/python benchmarks/dimension.py [--steps 1000] [--budget 60] [--only half-step ...]
        [--accumulators norm coordinate]

First table: every model on the perceptron for the digits (4 960 parameters), per coordinate and with one
accumulator, rtol = 1e-6.  Work is counted in gradients an iteration, products with the Hessian as two each;
both solutions of the certificate are included.  The discrete run takes one gradient an iteration.  A solution
that asks for more than the budget is ended by the solver; the table says where it was.  It is a table of
Markdown, as docs/objectives.md has it.

Second table: work against eps, per coordinate, for the models whose velocity turns round where a coordinate
of the gradient is 0, on a smaller perceptron; and how many coordinates have come to stay there.

Third table: peak of traced memory over that of the rows kept, in vectors of n numbers, for the half-step
model and the discrete run on a diagonal quadratic.
"""

import argparse
import tracemalloc

import numpy as np

import idescent as ide
from idescent import models
from idescent.objectives.perceptron import Perceptron

MODELS = [getattr(models, name)() for name in models.__all__ if name not in ("Equation", "Memory", "Model")]
ALPHAS = {"Adam": 1e-3, "RMSProp": 1e-3, "AdaGrad": 1e-2}
# One step per norm is as long as this many coordinates' worth.
FACTOR = 30.0
# Horizon of the second table.
STEPS = 40
SIZES = (1, 100, 10_000, 100_000, 1_000_000)


class Counted:
    """An objective that counts its work, in gradients."""

    def __init__(self, objective):
        self.objective, self.work = objective, 0
        self.value = objective.value

    def _count(self, theta, weight):
        self.work += weight * (theta.size // theta.shape[-1])

    def gradient(self, theta):
        self._count(theta, 1)
        return self.objective.gradient(theta)

    def hessian_vector(self, theta, direction):
        self._count(theta, 2)
        return self.objective.hessian_vector(theta, direction)


def network(steps, budget, only, accumulators):
    objective = Perceptron.digits()
    start = objective.initial(0)
    print(f"perceptron of {len(start)} parameters, {steps} iterations, at most {budget:g} gradients each\n")
    print("| accumulator | optimizer | model | gradients | reached | estimate | model error |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: |")
    solver = ide.solvers.Collocation(max_gradients=budget)
    for accumulator in accumulators:
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
                if only and model.name not in only:
                    continue
                try:
                    model.equation(optimizer, alpha)
                except ValueError:
                    continue  # the model says that it does not cover this optimizer
                counted = Counted(objective)
                path = ide.solve(model, optimizer, counted, **cell, rtol=1e-6, atol=1e-9, solver=solver)
                report = path.report
                numbers = ["–", "–"]
                if report.ok:
                    error = np.abs(path.theta - run.theta).max()
                    numbers = [f"{report.error_estimate:.1e}", f"{error:.1e}"]
                ends = [report.message.split(":")[0].split()[-1], str(steps)]
                cells = [
                    accumulator,
                    kind,
                    model.name,
                    f"{counted.work / steps:.1f}",
                    ends[report.ok],
                    *numbers,
                ]
                print("| " + " | ".join(cells) + " |", flush=True)


def zeros():
    objective = Perceptron.digits(hidden=6)
    start = objective.initial(0)
    solver = ide.solvers.Collocation(max_gradients=1500.0)
    print(f"\nperceptron of {len(start)} parameters, {STEPS} iterations of Adam, per coordinate\n")
    print("| model | eps | gradients | reached | within 10 eps of 0 |")
    print("| --- | ---: | ---: | ---: | ---: |")
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
            reached = path.report.message.split(":")[0].split()[-1] if not path.report.ok else str(STEPS)
            print(f"| {model.name} | {eps:g} | {counted.work / STEPS:.0f} | {reached} | {stay} |", flush=True)


def peak(make):
    tracemalloc.start()
    made = make()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    rows = sum(made.quantity(name).nbytes for name in ("theta", "loss", *made.moments))
    return found - rows


def memory():
    print(
        f"\ndiagonal quadratic, peak memory in vectors of n numbers\n{'n':>12s}{'half-step':>12s}{'run':>12s}"
    )
    for n in SIZES:
        arguments = ide.Adam(0.9, 0.99), ide.Quadratic(np.linspace(2.0, 5.0, n))
        cell = {"alpha": 0.01, "theta0": np.ones(n), "steps": 10, "keep": [0, 10]}
        solved = peak(lambda a=arguments, c=cell: ide.solve(models.HalfStep(), *a, **c, rtol=1e-4))
        run = peak(lambda a=arguments, c=cell: ide.simulate(*a, **c))
        print(f"{n:12d}{solved / (8 * n):12.0f}{run / (8 * n):12.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--only", nargs="*", default=[], help="names of models")
    parser.add_argument("--accumulators", nargs="*", default=["norm", "coordinate"])
    options = parser.parse_args()
    network(options.steps, options.budget, options.only, options.accumulators)
    zeros()
    memory()


if __name__ == "__main__":
    main()
