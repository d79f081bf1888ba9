"""The half-step model with bursts of true iterations, and leaps, at a zero of a gradient.

What lives here: the measurements of section 4 of leap.md.  What does not: the other ones, and the page
(``leap_theory_numbers.py``).
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import idescent as ide
from idescent.discrete.generic import GenericLoop
from idescent.discrete.setup import Setup
from idescent.drawing import style
from idescent.drawing.saving import save, styled
from idescent.models.equation import FirstIterations
from idescent.solvers.element import NODES
from idescent.solvers.walk import Iterations

IMAGES = Path(__file__).with_name("images")
MODELS = {"half-step": ide.models.HalfStep(), "third order": ide.models.ThirdOrder()}
TIGHT = {"rtol": 1e-13, "atol": 1e-15}
BURSTS = (8, 32, 128)
START = [-2.0, 1.5]
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
# Length over distance of an element whose coefficients fall to 1e-11 over its degree.
RHO = 1e11 ** (1.0 / NODES)
LONGEST = 1.0 / ((RHO + 1.0 / RHO) / 4.0 - 0.5)


class Crossing:
    """A quadratic on which the gradient by the first coordinate passes zero long before the minimum."""

    matrix = np.array([[1.0, 2.0], [2.0, 8.0]])

    def value(self, theta):
        """Return f, shape (...)."""
        return 0.5 * np.einsum("...i,ij,...j", theta, self.matrix, theta)

    def gradient(self, theta):
        """Return its gradient, shape (..., 2)."""
        return theta @ self.matrix


def table(header, rows, left=1):
    """Markdown; the first columns on the left, numbers on the right."""
    lines = [header, ["---"] * left + ["---:"] * (len(header) - left), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def power(exponent):
    """Write 2^-exponent with a raised exponent."""
    return f"2⁻{str(exponent).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def digit(number):
    """Write a number with one digit."""
    return f"{number:.0e}" if number else "0"


def name(optimizer):
    """Optimizer and betas, as in the tables."""
    betas = [str(v) for key, v in optimizer.hyperparameters.items() if key.startswith("beta")]
    return f"{type(optimizer).__name__} {' '.join(betas)}".strip()


def counts(path):
    """Return gradients, elements and iterations made one by one, as cells of a table."""
    details = path.report.details
    return [str(n) for n in (path.report.gradient_evaluations, details["elements"], details["iterations"])]


class Restarted:
    """The half-step model of Adam that begins at any state after iteration ``count``.

    Parameters
    ----------
    count : int
    state : dict of str to ndarray
        Theta, m and v after this iteration.
    """

    order, name = 2, "half-step, restarted"

    def __init__(self, count, state):
        self.count, self.state = count, state

    def equation(self, optimizer, alpha):
        """Return the equation of the half-step model, with another beginning."""
        whole = ide.models.HalfStep().equation(optimizer, alpha)
        return replace(whole, begin=self.begin(optimizer), held_until=self.count + 0.5)

    def begin(self, optimizer):
        """Return the beginning: the memories that iteration ``count`` + 1 reads, each divided by its mass."""

        def begin(theta, gradient, steps, factors=None):
            at = self.state["theta"]
            memories = []
            for key, beta, source in (
                ("m", optimizer.beta1, gradient(at)),
                ("v", optimizer.beta2, gradient(at) ** 2),
            ):
                new = beta * self.state[key] + (1.0 - beta) * source
                memories.append(new / (1.0 - beta ** (self.count + 1)))
            rows = {key: np.tile(value, (self.count + 1, 1)) for key, value in self.state.items()}
            scales = tuple(float(np.abs(memory).max()) for memory in memories)
            path = rows.pop("theta")
            return FirstIterations(self.count, path, rows, tuple(memories), scales, at)

        return begin


def solved(model, optimizer, alpha, steps, k):
    """Solve a model of the crossing; return the solution at 0 and the iterations ``k`` ... steps listed."""
    keep = np.unique([0, *k, steps]).tolist()
    path = ide.solve(model, optimizer, Crossing(), alpha=alpha, theta0=START, steps=steps, keep=keep, **TIGHT)
    assert path.report.ok, path.report.message
    return path


def reference(optimizer, alpha, steps, rtol=1e-12):
    """Return the run as a leap, and the real number of iterations after which g_1 is zero."""
    path = ide.leap(optimizer, Crossing(), alpha=alpha, theta0=START, steps=steps, rtol=rtol)
    assert path.report.ok, path.report.message
    gradient = np.concatenate(
        [path(k) @ Crossing.matrix[0] for k in np.array_split(np.arange(steps + 1), 1 + steps // 10**5)]
    )
    after = int(np.argmax(gradient < 0.0))
    return path, after - gradient[after] / (gradient[after] - gradient[after - 1])


def samples(first, last):
    """Return iterations at which errors are measured: all of the first 2000, and 400 further ones."""
    k = np.concatenate((np.arange(first, min(first + 2000, last)), np.linspace(first, last, 400)))
    return np.unique(k.astype(int))


def hybrid(optimizer, alpha, steps, burst, run, zero):
    """Return the sup error of theta, of the model with a burst of 2 * burst iterations at the zero."""
    first, last = round(zero) - burst, round(zero) + burst
    k = samples(0, first)
    path = solved(MODELS["half-step"], optimizer, alpha, first, k)
    error = np.abs(path.theta - run(path.k)).max()
    loop = GenericLoop(Setup.checked(optimizer, Crossing(), alpha=alpha, theta0=START, steps=steps))
    loop.values |= {"theta": path.theta[-1].copy()} | {n: m[-1].copy() for n, m in path.moments.items()}
    for i in range(first + 1, last + 1):
        loop.iterate(i, alpha)
        error = max(error, np.abs(loop.values["theta"] - run(i)).max())
    state = {key: loop.values[key] for key in ("theta", "m", "v")}
    path = solved(Restarted(last, state), optimizer, alpha, steps, samples(last, steps))
    return max(error, np.abs(path.theta - run(path.k))[1:].max())


def hybrids():
    """Error over alpha of the half-step model with bursts of true iterations at the zero of g_1."""
    rows = []
    for optimizer in (ide.Adam(0.9, 0.9), ide.Adam(0.9, 0.99), ide.Adam(0.9, 0.999)):
        for exponent in (10, 14, 18):
            alpha, steps = 2.0**-exponent, 2**exponent
            run, zero = reference(optimizer, alpha, steps)
            plain = solved(
                MODELS["half-step"],
                optimizer,
                alpha,
                steps,
                [*samples(0, steps), *samples(max(int(zero) - 500, 0), steps)],
            )
            errors = [np.abs(plain.theta - run(plain.k)).max()]
            errors += [hybrid(optimizer, alpha, steps, burst, run, zero) for burst in BURSTS]
            errors.append(hybrid(optimizer, alpha, steps, 2 ** (exponent // 2), run, zero))
            rows.append([name(optimizer), power(exponent), *(f"{error / alpha:.1e}" for error in errors)])
    heads = [f"B = {burst}" for burst in BURSTS]
    return table(["optimizer", "α", "no burst", *heads, "B = α^(−1/2)"], rows, left=2)


def share(beta, distance):
    """Return c(B) of the page, the error over alpha of the half-step model at a distance before the zero."""
    lag, variance = 0.5 + beta / (1.0 - beta), beta / (1.0 - beta) ** 2
    r = np.hypot(distance + lag, np.sqrt(variance))
    return 1.0 / (8.0 * r) + variance / (24.0 * r**3)


def before(exponent=16):
    """Error over alpha of both models B iterations before the zero, and c(B)."""
    alpha, optimizer = 2.0**-exponent, ide.Adam(0.9, 0.9)
    run, zero = reference(optimizer, alpha, 2**exponent)
    rows = []
    for burst in (8, 16, 32, 64, 128, 256):
        last = round(zero) - burst
        row = [str(burst)]
        for model in MODELS.values():
            path = solved(model, optimizer, alpha, last, [])
            row.append(f"{abs(path.theta[-1, 0] - run(last)[0]) / alpha:.2e}")
        rows.append([*row[:2], f"{share(0.9, zero - last):.2e}", row[2]])
    text = f"The zero is after {zero:.1f} iterations, at t = {alpha * zero:.3f}."
    return f"{table(['B', 'half-step', 'c(B)', 'third order'], rows)}\n\n{text}"


def crossing():
    """Cost of leaps through the zero of g_1, and a figure of their elements."""
    rows, marks = [], []
    optimizer = ide.Adam(0.9, 0.9)
    for exponent in (10, 14, 18, 22):
        alpha, steps = 2.0**-exponent, 2**exponent
        path, zero = reference(optimizer, alpha, steps, 1e-10)
        error = "–"
        if exponent <= 18:
            run = ide.simulate(optimizer, Crossing(), alpha=alpha, theta0=START, steps=steps)
            error = f"{np.abs(path(np.arange(steps + 1)) - run.theta).max():.0e}"
        rows.append([power(exponent), str(steps), *counts(path), error])
        parts = [part for part in path.parts if not isinstance(part, Iterations)]
        marks.append((exponent, zero, [(part.first, part.length) for part in parts]))
    draw_zero(marks)
    head = ["α", "iterations", "gradients", "elements", "made one by one", "error"]
    # The lengths after the start, at the smallest learning rate, up to the longest one before the zero.
    first = np.array([length for _, length in marks[-1][2]])
    factor = np.median(first[1:9] / first[:8])
    more = (int(rows[-1][3]) - int(rows[-2][3])) / (exponent - marks[-2][0])
    halving = np.log(2.0) / np.log(factor)
    return (
        f"{table(head, rows)}\n\nAt the smallest α the length grows by {factor:.1f} from element to element "
        f"after the start (median of eight). That is {halving:.1f} elements for a halving "
        f"of α; the last two rows differ by {more:.1f} elements for a halving of α."
    )


def draw_zero(marks):
    """Draw the lengths of elements against their distance from the zero."""
    with styled():
        canvas = Figure(figsize=(style.WIDTHS["double"], 2.5))
        panels = canvas.subplots(1, 2, sharey=True)
        for (exponent, zero, parts), colour, marker in zip(marks, COLOURS, "osD^", strict=True):
            for panel, side in zip(panels, (1.0, -1.0), strict=True):
                ends = [(side * (zero - (a + (h if side > 0 else 0))), h) for a, h in parts]
                near = [(d, h) for d, h in ends if d > 0.0]
                label = rf"$\alpha = 2^{{-{exponent}}}$"
                panel.loglog(
                    *zip(*near, strict=True), ls="", marker=marker, color=colour, mfc="none", label=label
                )
        for panel, title in zip(panels, ("before the zero", "after the zero"), strict=True):
            line = np.array([60.0, 2e6])
            panel.loglog(
                line, LONGEST * line, color=style.GREY, lw=0.8, zorder=0, label=f"$H = {LONGEST:.1f}\\,d$"
            )
            panel.set(title=title, xlabel="distance d from the zero (iterations)")
        panels[0].set_ylabel("length H (iterations)")
        panels[0].legend(loc="upper left")
        target = IMAGES / "leap_zero.png"
        save(canvas, [target], "Elements at a zero", "Length of elements against their distance from a zero.")


def lengths():
    """Ratio of length and distance, and elements for each halving of the learning rate, on both sides."""
    return table(
        ["ρ", "H/d", "distance from element to element", "elements for a halving of α"],
        [
            [
                f"{RHO:.1f}",
                f"{LONGEST:.2f}",
                f"× {1.0 + LONGEST:.2f}",
                f"{2.0 * np.log(2.0) / np.log1p(LONGEST):.1f}",
            ]
        ],
    )
