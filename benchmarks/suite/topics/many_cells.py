"""A hundred thousand of the smallest cells: what the workflow itself costs, and whether it is linear."""

from __future__ import annotations

import copy
from typing import Any

from suite.projects import Project
from suite.rows import Row, Spread
from suite.settings import Settings
from suite.topics import cells

TITLE = "Many cells"
TEXT = """Studies of the smallest cells: RMSProp on a grid of learning rates and averaging factors, one
iteration, one half-step solution, which is that iteration. *plan*: a dry run. *run*: all of it, from nothing,
with tables and report of the whole study. *again*: with nothing to do. *one more*: with one more learning
rate, which is a cell for each averaging factor. *memory*: the largest process of any of these. *a cell*: time
for each cell over that in the study with a tenth of the cells: linear work has at most 1, for what does not
depend on the cells is divided among more."""

# Learning rates and averaging factors.
GRIDS = ((10, 100), (10, 1_000), (100, 1_000))


def study(rates: int, factors: int) -> dict[str, Any]:
    """Return a grid of the smallest cells."""
    raw = cells.study(rates, factors)
    raw["study"] = f"many{rates * factors}"
    raw["runs"][0]["steps"] = 1
    raw["solutions"] = {"half-step": {"model": "HalfStep", "solver": "Collocation"}}
    return raw


def measure(settings: Settings) -> list[Row]:
    """Plan, run and run again a study of each size."""
    found: list[Row] = []
    for rates, factors in ((1, 3),) if settings.quick else GRIDS:
        raw, count = study(rates, factors), rates * factors
        more = copy.deepcopy(raw)
        more["runs"][0]["alpha"].append(0.123456)
        project = Project(settings.scratch / f"{count}")
        values, memory = {}, 0.0
        for name, given, dry in (
            ("plan", raw, True),
            ("run", raw, False),
            ("again", raw, False),
            ("one more", more, False),
        ):
            arguments = ("--dry-run", "--quiet", "rules") if dry else ()
            config = ("--configfile", project.study(given))
            seconds, peak, _ = project.snakemake(settings.cores, *arguments, *config)
            values[f"{name}, s"], memory = Spread.exact(seconds), max(memory, peak)
        values["memory, MB"] = Spread.exact(memory)
        if found:
            before = found[-1]
            for name in ("plan", "run", "again"):
                ratio = values[f"{name}, s"].median / before.value(f"{name}, s") * (before.x or 1) / count
                values[f"{name}, a cell"] = Spread.exact(ratio)
        found.append(Row("", "", f"{count:,} cells", count, values=values))
        settings.say(f"{count:,} cells: " + ", ".join(f"{n} {v.median:.3g}" for n, v in values.items()))
    return found
