"""What the project promises of its own speed, and whether it is so."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suite.rows import Row
from suite.topics.startup import KERNEL_JOBS


@dataclass(frozen=True)
class Target:
    """A bound from above on a quantity of some rows, of which the largest counts.

    Attributes
    ----------
    name : str
        By which other documents refer to it.
    what : str
        For people.
    topic, quantity : str
        Where it is measured.
    wanted : dict
        Attributes of the rows: a value, or a tuple of values.
    bound : float
    unit : str
    """

    name: str
    what: str
    topic: str
    quantity: str
    wanted: Mapping[str, Any]
    bound: float
    unit: str = ""


_ADAM = tuple(
    f"Adam 0.9, {b2}, alpha {alpha}, every row" for b2 in ("0.99", "0.999") for alpha in ("0.1", "0.01")
)
_ADAGRAD = {"case": "AdaGrad, every row", "method": "exact"}
TARGETS = (
    Target(
        "kernel",
        "discrete kernel against the same loop in C, worst optimizer",
        "kernels",
        "ratio to C loop",
        {"method": "kernel"},
        1.2,
        "×",
    ),
    Target(
        "packs", "packs, a run-step, worst optimizer", "packs", "ns a run-step", {"method": "pack"}, 2.0, "ns"
    ),
    Target(
        "adam-gradients",
        "Adam's exact solution at 1e-9, worst of four cells, gradient evaluations",
        "steps",
        "gradients",
        {"case": _ADAM},
        1_500,
    ),
    Target(
        "adagrad-gradients",
        "AdaGrad's exact solution at 1e-9, α = 0.01, 150 000 iterations, gradient evaluations",
        "steps",
        "gradients",
        _ADAGRAD,
        20_000,
    ),
    Target("adagrad-time", "the same, time", "steps", "s", _ADAGRAD, 0.2, "s"),
    Target(
        "overhead",
        "overhead of the pipeline for 1 000 cells",
        "cells",
        "overhead, %",
        {"setting": "1,000 cells"},
        40.0,
        "%",
    ),
    Target(
        "start-up",
        "start-up of a kernel job (simulate, solve)",
        "startup",
        "s",
        {"method": KERNEL_JOBS},
        0.4,
        "s",
    ),
    Target("paper", "the whole paper, 2 cores", "pipeline", "whole, s", {"case": "paper"}, 45.0, "s"),
)


def judged(topics: Mapping[str, Sequence[Row]]) -> list[dict[str, Any]]:
    """Return every target with what was measured, its spread, and a verdict.

    Parameters
    ----------
    topics : mapping of str to sequence of Row
        The rows by topic.
    """
    found = []
    for target in TARGETS:
        rows = [row for row in topics.get(target.topic, ()) if _is_wanted(row, target)]
        values = [row.values[target.quantity] for row in rows if target.quantity in row.values]
        worst = max(values, key=lambda spread: spread.median, default=None)
        known = worst is not None and math.isfinite(worst.median)
        verdict = ("met" if worst.median <= target.bound else "missed") if known else "not measured"
        found.append(
            {
                "name": target.name,
                "what": target.what,
                "measured": worst.median if known else None,
                "low": worst.low if known else None,
                "high": worst.high if known else None,
                "bound": target.bound,
                "unit": target.unit,
                "verdict": verdict,
            }
        )
    return found


def _is_wanted(row: Row, target: Target) -> bool:
    return all(
        getattr(row, key) in value if isinstance(value, tuple) else getattr(row, key) == value
        for key, value in target.wanted.items()
    )
