"""Cost of a study against its number of cells: planning, running, running again, memory."""

from __future__ import annotations

from typing import Any

from idescent.config import load
from suite.projects import Project, at_once, in_one_process
from suite.rows import Row, Spread
from suite.settings import Settings

TITLE = "Cost against the number of cells"
TEXT = """A study with RMSProp on a square grid of learning rates and averaging factors, 50 iterations, one
exact solution for each cell. *plan*: a dry run. *run*: all of it, from nothing. *again*: with nothing to do.
*compute*: runs and solutions of the same cells in one Python process, nothing written; *with files*: written
as the workflow writes them; *at once*: in as many processes as cores at the same time, summed, which is more
where cores share caches, memory and clock. Overhead is what the cores did beside computing, wall time times
cores less compute, in per cent of compute; what cores take from each other is in it. From 10 000 cells on
compute is that of every tenth cell, times ten."""

# Learning rates and averaging factors.
GRIDS = ((2, 5), (10, 10), (25, 40), (100, 100))
SAMPLED = 10_000


def study(rates: int, factors: int) -> dict[str, Any]:
    """Return a grid of learning rates and averaging factors."""
    alphas = [round(10.0 ** (-1.0 - 2.0 * i / rates), 9) for i in range(rates)]
    betas = [round(1.0 - 10.0 ** (-0.5 - 2.0 * i / factors), 9) for i in range(factors)]
    run = {"objective": "quadratic", "optimizer": "RMSProp", "theta0": 1.0, "steps": 50}
    return {
        "study": f"cells{rates * factors}",
        "objectives": {"quadratic": "Quadratic"},
        "runs": [run | {"alpha": alphas, "hyperparameters": {"beta": betas}}],
        "solutions": {"paper.exact": {"model": "Paper", "solver": "Collocation"}},
    }


def measure(settings: Settings) -> list[Row]:
    """Run a study of each size."""
    found = []
    for grid in ((1, 3),) if settings.quick else GRIDS:
        raw = study(*grid)
        checked = load(raw)
        cells = len(checked.cells)
        times: dict[str, list[float]] = {
            name: [] for name in ("plan", "run", "again", "compute", "with files", "at once")
        }
        jobs, memory = 0, 0.0
        for attempt in range(1 if settings.quick or cells > 1_000 else 3):
            project = Project(settings.scratch / f"{cells}-{attempt}")
            config = ("--configfile", project.study(raw))
            plan, _, text = project.snakemake(settings.cores, "--dry-run", "--quiet", "rules", *config)
            jobs = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("total"))
            run, memory, _ = project.snakemake(settings.cores, *config)
            again, _, _ = project.snakemake(settings.cores, *config)
            every = 10 if cells >= SAMPLED else 1
            part = checked.cells[::every]
            compute = in_one_process(checked, part) * cells / len(part)
            measured = {"plan": plan, "run": run, "again": again, "compute": compute}
            if attempt == 0:
                files = in_one_process(checked, part, settings.scratch)
                measured["with files"] = files * cells / len(part)
                measured["at once"] = at_once(checked, part, settings.cores) * cells / len(part)
            for name, value in measured.items():
                times[name].append(value)
        spent = [r * settings.cores - c for r, c in zip(times["run"], times["compute"], strict=True)]
        values = {f"{name}, s": Spread.of(seconds) for name, seconds in times.items()}
        values |= {
            "overhead, %": Spread.of([100.0 * s / c for s, c in zip(spent, times["compute"], strict=True)]),
            "ms a cell": Spread.of([1000.0 * s / cells for s in spent]),
            "jobs": Spread.exact(jobs),
            "memory, MB": Spread.exact(memory),
        }
        found.append(Row("", "", f"{cells:,} cells", cells, values=values))
        settings.say(f"{cells:,} cells: {found[-1].value('run, s'):.3g} s")
    return found
