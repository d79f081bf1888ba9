"""Rules of the report and of the summary.

What lives here: the declaration of the product.  Every study has it, after all other products; it has no
section in the configuration.
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
# Tables with a section of their own in the page.
OWN_SECTIONS = ("errors", "claims")
# Keys of a configuration that set how jobs are run and change no result.
EXECUTION = ("cells_per_job", "seconds_per_job")


def settings(spec: Any, study: Study) -> None:
    """Return None: the report has no settings."""


def rules(study: Study, given: None, before: Sequence[Rule]) -> list[Rule]:
    """Return the rules ``report_numbers``, ``report`` and ``summary``."""
    explored = [(cell, name) for cell in selected(study.cells) for name in cell.paths]
    files = [file for rule in before for file in rule.made()]
    products = {file: product_of(rule) for rule in before for file in rule.made() if file.endswith(".csv")}
    sheets = list(products)
    names = [PurePath(file).stem for file in sheets]
    solved = study.solutions.items()
    figures = study.settings["figures"]
    content = {
        "study": study.name,
        "cells": len(study.cells),
        "solutions": sum(len(cell.solutions) for cell in study.cells),
        "shown": [name for figure in figures.values() for name in figure.spec["show"]],
        "further": [
            (name, product)
            for name, product in zip(names, products.values(), strict=True)
            if name not in OWN_SECTIONS
        ],
        "models": {
            name: {"model": spec["model"], "solver": spec["solver"]["class"]} for name, spec in solved
        },
        "claims": "claims" in names,
    }
    # The colours of curves follow from the names of the models.
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
    pictures = [file for file in files if file.startswith("figures/") and not file.endswith(".pdf")]
    stems = [stem for stem, rule, *_ in drawn(before) if rule != "forecast"]
    return [
        Rule(
            "report_numbers",
            "report",
            f"{HERE}.numbers:job",
            (Output(NUMBERS),),
            (numbers,),
            "collect the numbers of the report",
        ),
        Rule(
            "report",
            "report",
            f"{HERE}.page:job",
            (Output("report.html"),),
            (Job(digest(f"{HERE}.page"), inputs=(NUMBERS, *pictures), files=(NUMBERS,), given=page),),
            "write the page of the report",
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


def product_of(rule: Rule) -> str:
    """Return the name of the product that declares a rule, from the module of its function."""
    module = rule.function.partition(":")[0]
    package = HERE.rpartition(".")[0] + "."
    return module.removeprefix(package).partition(".")[0]


def drawn(rules: Sequence[Rule]) -> list[tuple[str, str, str, str]]:
    """Return the figures in page order: stem, rule, name in the configuration (or empty), and product."""
    blocks: dict[int, list[tuple[int, tuple[str, str, str, str]]]] = {}
    orders = [rule.order for rule in rules]
    for i, rule in enumerate(rules):
        # Figures of rules with the same order alternate, at the place of the first of these rules.
        block = blocks.setdefault(orders.index(rule.order) if rule.order else i, [])
        for job in rule.jobs:
            name = job.wildcards.get("figure", "")
            place = rule.order.index(name) if rule.order else 0
            block += [
                (place, (PurePath(file).stem, rule.name, name if rule.configured else "", product_of(rule)))
                for file in rule.made_by(job)
                if file.startswith("figures/") and file.endswith(".svg")
            ]
    return [figure for block in blocks.values() for _, figure in sorted(block, key=lambda entry: entry[0])]


PRODUCT = Product("report", None, settings, rules)
