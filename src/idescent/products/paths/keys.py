"""Figures of paths over the iterations: the section ``figures`` of a configuration, and its rules.

What lives here: checks of the section against the others, and the declaration.  What does not: the keys of a
figure (:mod:`.spec`), drawing (:mod:`.figure`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from idescent.products.paths.spec import FigureSpec, required
from idescent.products.product import Job, Product, Rule, figures, manifests
from idescent.products.report.markup import restructured
from idescent.store import DISCRETE
from idescent.study.cells import Cell, Study
from idescent.study.grid import quantities
from idescent.study.messages import ConfigError, refused
from idescent.study.provenance import digest
from idescent.study.values import Name

HERE = "idescent.products.paths"


@dataclass(frozen=True)
class Figure:
    """One figure: its entry in the configuration, and what it is drawn from, as (cell, name) and as files."""

    name: str
    spec: dict[str, Any]
    shown: tuple[tuple[Cell, str], ...]
    inputs: tuple[str, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells that are shown, each once."""
        return tuple({cell.folder: cell for cell, _ in self.shown}.values())

    @property
    def stems(self) -> tuple[str, ...]:
        """File names without suffix: the figure and, if asked for, its companion that shows the errors."""
        return (self.name, f"{self.name}_errors") if self.spec["errors"] else (self.name,)


def settings(spec: Any, study: Study) -> dict[str, Figure]:
    """Find the cells that each figure needs."""
    plain = [cell.spec() for cell in study.cells]
    cells = {id(data): cell for data, cell in zip(plain, study.cells, strict=True)}
    found: dict[str, Figure] = {}
    for name, figure in spec.figures.items():
        where = f"config: figures.{name}"
        if figure.objective not in spec.objectives:
            rule = f"must be one of {', '.join(spec.objectives)}"
            raise refused(f"figures.{name}.objective", figure.objective, rule)
        for shown in figure.show:
            if shown not in (DISCRETE, *study.solutions):
                known = ", ".join((DISCRETE, *study.solutions))
                raise ConfigError(f"{where}.show: {shown!r} is not allowed: must be one of {known}")
        if figure.errors and f"{name}_errors" in spec.figures:
            raise ConfigError(f"{where}_errors is not allowed: it is the companion of {name}")
        try:
            needed = [(cells[id(data)], shown) for data, shown in required(figure, plain)]
        except ValueError as error:
            raise ConfigError(f"{where}.{error}") from error
        for cell, shown in needed:
            if shown not in cell.paths:
                raise ConfigError(
                    f"{where}.show: {shown!r} is not allowed: it is not solved for {cell.folder}"
                )
            if figure.quantity not in quantities(cell):
                rule = f"must be one of {', '.join(quantities(cell))}"
                raise refused(f"figures.{name}.quantity", figure.quantity, rule)
        files = tuple(dict.fromkeys(study.place(cell, shown) for cell, shown in needed))
        found[name] = Figure(name, figure.model_dump(mode="json"), tuple(needed), files)
    return found


def rules(study: Study, given: dict[str, Figure], before: Sequence[Rule]) -> list[Rule]:
    """Return the rules ``figure`` and ``figure_with_errors``: a rule's outputs are fixed in number."""
    single = figures("figure.rst", "Figures")
    companion = figures("figure_errors.rst", stem="{figure}_errors")
    found = []
    for name, outputs, message in (
        ("figure", single, "draw {wildcards.figure}"),
        ("figure_with_errors", (*single, *companion), "draw {wildcards.figure} and its errors"),
    ):
        jobs = tuple(
            _job(study, figure) for figure in given.values() if 3 * len(figure.stems) == len(outputs)
        )
        if jobs:
            job = f"{HERE}.figure:job"
            order = tuple(given)
            found.append(Rule(name, "figure", job, outputs, jobs, message, configured=True, order=order))
    return found


def _job(study: Study, figure: Figure) -> Job:
    # A figure shows the objective's minimum, so it depends on the objective's code, too.
    objectives = {cell.group[0]: cell.objective for cell in figure.cells}
    return Job(
        digest(f"{HERE}.figure", *(("objective", spec) for spec in objectives.values())),
        {"figure": figure.name},
        inputs=manifests(study, figure.shown),
        files=figure.inputs,
        given={"figure": figure.spec},
        caption=restructured(figure.spec["caption"]),
    )


PRODUCT = Product(
    "figures",
    (dict[Name, FigureSpec], Field(default_factory=dict, description="Figures by name")),
    settings,
    rules,
)
