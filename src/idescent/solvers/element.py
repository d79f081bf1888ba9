r"""Polynomials of the iteration on one long element, and their backward differences.

What lives here: interpolation and difference (:class:`Operators`), the resolution and the values of
polynomials (:func:`tail`, :class:`Element`), and the other parts of a run, :class:`Iterations`.  What does
not: the equations on an element (:mod:`idescent.solvers.difference`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

Array = NDArray[np.float64]
State = dict[str, Array]
"""Theta and the memories by name, in the shapes of one run."""

NODES = 16


@lru_cache(maxsize=1)
def tables() -> tuple[Array, Array, Array, Array]:
    """Return the Gauss nodes in (0, 1), interpolation, derivatives there, and Legendre coefficients.

    Arrays of shape (n,), (n, n), (n, n, n) and (n, n).  Interpolation and derivatives act on the values,
    minus the initial one, at the n last of n + 1 Chebyshev points of the closed element.
    """
    u, weights = legendre.leggauss(NODES)
    points = -np.cos(np.pi * np.arange(NODES + 1) / NODES)
    inverse = np.linalg.inv(legendre.legvander(points, NODES))
    powers = [
        legendre.legval(u, legendre.legder(np.eye(NODES + 1), order)).T @ inverse
        for order in range(NODES + 1)
    ]
    degree = np.arange(NODES)
    coefficients = legendre.legvander(u, NODES - 1).T * weights * (degree[:, None] + 0.5)
    return 0.5 * (u + 1.0), powers[0][:, 1:], np.stack(powers[1:])[:, :, 1:], coefficients


@lru_cache(maxsize=1)
def _inverse() -> Array:
    """Return the matrix from the n last values on an element to Legendre coefficients, (n + 1, n)."""
    points = -np.cos(np.pi * np.arange(NODES + 1) / NODES)
    return np.asarray(np.linalg.inv(legendre.legvander(points, NODES))[:, 1:])


class Operators:
    r"""Interpolation P and backward difference E on an element of ``length`` iterations.

    .. math::
        (PM)_i = M(a+x_i), \qquad
        (EM)_i = M(a+x_i) - M(a+x_i-1) = \sum_{j=1}^n \frac{(-1)^{j+1}}{j!}\,M^{(j)}(a+x_i)

    The series ends with the degree of the polynomial.

    Attributes
    ----------
    x : ndarray, shape (n,)
        Gauss nodes in (0, length).
    at, difference : ndarray, shape (n, n)
        P and E, acting on values minus the initial one.
    """

    def __init__(self, length: int) -> None:
        nodes, self.at, derivatives, _ = tables()
        self.x = length * nodes
        # Differences of values lose digits as the length grows: E M is of the size of M / length.
        self.difference = np.zeros_like(self.at)
        factor = -1.0
        for order, derivative in enumerate(derivatives, start=1):
            factor *= -2.0 / (length * order)
            self.difference += factor * derivative

    def solve(self, rate: Any, right: Array, start: Array) -> Array:
        """Solve ((1 - rate) P + rate E) M = right with M(a) = start.

        P of a constant is the constant, and E of it is 0: the unknown is M - start.

        Parameters
        ----------
        rate : float or ndarray, shape (n,)
            Decay rate, or one for each node.
        right : ndarray, shape (n, width)
        start : ndarray, shape (width,)

        Returns
        -------
        ndarray, shape (n, width)
            M - start at the n last Chebyshev points.
        """
        rate = np.asarray(rate, dtype=np.float64).reshape(-1, 1)
        matrix = (1.0 - rate) * self.at + rate * self.difference
        return np.linalg.solve(matrix, right - (1.0 - rate) * start)


def tail(values: Array) -> Array:
    """Return the largest of the last two Legendre coefficients of values at the Gauss nodes, by column.

    The coefficients of a smooth function fall exponentially: the last ones bound those that are left out.
    Two of them, because a function may be even or odd.
    """
    coefficients = tables()[3][-2:] @ values
    return np.asarray(np.abs(coefficients).max(axis=0))


@dataclass(frozen=True)
class Element:
    """Polynomials of the run from iteration ``first`` to ``first + length``.

    Attributes
    ----------
    first, length : int
    start : dict of str to ndarray
        State after iteration ``first``.
    changes : dict of str to ndarray, shape (n, width)
        Values minus those of the start, at the n last Chebyshev points of the element.
    """

    first: int
    length: int
    start: State
    changes: dict[str, Array]

    def state(self, k: Array) -> State:
        """Return theta and the memories after iterations ``k``, real numbers, shape (m,)."""
        u = 2.0 * (np.asarray(k, dtype=np.float64) - self.first) / self.length - 1.0
        matrix = legendre.legvander(u, NODES) @ _inverse()
        return {
            name: start + (matrix @ self.changes[name]).reshape(u.shape + start.shape)
            for name, start in self.start.items()
        }

    def end(self) -> State:
        """Return the state after the last iteration."""
        return {
            name: start + self.changes[name][-1].reshape(start.shape) for name, start in self.start.items()
        }


@dataclass(frozen=True)
class Iterations:
    """Iterations that were made one by one: rows of theta and the memories, row 0 after ``first``."""

    first: int
    rows: dict[str, Array]

    @property
    def length(self) -> int:
        """Number of iterations."""
        return len(self.rows["theta"]) - 1

    def state(self, k: Array) -> State:
        """Return theta and the memories after iterations ``k``, shape (m,)."""
        at = np.asarray(k, dtype=np.int64) - self.first
        return {name: rows[at] for name, rows in self.rows.items()}
