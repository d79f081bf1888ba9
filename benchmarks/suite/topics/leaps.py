"""Time of leaping over a run against the time of making it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import idescent as ide
from suite.rows import Row, Spread
from suite.settings import Settings
from suite.timing import in_turns, ratio, seconds

TITLE = "Leaps against runs"
TEXT = """(θ − 4)² from θ = 1 over 10³ … 10⁸ iterations of one course: α is 2/steps, for AdaGrad its root.
*leap*: `ide.leap` at its default tolerance. *run*: the discrete run, of which the last row is stored;
HeavyBall's is a loop in Python, the others have compiled loops. *crossing*: the number of iterations from
which on the leap takes less time, interpolated between two measured ones."""

OPTIMIZERS = {
    "AdaGrad": ide.AdaGrad(),
    "RMSProp": ide.RMSProp(0.99),
    "Adam": ide.Adam(0.9, 0.999),
    "HeavyBall": ide.HeavyBall(0.9),
}
STEPS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)


def measure(settings: Settings) -> list[Row]:
    """Leap and run for every number of iterations."""
    rows = []
    for name, optimizer in OPTIMIZERS.items():
        ratios: list[tuple[int, float]] = []
        slowest = 0.0
        for steps in STEPS[:2] if settings.quick else STEPS:
            # Ten times the steps take ten times as long, and there are four rounds at least.
            if 40.0 * slowest > settings.limit:
                rows.append(Row(name, "run", f"{steps:,} steps", steps, "cut", "the last one took too long"))
                break
            alpha = math.sqrt(2.0 / steps) if name == "AdaGrad" else 2.0 / steps
            cell: dict[str, Any] = {"alpha": alpha, "theta0": 1.0, "steps": steps}
            leap = partial(ide.leap, optimizer, ide.Quadratic(4.0), **cell)
            run = partial(ide.simulate, optimizer, ide.Quadratic(4.0), **cell, keep=steps)
            rounds = 1 if settings.quick else 15
            times = in_turns([partial(seconds, leap), partial(seconds, run)], rounds=rounds, budget=3.0)
            report = leap().report
            against = ratio(*times)
            values = {
                "s": Spread.of(times[0]),
                "gradients": Spread.exact(report.gradient_evaluations),
                "ratio to run": against,
            }
            rows.append(Row(name, "leap", f"{steps:,} steps", steps, report.status, values=values))
            rows.append(Row(name, "run", f"{steps:,} steps", steps, values={"s": Spread.of(times[1])}))
            ratios.append((steps, against.median))
            slowest = rows[-1].value("s")
        rows.append(_crossing(name, ratios))
        settings.say(f"{name}: {rows[-1].note or f'crossing at {rows[-1].x:.3g} steps'}")
    return rows


def _crossing(name: str, ratios: Sequence[tuple[int, float]]) -> Row:
    """Return the number of steps at which the ratio of the times falls below 1, a power law in between."""
    for (steps, before), (more, after) in pairwise(ratios):
        if before >= 1.0 > after:
            part = math.log(before) / math.log(before / after)
            crossing = float(f"{steps * (more / steps) ** part:.2g}")
            return Row(name, "crossing", x=crossing, values={"steps": Spread.exact(crossing)})
    return Row(name, "crossing", note=f"none up to {ratios[-1][0]:,} steps")
