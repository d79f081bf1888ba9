"""The compiled loops: the library is loaded, and called on the arrays of runs.

``_kernels.c`` has two loops.  Lanes in lockstep serve runs whose coordinates are few and independent: each
coordinate of each run is a lane, and many lanes advance together (:func:`fill_many`).  The other loop
computes one run row by row (:func:`fill`).  Both store their rows in arrays allocated here.  Three more
functions serve the sweeps of Algorithm 4 (:mod:`idescent.solvers.spline`).

What lives here: the interface to ``_kernels.c``.  What does not: its arithmetic, the same loop in Python and
the definition of a run (:mod:`idescent.discrete.loop`).
"""

from __future__ import annotations

import ctypes
import hashlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.discrete.corrections import fading
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.ratio import Ratio, ratio_of

DATA_FILES = ("_kernels.c",)
Array = NDArray[np.float64]

MOST_LANES = 16
"""Runs with more coordinates than this are computed row by row."""

MISSING = (
    "no compiled kernels: discrete runs use a loop in Python, some 80 times slower, with the same numbers; "
    "install a C compiler (gcc), then the package again (make install)"
)


# Bytes of a line of the processor's cache.
_CACHE_LINE = 64
# Numbers of theta in one call, some tens of milliseconds: Python handles Ctrl-C between calls.
_CALL = 2**20


def empty(rows: int, width: int) -> Array:
    """Return an uninitialised array, shape (rows, width), that begins at a cache line.

    The kernel stores a whole cache line at once; across two lines a store would cost twice as much.
    """
    size = rows * width
    raw = np.empty(size + _CACHE_LINE // 8 - 1)
    start = -raw.ctypes.data % _CACHE_LINE // 8
    return raw[start : start + size].reshape(rows, width)


@dataclass
class RunRows:
    """The rows of a run, or a block of them, that a kernel fills.

    Attributes
    ----------
    optimizer : Optimizer
        A ratio (:class:`idescent.optimizers.ratio.Ratio`).
    separable : tuple of array_like, or None
        Curvature and center, which broadcast to (n,); without them no kernel can fill the rows.
    alpha : float
    rates : ndarray, shape (steps,), or None
        Factors of alpha.
    theta : ndarray, shape (steps + 1, n)
    first : ndarray, shape (steps + 1, n), or None
    second : ndarray, shape (steps + 1, width)
        Row 0 of ``theta``, ``first`` and ``second`` is the state after the iterations ``done``.
    """

    optimizer: Optimizer
    separable: tuple[ArrayLike, ArrayLike] | None
    alpha: float
    rates: Array | None
    theta: Array
    first: Array | None
    second: Array

    @cached_property
    def ratio(self) -> Ratio:
        """Its structure."""
        ratio = ratio_of(self.optimizer)
        assert ratio is not None
        return ratio

    @property
    def steps(self) -> int:
        """Number of iterations to compute."""
        return len(self.theta) - 1

    @property
    def quadratic(self) -> list[Array]:
        """Curvature and center, each contiguous and of shape (n,): kernels do not check their pointers."""
        assert self.separable is not None
        shape = self.theta.shape[1:]
        arrays = [np.asarray(values, dtype=np.float64) for values in self.separable]
        return [np.ascontiguousarray(a if a.shape == shape else np.broadcast_to(a, shape)) for a in arrays]

    def first_not_finite(self) -> int | None:
        """Return the first row in which theta or the second moment is not finite, or None.

        All later rows are not finite either, so the last one is tested first.
        """
        if np.isfinite(self.theta[-1]).all() and np.isfinite(self.second[-1]).all():
            return None
        finite = np.isfinite(self.theta).all(axis=1) & np.isfinite(self.second).all(axis=1)
        return int(np.argmin(finite))


def in_lanes(optimizer: Optimizer, n: int) -> bool:
    """Whether the coordinates of a run are few and independent, so that each can be a lane."""
    return n == 1 or (n <= MOST_LANES and not optimizer.norm)


def fill(library: ctypes.CDLL, rows: RunRows, done: int = 0) -> int | None:
    """Compute a run's iterations from ``done + 1`` on; return the first row that is not finite, or None."""
    if in_lanes(rows.optimizer, rows.theta.shape[1]):
        fill_many(library, [rows], done)
        return rows.first_not_finite()
    n, states = rows.theta.shape[1], (rows.theta, rows.first, rows.second)
    rule, factors = _rule(rows), _corrections(library, [rows], done)
    corrections = [_correction(factors.get(beta)) for beta in (rule.beta1, rule.beta2)]
    # A reference that keeps the arrays alive while the kernel has their addresses.
    quadratic = rows.quadratic
    for start, stop in _calls(0, rows.steps, n):
        at = library.simulate(
            done + start,
            stop - start,
            n,
            rows.alpha,
            _row(rows.rates, start),
            ctypes.byref(rule),
            *map(ctypes.byref, corrections),
            *map(_pointer, quadratic),
            *(_row(values, start) for values in states),
        )
        if at >= 0:
            return start + int(at)
    return None


def fill_many(library: ctypes.CDLL, runs: Sequence[RunRows], done: int = 0) -> None:
    """Compute the iterations of many runs in lockstep.

    Parameters
    ----------
    library : ctypes.CDLL
    runs : sequence of RunRows
        Runs whose coordinates can be lanes (:func:`in_lanes`), and whose ratios have the same ``sums`` and
        ``corrected``.
    done : int
        Iterations before row 0.
    """
    # Shortest runs first: when they end, the remaining lanes are the rear part of the table.  Among these,
    # equal decay rates are neighbours, since a group of lanes with the same bias corrections is faster.
    runs = sorted(runs, key=lambda rows: (rows.steps, rows.ratio.beta1, rows.ratio.beta2))
    factors = _corrections(library, runs, done)
    lanes: list[_Lane] = []
    first_lane = []
    for rows in runs:
        first_lane.append(len(lanes))
        lanes += _lanes(rows, factors)
    table = (_Lane * len(lanes))(*lanes)
    start = 0
    for at, rows in zip(first_lane, runs, strict=True):
        if rows.steps > start:
            remaining = ctypes.byref(table, at * ctypes.sizeof(_Lane))
            for first, last in _calls(start, rows.steps, len(lanes) - at):
                library.lockstep(done, first, last, len(lanes) - at, remaining)
            start = rows.steps


def _calls(start: int, stop: int, width: int) -> Iterator[tuple[int, int]]:
    """Divide rows ``start`` to ``stop``, of ``width`` numbers each, into the ranges of single calls."""
    rows = max(1, _CALL // width)
    for first in range(start, stop, rows):
        yield first, min(first + rows, stop)


def _corrections(library: ctypes.CDLL, runs: Sequence[RunRows], done: int) -> dict[float, Array]:
    """Compute the bias corrections for each decay rate, from iteration 1 to the last one that is not 1."""
    counts: dict[float, int] = {}
    for rows in runs:
        if rows.ratio.corrected:
            for beta in (rows.ratio.beta1, rows.ratio.beta2):
                counts[beta] = max(counts.get(beta, 0), min(done + rows.steps, fading(beta)))
    factors = {beta: np.empty(count) for beta, count in counts.items()}
    for beta, factor in factors.items():
        library.corrections(beta, len(factor), _pointer(factor))
    return factors


def _lanes(rows: RunRows, factors: dict[float, Array]) -> list[_Lane]:
    """Return the lanes of a run, one for each coordinate."""
    rule, n = _rule(rows), rows.theta.shape[1]
    corrections = [_correction(factors.get(beta)) for beta in (rule.beta1, rule.beta2)]
    states = (rows.theta, rows.first, rows.second)
    return [
        _Lane(
            rule,
            rows.alpha,
            *separable,
            _pointer(rows.rates),
            *corrections,
            *(_pointer(values, i) for values in states),
            n,
        )
        for i, separable in enumerate(zip(*rows.quadratic, strict=True))
    ]


class _Rule(ctypes.Structure):
    """``rule`` of ``_kernels.c``; this and the next two structures have the same fields there."""

    _fields_ = (
        *((name, ctypes.c_double) for name in ("beta1", "beta2", "eps", "decoupled_decay", "coupled_decay")),
        *((name, ctypes.c_int32) for name in ("summing", "bias_correction", "norm")),
    )


class _Correction(ctypes.Structure):
    """``correction`` of ``_kernels.c``."""

    _fields_ = (("known", ctypes.c_int64), ("factor", ctypes.c_void_p))


class _Lane(ctypes.Structure):
    """``lane`` of ``_kernels.c``."""

    _fields_ = (
        ("rule", _Rule),
        *((name, ctypes.c_double) for name in ("alpha", "curvature", "center")),
        ("factors", ctypes.c_void_p),
        *((name, _Correction) for name in ("by1", "by2")),
        *((name, ctypes.c_void_p) for name in ("theta", "first", "second")),
        ("stride", ctypes.c_int64),
    )


def _rule(rows: RunRows) -> _Rule:
    optimizer, ratio = rows.optimizer, rows.ratio
    return _Rule(
        ratio.beta1,
        ratio.beta2,
        ratio.eps,
        optimizer.decoupled_decay,
        optimizer.coupled_decay,
        ratio.sums,
        ratio.corrected,
        optimizer.norm,
    )


def _correction(factor: Array | None) -> _Correction:
    return _Correction(0, None) if factor is None else _Correction(len(factor), _pointer(factor))


def _pointer(values: Array | None, at: int = 0) -> int | None:
    """Return the address of number ``at`` of the first row."""
    return None if values is None else values.ctypes.data + at * values.itemsize


def _row(values: Array | None, row: int) -> int | None:
    """Return the address of the first number of a row."""
    return None if values is None else values.ctypes.data + row * values.strides[0]


@cache
def compiled() -> ctypes.CDLL | None:
    """Load the compiled kernels, or warn and return None if they were not built.

    Raises
    ------
    RuntimeError
        If they were compiled from another version of the source: install again.
    """
    folder = Path(__file__).parent
    path = next(
        (p for p in (folder / f"_kernels{suffix}" for suffix in EXTENSION_SUFFIXES) if p.exists()), None
    )
    if path is None:
        warnings.warn(MISSING, RuntimeWarning, stacklevel=2)  # once: the result is cached
        return None
    library = ctypes.CDLL(str(path))
    count, number, pointer = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p
    library.source_digest.restype = ctypes.c_char_p
    if library.source_digest().decode() != hashlib.sha256((folder / DATA_FILES[0]).read_bytes()).hexdigest():
        raise RuntimeError(
            "the compiled kernels are older than src/idescent/discrete/_kernels.c: run `make install`"
        )
    library.simulate.restype = count
    library.simulate.argtypes = (*[count] * 3, number, *[pointer] * 9)
    library.corrections.restype = library.lockstep.restype = None
    library.corrections.argtypes = (number, count, pointer)
    library.lockstep.argtypes = (*[count] * 4, pointer)
    library.basis.restype = library.spline.restype = library.scan.restype = None
    library.basis.argtypes = library.spline.argtypes = (*[count] * 2, *[pointer] * 4)
    library.scan.argtypes = (count, *[pointer] * 3)
    return library
