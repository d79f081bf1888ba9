"""Declare the rules that measure, tabulate and draw the errors of a study.

What does not live here: the work of the rules.  Every study has this product, and the configuration has no
section for it.
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
    """Return no settings: the configuration has no section for errors."""


def measured(study: Study) -> tuple[str, ...]:
    """Return the error files of all packs, relative to the study's folder."""
    return tuple(f"packs/{pack.folder}/errors.parquet" for pack in study.packs)


def overviews(study: Study) -> list[str]:
    """Return the names of the dot plots of a study: none if it has scaling figures or no solution."""
    # An overview of a ladder's many cells would be unreadable; the scaling figures show their errors.
    if study.settings["scaling"] or not any(cell.solutions for cell in study.cells):
        return []
    # Model error and total error differ only for a solution with an exact solution as its reference.
    split = any("reference" in solution for solution in study.solutions.values())
    return ["errors_overview", *(["errors_split"] if split else [])]


def rules(study: Study, nothing: None, before: Sequence[Rule]) -> list[Rule]:
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
    declared = [compare, tabulate]
    if names := overviews(study):
        # The inputs are the packs' files and not the table of all errors, so both rules can run in parallel.
        declared.append(
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
    return declared


PRODUCT = Product("errors", None, settings, rules)
