"""The yardsticks in C (``loops.c``): compiling them, and what they are called with."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import idescent as ide
from idescent.discrete import kernels
from idescent.optimizers import Optimizer
from idescent.optimizers.ratio import ratio_of

Array = NDArray[np.float64]

FLAGS = ("-std=c11", "-ffp-contract=off", "-fno-math-errno")
CENTER, THETA0, ALPHA = 4.0, 1.0, 0.01
# By the names that the peers know them by.
OPTIMIZERS: dict[str, Optimizer] = {
    "AdaGrad": ide.AdaGrad(),
    "RMSProp": ide.RMSProp(beta=0.99),
    "Adam": ide.Adam(beta1=0.9, beta2=0.999),
    "AdamW": ide.AdamW(beta1=0.9, beta2=0.999, weight_decay=0.1),
    "AdamL2": ide.AdamL2(beta1=0.9, beta2=0.999, weight_decay=0.1),
}


def compiled(folder: Path, level: str) -> ctypes.CDLL:
    """Compile the loops into a folder, at a level of optimization."""
    target, source = folder / f"loops{level}.so", Path(__file__).with_suffix(".c")
    subprocess.run(
        ["gcc", *FLAGS, level, "-shared", "-fPIC", "-o", str(target), str(source), "-lm"], check=True
    )
    return ctypes.CDLL(str(target))


def rows(steps: int, runs: int = 1) -> list[Array]:
    """Return arrays for theta, first and second moment, of which row 0 is filled."""
    arrays = [kernels.empty(steps + 1, runs) for _ in range(3)]
    # By hand: pages that are touched for the first time in the loop would be timed with it.
    for values in arrays:
        values[:] = 0.0
    arrays[0][0] = THETA0
    return arrays


def single(library: ctypes.CDLL, name: str, arrays: Sequence[Array]) -> Callable[[], None]:
    """Return a call of one optimizer's loop for one run."""
    optimizer, function = OPTIMIZERS[name], getattr(library, name.lower())
    function.restype = None
    numbers = (
        ratio_of(optimizer).beta1,
        ratio_of(optimizer).beta2,
        getattr(optimizer, "weight_decay", 0.0),
        optimizer.eps,
    )
    arguments = [ctypes.c_int64(len(arrays[0]) - 1), ctypes.c_double(ALPHA), *map(ctypes.c_double, numbers)]
    pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in arrays]
    return lambda: function(*arguments, *pointers)


def pack(library: ctypes.CDLL, name: str, alphas: Array, arrays: Sequence[Array]) -> Callable[[], None]:
    """Return a call of the loop that takes many runs side by side."""
    optimizer = OPTIMIZERS[name]
    library.pack.restype = None
    kind = ("AdaGrad", "RMSProp", "Adam").index(name)
    sizes = (ctypes.c_int(kind), ctypes.c_int64(len(alphas)), ctypes.c_int64(len(arrays[0]) - 1))
    numbers = [
        ctypes.c_double(x) for x in (ratio_of(optimizer).beta1, ratio_of(optimizer).beta2, optimizer.eps)
    ]
    pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in (alphas, *arrays)]
    return lambda: library.pack(*sizes, pointers[0], *numbers, *pointers[1:])
