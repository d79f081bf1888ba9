"""Cost against the number of iterations."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import idescent as ide
from suite.rows import Row, Spread
from suite.settings import Settings
from suite.timing import repeated

TITLE = "Cost against iterations"
TEXT = """(θ − 4)² with α = 0.01 over 10² … 10⁷ iterations. *run*: the discrete run, every iteration stored.
*run, 101 rows*: the same with `keep`, which stores 101 of them. *exact* and *half-step*: solutions at rtol
1e-9, atol 1e-12, of which 101 rows are stored; their cost follows how much happens on the way, not the number
of iterations. AdaGrad is also solved over the 150 000 iterations that the target names, with every row
stored."""

ALPHA = 0.01
OPTIMIZERS = {"AdaGrad": ide.AdaGrad(), "RMSProp": ide.RMSProp(0.9), "Adam": ide.Adam(0.9, 0.999)}
STEPS = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
LONG_RUN = 150_000


def measure(settings: Settings) -> list[Row]:
    """Run and solve for every number of iterations."""
    found = []
    for name, optimizer in OPTIMIZERS.items():
        previous: dict[str, float] = {}
        for steps in STEPS[:2] if settings.quick else STEPS:
            keep = np.unique(np.linspace(0, steps, 101).round().astype(int))
            calls = {
                "run": partial(ide.simulate, optimizer, **_cell(steps)),
                "run, 101 rows": partial(ide.simulate, optimizer, **_cell(steps), keep=keep),
                "exact": partial(ide.solve, ide.models.Paper(), optimizer, **_cell(steps), keep=keep),
                "half-step": partial(ide.solve, ide.models.HalfStep(), optimizer, **_cell(steps), keep=keep),
            }
            for method, call in calls.items():
                # Ten times the steps take up to ten times as long.
                if 10.0 * previous.get(method, 0.0) > settings.limit:
                    found.append(
                        Row(name, method, f"{steps:,} steps", steps, "cut", "the last one took too long")
                    )
                    continue
                found.append(_timed(name, method, steps, call, settings.quick))
                previous[method] = found[-1].value("s")
        settings.say(f"{name}: up to {found[-1].setting}")
    if not settings.quick:
        cell = _cell(LONG_RUN)
        call = partial(ide.solve, ide.models.Paper(), OPTIMIZERS["AdaGrad"], **cell)
        found.append(_timed("AdaGrad, every row", "exact", LONG_RUN, call, settings.quick))
    return found


def _cell(steps: int) -> dict[str, Any]:
    return {"objective": ide.Quadratic(4.0), "alpha": ALPHA, "theta0": 1.0, "steps": steps}


def _timed(case: str, method: str, steps: int, call: Any, quick: bool) -> Row:
    path, times = repeated(call, most=1 if quick else 7, budget=2.0)
    times = times[1:] if len(times) > 2 else times
    values = {
        "s": Spread.of(times),
        "gradients": Spread.exact(path.report.gradient_evaluations),
        "ns a step": Spread.of([1e9 * t / steps for t in times]),
    }
    return Row(case, method, f"{steps:,} steps", steps, path.report.status, values=values)
