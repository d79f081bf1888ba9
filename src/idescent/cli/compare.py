"""``idescent compare``: errors of solutions against a run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idescent.cli import paths, terminal
from idescent.cli.cell import described

if TYPE_CHECKING:
    from idescent.analysis.errors import Comparison

HELP = """\
Measure how far solutions are from a discrete run, in three norms, for theta, the loss and every moment.

With e(k) the Euclidean distance over coordinates at iteration k: sup is the largest e(k), rms the root of the
mean of e(k)^2, final the last one.  Relative errors are divided by the same norm of the run.  The tables go
to the screen.
"""
EPILOG = """\
examples
  idescent simulate Adam --alpha 0.1 --output run.parquet
  idescent solve Paper Adam --alpha 0.1 --output paper.parquet
  idescent solve HalfStep Adam --alpha 0.1 --output half-step.parquet
  idescent compare run.parquet paper.parquet half-step.parquet
  idescent compare run.parquet paper.parquet --json
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("discrete", type=Path, metavar="RUN", help="Parquet file of a discrete run")
    parser.add_argument(
        "solution", type=Path, nargs="+", metavar="SOLUTION", help="Parquet files of solutions (or of runs)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for machines")


def run(options: Any) -> None:
    """Compare every solution with the run."""
    from idescent.analysis.errors import IMPLAUSIBLE, NORMS, compare, status

    reference, metadata = paths.read(options.discrete)
    cell = metadata["cell"]
    if "solution" in cell:
        terminal.note(f"{options.discrete} is no discrete run, but a solution: {cell['solution']['name']}")
    described_run = {key: value for key, value in cell.items() if key != "solution"}
    found = []
    for file in options.solution:
        path, metadata = paths.read(file)
        other = metadata["cell"]
        name = other.pop("solution", {"name": "discrete"})["name"]
        if other != described_run:
            terminal.note(f"{file} is of another run: {described(other)}")
        errors, ended = compare(reference, path), path.report.status
        if other == described_run:
            ended = status(reference, path)
        found.append((file, name, path.report, ended, errors))
    if options.json:
        entries = [
            {
                "file": str(file),
                "solution": name,
                "status": ended,
                "error_estimate": report.error_estimate,
                "compared": errors.compared,
                "complete": errors.complete,
                "errors": {
                    quantity: {
                        "absolute": {norm: errors.error(norm, quantity) for norm in NORMS},
                        "relative": {norm: errors.relative(norm, quantity) for norm in NORMS},
                        "at": errors.at.get(quantity),
                    }
                    for quantity in errors.sup
                },
            }
            for file, name, report, ended, errors in found
        ]
        terminal.write_json(
            {"run": str(options.discrete), "status": reference.report.status, "paths": entries}
        )
        return
    sys.stdout.write(f"{options.discrete}: {described(cell)}: {reference.report.status}\n")
    for file, name, report, ended, errors in found:
        estimate = report.error_estimate
        own = f", its own error estimate {estimate:.1e}" if estimate == estimate else ""
        sys.stdout.write(f"\n{file}: {name}, {ended}{own}\n{_table(errors)}")
        if ended == IMPLAUSIBLE:
            terminal.note(
                f"{file}: implausible: it goes more than ten times as far from the start as the run "
                f"(its solver says: {report.status})"
            )
        if not errors.complete:
            last = f"up to k = {errors.compared}" if errors.compared >= 0 else "nowhere"
            terminal.note(f"{file}: compared {last}, where one of the two is not finite any more")
    sys.stdout.write(
        "\n|run - solution|, Euclidean over coordinates: sup (largest, first at k), rms, final (last);\n"
        "relative: divided by the same norm of the run\n"
    )


def _table(errors: Comparison) -> str:
    header = ("", "sup", "at k", "rms", "final", "relative sup", "relative rms", "relative final")
    rows = [
        (
            quantity,
            f"{errors.sup[quantity]:.3e}",
            str(errors.at.get(quantity, "-")),
            f"{errors.rms[quantity]:.3e}",
            f"{errors.final[quantity]:.3e}",
            f"{errors.relative_sup[quantity]:.2e}",
            f"{errors.relative_rms[quantity]:.2e}",
            f"{errors.relative_final[quantity]:.2e}",
        )
        for quantity in errors.sup
    ]
    return terminal.columns(header, rows)
