"""A study as a typed configuration.

What lives here: the checks of ``config/*.yaml``, and the expansion of the grid into the cells of a
:class:`~idescent.study.cells.Study`.  What does not: the keys and their types (:mod:`idescent.study.keys`),
reading YAML (Snakemake does), the places of results (:mod:`idescent.study.cells`), running anything.

Every problem is one line that names field, value and what is allowed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from pydantic import ValidationError

from idescent.analysis.settling import settling
from idescent.products import refusals
from idescent.products.paths.keys import required
from idescent.study import limits, registry, texts
from idescent.study.arguments import build, check_class, check_own, check_schedule
from idescent.study.cells import DISCRETE, Cell, Figure, Study
from idescent.study.keys import RunSpec, SolutionSpec, StudySpec
from idescent.study.messages import ConfigError as ConfigError
from idescent.study.messages import path, problem_lines, refused
from idescent.study.values import LARGEST_COUNT, LONGEST_FILE, RESERVED, argument


def load(raw: Mapping[str, Any]) -> Study:
    """Check a configuration and expand its grid.

    Parameters
    ----------
    raw : mapping
        The content of a configuration file.

    Raises
    ------
    ConfigError
        If anything in it cannot be run; one line per problem.
    """
    limits.check_values(raw)
    texts.check(raw)
    try:
        spec = StudySpec.model_validate(raw)
    except ValidationError as error:
        raise ConfigError("\n".join(problem_lines(error, schema()))) from None
    limits.check_grid(spec)
    _check_classes(spec)
    for name, s in spec.solutions.items():
        if s.reference is not None:
            _check_reference(spec, name, s)
    cells: dict[str, tuple[int, Cell]] = {}
    homes: dict[tuple[str, str], str] = {}
    for i, run in enumerate(spec.runs):
        for cell in _expand(spec, f"runs.{i}", run):
            if homes.setdefault(cell.group, run.optimizer) != run.optimizer:
                rule = f"its folder {'/'.join(cell.group)} is that of {homes[cell.group]!r}"
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
            "model": s.model.spec(),
            "solver": s.solver.spec(),
            "rtol": s.rtol,
            "atol": s.atol,
            **({} if s.reference is None else {"reference": s.reference}),
        }
        for name, s in spec.solutions.items()
    }
    study = Study(spec.study, tuple(cell for _, cell in cells.values()), solutions, {}, spec.claims)
    forecast = [c for i, run in enumerate(spec.forecast) for c in _expand(spec, f"forecast.{i}", run)]
    study = replace(
        study,
        figures=_figures(spec, study),
        scaling=_scaling(spec, study, cells.values()),
        forecast=[cell.spec() for cell in forecast],
        fidelity=_fidelity(spec, study),
        ensembles=_ensembles(spec, study),
        cells_per_job=None if spec.cells_per_job == "auto" else spec.cells_per_job,
        seconds_per_job=spec.seconds_per_job,
    )
    first = reversed(list(enumerate(spec.ensembles)))
    refusals.check(study, {name: f"ensembles.{i}.equations" for i, one in first for name in one.equations})
    return study


def schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **StudySpec.model_json_schema(by_alias=True),
    }


def _expand(spec: StudySpec, at: str, run: RunSpec) -> Iterable[Cell]:
    if run.objective not in spec.objectives:
        known = ", ".join(spec.objectives)
        raise ConfigError(f"config: {at}.objective: {run.objective!r} is not allowed: must be one of {known}")
    objective = {"name": run.objective, **spec.objectives[run.objective].spec()}
    schedule = _chosen_schedule(spec, at, run)
    solutions = _chosen_solutions(spec, at, run)
    settled = None if run.until is None else _settled(at, run, objective, schedule)
    for values in itertools.product(*run.hyperparameters.values()):
        arguments = dict(zip(run.hyperparameters, values, strict=True))
        optimizer = {"class": run.optimizer, "arguments": _arguments(at, run.optimizer, arguments)}
        for j, alpha in enumerate(run.alpha):
            if run.time is not None and not alpha / 2 < run.time <= alpha * LARGEST_COUNT:
                rule = f"must be between alpha = {alpha!r} and 2**53 times that"
                raise refused(f"{at}.time", run.time, rule)
            steps = run.horizon(j) if settled is None else settled(optimizer, alpha)
            cell = Cell(objective, optimizer, alpha, run.theta0, steps, solutions, schedule)
            if len(cell.label) > LONGEST_FILE:
                rule = f"must make a name of a folder of at most {LONGEST_FILE} characters"
                raise refused(f"{at}.hyperparameters", arguments, rule)
            yield cell


def _settled(
    at: str, run: RunSpec, objective: Mapping[str, Any], schedule: Mapping[str, Any] | None
) -> Callable[[Mapping[str, Any], float], int]:
    """Return the horizon of a block's cells as a function of optimizer and learning rate."""
    until = run.until
    assert until is not None  # asked for only then
    cut = {**until.model_dump(), "schedule": registry.schedule({"schedule": schedule})}
    try:
        built = registry.objective(objective)
        start = registry.start(run.theta0, built)
    except ValueError as error:
        raise ConfigError(f"config: {at}: {error}") from error

    def steps(optimizer: Mapping[str, Any], alpha: float) -> int:
        try:
            return settling(registry.optimizer(optimizer), built, alpha=alpha, theta0=start, **cut).steps
        except ValueError as error:
            raise ConfigError(f"config: {at}: {error}") from error

    return steps


def _chosen_schedule(spec: StudySpec, at: str, run: RunSpec) -> dict[str, Any] | None:
    if run.schedule is None:
        return None
    where = f"config: {at}.schedule: {run.schedule!r} is not allowed"
    if at.startswith("forecast"):
        raise ConfigError(f"{where}: a forecast has a constant learning rate")
    if run.schedule not in spec.schedules:
        raise ConfigError(f"{where}: must be one of {', '.join(spec.schedules) or 'those under schedules'}")
    return {"name": run.schedule, **spec.schedules[run.schedule].spec()}


def _chosen_solutions(spec: StudySpec, at: str, run: RunSpec) -> tuple[str, ...]:
    wanted = tuple(spec.solutions) if run.solutions is None else tuple(dict.fromkeys(run.solutions))
    where = f"config: {at}.solutions"
    for name in wanted:
        if name not in spec.solutions:
            raise refused(f"{at}.solutions", name, f"must be one of {', '.join(spec.solutions)}")
        reference = spec.solutions[name].reference
        if reference not in (None, *wanted):
            raise ConfigError(f"{where}: {name!r} is not allowed without its reference {reference!r}")
    return wanted


def _arguments(at: str, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check hyper-parameters by constructing the optimizer; return them in the order of its fields."""
    package, plain = ":" not in name, {}
    for key, value in given.items():
        where = f"{at}.hyperparameters.{path([key])}"
        if not key.isidentifier():
            raise refused(where, key, "must be the name of an argument")
        try:
            value = argument(value)
        except ValueError as error:
            raise refused(where, value, str(error)) from error
        plain[key] = float(value) if package and type(value) is int else value
    where = f"{at}.optimizer"
    if package:
        optimizer = check_class(where, "optimizer", name, plain, "hyperparameters")
    else:
        check_own(where, name)
        try:
            constructor = registry.resolve("optimizer", name)
        except Exception as error:  # importing the user's module runs all that is in it
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise refused(where, name, f"it cannot be imported: {reason}") from error
        optimizer = build(where, "optimizer", name, constructor, plain, "hyperparameters")
    order = [field.name for field in fields(optimizer)] if is_dataclass(optimizer) else list(plain)
    return {key: plain[key] for key in order if key in plain}


def _check_classes(spec: StudySpec) -> None:
    """Check every class once, so that a misspelt name or argument stops the workflow before its first job."""
    for name, objective in spec.objectives.items():
        if name in RESERVED:
            rule = f"must not be one of {', '.join(RESERVED)}, which are folders of every study"
            raise refused("objectives", name, rule)
        built = check_class(f"objectives.{name}", "objective", objective.class_, objective.arguments)
        if built is not None:
            _check_starts(spec, name, built)
            _check_samples(spec, name, built)
    for name, schedule in spec.schedules.items():
        check_schedule(f"schedules.{name}", schedule.spec())
    for name, s in spec.solutions.items():
        check_class(f"solutions.{name}.model", "model", s.model.class_, s.model.arguments)
        check_class(f"solutions.{name}.solver", "solver", s.solver.class_, s.solver.arguments)


def _check_starts(spec: StudySpec, name: str, objective: Any) -> None:
    """Check that the runs on an objective start at as many numbers as it has parameters."""
    for section, runs in (("runs", spec.runs), ("forecast", spec.forecast), ("ensembles", spec.ensembles)):
        for i, run in enumerate(runs):
            if run.objective == name:
                try:
                    point = registry.start(run.theta0, objective)
                except ValueError as error:
                    raise ConfigError(f"config: {section}.{i}.{error}") from error
                limits.check_length(f"{section}.{i}", run, point.size)


def _check_samples(spec: StudySpec, name: str, objective: Any) -> None:
    """Check that ensembles on an objective have samples to draw from, and what they observe."""
    for i, block in enumerate(spec.ensembles):
        if block.objective == name:
            from idescent.products.ensembles import rows as ensembles  # loads more than other studies need

            try:
                ensembles.check(objective, block.observe)
            except ValueError as error:
                raise ConfigError(f"config: ensembles.{i}.{error}") from error


def _check_reference(spec: StudySpec, name: str, solution: SolutionSpec) -> None:
    # The distance to a scheme, or to a solution of another model, would not be the solver's error.
    known = [
        other
        for other, s in spec.solutions.items()
        if other != name and s.model == solution.model and s.reference is None
    ]
    if solution.reference not in known:
        rule = f"must be one of {', '.join(known)}" if known else "no other solution has this model"
        raise refused(f"solutions.{name}.reference", solution.reference, rule)


def _figures(spec: StudySpec, study: Study) -> dict[str, Figure]:
    """Find the cells that each figure needs."""
    plain = [cell.spec() for cell in study.cells]
    cells = {id(data): cell for data, cell in zip(plain, study.cells, strict=True)}
    figures: dict[str, Figure] = {}
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
            if figure.quantity not in _quantities(cell):
                rule = f"must be one of {', '.join(_quantities(cell))}"
                raise refused(f"figures.{name}.quantity", figure.quantity, rule)
        paths = tuple(dict.fromkeys(study.place(cell, shown) for cell, shown in needed))
        figures[name] = Figure(name, figure.model_dump(mode="json"), tuple(needed), paths)
    return figures


def _quantities(cell: Cell) -> tuple[str, ...]:
    return ("theta", "loss", *registry.resolve("optimizer", cell.optimizer["class"]).moments)


def _scaling(spec: StudySpec, study: Study, cells: Iterable[tuple[int, Cell]]) -> dict[str, Any] | None:
    """Complete what is asked of the scaling tables."""
    if spec.scaling is None:
        return None
    where, alphas = "config: scaling", sorted({cell.alpha for cell in study.cells}, reverse=True)
    known = ", ".join(study.solutions)
    if spec.scaling.reference not in (None, *study.solutions):
        raise refused("scaling.reference", spec.scaling.reference, f"must be one of {known}")
    for alpha in spec.scaling.alpha or ():
        if alpha not in alphas:
            rates = ", ".join(f"{a:g}" for a in alphas)
            raise ConfigError(f"{where}.alpha: {alpha!r} is not allowed: must be one of {rates}")
    if spec.scaling.name in ("errors", "claims"):
        raise ConfigError(f"{where}.name: {spec.scaling.name!r} is not allowed: other tables are called so")
    possible = dict.fromkeys(quantity for cell in study.cells for quantity in _quantities(cell))
    for i, quantity in enumerate(spec.scaling.quantities):
        if quantity not in possible:
            raise refused(f"scaling.quantities.{i}", quantity, f"must be one of {', '.join(possible)}")
    for name in spec.figures:
        if name.startswith(f"{spec.scaling.name}_"):
            raise ConfigError(f"{where}.name: {spec.scaling.name!r} is not allowed: figure {name} begins so")
    for name in spec.scaling.maps:
        _check_map(f"{where}.maps", name, study)
    default = dict.fromkeys((alphas[0], alphas[len(alphas) // 2], alphas[-1]))
    return {
        "name": spec.scaling.name,
        "reference": spec.scaling.reference,
        "alpha": sorted(dict.fromkeys(spec.scaling.alpha or default), reverse=True),
        "quantities": list(spec.scaling.quantities),
        "maps": list(spec.scaling.maps),
        "until": _caps(spec.runs, cells),
        "models": {name: solution["model"] for name, solution in study.solutions.items()},
    }


def _ensembles(spec: StudySpec, study: Study) -> dict[str, dict[str, Any]]:
    """Expand the ensembles: descriptions by their path below the folder of all of them, without suffix."""
    found: dict[str, dict[str, Any]] = {}
    shared = ("runs", "seed", "equations", "substeps", "start", "points", "observe")
    for i, block in enumerate(spec.ensembles):
        for cell in _expand(spec, f"ensembles.{i}", block):
            solutions = [study.solutions[name] for name in cell.solutions]
            if block.equations and cell.steps <= block.start:
                rule = f"must be below the {cell.steps} iterations that there are at alpha = {cell.alpha!r}"
                raise refused(f"ensembles.{i}.start", block.start, rule)
            for batch in block.batch:
                label = f"{cell.label},batch~{batch}"
                # To a cluster, jobs are named as rule:wildcard=value,wildcard=value: no comma in a value.
                place = "/".join((*cell.group, label.replace(",", "+")))
                if place in found:
                    raise ConfigError(f"config: ensembles.{i}: {place} is not allowed: it is there already")
                found[place] = {
                    **cell.spec(),
                    "label": label,
                    "batch": batch,
                    "solutions": solutions,
                    **{name: getattr(block, name) for name in shared},
                }
    return found


def _fidelity(spec: StudySpec, study: Study) -> dict[str, Any] | None:
    """Complete what is asked of loss curves."""
    if spec.fidelity is None:
        return None
    objectives = list(dict.fromkeys(cell.group[0] for cell in study.cells))
    for i, name in enumerate(spec.fidelity.curves or ()):
        if name not in objectives:
            raise refused(f"fidelity.curves.{i}", name, f"must be one of {', '.join(objectives)}")
    curves = objectives if spec.fidelity.curves is None else list(spec.fidelity.curves)
    for name in spec.figures:
        if name.startswith("fidelity_"):
            raise ConfigError(f"config: figures.{name} is not allowed: names of loss curves begin so")
    models = {name: solution["model"] for name, solution in study.solutions.items()}
    return {"within": sorted(spec.fidelity.within), "curves": curves, "models": models}


def _check_map(where: str, name: str, study: Study) -> None:
    """Refuse a map of fewer than three learning rates, or of fewer than three values of a beta."""
    groups = {group: cells for group, cells in study.groups.items() if group[0] == name}
    if not groups:
        known = ", ".join(dict.fromkeys(objective for objective, _ in study.groups))
        raise ConfigError(f"{where}: {name!r} is not allowed: must be one of {known}")
    for (_, optimizer), cells in groups.items():
        given = [cell.optimizer["arguments"] for cell in cells]
        betas = {arguments.get("beta2", arguments.get("beta")) for arguments in given} - {None}
        if len({cell.alpha for cell in cells}) < 3 or len(betas) < 3:
            raise ConfigError(
                f"{where}: {name!r} is not allowed: {optimizer} must have three values of alpha and of a beta"
            )


def _caps(runs: Sequence[RunSpec], cells: Iterable[tuple[int, Cell]]) -> list[dict[str, Any]]:
    """Return where horizons of blocks with ``until`` are cut off, in the terms of the scaling tables."""
    caps: dict[int, dict[str, Any]] = {}
    for i, cell in cells:
        run = runs[i]
        if run.until is not None:
            fixed = {"objective": run.objective, "optimizer": run.optimizer, "alpha": list(run.alpha)}
            cap = caps.setdefault(i, {**fixed, "at_most": run.until.at_most, "configurations": []})
            label = cell.label.partition(",")[2]
            if label not in cap["configurations"]:
                cap["configurations"].append(label)
    return list(caps.values())
