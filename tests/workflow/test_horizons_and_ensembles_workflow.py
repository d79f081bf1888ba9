"""How long models hold, and ensembles of mini-batch runs, in the workflow: made where a study asks."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
from projects import STUDY, Project

import idescent as ide

pytestmark = pytest.mark.workflow

SUFFIXES = ("parquet", "csv", "md", "tex")
ENSEMBLE = {
    "objective": "mse",
    "optimizer": "Adam",
    "theta0": 0.0,
    "hyperparameters": {"beta1": 0.9, "beta2": 0.99},
    "alpha": [0.03, 0.01],
    "steps": 12,
    "batch": [2],
    "runs": 6,
    "equations": ["Malladi"],
    "start": 4,
}
MSE = {"class": "MeanSquaredError.synthetic", "arguments": {"seed": 42}}


def drawn(project: Project, beginning: str) -> set[str]:
    return {file.name for file in (project.results / "figures").glob(f"{beginning}*")}


def test_asking_how_long_models_hold_makes_table_and_curves_and_solves_nothing_again(done: Project) -> None:
    done.configure({**STUDY, "fidelity": {"curves": ["quadratic"]}})
    jobs = done.succeed()
    assert (jobs["fidelity_pack"], jobs["fidelity"], jobs["fidelity_figure"]) == (3, 1, 2)
    assert not {"simulate", "solve", "compare"} & set(jobs)
    assert all((done.results / f"tables/fidelity.{suffix}").is_file() for suffix in SUFFIXES)
    figures = {
        f"fidelity_quadratic_{name}.{s}" for name in ("AdaGrad", "Adam") for s in ("pdf", "png", "svg")
    }
    assert drawn(done, "fidelity") == figures
    rows = pq.read_table(done.results / "tables/fidelity.parquet").to_pylist()
    assert {(row["optimizer"], row["alpha"]) for row in rows} == {
        ("AdaGrad", 0.1),
        ("AdaGrad", 0.05),
        ("Adam", 0.1),
    }
    assert done.succeed() == {}
    # The sharpness measures again, and changes no other column.
    done.configure({**STUDY, "fidelity": {"curves": ["quadratic"], "edge": True}})
    assert done.succeed()["fidelity_pack"] == 3
    measured = pq.read_table(done.results / "tables/fidelity.parquet").to_pylist()
    assert [{name: row[name] for name in rows[0]} for row in measured] == rows
    assert {row["edge"] for row in measured} <= {"holds", "at the edge", "left"}
    assert all(row["sharpness"] > 0.0 for row in measured)


def test_equations_without_an_iteration_left_are_refused_before_anything_runs(fresh: Project) -> None:
    objectives = {**STUDY["objectives"], "mse": MSE}
    fresh.configure({**STUDY, "objectives": objectives, "ensembles": [{**ENSEMBLE, "start": 12}]})
    outcome = fresh.run()
    assert outcome.status == 1
    assert outcome.text.splitlines()[-1] == (
        "config: ensembles.0.start: 12 is not allowed: must be below the 12 iterations at alpha = 0.03"
    )
    assert not fresh.results.exists()


def test_an_ensemble_runs_alone_where_it_is_added_and_is_that_of_its_formulas(done: Project) -> None:
    objectives = {**STUDY["objectives"], "mse": MSE}
    done.configure({**STUDY, "objectives": objectives, "ensembles": [ENSEMBLE]})
    jobs = done.succeed()
    assert (jobs["ensemble"], jobs["ensembles"], jobs["ensembles_figure"]) == (2, 1, 1)
    assert not {"simulate", "solve", "compare"} & set(jobs)
    assert all((done.results / f"tables/ensembles.{suffix}").is_file() for suffix in SUFFIXES)
    assert len(drawn(done, "ensembles_mse_Adam")) == 3
    files = sorted((done.results / "ensembles").rglob("*.parquet"))
    curves = [row for file in files for row in pq.read_table(file).to_pylist() if "mean" in row]
    # With the full gradient nothing is random: the mean of such runs is the run that `simulate` makes.
    full = ide.simulate(
        ide.Adam(0.9, 0.99),
        ide.objectives.MeanSquaredError.synthetic(seed=42),
        alpha=0.03,
        theta0=0.0,
        steps=12,
    )
    starts = [row["mean"] for row in curves if row["k"] == 0 and row["quantity"] == "loss"]
    assert starts == pytest.approx([full.loss[0]] * len(starts), rel=1e-12)
    before = done.contents()
    assert done.succeed("--forcerun", "ensemble")["ensemble"] == 2
    after = done.contents()
    assert {name: after[name] for name in before if name.startswith("ensembles/")} == {
        name: content for name, content in before.items() if name.startswith("ensembles/")
    }
