"""Cells with leaps: what their jobs store, what the files record, and how their errors are judged."""

import numpy as np
import pytest

from idescent.analysis.errors import BELOW, reference_error
from idescent.analysis.floor import ABOVE_FLOOR
from idescent.config import load
from idescent.jobs import simulate, solve
from idescent.objectives import Quadratic
from idescent.products.errors import rows as error_rows
from idescent.store import trajectories
from idescent.study import provenance
from idescent.study.messages import ConfigError
from idescent.trajectory import sampled

BOWL = {"name": "bowl", "class": "Quadratic", "arguments": {"center": 4.0}}
SOLUTIONS = {
    name: {
        "name": name,
        "model": {"class": model, "arguments": {}},
        "solver": {"class": "Collocation", "arguments": {}},
        "rtol": 1e-11,
        "atol": 1e-13,
    }
    for name, model in (("paper", "Paper"), ("half-step", "HalfStep"))
}
STUDY = {
    "study": "leaps",
    "objectives": {"bowl": {"class": "Quadratic", "arguments": {"center": 4.0}}},
    "runs": [
        {
            "objective": "bowl",
            "optimizer": "RMSProp",
            "theta0": 1.0,
            "hyperparameters": {"beta": 0.9},
            "alpha": [1e-3, 1e-6],
            "time": 1.0,
            "leap": True,
        }
    ],
    "solutions": {"paper": {"model": "Paper", "solver": "Collocation"}},
}


def cell(alpha, leap=True, **given):
    return {
        "optimizer": {"class": "RMSProp", "arguments": {"beta": 0.9}},
        "alpha": alpha,
        "theta0": [1.0],
        "steps": round(1.0 / alpha),
        **({"leap": True} if leap else {}),
        **given,
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of the run and of two solutions at two learning rates."""
    root, paths = tmp_path_factory.mktemp("leaps"), []
    for alpha in (1e-3, 1e-6):
        folder = root / f"alpha~{alpha},beta~0.9"
        folder.mkdir()
        for name in ("discrete", *SOLUTIONS):
            spec = cell(alpha, **({} if name == "discrete" else {"solution": SOLUTIONS[name]}))
            stage = simulate if name == "discrete" else solve
            (path,) = stage.make([spec], Quadratic(4.0), lambda line: None)
            paths.append(folder / f"{name}.parquet")
            trajectories.write(paths[-1], path, {"objective": BOWL, **spec}, {})
    return paths


def test_run_and_solutions_of_a_long_cell_store_the_same_sample(files):
    for file in files:
        path, metadata = trajectories.read_with_metadata(file)
        steps = metadata["cell"]["steps"]
        k = np.arange(steps + 1) if steps == 1000 else sampled(steps)
        np.testing.assert_array_equal(path.k, k)
        assert file.stat().st_size < 300_000


def test_the_file_of_the_run_records_the_reference_and_its_error(files):
    short, long = (trajectories.read(file).report for file in files if file.stem == "discrete")
    assert short.details == {"reference": "run"}
    assert np.isnan(short.error_estimate)
    assert long.details["reference"] == "leap"
    assert 0.0 < long.error_estimate < 1e-12


def test_an_error_that_the_reference_cannot_measure_says_so(files):
    rows = error_rows.table(files).to_pylist()
    assert {row["reference"] for row in rows if row["alpha"] == 1e-3} == {"run"}
    assert {row["reference"] for row in rows if row["alpha"] == 1e-6} == {"leap"}
    run = trajectories.read(files[3])
    for row in rows:
        below = 0.0 < row["error"] < ABOVE_FLOOR * row["reference_error"]
        assert row["status"] == (BELOW if below else "converged")
        if row["alpha"] == 1e-6:
            own = reference_error(run, row["quantity"], row["error"], row["relative"])
            assert row["reference_error"] == own
    of_theta = {
        (row["alpha"], row["solution"]): row["status"]
        for row in rows
        if (row["quantity"], row["norm"], row["kind"]) == ("theta", "sup", "total")
    }
    assert of_theta == {
        (1e-3, "paper"): "converged",
        (1e-3, "half-step"): "converged",
        (1e-6, "paper"): "converged",
        (1e-6, "half-step"): BELOW,
    }


def test_a_cell_without_the_key_is_a_run_with_all_rows():
    (path,) = simulate.make([cell(1e-6, leap=False, steps=250_000)], Quadratic(4.0), lambda line: None)
    assert (len(path.k), path.report.details) == (250_001, {})


def test_cells_with_and_without_leaps_come_out_in_their_order():
    cells = [cell(1e-3, leap) for leap in (True, False, False, True, False)]
    paths = list(simulate.make(cells, Quadratic(4.0), lambda line: None))
    assert [bool(path.report.details) for path in paths] == [True, False, False, True, False]
    for path in paths[1:]:
        np.testing.assert_array_equal(path.theta, paths[0].theta)


def test_the_code_of_a_leap_counts_for_cells_with_leaps_only():
    def modules_of(leap):
        return provenance.modules("idescent.analysis.reference" if leap else "idescent.jobs.simulate")

    assert "idescent.solvers.leap" in modules_of(True)
    assert not any(name.startswith("idescent.solvers") for name in modules_of(False))
    digests = {provenance.cell_digest({"objective": BOWL, **cell(1e-3, leap)}) for leap in (True, False)}
    assert len(digests) == 2


def test_the_key_reaches_the_cells_and_a_forecast_refuses_it():
    study = load(STUDY)
    assert [entry.spec()["leap"] for entry in study.cells] == [True, True]
    without = load({**STUDY, "runs": [{**STUDY["runs"][0], "leap": False}]})
    assert all("leap" not in entry.spec() for entry in without.cells)
    with pytest.raises(ConfigError, match=r"forecast\.0\.leap: True is not allowed"):
        load({**STUDY, "forecast": STUDY["runs"]})
