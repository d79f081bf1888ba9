"""The report and the summary of a study: the rules that put everything together.

What lives here: the declaration.  Every study has this product, after all others; it has no section in the
configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from idescent.products.product import Job, Output, Product, Rule, manifests
from idescent.products.report.selection import selected
from idescent.study.cells import Study
from idescent.study.provenance import digest

HERE = "idescent.products.report"
NUMBERS = "report.json"
# Tables that the page shows in sections of their own.
OWN_SECTIONS = ("errors", "claims")
# Keys of a configuration that say how a study is run and change no result.
EXECUTION = ("cells_per_job", "seconds_per_job")


def settings(spec: Any, study: Study) -> None:
    """There is nothing to set."""


def rules(study: Study, given: None, before: Sequence[Rule]) -> list[Rule]:
    """Return the rules ``report_numbers``, ``report`` and ``summary``."""
    explored = [(cell, name) for cell in selected(study.cells) for name in cell.paths]
    made = [file for rule in before for file in rule.made()]
    sheets = [file for file in made if file.endswith(".csv")]
    names = [PurePath(file).stem for file in sheets]
    figures = study.settings["figures"]
    content = {
        "study": study.name,
        "cells": len(study.cells),
        "solutions": sum(len(cell.solutions) for cell in study.cells),
        "shown": [name for figure in figures.values() for name in figure.spec["show"]],
        "further": [name for name in names if name not in OWN_SECTIONS],
        "claims": "claims" in names,
    }
    # The models are asked for their names, by which they have their colours.
    models = [("model", solution["model"]) for solution in study.solutions.values()]
    numbers = Job(
        digest(f"{HERE}.numbers", *models),
        inputs=(*manifests(study, explored), "tables/errors.parquet", *sheets),
        files=tuple(study.place(cell, name) for cell, name in explored),
        given=content,
    )
    page = {
        "study": study.name,
        "config": {key: value for key, value in study.raw.items() if key not in EXECUTION},
        "figures": drawn(before),
    }
    pictures = [file for file in made if file.startswith("figures/") and not file.endswith(".pdf")]
    stems = [stem for stem, rule, _ in drawn(before) if rule != "forecast"]
    return [
        Rule(
            "report_numbers",
            "report",
            f"{HERE}.numbers:job",
            (Output(NUMBERS),),
            (numbers,),
            "gather what the page says",
        ),
        Rule(
            "report",
            "report",
            f"{HERE}.page:job",
            (Output("report.html"),),
            (Job(digest(f"{HERE}.page"), inputs=(NUMBERS, *pictures), files=(NUMBERS,), given=page),),
            "put everything on one page",
        ),
        Rule(
            "summary",
            "report",
            f"{HERE}.summary:job",
            (Output("summary.txt"),),
            (
                Job(
                    digest(f"{HERE}.summary"),
                    inputs=("tables/errors.csv",),
                    given={"study": study.name, "figures": stems},
                ),
            ),
            "summarise the study",
        ),
    ]


def drawn(rules: Sequence[Rule]) -> list[tuple[str, str, str]]:
    """Return every figure with the rule that draws it and its name in the configuration, if it has one."""
    found: dict[int, list[tuple[int, tuple[str, str, str]]]] = {}
    orders = [rule.order for rule in rules]
    for i, rule in enumerate(rules):
        # Rules that share an order draw in turn, where the first of them stands.
        block = found.setdefault(orders.index(rule.order) if rule.order else i, [])
        for job in rule.jobs:
            name = job.wildcards.get("figure", "")
            place = rule.order.index(name) if rule.order else 0
            block += [
                (place, (PurePath(file).stem, rule.name, name if rule.configured else ""))
                for file in rule.made_by(job)
                if file.startswith("figures/") and file.endswith(".svg")
            ]
    return [figure for block in found.values() for _, figure in sorted(block, key=lambda entry: entry[0])]


PRODUCT = Product("report", None, settings, rules)
