"""``idescent fast-forward``: a discrete run of any length, leaping over its smooth stretches.

What lives here: the options, the printed table and the CSV file.  What does not: the computation itself
(:mod:`idescent.solvers.leap`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from idescent.cli import cell, paths, terminal
from idescent.cli.words import whole

HELP = """\
Compute a long run without making each of its iterations, with an error estimate.

A smooth stretch of iterations costs about a hundred gradients, however long it is; other iterations are made
one by one.  The command prints theta at a few iterations, or writes them to the CSV file of --output.  The
error estimate is in the sup norm of theta over all iterations: three times the sum of the resolution of the
stretches and of the rounding errors of the run.
"""
EPILOG = f"""\
examples
  idescent fast-forward Adam --alpha 1e-6 --steps 10000000
  idescent fast-forward RMSProp --beta 0.9 --alpha 1e-4 --steps 30000 --at 100,30000 --output run.csv
  idescent fast-forward Adam --alpha 1e-5 --steps 1e5 --schedule Cosine --schedule-set steps=100000

{cell.COMMON}"""
_ROWS = 11  # in the table, by default
_STRETCHES = 4  # of iterations made one by one that are printed


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    cell.add_optimizer(parser)
    cell.add(parser)
    group = parser.add_argument_group("the result")
    group.add_argument(
        "--rtol",
        type=float,
        default=1e-10,
        metavar="X",
        help="tolerance of a smooth stretch, relative to the size of theta (default 1e-10)",
    )
    group.add_argument(
        "--limit",
        type=whole,
        default=100_000,
        metavar="N",
        help="gradients after which the computation ends (default 100000)",
    )
    group.add_argument(
        "--at", type=iterations, metavar="K,...", help="iterations in [0, steps] (default: 11, evenly spaced)"
    )
    group.add_argument("--output", type=Path, metavar="FILE", help="write a CSV file instead of a table")
    group.add_argument("--json", action="store_true", help="print JSON instead of a table")


def iterations(text: str) -> list[int]:
    """Read iterations separated by commas."""
    rule = "must be whole numbers separated by commas"
    return [whole(word, rule) for word in text.split(",")]


def run(options: Any) -> None:
    """Compute the run, and print or write it up to the last iteration that was reached."""
    import numpy as np

    from idescent.common.numeric import integer
    from idescent.solvers.leap import leap
    from idescent.store.files import write_text

    paths.check_output(options.output, ".csv")
    described = cell.run(options)
    at = options.at or np.unique(np.linspace(0, options.steps, _ROWS).round().astype(int)).tolist()
    for k in at:
        integer("--at", k, least=0, most=max(0, options.steps))
    with terminal.progress("fast-forward") as show:
        objective = described.objective
        if show is not None:
            objective = terminal.Watched(objective, lambda count: show(f"{count} gradient evaluations"))
        result = leap(
            described.optimizer, objective, **described.arguments, rtol=options.rtol, limit=options.limit
        )
    report = result.report
    if max(at) > result.reached:
        at = [k for k in at if k < result.reached] + [result.reached]
    theta = result(at)
    if options.output is not None:
        names = ["theta"] if theta.shape[1] == 1 else [f"theta_{i}" for i in range(1, theta.shape[1] + 1)]
        lines = [",".join(["k", "t", *names])]
        lines += [
            ",".join(map(repr, [k, options.alpha * k, *row]))
            for k, row in zip(at, theta.tolist(), strict=True)
        ]
        write_text(options.output, "\n".join(lines) + "\n")
    if options.json:
        rows = {"output": str(options.output)} if options.output else {"k": at, "theta": theta}
        terminal.write_json({"cell": described.cell, "report": asdict(report), **rows})
    elif options.output is not None:
        sys.stdout.write(f"{options.output}: {len(at)} rows, {summary(report)}")
    else:
        one = theta.shape[1] == 1
        values = theta[:, 0] if one else np.linalg.norm(theta, axis=1)
        table = [[f"{k}", f"{options.alpha * k:.6g}", f"{x:.8g}"] for k, x in zip(at, values, strict=True)]
        sys.stdout.write(f"{described.text}\n\n")
        sys.stdout.write(terminal.columns(("k", "t", "theta" if one else "|theta|"), table))
        norm = "" if one else f"; |theta|: Euclidean norm over {theta.shape[1]} coordinates"
        sys.stdout.write(f"k: iteration; t = alpha k: time{norm}\n")
        parts = report.details
        sys.stdout.write(
            f"error estimate {report.error_estimate:.2g} (sup norm of theta over all iterations): "
            f"resolution {parts['resolution']:.2g}, rounding {parts['rounding']:.2g}\n"
            f"one by one: k = {stretches(parts['where'])}\n"
        )
        sys.stdout.write(summary(report))
    if not report.ok:
        terminal.note(f"{report.status}: {report.message}")


def summary(report: Any) -> str:
    """Return status, message and cost in one line."""
    return f"{report.status}: {report.message}; {report.gradient_evaluations} gradient evaluations\n"


def stretches(where: Sequence[tuple[int, int]]) -> str:
    """Return the first and last iterations of stretches in one line, the first few and the last of many."""
    texts = [f"{first}-{last}" for first, last in where]
    if len(texts) <= _STRETCHES + 1:
        return ", ".join(texts)
    return f"{', '.join(texts[:_STRETCHES])}, ..., {texts[-1]} ({len(texts)} stretches)"
