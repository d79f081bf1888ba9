"""Discrete kernels, many runs: nanoseconds a run and step, side by side and one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

import idescent as ide
from idescent import discrete
from suite import loops
from suite.rows import Row
from suite.settings import Settings
from suite.timing import seconds
from suite.topics.kernels import kernel_call, peer_calls, started, timed

TITLE = "Discrete kernels, many runs"
TEXT = """256 runs of 1 000 steps, as in a pack of a study: nanoseconds a run and step. *C, one by one*: the C
loop of one run, 256 times. *C, side by side*: a C loop that takes each step for all runs, a learning rate
each, as plainly as one would write it, with -O2 and with -O3. *kernel, one by one* and *as one vector*: the
package's compiled loop, run by run and with the runs as coordinates of one θ. *NumPy, side by side*: the
package's Python loop on arrays of all runs. Other packages have the runs as coordinates of one θ, with one
learning rate."""

RUNS, STEPS = 256, 1_000


def measure(settings: Settings) -> list[Row]:
    """Time three optimizers."""
    libraries = [loops.compiled(settings.scratch, level) for level in ("-O2", "-O3")]
    runs, steps = (8, 100) if settings.quick else (RUNS, STEPS)
    found: list[Row] = []
    with ExitStack() as stack:
        workers, absent = started(settings, stack)
        for name in ("AdaGrad", "RMSProp", "Adam"):
            calls = _own_calls(libraries, name, runs, steps) | peer_calls(settings, workers, name, runs)
            found += timed(settings, name, calls, "C, side by side", "ns a run-step")
            found += [Row(name, method, status="not installed", note=note) for method, note in absent]
            settings.say(f"{name}: {runs} runs timed")
    return found


def _own_calls(libraries: Sequence[Any], name: str, runs: int, steps: int) -> dict[str, Callable[[], float]]:
    optimizer, scale = loops.OPTIMIZERS[name], 1e9 / (runs * steps)
    alphas = np.linspace(0.5, 1.0, runs) * loops.ALPHA
    one, ours, wide, beside = (loops.rows(steps, n) for n in (1, 1, runs, runs))
    single, kernel, vector = (
        loops.single(libraries[0], name, one),
        kernel_call(optimizer, ours),
        kernel_call(optimizer, wide),
    )
    pack, fast_pack = (loops.pack(library, name, alphas, beside) for library in libraries)
    pack()
    for i in (0, runs - 1):
        run = ide.simulate(
            optimizer, ide.Quadratic(loops.CENTER), alpha=alphas[i], theta0=loops.THETA0, steps=steps
        )
        if not np.allclose(beside[0][:, i], run.theta[:, 0], rtol=1e-12):
            raise RuntimeError(f"{name}: the C loop for many runs does not agree with ours: nothing to time")

    def arrays() -> None:
        theta, first, second = (np.zeros((steps + 1, runs, 1)) for _ in range(3))
        theta[0] = loops.THETA0
        rates = alphas[:, None]
        for k in range(1, steps + 1):
            momentum = first[k - 1] if optimizer.momentum else None
            gradient = 2.0 * (theta[k - 1] - loops.CENTER)
            theta[k], kept, second[k] = discrete.update(
                optimizer, rates, k, theta[k - 1], momentum, second[k - 1], gradient
            )
            if kept is not None:
                first[k] = kept

    return {
        "C, side by side": lambda: seconds(pack) * scale,
        "C, side by side, -O3": lambda: seconds(fast_pack) * scale,
        "C, one by one": lambda: seconds(lambda: [single() for _ in range(runs)]) * scale,
        "kernel, one by one": lambda: seconds(lambda: [kernel() for _ in range(runs)]) * scale,
        "kernel, as one vector": lambda: seconds(vector) * scale,
        "NumPy, side by side": lambda: seconds(arrays) * scale,
    }
