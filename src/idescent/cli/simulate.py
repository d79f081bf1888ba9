"""``idescent simulate``: a discrete run.

What lives here: the options and the description of the command.  What does not: the run itself
(:mod:`idescent.cli.paths`).
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from idescent.cli import cell, paths

HELP = """\
Run an optimizer on an objective, and print or store its path: theta, loss and moments after every iteration.

The command prints a table of a few iterations, or writes all iterations to the Parquet file of --output.
"""
EPILOG = f"""\
examples
  idescent simulate Adam --beta1 0.9 --beta2 0.99 --objective Quadratic --set center=4 --alpha 0.1 --steps 100
  idescent simulate RMSProp --theta0 -1.2,1 --objective Rosenbrock --steps 300 --output run.parquet
  idescent simulate AdaGrad --alpha 0.1 --schedule Cosine --schedule-set steps=100 --json

{cell.COMMON}"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    cell.add_optimizer(parser)
    cell.add(parser)
    cell.add_keep(parser)


def run(options: Any) -> None:
    """Run the optimizer, and print or write the path."""
    paths.check_output(options.output, ".parquet")
    described = cell.run(options)
    path = paths.simulated(described, options.keep)
    if not options.json and options.output is None:
        sys.stdout.write(f"{described.text}\n\n")
    paths.deliver(options, described.cell, path)
