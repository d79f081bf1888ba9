"""What the project promises of its own speed, and whether it is so."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suite import text
from suite.rows import Row
from suite.topics.packs import LANES
from suite.topics.study_cost import COMMIT


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
        Attributes of the rows: a value, or a pattern.
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


_MANY = {"setting": "100,000 cells"}
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
        "packs",
        f"lockstep kernel, {LANES}, a run-step, worst optimizer",
        "packs",
        "ns a run-step",
        {"method": "pack", "case": re.compile(f".*, {LANES}")},
        2.0,
        "ns",
    ),
    Target(
        "adam-gradients",
        "Adam's exact solution at 1e-9, worst cell of the paper, gradient evaluations",
        "cells_of_the_paper",
        "gradients",
        {"method": "exact", "case": re.compile(".*/Adam/.*")},
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
    Target(
        "adagrad-time",
        "AdaGrad's exact solution at 1e-9, α = 0.01, 150 000 iterations, time",
        "steps",
        "s",
        _ADAGRAD,
        0.2,
        "s",
    ),
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
        {"method": re.compile("simulate|solve")},
        0.4,
        "s",
    ),
    Target(
        "lsoda-6",
        "initial-value models with a certificate against LSODA without one, true error 1e-6, worst model",
        "initial_value",
        "ratio to LSODA",
        {"setting": "error 1e-06"},
        1.5,
        "×",
    ),
    Target(
        "lsoda-9",
        "the same, true error 1e-9",
        "initial_value",
        "ratio to LSODA",
        {"setting": "error 1e-09"},
        1.5,
        "×",
    ),
    Target(
        "many-again",
        "second run of 100 000 cells, nothing to do",
        "many_cells",
        "again, s",
        _MANY,
        20.0,
        "s",
    ),
    Target("many-memory", "100 000 cells, peak memory", "many_cells", "memory, MB", _MANY, 2_048, "MB"),
    Target(
        "many-linear",
        "run of 100 000 cells, a cell, against 10 000 cells",
        "many_cells",
        "run, a cell",
        _MANY,
        1.2,
        "×",
    ),
    Target("paper", "the whole paper, 2 cores", "pipeline", "whole, s", {"case": "paper"}, 45.0, "s"),
    Target(
        "installation",
        f"from clone to the paper's report against commit {COMMIT}, warm and empty caches",
        "installation",
        "ratio to earlier",
        {"method": "now"},
        0.5,
        "×",
    ),
    Target(
        "paper-cost",
        f"processor time of the paper's study, against commit {COMMIT}",
        "study_cost",
        "ratio",
        {"case": "paper"},
        0.5,
        "×",
    ),
    Target(
        "scaling-cost",
        f"processor time of the scaling study at its earlier learning rates, against commit {COMMIT}",
        "study_cost",
        "ratio",
        {"case": "scaling"},
        0.5,
        "×",
    ),
    Target(
        "estimates",
        "cells of the paper and of the scaling study whose estimated cost is off by more than a factor of 3",
        "estimates",
        "outside, %",
        {"case": "both"},
        5.0,
        "%",
    ),
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
        rows = [row for row in topics.get(target.topic, ()) if is_wanted(row, target)]
        values = [row.values[target.quantity] for row in rows if target.quantity in row.values]
        worst = max(values, key=lambda spread: spread.median, default=None)
        unit = target.unit if target.unit == "×" else f" {target.unit}".rstrip()
        known = worst is not None and math.isfinite(worst.median)
        verdict = ("met" if worst.median <= target.bound else "missed") if known else "not measured"
        found.append(
            {
                "name": target.name,
                "what": target.what,
                "measured": worst.median if known else None,
                "low": worst.low if known else None,
                "high": worst.high if known else None,
                "shown": text.spread(worst if known else None) + (unit if known else ""),
                "target": f"≤ {text.number(target.bound)}{unit}",
                "verdict": verdict,
            }
        )
    return found


def is_wanted(row: Row, target: Target) -> bool:
    """Return whether a target is about a row."""
    return all(
        value.fullmatch(getattr(row, key)) if isinstance(value, re.Pattern) else getattr(row, key) == value
        for key, value in target.wanted.items()
    )
