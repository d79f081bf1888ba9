r"""Random numbers that depend only on a seed and the number of a run.

What lives here: the batches and the Brownian motion of each run.  What does not: their use.

Run number r of seed s has its own streams, Philox generators (Salmon et al. 2011) with the key
:math:`(s, 2^{32}\,\text{purpose} + r)`: they do not depend on the optimizer or model, on the number of other
runs, or on the division of runs into jobs.  Batches are computed from the generator's raw 64-bit numbers,
which numpy guarantees never to change; normals by ``Generator.standard_normal``, whose stream is fixed for a
given version of numpy.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import is_whole

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

# Purposes of streams: batches, and level 0 of a Brownian motion; the purposes of its higher levels follow.
_BATCHES = 0
_BROWNIAN = 1

# Numbers that are drawn in advance at a time, over all runs: the first time, and at most.
_FIRST = 1 << 12
_AHEAD = 1 << 21


def batches(
    samples: int, size: int, *, seed: int, runs: range, replacement: bool = True
) -> Iterator[Indices]:
    """Yield the batches of iterations 1, 2, ..., endlessly.

    Parameters
    ----------
    samples : int, >= 1
        Number N of samples to draw from.
    size : int, >= 1
        Samples in a batch; at most N without replacement.
    seed : int in [0, 2**64)
    runs : range
        Numbers of the runs.
    replacement : bool
        Draw every sample independently; else epoch by epoch: shuffle all samples, and drop the last
        ``N mod size``.

    Yields
    ------
    ndarray of int64, shape (len(runs), size)

    Raises
    ------
    ValueError
        If an argument is outside its range.
    """
    if not is_whole(size) or size < 1 or (not replacement and size > samples):
        rule = ">= 1" if replacement else f"in [1, {samples}]"
        raise ValueError(f"batch: {size!r} is not allowed: must be an integer {rule}")
    generators = _generators(seed, runs, _BATCHES)
    return _drawn(generators, samples, size) if replacement else _shuffled(generators, samples, size)


def _drawn(generators: list[np.random.Philox], samples: int, size: int) -> Iterator[Indices]:
    for ahead in _ahead(len(generators) * size):
        block = np.stack([g.random_raw(ahead * size).reshape(ahead, size) for g in generators], axis=1)
        # The upper 53 bits as a fraction of N: probabilities differ by less than N/2^53, relatively.
        yield from ((block >> np.uint64(11)).astype(np.float64) * (samples / 2.0**53)).astype(np.int64)


def _shuffled(generators: list[np.random.Philox], samples: int, size: int) -> Iterator[Indices]:
    while True:
        keys = np.stack([g.random_raw(samples) for g in generators])
        order = np.argsort(keys, axis=1, kind="stable")
        for start in range(0, samples - size + 1, size):
            yield order[:, start : start + size]


def brownian(dimension: int, substeps: int, *, seed: int, runs: range) -> Iterator[Array]:
    r"""Yield the increments of a Brownian motion over the substeps of iterations 1, 2, ..., endlessly.

    Iterations have length 1.  The increment over a whole iteration is drawn first and then divided into
    halves repeatedly by Brownian bridges, each level with a stream of its own: a finer resolution refines the
    *same* path.

    Parameters
    ----------
    dimension : int, >= 1
    substeps : int, a power of 2
        K.
    seed : int in [0, 2**64)
    runs : range
        Numbers of the runs.

    Yields
    ------
    ndarray, shape (K, len(runs), dimension)

    Raises
    ------
    ValueError
        If an argument is outside its range.
    """
    if not is_whole(substeps) or substeps < 1 or substeps & (substeps - 1):
        raise ValueError(f"substeps: {substeps!r} is not allowed: must be a power of 2")
    levels = int(substeps).bit_length()
    # Level 0 is the whole iteration, level j its 2^(j-1) bridges of length 2^(1-j).
    widths = [1, *(1 << j for j in range(levels - 1))]
    streams = [
        _normals(_generators(seed, runs, _BROWNIAN + j), width, dimension) for j, width in enumerate(widths)
    ]
    return _bridged(streams)


def _bridged(streams: list[Iterator[Array]]) -> Iterator[Array]:
    while True:
        whole = next(streams[0])
        for level, stream in enumerate(streams[1:]):
            half = 0.5 * whole
            spread = 0.5 * np.sqrt(0.5**level) * next(stream)
            whole = np.stack((half + spread, half - spread), axis=1).reshape(-1, *whole.shape[1:])
        yield whole


def _normals(generators: list[np.random.Philox], width: int, dimension: int) -> Iterator[Array]:
    drawers = [np.random.Generator(g) for g in generators]
    for ahead in _ahead(len(generators) * width * dimension):
        block = np.stack([d.standard_normal((ahead, width, dimension)) for d in drawers], axis=2)
        yield from block


def _ahead(numbers: int) -> Iterator[int]:
    """Yield the number of iterations to draw at a time, of ``numbers`` each; no draw depends on it."""
    least, most = max(1, _FIRST // numbers), max(1, _AHEAD // numbers)
    while True:
        yield least
        least = min(2 * least, most)


def _generators(seed: int, runs: range, purpose: int) -> list[np.random.Philox]:
    if not is_whole(seed) or not 0 <= seed < 2**64:
        raise ValueError(f"seed: {seed!r} is not allowed: must be an integer in [0, 2**64)")
    if len(runs) == 0 or runs.start < 0 or runs.stop > 2**32 or runs.step != 1:
        raise ValueError(f"runs: {runs!r} is not allowed: must be at least one number in [0, 2**32)")
    return [np.random.Philox(key=np.array([seed, (purpose << 32) + r], dtype=np.uint64)) for r in runs]
