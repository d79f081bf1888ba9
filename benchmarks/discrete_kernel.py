"""Time the discrete kernel against the same loop written directly in C.

What lives here: one measurement, in one run on one machine, reported as ratios.  ``discrete_kernel.c`` writes
each optimizer's loop out for ``f = (theta - 4)^2``; it is compiled into a temporary folder with the flags of
the package and timed in turn with the kernel, so that a drift of the clock hits both.  The paths are compared
bit for bit before anything is timed.

    python benchmarks/discrete_kernel.py [--steps N] [--repeats R]

Columns: nanoseconds per step of the C loop, of the kernel and of the whole ``simulate`` (with checks,
allocation and the loss); their ratios to the C loop as median [quartiles] over the repeats.  Below stands
what ``simulate`` costs even for a single step.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import idescent as ide
from idescent import kernels

TARGET = 1.5
FLAGS = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno"]
ALPHA, THETA0 = 0.01, 1.0
OPTIMIZERS = {
    "adagrad": ide.AdaGrad(),
    "rmsprop": ide.RMSProp(beta=0.99),
    "adam": ide.Adam(beta1=0.9, beta2=0.999),
    "adamw": ide.AdamW(beta1=0.9, beta2=0.999, weight_decay=0.1),
    "adaml2": ide.AdamL2(beta1=0.9, beta2=0.999, weight_decay=0.1),
}


def compile_reference(folder: Path) -> ctypes.CDLL:
    target = folder / "reference.so"
    source = Path(__file__).with_suffix(".c")
    subprocess.run(["gcc", *FLAGS, "-shared", "-fPIC", "-o", str(target), str(source), "-lm"], check=True)
    return ctypes.CDLL(str(target))


def reference_call(
    library: ctypes.CDLL, name: str, optimizer: ide.Optimizer, arrays: list[np.ndarray]
) -> Callable:
    function = getattr(library, name)
    function.restype = None
    numbers = [optimizer.decay1, optimizer.decay2, getattr(optimizer, "weight_decay", 0.0), optimizer.eps]
    arguments = [ctypes.c_int64(len(arrays[0]) - 1), ctypes.c_double(ALPHA), *map(ctypes.c_double, numbers)]
    pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in arrays]
    return lambda: function(*arguments, *pointers)


def kernel_call(optimizer: ide.Optimizer, arrays: list[np.ndarray]) -> Callable:
    library = kernels.compiled()
    if library is None:
        sys.exit("the compiled kernel is not built: install the package with a C compiler")
    theta, first, second = arrays
    moment = first if optimizer.momentum else None
    rows = kernels.Rows(optimizer, (2.0, 4.0), ALPHA, None, theta, moment, second)
    return lambda: kernels.fill(library, rows)


def whole_call(optimizer: ide.Optimizer, steps: int) -> Callable:
    return lambda: ide.simulate(optimizer, ide.Quadratic(4.0), alpha=ALPHA, theta0=THETA0, steps=steps)


def fresh(steps: int) -> list[np.ndarray]:
    arrays = [np.zeros((steps + 1, 1)) for _ in range(3)]
    arrays[0][0] = THETA0
    return arrays


def seconds(call: Callable) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def spread(ratios: list[float]) -> str:
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:5.2f} [{low:.2f} {high:.2f}]"


def measure(library: ctypes.CDLL, name: str, steps: int, repeats: int) -> float:
    optimizer = OPTIMIZERS[name]
    ours, theirs = fresh(steps), fresh(steps)
    calls = [
        reference_call(library, name, optimizer, theirs),
        kernel_call(optimizer, ours),
        whole_call(optimizer, steps),
    ]
    for call in calls:
        call()
    if any(a.tobytes() != b.tobytes() for a, b in zip(ours, theirs, strict=True)):
        sys.exit(f"{name}: the kernel and the C loop do not agree: nothing to time")
    times = [[seconds(call) for call in calls] for _ in range(repeats)]
    reference, kernel, whole = (
        statistics.median(column) / steps * 1e9 for column in zip(*times, strict=True)
    )
    to_kernel = [row[1] / row[0] for row in times]
    to_whole = [row[2] / row[0] for row in times]
    line = f"{name:8} {reference:8.2f} {kernel:8.2f} {whole:10.2f}"
    print(f"{line}   {spread(to_kernel):18}   {spread(to_whole):18}")
    return statistics.median(to_kernel)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=41)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library = compile_reference(Path(folder))
        print(f"{options.steps} steps, {options.repeats} repeats; ns per step and ratio to the C loop")
        print(
            f"{'':8} {'C loop':>8} {'kernel':>8} {'simulate':>10}   {'kernel / C':18}   {'simulate / C':18}"
        )
        worst = max(measure(library, name, options.steps, options.repeats) for name in OPTIMIZERS)
    fixed = statistics.median(seconds(whole_call(OPTIMIZERS["adam"], 1)) for _ in range(options.repeats))
    print(f"simulate of one step: {fixed * 1e6:.0f} us")
    print(f"worst kernel / C: {worst:.2f}; target: at most {TARGET}")
    return 0 if worst <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
