"""Cost against the number of parameters."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import idescent as ide
from suite.rows import Row, Spread
from suite.settings import Settings
from suite.timing import repeated

TITLE = "Cost against the number of parameters"
TEXT = """A diagonal quadratic with curvatures from 2 to 5, Adam with α = 0.01 over 10 iterations, n = 1 …
10⁶, first and last row stored. *run*: the compiled loop. *run, plain objective*: the same objective without
its compiled gradient, as any objective of a user's. *half-step*: the solution at rtol 1e-4, with its
certificate. Memory is the peak of what is traced, less the rows kept, in vectors of n numbers."""

SIZES = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
STEPS = 10


class Plain:
    """An objective that offers nothing but value and gradient."""

    def __init__(self, objective: Any) -> None:
        self.value, self.gradient = objective.value, objective.gradient


def measure(settings: Settings) -> list[Row]:
    """Run and solve for every number of parameters."""
    found = []
    optimizer = ide.Adam(0.9, 0.99)
    for n in SIZES[:3] if settings.quick else SIZES:
        objective = ide.Quadratic(np.linspace(2.0, 5.0, n))
        cell = {"alpha": 0.01, "theta0": np.ones(n), "steps": STEPS, "keep": [0, STEPS]}
        calls: dict[str, Callable[[], Any]] = {
            "run": partial(ide.simulate, optimizer, objective, **cell),
            "run, plain objective": partial(ide.simulate, optimizer, Plain(objective), **cell),
            "half-step": partial(ide.solve, ide.models.HalfStep(), optimizer, objective, **cell, rtol=1e-4),
        }
        for method, call in calls.items():
            path, times = repeated(call, most=1 if settings.quick else 9, budget=2.0)
            times = times[1:] if len(times) > 2 else times
            values = {
                "s": Spread.of(times),
                "ns a step and parameter": Spread.of([1e9 * t / STEPS / n for t in times]),
                "gradients a step": Spread.exact(path.report.gradient_evaluations / STEPS),
                "memory, vectors": Spread.exact(peak(call) / (8 * n)),
            }
            found.append(Row("quadratic", method, f"n = {n:,}", n, path.report.status, values=values))
        settings.say(f"n = {n:,}: " + ", ".join(f"{r.method} {r.value('s'):.3g} s" for r in found[-3:]))
    return found


def peak(make: Callable[[], Any]) -> int:
    """Return the peak of traced memory while something is made, less what is made, in bytes."""
    tracemalloc.start()
    try:
        made = make()
        found = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return int(found - sum(made.quantity(name).nbytes for name in ("theta", "loss", *made.moments)))
