r"""Radau IIA collocation on one element: nodes, integration, interpolation.

On an element of length L with the local coordinate x in [0, 1], the right-Radau nodes
:math:`c_1 < \dots < c_p = 1` are the zeros of :math:`P_p - P_{p-1}` (Legendre polynomials in :math:`2x - 1`).
A solution of :math:`y' = f` is the polynomial of degree p through its left value :math:`y_a` and its values
:math:`y_i` at the nodes, with

.. math:: y_i = y_a + L \sum_j A_{ij} f_j, \qquad A_{ij} = \int_0^{c_i} \ell_j(x)\,dx,

where :math:`\ell_j` are the Lagrange polynomials of the nodes.  Its Legendre coefficients serve
interpolation, and the two highest of them measure whether the element is short enough
(:mod:`idescent.solvers.march`).

What lives here: the constant matrices of the method.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Radau:
    r"""Matrices of the p-stage Radau IIA method (order 2p - 1 at the ends of elements; Hairer & Wanner II,
    IV.5).

    Attributes
    ----------
    nodes : ndarray, shape (p,)
        Right-Radau nodes on (0, 1].
    integration : ndarray, shape (p, p)
        :math:`A_{ij} = \int_0^{c_i} \ell_j`, with the Lagrange polynomials :math:`\ell_j` of the p nodes.
    transform : ndarray, shape (p + 1, p + 1)
        Maps values at (left end, nodes) to Legendre coefficients on the element.
    """

    nodes: Array
    integration: Array
    transform: Array

    @property
    def stages(self) -> int:
        """Number of nodes p."""
        return len(self.nodes)

    def weights(self, x: Array) -> Array:
        """Interpolation weights at local coordinates ``x`` in [0, 1].

        Returns
        -------
        ndarray, shape (len(x), p + 1)
            Multiply the values at (left end, nodes) from the left.
        """
        weights: Array = self.polynomials(x) @ self.transform
        return weights

    def interpolate(self, x: Array, values: Array) -> Array:
        """Interpolate values given at the left end and the nodes, shape (p + 1, width), to ``x``.

        The same polynomial as with :meth:`weights`, but without its matrix: cheaper for many points.  The
        Legendre coefficients are those of the difference from the left value: where that difference is small,
        as on a short element, the left value is reproduced to the last bit.

        Returns
        -------
        ndarray, shape (len(x), width)
        """
        return self.sum(self.polynomials(x), values)

    def polynomials(self, x: Array) -> Array:
        """Return the Legendre polynomials of degree 0 ... p at local coordinates ``x``: (len(x), p + 1)."""
        # numpy.polynomial.legendre.legvander without its checks, which take longer than few points.
        z = 2.0 * x - 1.0
        columns = np.empty((self.stages + 1, len(z)))
        columns[0], columns[1] = 1.0, z
        for i in range(2, self.stages + 1):
            columns[i] = (columns[i - 1] * z * (2 * i - 1) - columns[i - 2] * (i - 1)) / i
        return columns.T

    def sum(self, polynomials: Array, values: Array) -> Array:
        """Return the polynomial of the values where :meth:`polynomials` was evaluated."""
        interpolated: Array = values[0] + polynomials @ (self.transform @ (values - values[0]))
        return interpolated


@cache
def radau(stages: int) -> Radau:
    """Return the method with ``stages`` nodes."""
    # Right-Radau nodes on [-1, 1] are the zeros of P_p - P_{p-1}; the eigenvalue solver loses digits, which
    # two Newton steps restore.
    coefficients = np.zeros(stages + 1)
    coefficients[-2:] = -1.0, 1.0
    roots = np.sort(legendre.legroots(coefficients).real)
    derivative = legendre.legder(coefficients)
    for _ in range(2):
        roots -= legendre.legval(roots, coefficients) / legendre.legval(roots, derivative)
    roots[-1] = 1.0
    antiderivatives = [legendre.legint(row, lbnd=-1) for row in np.eye(stages)]
    integrals = np.stack([legendre.legval(roots, row) for row in antiderivatives], axis=1) / 2.0
    # Integrals of P_0 ... P_{p-1} at the nodes, times the matrix from values at the nodes to coefficients.
    integration: Any = integrals @ np.linalg.inv(legendre.legvander(roots, stages - 1))
    transform: Any = np.linalg.inv(legendre.legvander(np.concatenate(([-1.0], roots)), stages))
    return Radau((roots + 1.0) / 2.0, integration, transform)
