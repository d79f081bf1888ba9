"""Horizons of predictions: the section ``fidelity`` of a configuration, and its rules.

What lives here: keys, their checks, and the declaration of tables and figures.  What does not: the numbers
(:mod:`.rows`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from idescent.products.product import Job, Output, Product, Rule, figures, manifests, tables
from idescent.store import DISCRETE
from idescent.study.cells import Pack, Study, spread
from idescent.study.messages import ConfigError, refused
from idescent.study.provenance import digest
from idescent.study.values import Name, Tolerance, filled

HERE = "idescent.products.fidelity"
MOST_CELLS = 4  # in one figure


class FidelitySpec(BaseModel):
    """Iterations for which each model's prediction holds: tables and loss curves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    within: Annotated[list[Tolerance], AfterValidator(filled)] = Field(
        default=[0.01, 0.05, 0.1], description="Bounds of the relative error of the prediction"
    )
    curves: list[Name] | None = Field(
        default=None, description="Objectives whose loss curves are drawn; all by default"
    )
    edge: bool = Field(
        default=False,
        description="Whether to compute the sharpness along each path, in units of the optimizer's limit",
    )


def settings(spec: Any, study: Study) -> dict[str, Any] | None:
    """Complete the section by the objectives whose curves are drawn."""
    section: FidelitySpec | None = spec.fidelity
    if section is None:
        return None
    objectives = list(dict.fromkeys(cell.group[0] for cell in study.cells))
    for i, name in enumerate(section.curves or ()):
        if name not in objectives:
            raise refused(f"fidelity.curves.{i}", name, f"must be one of {', '.join(objectives)}")
    curves = objectives if section.curves is None else list(section.curves)
    for name in spec.figures:
        if name.startswith("fidelity_"):
            raise ConfigError(f"config: figures.{name} is not allowed: loss curves have such names")
    models = {name: solution["model"] for name, solution in study.solutions.items()}
    return {"within": sorted(section.within), "curves": curves, "models": models, "edge": section.edge}


def rules(study: Study, given: dict[str, Any] | None, before: Sequence[Rule]) -> list[Rule]:
    """Return the rules ``fidelity_pack``, ``fidelity`` and ``fidelity_figure``."""
    if given is None:
        return []
    module = f"{HERE}.sharpness" if given["edge"] else f"{HERE}.rows"
    measure = Rule(
        "fidelity_pack",
        "measure",
        f"{module}:job",
        (Output("packs/{objective}/{optimizer}/{pack}/fidelity.parquet"),),
        tuple(
            Job(
                digest(module, *_classes(pack, given["edge"])),
                pack.wildcards,
                inputs=tuple(f"packs/{pack.folder}/{name}.json" for name in (DISCRETE, *study.names(pack))),
                given={"objective": pack.cells[0].objective, "within": given["within"]},
            )
            for pack in study.packs
        ),
        "measure the horizons of models: {wildcards.objective} {wildcards.optimizer} {wildcards.pack}",
    )
    table = Rule(
        "fidelity",
        "table",
        f"{HERE}.table:job",
        tables("fidelity", "fidelity.rst"),
        (Job(digest(f"{HERE}.table"), inputs=tuple(measure.made())),),
        "tabulate the horizons of models",
    )
    declared = [measure, table]
    # The names of the models set their colours.
    code = digest(f"{HERE}.figure", *(("model", spec) for spec in given["models"].values()))
    jobs = []
    for group, cells in study.groups.items():
        if group[0] in given["curves"]:
            shown = [(cell, name) for cell in spread(cells, MOST_CELLS) for name in cell.paths]
            objective, optimizer = group
            jobs.append(
                Job(
                    code,
                    {"figure": "_".join(("fidelity", *group))},
                    inputs=manifests(study, shown),
                    files=tuple(study.place(cell, name) for cell, name in shown),
                    given={
                        "within": given["within"],
                        "models": given["models"],
                        "objective": objective,
                        "optimizer": optimizer,
                    },
                )
            )
    if jobs:
        function, caption = f"{HERE}.figure:job", figures("fidelity_figure.rst")
        declared.append(
            Rule("fidelity_figure", "figure", function, caption, tuple(jobs), "draw {wildcards.figure}")
        )
    return declared


def _classes(pack: Pack, edge: bool) -> list[tuple[str, Any]]:
    """Return the classes that a job builds: the sharpness also needs the optimizer and the schedules."""
    objective = ("objective", pack.cells[0].objective)
    if not edge:
        return [objective]
    specs = [("optimizer", cell.optimizer) for cell in pack.cells]
    specs += [("schedule", cell.schedule) for cell in pack.cells if cell.schedule is not None]
    # One of each class: a pack may have thousands of cells.
    return [objective, *{(kind, spec["class"]): (kind, spec) for kind, spec in specs}.values()]


PRODUCT = Product(
    "fidelity",
    (
        FidelitySpec | None,
        Field(default=None, description="Iterations for which models hold; {} for the defaults"),
    ),
    settings,
    rules,
)
