"""Errors of a study: the rules that measure, tabulate and draw them.

What lives here: the declaration.  Every study has this product; it has no section in the configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from idescent.products.product import Job, Output, Product, Rule, figures, tables
from idescent.store import DISCRETE
from idescent.study.cells import Study
from idescent.study.provenance import digest

HERE = "idescent.products.errors"


def settings(spec: Any, study: Study) -> None:
    """There is nothing to set."""


def measured(study: Study) -> tuple[str, ...]:
    """Return the files of errors of all packs, below the study's folder."""
    return tuple(f"packs/{pack.folder}/errors.parquet" for pack in study.packs)


def overviews(study: Study) -> list[str]:
    """Return the names of the figures that show the errors of all cells."""
    # A ladder of learning rates has figures of its own; an overview of all its cells would be unreadable.
    if study.settings["scaling"]:
        return []
    # Model and solver errors differ where a scheme is measured against an exact solution.
    split = any("reference" in solution for solution in study.solutions.values())
    return ["errors_overview", *(["errors_split"] if split else [])]


def rules(study: Study, given: None, before: Sequence[Rule]) -> list[Rule]:
    """Return the rules ``compare``, ``tables`` and ``overview``."""
    compare = Rule(
        "compare",
        "measure",
        f"{HERE}.rows:job",
        (Output("packs/{objective}/{optimizer}/{pack}/errors.parquet"),),
        tuple(
            Job(
                digest(f"{HERE}.rows"),
                pack.wildcards,
                inputs=tuple(f"packs/{pack.folder}/{name}.json" for name in (DISCRETE, *study.names(pack))),
            )
            for pack in study.packs
        ),
        "compare {wildcards.objective} {wildcards.optimizer} {wildcards.pack}",
        local=True,
    )
    tabulate = Rule(
        "tables",
        "table",
        f"{HERE}.table:job",
        tables("errors", "table.rst"),
        (Job(digest(f"{HERE}.table"), inputs=measured(study)),),
        "tabulate all errors",
    )
    found = [compare, tabulate]
    if names := overviews(study):
        # From the parts and not from the table of all errors, which is written meanwhile.
        found.append(
            Rule(
                "overview",
                "figure",
                f"{HERE}.overview:job",
                figures("overview.rst"),
                tuple(
                    Job(digest(f"{HERE}.overview"), {"figure": name}, inputs=measured(study))
                    for name in names
                ),
                "draw {wildcards.figure}",
            )
        )
    return found


PRODUCT = Product("errors", None, settings, rules)
