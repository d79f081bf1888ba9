"""Ensembles of mini-batch runs: the section ``ensembles`` of a configuration, and its rules.

What lives here: keys, their checks, and the declaration of runs, tables and figures.  What does not: the runs
(:mod:`.rows`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from idescent.products.product import FIRST, Job, Output, Product, Rule, figures, tables
from idescent.study.cells import Study, spread
from idescent.study.grid import expand
from idescent.study.keys import RunSpec
from idescent.study.messages import ConfigError, refused
from idescent.study.provenance import digest
from idescent.study.values import Count, Counts, Seed, filled

HERE = "idescent.products.ensembles"
MOST_ENSEMBLES = 4  # in one figure
SHARED = ("runs", "seed", "noise", "equations", "substeps", "start", "points", "observe")


class EnsembleSpec(RunSpec):
    """A block of ensembles: each cell is run many times on mini-batches, and models predict the mean."""

    batch: Counts = Field(description="Samples in a batch, drawn with replacement: one number or several")
    runs: Count = Field(description="Runs in an ensemble, which is one job")
    seed: Seed = Field(
        default=0, description="Seed of the batches: all optimizers and models have the same ones"
    )
    noise: list[str] = Field(
        default=[],
        description="Names of solutions to compute also with the noise of the batches in the second moments",
    )
    equations: list[Literal["Malladi", "Compagnoni"]] = Field(
        default=[],
        description="Stochastic differential equations, solved along one path for each run",
    )
    substeps: Count = Field(default=4, description="Steps of the Euler-Maruyama method in each iteration")
    start: Count = Field(
        default=20,
        description="Iteration from which the equations are solved, from the states of the runs; below steps",
    )
    points: Count = Field(default=100, description="Approximate number of iterations that are stored")
    observe: Annotated[list[Literal["loss", "accuracy", "norm2"]], AfterValidator(filled)] = Field(
        default=["loss"], description="Quantities that are stored of the runs"
    )


def settings(spec: Any, study: Study) -> dict[str, dict[str, Any]]:
    """Expand the ensembles; return their settings by path below the folder ``ensembles``, without suffix."""
    ensembles: dict[str, dict[str, Any]] = {}
    for i, block in enumerate(spec.ensembles):
        at = f"ensembles.{i}"
        for cell in expand(spec, at, block):
            solutions = [study.solutions[name] for name in cell.solutions]
            for name in block.noise:
                if name not in cell.solutions:
                    rule = f"must be one of {', '.join(cell.solutions)}"
                    raise refused(f"{at}.noise", name, rule)
            if block.equations and cell.steps <= block.start:
                rule = f"must be below the {cell.steps} iterations at alpha = {cell.alpha!r}"
                raise refused(f"{at}.start", block.start, rule)
            for batch in block.batch:
                label = f"{cell.label},batch~{batch}"
                # The names of jobs on a cluster are rule:wildcard=value,wildcard=value: a value has no comma.
                place = "/".join((*cell.group, label.replace(",", "+")))
                if place in ensembles:
                    raise ConfigError(f"config: {at}: {place} is not allowed: the ensemble exists already")
                ensembles[place] = {
                    **cell.spec(),
                    "label": label,
                    "batch": batch,
                    "solutions": solutions,
                    **{name: getattr(block, name) for name in SHARED},
                }
    return ensembles


def rules(study: Study, given: dict[str, dict[str, Any]], before: Sequence[Rule]) -> list[Rule]:
    """Return the rules ``ensemble``, ``ensembles`` and ``ensembles_figure``."""
    if not given:
        return []
    curves, largest = "ensembles/{objective}/{optimizer}/{ensemble}.parquet", "largest.parquet"
    ensemble = Rule(
        "ensemble",
        "measure",
        f"{HERE}.rows:job",
        (Output(curves), Output(curves.replace("parquet", largest))),
        tuple(
            Job(
                digest(f"{HERE}.rows", *_built(about)),
                dict(zip(("objective", "optimizer", "ensemble"), place.split("/"), strict=True)),
                given=about,
                priority=FIRST,
            )
            for place, about in given.items()
        ),
        "run {wildcards.objective} {wildcards.optimizer} {wildcards.ensemble}",
    )
    table = Rule(
        "ensembles",
        "table",
        f"{HERE}.table:job",
        tables("ensembles", "ensembles.rst"),
        (Job(digest(f"{HERE}.table"), inputs=tuple(f"ensembles/{place}.{largest}" for place in given)),),
        "tabulate the weak errors of models against mini-batch runs",
    )
    groups: dict[str, list[str]] = {}
    for place in given:
        objective, optimizer, _ = place.split("/")
        groups.setdefault(f"ensembles_{objective}_{optimizer}", []).append(place)
    figure = Rule(
        "ensembles_figure",
        "figure",
        f"{HERE}.figure:job",
        figures("ensembles_figure.rst"),
        tuple(
            Job(
                digest(f"{HERE}.figure"),
                {"figure": stem},
                inputs=tuple(f"ensembles/{place}.parquet" for place in spread(places, MOST_ENSEMBLES)),
            )
            for stem, places in groups.items()
        ),
        "draw {wildcards.figure}",
    )
    return [ensemble, table, figure]


def check(spec: Any, name: str, objective: Any) -> None:
    """Check that an objective with ensembles is a sum over samples and has the observed quantities."""
    for i, block in enumerate(spec.ensembles):
        if block.objective == name:
            from idescent.products.ensembles import rows  # it imports modules that other studies do not need

            try:
                rows.check(objective, block.observe)
            except ValueError as error:
                raise ConfigError(f"config: ensembles.{i}.{error}") from error


def _built(about: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the specifications of the objective, the optimizer, the models and their solvers."""
    solved = [(kind, solution[kind]) for solution in about["solutions"] for kind in ("model", "solver")]
    return [("objective", about["objective"]), ("optimizer", about["optimizer"]), *solved]


PRODUCT = Product(
    "ensembles",
    (
        list[EnsembleSpec],
        Field(default_factory=list, description="Ensembles of mini-batch runs, block by block"),
    ),
    settings,
    rules,
)
