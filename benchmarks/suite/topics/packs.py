"""Discrete kernels, many runs: nanoseconds a run and step, side by side and one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

import idescent as ide
from idescent.discrete import kernels
from idescent.discrete import loop as discrete
from idescent.optimizers.ratio import ratio_of
from suite import loops
from suite.rows import Row
from suite.settings import Settings
from suite.timing import seconds
from suite.topics.kernels import inside, kernel_call, peer_calls, started, timed

TITLE = "Discrete kernels, many runs"
TEXT = """Many runs on (θ − 4)² in one variable: nanoseconds a run and step. *C, one by one*: the C loop of
one run, again and again. *C, side by side*: a C loop that takes each step for all runs, a learning
rate each, as plainly as one would write it, with -O2 and with -O3. *pack*: the package's lockstep
kernel, the time inside of it; *pack, cold*: the same after a walk through 100 MB, its arrays in no
cache. All but the last of these are timed right after an untimed call of their own.
*simulate_many*: the whole call, with checks, allocation, moments and losses. *kernel, one by one*
and *as one vector*: the package's compiled loop, run by run and with the runs as coordinates of
one θ. *NumPy, side by side*: the package's Python loop on arrays of all runs. Other packages take
1 000 steps, with the runs as coordinates of one θ and one learning rate."""

# Runs and steps: as many runs as there are lanes, long enough to show the loop alone; and a pack of a study.
SIZES = ((16, 5_000), (256, 1_000))
LANES = f"{SIZES[0][0]} runs of {SIZES[0][1]:,} steps"


def measure(settings: Settings) -> list[Row]:
    """Time three optimizers."""
    libraries = [loops.compiled(settings.scratch, level) for level in ("-O2", "-O3")]
    found: list[Row] = []
    with ExitStack() as stack:
        workers, absent = started(settings, stack)
        for runs, steps in ((16, 100),) if settings.quick else SIZES:
            for name in ("AdaGrad", "RMSProp", "Adam"):
                case = f"{name}, {runs} runs of {steps:,} steps"
                calls = _own_calls(libraries, name, runs, steps) | peer_calls(settings, workers, name, runs)
                found += timed(settings, case, calls, "C, side by side", "ns a run-step")
                found += [Row(case, method, status="not installed", note=note) for method, note in absent]
                settings.say(f"{case}: timed")
    return found


def again(call: Callable[[], float]) -> float:
    """Return what a call returns that follows another one: its arrays are where that left them."""
    call()
    return call()


def _own_calls(libraries: Sequence[Any], name: str, runs: int, steps: int) -> dict[str, Callable[[], float]]:
    optimizer, objective, scale = loops.OPTIMIZERS[name], ide.Quadratic(loops.CENTER), 1e9 / (runs * steps)
    alphas = np.linspace(0.5, 1.0, runs) * loops.ALPHA
    one, ours, wide, beside = (loops.rows(steps, n) for n in (1, 1, runs, runs))
    single = loops.single(libraries[0], name, one)
    kernel, vector = kernel_call(optimizer, ours), kernel_call(optimizer, wide)
    in_c = [loops.pack(each, name, alphas, beside) for each in libraries]
    separable = objective.separable_quadratic(1)
    pack = [
        kernels.RunRows(
            optimizer, separable, alpha, None, theta, first if ratio_of(optimizer).first else None, second
        )
        for alpha, (theta, first, second) in zip(alphas, (loops.rows(steps) for _ in alphas), strict=True)
    ]
    filled = partial(inside, lambda found: kernels.fill_many(found, pack))
    many = partial(ide.simulate_many, optimizer, objective, alpha=alphas, theta0=loops.THETA0, steps=steps)
    filled()
    for call in in_c:
        call()
        # What the last bit is, tests compare.
        if not all(np.allclose(beside[0][:, i], pack[i].theta[:, 0], rtol=1e-12) for i in range(runs)):
            raise RuntimeError(f"{name}: the C loop for many runs does not agree with ours: nothing to time")

    # More than any cache holds.
    elsewhere = np.zeros(12_500_000)

    def cold(call: Callable[[], float]) -> float:
        elsewhere[:] += 1.0
        return call()

    def arrays() -> None:
        theta, first, second = (np.zeros((steps + 1, runs, 1)) for _ in range(3))
        theta[0] = loops.THETA0
        rates = alphas[:, None]
        for k in range(1, steps + 1):
            momentum = first[k - 1] if ratio_of(optimizer).first else None
            gradient = 2.0 * (theta[k - 1] - loops.CENTER)
            theta[k], kept, second[k] = discrete.update(
                optimizer, ratio_of(optimizer), rates, k, theta[k - 1], momentum, second[k - 1], gradient
            )
            if kept is not None:
                first[k] = kept

    return {
        "C, side by side": lambda: again(partial(seconds, in_c[0])) * scale,
        "C, side by side, -O3": lambda: again(partial(seconds, in_c[1])) * scale,
        "pack": lambda: again(filled) * scale,
        "pack, cold": lambda: cold(filled) * scale,
        "simulate_many": lambda: seconds(many) * scale,
        "C, one by one": lambda: seconds(lambda: [single() for _ in range(runs)]) * scale,
        "kernel, one by one": lambda: sum(kernel() for _ in range(runs)) * scale,
        "kernel, as one vector": lambda: vector() * scale,
        "NumPy, side by side": lambda: seconds(arrays) * scale,
    }
