"""``idescent compare``: errors of solutions against a discrete run.

What lives here: the options, and the printed tables.  What does not: the errors themselves
(:mod:`idescent.analysis.errors`).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idescent.cli import paths, terminal
from idescent.cli.cell import described

if TYPE_CHECKING:
    from idescent.analysis.errors import Comparison

HELP = """\
Compute the errors of solutions against a discrete run, in three norms, for theta, the loss and every moment.

With e(k) the Euclidean norm of the difference at iteration k, sup is the largest e(k), rms is the root of the
mean of e(k)^2, and final is the last e(k).  Relative errors are divided by the same norm of the run.  The
command prints a table for each solution.  If a recorded run stores projections of theta, the solution is
projected, too.
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
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(options: Any) -> None:
    """Compare every solution with the run."""
    from idescent.analysis.errors import IMPLAUSIBLE, NORMS, compare, status
    from idescent.analysis.projections import alike, projection_of

    reference, metadata = paths.read(options.discrete)
    cell = metadata["cell"]
    if "solution" in cell:
        terminal.note(f"{options.discrete} is not a discrete run but the solution {cell['solution']['name']}")
    described_run = {key: value for key, value in cell.items() if key != "solution"}
    compared, projected = [], {}
    for file in options.solution:
        path, metadata = paths.read(file)
        other = metadata["cell"]
        name = other.pop("solution", {"name": "discrete"})["name"]
        if other != described_run:
            terminal.note(f"{file} belongs to another run: {described(other)}")
        if (projection := projection_of(reference) or projection_of(path)) is not None:
            projected[str(file)] = projection
        run, path = alike(reference, path)
        errors, final_status = compare(run, path), path.report.status
        if other == described_run:
            final_status = status(run, path)
        compared.append((file, name, path.report, final_status, errors))
    if options.json:
        entries = [
            {
                "file": str(file),
                "solution": name,
                "status": final_status,
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
                **({"projection": asdict(projected[str(file)])} if str(file) in projected else {}),
            }
            for file, name, report, final_status, errors in compared
        ]
        terminal.write_json(
            {"run": str(options.discrete), "status": reference.report.status, "paths": entries}
        )
        return
    sys.stdout.write(f"{options.discrete}: {described(cell)}: {reference.report.status}\n")
    for file, name, report, final_status, errors in compared:
        estimate = report.error_estimate
        solver_error = f", error estimate of its solver {estimate:.1e}" if estimate == estimate else ""
        sys.stdout.write(f"\n{file}: {name}, {final_status}{solver_error}\n{_table(errors)}")
        if str(file) in projected:
            terminal.note(f"{file}: {projected[str(file)].text}")
        if final_status == IMPLAUSIBLE:
            terminal.note(
                f"{file}: implausible: more than ten times as far from the start as the run "
                f"(status of its solver: {report.status})"
            )
        if not errors.complete:
            rows = f"compared up to k = {errors.compared}" if errors.compared >= 0 else "nothing compared"
            terminal.note(f"{file}: {rows}: from the next iteration on, one of the two is not finite")
    sys.stdout.write(
        "\nEuclidean norm of run - solution: sup (largest, first attained at k), rms, final (last);\n"
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
