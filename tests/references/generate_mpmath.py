"""Make ``mpmath.json``: ten cells to thirty digits and more, the reference for runs and for exact solutions.

What lives here: the optimizers iterated in arbitrary precision, and two of their continuous models solved in
it.  Nothing of idescent is imported, and no method is shared with it:

- The discrete runs are the published updates, with 50 and with 80 digits.
- Models without look-ahead are initial-value problems in their chain form, solved by Gauss-Legendre
  collocation on elements of half an iteration (its nodes leave out both ends, so that the 0/0 at the start is
  never met), with Picard's iteration in each element.
- The paper's AdaGrad and RMSProp look ahead by an iteration, which is two elements further at the same node.
  With one mobility for all coordinates, theta is a closed form of T(s), the integral of the mobility, and T
  is iterated over the whole horizon at once: nothing is stiff in it.

Everything is solved twice, the second time with more digits, nodes and iterations beyond the horizon; what
the two have in common is what is stored, and ``digits`` says how much that is.  Parameters are the
floating-point numbers themselves, not the decimals that they stand for.  To make the file again, in minutes:

    python tests/references/generate_mpmath.py

``make`` does the work for a single cell.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gauss import Gauss, integrate
from mpmath import mp, mpf

Vector = list[mpf]
Rows = dict[str, dict[int, Vector]]

QUADRATIC = {"name": "quadratic", "curvature": 2.0, "center": 4.0}
SHALLOW = {"name": "quadratic", "curvature": 0.75, "center": -1.5}
COUPLED = {"name": "coupled", "matrix": [[3.0, 1.0], [1.0, 2.0]]}
WELL = {"name": "double well"}

ADAM = {"beta1": 0.9, "beta2": 0.99}
NORM = {"accumulator": "norm"}
# (name, objective, optimizer, its arguments, alpha, theta0, steps)
CELLS: list[tuple[str, dict[str, Any], str, dict[str, Any], float, list[float], int]] = [
    ("AdaGrad", QUADRATIC, "AdaGrad", {}, 0.1, [1.0], 80),
    ("AdaGrad of the norm", COUPLED, "AdaGrad", NORM, 0.05, [1.0, -0.7], 60),
    ("RMSProp", QUADRATIC, "RMSProp", {"beta": 0.9}, 0.1, [1.0], 40),
    ("RMSProp, long memory", WELL, "RMSProp", {"beta": 0.99}, 0.01, [0.3], 60),
    ("RMSProp, large eps", QUADRATIC, "RMSProp", {"beta": 0.5, "eps": 0.1}, 0.02, [3.0], 60),
    ("Adam", QUADRATIC, "Adam", ADAM, 0.1, [1.0], 60),
    ("Adam without momentum", QUADRATIC, "Adam", {"beta1": 0.0, "beta2": 0.999}, 0.01, [1.0], 60),
    ("Adam of the norm", COUPLED, "Adam", ADAM | NORM, 0.05, [1.0, -0.7], 60),
    ("AdamW", WELL, "AdamW", ADAM | {"weight_decay": 0.1}, 0.05, [0.3], 60),
    ("AdamL2", SHALLOW, "AdamL2", {"beta1": 0.8, "beta2": 0.95, "weight_decay": 0.1}, 0.02, [0.5], 60),
]
MODELS = ("paper", "half-step")
HELD = 8
"""Discrete iterations at the start of the half-step model."""


@dataclass(frozen=True)
class Resolution:
    """How finely to solve: digits carried, nodes per element, iterations beyond the horizon."""

    digits: int
    nodes: int
    beyond: int


COARSE, FINE = Resolution(48, 16, 24), Resolution(58, 20, 36)
DISCRETE = Resolution(50, 0, 0), Resolution(80, 0, 0)


class Cell:
    """A cell in arbitrary precision; made anew at every precision."""

    def __init__(
        self, cell: tuple[str, dict[str, Any], str, dict[str, Any], float, list[float], int]
    ) -> None:
        self.name, self.about, self.optimizer, arguments, alpha, theta0, self.steps = cell
        self.alpha, self.theta0 = mpf(alpha), [mpf(x) for x in theta0]
        self.eps = mpf(arguments.get("eps", 1e-8))
        self.beta1 = mpf(arguments.get("beta1", 0.0))
        self.beta2 = mpf(arguments.get("beta2", arguments.get("beta", 0.0)))
        self.norm = arguments.get("accumulator") == "norm"
        decay = mpf(arguments.get("weight_decay", 0.0))
        self.decoupled = decay if self.optimizer == "AdamW" else mpf(0)
        self.coupled = decay if self.optimizer == "AdamL2" else mpf(0)
        self.corrected = self.optimizer.startswith("Adam")
        self.summing = self.optimizer == "AdaGrad"

    @property
    def stored(self) -> list[int]:
        return [k for k in (1, 2, 3, 5, 10, 20, 40, 60, 80) if k <= self.steps]

    def gradient(self, theta: Sequence[mpf]) -> Vector:
        if self.about["name"] == "quadratic":
            plain = [mpf(self.about["curvature"]) * (x - mpf(self.about["center"])) for x in theta]
        elif self.about["name"] == "coupled":
            plain = [mp.fdot([mpf(a) for a in row], theta) for row in self.about["matrix"]]
        else:
            plain = [x * (x * x - 1) for x in theta]
        return [g + self.coupled * x for g, x in zip(plain, theta, strict=True)]

    def squares(self, gradient: Vector) -> Vector:
        squared = [g * g for g in gradient]
        return [mp.fsum(squared)] if self.norm else squared

    def flow(self) -> Callable[[mpf], Vector]:
        """Solution of d(theta)/dT = -gradient, from theta0, as a function of T."""
        if self.about["name"] == "quadratic":
            a, center = mpf(self.about["curvature"]), mpf(self.about["center"])
            return lambda time: [center + (x - center) * mp.exp(-a * time) for x in self.theta0]
        if self.about["name"] == "coupled":
            values, vectors = mp.eigsy(mp.matrix(self.about["matrix"]))
            start = vectors.T * mp.matrix(self.theta0)

            def turned(time: mpf) -> Vector:
                faded = mp.matrix([x * mp.exp(-a * time) for x, a in zip(start, values, strict=True)])
                return list(vectors * faded)

            return turned
        # theta^2/(theta^2 - 1) grows as e^(2T), on either side of 1.
        (x,) = self.theta0
        ratio = (x * x - 1) / (x * x)
        return lambda time: [mp.sign(x) / mp.sqrt(1 - ratio * mp.exp(-2 * time))]


def iterates(cell: Cell, steps: int) -> Iterator[tuple[int, Vector, Vector, Vector]]:
    """Yield k, theta and the moments after each iteration: Algorithms 1-3 of the paper."""
    theta, alpha = cell.theta0, cell.alpha
    m = [mpf(0)] * len(theta)
    second = [mpf(0)] * (1 if cell.norm else len(theta))
    for k in range(1, steps + 1):
        g = cell.gradient(theta)
        h = cell.squares(g)
        if cell.summing:
            second = [v + x for v, x in zip(second, h, strict=True)]
        else:
            second = [cell.beta2 * v + (1 - cell.beta2) * x for v, x in zip(second, h, strict=True)]
        m = [cell.beta1 * a + (1 - cell.beta1) * x for a, x in zip(m, g, strict=True)]
        mass1, mass2 = (1 - cell.beta1**k, 1 - cell.beta2**k) if cell.corrected else (1, 1)
        direction = [
            a / mass1 / (mp.sqrt(v / mass2) + cell.eps) for a, v in zip(m, wide(second, theta), strict=True)
        ]
        theta = [(1 - alpha * cell.decoupled) * x - alpha * d for x, d in zip(theta, direction, strict=True)]
        yield k, theta, m, second


def discrete(cell: Cell) -> Rows:
    """Return theta and the moments at the stored iterations."""
    rows: Rows = {name: {} for name in names(cell)}
    for k, *values in iterates(cell, cell.steps):
        if k in cell.stored:
            put(rows, k, *values)
    return rows


def names(cell: Cell) -> tuple[str, ...]:
    return ("theta", "G") if cell.summing else ("theta", "m", "v") if cell.corrected else ("theta", "v")


def put(rows: Rows, k: int, theta: Vector, m: Vector, second: Vector) -> None:
    for name in rows:
        rows[name][k] = {"theta": theta, "m": m}.get(name, second)


def wide(second: Vector, theta: Sequence[mpf]) -> Vector:
    return second if len(second) == len(theta) else second * len(theta)


def paper_adam(cell: Cell, resolution: Resolution) -> Rows:
    """Proposition 3: m' = (1 - beta1)(g - m), v' = (1 - beta2)(g^2 - v), masses 1 - beta^s."""
    n, gauss = len(cell.theta0), Gauss(resolution.nodes)

    @cache
    def masses(s: mpf) -> tuple[mpf, mpf]:
        return 1 - cell.beta1**s, mp.sqrt(1 - cell.beta2**s)

    def slope(s: mpf, y: Vector) -> Vector:
        theta, m, v = y[:n], y[n : 2 * n], y[2 * n :]
        g = cell.gradient(theta)
        mass1, root = masses(s)
        moved = [
            -cell.alpha * (root / mass1 * a / (mp.sqrt(b) + cell.eps * root) + cell.decoupled * x)
            for x, a, b in zip(theta, m, wide(v, theta), strict=True)
        ]
        return (
            moved
            + [(1 - cell.beta1) * (x - a) for x, a in zip(g, m, strict=True)]
            + [(1 - cell.beta2) * (x - b) for x, b in zip(cell.squares(g), v, strict=True)]
        )

    g = cell.gradient(cell.theta0)
    h = cell.squares(g)

    def guess(s: mpf) -> Vector:
        return cell.theta0 + [(1 - cell.beta1) * s * x for x in g] + [(1 - cell.beta2) * s * x for x in h]

    start = cell.theta0 + [mpf(0)] * (n + len(h))
    ends = integrate(slope, start, guess, 2 * cell.steps, gauss)
    rows: Rows = {name: {} for name in names(cell)}
    for k in cell.stored:
        y = ends[2 * k]
        put(rows, k, y[:n], y[n : 2 * n], y[2 * n :])
    return rows


def paper_lookahead(cell: Cell, resolution: Resolution) -> Rows:
    """Propositions 1 and 2: d(theta)/ds = -alpha g/(sqrt(M(s + 1)) + eps), with one M for all coordinates."""
    gauss, flow = Gauss(resolution.nodes), cell.flow()
    assert cell.norm or len(cell.theta0) == 1
    rate = mpf(0) if cell.summing else 1 - cell.beta2
    gain = mpf(1) if cell.summing else rate
    elements, p = 2 * (cell.steps + resolution.beyond), range(resolution.nodes)
    grow = [mp.exp(rate * c / 2) for c in gauss.nodes]
    fade = mp.exp(-rate / 2)
    time = [[mpf(0)] * resolution.nodes for _ in range(elements)]
    tolerance = mpf(10) ** (6 - mp.dps)
    for _ in range(400):
        memory, ends = [], [mpf(0)]
        for e in range(elements):
            source = [
                gain * w * cell.squares(cell.gradient(flow(t)))[0] for w, t in zip(grow, time[e], strict=True)
            ]
            memory.append([(ends[-1] + mp.fdot(gauss.integrals[i], source) / 2) / grow[i] for i in p])
            ends.append(fade * (ends[-1] + mp.fdot(gauss.weights, source) / 2))
        # Beyond the end the memory stays as it is: felt there, and forgotten before the horizon.
        ahead = memory[2:] + [memory[-1]] * 2
        left, change, whole = mpf(0), mpf(0), [mpf(0)]
        for e in range(elements):
            mobility = [cell.alpha / (mp.sqrt(v) + cell.eps) for v in ahead[e]]
            new = [left + mp.fdot(gauss.integrals[i], mobility) / 2 for i in p]
            if e < 2 * cell.steps:
                change = max(change, *(abs(a - b) for a, b in zip(new, time[e], strict=True)))
            left += mp.fdot(gauss.weights, mobility) / 2
            time[e] = new
            whole.append(left)
        if change < tolerance:
            break
    else:
        raise ArithmeticError(f"{cell.name}: the sweeps still change T by {mp.nstr(change, 3)}")
    rows: Rows = {name: {} for name in names(cell)}
    for k in cell.stored:
        put(rows, k, flow(whole[2 * k]), [], [ends[2 * k]])
    return rows


def half_step(cell: Cell, resolution: Resolution) -> Rows:
    """The half-step model, as its class states it: 8 discrete iterations, then memories of equal mean lag."""
    n, gauss, half = len(cell.theta0), Gauss(resolution.nodes), mpf(1) / 2
    shrink = -mp.log(1 - cell.alpha * cell.decoupled) if cell.decoupled else mpf(0)
    push = shrink / (cell.alpha * cell.decoupled) if cell.decoupled else mpf(1)
    # A first memory without decay is the gradient, half an iteration late.
    beta1, beta2 = cell.beta1, mpf(1) if cell.summing else cell.beta2

    @cache
    def rate(beta: mpf, kappa: mpf) -> mpf:
        """(1 - L')/L of the mean lag L."""
        if beta == 0:
            return mpf(2)
        if beta == 1:
            return 1 / kappa
        y = -mp.log(beta)
        grown = mp.exp(y * kappa)
        lag = half + beta / (1 - beta) - kappa / (grown - 1)
        slope = -(grown - 1 - y * kappa * grown) / (grown - 1) ** 2
        return (1 - slope) / lag

    def mass(beta: mpf, kappa: mpf) -> mpf:
        return kappa if beta == 1 else 1 - beta**kappa

    # The middle of nine values with its central differences of order 0, 2, ..., 8.
    coefficients = mpf(1), -mpf(1) / 24, mpf(3) / 640, -mpf(5) / 7168, mpf(35) / 294912
    weights = [
        mp.fsum(c * (-1) ** (i + j) * mp.binomial(2 * i, i + j) for i, c in enumerate(coefficients))
        for j in range(-4, 5)
    ]

    @cache
    def roots(kappa: mpf) -> list[mpf]:
        """Roots of what turns the normalised second memory into the square, around kappa."""
        return [mp.sqrt(mass(beta2, kappa + j)) for j in range(-4, 5)]

    def step(a: mpf, v: mpf, kappa: mpf) -> mpf:
        root = mp.sqrt(v)
        if cell.corrected:
            return a / (root + cell.eps)
        return a * mp.fdot(weights, [1 / (r * root + cell.eps) for r in roots(kappa)])

    def field(s: mpf, y: Vector) -> Vector:
        theta, first, second, kappa = y[:n], y[n : 2 * n], y[2 * n :], s + half
        steps = [step(a, v, kappa) for a, v in zip(first, wide(second, theta), strict=True)]
        moved = [-push * cell.alpha * d - shrink * x for x, d in zip(theta, steps, strict=True)]
        if s < HELD + half:
            return moved + [mpf(0)] * (len(y) - n)
        g = cell.gradient(theta)
        return (
            moved
            + [rate(beta1, kappa) * (x - a) for x, a in zip(g, first, strict=True)]
            + [rate(beta2, kappa) * (x - v) for x, v in zip(cell.squares(g), second, strict=True)]
        )

    rows: Rows = {name: {} for name in names(cell)}
    # The next step reads the memories after one more iteration.
    *run, (_, _, m, second) = iterates(cell, HELD + 1)
    for k, *values in run:
        if k in cell.stored:
            put(rows, k, *values)
    masses = 1 - beta1 ** (HELD + 1), mass(beta2, mpf(HELD + 1))
    start = run[-1][1] + [a / masses[0] for a in m] + [v / masses[1] for v in second]
    ends = integrate(lambda s, y: field(s + HELD, y), start, lambda s: start, 2 * (cell.steps - HELD), gauss)
    for k in (k for k in cell.stored if k > HELD):
        theta, middle = ends[2 * (k - HELD)][:n], ends[2 * (k - HELD) - 1]
        m, second = middle[n : 2 * n], middle[2 * n :]
        put(rows, k, theta, [(1 - beta1**k) * a for a in m], [mass(beta2, mpf(k)) * v for v in second])
    return rows


def solution(model: str, cell: Cell, resolution: Resolution) -> Rows:
    if model == "discrete":
        return discrete(cell)
    if model == "half-step":
        return half_step(cell, resolution)
    return paper_adam(cell, resolution) if cell.corrected else paper_lookahead(cell, resolution)


def make(index: int, model: str) -> dict[str, Any]:
    """Return one model of one cell: decimals, and how many of their digits two resolutions share."""
    found = []
    for resolution in DISCRETE if model == "discrete" else (COARSE, FINE):
        with mp.workdps(resolution.digits):
            found.append(solution(model, Cell(CELLS[index]), resolution))
    one, other = found
    with mp.workdps(FINE.digits):
        worst = mpf(0)
        for name, rows in other.items():
            scale = max(abs(x) for row in rows.values() for x in row)
            for k, row in rows.items():
                worst = max(worst, *(abs(x - y) / scale for x, y in zip(row, one[name][k], strict=True)))
        most = DISCRETE[0].digits
        digits = most if worst == 0 else min(most, int(mp.floor(-mp.log10(worst))) - 1)
        if digits < 30:
            raise ArithmeticError(f"{CELLS[index][0]}, {model}: only {digits} digits are certain")
        values = {
            name: {str(k): [mp.nstr(x, digits, strip_zeros=False) for x in row] for k, row in rows.items()}
            for name, rows in other.items()
        }
    return {"digits": digits, **values}


def main() -> None:
    keys = ("name", "objective", "optimizer", "arguments", "alpha", "theta0", "steps")
    cells = []
    for index, cell in enumerate(CELLS):
        entry = dict(zip(keys, cell, strict=True))
        for model in ("discrete", *MODELS):
            entry[model] = make(index, model)
            print(f"{cell[0]}, {model}: {entry[model]['digits']} digits")
        cells.append(entry)
    text = json.dumps({"cells": cells}, indent=1, ensure_ascii=False)
    (Path(__file__).parent / "mpmath.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
