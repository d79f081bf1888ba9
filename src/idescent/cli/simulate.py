"""``idescent simulate``: a discrete run."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from idescent.cli import cell, paths

HELP = """\
Run an optimizer on an objective, and show or store its path: theta, loss and moments after every iteration.

A table of a few iterations is printed, unless --output names a Parquet file for all of them.
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
    """Run the optimizer."""
    paths.check_output(options.output, ".parquet")
    described = cell.run(options)
    path = paths.simulated(described, options.keep)
    if not options.json and options.output is None:
        sys.stdout.write(f"{described.text}\n\n")
    paths.deliver(options, described.cell, path)
