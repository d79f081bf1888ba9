"""Configuration of a study: from the content of a YAML file to a checked :class:`idescent.study.cells.Study`.

What lives here: the list of products, and the checks of ``config/*.yaml`` across its sections.  What does
not: keys and types (:mod:`idescent.study.keys`, the products' own ``keys``), the expansion of a block into
cells (:mod:`idescent.study.grid`), the reading of YAML (Snakemake), the jobs (:mod:`idescent.jobs`).

Every problem is reported in one line with the field, its value and the allowed values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import ValidationError, create_model

from idescent.products import refusals
from idescent.products.cells.keys import PRODUCT as CELLS
from idescent.products.claims.keys import PRODUCT as CLAIMS
from idescent.products.ensembles.keys import PRODUCT as ENSEMBLES
from idescent.products.ensembles.keys import check as check_samples
from idescent.products.errors.keys import PRODUCT as ERRORS
from idescent.products.fidelity.keys import PRODUCT as FIDELITY
from idescent.products.forecast.keys import PRODUCT as FORECAST
from idescent.products.own import PRODUCT as OWN
from idescent.products.paths.keys import PRODUCT as PATHS
from idescent.products.product import Rule
from idescent.products.report.keys import PRODUCT as REPORT
from idescent.products.scaling.keys import PRODUCT as SCALING
from idescent.study import limits, registry, texts
from idescent.study.arguments import check_class, check_schedule
from idescent.study.cells import Cell, Study
from idescent.study.grid import expand
from idescent.study.keys import FREE, GridSpec, SolutionSpec
from idescent.study.messages import ConfigError as ConfigError
from idescent.study.messages import problem_lines, refused
from idescent.study.values import RESERVED

# In the order of the report's sections.  The report comes last, because it reads the rules of all others.
PRODUCTS = (CELLS, PATHS, ERRORS, SCALING, FIDELITY, ENSEMBLES, FORECAST, CLAIMS, OWN, REPORT)

_SECTIONS: dict[str, Any] = {product.name: product.keys for product in PRODUCTS if product.keys}
StudySpec = create_model("StudySpec", __base__=GridSpec, __doc__=GridSpec.__doc__, **_SECTIONS)


def load(raw: Mapping[str, Any]) -> Study:
    """Check a configuration and expand its grid.

    Parameters
    ----------
    raw : mapping
        The content of a configuration file.

    Returns
    -------
    Study

    Raises
    ------
    ConfigError
        If a part of the configuration cannot be run; one line for each problem.
    """
    limits.check_values(raw)
    texts.check(raw)
    try:
        spec: Any = StudySpec.model_validate(raw)
    except ValidationError as error:
        raise ConfigError("\n".join(problem_lines(error, schema()))) from None
    limits.check_grid(spec)
    _check_classes(spec)
    for name, solution in spec.solutions.items():
        if solution.reference is not None:
            _check_reference(spec, name, solution)
    cells: dict[str, tuple[int, Cell]] = {}
    owners: dict[tuple[str, str], str] = {}
    for i, run in enumerate(spec.runs):
        for cell in expand(spec, f"runs.{i}", run):
            # Folders have the name of the class only: first:Adam and second:Adam would share one.
            if owners.setdefault(cell.group, run.optimizer) != run.optimizer:
                rule = f"{owners[cell.group]!r} already uses the folder {'/'.join(cell.group)}"
                raise refused(f"runs.{i}.optimizer", run.optimizer, rule)
            if cell.folder in cells:
                earlier = cells[cell.folder][0]
                raise ConfigError(
                    f"config: runs.{i}: {cell.folder} is not allowed: it is already in runs.{earlier}"
                )
            cells[cell.folder] = (i, cell)
    solutions = {
        name: {
            "name": name,
            "model": solution.model.spec(),
            "solver": solution.solver.spec(),
            "rtol": solution.rtol,
            "atol": solution.atol,
            **({} if solution.reference is None else {"reference": solution.reference}),
        }
        for name, solution in spec.solutions.items()
    }
    study = Study(
        spec.study,
        tuple(cell for _, cell in cells.values()),
        solutions,
        blocks=tuple(i for i, _ in cells.values()),
        raw={key: value for key, value in raw.items() if not key.startswith(FREE)},
        cells_per_job=None if spec.cells_per_job == "auto" else spec.cells_per_job,
        seconds_per_job=spec.seconds_per_job,
    )
    # A product reads the settings of earlier products: each is added to the study before the next.
    for product in PRODUCTS:
        study = replace(study, settings={**study.settings, product.name: product.settings(spec, study)})
    # Reversed, so that an equation is reported at the first block that has it.
    blocks = reversed(list(enumerate(spec.ensembles)))
    equations = {name: f"ensembles.{i}.equations" for i, block in blocks for name in block.equations}
    refusals.check(study, equations)
    return study


def rules(study: Study) -> list[Rule]:
    """Return the rules of all products of a study.

    Raises
    ------
    ValueError
        If a product cannot read a file that the configuration names.
    """
    declared: list[Rule] = []
    for product in PRODUCTS:
        declared += product.rules(study, study.settings[product.name], declared)
    return declared


def schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_model_schema(),
    }


@cache
def _model_schema() -> dict[str, Any]:
    # Every refused configuration needs it for its messages.
    return StudySpec.model_json_schema(by_alias=True)


def _check_classes(spec: Any) -> None:
    """Check every class once: a misspelt name or argument stops the workflow before its first job."""
    for name, objective in spec.objectives.items():
        if name in RESERVED:
            rule = f"must not be one of {', '.join(RESERVED)}: these are folders of every study"
            raise refused("objectives", name, rule)
        built = check_class(f"objectives.{name}", "objective", objective.class_, objective.arguments)
        if built is not None:
            _check_starts(spec, name, built)
            check_samples(spec, name, built)
    for name, schedule in spec.schedules.items():
        check_schedule(f"schedules.{name}", schedule.spec())
    for name, solution in spec.solutions.items():
        for kind, class_ in (("model", solution.model), ("solver", solution.solver)):
            check_class(f"solutions.{name}.{kind}", kind, class_.class_, class_.arguments)


def _check_starts(spec: Any, name: str, objective: Any) -> None:
    """Check that every start on an objective has as many numbers as the objective has parameters."""
    for section, runs in (("runs", spec.runs), ("forecast", spec.forecast), ("ensembles", spec.ensembles)):
        for i, run in enumerate(runs):
            if run.objective == name:
                try:
                    point = registry.start(run.theta0, objective)
                except ValueError as error:
                    raise ConfigError(f"config: {section}.{i}.{error}") from error
                limits.check_length(f"{section}.{i}", run, point.size)


def _check_reference(spec: GridSpec, name: str, solution: SolutionSpec) -> None:
    """Check that a solution's reference solves the same model and has no reference itself.

    Only then is the distance between the two the solver's error.
    """
    known = [
        other
        for other, candidate in spec.solutions.items()
        if other != name and candidate.model == solution.model and candidate.reference is None
    ]
    if solution.reference not in known:
        rule = f"must be one of {', '.join(known)}" if known else "no other solution has this model"
        raise refused(f"solutions.{name}.reference", solution.reference, rule)
