"""Measure the numbers in theory.md and write them between its markers: ``python docs/theory_numbers.py``.

Deterministic up to rounding; about half a minute.
"""

from pathlib import Path

import numpy as np
from refresh import fill_measured

import idescent as ide
from idescent.optimizers.ratio import ratio_of

QUADRATIC = ide.Quadratic(4.0)
PAPER, HALF, THIRD = ide.models.Paper(), ide.models.HalfStep(), ide.models.ThirdOrder()


def runs(model, optimizer, alpha, steps, **tolerance):
    """The discrete run and the model's solution."""
    cell = {"alpha": alpha, "theta0": 1.0, "steps": steps}
    run = ide.simulate(optimizer, QUADRATIC, **cell)
    path = ide.solve(model, optimizer, QUADRATIC, **cell, **(tolerance or {"rtol": 1e-13, "atol": 1e-15}))
    return run, path


def sup(model, optimizer, alpha, steps, **tolerance):
    """Sup norm of their difference over all iterations."""
    run, path = runs(model, optimizer, alpha, steps, **tolerance)
    return np.abs(run.theta - path.theta).max()


def name(optimizer):
    """Optimizer and betas, as in the tables."""
    values = [str(v) for key, v in optimizer.hyperparameters.items() if key.startswith("beta")]
    return f"{type(optimizer).__name__} {' '.join(values)}".strip()


def table(header, rows):
    """Markdown; text on the left, numbers on the right."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def grid():
    """Errors on the paper's grid."""
    rows = []
    for alpha in (0.1, 0.01):
        for optimizer, time in (
            (ide.AdaGrad(), 0.0),
            (ide.RMSProp(0.9), 6.0),
            (ide.RMSProp(0.99), 6.0),
            *((ide.Adam(b1, b2), 10.0) for b1 in (0.0, 0.9) for b2 in (0.99, 0.999)),
        ):
            steps = round(time / alpha) if time else round(20 / alpha**2)
            models = (PAPER, HALF, THIRD) if ratio_of(optimizer).corrected else (PAPER, HALF)
            found = [f"{sup(m, optimizer, alpha, steps, rtol=1e-9):.1e}" for m in models]
            rows.append([name(optimizer), f"{alpha}", str(steps), *found, *(["–"] * (3 - len(found)))])
    return table(["optimizer", "α", "iterations", "paper", "half-step", "third order"], rows)


def power(base, exponent):
    """Write a power with a raised exponent."""
    return f"{base}{str(exponent).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def ladder(model, cells):
    """Error over alpha^order, and slopes between neighbours."""
    rows = []
    for optimizer, powers, time in cells:
        alphas = 2.0 ** -np.array(powers)
        errors = np.array([sup(model, optimizer, a, round(time / a)) for a in alphas])
        steps = np.log2(errors[:-1] / errors[1:]) / np.diff(powers)
        rows.append(
            [
                name(optimizer),
                f"{power(2, -powers[0])} … {power(2, -powers[-1])}",
                f"{time}",
                ", ".join(f"{c:.3g}" for c in errors / alphas**model.order),
                ", ".join(f"{x:.2f}" for x in steps),
            ]
        )
    return table(["optimizer", "α", "horizon t", f"error/{power('α', model.order)}", "slopes"], rows)


def crossing():
    """Order of the half-step model beyond the minimum, which is reached at about t = 3."""
    cells = [(ide.RMSProp(0.9), (7, 8, 9, 10), time) for time in (2.0, 4.0)]
    return ladder(HALF, cells + [(ide.Adam(0.9, 0.99), (10, 11, 12, 13), time) for time in (2.0, 4.0)])


def second():
    """Order of the half-step model."""
    adam = [(ide.Adam(b1, b2), (7, 9, 11, 13, 15), 0.5) for b1 in (0.0, 0.9) for b2 in (0.99, 0.999)]
    rms = [(ide.RMSProp(beta), (7, 8, 9, 10), 1.0) for beta in (0.0, 0.9, 0.99)]
    return ladder(HALF, adam + rms)


def third():
    """Order of the third-order model."""
    betas = ((0.0, 0.9), (0.9, 0.9), (0.0, 0.99), (0.9, 0.99), (0.9, 0.999))
    return ladder(THIRD, [(ide.Adam(*b), (7, 9, 11, 13), 0.5) for b in betas])


def moments():
    """Relative errors of moments, over alpha, in the first steps, and at t = 1/4."""
    rows = []
    for optimizer in (
        ide.Adam(0.9, 0.9),
        ide.Adam(0.9, 0.99),
        ide.Adam(0.0, 0.99),
        ide.RMSProp(0.9),
        ide.AdaGrad(),
    ):
        for moment in optimizer.moments:
            row = [name(optimizer), moment]
            for alpha in (2.0**-9, 2.0**-12):
                run, path = runs(HALF, optimizer, alpha, round(0.25 / alpha))
                error = np.abs(path.moments[moment][1:, 0] / run.moments[moment][1:, 0] - 1)
                row += [f"{error[:30].max() / alpha:.1e}", f"{error[-1] / alpha:.1e}"]
            rows.append([row[0], row[1], row[2], row[4], row[3], row[5]])
    head = "first 30, α = 2⁻⁹", "first 30, α = 2⁻¹²", "t = ¼, α = 2⁻⁹", "t = ¼, α = 2⁻¹²"
    return table(["optimizer", "moment", *head], rows)


def starts():
    """Error and work of the half-step model by the number of discrete iterations at the start."""
    alpha, counts, rows = 1e-4, (5, 8, 16, 32, 128), []
    for optimizer in (ide.AdaGrad(), ide.RMSProp(0.9), ide.RMSProp(0.999)):
        errors, work = [], []
        for count in counts:
            run, path = runs(ide.models.HalfStep(start=count), optimizer, alpha, 4000)
            errors.append(f"{np.abs(run.theta - path.theta).max() / alpha**2:.3g}")
            work.append(str(path.report.gradient_evaluations))
        rows += [[name(optimizer), "error/α²", *errors], ["", "gradient evaluations", *work]]
    return table(["optimizer", "", *(f"start = {c}" for c in counts)], rows)


def chatter():
    """RMSProp with beta = 0 behind the minimum."""
    rows = []
    for alpha in (0.097, 0.0097, 0.00097):
        run, path = runs(HALF, ide.RMSProp(0.0), alpha, round(5 / alpha), rtol=1e-6, atol=1e-9)
        error = np.abs(run.theta - path.theta)[:, 0] / alpha
        before = round(2.5 / alpha)
        rows.append([f"{alpha}", f"{error[:before].max():.1e}", f"{error[-before // 3 :].max():.2f}"])
    return table(["α", "error/α for t < 2.5", "error/α for t > 4.2"], rows)


def main():
    """Measure everything and rewrite theory.md."""
    blocks = {}
    for measure in (grid, second, third, moments, starts, crossing, chatter):
        blocks[measure.__name__] = measure()
        print(measure.__name__, flush=True)
    fill_measured(Path(__file__).with_name("theory.md"), blocks)


if __name__ == "__main__":
    main()
