"""``idescent solve``: the path of a continuous-time model.

What lives here: the options and the description of the command.  What does not: the solution itself
(:mod:`idescent.cli.paths`).
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from idescent.cli import cell, paths

HELP = """\
Solve a continuous-time model of an optimizer to a tolerance, and print or store its path at t = alpha k.

The command prints a table of a few iterations, or writes all iterations to the Parquet file of --output.  The
reported error estimate is in the sup norm of theta over the iterations.  The status of a solution that did
not reach its tolerance is "not converged".
"""
EPILOG = f"""\
examples
  idescent solve HalfStep Adam --beta1 0.9 --beta2 0.99 --alpha 0.1 --steps 100 --rtol 1e-9
  idescent solve Paper RMSProp --beta 0.9 --alpha 0.1 --steps 60 --output path.parquet
  idescent solve Paper Adam --alpha 0.1 --steps 20 --solver Picard --json

models
  Paper, HalfStep, ThirdOrder, Naive; for comparison: BarakatBianchi, Cattaneo, DaSilvaGazeau,
  HerediaSecondOrder, Local, LogRate, SignFlow

{cell.COMMON}"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("model", metavar="MODEL", help="class of the model, for example HalfStep")
    cell.add_optimizer(parser)
    cell.add(parser)
    cell.add_solution(parser)
    cell.add_keep(parser)


def run(options: Any) -> None:
    """Solve the model, and print or write the path."""
    paths.check_output(options.output, ".parquet")
    described = cell.run(options)
    solution, path = paths.solved(described, options, options.model, options.keep)
    if not options.json and options.output is None:
        sys.stdout.write(f"{solution['solution']['name']} of {described.text}\n\n")
    paths.deliver(options, solution, path)
