"""Ensembles of a study: what is told of the runs is what the runs do, whoever makes them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from idescent import config
from idescent.drawing.saving import save, styled
from idescent.objectives import MeanSquaredError
from idescent.products.ensembles import figure as ensembles_figure
from idescent.products.ensembles import rows as ensembles
from idescent.products.ensembles import table as ensembles_table
from idescent.stochastic.streams import batches

STUDY: dict[str, Any] = {
    "study": "crowd",
    "objectives": {"mse": {"class": "MeanSquaredError.synthetic", "arguments": {"size": 40}}},
    "runs": [
        {"objective": "mse", "optimizer": "AdaGrad", "theta0": 0.0, "alpha": 0.1, "steps": 5},
    ],
    "solutions": {"half-step": {"model": "HalfStep", "solver": "Collocation", "rtol": 1e-6, "atol": 1e-9}},
    "ensembles": [
        {
            "objective": "mse",
            "optimizer": "RMSProp",
            "theta0": 0.0,
            "hyperparameters": {"beta": 0.9},
            "alpha": [0.05],
            "steps": 30,
            "batch": [4, 40],
            "runs": 25,
            "seed": 7,
            "noise": ["half-step"],
            "equations": ["Compagnoni"],
            "substeps": 2,
            "start": 5,
            "points": 10,
        }
    ],
}


@pytest.fixture(scope="module")
def made() -> tuple[Any, Any]:
    given = next(iter(config.load(STUDY).settings["ensembles"].values()))
    return ensembles.make(given, lambda _: None)


def test_the_mean_of_the_runs_is_that_of_a_plain_loop(made: Any) -> None:
    objective = MeanSquaredError.synthetic(size=40)
    losses = np.zeros((25, 31))
    for run in range(25):
        theta, v = 0.0, 0.0
        drawn = batches(40, 4, seed=7, runs=range(run, run + 1))
        losses[run, 0] = objective.value(np.array([theta]))
        for k in range(1, 31):
            chosen = next(drawn)[0]
            x, y = objective.x[chosen], objective.y[chosen]
            g = 2.0 * np.mean(x * (theta * x - y))
            v = 0.9 * v + 0.1 * g * g
            theta -= 0.05 * g / (np.sqrt(v) + 1e-8)
            losses[run, k] = objective.value(np.array([theta]))
    rows = [row for row in made[0] if row["model"] == ensembles.RUNS]
    assert [row["k"] for row in rows] == list(range(0, 31, 3))
    assert [row["mean"] for row in rows] == pytest.approx(losses.mean(axis=0)[::3], rel=1e-9)


def test_every_model_has_its_curves_and_its_largest_error(made: Any) -> None:
    curves, worst = made
    assert {(row["model"], row["kind"]) for row in worst} == {
        ("half-step", "full gradient"),
        ("half-step, noise in v", "noise in v"),
        ("compagnoni", "equation"),
    }
    for row in worst:
        mine = [c for c in curves if (c["model"], c["quantity"]) == (row["model"], row["quantity"])]
        assert row["error"] == pytest.approx(max(abs(c["error"]) for c in mine))
        assert row["detected"] == any(c["band_low"] > 0.0 or c["band_high"] < 0.0 for c in mine)


def test_noise_in_the_second_moments_brings_the_model_nearer_to_the_mean() -> None:
    """For a long memory: with a rate of 0.9, as in the other tests, the fluctuation of v is not small."""
    betas = {"beta1": 0.9, "beta2": 0.99}
    change = {"optimizer": "Adam", "hyperparameters": betas, "alpha": 0.01, "batch": 4}
    more = {"steps": 100, "runs": 100, "equations": []}
    study = {**STUDY, "ensembles": [STUDY["ensembles"][0] | change | more]}
    (given,) = config.load(study).settings["ensembles"].values()
    rows = {row["model"]: row for row in ensembles.make(given, lambda _: None)[1]}
    plain, noisy = rows["half-step"], rows["half-step, noise in v"]
    assert noisy["error"] < 0.2 * plain["error"]
    # The noise is evaluated at least wherever the gradient is.
    assert noisy["gradients"] > 1.5 * plain["gradients"]


def test_a_model_without_second_moments_has_a_refused_row_for_its_noise() -> None:
    change = {"optimizer": "HeavyBall", "hyperparameters": {"beta": 0.9}, "alpha": 0.001, "batch": 4}
    study = {**STUDY, "ensembles": [STUDY["ensembles"][0] | change | {"runs": 3, "equations": []}]}
    (given,) = config.load(study).settings["ensembles"].values()
    rows = {row["model"]: row for row in ensembles.make(given, lambda _: None)[1]}
    assert rows["half-step"]["status"] == "converged"
    assert rows["half-step, noise in v"]["status"] == "refused"
    assert "HeavyBall: it has no memory of the square" in rows["half-step, noise in v"]["reason"]


def test_the_tables_say_the_same_in_every_format(made: Any, tmp_path: Path) -> None:
    table = ensembles.largest_table(made[1])
    outputs = [tmp_path / f"ensembles{suffix}" for suffix in (".parquet", ".csv", ".md", ".tex")]
    ensembles_table.write(table, outputs)
    assert pq.read_table(outputs[0]).to_pylist() == table.to_pylist()
    lines = [
        line for line in outputs[2].read_text(encoding="utf-8").splitlines() if line.startswith("| RMSProp")
    ]
    assert len(lines) == 3
    assert "compagnoni" in outputs[3].read_text(encoding="utf-8")


def test_ensembles_that_differ_in_any_hyperparameter_differ_in_tables_and_titles() -> None:
    change = {"optimizer": "QHM", "hyperparameters": {"beta": 0.9, "nu": [0.7, 0.8]}, "batch": 4}
    study = {**STUDY, "ensembles": [STUDY["ensembles"][0] | change | {"runs": 3, "equations": []}]}
    settings = config.load(study).settings["ensembles"].values()
    parts = [ensembles.make(given, lambda _: None) for given in settings]
    table = ensembles.largest_table([row for _, worst in parts for row in worst])
    assert set(table["optimizer.nu"].to_pylist()) == {0.7, 0.8}
    text = ensembles_table.markdown(table.to_pylist())
    tex = ensembles_table.latex(table.to_pylist())
    for nu, (curves, _) in zip((0.7, 0.8), parts, strict=True):
        assert f"| QHM | 0.9, ν = {nu} |" in text
        assert rf"QHM & 0.9, $\nu$ = {nu} &" in tex
        assert rf"$\nu$ = {nu}" in ensembles_figure._title(ensembles.curves_table(curves).to_pylist()[0])


def test_a_study_names_its_ensembles_by_cell_and_batch() -> None:
    assert list(config.load(STUDY).settings["ensembles"]) == [
        "mse/RMSProp/alpha~0.05+beta~0.9+batch~4",
        "mse/RMSProp/alpha~0.05+beta~0.9+batch~40",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"batch": 0}, "config: ensembles.0.batch.0: 0 is not allowed: must be an integer >= 1"),
        ({"runs": "many"}, "config: ensembles.0.runs: 'many' is not allowed: must be an integer >= 1"),
        ({"seed": -1}, "config: ensembles.0.seed: -1 is not allowed: must be an integer >= 0"),
        ({"objective": "none"}, "config: ensembles.0.objective: 'none' is not allowed"),
        ({"equations": ["Langevin"]}, "config: ensembles.0.equations.0: 'Langevin' is not allowed"),
        ({"noise": ["paper"]}, "config: ensembles.0.noise: 'paper' is not allowed: must be one of half-step"),
        ({"solutions": ["paper"]}, "config: ensembles.0.solutions: 'paper' is not allowed"),
    ],
)
def test_a_mistake_is_one_line(change: dict[str, Any], said: str) -> None:
    wrong = copy.deepcopy(STUDY)
    wrong["ensembles"][0] |= change
    with pytest.raises(config.ConfigError) as refused:
        config.load(wrong)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


# --- figures ----------------------------------------------------------------------------------------------


def curve(name: str, **columns: list[float | None]) -> list[dict[str, Any]]:
    """Rows of one model at k = 0, 1, ..."""
    fixed = {"optimizer": "RMSProp", "beta": 0.9, "beta1": None, "beta2": None, "alpha": 0.1, "batch": 2}
    keys = fixed | {"model": name, "status": "converged", "quantity": "loss"}
    values = zip(*columns.values(), strict=True)
    return [keys | {"k": k} | dict(zip(columns, row, strict=True)) for k, row in enumerate(values)]


RUN = curve(ensembles.RUNS, mean=[4.0, 2.0, 1.0], q05=[3.0, 1.5, 0.5], q95=[5.0, 3.0, 2.0])


def axes(*models: list[dict[str, Any]]) -> tuple[Any, Any]:
    with styled():
        figure = ensembles_figure.ensembles_figure([[*RUN, *(row for rows in models for row in rows)]])
    above, below = figure.axes
    return above, below


def band(ax: Any) -> list[tuple[float, float, float]]:
    """Iteration and both ends of the only band."""
    (collection,) = ax.collections
    corners = collection.get_paths()[0].vertices
    ks = sorted(set(corners[:, 0]))
    ends = [corners[corners[:, 0] == k, 1] for k in ks]
    return [(k, float(end.min()), float(end.max())) for k, end in zip(ks, ends, strict=True)]


def test_the_mean_of_the_runs_and_the_range_of_most_are_drawn_as_they_are_in_the_table() -> None:
    above, _ = axes()
    (mean,) = above.lines
    assert mean.get_xydata().tolist() == [[0.0, 4.0], [1.0, 2.0], [2.0, 1.0]]
    assert band(above) == [(0.0, 3.0, 5.0), (1.0, 1.5, 3.0), (2.0, 0.5, 2.0)]


def test_a_difference_has_its_band_down_to_the_frame_where_it_is_not_told_from_zero() -> None:
    model = curve(
        "paper",
        mean=[5.0, 1.0, 1.5],
        error=[1.0, -1.0, 0.5],
        band_low=[0.5, -2.0, -0.25],
        band_high=[2.0, -0.5, 1.0],
    )
    _, below = axes(model)
    (line,) = below.lines
    assert line.get_ydata().tolist() == [1.0, 1.0, 0.5]
    assert band(below) == [(0.0, 0.5, 2.0), (1.0, 0.5, 2.0), (2.0, 1e-6, 1.0)]


def test_a_missing_value_interrupts_curve_and_band() -> None:
    gap = [1.0, 1.0, None, 1.0, 1.0]
    runs = curve(ensembles.RUNS, mean=gap, q05=gap, q95=gap)
    with styled():
        figure = ensembles_figure.ensembles_figure([runs])
    assert [line.get_xdata().tolist() for line in figure.axes[0].lines] == [[0.0, 1.0], [3.0, 4.0]]
    assert len(figure.axes[0].collections) == 2


def test_the_same_ensembles_have_the_same_bytes(tmp_path: Path) -> None:
    model = curve(
        "paper", mean=[5.0, 1.0, 1.5], error=[1.0, 1.0, 1.0], band_low=[0.5] * 3, band_high=[2.0] * 3
    )
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        with styled():
            figure = ensembles_figure.ensembles_figure([[*RUN, *model]])
            save(figure, [folder / f"f{suffix}" for suffix in (".pdf", ".svg", ".png")], "Title", "Caption.")
    for suffix in (".pdf", ".svg", ".png"):
        first, second = (tmp_path / folder / f"f{suffix}" for folder in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()
