"""Measure the numbers in stochastic.md and write them between its markers: run this file.

Deterministic up to rounding; some minutes, most of them for the network.
"""

from pathlib import Path

import numpy as np
from refresh import fill_measured

import idescent as ide
from idescent.objectives import Perceptron
from idescent.schedules import Cosine, LinearWarmup, Sequential, Step
from idescent.stochastic import (
    Additive,
    Batches,
    Compagnoni,
    Malladi,
    along,
    largest,
    mean_optimizer,
    simulate_paths,
    simulate_runs,
    weak_errors,
)

TARGET = Path(__file__).with_name("stochastic.md")
RUNS = 48  # of the network
SCHEDULES = {
    "constant": lambda steps: None,
    "warm-up": lambda steps: LinearWarmup(steps // 4),
    "cosine": Cosine,
    "both": lambda steps: Sequential((LinearWarmup(steps // 8), Cosine(steps - steps // 8)), (steps // 8,)),
    "steps": lambda steps: Step(steps // 4, 0.5),
}


def table(header, rows):
    """Markdown; text on the left, numbers on the right."""
    lines = [header, ["---", "---"] + ["---:"] * (len(header) - 2), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def schedules():
    """Slopes of the models' errors between neighbouring learning rates, schedule by schedule."""
    alphas = 2.0 ** -np.arange(7, 12)
    rows = []
    for label, optimizer in (("Adam 0.9 0.9", ide.Adam(0.9, 0.9)), ("RMSProp 0.9", ide.RMSProp(0.9))):
        for name, make in SCHEDULES.items():
            cells = []
            for model in (ide.models.Paper(), ide.models.HalfStep()):
                errors = []
                for alpha in alphas:
                    steps = round(1.0 / alpha)
                    cell = {"alpha": alpha, "theta0": 1.0, "steps": steps, "schedule": make(steps)}
                    run = ide.simulate(optimizer, ide.Quadratic(4.0), **cell)
                    path = ide.solve(model, optimizer, ide.Quadratic(4.0), **cell, rtol=1e-12, atol=1e-13)
                    errors.append(np.abs(run.theta - path.theta).max())
                slopes = np.diff(np.log(errors)) / np.diff(np.log(alphas))
                cells += [f"{errors[-1]:.1e}", ", ".join(f"{x:.2f}" for x in slopes)]
            rows.append([label, name, *cells])
    return table(["optimizer", "schedule", "paper", "slopes", "half-step", "slopes"], rows)


def interval(error):
    """An error with its interval."""
    return f"{error.error:.1e} ({error.low:.1e} – {error.high:.1e})"


def worst(equation, optimizer, sigma, alpha, time, runs=4000):
    """Largest weak errors of an equation over the last nine tenths of a run."""
    steps = round(time / alpha)
    start = steps // 10
    at = np.unique(np.linspace(start, steps, 9).astype(int))
    cell = {"alpha": alpha, "theta0": 1.0, "steps": steps, "runs": runs, "seed": 5, "at": at}
    noise, observe = Additive(ide.Quadratic(0.0), sigma), ("theta_0", "norm2")
    truth = simulate_runs(optimizer, noise, observe=observe, **cell)
    model = simulate_paths(equation, optimizer, noise, start=start, observe=observe, **cell)
    return largest(weak_errors(truth, model))


def regimes():
    """Weak errors in the regime of each source."""
    rows = []
    for alpha in (0.04, 0.02, 0.01):
        optimizer = ide.Adam(1 - 4 * alpha, 1 - alpha, eps=0.1)
        for equation in (Compagnoni(), Malladi()):
            found = worst(equation, optimizer, 1.0, alpha, 2.0)
            rows.append(["Compagnoni et al.", equation.name, f"{alpha:g}", *map(interval, found)])
    for alpha in (0.2, 0.1):
        optimizer = ide.Adam(1 - 4 * alpha**2, 1 - 2 * alpha**2, eps=0.1 / alpha)
        for equation in (Malladi(), Compagnoni()):
            found = worst(equation, optimizer, 1.0 / alpha, alpha, 2.0 / alpha)
            rows.append(["Malladi et al.", equation.name, f"{alpha:g}", *map(interval, found)])
    return table(["regime of", "equation", "α", "E θ", "E θ²"], rows)


def batches():
    """Weak errors of all models on mini-batches of real size."""
    objective, optimizer = ide.MeanSquaredError.synthetic(size=60), ide.Adam(0.9, 0.99)
    cell = {"alpha": 0.02, "theta0": 0.0, "steps": 120}
    observe, at = ("theta_0", "loss", "second"), [40, 60, 80, 100, 120]
    rows = []
    for size in (1, 4, 16):
        noise = Batches(objective, size)
        many = {**cell, "runs": 1000, "seed": 1, "at": at, "observe": observe}
        truth = simulate_runs(optimizer, noise, **many)
        models = {e.name: simulate_paths(e, optimizer, noise, start=20, substeps=2, **many) for e in (
            Compagnoni(), Malladi())}  # fmt: skip
        path = ide.solve(ide.models.HalfStep(), optimizer, objective, **cell)
        models["half-step, full gradient"] = along(path, objective, observe, at)
        for name, model in models.items():
            rows.append([str(size), name, *map(interval, largest(weak_errors(truth, model)))])
    return table(["b", "model", "E θ", "E f", "E v"], rows)


def network():
    """Relative errors of the mean loss of a network over mini-batches, at six iterations of a run."""
    objective, at, rows = Perceptron.digits(20), [100, 200, 300, 400, 500, 600], []
    cells = [(1e-3, beta2, size, True) for beta2 in (0.999, 0.99, 0.9) for size in (32, 128)]
    cells += [(1e-3, 0.999, 128, False), (3e-3, 0.999, 32, True), (1e-2, 0.999, 32, True)]
    for alpha, beta2, size, replacement in cells:
        optimizer, batches = ide.Adam(0.9, beta2), Batches(objective, size, replacement=replacement)
        cell = {"alpha": alpha, "theta0": objective.initial(0), "steps": at[-1]}
        runs = simulate_runs(optimizer, batches, **cell, runs=RUNS, seed=1, at=at, observe=("loss",))
        truth = runs.values["loss"].mean(axis=1)
        spread = (runs.values["loss"].std(axis=1, ddof=1) / np.sqrt(RUNS) / truth).max()
        mean = mean_optimizer(optimizer, batches)
        predicted = ide.predict(mean, objective, alpha=alpha, start=cell["theta0"], steps=at[-1])
        path = ide.simulate(optimizer, objective, **cell)
        errors = [
            np.abs(loss / truth - 1.0).max() for loss in (objective.value(path.theta[at]), predicted.loss(at))
        ]
        report, count = predicted.report, mean.noise_variance.evaluations
        rows.append([
            *(f"{size}" if replacement else f"{size}, no replacement", f"{alpha:g}", f"{beta2:g}"),
            *(f"{100 * x:.2g} %" for x in (spread, *errors, report.error_estimate)),
            f"{report.gradient_evaluations} + {count}",
            # The noise needs the gradient of every sample and their mean.
            f"{(report.gradient_evaluations + 2 * count) * objective.samples / (at[-1] * size):.0f}",
        ])  # fmt: skip
        print(*rows[-1], flush=True)
    head = [
        "batch",
        "α",
        "β2",
        "standard error",
        "full gradient",
        "noise in v",
        "estimate",
        "cost",
        "in runs",
    ]
    return table(head, rows)


def main():
    """Fill the blocks."""
    blocks = {"schedules": schedules(), "regimes": regimes(), "batches": batches(), "network": network()}
    fill_measured(TARGET, blocks)


if __name__ == "__main__":
    main()
