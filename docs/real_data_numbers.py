"""Write the numbers in real-data.md between its markers, from the results of config/digits.yaml.

snakemake --cores all --configfile config/digits.yaml
python docs/real_data_numbers.py
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from refresh import fill_measured
from scipy.sparse.linalg import LinearOperator, eigsh

import idescent as ide
from idescent.objectives import Perceptron
from idescent.optimizers.ratio import ratio_of
from idescent.products.fidelity import rows as fidelity
from idescent.store.trajectories import read, read_with_metadata
from idescent.study import registry

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(__file__).with_name("real-data.md")
RESULTS = ROOT / "results/digits"


def table(header, rows):
    """Markdown; text on the left, numbers on the right."""
    lines = [header, ["---"] * 3 + ["---:"] * (len(header) - 3), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def named(label):
    """Hyper-parameters of a cell, for people."""
    for name, letter in (("alpha", "α"), ("beta1", "β₁"), ("beta2", "β₂"), ("beta", "β")):
        label = label.replace(f"{name}~", f"{letter} ")
    return label.replace(",", ", ")


def until(row):
    """How long a model holds."""
    if row["horizon"] is None:
        return "–"
    if row["horizon"] == row["steps"]:
        return "all"
    return ("≥ " if row["unsolved"] else "") + str(max(row["horizon"], 0))


def held():
    """How long the loss is within 1 % and within 10 %, one row for each cell and model."""
    rows = pq.read_table(RESULTS / "tables/fidelity.parquet").to_pylist()
    found = {}
    for row in rows:
        if row["quantity"] == "loss" and row["objective"] != "memories":
            found.setdefault((row["objective"], row["label"], row["solution"]), {})[row["within"]] = row
    lines = []
    for (objective, label, solution), bounds in found.items():
        row = bounds[0.01]
        cost = (row["gradient_evaluations"] or 0) / row["run_gradient_evaluations"]
        largest = "–" if row["largest"] is None else f"{row['largest']:.1e}"
        status = "" if row["status"] == "converged" else f" ({row['status']})"
        gap = "–" if row["accuracy_gap"] is None else f"{100 * row['accuracy_gap']:.1f} %"
        optimizer = row["optimizer"]
        lines.append(
            [
                objective,
                f"{optimizer}, {named(label)}",
                solution + status,
                str(row["steps"]),
                *(until(bounds[b]) for b in (0.01, 0.1)),
                largest,
                gap,
                f"{cost:.3g}",
            ]
        )
    head = [
        "objective",
        "optimizer",
        "model",
        "steps",
        "within 1 %",
        "within 10 %",
        "largest",
        "accuracy",
        "gradients",
    ]
    return table(head, lines)


def product(objective, theta, direction):
    """Hessian times a direction."""
    if hasattr(objective, "hessian_vector"):
        return objective.hessian_vector(theta[None], direction[None])[0]
    if hasattr(objective, "hessian_diagonal"):
        return objective.hessian_diagonal(theta) * direction
    return objective.hessian(theta) @ direction


def sharpness(optimizer, objective, alpha, run, k):
    """Largest curvature of the loss as iteration k sees it, in units of what its frozen steps are stable for.

    The largest eigenvalue of alpha H / (sqrt(v) + eps), made symmetric, over 2 (1 + beta1) / (1 - beta1).
    """
    theta, second = run.theta[k], run.quantity(optimizer.moments[-1])[k]
    if ratio_of(optimizer).corrected:
        second = second / (1.0 - ratio_of(optimizer).beta2 ** k)
    root = np.sqrt(alpha / (np.sqrt(second) + optimizer.eps))
    n = len(theta)
    if n <= 64:
        columns = [root * product(objective, theta, root * unit) for unit in np.eye(n)]
        largest = np.linalg.eigvalsh(np.array(columns))[-1]
    else:
        matrix = LinearOperator(
            (n, n), lambda x: root * product(objective, theta, root * x.ravel()), dtype=float
        )
        start = np.random.default_rng(0).standard_normal(n)
        largest = eigsh(matrix, 1, which="LA", tol=1e-3, v0=start, return_eigenvectors=False)[0]
    momentum = ratio_of(optimizer).beta1 if ratio_of(optimizer).first else 0.0
    return largest / (2.0 * (1.0 + momentum) / (1.0 - momentum))


def neighbour(optimizer, objective, cell, run):
    """A run from a start that is moved by about 1e-8 a coordinate."""
    moved = 1e-8 * np.random.default_rng(0).standard_normal(run.theta.shape[1])
    keys = {key: cell[key] for key in ("alpha", "steps")}
    return ide.simulate(optimizer, objective, theta0=run.theta[0] + moved, **keys)


def ends():
    """What the iteration itself is like where the half-step model leaves it, and on the perceptron."""
    rows = pq.read_table(RESULTS / "tables/fidelity.parquet").to_pylist()
    lines = []
    for row in rows:
        if (row["quantity"], row["within"], row["solution"]) != ("loss", 0.1, "half-step"):
            continue
        if row["objective"] == "memories" or (
            row["horizon"] == row["steps"] and row["objective"] != "perceptron"
        ):
            continue
        file = RESULTS / row["objective"] / row["optimizer"] / row["label"] / "discrete.parquet"
        run, metadata = read_with_metadata(file)
        cell = metadata["cell"]
        objective, optimizer = registry.objective(cell["objective"]), registry.optimizer(cell["optimizer"])
        steps = row["steps"]
        at = np.unique(np.linspace(1, steps, 9 if row["objective"] == "perceptron" else 81).astype(int))
        found = np.array([sharpness(optimizer, objective, cell["alpha"], run, k) for k in at])
        other = neighbour(optimizer, objective, cell, run)
        apart = np.linalg.norm(other.theta - run.theta, axis=1)
        k, errors = fidelity.relative_errors(run, other)
        itself = fidelity.horizon(k, errors["loss"], 0.1)
        late = np.abs(np.diff(run.theta[-(steps // 10) :], axis=0)).max() / cell["alpha"]
        lines.append(
            [
                row["objective"],
                f"{row['optimizer']}, {named(row['label'])}",
                until(row),
                "all" if itself == steps else str(itself),
                f"{(apart / apart[0]).max():.0e}",
                f"{found[at <= max(row['horizon'], 1)].max():.2g}",
                f"{np.median(found[at > steps // 2]):.2g}",
                f"{late:.2g}",
            ]
        )
    head = [
        "objective",
        "optimizer",
        "model",
        "neighbour",
        "growth",
        "sharpness until then",
        "later",
        "late steps",
    ]
    lines = [head, ["---"] * 2 + ["---:"] * (len(head) - 2), *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def parting():
    """The parameters in which run and half-step model part, for the perceptron with the longer memory."""
    folder = RESULTS / "perceptron/Adam/alpha~0.001,beta1~0.9,beta2~0.999"
    run, path = (read(folder / f"{name}.parquet") for name in ("discrete", "half-step"))
    apart = run.theta - path.theta
    worst = int(np.argmax(np.abs(apart[-1])))
    order = np.argsort(-np.abs(apart[-1]))
    share = np.linalg.norm(apart[-1, order[:5]]) / np.linalg.norm(apart[-1])
    perceptron = Perceptron.digits()
    lines = []
    for k in (1, 10, 50, 100, 200, 400, 1000):
        gradient = perceptron.gradient(run.theta[k])[worst]
        values = (run.theta[k, worst], path.theta[k, worst], gradient)
        lines.append([str(k), *(f"{value:+.1e}" for value in values), f"{np.linalg.norm(apart[k]):.1e}"])
    head = ["k", "run", "half-step", "gradient of the run", "distance of all parameters"]
    text = table(head, lines)
    n = run.theta.shape[1]
    return f"{text}\n\nFive of {n} parameters make {100 * share:.0f} % of the distance at the end."


def main():
    """Replace the text between the markers."""
    if not (RESULTS / "tables/fidelity.parquet").is_file():
        sys.exit("results/digits is not there: snakemake --cores all --configfile config/digits.yaml")
    fill_measured(TARGET, {"held": held(), "ends": ends(), "parting": parting()})


if __name__ == "__main__":
    main()
