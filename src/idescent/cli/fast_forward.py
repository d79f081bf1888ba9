"""``idescent fast-forward``: prediction of a long run.

What lives here: the options, the printed table and the CSV file.  What does not: the prediction itself
(:mod:`idescent.solvers.fast_forward`).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from idescent.cli import cell, paths, terminal

HELP = """\
Predict a long run from the half-step model, with an error estimate, at a cost independent of its length.

The command prints theta at a few iterations, or writes them to the CSV file of --output.  The error estimate
is in the sup norm of theta over all iterations: the sum of the model's and the solver's error.
"""
EPILOG = f"""\
examples
  idescent fast-forward Adam --alpha 1e-6 --steps 10000000
  idescent fast-forward RMSProp --beta 0.9 --alpha 1e-4 --steps 30000 --at 100,30000 --output predicted.csv

{cell.COMMON}"""
_ROWS = 11  # in the table, by default


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    cell.add_optimizer(parser)
    cell.add(parser, schedule=False)
    group = parser.add_argument_group("the result")
    group.add_argument(
        "--rtol",
        type=float,
        default=1e-6,
        metavar="X",
        help="relative tolerance of the solver (default 1e-6)",
    )
    group.add_argument(
        "--atol",
        type=float,
        default=1e-12,
        metavar="X",
        help="absolute tolerance of the solver (default 1e-12)",
    )
    group.add_argument(
        "--at", type=iterations, metavar="K,...", help="iterations in [0, steps] (default: 11, evenly spaced)"
    )
    group.add_argument("--output", type=Path, metavar="FILE", help="write a CSV file instead of a table")
    group.add_argument("--json", action="store_true", help="print JSON instead of a table")


def iterations(text: str) -> list[float]:
    """Read iterations separated by commas."""
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not allowed: must be iterations separated by commas"
        ) from None


def run(options: Any) -> None:
    """Predict the run."""
    import numpy as np

    from idescent.solvers.fast_forward import fast_forward
    from idescent.store.files import write_text

    paths.check_output(options.output, ".csv")
    described = cell.run(options)
    at = options.at or np.linspace(0, options.steps, _ROWS).round().tolist()
    if min(at) < 0 or max(at) > options.steps:
        raise ValueError(f"--at: {min(at):g} ... {max(at):g} is not allowed: must be in [0, {options.steps}]")
    with terminal.progress("fast-forward") as show:
        objective = described.objective
        if show is not None:
            objective = terminal.Watched(objective, lambda count: show(f"{count} gradient evaluations"))
        prediction = fast_forward(
            described.optimizer, objective, **described.arguments, rtol=options.rtol, atol=options.atol
        )
    report = prediction.report
    if report.error_estimate != report.error_estimate:  # NaN: there is no prediction
        raise ValueError(f"{report.status}: {report.message}")
    theta = prediction(at)
    if options.output is not None:
        names = ["theta"] if theta.shape[1] == 1 else [f"theta_{i}" for i in range(1, theta.shape[1] + 1)]
        lines = [",".join(["k", "t", *names])]
        lines += [
            ",".join(map(repr, [k, options.alpha * k, *row]))
            for k, row in zip(at, theta.tolist(), strict=True)
        ]
        write_text(options.output, "\n".join(lines) + "\n")
    if options.json:
        result = {"output": str(options.output)} if options.output else {"k": at, "theta": theta}
        terminal.write_json({"cell": described.cell, "report": asdict(report), **result})
        return
    summary = f"{report.status}: {report.message}; {report.gradient_evaluations} gradient evaluations\n"
    if options.output is not None:
        sys.stdout.write(f"{options.output}: {len(at)} rows, {summary}")
        return
    one = theta.shape[1] == 1
    values = theta[:, 0] if one else np.linalg.norm(theta, axis=1)
    rows = [[f"{k:.10g}", f"{options.alpha * k:.6g}", f"{x:.8g}"] for k, x in zip(at, values, strict=True)]
    sys.stdout.write(f"{described.text}, predicted\n\n")
    sys.stdout.write(terminal.columns(("k", "t", "theta" if one else "|theta|"), rows))
    norm = "" if one else f"; |theta|: Euclidean norm over {theta.shape[1]} coordinates"
    sys.stdout.write(
        f"k: iteration; t = alpha k: time; errors: sup norm of theta over all iterations{norm}\n"
    )
    sys.stdout.write(summary)
