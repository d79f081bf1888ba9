"""Gauss-Legendre collocation in arbitrary precision, for the references."""

from __future__ import annotations

from collections.abc import Callable

from mpmath import mp, mpf

Vector = list[mpf]


def legendre_root(n: int, i: int) -> mpf:
    """Return the i-th root of the Legendre polynomial of degree n, from above, by Newton's method."""
    z = mp.cos(mp.pi * (4 * i + 3) / (4 * n + 2))
    for _ in range(12):
        value, before = mp.legendre(n, z), mp.legendre(n - 1, z)
        z -= value * (z * z - 1) / (n * (z * value - before))
    return z


class Gauss:
    """Gauss-Legendre collocation on [0, 1]: nodes, weights, and integrals up to each node."""

    def __init__(self, nodes: int) -> None:
        count = range(nodes)
        x = [legendre_root(nodes, i) for i in reversed(count)]
        table = [[mp.legendre(k, z) for k in range(nodes + 1)] for z in x]
        self.nodes = [(1 + z) / 2 for z in x]
        self.weights = [(1 - z * z) / (nodes * row[nodes - 1]) ** 2 for z, row in zip(x, table, strict=True)]
        self.integrals = [
            [
                self.weights[j]
                * mp.fsum(
                    [self.nodes[i]]
                    + [table[j][k] * (table[i][k + 1] - table[i][k - 1]) / 2 for k in range(1, nodes)]
                )
                for j in count
            ]
            for i in count
        ]


def integrate(
    slope: Callable[[mpf, Vector], Vector],
    start: Vector,
    guess: Callable[[mpf], Vector],
    halves: int,
    gauss: Gauss,
) -> list[Vector]:
    """Solve y' = slope(s, y) and return y at s = 0, 1/2, 1, ...; ``guess`` is for the first element only."""
    tolerance = mpf(10) ** (6 - mp.dps)
    ends = [start]
    for e in range(halves):
        s = [(e + c) / 2 for c in gauss.nodes]
        y = [guess(z) if e == 0 else ends[-1] for z in s]
        for _ in range(200):
            rates = list(zip(*(slope(z, at) for z, at in zip(s, y, strict=True)), strict=True))
            new = [
                [y0 + mp.fdot(row, rate) / 2 for y0, rate in zip(ends[-1], rates, strict=True)]
                for row in gauss.integrals
            ]
            change = max(
                abs(a - b) for one, other in zip(y, new, strict=True) for a, b in zip(one, other, strict=True)
            )
            y = new
            if change < tolerance:
                break
        else:
            raise ArithmeticError(f"element {e}: Picard's iteration still changes by {mp.nstr(change, 3)}")
        rates = list(zip(*(slope(z, at) for z, at in zip(s, y, strict=True)), strict=True))
        ends.append([y0 + mp.fdot(gauss.weights, rate) / 2 for y0, rate in zip(ends[-1], rates, strict=True)])
    return ends
