"""``idescent predict``: its numbers are those of ide.predict, and a stored run is continued."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from calling import named

import idescent as ide
from idescent import cli
from idescent.objectives import Rosenbrock
from idescent.store import trajectories

VALLEY = ["Adam", "--objective", "Rosenbrock", "--alpha", "0.001", "--steps", "1500"]
START = ["--theta0", "-1.2,1"]
QUADRATIC = ["Adam", "--alpha", "0.001", "--steps", "100"]


def printed(capsys, *words):
    assert cli.main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_losses_are_those_of_the_run_within_twice_the_estimate(capsys):
    result = printed(capsys, "predict", *VALLEY, *START, "--at", "0,100,1000,1500")
    run = ide.simulate(
        ide.Adam(0.9, 0.999), Rosenbrock(), alpha=1e-3, theta0=[-1.2, 1.0], steps=1500, keep=result["k"]
    )
    assert result["k"] == [0, 100, 1000, 1500]
    errors = np.abs(np.array(result["loss"]) - run.loss) / run.loss
    estimate = result["report"]["error_estimate"]
    assert 0.0 < errors.max() <= 2.0 * estimate <= 0.02
    assert max(result["error"]) <= estimate
    np.testing.assert_allclose(result["theta_norm"], np.linalg.norm(run.theta, axis=1), rtol=1e-2)
    assert result["report"]["status"] == "estimated"
    assert result["report"]["gradient_evaluations"] < 0.3 * 1500


def test_the_table_ends_with_status_estimate_and_cost(capsys):
    assert cli.main(["predict", *VALLEY, *START]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    lines = output.out.splitlines()
    assert lines[2].split() == ["k", "t", "loss", "error", "|theta|"]
    assert [line.split()[0] for line in (lines[3], lines[-4])] == ["0", "1500"]
    legend, status, cost = lines[-3:]
    assert "Euclidean norm over 2 coordinates" in legend
    match = re.fullmatch(r"estimated: relative error .*; (\d+) gradients for 1500 iterations", status)
    ratios = re.fullmatch(r"(\S+) gradients an iteration, (\S+) without .*; the run needs 1", cost)
    assert float(ratios[1]) == pytest.approx(int(match[1]) / 1500, rel=0.05)
    assert float(ratios[2]) < float(ratios[1])


def test_the_csv_file_has_every_iteration_with_an_estimate(folder, capsys):
    assert cli.main(["predict", *VALLEY, *START, "--output", "prediction.csv"]) == 0
    assert capsys.readouterr().out.startswith("prediction.csv: ")
    start = [-1.2, 1.0]
    result = ide.predict(ide.Adam(0.9, 0.999), Rosenbrock(), alpha=1e-3, start=start, steps=1500)
    with Path("prediction.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["k"]) for row in rows] == result.k.tolist()
    np.testing.assert_allclose([float(row["loss"]) for row in rows], result.losses, rtol=1e-12)
    np.testing.assert_allclose([float(row["error"]) for row in rows], result.errors, rtol=1e-12)
    assert set(rows[0]) == {"k", "t", "loss", "error", "theta_norm"}


def test_a_stored_run_is_continued_with_its_moments(folder, capsys):
    words = [*VALLEY[:-1], "400", *START]
    assert cli.main(["simulate", *words, "--output", "run.parquet"]) == 0
    capsys.readouterr()
    words = [*VALLEY[:-1], "600"]
    result = printed(capsys, "predict", *words, "--from", "run.parquet:250")
    expected = ide.predict(
        ide.Adam(0.9, 0.999),
        Rosenbrock(),
        alpha=1e-3,
        start=(trajectories.read("run.parquet"), 250),
        steps=600,
    )
    assert (result["first"], result["k"][0], result["k"][-1]) == (250, 250, 850)
    np.testing.assert_allclose(result["loss"], expected.loss(result["k"]), rtol=1e-12)
    run = ide.simulate(ide.Adam(0.9, 0.999), Rosenbrock(), alpha=1e-3, theta0=[-1.2, 1.0], steps=850)
    np.testing.assert_allclose(result["loss"], run.loss[result["k"]], rtol=0.01)
    # Without K: the last stored iteration.
    assert printed(capsys, "predict", *words, "--from", "run.parquet")["k"][0] == 400


def test_iterations_of_the_optimizer_are_made_first(capsys):
    gradients = []
    for count in ("0", "5", "20"):
        result = printed(capsys, "predict", *QUADRATIC, "--start-iterations", count, "--at", "0,20")
        run = ide.simulate(ide.Adam(0.9, 0.999), ide.Quadratic(), alpha=1e-3, theta0=1.0, steps=20)
        gradients.append(result["report"]["details"]["path"])
        if count == "20":
            assert result["theta"][1] == run.theta[20, 0]
    assert gradients == sorted(set(gradients))


def test_a_constant_step_and_a_budget_are_kept(capsys):
    words = ["predict", *QUADRATIC[:-1], "1000", "--theta0", "-1"]
    assert printed(capsys, *words, "--step", "16")["report"]["details"]["largest_step"] == 16.0
    assert cli.main([*words, "--budget", "90"]) == 0
    output = capsys.readouterr()
    assert output.err.startswith("note: estimated: budget used up at iteration ")
    assert output.err.count("\n") == 1
    last, count = re.search(r"iteration (\d+) of 1000; .*?(\d+) gradients for", output.out).groups()
    assert int(count) <= 90
    assert int(last) > 8
    assert output.out.splitlines()[-4].split()[0] == last


def recorded(folder, size=1, **more):
    with ide.Recorder(
        folder / "recorded.parquet", optimizer=ide.Adam(0.9, 0.999), alpha=1e-3, **more
    ) as recorder:
        for k in range(5):
            recorder(k, np.full(size, 1.0 + k), 1.0)


def test_a_recorded_run_starts_at_its_first_iteration(folder, capsys):
    recorded(folder)
    result = printed(capsys, "predict", *QUADRATIC, "--from", "recorded.parquet:0")
    assert result["loss"] == printed(capsys, "predict", *QUADRATIC)["loss"]


@pytest.mark.parametrize(
    ("words", "status", "parts"),
    [
        (["--from", "none.parquet:3"], 1, ["none.parquet", "no such file"]),
        (["--from", "mine_cli.py"], 1, ["mine_cli.py", "not a whole trajectory file"]),
        (["--from", "run.parquet:x"], 1, ["--from", "'run.parquet:x'", "FILE:K"]),
        (["--from", "run.parquet:101"], 1, ["--from", "101", "such as 100"]),
        (["--from", "run.parquet:-1"], 1, ["--from", "-1", "such as 0"]),
        (["--from", "run.parquet", "--theta0", "1"], 1, ["--theta0", "--from"]),
        (["--from", "run.parquet", "--at", "99"], 1, ["--at", "99", "[100, 200]"]),
        (["--from", "run.parquet", "--alpha", "0.01"], 1, ["run.parquet", "alpha is 0.001, not 0.01"]),
        (["--from", "run.parquet", "--beta1", "0.8"], 1, ["run.parquet", "beta1=0.9", "beta1=0.8"]),
        (["--from", "run.parquet", "--set", "center=3"], 1, ["objective is Quadratic, not", "center=3"]),
        (["--from", "half.parquet"], 1, ["half.parquet", "half-step.exact", "not a discrete run"]),
        (["--from", "recorded.parquet"], 1, ["recorded.parquet", "'m'", "only iteration 0"]),
        (["--from", "projected.parquet"], 1, ["projected.parquet", "projections"]),
        (["--from", "cosine.parquet"], 1, ["cosine.parquet", "Cosine(steps=100), not constant"]),
        (
            ["--from", "wide.parquet:0", "--objective", "Rosenbrock"],
            1,
            ["--from", "wide.parquet has 3", "Rosenbrock has 2"],
        ),
        (["--start-iterations", "-1"], 1, ["--start-iterations", "-1", ">= 0"]),
        (["--start-iterations", "1.5"], 2, ["--start-iterations", "'1.5'"]),
        (["--tolerance", "1"], 1, ["tolerance", "1.0", "(0, 1)"]),
        (["--budget", "9"], 1, ["budget", "9", "the start needs 10"]),
        (["--budget", "0"], 1, ["budget", "0", ">= 1"]),
        (["--step", "2.5"], 1, ["step", "2.5", "power of 1/2"]),
        (["--at", "101"], 1, ["--at", "101", "[0, 100]"]),
        (["--at", "end"], 2, ["--at", "'end'"]),
        (["--steps", "0"], 1, ["steps", "0", "[1, "]),
        (["--output", "a.parquet"], 1, ["--output", "'a.parquet'", ".csv"]),
        (["--schedule", "Cosine"], 2, ["--schedule"]),
    ],
    ids=named,
)
def test_bad_input_is_one_line_that_names_it(words, status, parts, folder, capsys):
    if "--from" in words:
        stored(folder, words[words.index("--from") + 1].partition(".")[0], capsys)
    before = sorted(folder.iterdir())
    try:
        ended = cli.main(["predict", *QUADRATIC, *words])
    except SystemExit as error:
        ended = error.code
    output = capsys.readouterr()
    assert ended == status
    assert output.out == ""
    assert output.err.startswith("idescent predict: ")
    assert output.err.count("\n") == 1
    assert all(part in output.err for part in parts), output.err
    assert sorted(folder.iterdir()) == before


def stored(folder, name, capsys):
    """Write a file that a test refuses."""
    file = ["--output", f"{name}.parquet"]
    if name == "run":
        assert cli.main(["simulate", *QUADRATIC, *file]) == 0
    elif name == "half":
        assert cli.main(["solve", "HalfStep", *QUADRATIC, *file]) == 0
    elif name == "cosine":
        cosine = ["--schedule", "Cosine", "--schedule-set", "steps=100"]
        assert cli.main(["simulate", *QUADRATIC, *cosine, *file]) == 0
    elif name == "recorded":
        recorded(folder)
    elif name in ("projected", "wide"):
        recorded(folder, 3, projections=1 if name == "projected" else None)
        (folder / "recorded.parquet").rename(folder / f"{name}.parquet")
    capsys.readouterr()


def test_an_optimizer_without_a_prediction_is_refused_in_one_line(capsys):
    assert cli.main(["predict", "AMSGrad"]) == 1
    assert capsys.readouterr().err == (
        "idescent predict: predict does not model AMSGrad: its memory 'u' is a maximum\n"
    )


def test_a_class_that_only_a_file_names_is_not_imported(folder, capsys):
    (folder / "evil.py").write_text("from pathlib import Path\nPath('mark').touch()\n", encoding="utf-8")
    run = ide.simulate(ide.Adam(0.9, 0.999), ide.Quadratic(), alpha=1e-3, theta0=1.0, steps=5)
    cell = {
        "objective": {"name": "Quadratic", "class": "Quadratic", "arguments": {}},
        "optimizer": {"class": "evil:Adam", "arguments": {}},
        "alpha": 1e-3,
        "theta0": [1.0],
        "steps": 5,
    }
    trajectories.write("run.parquet", run, cell, {})
    assert cli.main(["predict", *QUADRATIC, "--from", "run.parquet"]) == 1
    assert "its optimizer is evil:Adam, not Adam" in capsys.readouterr().err
    assert not Path("mark").exists()
