"""Declare the section ``figures`` of a configuration, and the rules that draw figures of paths.

What lives here: checks of the section against other sections, and the rules.  What does not: the keys of a
figure (:mod:`.spec`) and drawing (:mod:`.figure`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from idescent.drawing.markup import restructured
from idescent.products.paths.spec import FigureSpec, required
from idescent.products.product import Job, Product, Rule, figures, manifests
from idescent.store import DISCRETE
from idescent.study.cells import Cell, Study
from idescent.study.grid import quantities
from idescent.study.messages import ConfigError, refused
from idescent.study.provenance import digest
from idescent.study.values import Name

HERE = "idescent.products.paths"


@dataclass(frozen=True)
class Figure:
    """One figure: its entry in the configuration, its paths as (cell, name), and their files."""

    name: str
    spec: dict[str, Any]
    shown: tuple[tuple[Cell, str], ...]
    inputs: tuple[str, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells of the figure, without duplicates."""
        return tuple({cell.folder: cell for cell, _ in self.shown}.values())

    @property
    def stems(self) -> tuple[str, ...]:
        """File names without suffix: the figure and, if configured, its companion of errors."""
        return (self.name, f"{self.name}_errors") if self.spec["errors"] else (self.name,)


def settings(spec: Any, study: Study) -> dict[str, Figure]:
    """Check the section, and find the paths that each figure needs.

    Raises
    ------
    ConfigError
        One line: the key, its value, and the allowed values.
    """
    plain = [cell.spec() for cell in study.cells]
    cells = {id(data): cell for data, cell in zip(plain, study.cells, strict=True)}
    drawings: dict[str, Figure] = {}
    for name, figure in spec.figures.items():
        where = f"config: figures.{name}"
        if figure.objective not in spec.objectives:
            rule = f"must be one of {', '.join(spec.objectives)}"
            raise refused(f"figures.{name}.objective", figure.objective, rule)
        for path in figure.show:
            if path not in (DISCRETE, *study.solutions):
                known = ", ".join((DISCRETE, *study.solutions))
                raise ConfigError(f"{where}.show: {path!r} is not allowed: must be one of {known}")
        if figure.errors and f"{name}_errors" in spec.figures:
            raise ConfigError(f"{where}_errors is not allowed: it is the companion of {name}")
        try:
            needed = [(cells[id(data)], path) for data, path in required(figure, plain)]
        except ValueError as error:
            raise ConfigError(f"{where}.{error}") from error
        for cell, path in needed:
            # A solution that only some configurations of a panel have is drawn for these.
            if not any(path in other.paths for other, _ in needed if other.alpha == cell.alpha):
                raise ConfigError(
                    f"{where}.show: {path!r} is not allowed: the cell {cell.folder} has no such solution"
                )
            if figure.quantity not in quantities(cell):
                rule = f"must be one of {', '.join(quantities(cell))}"
                raise refused(f"figures.{name}.quantity", figure.quantity, rule)
        needed = [(cell, path) for cell, path in needed if path in cell.paths]
        files = tuple(dict.fromkeys(study.place(cell, path) for cell, path in needed))
        drawings[name] = Figure(name, figure.model_dump(mode="json"), tuple(needed), files)
    return drawings


def rules(study: Study, drawings: dict[str, Figure], before: Sequence[Rule]) -> list[Rule]:
    """Return the rules ``figure`` and ``figure_with_errors``.

    There are two because the number of outputs of a rule is fixed.
    """
    single = figures("figure.rst", "Figures")
    companion = figures("figure_errors.rst", stem="{figure}_errors")
    declared = []
    for name, outputs, message in (
        ("figure", single, "draw {wildcards.figure}"),
        ("figure_with_errors", (*single, *companion), "draw {wildcards.figure} and its errors"),
    ):
        jobs = tuple(
            _job(study, figure) for figure in drawings.values() if 3 * len(figure.stems) == len(outputs)
        )
        if jobs:
            job = f"{HERE}.figure:job"
            order = tuple(drawings)
            declared.append(Rule(name, "figure", job, outputs, jobs, message, configured=True, order=order))
    return declared


def _job(study: Study, figure: Figure) -> Job:
    # A figure draws the objective's minimum, so it also depends on the objective's code.
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
