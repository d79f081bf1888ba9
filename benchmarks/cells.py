"""Cost of a study against its number of cells: planning, running, running again, and memory.

    .venv/bin/python benchmarks/cells.py [--cells 100 1000 10000] [--cores 2]

Each study has RMSProp on a square grid of learning rates and averaging factors, 50 iterations, one exact
solution per cell.  "Overhead" is what the cores did besides computing: wall time times cores, less the time
of the same cells in one Python process.  Writes benchmarks/cells.csv.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from idescent import registry
from idescent.config import load
from idescent.stages import simulate, solve

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".snakemake", "results", "*_cache", "__pycache__", "build")
COLUMNS = ("cells", "jobs", "plan s", "run s", "again s", "compute s", "overhead %", "ms a cell", "memory MB")


def study(cells: int) -> dict[str, object]:
    """A grid of so many cells."""
    side = round(cells**0.5)
    rates = [round(10.0 ** (-1.0 - 2.0 * i / side), 9) for i in range(side)]
    betas = [round(1.0 - 10.0 ** (-0.5 - 2.0 * i / (cells // side)), 9) for i in range(cells // side)]
    run = {"objective": "quadratic", "optimizer": "RMSProp", "theta0": 1.0, "steps": 50}
    return {
        "study": f"cells{cells}",
        "objectives": {"quadratic": "Quadratic"},
        "runs": [run | {"alpha": rates, "hyperparameters": {"beta": betas}}],
        "solutions": {"paper.exact": {"model": "Paper", "solver": "Collocation"}},
    }


def timed(folder: Path, name: str, cores: int, *more: str) -> tuple[float, float, str]:
    """Run the workflow; return its seconds, the peak memory of its largest process in MB, what it said."""
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--configfile", name, *more]
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    begin = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - begin
        said.seek(0)
        text = said.read()
    if status:
        sys.exit(text)
    return elapsed, usage.ru_maxrss / 1024, text


def computed(raw: dict[str, object]) -> float:
    """Seconds that the cells take by themselves, one after another in this process."""
    checked = load(raw)
    quiet = {"code": "", "log": lambda _: None}
    with tempfile.TemporaryDirectory() as scratch:
        begin = time.perf_counter()
        for pack in checked.packs:
            objective = registry.objective(pack.cells[0].objective)
            for cell in pack.cells:
                simulate.run(cell.spec(), objective, Path(scratch, "discrete.parquet"), **quiet)
                for name in cell.solutions:
                    spec = {**cell.spec(), "solution": checked.solutions[name]}
                    solve.run(spec, objective, Path(scratch, f"{name}.parquet"), **quiet)
        return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    out = ROOT / "benchmarks/cells.csv"
    rows = []
    for cells in given.cells:
        raw = study(cells)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "project"
            shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
            config = f"config/cells{cells}.yaml"
            (folder / config).write_text(yaml.safe_dump(raw), encoding="utf-8")
            plan, _, text = timed(folder, config, given.cores, "--dry-run", "--quiet", "rules")
            jobs = next(line.split()[1] for line in text.splitlines() if line.startswith("total"))
            run, memory, _ = timed(folder, config, given.cores)
            again, _, _ = timed(folder, config, given.cores)
        compute = computed(raw)
        overhead = 100.0 * (run * given.cores - compute) / compute
        each = 1000.0 * (run * given.cores - compute) / cells
        values = (plan, run, again, compute, overhead, each, memory)
        rows.append((cells, jobs, *(f"{value:.3g}" for value in values)))
        print(", ".join(f"{name} {value}" for name, value in zip(COLUMNS, rows[-1], strict=True)), flush=True)
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
