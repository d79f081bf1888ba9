"""The estimated cost of cells, against their processor time."""

from __future__ import annotations

import random
import time
from statistics import median
from typing import Any

import yaml

from idescent.config import load
from idescent.jobs import simulate, solve
from idescent.store import DISCRETE
from idescent.study import registry
from idescent.study.cells import Study
from suite.rows import Row, Spread
from suite.settings import ROOT, Settings

SEED = 1
FACTOR = 3.0
TITLE = "Estimated cost of cells"
TEXT = f"""Processor time of every run and solution of `config/config.yaml` and `config/scaling.yaml` in one
process, in random order, divided by the estimate that groups cells into jobs and orders these. *outside, %*:
those off by more than a factor of {FACTOR:g}. *time / estimate*: the median over the cells."""


def measure(settings: Settings) -> list[Row]:
    """Compute every cell of both studies; some cells of the paper for a quick look."""
    rows, ratios = [], []
    for case, name in (("paper", "config"), ("scaling", "scaling"))[: 1 if settings.quick else 2]:
        text = (ROOT / f"config/{name}.yaml").read_text(encoding="utf-8")
        own = _ratios(load(yaml.safe_load(text)), 12 if settings.quick else None)
        ratios += own
        rows.append(_row(case, own))
    return [*rows, _row("both", ratios)]


def _ratios(study: Study, most: int | None) -> list[float]:
    """Return the time of runs and solutions in units of their estimates."""
    pairs = [(cell, name) for cell in study.cells for name in cell.paths]
    random.Random(SEED).shuffle(pairs)
    objectives = {cell.objective["name"]: registry.objective(cell.objective) for cell in study.cells}
    ratios = []
    for cell, name in pairs[:most]:
        solution = {} if name == DISCRETE else {"solution": study.solutions[name]}
        stage: Any = simulate if name == DISCRETE else solve
        begin = time.process_time()
        list(stage.make([{**cell.spec(), **solution}], objectives[cell.objective["name"]], lambda _: None))
        ratios.append((time.process_time() - begin) / study.seconds_of(cell, name))
    return ratios


def _row(case: str, ratios: list[float]) -> Row:
    outside = sum(not 1.0 / FACTOR <= ratio <= FACTOR for ratio in ratios)
    values = {
        "cells": Spread.exact(len(ratios)),
        "outside, %": Spread.exact(100.0 * outside / len(ratios)),
        "time / estimate": Spread.exact(median(ratios)),
    }
    return Row(case, "estimate", values=values)
