"""Runs of other programs: what the recorder stores and refuses, and what the commands do with its files."""

import json
import sys
from collections import OrderedDict
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import idescent as ide
from idescent import cli, objectives
from idescent.analysis.projections import alike
from idescent.products.paths import figure as draw
from idescent.store import trajectories

ADAM = ide.Adam(0.9, 0.999)
BOWL = ide.Quadratic(4.0)
START = [1.0, -2.0, 3.0]


def train(path="run.parquet", *, steps=40, dtype=np.float64, start=START, fails_at=None, **given):
    """Train with Adam in NumPy, as a user's loop would; return the recorder."""
    theta, m, v = np.array(start, dtype), dtype(0), dtype(0)
    with ide.Recorder(path, optimizer=ADAM, alpha=0.05, **given) as recorder:
        for k in range(steps):
            if k == fails_at:
                raise KeyboardInterrupt
            recorder(k, theta, BOWL.value(theta))
            g = 2 * (theta - dtype(4))
            m, v = dtype(0.9) * m + dtype(0.1) * g, dtype(0.999) * v + dtype(0.001) * g * g
            root = np.sqrt(v / dtype(1 - 0.999 ** (k + 1))) + dtype(1e-8)
            theta -= dtype(0.05) * m / dtype(1 - 0.9 ** (k + 1)) / root  # in place, as PyTorch does
        recorder(steps, theta, lambda: BOWL.value(theta), keep=True)
    return recorder


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def simulated(**given):
    return ide.simulate(ADAM, BOWL, alpha=0.05, theta0=START, steps=40, **given)


def test_the_file_of_a_recorded_run_is_that_of_the_packages_own_run():
    train(every=7)
    run, metadata = trajectories.read_with_metadata("run.parquet")
    assert run.k.tolist() == [0, 7, 14, 21, 28, 35, 40]
    expected = simulated(keep=7)
    assert run.t.tolist() == expected.t.tolist()
    np.testing.assert_allclose(run.theta, expected.theta, rtol=1e-13)
    np.testing.assert_allclose(run.loss, expected.loss, rtol=1e-12)
    assert metadata["cell"]["optimizer"] == {"class": "Adam", "arguments": {"beta1": 0.9, "beta2": 0.999}}
    assert metadata["cell"]["theta0"] == START
    assert metadata["provenance"]["version"] == ide.__version__
    assert metadata["provenance"]["libraries"]["jax"] == jax.__version__
    assert run.report.ok


def test_equal_runs_give_equal_bytes():
    train("one.parquet")
    train("two.parquet")
    assert Path("one.parquet").read_bytes() == Path("two.parquet").read_bytes()


def test_an_iteration_that_is_not_stored_reads_neither_parameters_nor_loss():
    recorder = ide.Recorder("run.parquet", optimizer=ADAM, alpha=0.1, every=10)
    recorder(0, np.ones(2), 1.0)

    def never():
        raise AssertionError("read")

    for k in range(1, 10):
        recorder(k, (never() for _ in range(2)), never)
    with pytest.raises(AssertionError, match="read"):
        recorder(10, np.ones(2), never)


def test_float32_parameters_are_stored_without_loss():
    recorder = train(dtype=np.float32)
    run = trajectories.read("run.parquet")
    assert run.report.details["dtype"] == "float32"
    assert (run.theta == run.theta.astype(np.float32)).all()
    assert 1e-9 < ide.compare(simulated(), run).relative_sup["theta"] < 1e-5
    assert recorder.trajectory().theta.tolist() == run.theta.tolist()


def test_a_recorded_run_from_its_seed_of_batches_is_simulated_again():
    from idescent import stochastic
    from idescent.stochastic.streams import batches

    line = ide.MeanSquaredError.synthetic()
    theta = np.zeros(1)
    with ide.Recorder(
        "run.parquet",
        optimizer=ide.GradientDescent(),
        alpha=0.1,
        objective="MeanSquaredError.synthetic",
        batches={"seed": 7, "size": 4},
    ) as recorder:
        for k, rows in zip(range(20), batches(line.samples, 4, seed=7, runs=range(1)), strict=False):
            recorder(k, theta, line.value(theta))
            theta = theta - 0.1 * line.gradient_of(theta, rows[0])
        recorder(20, theta, line.value(theta))
    run, metadata = trajectories.read_with_metadata("run.parquet")
    stored = run.report.details["batches"]
    again = stochastic.simulate_runs(
        ide.GradientDescent(),
        stochastic.Batches(objectives.MeanSquaredError.synthetic(), stored["size"]),
        alpha=metadata["cell"]["alpha"],
        theta0=metadata["cell"]["theta0"],
        steps=metadata["cell"]["steps"],
        runs=1,
        seed=stored["seed"],
        at=run.k,
    )
    np.testing.assert_allclose(again.values["loss"][:, 0], run.loss, rtol=1e-12)
    assert not np.isclose(run.loss[-1], run.loss[0])


# --- trees ------------------------------------------------------------------------------------------------


def test_a_tree_is_flattened_in_jaxs_order_whether_jax_is_loaded_or_not(monkeypatch):
    from jax.flatten_util import ravel_pytree

    from idescent.objectives import trees

    rng = np.random.default_rng(0)
    tree = {
        "w": [rng.normal(size=(2, 3)), (rng.normal(size=()), None)],
        "b": OrderedDict(z=rng.normal(size=2), a=rng.normal(size=1)),
    }
    expected = np.asarray(ravel_pytree(jax.tree.map(np.float32, tree))[0])
    vector, shapes = trees.flat(tree)
    assert vector.dtype == np.float64
    np.testing.assert_array_equal(vector.astype(np.float32), expected)
    assert shapes == [(2,), (1,), (2, 3), ()]
    monkeypatch.delitem(sys.modules, "jax")
    assert trees.flat(tree)[0].tolist() == vector.tolist()
    parts = trees.split(np.stack([vector, 2 * vector]), shapes)
    assert [part.shape for part in parts] == [(2, *shape) for shape in shapes]
    assert parts[2][1].tolist() == (2 * tree["w"][0]).tolist()


def test_trees_of_half_precision_and_containers_of_jax_are_taken():
    from idescent.objectives import trees

    vector, _ = trees.flat(jax.tree_util.Partial(lambda x: x, jnp.ones(2, jnp.bfloat16)))
    assert (vector.dtype, vector.tolist()) == (np.float32, [1.0, 1.0])


# --- moments ----------------------------------------------------------------------------------------------


def test_a_prediction_starts_from_any_iteration_that_has_its_moments(capsys):
    run = simulated()
    with ide.Recorder("run.parquet", optimizer=ADAM, alpha=0.05, objective="Quadratic") as recorder:
        for k in range(0, 41, 10):
            state = {"exp_avg": run.moments["m"][k], "exp_avg_sq": run.moments["v"][k]}
            recorder(k, run.theta[k], run.loss[k], moments=state)
    recorded = trajectories.read("run.parquet")
    for name in ("m", "v"):
        np.testing.assert_array_equal(recorded.moments[name], run.moments[name][::10])
    command = ["predict", "Adam", "--alpha", "0.05", "--from", "run.parquet:20", "--steps", "20", "--json"]
    assert cli.main(command) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["k"][-1] == 40
    assert printed["loss"][-1] == pytest.approx(run.loss[40], rel=1e-2)


def test_moments_at_the_start_are_those_of_the_optimizer_and_are_not_read():
    recorder = ide.Recorder("run.parquet", optimizer=ide.AdaGrad(), alpha=0.1)
    recorder(0, np.ones(2), 1.0, moments=lambda: {}["none"])
    recorder(1, np.ones(2), 1.0, moments={"sum": [np.float32([1.0]), np.float32([2.0])]})
    assert recorder.trajectory().moments["G"].tolist() == [[0.0, 0.0], [1.0, 2.0]]


@pytest.mark.parametrize(
    ("given", "moments", "message"),
    [
        ({}, {"m": np.ones(2)}, r"^moments: 'v' is missing: must have m, v$"),
        ({}, {"m": np.ones(2), "v": np.ones(3)}, r"^moments: 'v': 3 values are not allowed: must be 2$"),
        ({}, 3.0, "^moments: 3.0 is not allowed: must be a dict by name$"),
        ({}, None, r"^moments: None at k = 1 is not allowed: must be there at each stored iteration"),
        ({"projections": 2}, {}, "^moments: not allowed with projections"),
        ({"optimizer": {"class": "Ranger", "arguments": {}}}, {}, "^moments: not allowed for the optimizer"),
    ],
)
def test_moments_that_do_not_fit_are_refused(given, moments, message):
    recorder = ide.Recorder("run.parquet", **{"optimizer": ADAM, "alpha": 0.1, **given})

    def train():
        recorder(0, np.ones(2), 1.0, moments={})
        recorder(1, np.ones(2), 1.0, moments=moments)

    with pytest.raises(ValueError, match=message):
        train()


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"path": "run.csv"}, r"^path: 'run.csv' is not allowed: must end in .parquet$"),
        ({"path": "no/run.parquet"}, r"^path: .* there is no folder no$"),
        ({"alpha": 2.0}, r"^alpha: 2.0 is not allowed: must be a number in \(0, 1\]$"),
        ({"every": 0}, "^every: 0 is not allowed: must be an integer >= 1$"),
        ({"projections": 0}, "^projections: 0 is not allowed: must be an integer >= 1$"),
        ({"projections": 2, "seed": -1}, "^seed: -1 is not allowed"),
        ({"optimizer": ide.Adam}, r"^optimizer: .* must be such as ide.Adam\(0.9, 0.999\)"),
        ({"optimizer": {"class": "Ranger"}}, "^optimizer: .* must have class and arguments$"),
        ({"theta0": {"sead": 1}}, '^theta0: .* must be {"seed": an integer}$'),
        ({"batches": {"seed": object()}}, "^batches: .* JSON cannot store it"),
    ],
)
def test_a_bad_argument_is_refused_before_the_training(given, message):
    with pytest.raises(ValueError, match=message):
        ide.Recorder(**{"path": "run.parquet", "optimizer": ADAM, "alpha": 0.1, **given})
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ((2, np.ones(2), 1.0), "^k: 2 is not allowed: must be an integer >= 3$"),
        ((3, np.ones(3), 1.0), r"^parameters: 3 in 1 arrays are not allowed: .* k = 0, \(2,\)$"),
        ((3, [np.ones(2), "x"], 1.0), "^parameters: 'x' is not allowed: must be arrays"),
        ((3, np.ones(2, int), 1.0), "^parameters: int64 is not allowed: must be floating-point numbers$"),
        ((3, [], 1.0), "^parameters: the tree has no arrays"),
        ((3, np.ones(2), "small"), "^loss: 'small' is not allowed: must be one real number$"),
        ((3, np.ones(2), np.ones(2)), "^loss: .* must be one real number$"),
    ],
)
def test_a_bad_call_is_refused_and_the_rows_before_it_are_kept(call, message):
    recorder = ide.Recorder("run.parquet", optimizer=ADAM, alpha=0.1)
    recorder(0, np.ones(2), 1.0)
    recorder(2, np.ones(2), 1.0)
    with pytest.raises(ValueError, match=message):
        recorder(*call)
    recorder.close()
    assert trajectories.read("run.parquet").k.tolist() == [0, 2]
    with pytest.raises(ValueError, match="it is closed"):
        recorder(9, np.ones(2), 1.0)


def test_a_run_without_its_start_is_refused():
    recorder = ide.Recorder("run.parquet", optimizer=ADAM, alpha=0.1)
    with pytest.raises(ValueError, match=r"^k: 1 is not allowed: must begin at 0"):
        recorder(1, np.ones(2), 1.0)
    with pytest.raises(ValueError, match="0 stored iterations: must be at least 2"):
        recorder.close()
    assert not Path("run.parquet").exists()


# --- ends -------------------------------------------------------------------------------------------------


def test_an_interrupted_loop_leaves_the_iterations_until_then():
    with pytest.raises(KeyboardInterrupt):
        train(fails_at=20)
    run = trajectories.read("run.parquet")
    assert (run.steps, run.report.status) == (19, "completed")
    assert run.report.message == "recorded until KeyboardInterrupt"
    assert [path.name for path in Path().iterdir()] == ["run.parquet"]


def test_a_loop_that_fails_at_once_leaves_no_file_and_its_own_error():
    with pytest.raises(KeyboardInterrupt):
        train(fails_at=1)
    assert not list(Path().iterdir())


def test_a_checkpoint_has_the_rows_so_far_and_a_failed_write_keeps_it(monkeypatch):
    recorder = ide.Recorder("run.parquet", optimizer=ADAM, alpha=0.1)
    for k in range(3):
        recorder(k, np.ones(2), 1.0)
    recorder.save()
    before = Path("run.parquet").read_bytes()
    assert trajectories.read("run.parquet").steps == 2
    recorder(3, np.ones(2), 1.0)
    import pyarrow.parquet

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pyarrow.parquet, "write_table", full)
    with pytest.raises(OSError, match="No space left"):
        recorder.close()
    assert Path("run.parquet").read_bytes() == before
    assert [path.name for path in Path().iterdir()] == ["run.parquet"]
    monkeypatch.undo()


def test_a_diverged_run_has_no_numbers_from_there_on():
    with ide.Recorder("run.parquet", optimizer=ADAM, alpha=0.1) as recorder:
        for k, x in enumerate([1.0, 2.0, np.inf, 3.0]):
            recorder(k, np.array([x, 0.0]), x)
    run = trajectories.read("run.parquet")
    assert (run.report.status, run.report.diverged_at) == ("diverged", 2)
    assert np.isnan(run.theta[2:]).all()
    assert np.isnan(run.loss[2:]).all()
    assert run.theta[:2].tolist() == [[1.0, 0.0], [2.0, 0.0]]


# --- optimizers and schedules by name ---------------------------------------------------------------------


def test_optimizer_schedule_and_objective_are_stored_as_the_configuration_names_them():
    from idescent.study import registry

    muon = ide.Muon(shape=(2, 3))
    warm = ide.schedules.LinearWarmup(steps=5)
    loss = {"class": "Perceptron.digits", "arguments": {"hidden": 5}}
    recorder = ide.Recorder("run.parquet", optimizer=muon, alpha=0.1, schedule=warm, objective=loss)
    recorder(0, np.ones(6), 1.0)
    recorder(1, np.ones(6), 1.0)
    recorder.close()
    cell = trajectories.read_with_metadata("run.parquet")[1]["cell"]
    assert registry.optimizer(cell["optimizer"]) == muon
    assert registry.schedule(cell) == warm
    assert registry.objective(cell["objective"]).dimension == 5 * 64 + 5 + 50 + 10


def test_an_optimizer_of_elsewhere_is_named(capsys):
    train(start=[1.0])
    with ide.Recorder(
        "other.parquet", optimizer={"class": "torch.optim.Rprop", "arguments": {"eta": 0.5}}, alpha=0.1
    ) as recorder:
        for k in range(5):
            recorder(k, np.full(1, 4.0 - k), 1.0)
    assert cli.main(["show", "run.parquet", "other.parquet", "--output", "a.png"]) == 0
    assert cli.main(["info", "other.parquet"]) == 0
    assert "torch.optim.Rprop(eta=0.5) on RecordedLoss(name=recorded loss)" in capsys.readouterr().out


def test_the_loss_of_a_recorded_run_cannot_be_evaluated():
    with pytest.raises(ValueError, match="the loss of the recorded run 'net' is not stored"):
        ide.simulate(ADAM, objectives.RecordedLoss("net"), alpha=0.1, theta0=1.0, steps=2)


# --- compare and show -------------------------------------------------------------------------------------

SOLVE = ["solve", "HalfStep", "Adam", "--alpha", "0.05", "--theta0", "1,-2,3", "--steps", "40"]


def test_a_solution_of_the_command_line_belongs_to_the_recorded_run(capsys):
    train(every=5, objective="Quadratic")
    solve = [*SOLVE, "--set", "center=4", "--output", "path.parquet"]
    train("named.parquet", every=5, objective={"class": "Quadratic", "arguments": {"center": 4}})
    assert cli.main(solve) == 0
    capsys.readouterr()
    assert cli.main(["compare", "named.parquet", "path.parquet", "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    (path,) = json.loads(said.out)["paths"]
    expected = ide.compare(
        simulated(keep=5),
        ide.solve(ide.models.HalfStep(), ADAM, BOWL, alpha=0.05, theta0=START, steps=40),
    )
    errors = path["errors"]["theta"]["absolute"]
    assert errors["sup"] == pytest.approx(expected.sup["theta"], rel=1e-6)
    assert errors["rms"] == pytest.approx(expected.rms["theta"], rel=1e-6)
    assert path["complete"]
    assert cli.main(["show", "named.parquet", "path.parquet", "--errors", "--output", "a.png"]) == 0
    assert capsys.readouterr().out == "a.png: 1 curves\n"
    assert cli.main(["compare", "run.parquet", "path.parquet"]) == 0
    assert "path.parquet belongs to another run" in capsys.readouterr().err


# --- projections ----------------------------------------------------------------------------------------


def test_compare_and_show_project_the_solution_of_a_projected_run(capsys):
    train(every=5, projections=200, objective={"class": "Quadratic", "arguments": {"center": 4}})
    assert cli.main([*SOLVE, "--set", "center=4", "--output", "path.parquet"]) == 0
    capsys.readouterr()
    assert cli.main(["compare", "run.parquet", "path.parquet", "--json"]) == 0
    (path,) = json.loads(capsys.readouterr().out)["paths"]
    assert path["projection"] == {"parameters": 3, "directions": 200, "seed": 0}
    exact = ide.compare(simulated(), ide.Trajectory(*_without_moments("path.parquet")))
    # 200 directions: a standard deviation of 5 %.
    assert path["errors"]["theta"]["absolute"]["sup"] == pytest.approx(exact.sup["theta"], rel=0.2)
    assert cli.main(["show", "run.parquet", "path.parquet", "--output", "a.png"]) == 0
    assert "200 random projections of 3 parameters" in capsys.readouterr().err
    run = trajectories.read("run.parquet")
    fewer = train("fewer.parquet", every=5, projections=100).trajectory()
    with pytest.raises(ValueError, match=r"^projection: .* must be equal$"):
        alike(run, fewer)
    with pytest.raises(ValueError, match=r"^projection: 2 parameters are not allowed: must be 3$"):
        alike(run, ide.simulate(ADAM, BOWL, alpha=0.05, theta0=[1.0, 2.0], steps=40))


def _without_moments(file):
    path = trajectories.read(file)
    return path.k, path.t, path.theta, path.loss, {}, path.report


def test_errors_of_a_projected_run_from_a_seed_are_drawn(capsys, monkeypatch):
    valley = objectives.RotatedQuadratic(dimension=150, condition=10)
    given = {"alpha": 0.05, "theta0": valley.initial(1), "steps": 30}
    run = ide.simulate(ADAM, valley, **given)
    with ide.Recorder(
        "run.parquet",
        optimizer=ADAM,
        alpha=0.05,
        objective={"class": "RotatedQuadratic", "arguments": {"dimension": 150, "condition": 10}},
        theta0={"seed": 1},
        projections=100,
    ) as recorder:
        for k, (theta, loss) in enumerate(zip(run.theta, run.loss, strict=True)):
            recorder(k, theta, loss)
    words = ["--objective", "RotatedQuadratic", "--set", "dimension=150", "--set", "condition=10"]
    words += ["--alpha", "0.05", "--theta0", "seed:1", "--steps", "30"]
    assert cli.main(["solve", "Paper", "Adam", *words, "--output", "path.parquet"]) == 0
    assert cli.main(["compare", "run.parquet", "path.parquet", "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    exact = ide.compare(run, ide.solve(ide.models.Paper(), ADAM, valley, **given))
    (path,) = json.loads(said.out.splitlines()[-1])["paths"]
    # 100 directions: a standard deviation of 7 %.
    for norm, error in path["errors"]["theta"]["absolute"].items():
        assert error == pytest.approx(exact.error(norm, "theta"), rel=0.25)
    drawn = []
    build = draw.error_figure
    monkeypatch.setattr(
        draw, "error_figure", lambda spec, curves: drawn.append(curves) or build(spec, curves)
    )
    assert cli.main(["show", "run.parquet", "path.parquet", "--errors", "--output", "a.png"]) == 0
    assert drawn[0][0][0].y.max() == pytest.approx(path["errors"]["theta"]["absolute"]["sup"], rel=1e-12)
