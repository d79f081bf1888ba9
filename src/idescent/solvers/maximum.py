r"""A maximum with decay on the elements of a window, sampled at the middle of every iteration.

.. math:: M_k = \max(\beta M_{k-1}, h(k-\tfrac12)), \qquad
          M(s) = \max\bigl(\beta^{s-k+\frac12} M_k,\ h(s)\bigr), \quad k-\tfrac12 \le s < k+\tfrac12

A maximum over all s would exceed the discrete one by a first-order term wherever the source has a peak.

What lives here: this recursion.  What does not: the fixed point (:mod:`idescent.solvers.window`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from idescent.solvers.radau import Radau

Array = NDArray[np.float64]

# A point this near to a middle, relative to its size, is on it.
_SLACK = 1e-12
# Largest exponent of a factor of the decay: its power neither overflows nor vanishes.
_MOST = 300.0


def sampled_maximum(
    decay: float, edges: Array, method: Radau, source: Array, first: Array, held: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Compute a maximum at the nodes, shape (E, p, width), and its last sample at each right end, (E, width).

    Parameters
    ----------
    decay : float
        beta in [0, 1], per iteration.
    edges : ndarray, shape (E + 1,)
    method : Radau
    source : ndarray, shape (E, p, width)
        h at the nodes.
    first : ndarray, shape (width,)
        Last sample before the first element, decayed to its left end.
    held : ndarray of bool, shape (E,)
        Elements on which the maximum keeps its value.
    """
    values, samples = np.empty_like(source), np.empty((len(source), source.shape[2]))
    inverse = np.linalg.inv(legendre.legvander(2.0 * method.nodes - 1.0, method.stages - 1))
    sample = first
    for e, h in enumerate(source):
        a, b = edges[e], edges[e + 1]
        if held[e]:
            values[e] = samples[e] = sample
            continue
        slack = _SLACK * (1.0 + b)
        middles = np.arange(math.floor(a + slack + 0.5) + 0.5, b + slack, 1.0)
        weights = legendre.legvander(2.0 * (middles - a) / (b - a) - 1.0, method.stages - 1) @ inverse
        times, maxima = np.concatenate(([a], middles)), _accumulated(decay, a, middles, weights @ h, sample)
        s = a + (b - a) * method.nodes
        before = np.searchsorted(times, s + slack, side="right") - 1
        faded = _power(decay, s - times[before])[:, None] * maxima[before]
        values[e] = np.maximum(faded, h)
        sample = samples[e] = faded[-1]
    return values, samples


def _accumulated(decay: float, a: float, middles: Array, h: Array, sample: Array) -> Array:
    """Return the sample at ``a`` and the maxima at the middles, shape (1 + middles, width)."""
    parts, last = [sample[None]], a
    chunk = len(middles) if decay == 1.0 else max(1, int(_MOST / -math.log(decay))) if decay else 1
    for i in range(0, len(middles), max(chunk, 1)):
        at, values = middles[i : i + chunk], h[i : i + chunk]
        start = _power(decay, at[0] - last) * parts[-1][-1]
        growth = _power(decay, at - at[0])[:, None]
        values = np.concatenate((np.maximum(values[:1], start), values[1:]))
        parts.append(growth * np.maximum.accumulate(values / growth, axis=0))
        last = float(at[-1])
    return np.concatenate(parts)


def _power(decay: float, time: Array | float) -> Array:
    return np.asarray(np.power(decay, np.maximum(time, 0.0)))
