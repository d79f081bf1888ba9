"""Measure the numbers and draw the figures of leap.md: ``python docs/leap_theory_numbers.py``.

Deterministic up to rounding; about a minute and a half.
"""

import itertools
from pathlib import Path

import numpy as np
from leap_zero_numbers import (
    COLOURS,
    IMAGES,
    START,
    Crossing,
    before,
    counts,
    crossing,
    digit,
    hybrids,
    lengths,
    name,
    table,
)
from matplotlib.figure import Figure
from numpy.polynomial import legendre
from refresh import fill_measured

import idescent as ide
from idescent.discrete.setup import Setup
from idescent.drawing import style
from idescent.drawing.saving import save, styled
from idescent.objectives import DoubleWell, Perceptron, Rosenbrock
from idescent.objectives.data import Split
from idescent.solvers import walk as walks
from idescent.solvers.difference import Aim
from idescent.solvers.element import NODES, Operators
from idescent.solvers.walk import Walk
from idescent.solvers.walk_checks import meets, noise

TARGET = Path(__file__).with_name("leap.md")
QUADRATIC = ide.Quadratic(4.0)


def compared(optimizer, objective, alpha, theta0, steps, **settings):
    """Return a leap, and the sup norm of its difference from the run over all iterations."""
    cell = {"alpha": alpha, "theta0": theta0, "steps": steps}
    path = ide.leap(optimizer, objective, **cell, **settings)
    run = ide.simulate(optimizer, objective, **cell)
    return path, max(
        np.abs(path(k) - run.theta[k]).max() for k in np.array_split(np.arange(steps + 1), steps // 10**5 + 1)
    )


def cost():
    """Cost and error of long runs."""
    rows = []
    for optimizer, alpha in ((ide.Adam(0.9, 0.999), 1e-6), (ide.AdaGrad(), 1e-3), (ide.RMSProp(0.99), 1e-6)):
        path, error = compared(optimizer, QUADRATIC, alpha, 1.0, 2_000_000)
        estimate = f"{path.report.error_estimate:.1e}"
        rows.append([name(optimizer), f"{alpha:g}", str(path.steps), *counts(path), f"{error:.1e}", estimate])
    head = ["optimizer", "α", "iterations", "gradients", "elements", "made one by one", "error", "estimate"]
    return table(head, rows)


def digits():
    """Relative error of the backward difference of exp(-2 x / H), as a series and as a difference."""
    points = -np.cos(np.pi * np.arange(NODES + 1) / NODES)
    inverse = np.linalg.inv(legendre.legvander(points, NODES))
    rows = []
    for length in (100, 10_000, 1_000_000):
        operators = Operators(length)
        u = 2.0 * operators.x / length - 1.0
        exact = np.exp(-u - 1.0) * -np.expm1(2.0 / length)
        values = np.exp(-points - 1.0)
        series = operators.difference @ (values - values[0])[1:]
        here, before = (legendre.legvander(at, NODES) @ inverse @ values for at in (u, u - 2.0 / length))
        errors = (np.abs(value / exact - 1.0).max() for value in (series, here - before))
        rows.append([str(length), *(f"{error:.0e}" for error in errors)])
    return table(["H", "series", "difference of two interpolations"], rows)


def contraction():
    """Spectral radius of a fixed-point sweep for gradient descent, divided by alpha lambda H."""
    radii = []
    for length in (100, 10_000, 1_000_000):
        operators = Operators(length)
        sweep = np.linalg.solve(operators.difference, operators.at - operators.difference)
        radii.append(np.abs(np.linalg.eigvals(sweep)).max() / length)
    cells = [f"{radius:.3f}" for radius in radii]
    cells.append(f"{1.0 / max(radii):.0f}")
    head = ["H = 10²", "H = 10⁴", "H = 10⁶", "least αλH at which a sweep expands"]
    return table(["", *head], [["spectral radius / (αλH)", *cells]])


def collocated(optimizer, objective, alpha, first, length, kick=0.0):
    """Return one element of a run, its error, and its distance from the run at iteration ``first`` - 1.

    With a ``kick``, the run's first moment is multiplied by 1 + kick eight iterations before the element.
    """
    setup = Setup.checked(optimizer, objective, alpha=alpha, theta0=1.0, steps=first + length)
    walk = Walk(setup, 1e-10, 10**9)
    walk.iterate(first - 8)
    if kick:
        walk.loop.values["m"] = walk.loop.values["m"] * (1.0 + kick)
    walk.neighbour = None
    walk.iterate(8)
    state, before = walk.state(), walk.rows["theta"][-2]
    aim = Aim(1e-11, 1e-10, walk.sizes(), noise(walk.rows))
    outcome = walk.equation.collocate(state, first, length, state["theta"] - before, aim, {})
    walk.neighbour = None
    walk.iterate(length)
    k = np.arange(first - 1.0, first + length + 1.0)
    away = np.abs(outcome.element.state(k)["theta"] - walk.rows["theta"][first - 1 :]).max(axis=1)
    return outcome, away[1:].max(), away[0]


def elements():
    """Elements of increasing length."""
    rows = []
    for optimizer, alpha, first, sizes in (
        (ide.Adam(0.9, 0.99), 1e-3, 600, (72, 144, 288, 576, 1152)),
        (ide.AdaGrad(), 1e-2, 600, (72, 288, 1152, 4608)),
        (ide.GradientDescent(), 1e-3, 100, (72, 288, 1152, 4608)),
    ):
        for length in sizes:
            outcome, error, apart = collocated(optimizer, QUADRATIC, alpha, first, length)
            numbers = (outcome.error, error, apart)
            cells = [str(length), str(NODES * outcome.sweeps), *map(digit, numbers)]
            rows.append([name(optimizer), f"{alpha:g}", *cells])
    return table(["optimizer", "α", "H", "gradients", "resolution", "error", "distance at a − 1"], rows)


def modes():
    """An element of Adam that begins while a disturbance of its first moment decays."""
    rows = []
    for kick in (0.0, 1e-8, 1e-6, 1e-4):
        outcome, error, apart = collocated(ide.Adam(0.9, 0.99), QUADRATIC, 1e-3, 600, 288, kick)
        rows.append([f"{kick:g}", *map(digit, (outcome.error, error, apart))])
    return table(["relative disturbance of m", "resolution", "error", "distance at a − 1"], rows)


class Counting(Walk):
    """A walk that counts the refusals of its checks."""

    apart = unstable = 0

    def go(self):
        """Compute all parts, and count elements that do not meet the iteration before them."""

        def counted(element, k, made, allowed):
            met = meets(element, k, made, allowed)
            self.apart += not met and k < element.first
            return met

        walks.meets = counted
        super().go()
        walks.meets = meets

    def after(self, *arguments):
        """Count elements that do not meet the iteration after them, or after which a neighbour departs."""
        stable = super().after(*arguments)
        self.unstable += not stable
        return stable


def checks():
    """Elements accepted and refused, by check, on 80 cells."""
    optimizers = [
        *(ide.Adam(0.9, 0.99), ide.Adam(0.9, 0.999), ide.RMSProp(0.0), ide.RMSProp(0.9), ide.AdaGrad()),
        *(ide.NAdam(), ide.HeavyBall(), ide.Nesterov(), ide.GradientDescent(), ide.AdaBelief(eps_root=1e-8)),
    ]
    objectives = [(QUADRATIC, 1.0), (Crossing(), START)]
    objectives += [(Rosenbrock(2, 10.0), [-1.5, 0.5]), (DoubleWell(2), [0.1, 0.3])]
    totals = np.zeros(5, dtype=int)
    for optimizer, (objective, theta0), (alpha, time) in itertools.product(
        optimizers, objectives, ((1e-3, 6.0), (1e-2, 40.0))
    ):
        cell = {"alpha": alpha, "theta0": theta0, "steps": round(time / alpha)}
        walk = Counting(Setup.checked(optimizer, objective, **cell), 1e-10, 10**6)
        walk.go()
        unresolved = walk.rejected - walk.apart - walk.unstable
        totals += [1, len(walk.report().details["lengths"]), unresolved, walk.apart, walk.unstable]
    head = [
        "runs",
        "accepted",
        "refused: fixed point or resolution",
        "refused: distance at a − 1",
        "refused: iteration after it, growth",
    ]
    return table(head, [[str(total) for total in totals]], left=0)


def chaos():
    """A run, its neighbours and its leap beyond the point at which they part, and a figure."""
    optimizer, objective, start = ide.Adam(0.9, 0.99), Rosenbrock(2, 100.0), np.array([-1.5, 0.5])
    cell = {"alpha": 1e-3, "steps": 6000}
    run = ide.simulate(optimizer, objective, theta0=start, **cell).theta
    path = ide.leap(optimizer, objective, theta0=start, rtol=1e-12, **cell)
    paths = {}
    for label, near in (
        ("neighbour, 1e-13 away", [start[0] + 1e-13, start[1]]),
        ("neighbour, one unit in the last place", [np.nextafter(start[0], 0.0), start[1]]),
    ):
        paths[label] = ide.simulate(optimizer, objective, theta0=near, **cell).theta
    paths["leap"] = path(np.arange(len(run)))
    distances = {label: np.abs(theta - run).max(axis=1) for label, theta in paths.items()}
    draw_chaos(distances, path)
    rows = []
    for label, distance in distances.items():
        first = [str(int(np.argmax(distance > level))) for level in (1e-12, 1e-9, 1e-6)]
        rows.append([label, f"{distance[:4000].max():.0e}", *first, f"{distance.max():.0e}"])
    text = table(["", "largest, k < 4000", "> 10⁻¹²", "> 10⁻⁹", "> 10⁻⁶", "largest"], rows)
    gradients, elements, single = counts(path)
    return (
        f"{text}\n\nThe leap took {gradients} gradients, for {elements} elements and {single} iterations "
        "made one by one. "
        f"Its error estimate is {path.report.error_estimate:.0e}."
    )


def draw_chaos(distances, path):
    """Draw the distances from the run against the iteration."""
    with styled():
        canvas = Figure(figsize=(style.WIDTHS["double"], 2.7))
        wide, close = canvas.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        near, lines = slice(3980, 4120), ("-", "--", "-")
        for (label, distance), colour, line in zip(distances.items(), COLOURS, lines, strict=False):
            k, shown = np.arange(len(distance)), np.maximum(distance, 1e-17)
            wide.semilogy(k[::4], shown[::4], color=colour, ls=line, lw=0.8, label=label)
            close.semilogy(k[near], shown[near], color=colour, ls=line)
        estimate = path.report.error_estimate
        wide.axhline(estimate, color=style.GREY, ls="--", lw=0.8, label="error estimate of the leap")
        close.axhline(estimate, color=style.GREY, ls="--", lw=0.8)
        wide.set(xlabel="iteration k", ylabel="distance of θ from the run")
        close.set(xlabel="iteration k", xticks=(4000, 4040, 4080, 4120))
        canvas.legend(*wide.get_legend_handles_labels(), loc="outside upper center", ncols=2)
        target = IMAGES / "leap_chaos.png"
        save(canvas, [target], "A run that cannot be foretold", "Distances from a run against the iteration.")


def network():
    """Return a network of 259 parameters on 200 samples, and a start."""
    stream = np.random.RandomState(0)
    x = stream.standard_normal((200, 12))
    y = (x[:, :3] @ stream.standard_normal((3, 3)) + 0.5 * stream.standard_normal((200, 3))).argmax(axis=1)
    net = Perceptron(Split(x, y, x[:1], y[:1]), hidden=16)
    return net, net.initial(0)


def limits():
    """Runs on which elements save little or nothing."""
    net, start = network()
    valley = Rosenbrock(2, 1000.0)
    rows, zeros = [], []
    for label, optimizer, objective, alpha, theta0, steps in (
        ("valley", ide.GradientDescent(), valley, 2.5e-6, [0.0, 0.05], 4800),
        ("valley", ide.GradientDescent(), valley, 2.5e-5, [0.0, 0.05], 4800),
        ("valley", ide.GradientDescent(), valley, 2.5e-4, [0.0, 0.05], 4800),
        ("valley", ide.HeavyBall(), Rosenbrock(2, 100.0), 1e-3, [-1.5, 0.5], 3000),
        ("chatter", ide.Signum(), DoubleWell(2), 0.1, [0.3, 1.7], 2000),
        ("network", ide.Adam(0.9, 0.999), net, 1e-5, start, 8000),
        ("network", ide.Adam(0.9, 0.999), net, 1e-4, start, 8000),
    ):
        path, error = compared(optimizer, objective, alpha, theta0, steps)
        stiff = "–"
        if isinstance(optimizer, ide.GradientDescent):
            stiff = f"{72 * alpha * np.linalg.eigvalsh(objective.hessian(np.array(theta0))).max():.2g}"
        rows.append([label, name(optimizer), f"{alpha:g}", str(steps), stiff, *counts(path), digit(error)])
        if objective is net:
            gradients = np.concatenate([net.gradient(path(k)) for k in np.array_split(np.arange(steps), 40)])
            zeros.append(f"{int((np.diff(np.sign(gradients), axis=0) != 0).sum())} times at α = {alpha:g}")
    head = ["", "optimizer", "α", "iterations", "72αλ", "gradients", "elements", "one by one", "error"]
    text = f"A coordinate of the network's gradient passes zero {' and '.join(zeros)}."
    return f"{table(head, rows, left=2)}\n\n{text}"


MEASURES = (
    *(cost, digits, contraction, elements, modes, checks),
    *(before, hybrids, lengths, crossing),
    *(chaos, limits),
)


def main():
    """Measure everything and rewrite leap.md."""
    blocks = {}
    for measure in MEASURES:
        blocks[measure.__name__] = measure()
        print(measure.__name__, blocks[measure.__name__], sep="\n", flush=True)
    fill_measured(TARGET, blocks)


if __name__ == "__main__":
    main()
