"""``idescent info``: description of an optimizer, a file, a folder of results, or the installation.

What lives here: the facts about each, and their printing.  What does not: reading trajectories
(:mod:`idescent.store.trajectories`), the card of an optimizer (:mod:`idescent.models.card`).
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from idescent.cli import cell, terminal
from idescent.cli.words import question

HELP = """\
Describe an optimizer, a Parquet file, a folder of results or, without an argument, this installation.

For an optimizer, the command prints its card: its memories with mass and mean lag, and the order that each
model claims.  For a trajectory file, it prints the run, its status and the code that computed it; it reads
the whole file and so detects damage.  For a folder, it counts the runs and solutions below it by their
status.
"""
EPILOG = """\
examples
  idescent info
  idescent info Adam --beta1 0.8
  idescent simulate Adam --output run.parquet
  idescent info run.parquet
  idescent info . --json

for an optimizer of your own, from a file my_optimizer.py in the current folder: my_optimizer:Class
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "name", nargs="?", metavar="PATH|OPTIMIZER", help="file, folder, or class of an optimizer"
    )
    cell.add_hyperparameters(parser.add_argument_group("the optimizer"))
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(options: Any) -> None:
    """Collect the facts and print them."""
    path = None if options.name is None else Path(options.name)
    if path is not None and not path.exists() and _is_optimizer(options.name):
        _card(options)
        return
    if (option := _hyperparameter(options)) is not None:
        raise ValueError(f"{option} is for optimizers: {options.name or 'the installation'} is none")
    if path is None:
        facts = _installation()
    elif path.is_dir():
        facts = _folder(path)
    elif not path.is_file():
        raise ValueError(_missing(options.name))
    elif path.suffix == ".json":
        facts = _pack(path)
    elif path.suffix == ".parquet":
        facts = _parquet(path)
    else:
        rule = "must be a .parquet file, the .json list of a pack, a folder, or an optimizer"
        raise ValueError(f"{path} is not allowed: {rule}")
    if options.json:
        terminal.write_json(facts)
    else:
        _print(facts)


def _is_optimizer(name: str) -> bool:
    """Whether a name is that of an optimizer of the package, or has the form ``module:Class``."""
    from idescent.study.arguments import known
    from idescent.study.registry import spelled

    return ":" in name or spelled("optimizer", name) in known("optimizer")


def _hyperparameter(options: Any) -> str | None:
    """Return the first option of an optimizer that is set; None if none is."""
    names = (*cell.HYPERPARAMETERS, "accumulator")
    used = (name for name in (*names, "optimizer_set") if getattr(options, name) not in (None, []))
    return next((f"--{name.replace('_', '-')}" for name in used), None)


def _missing(name: str) -> str:
    from idescent.study.arguments import known

    return f"{name}: there is no such file, folder or optimizer{question(known('optimizer'), name)}"


def _card(options: Any) -> None:
    """Print the card of an optimizer."""
    options.optimizer = options.name
    card = cell.build("optimizer", cell.optimizer_spec(options), "").card()
    if options.json:
        terminal.write_json({"kind": "optimizer", **card.to_dict()})
    else:
        sys.stdout.write(f"{card}\n")


def _installation() -> dict[str, Any]:
    from idescent.discrete.kernels import MISSING, compiled
    from idescent.products.report.facts import machine, versions

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # reported in the line "discrete runs"
        loops = "compiled" if compiled() is not None else f"Python ({MISSING})"
    folder = str(Path(__file__).parents[1])
    return {"kind": "installation", **versions(), "discrete runs": loops, "package": folder, **machine()}


def _parquet(file: Path) -> dict[str, Any]:
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    from idescent.store.files import refused
    from idescent.store.trajectories import METADATA_KEY, pyarrow_file

    try:
        with pyarrow_file(file) as source, pq.ParquetFile(source) as table:
            schema, rows = table.schema_arrow, table.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise refused(file, "Parquet file", error) from error
    metadata = json.loads((schema.metadata or {}).get(METADATA_KEY, b"{}"))
    if "report" in metadata:
        return _trajectory(file)
    return {
        "kind": "table",
        "file": str(file),
        "rows": rows,
        "columns": list(schema.names),
        "provenance": metadata.get("provenance", {}),
    }


def _trajectory(file: Path) -> dict[str, Any]:
    from idescent.store.trajectories import read_with_metadata

    trajectory, metadata = read_with_metadata(file)
    solution = metadata["cell"].get("solution")
    return {
        "kind": "discrete run" if solution is None else "solution",
        "file": str(file),
        "run": cell.described(metadata["cell"]),
        "rows": len(trajectory.k),
        "iterations": trajectory.steps,
        "parameters": trajectory.theta.shape[1],
        "columns": ["k", "t", "theta", "loss", *trajectory.moments],
        "cell": metadata["cell"],
        "report": asdict(trajectory.report),
        "provenance": metadata["provenance"],
    }


def _pack(file: Path) -> dict[str, Any]:
    from idescent.study.packs import damaged, read_manifest

    entries = read_manifest(file)
    return {
        "kind": "list of a pack",
        "file": str(file),
        "cells": len(entries),
        "status": dict(Counter(entry["status"] for entry in entries.values())),
        "missing or damaged": [str(path) for path in damaged(file)],
    }


def _folder(folder: Path) -> dict[str, Any]:
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    from idescent.store.trajectories import METADATA_KEY, pyarrow_file

    runs: Counter[str] = Counter()
    solutions: dict[str, Counter[str]] = {}
    tables, unreadable = [], []
    for file in sorted(folder.rglob("*.parquet")):
        try:
            with pyarrow_file(file) as source:
                metadata = json.loads((pq.read_schema(source).metadata or {}).get(METADATA_KEY, b"{}"))
        except (pa.ArrowException, OSError):
            unreadable.append(str(file))
            continue
        if "report" not in metadata:
            tables.append(str(file.relative_to(folder)))
            continue
        solution = metadata["cell"].get("solution")
        counter = runs if solution is None else solutions.setdefault(solution["name"], Counter())
        counter[metadata["report"]["status"]] += 1
    figures = sorted({str(file.relative_to(folder).with_suffix("")) for file in folder.rglob("*.pdf")})
    pages = sorted(str(file.relative_to(folder)) for file in folder.rglob("report.html"))
    return {
        "kind": "folder of results",
        "folder": str(folder),
        "discrete runs": dict(runs),
        "solutions": {name: dict(counts) for name, counts in sorted(solutions.items())},
        "tables": tables,
        "figures": figures,
        "report": pages,
        "cannot be read": unreadable,
    }


def _print(facts: Mapping[str, Any], indent: str = "") -> None:
    """Print facts, one a line; nested ones are indented."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        if isinstance(value, Mapping) and value:
            sys.stdout.write(f"{indent}{name}\n")
            _print(value, indent + "  ")
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else value
        if isinstance(value, list | Mapping) and not value:
            text = "none"
        sys.stdout.write(f"{indent}{name.ljust(width)}  {text}\n")
