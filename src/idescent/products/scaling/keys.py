"""Errors over a ladder of learning rates: the section ``scaling`` of a configuration, and its rules.

What lives here: keys, their checks, and the declaration of tables, figures and maps.  What does not: the
numbers (:mod:`.rows`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict

from idescent.products.product import Job, Output, Product, Rule, figures, tables
from idescent.study.cells import Study
from idescent.study.grid import quantities
from idescent.study.messages import ConfigError, refused
from idescent.study.provenance import digest
from idescent.study.values import Alphas, Name, SolutionName, filled

HERE = "idescent.products.scaling"


class ScalingSpec(BaseModel):
    """Scaling tables and figures: errors over a ladder of learning rates, and their fitted orders."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(default="scaling", description="Name of the tables, and first part of figure names")
    reference: SolutionName | None = Field(
        default=None, description="Solution whose error is divided by those of the others (column ratio)"
    )
    alpha: Alphas | None = Field(
        default=None,
        description="Learning rates of the compact table; by default largest, middle and smallest",
    )
    maps: list[Name] = Field(
        default=[],
        description="Objectives whose errors are drawn as maps over alpha and beta instead of ladders",
    )
    quantities: Annotated[list[str], AfterValidator(filled)] = Field(
        default=["theta"], description="Quantities of the complete table: theta, loss, or moments"
    )
    optimizers: Annotated[bool, Strict()] = Field(
        default=False,
        description="Whether a table and a figure of all optimizers replace the figures of single ones",
    )


def settings(spec: Any, study: Study) -> dict[str, Any] | None:
    """Complete the section by the learning rates of the compact table and the caps of horizons."""
    section: ScalingSpec | None = spec.scaling
    if section is None:
        return None
    where, alphas = "config: scaling", sorted({cell.alpha for cell in study.cells}, reverse=True)
    known = ", ".join(study.solutions)
    if section.reference not in (None, *study.solutions):
        raise refused("scaling.reference", section.reference, f"must be one of {known}")
    for alpha in section.alpha or ():
        if alpha not in alphas:
            rates = ", ".join(f"{a:g}" for a in alphas)
            raise ConfigError(f"{where}.alpha: {alpha!r} is not allowed: must be one of {rates}")
    if section.name in ("errors", "claims"):
        raise ConfigError(f"{where}.name: {section.name!r} is not allowed: other tables have this name")
    possible = dict.fromkeys(quantity for cell in study.cells for quantity in quantities(cell))
    for i, quantity in enumerate(section.quantities):
        if quantity not in possible:
            raise refused(f"scaling.quantities.{i}", quantity, f"must be one of {', '.join(possible)}")
    for name in spec.figures:
        if name.startswith(f"{section.name}_"):
            raise ConfigError(f"{where}.name: {section.name!r} is not allowed: figure {name} begins with it")
    for name in section.maps:
        _check_map(f"{where}.maps", name, study)
    default = dict.fromkeys((alphas[0], alphas[len(alphas) // 2], alphas[-1]))
    return {
        "name": section.name,
        "label": f"tab:{study.name}-{section.name}",
        "reference": section.reference,
        "alpha": sorted(dict.fromkeys(section.alpha or default), reverse=True),
        "quantities": list(section.quantities),
        "maps": list(section.maps),
        "optimizers": section.optimizers,
        "until": _caps(spec, study),
        "models": {name: solution["model"] for name, solution in study.solutions.items()},
    }


def ladders(study: Study, name: str) -> dict[str, tuple[str, str]]:
    """Return the groups of cells that have several learning rates, by the name of their figure."""
    return {
        "_".join((name, *group)): group
        for group, cells in study.groups.items()
        if len({cell.alpha for cell in cells}) > 1
    }


def rules(study: Study, given: dict[str, Any] | None, before: Sequence[Rule]) -> list[Rule]:
    """Return the rules ``scaling``, ``scaling_figure`` and ``scaling_map``, or those of all optimizers."""
    if given is None:
        return []
    # The table shows the order that each model declares.
    models = [("model", spec) for spec in given["models"].values()]
    table = Rule(
        "scaling",
        "table",
        f"{HERE}.table:job",
        (*tables(given["name"], "scaling.rst"), Output(f"tables/{given['name']}_compact.tex")),
        (Job(digest(f"{HERE}.table", *models), inputs=("tables/errors.parquet",), given=given),),
        "tabulate errors against the learning rate",
    )
    declared = [table]
    drawn = ladders(study, given["name"])
    maps = {stem: group for stem, group in drawn.items() if group[0] in given["maps"]}
    curves = {stem: group for stem, group in drawn.items() if stem not in maps and not given["optimizers"]}
    for name, module, caption, groups in (
        ("scaling_figure", f"{HERE}.figure", "scaling_figure.rst", curves),
        ("scaling_map", f"{HERE}.map", "heatmap.rst", maps),
    ):
        jobs = tuple(
            Job(
                digest(module),
                {"figure": stem},
                inputs=(f"tables/{given['name']}.parquet",),
                given={"objective": objective, "optimizer": optimizer},
            )
            for stem, (objective, optimizer) in groups.items()
        )
        if jobs:
            message, order = "draw {wildcards.figure}", tuple(drawn)
            declared += [Rule(name, "figure", f"{module}:job", figures(caption), jobs, message, order=order)]
    return declared + (_of_all_optimizers(given) if given["optimizers"] else [])


def _of_all_optimizers(given: dict[str, Any]) -> list[Rule]:
    """Return the rules of the table and the figure with a row for each optimizer."""
    stem, complete = f"{given['name']}_optimizers", (f"tables/{given['name']}.parquet",)
    table, figure = f"{HERE}.optimizers", f"{HERE}.optimizers_figure"
    reference = {"reference": given["reference"]}
    return [
        Rule(
            "scaling_optimizers",
            "table",
            f"{table}:job",
            tables(stem, "scaling_optimizers.rst"),
            (Job(digest(table), inputs=complete),),
            "tabulate the orders of all optimizers",
        ),
        Rule(
            "scaling_optimizers_figure",
            "figure",
            f"{figure}:job",
            figures("scaling_optimizers_figure.rst", stem=stem),
            (Job(digest(figure), inputs=complete, given=reference),),
            "draw the orders of all optimizers",
        ),
    ]


def _check_map(where: str, name: str, study: Study) -> None:
    """Refuse a map of fewer than three learning rates, or of fewer than three values of a beta."""
    groups = {group: cells for group, cells in study.groups.items() if group[0] == name}
    if not groups:
        known = ", ".join(dict.fromkeys(objective for objective, _ in study.groups))
        raise ConfigError(f"{where}: {name!r} is not allowed: must be one of {known}")
    for (_, optimizer), cells in groups.items():
        arguments = [cell.optimizer["arguments"] for cell in cells]
        betas = {given.get("beta2", given.get("beta")) for given in arguments} - {None}
        if len({cell.alpha for cell in cells}) < 3 or len(betas) < 3:
            raise ConfigError(
                f"{where}: {name!r} is not allowed: {optimizer} must have three values of alpha and of a beta"
            )


def _caps(spec: Any, study: Study) -> list[dict[str, Any]]:
    """Return the largest horizons of blocks with ``until``, by the columns of the scaling tables."""
    caps: dict[int, dict[str, Any]] = {}
    for i, cell in zip(study.blocks, study.cells, strict=True):
        run = spec.runs[i]
        if run.until is not None:
            fixed = {"objective": run.objective, "optimizer": run.optimizer, "alpha": list(run.alpha)}
            cap = caps.setdefault(i, {**fixed, "at_most": run.until.at_most, "configurations": []})
            label = cell.label.partition(",")[2]
            if label not in cap["configurations"]:
                cap["configurations"].append(label)
    return list(caps.values())


PRODUCT = Product(
    "scaling",
    (
        ScalingSpec | None,
        Field(default=None, description="Scaling tables and figures; {} for the defaults"),
    ),
    settings,
    rules,
)
