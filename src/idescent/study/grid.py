"""The cells of a study: blocks of a configuration expanded over hyper-parameters and learning rates.

What lives here: :func:`expand`, and the checks of one block.  What does not: the keys of a block
(:mod:`idescent.study.keys`), checks across sections (:mod:`idescent.config`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from idescent.analysis.settling import settling
from idescent.study import registry
from idescent.study.arguments import build, check_class, check_own
from idescent.study.cells import Cell
from idescent.study.keys import GridSpec, RunSpec
from idescent.study.messages import ConfigError, path, refused
from idescent.study.values import LARGEST_COUNT, LONGEST_FILE, argument


def expand(spec: GridSpec, at: str, run: RunSpec) -> Iterable[Cell]:
    """Yield the cells of one block; ``at`` is its place in the configuration, as ``runs.0``.

    Raises
    ------
    ConfigError
        If a cell cannot be run.
    """
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


def _chosen_schedule(spec: GridSpec, at: str, run: RunSpec) -> dict[str, Any] | None:
    if run.schedule is None:
        return None
    where = f"config: {at}.schedule: {run.schedule!r} is not allowed"
    if at.startswith("forecast"):
        raise ConfigError(f"{where}: a forecast has a constant learning rate")
    if run.schedule not in spec.schedules:
        raise ConfigError(f"{where}: must be one of {', '.join(spec.schedules) or 'those under schedules'}")
    return {"name": run.schedule, **spec.schedules[run.schedule].spec()}


def _chosen_solutions(spec: GridSpec, at: str, run: RunSpec) -> tuple[str, ...]:
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


def quantities(cell: Cell) -> tuple[str, ...]:
    """Return the quantities of a cell: ``theta``, ``loss`` and the moments."""
    return ("theta", "loss", *registry.resolve("optimizer", cell.optimizer["class"]).moments)
