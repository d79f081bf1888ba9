"""Bias correction of moments that begin at 0: the factor 1 / (1 - beta^k).

What lives here: :func:`correction` of one iteration, for loops in Python.  ``_kernels.c`` computes the same
numbers for many iterations.

The paper divides by 1 - beta^k.  Multiplication by the factor replaces that division, as many runs share the
factor.

beta^k is a product of double-doubles, accurate to some 100 bits, and rounded once.  The power function of a C
library is sometimes off by a unit in the last place, differently in each library: results would depend on the
library.
"""

from __future__ import annotations

import math
from functools import lru_cache

# Powers are computed in so many independent sequences, each of which advances by beta^STRANDS
# (``_kernels.c``).
STRANDS = 8
# 2^27 + 1 splits a double into two halves of 26 bits, whose products are exact (Veltkamp).
_SPLITTER = 134217729.0


def correction(beta: float, k: int) -> float:
    r"""Return :math:`1 / (1 - \beta^k)`, one over the sum of the weights of the first k gradients.

    Parameters
    ----------
    beta : float in [0, 1)
        Decay rate of the moment.
    k : int, >= 1
        Iteration.
    """
    return 1.0 if k > fading(beta) else _table(beta).at(k)


@lru_cache(maxsize=256)
def fading(beta: float) -> int:
    """Return an iteration k after which ``1 - beta**k`` is exactly 1, as ``beta**k`` is below half an ulp."""
    return math.ceil(54.0 * math.log(2.0) / -math.log(beta)) + 1 if beta > 0.0 else 0


class _Table:
    """Factors of iterations 1, 2 ..., computed up to the largest iteration asked for.

    ``_powers`` are the last :data:`STRANDS` powers of beta, each as a double-double.
    """

    def __init__(self, beta: float) -> None:
        powers = [(beta, 0.0)]
        for _ in range(STRANDS - 1):
            powers.append(_times(powers[-1], (beta, 0.0)))
        self._powers, self._factor = powers, powers[-1]
        self._known = [1.0 / (1.0 - high) for high, _ in powers]

    def at(self, k: int) -> float:
        """Return the factor of iteration ``k``."""
        while k > len(self._known):
            self._powers = [_times(power, self._factor) for power in self._powers]
            self._known += [1.0 / (1.0 - high) for high, _ in self._powers]
        return self._known[k - 1]


_table = lru_cache(maxsize=64)(_Table)


def _times(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    """Return the product of two double-doubles (Dekker)."""
    product = a[0] * b[0]
    (a_high, a_low), (b_high, b_low) = _halves(a[0]), _halves(b[0])
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    rest = error + (a[0] * b[1] + a[1] * b[0])
    high = product + rest
    return high, rest - (high - product)


def _halves(a: float) -> tuple[float, float]:
    """Split a number into two of 26 bits each."""
    far = _SPLITTER * a
    high = far - (far - a)
    return high, a - high
