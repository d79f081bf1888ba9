"""``idescent list``: the names that commands and configurations accept.

What lives here: collecting names with their summaries, and printing them.  What does not: looking up a class
(:mod:`idescent.study.registry`).
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import sys
from typing import Any

from idescent.cli import studies, terminal

HELP = """\
List the optimizers, models, objectives, schedules, solvers, products and studies of the package.

The command prints each name with its first sentence; without KIND it prints all kinds.
"""
EPILOG = """\
examples
  idescent list
  idescent list models
  idescent list studies --json

HalfStep may also be written half-step
"""
_CLASSES = ("optimizers", "models", "objectives", "schedules", "solvers")
KINDS = (*_CLASSES, "products", "studies")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("kind", nargs="?", choices=KINDS, metavar="KIND", help=f"one of {', '.join(KINDS)}")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def run(options: Any) -> None:
    """Collect the names and print them."""
    kinds = {kind: names(kind) for kind in ([options.kind] if options.kind else KINDS)}
    if options.json:
        terminal.write_json(kinds)
        return
    blocks = []
    for kind, summaries in kinds.items():
        indent = "" if options.kind else "  "
        width = max(map(len, summaries))
        lines = [f"{indent}{name:<{width}}  {text}".rstrip() for name, text in summaries.items()]
        blocks.append("\n".join(lines if options.kind else [kind, *lines]) + "\n")
    sys.stdout.write("\n".join(blocks))


def names(kind: str) -> dict[str, str]:
    """Return the names of a kind, each with its first sentence."""
    if kind == "studies":
        return {name: studies.summary(file) for name, file in studies.names().items()}
    if kind == "products":
        from idescent.config import PRODUCTS

        return {product.name: _first(inspect.getdoc(_home(product))) for product in PRODUCTS}
    from idescent.study.arguments import known

    module = importlib.import_module(f"idescent.{kind}")
    return {
        name: _first(inspect.getdoc(getattr(module, name))) for name in sorted(known(kind.removesuffix("s")))
    }


def _home(product: Any) -> Any:
    """Return the package that holds a product; the module, if a product is a single module."""
    package = inspect.getmodule(product.rules)
    assert package is not None
    name = package.__name__
    return importlib.import_module(name.rpartition(".")[0] if name.endswith(".keys") else name)


def _first(text: str | None) -> str:
    """Return the first sentence of a docstring as plain text."""
    paragraph = " ".join((text or "").partition("\n\n")[0].split())
    # "et al." ends no sentence.
    sentence = re.split(r"(?<!et al)\. ", paragraph)[0].rstrip(".")
    return re.sub(r":\w+:`([^`]*)`", r"\1", sentence).replace("``", "").replace("\\", "")
