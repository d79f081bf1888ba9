"""Write the tables of predict.md between its markers.

    python docs/predict_numbers.py         two minutes on one core

Each prediction is compared with the discrete run on the digits perceptron with 20 hidden units, full batch,
from the start of seed 1.  Costs are counts of gradients.
"""

from pathlib import Path
from typing import Any

import numpy as np
from refresh import fill_measured

import idescent as ide
from idescent.objectives import Perceptron

TARGET = Path(__file__).with_name("predict.md")
NETWORK = Perceptron.digits(hidden=20)
THETA0 = NETWORK.initial(1)
EVERY = 5  # iterations between two at which losses are compared
FLOOR = 1e-3  # of the first loss: the least denominator of a relative error


def run(optimizer: Any, alpha: float, steps: int) -> Any:
    """Return the discrete run."""
    return ide.simulate(optimizer, NETWORK, alpha=alpha, theta0=THETA0, steps=steps, keep=EVERY)


def errors(result: Any, discrete: Any) -> Any:
    """Return the relative errors of the loss at the stored iterations that were predicted."""
    known = discrete.k <= result.reached
    loss = discrete.loss[known]
    return np.abs(result.loss(discrete.k[known]) - loss) / np.maximum(loss, FLOOR * discrete.loss[0])


def row(*cells: Any) -> str:
    """Return a line of a table."""
    return "| " + " | ".join(map(str, cells)) + " |"


def head(*names: str, left: int = 1) -> list[str]:
    """Return the first two lines of a table, with ``left`` columns of text."""
    return [row(*names), row(*["---"] * left, *["---:"] * (len(names) - left))]


def named(optimizer: Any) -> str:
    """Return an optimizer with its decay rates."""
    rates = [f"{x:g}" for name, x in optimizer.hyperparameters.items() if name.startswith("beta")]
    return " ".join([type(optimizer).__name__, *rates])


CASES = [
    (ide.Adam(0.9, 0.999), 1e-3, 1000),
    (ide.Adam(0.9, 0.99), 1e-3, 1000),
    (ide.Adam(0.9, 0.999), 1e-4, 3000),
    (ide.RMSProp(0.999), 1e-3, 1000),
    (ide.RMSProp(0.99), 1e-4, 2000),
    (ide.AdaGrad(), 1e-2, 1000),
]


def predictions() -> str:
    """Return the table of predictions with the default settings."""
    names = ("optimizer", "α", "iterations", "last loss", "error", "estimate", "path", "total", "theta")
    lines = head(*names)
    for optimizer, alpha, steps in CASES:
        discrete = run(optimizer, alpha, steps)
        result = ide.predict(optimizer, NETWORK, alpha=alpha, start=THETA0, steps=steps)
        report, change = result.report, discrete.theta[-1] - THETA0
        theta = np.abs(result(steps) - discrete.theta[-1]).max() / np.abs(change).max()
        lines.append(
            row(
                named(optimizer),
                f"{alpha:g}",
                steps,
                f"{discrete.loss[-1]:.2g}",
                f"{errors(result, discrete).max():.1e}",
                f"{report.error_estimate:.1e}",
                f"{report.details['path'] / steps:.2f}",
                f"{report.gradient_evaluations / steps:.2f}",
                f"{theta:.1e}",
            )
        )
        print(lines[-1], flush=True)
    return "\n".join(lines)


def orders() -> str:
    """Return errors and costs of constant steps."""
    optimizer, alpha, steps = ide.Adam(0.9, 0.999), 1e-3, 1000
    discrete = run(optimizer, alpha, steps)
    lines = head("step", "gradients an iteration", "error", "solver", left=0)
    setting: dict[str, Any] = {"alpha": alpha, "start": THETA0, "steps": steps, "estimate": False}
    fine = ide.predict(optimizer, NETWORK, step=0.5, **setting).loss(discrete.k)
    for h in (1, 2, 4, 8, 16, 32):
        result = ide.predict(optimizer, NETWORK, step=h, **setting)
        cost = result.report.details["path"] / steps
        solver = np.abs(result.loss(discrete.k) - fine) / np.maximum(fine, FLOOR * fine[0])
        lines.append(row(h, f"{cost:.2f}", f"{errors(result, discrete).max():.1e}", f"{solver.max():.1e}"))
        print(lines[-1], flush=True)
    return "\n".join(lines)


def gains() -> str:
    """Return the cost of predictions over the same time alpha k."""
    lines = head("α", "iterations", "gradients", "gradients an iteration", "largest step", left=0)
    for alpha in (4e-3, 2e-3, 1e-3, 5e-4, 2.5e-4):
        steps = round(1.0 / alpha)
        optimizer = ide.Adam(0.9, 0.999)
        result = ide.predict(optimizer, NETWORK, alpha=alpha, start=THETA0, steps=steps, estimate=False)
        path = result.report.details["path"]
        size = result.report.details["largest_step"]
        lines.append(row(f"{alpha:g}", steps, path, f"{path / steps:.2f}", f"{size:g}"))
        print(lines[-1], flush=True)
    return "\n".join(lines)


ENDS = [
    (ide.Adam(0.9, 0.99), 0.02),
    (ide.RMSProp(0.99), 0.005),
    (ide.RMSProp(0.9), 0.003),
    (ide.RMSProp(0.9), 0.005),
    (ide.RMSProp(0.9), 0.01),
]


def ends() -> str:
    """Return where runs are at the edge of stability, and where predictions leave them."""
    steps = 600
    names = ("optimizer", "α", "edge", "part", "off by 1 %", "off by 10 %", "error", "estimate", "total")
    lines = head(*names)
    for optimizer, alpha in ENDS:
        discrete = run(optimizer, alpha, steps)
        edge = ide.edge(optimizer, NETWORK, discrete, k=discrete.k[1::2])
        result = ide.predict(optimizer, NETWORK, alpha=alpha, start=THETA0, steps=steps)
        off = errors(result, discrete)
        first = [discrete.k[np.argmax(off > x)] if (off > x).any() else "–" for x in (0.01, 0.1)]
        report = result.report
        lines.append(
            row(
                named(optimizer),
                f"{alpha:g}",
                "–" if edge.since is None else edge.since,
                f"{100 * (edge.sharpness >= 1.0).mean():.0f} %",
                *first,
                f"{off.max():.1e}",
                f"{report.error_estimate:.1e}",
                f"{report.gradient_evaluations / steps:.2f}",
            )
        )
        print(lines[-1], report.status, flush=True)
    return "\n".join(lines)


if __name__ == "__main__":
    blocks = {"predictions": predictions(), "orders": orders(), "gains": gains(), "ends": ends()}
    fill_measured(TARGET, blocks)
