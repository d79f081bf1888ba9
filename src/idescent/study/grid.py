"""Expansion of the blocks of a configuration into the cells of a study.

What lives here: :func:`expand`, and the checks of one block.  What does not: the keys of a block
(:mod:`idescent.study.keys`), checks across sections (:mod:`idescent.config`).

A block under ``runs`` has one objective and one optimizer.  It is expanded in these steps:

1. Look up the objective, the schedule and the solutions under their names.
2. Form the product of the lists of hyper-parameters, the last name varying fastest.
3. Construct the optimizer from each combination, so that a bad value is refused before any job starts.
4. For each learning rate, compute the horizon from ``steps``, ``time`` or ``until``, and yield a cell.

For example, ``beta1: [0.0, 0.9]``, ``beta2: [0.9, 0.99]`` and ``alpha: [0.1, 0.01]`` give eight cells: first
both learning rates with (0.0, 0.9), then both with (0.0, 0.99), and so on.
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
    """Yield the cells of one block.

    Parameters
    ----------
    spec : GridSpec
        The whole configuration.
    at : str
        Path of the block in the configuration, for example ``runs.0``.
    run : RunSpec
        The block.

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
    if run.leap and not at.startswith("runs"):
        raise ConfigError(f"config: {at}.leap: True is not allowed: only blocks of runs have leaps")
    settling_steps = None if run.until is None else _settling_steps(at, run, objective, schedule)
    for values in itertools.product(*run.hyperparameters.values()):
        arguments = dict(zip(run.hyperparameters, values, strict=True))
        optimizer = {"class": run.optimizer, "arguments": _arguments(at, run.optimizer, arguments)}
        for j, alpha in enumerate(run.alpha):
            # round(time / alpha) must be at least 1 and exact in float64.
            if run.time is not None and not alpha / 2 < run.time <= alpha * LARGEST_COUNT:
                rule = f"must be between alpha = {alpha!r} and 2**53 times that"
                raise refused(f"{at}.time", run.time, rule)
            steps = run.horizon(j) if settling_steps is None else settling_steps(optimizer, alpha)
            cell = Cell(objective, optimizer, alpha, run.theta0, steps, solutions, schedule, run.leap)
            if len(cell.label) > LONGEST_FILE:
                rule = f"must give the cell's folder a name of at most {LONGEST_FILE} characters"
                raise refused(f"{at}.hyperparameters", arguments, rule)
            yield cell


def _settling_steps(
    at: str, run: RunSpec, objective: Mapping[str, Any], schedule: Mapping[str, Any] | None
) -> Callable[[Mapping[str, Any], float], int]:
    """Return the function that computes the horizon ``until`` from an optimizer's spec and a learning rate.

    The objective, the start and the schedule are built once for all cells of the block.
    """
    assert run.until is not None
    criterion = {**run.until.model_dump(), "schedule": registry.schedule({"schedule": schedule})}
    try:
        built = registry.objective(objective)
        start = registry.start(run.theta0, built)
    except ValueError as error:
        raise ConfigError(f"config: {at}: {error}") from error

    def steps(optimizer: Mapping[str, Any], alpha: float) -> int:
        try:
            horizon = settling(registry.optimizer(optimizer), built, alpha=alpha, theta0=start, **criterion)
            return horizon.steps
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
        names = ", ".join(spec.schedules) or "the names under schedules (there are none)"
        raise ConfigError(f"{where}: must be one of {names}")
    return {"name": run.schedule, **spec.schedules[run.schedule].spec()}


def _chosen_solutions(spec: GridSpec, at: str, run: RunSpec) -> tuple[str, ...]:
    """Return the names of a block's solutions: its own list without repetitions, or all of the study."""
    chosen = tuple(spec.solutions) if run.solutions is None else tuple(dict.fromkeys(run.solutions))
    for name in chosen:
        if name not in spec.solutions:
            raise refused(f"{at}.solutions", name, f"must be one of {', '.join(spec.solutions)}")
        reference = spec.solutions[name].reference
        if reference not in (None, *chosen):
            where = f"config: {at}.solutions"
            raise ConfigError(f"{where}: {name!r} is not allowed without its reference {reference!r}")
    return chosen


def _arguments(at: str, name: str, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check hyper-parameters by constructing the optimizer; return them in the order of its fields.

    They name the cell's folder: a fixed order gives the same folder however the configuration orders them.
    """
    package, plain = ":" not in name, {}
    for key, value in hyperparameters.items():
        where = f"{at}.hyperparameters.{path([key])}"
        if not key.isidentifier():
            raise refused(where, key, "must be the name of an argument")
        try:
            value = argument(value)
        except ValueError as error:
            raise refused(where, value, str(error)) from error
        # The package's hyper-parameters are floats: 1 and 1.0 must name the same folder.
        plain[key] = float(value) if package and type(value) is int else value
    where = f"{at}.optimizer"
    if package:
        optimizer = check_class(where, "optimizer", name, plain, "hyperparameters")
    else:
        check_own(where, name)
        try:
            constructor = registry.resolve("optimizer", name)
        except Exception as error:  # the user's module runs when it is imported, and may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise refused(where, name, f"it cannot be imported: {reason}") from error
        optimizer = build(where, "optimizer", name, constructor, plain, "hyperparameters")
    order = [field.name for field in fields(optimizer)] if is_dataclass(optimizer) else list(plain)
    return {key: plain[key] for key in order if key in plain}


def quantities(cell: Cell) -> tuple[str, ...]:
    """Return the names of a cell's quantities: ``theta``, ``loss`` and the optimizer's memories."""
    return ("theta", "loss", *registry.optimizer(cell.optimizer).moments)
