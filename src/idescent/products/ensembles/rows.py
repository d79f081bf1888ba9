"""Ensembles of mini-batch runs, and the errors with which models predict their mean.

What lives here: one ensemble from its settings as plain data (:func:`make`), its tidy rows, and their tables
with fixed schemas.  What does not: runs, equations and weak errors themselves (:mod:`idescent.stochastic`),
text and drawing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from idescent import __version__
from idescent.analysis import errors
from idescent.discrete.loop import simulate
from idescent.objectives.protocol import FiniteSum, Objective
from idescent.optimizers.optimizer import Optimizer
from idescent.products.product import Task
from idescent.solvers.solve import solve
from idescent.stochastic.mean import mean_optimizer
from idescent.stochastic.noise import Batches
from idescent.stochastic.runs import Ensemble, along, observables, simulate_runs
from idescent.stochastic.sde import Compagnoni, Malladi, StochasticEquation, simulate_paths
from idescent.stochastic.weak import largest, weak_errors
from idescent.store.columns import finite, nullable
from idescent.store.tables import HYPERPARAMETERS, columns_of, with_others
from idescent.store.trajectories import METADATA_KEY, write_table
from idescent.study import registry
from idescent.trajectory import REFUSED, Trajectory

EQUATIONS: dict[str, Callable[[], StochasticEquation]] = {"Malladi": Malladi, "Compagnoni": Compagnoni}
RUNS = "mini-batches"
# Ends the name of a model with noise in its second moments.
NOISY = ", noise in v"

_CELL = ("objective", "optimizer", "label", "alpha", *HYPERPARAMETERS, "steps", "batch", "runs")
_MODEL = ("model", "kind", "status", "gradients", "quantity")
_CURVE = ("k", "t", "finite", "mean", "std", "q05", "q95", "error", "low", "high", "band_low", "band_high")
_LARGEST = ("k", "error", "low", "high", "relative", "detected")
_TEXT = {"objective", "optimizer", "label", "model", "kind", "status", "quantity", "reason"}
_INTEGER = {"steps", "batch", "runs", "gradients", "k", "finite"}

Rows = list[dict[str, Any]]


def check(objective: Objective, observe: Sequence[str]) -> None:
    """Check that an objective is a sum over samples and has the observed quantities.

    Raises
    ------
    ValueError
        If it is not or has not; the message begins with the argument's name.
    """
    Batches(cast(FiniteSum, objective), size=1)
    observables(objective, observe)


def make(given: Mapping[str, Any], log: Callable[[str], None]) -> tuple[Rows, Rows]:
    """Simulate one ensemble, solve its models, and measure their weak errors.

    Parameters
    ----------
    given : mapping
        A cell (``objective``, ``optimizer``, ``alpha``, ``theta0``, ``steps`` ...) with its ``label``,
        ``batch`` (samples in each), ``runs``, ``seed``, ``points`` (approximate number of iterations that are
        stored), ``observe`` (quantities), ``solutions`` (of models on the full gradient), ``noise`` (names of
        solutions to compute also with noise in the second moments,
        :func:`idescent.stochastic.mean_optimizer`), and ``equations`` with the ``substeps`` of their
        Euler-Maruyama method and the iteration ``start`` at which they start from the runs.
    log : callable
        Receives lines for the job's log.

    Returns
    -------
    curves, largest : list of dict
        Rows by model, quantity and iteration; rows by model and quantity with the largest weak error.  If a
        model, its solver or an equation refuses the optimizer, it has one row for each quantity with the
        status ``refused`` and the ``reason``.

    Raises
    ------
    ValueError
        If the objective is no finite sum, or the runs cannot be simulated.
    """
    optimizer, objective = registry.optimizer(given["optimizer"]), registry.objective(given["objective"])
    noise = Batches(objective, size=given["batch"])
    steps, observe = given["steps"], tuple(given["observe"])
    at = np.unique(np.linspace(0, steps, min(steps, given["points"]) + 1).round().astype(int)).tolist()
    cell: dict[str, Any] = {
        "alpha": given["alpha"],
        "theta0": registry.start(given["theta0"], objective),
        "steps": steps,
        "schedule": registry.schedule(given),
    }
    sampling = {"runs": given["runs"], "seed": given["seed"], "at": at, "observe": observe}
    runs = simulate_runs(optimizer, noise, **cell, **sampling)
    log(f"{RUNS}: {runs.report.message}")
    # An ensemble for each model and equation, or the reason why it is refused.
    models: list[tuple[str, str, Ensemble | str]] = []
    noisy = [solution for solution in given["solutions"] if solution["name"] in given["noise"]]
    for suffix, kind, solutions in (("", "full gradient", given["solutions"]), (NOISY, "noise in v", noisy)):
        for solution, model, path in _paths(optimizer, noise if suffix else None, objective, cell, solutions):
            about = (f"{model}{suffix}", kind)
            if isinstance(path, str):
                models.append((*about, path))
                continue
            log(f"{solution}{suffix}: {path.report.message}")
            models.append((*about, along(path, objective, observe, at)))
    for name in given["equations"]:
        early = {"start": given["start"], "substeps": given["substeps"]}
        equation = EQUATIONS[name]()
        try:
            equation.check(optimizer)
        except ValueError as error:
            models.append((name.lower(), "equation", f"{error}"))
            continue
        paths = simulate_paths(equation, optimizer, noise, **cell, **sampling, **early)
        log(f"{name}: {paths.report.message}")
        models.append((name.lower(), "equation", paths))
    fixed = _fixed(given)
    curves = _curve(fixed, RUNS, "runs", runs, None)
    worst: Rows = []
    for name, kind, ensemble in models:
        if isinstance(ensemble, str):
            log(f"{name}: {REFUSED}: {ensemble}")
            row = {**fixed, "model": name, "kind": kind, "status": REFUSED, "reason": ensemble}
            refused = [{**row, "quantity": quantity} for quantity in observe]
            curves += refused
            worst += refused
            continue
        curves += _curve(fixed, name, kind, ensemble, runs)
        worst += _worst(fixed, name, kind, ensemble, runs)
    return curves, worst


def _paths(
    optimizer: Optimizer,
    noise: Batches | None,
    objective: Objective,
    cell: Mapping[str, Any],
    solutions: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[str, str, Trajectory | str]]:
    """Yield each solution's name, its model's, and its path or the reason of a refusal.

    Models with noise in their second moments are those of the mean optimizer.
    """
    # Models predict this run; whether they are plausible is judged by it.
    run = None
    for solution in solutions:
        model = registry.model(solution["model"])
        try:
            solved = optimizer if noise is None else mean_optimizer(optimizer, noise)
            path = solve(
                model,
                solved,
                objective,
                **cell,
                rtol=solution["rtol"],
                atol=solution["atol"],
                solver=registry.solver(solution["solver"]),
            )
        except ValueError as error:
            yield solution["name"], model.name, " ".join(str(error).split())
            continue
        gradients = path.report.gradient_evaluations
        if noise is not None:
            # As in a stochastic equation, an evaluation of the noise counts as one of the full gradient.
            gradients += solved.noise_variance.evaluations  # type: ignore[attr-defined]
        run = simulate(solved, objective, **cell) if run is None else run
        report = replace(path.report, status=errors.status(run, path), gradient_evaluations=gradients)
        yield solution["name"], model.name, replace(path, report=report)


def _fixed(given: Mapping[str, Any]) -> dict[str, Any]:
    arguments = given["optimizer"].get("arguments", {})
    return {
        "objective": given["objective"]["name"],
        "optimizer": given["optimizer"]["class"],
        "label": given["label"],
        "alpha": float(given["alpha"]),
        **columns_of(arguments),
        "steps": given["steps"],
        "batch": given["batch"],
        "runs": given["runs"],
    }


def _about(name: str, kind: str, ensemble: Ensemble) -> dict[str, Any]:
    report = ensemble.report
    return {"model": name, "kind": kind, "status": report.status, "gradients": report.gradient_evaluations}


def _curve(
    fixed: Mapping[str, Any], name: str, kind: str, ensemble: Ensemble, truth: Ensemble | None
) -> Rows:
    summary = ensemble.summary()
    rows = [
        {**fixed, **_about(name, kind, ensemble), **{key: summary[key][i].item() for key in summary}}
        for i in range(len(summary["k"]))
    ]
    if truth is not None:
        for row, error in zip(rows, weak_errors(truth, ensemble), strict=True):
            row |= {key: getattr(error, key) for key in ("error", "low", "high", "band_low", "band_high")}
    return rows


def _worst(fixed: Mapping[str, Any], name: str, kind: str, ensemble: Ensemble, truth: Ensemble) -> Rows:
    return [
        {
            **fixed,
            **_about(name, kind, ensemble),
            **{key: getattr(error, key) for key in ("quantity", *_LARGEST)},
        }
        for error in largest(weak_errors(truth, ensemble))
    ]


def curves_table(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Return curves as a pyarrow table with a fixed schema; numbers that are not finite are null."""
    return _table(rows, (*_CELL, *_MODEL, *_CURVE))


def largest_table(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Return the largest weak errors as a pyarrow table with a fixed schema."""
    return _table(rows, (*_CELL, *_MODEL, *_LARGEST))


def _table(rows: Iterable[Mapping[str, Any]], names: Iterable[str]) -> Any:
    import pyarrow as pa

    rows, names = list(rows), list(names)
    if any(row.get("reason") for row in rows):
        names.append("reason")
    types = [
        pa.string()
        if n in _TEXT
        else pa.bool_()
        if n == "detected"
        else pa.int64()
        if n in _INTEGER
        else pa.float64()
        for n in names
    ]
    arrays = [
        nullable([finite(row.get(n)) for row in rows], type_) for n, type_ in zip(names, types, strict=True)
    ]
    return with_others(pa.Table.from_arrays(arrays, names=names), rows)


def job(task: Task) -> str:
    """Measure an ensemble; write its curves and its largest weak errors; return a line about it."""
    curves, worst = make(task.given, task.log)
    provenance = {"version": __version__, "code": task.code}
    about = {"about": dict(task.given), "provenance": provenance}
    metadata = {METADATA_KEY: json.dumps(about, sort_keys=True)}
    for output, table in zip(task.outputs, (curves_table(curves), largest_table(worst)), strict=True):
        write_table(output, table.replace_schema_metadata(metadata))
    models = dict.fromkeys(row["model"] for row in worst)
    return f"{task.given['runs']} runs, {len(models)} models"
