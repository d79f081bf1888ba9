"""Radau IIA collocation on one element: nodes, integration, interpolation.

What lives here: the constant matrices of the method.  Polynomials of degree p pass through the left end of an
element and its p right-Radau nodes (the last one is the right end).
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
        :math:`A_{ij} = \int_0^{c_i} \ell_j`, with the Lagrange polynomials of the p nodes.
    transform : ndarray, shape (p + 1, p + 1)
        From values at (left end, nodes) to Legendre coefficients on the element.
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
            To be applied to the values at (left end, nodes).
        """
        weights: Array = legendre.legvander(2.0 * x - 1.0, self.stages) @ self.transform
        return weights

    def interpolate(self, x: Array, values: Array) -> Array:
        """Return what values at (left end, nodes), shape (p + 1, width), are at ``x``: (len(x), width).

        As with :meth:`weights`, but the many points are met by coefficients, not by a matrix.  These are of
        the distance from the left end, which itself comes back to the last bit where the element is short.
        """
        coefficients = self.transform @ (values - values[0])
        found: Array = values[0] + legendre.legvander(2.0 * x - 1.0, self.stages) @ coefficients
        return found


@cache
def radau(stages: int) -> Radau:
    """Return the method with ``stages`` nodes."""
    # Right-Radau nodes on [-1, 1] are the zeros of P_p - P_{p-1}; two Newton steps polish the eigenvalue
    # solver's.
    coefficients = np.zeros(stages + 1)
    coefficients[-2:] = -1.0, 1.0
    roots = np.sort(legendre.legroots(coefficients).real)
    derivative = legendre.legder(coefficients)
    for _ in range(2):
        roots -= legendre.legval(roots, coefficients) / legendre.legval(roots, derivative)
    roots[-1] = 1.0
    antiderivatives = [legendre.legint(row, lbnd=-1) for row in np.eye(stages)]
    integrals = np.stack([legendre.legval(roots, row) for row in antiderivatives], axis=1) / 2.0
    integration: Any = integrals @ np.linalg.inv(legendre.legvander(roots, stages - 1))
    transform: Any = np.linalg.inv(legendre.legvander(np.concatenate(([-1.0], roots)), stages))
    return Radau((roots + 1.0) / 2.0, integration, transform)
