"""How long a model holds: bounds, horizons and accuracies of paths made by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import idescent as ide
from idescent import config
from idescent.drawing.saving import styled
from idescent.objectives import Rosenbrock
from idescent.products.fidelity import rows as fidelity
from idescent.products.fidelity import sharpness
from idescent.products.fidelity import table as fidelity_table
from idescent.products.fidelity.figure import fidelity_figure
from idescent.store.trajectories import write
from idescent.study import registry
from idescent.trajectory import Report, Trajectory, assemble

STEPS = 100


def path(theta: Any, loss: Any, **report: Any) -> Trajectory:
    values = np.asarray(theta, dtype=float)
    given = Report(**{"status": "converged", "gradient_evaluations": 50} | report)
    return assemble(values.reshape(len(values), -1), np.asarray(loss, dtype=float), {}, 0.1, given)


def line() -> tuple[Trajectory, Trajectory]:
    """A run of constant loss 2, and a model whose relative error is k / 1000."""
    k = np.arange(STEPS + 1)
    run = path(k, np.full(STEPS + 1, 2.0), status="completed")
    return run, path(k + 0.01 * k, 2.0 * (1.0 + k / 1000.0))


def test_the_horizon_is_the_last_iteration_within_the_bound() -> None:
    k, errors = fidelity.relative_errors(*line())
    assert fidelity.horizon(k, errors["loss"], 0.0105) == 10
    assert fidelity.horizon(k, errors["loss"], 0.05005) == 50
    assert fidelity.horizon(k, errors["loss"], 0.2) == STEPS
    # The way of the run is 100; at k the model is 0.01 k away.
    assert errors["theta"] == pytest.approx(k * 1e-4)


def test_a_return_into_the_bound_does_not_count() -> None:
    k = np.arange(5)
    assert fidelity.horizon(k, np.array([0.0, 0.0, 0.2, 0.0, 0.0]), 0.1) == 1
    assert fidelity.horizon(k, np.array([0.2, 0.0, 0.0, 0.0, 0.0]), 0.1) == -1


def test_losses_near_zero_are_measured_against_a_thousandth_of_the_first() -> None:
    run = path(np.arange(3), [1.0, 1e-3, 0.0], status="completed")
    model = path(np.arange(3), [1.0, 1.1e-3, 1e-4])
    _, errors = fidelity.relative_errors(run, model)
    assert errors["loss"] == pytest.approx([0.0, 0.1, 0.1])


def test_a_diverged_model_holds_until_then_only() -> None:
    run, model = line()
    loss = model.loss.copy()
    loss[40:] = math.nan
    k, errors = fidelity.relative_errors(run, path(model.theta, loss, status="diverged", diverged_at=40))
    assert fidelity.horizon(k, errors["loss"], 0.5) == 39


def test_where_the_solver_gave_up_within_the_bound_the_model_may_hold_longer() -> None:
    run, model = line()
    loss = model.loss.copy()
    loss[40:] = math.nan
    stopped = path(model.theta, loss, status="not converged", diverged_at=40)
    diverged = path(model.theta, loss, status="diverged", diverged_at=40)
    inaccurate = path(model.theta, model.loss, status="not converged")
    k, errors = fidelity.relative_errors(run, stopped)
    held = [fidelity.horizon(k, errors["loss"], bound) for bound in (0.0205, 0.5)]
    assert held == [20, 39]
    assert [fidelity.unsolved(stopped, k, at) for at in held] == [False, True]
    assert not fidelity.unsolved(diverged, k, 39)
    assert not fidelity.unsolved(inaccurate, k, 39)
    assert not fidelity.unsolved(stopped, k, STEPS)


def test_the_table_says_that_such_a_horizon_is_a_lower_bound(tmp_path: Path) -> None:
    run, model = line()
    loss = model.loss.copy()
    loss[40:] = math.nan
    cell = {
        "objective": {"name": "halves", "class": "Halves"},
        "optimizer": {"class": "Adam", "arguments": {"beta1": 0.9, "beta2": 0.99}},
        "alpha": 0.1,
    }
    write(tmp_path / "discrete.parquet", run, cell, {})
    stopped = path(model.theta, loss, status="not converged", diverged_at=40)
    write(tmp_path / "model.parquet", stopped, cell | {"solution": {"name": "model"}}, {})
    files = [tmp_path / f"{name}.parquet" for name in ("discrete", "model")]
    table = fidelity.as_table(fidelity.rows(files, [0.0105, 0.2], None))
    outputs = [tmp_path / "fidelity.md", tmp_path / "fidelity.tex"]
    fidelity_table.write(table, outputs)
    assert "| model | 10 | ≥ 39 | – |" in outputs[0].read_text(encoding="utf-8")
    assert r"10 & $\geq$\,39 & --" in outputs[1].read_text(encoding="utf-8")


class Halves:
    """Classifies a fraction theta of all samples correctly."""

    def accuracy(self, theta: Any) -> float:
        return float(theta[0]) / 200.0


@pytest.fixture
def table(tmp_path: Path) -> Any:
    run, model = line()
    cell = {
        "objective": {"name": "halves", "class": "Halves"},
        "optimizer": {"class": "Adam", "arguments": {"beta1": 0.9, "beta2": 0.99}},
        "alpha": 0.1,
        "theta0": [0.0],
        "steps": STEPS,
    }
    write(tmp_path / "discrete.parquet", run, cell, {})
    write(tmp_path / "model.parquet", model, {**cell, "solution": {"name": "model"}}, {})
    files = [tmp_path / f"{name}.parquet" for name in ("discrete", "model")]
    return fidelity.as_table(fidelity.rows(files, [0.0105, 0.05005, 0.2], Halves()))


def test_rows_say_how_long_how_far_how_accurate_and_at_what_cost(table: Any) -> None:
    rows = table.to_pylist()
    assert [row["horizon"] for row in rows if row["quantity"] == "loss"] == [10, 50, 100]
    assert {row["accuracy_run"] for row in rows} == {0.5}
    assert rows[0]["accuracy"] == pytest.approx(0.505)
    assert rows[0]["accuracy_gap"] == pytest.approx(0.005)
    assert (rows[0]["largest"], rows[0]["last"]) == pytest.approx((0.1, 0.1))
    assert rows[0]["gradient_evaluations"] == rows[0]["run_gradient_evaluations"] == 50


def test_the_table_says_the_same_in_every_format(table: Any, tmp_path: Path) -> None:
    outputs = [tmp_path / f"fidelity{suffix}" for suffix in (".parquet", ".csv", ".md", ".tex")]
    fidelity_table.write(table, outputs)
    assert pq.read_table(outputs[0]).to_pylist() == table.to_pylist()
    said = next(line for line in outputs[2].read_text(encoding="utf-8").splitlines() if "Adam" in line)
    cells = [cell.strip() for cell in said.strip("| ").split("|")]
    assert cells[4:] == ["model", "10", "50", "all", "1.00e-1", "1.00e-2", "50.0%", "0.5%", "1", "converged"]
    assert "10 & 50 & all" in outputs[3].read_text(encoding="utf-8")


def test_a_cell_without_its_run_is_refused(tmp_path: Path) -> None:
    _, model = line()
    cell = {"optimizer": {}, "solution": {"name": "model"}}
    write(tmp_path / "model.parquet", model, cell, {})
    with pytest.raises(ValueError, match="0 discrete runs"):
        fidelity.rows([tmp_path / "model.parquet"], [0.1], None)


def test_the_figure_marks_where_a_model_left_a_bound_but_not_where_the_solver_gave_up() -> None:
    run, model = line()
    loss = model.loss.copy()
    loss[40:] = math.nan
    stopped = path(model.theta, loss, status="not converged", diverged_at=40)
    none = path(model.theta, np.where(np.arange(STEPS + 1) > 0, math.nan, 2.0), status="not converged")
    cell = {
        "cell": {"optimizer": {"class": "Adam", "arguments": {"beta1": 0.9, "beta2": 0.99}}, "alpha": 0.1}
    }
    solutions = {
        "discrete": (run, cell),
        "whole": (model, cell),
        "stopped": (stopped, cell),
        "none": (none, cell),
    }
    models = {"whole": "paper", "stopped": "half-step", "none": "local"}
    with styled():
        figure = fidelity_figure([solutions], models, [0.0205, 0.0505])
    points = [
        (str(drawn.get_marker()), float(drawn.get_xdata()[0]), float(drawn.get_ydata()[0]))
        for drawn in figure.axes[1].lines
        if drawn.get_marker() != "None" and len(drawn.get_xdata()) == 1
    ]
    assert [point for point in points if point[0] == "o"] == [("o", 20.0, 0.0205), ("o", 50.0, 0.0505)]
    assert [point[1] for point in points if point[0] == "s"] == [20.0]
    assert [point[1:] for point in points if point[0] == "x"] == [(39.0, pytest.approx(0.039)), (0.0, 1e-7)]
    # Nothing of the third model was solved, so that it has left no bound.
    assert not [point for point in points if point[0] == "v"]


def test_a_second_solution_of_a_model_and_a_long_title_are_told_apart() -> None:
    run, model = line()
    cell = {"optimizer": {"class": "AdamW", "arguments": {"beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1}}}
    metadata = {"cell": cell | {"alpha": 0.1}}
    solutions = dict.fromkeys(("discrete", "paper", "algorithm-4", "again"), (model, metadata))
    solutions["discrete"] = (run, metadata)
    with styled():
        figure = fidelity_figure([solutions], dict.fromkeys(solutions, "paper"), [0.1])
    assert figure.axes[0].get_title().count("\n") == 2
    entries = {str(key.get_label()): key for key in figure.legends[0].get_lines()}
    keys = [entries[name] for name in ("discrete run", "IDE of the paper", "Algorithm 4", "again")]
    assert len({(key.get_color(), key.get_marker()) for key in keys}) == 4


VALLEY: dict[str, Any] = {
    "study": "valley",
    "objectives": {"valley": "Rosenbrock"},
    "runs": [
        {
            "objective": "valley",
            "optimizer": "RMSProp",
            "theta0": [-1.2, 1.0],
            "hyperparameters": {"beta": 0.9},
            "alpha": [0.03, 0.001],
            "steps": 60,
        },
        {
            "objective": "valley",
            "optimizer": "Signum",
            "theta0": [-1.2, 1.0],
            "hyperparameters": {"beta": 0.9},
            "alpha": [0.001],
            "steps": 60,
        },
    ],
    "solutions": {"half-step": {"model": "HalfStep", "solver": "Collocation", "rtol": 1e-5, "atol": 1e-8}},
}


@pytest.fixture(scope="module")
def valley(tmp_path_factory: Any) -> list[Path]:
    """The files of all cells of the valley."""
    folder, objective, files = tmp_path_factory.mktemp("valley"), Rosenbrock(), []
    for cell in config.load(VALLEY).cells:
        optimizer = registry.optimizer(cell.optimizer)
        setting: dict[str, Any] = {"alpha": cell.alpha, "theta0": cell.theta0, "steps": cell.steps}
        run = ide.simulate(optimizer, objective, **setting)
        half_step = ide.solve(ide.models.HalfStep(), optimizer, objective, **setting, rtol=1e-5, atol=1e-8)
        place = folder / cell.folder
        place.mkdir(parents=True)
        write(place / "discrete.parquet", run, cell.spec(), {})
        write(place / "half-step.parquet", half_step, {**cell.spec(), "solution": {"name": "half-step"}}, {})
        files += [place / "discrete.parquet", place / "half-step.parquet"]
    return files


def test_the_sharpness_adds_columns_and_changes_no_other(valley: list[Path]) -> None:
    plain = fidelity.as_table(fidelity.rows(valley, [0.1], Rosenbrock()))
    table = fidelity.as_table(sharpness.rows(valley, [0.1], Rosenbrock()))
    assert table.select(plain.column_names).equals(plain)
    assert set(table.column_names) - set(plain.column_names) == set(fidelity.EDGE)
    rows = {(r["optimizer"], r["alpha"]): r for r in table.to_pylist() if r["quantity"] == "loss"}
    edge, below = rows["RMSProp", 0.03], rows["RMSProp", 0.001]
    assert edge["edge"] == "at the edge"
    assert edge["edge_since"] <= edge["horizon"] < 60
    assert edge["sharpness"] > 1.0 > below["sharpness"]
    assert (below["edge"], below["edge_since"], below["horizon"]) == ("holds", None, 60)
    assert below["hessian_vector_products"] > 0
    signum = rows["Signum", 0.001]
    assert (signum["edge"], signum["sharpness"]) == ("no limit", None)
    assert signum["edge_message"].startswith("Signum: edge needs a step that is linear in the gradient")


def test_the_table_has_the_first_crossing_in_every_format(valley: list[Path], tmp_path: Path) -> None:
    outputs = [tmp_path / f"fidelity{suffix}" for suffix in (".parquet", ".md", ".tex")]
    table = fidelity.as_table(sharpness.rows(valley, [0.1], Rosenbrock()))
    fidelity_table.write(table, outputs)
    lines = outputs[1].read_text(encoding="utf-8").splitlines()
    head = next(line for line in lines if line.startswith("| optimizer"))
    column = [cell.strip() for cell in head.split("|")].index("edge")
    cells = {
        (entries[1], entries[3]): entries[column]
        for entries in ([cell.strip() for cell in line.split("|")] for line in lines if "half-step" in line)
    }
    since = next(r["edge_since"] for r in table.to_pylist() if r["edge"] == "at the edge")
    assert cells == {("RMSProp", "0.03"): str(since), ("RMSProp", "0.001"): "never", ("Signum", "0.001"): "–"}
    latex = outputs[2].read_text(encoding="utf-8")
    assert "Edge & Loss" in latex
    assert "–" not in latex


def test_a_study_asks_for_the_sharpness_by_a_key() -> None:
    plain, asked = ({**VALLEY, "fidelity": section} for section in ({}, {"edge": True}))
    functions, codes = [], []
    for raw in (plain, asked):
        rule = next(rule for rule in config.rules(config.load(raw)) if rule.name == "fidelity_pack")
        functions.append(rule.function)
        codes.append([job.code for job in rule.jobs])
    assert functions == [f"idescent.products.fidelity.{name}:job" for name in ("rows", "sharpness")]
    # The code of the optimizer counts: one digest for each.
    assert (len(set(codes[0])), len(set(codes[1]))) == (1, 2)


def test_a_dense_oscillation_of_the_loss_is_a_band_between_its_ends():
    from matplotlib.figure import Figure

    from idescent.products.fidelity.figure import _plot

    ax = Figure().subplots()
    k = np.arange(2001)
    _plot(ax, k, np.where(k % 2, 1e-2, 1e-4), log=True, color="black")
    (band,) = ax.collections
    up = band.get_paths()[0].vertices[:, 1]
    assert (up.min(), up.max()) == (pytest.approx(1e-4), pytest.approx(1e-2))
