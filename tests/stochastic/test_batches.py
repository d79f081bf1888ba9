"""Batches, Brownian motion and stochastic runs: seeds, distributions, statistics, files."""

import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

import idescent as ide
from idescent.optimizers.ratio import ratio_of
from idescent.schedules import Cosine
from idescent.stochastic import runs as ensembles
from idescent.stochastic import streams, write
from idescent.stochastic.noise import Additive, Batches
from idescent.stochastic.runs import along, simulate_runs

DATA = ide.MeanSquaredError.synthetic(size=60)
OPTIMIZERS = [ide.AdaGrad(), ide.RMSProp(0.9), ide.Adam(0.9, 0.99), ide.AdamW(0.9, 0.99, 0.1)]


class Plane:
    """Least squares in two dimensions: a finite sum with correlated gradients."""

    def __init__(self, samples=40):
        stream = np.random.RandomState(5)
        self.x = stream.normal(size=(samples, 2)) @ np.array([[1.0, 0.4], [0.0, 0.5]])
        self.y = self.x @ [1.0, -2.0] + stream.normal(0.0, 0.5, samples)
        self.samples = samples

    def value_of(self, theta, indices):
        residual = np.einsum("...bp,...p->...b", self.x[indices], theta) - self.y[indices]
        return 0.5 * (residual**2).mean(axis=-1)

    def gradient_of(self, theta, indices):
        residual = np.einsum("...bp,...p->...b", self.x[indices], theta) - self.y[indices]
        return np.einsum("...b,...bp->...p", residual, self.x[indices]) / indices.shape[-1]

    def value(self, theta):
        return self.value_of(theta, np.arange(self.samples))

    def gradient(self, theta):
        return self.gradient_of(theta, np.arange(self.samples))


def taken(stream, count):
    return np.stack([next(stream) for _ in range(count)])


# Batches.


@pytest.mark.parametrize("replacement", [True, False])
def test_a_runs_batches_depend_on_seed_and_number_only(monkeypatch, replacement):
    """Not on how many runs there are, where their numbers begin, or how many draws are made ahead."""
    arguments = {"samples": 13, "size": 4, "replacement": replacement}
    together = taken(streams.batches(**arguments, seed=7, runs=range(6)), 20)
    monkeypatch.setattr(streams, "_FIRST", 3)
    apart = taken(streams.batches(**arguments, seed=7, runs=range(2, 4)), 20)
    assert together[:, 2:4].tobytes() == apart.tobytes()
    other = taken(streams.batches(**arguments, seed=8, runs=range(6)), 20)
    assert not np.array_equal(together, other)
    assert not np.array_equal(together[:, 0], together[:, 1])


def test_batches_are_frozen():
    """The raw numbers of Philox are promised to stay, so these are the batches of every version of numpy."""
    batch = taken(streams.batches(1000, 5, seed=42, runs=range(1)), 2)[:, 0]
    assert batch.tolist() == [[820, 189, 867, 394, 368], [434, 194, 62, 876, 767]]
    raw = np.random.Philox(key=np.array([42, 0], dtype=np.uint64)).random_raw(10)
    assert batch.ravel().tolist() == [int(x) * 1000 >> 64 for x in raw.tolist()]


def test_samples_with_replacement_are_uniform_and_independent():
    indices = taken(streams.batches(10, 3, seed=1, runs=range(50)), 200)
    assert stats.chisquare(np.bincount(indices.ravel(), minlength=10)).pvalue > 1e-3
    pairs = indices[..., 0] * 10 + indices[..., 1]
    assert stats.chisquare(np.bincount(pairs.ravel(), minlength=100)).pvalue > 1e-3


def test_an_epoch_without_replacement_takes_every_sample_at_most_once():
    indices = taken(streams.batches(10, 3, seed=1, runs=range(400), replacement=False), 6)
    for epoch in (indices[:3], indices[3:]):
        for run in range(400):
            assert len(set(epoch[:, run].ravel().tolist())) == 9
    assert stats.chisquare(np.bincount(indices.ravel(), minlength=10)).pvalue > 1e-3
    assert not np.array_equal(indices[:3], indices[3:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "batch: 0 is not allowed: must be an integer >= 1"),
        ({"size": 11, "replacement": False}, "batch: 11 is not allowed: must be an integer in [1, 10]"),
        ({"seed": -1}, "seed: -1 is not allowed: must be an integer in [0, 2**64)"),
        ({"runs": range(0)}, "runs: range(0, 0) is not allowed: must be at least one number in [0, 2**32)"),
    ],
)
def test_a_stream_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match="not allowed") as error:
        next(streams.batches(**{"samples": 10, "size": 2, "seed": 1, "runs": range(1)} | arguments))
    assert str(error.value) == message


# Brownian motion.


def test_a_finer_brownian_motion_refines_the_same_path(monkeypatch):
    coarse = taken(streams.brownian(2, 1, seed=3, runs=range(5)), 7)
    monkeypatch.setattr(streams, "_FIRST", 1)
    for substeps in (2, 4, 16):
        fine = taken(streams.brownian(2, substeps, seed=3, runs=range(1, 4)), 7)
        assert fine.shape == (7, substeps, 3, 2)
        np.testing.assert_allclose(fine.sum(axis=1), coarse[:, 0, 1:4], rtol=0, atol=1e-14)
    halves = taken(streams.brownian(2, 4, seed=3, runs=range(5)), 7).reshape(7, 2, 2, 5, 2).sum(axis=2)
    wanted = taken(streams.brownian(2, 2, seed=3, runs=range(5)), 7)
    np.testing.assert_allclose(halves, wanted, rtol=0, atol=1e-14)


def test_brownian_increments_are_independent_normals_of_the_length_of_their_substep():
    increments = taken(streams.brownian(1, 4, seed=3, runs=range(500)), 20)[..., 0]
    scaled = 2.0 * np.moveaxis(increments, 1, 0).reshape(4, -1)
    for row in scaled:
        assert stats.kstest(row, "norm").pvalue > 1e-3
    correlations = np.corrcoef(scaled) - np.eye(4)
    assert np.abs(correlations).max() < 4.0 / math.sqrt(scaled.shape[1])


def test_substeps_must_be_a_power_of_two():
    with pytest.raises(ValueError, match="substeps: 3 is not allowed: must be a power of 2"):
        next(streams.brownian(1, 3, seed=0, runs=range(1)))


# Covariances.


@pytest.mark.parametrize("replacement", [True, False])
def test_the_covariance_of_a_mini_batch_is_that_of_all_batches_there_are(replacement):
    """Enumerated: every ordered pair of samples, against the exact matrix of the model's noise."""
    objective, theta = Plane(samples=7), np.array([[0.3, 0.2]])
    noise = Batches(objective, 2, replacement=replacement)
    pairs = np.array([(i, j) for i in range(7) for j in range(7) if replacement or i != j])
    each = objective.gradient_of(theta, pairs)
    wanted = np.cov(each.T, bias=True)
    # Unit increments give the columns of the root.
    columns = [noise.spread(theta, np.eye(7)[j][None])[1][0] for j in range(7)]
    found = sum(np.outer(column, column) for column in columns)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-14)
    mean, _, variance = noise.spread(theta, np.zeros((1, 7)))
    np.testing.assert_allclose(variance[0], np.diag(wanted), rtol=0, atol=1e-14)
    np.testing.assert_allclose(mean, objective.gradient(theta), rtol=0, atol=1e-14)
    diagonal = Batches(objective, 2, replacement=replacement, covariance="diagonal")
    assert diagonal.sources(2) == 2
    _, vector, _ = diagonal.spread(theta, np.ones((1, 2)))
    np.testing.assert_allclose(vector[0] ** 2, np.diag(wanted), rtol=0, atol=1e-14)


def test_the_covariance_is_the_same_however_many_points_are_held_at_a_time(monkeypatch):
    noise, theta = Batches(Plane(), 4), np.random.default_rng(0).normal(size=(9, 2))
    increments = np.random.default_rng(1).normal(size=(9, 40))
    whole = noise.spread(theta, increments)
    monkeypatch.setattr("idescent.stochastic.noise._AT_ONCE", 200)
    for a, b in zip(whole, noise.spread(theta, increments), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


def test_additive_noise_has_the_covariance_of_its_factor():
    factor = np.array([[1.0, 0.0], [0.7, 0.2]])
    noise, theta = Additive(Plane(), factor), np.zeros((20_000, 2))
    drawn = next(noise.draws(2, seed=1, runs=range(20_000)))
    gradient, _ = noise.gradient(theta, drawn)
    error = gradient - Plane().gradient(theta)
    np.testing.assert_allclose(np.cov(error.T), factor @ factor.T, rtol=0, atol=0.03)
    _, vector, variance = noise.spread(theta, drawn)
    np.testing.assert_allclose(error, vector, rtol=0, atol=1e-14)
    np.testing.assert_allclose(variance[0], np.diag(factor @ factor.T), rtol=1e-14)


def test_an_objective_that_is_no_finite_sum_has_no_batches():
    with pytest.raises(ValueError, match="must be a mean over samples"):
        Batches(ide.Quadratic(4.0), 8)


# Runs.


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
def test_without_noise_every_run_is_the_discrete_run_bit_for_bit(optimizer):
    plain = ide.simulate(
        optimizer, ide.Quadratic(4.0), alpha=0.1, theta0=[1.0, 2.0], steps=50, schedule=Cosine(50)
    )
    found = simulate_runs(
        optimizer, Additive(ide.Quadratic(4.0), 0.0), alpha=0.1, theta0=[1.0, 2.0], steps=50, runs=3, seed=0,
        at=[0, 1, 50], observe=("theta_0", "theta_1", "second_1"), schedule=Cosine(50),
    )  # fmt: skip
    for row, k in enumerate((0, 1, 50)):
        for i in (0, 1):
            assert (found.values[f"theta_{i}"][row] == plain.theta[k, i]).all()
        assert (found.values["second_1"][row] == list(plain.moments.values())[-1][k, 1]).all()


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
def test_a_stochastic_run_is_that_of_a_plain_loop_over_its_batches(optimizer):
    steps, alpha = 30, 0.05
    stream = streams.batches(60, 5, seed=9, runs=range(4, 5))
    theta, m, v = 0.5, 0.0, 0.0
    beta1, beta2 = ratio_of(optimizer).beta1, ratio_of(optimizer).beta2
    for k in range(1, steps + 1):
        batch = next(stream)[0]
        x, y = DATA.x[batch], DATA.y[batch]
        g = float(np.mean(-2.0 * x * (y - theta * x)))
        m, v = (
            beta1 * m + (1 - beta1) * g,
            v + g * g if ratio_of(optimizer).sums else beta2 * v + (1 - beta2) * g * g,
        )
        top, bottom = (m / (1 - beta1**k), v / (1 - beta2**k)) if ratio_of(optimizer).corrected else (g, v)
        theta = (1 - alpha * optimizer.decoupled_decay) * theta - alpha * top / (
            math.sqrt(bottom) + optimizer.eps
        )
    found = simulate_runs(
        optimizer, Batches(DATA, 5), alpha=alpha, theta0=0.5, steps=steps, runs=6, seed=9, observe=["theta_0"]
    )
    assert abs(found.values["theta_0"][-1, 4] - theta) < 1e-12
    assert found.report.gradient_evaluations == 30 * 6
    assert found.report.details["sample_gradients"] == 30 * 6 * 5


def test_all_optimizers_and_learning_rates_see_the_same_batches():
    seen = []

    class Watching(Plane):
        def gradient_of(self, theta, indices):
            if indices.shape == (4, 3):
                seen[-1].append(indices)
            return super().gradient_of(theta, indices)

    for optimizer, alpha in ((ide.RMSProp(0.9), 0.1), (ide.Adam(0.9, 0.99), 0.01)):
        seen.append([])
        simulate_runs(
            optimizer, Batches(Watching(), 3), alpha=alpha, theta0=[0.0, 0.0], steps=9, runs=4, seed=2
        )
    assert len(seen[0]) == 9
    assert np.array_equal(seen[0], seen[1])


def test_an_ensemble_can_be_made_in_parts():
    arguments = {"alpha": 0.05, "theta0": 0.5, "steps": 12, "seed": 3}
    whole = simulate_runs(OPTIMIZERS[2], Batches(DATA, 5), runs=6, **arguments)
    part = simulate_runs(OPTIMIZERS[2], Batches(DATA, 5), runs=2, first_run=3, **arguments)
    assert part.runs == range(3, 5)
    assert whole.values["loss"][:, 3:5].tobytes() == part.values["loss"].tobytes()


DECLARED = [ide.NAdam(), ide.ADOPT(), ide.Muon((2, 3)), ide.Shampoo((3, 2)), ide.Adafactor((2, 3))]


@pytest.mark.parametrize("optimizer", DECLARED, ids=lambda o: type(o).__name__)
def test_runs_of_a_declared_optimizer_in_lockstep_have_the_bits_of_single_runs(optimizer):
    from idescent.objectives import RotatedQuadratic

    noise = Additive(RotatedQuadratic(6, 20.0, seed=1), 0.3)
    arguments = {"alpha": 0.05, "theta0": [1.0, 0.5, 2.7, 0.1, -0.4, 0.9], "steps": 60, "seed": 3}
    observed = {"observe": [f"theta_{i}" for i in range(6)] + ["second_0", "loss"], "at": [0, 1, 7, 60]}
    whole = simulate_runs(optimizer, noise, runs=5, **arguments, **observed)
    for i in range(5):
        single = simulate_runs(optimizer, noise, runs=1, first_run=i, **arguments, **observed)
        for name, values in whole.values.items():
            assert values[:, i].tobytes() == single.values[name][:, 0].tobytes(), name


def test_gradients_for_starts_of_memories_count():
    arguments = {"alpha": 0.05, "theta0": 0.5, "steps": 12, "runs": 6, "seed": 3}
    for optimizer, starts in ((ide.ADOPT(), 6), (ide.NAdam(), 0)):
        report = simulate_runs(optimizer, Batches(DATA, 5), **arguments).report
        assert report.gradient_evaluations == 12 * 6 + starts
        assert report.details["sample_gradients"] == 12 * 6 * 5 + starts * 60
    report = simulate_runs(ide.ADOPT(), Additive(DATA, 0.1), **arguments).report
    assert report.details["sample_gradients"] == 12 * 6 + 6


def test_a_summary_has_the_mean_spread_and_quantiles_of_the_runs():
    found = simulate_runs(OPTIMIZERS[1], Batches(DATA, 5), alpha=0.1, theta0=0.5, steps=8, runs=40, seed=3)
    assert found.k.tolist() == list(range(9))
    table, values = found.summary(), found.values["norm2"][8]
    row = {name: column[-1] for name, column in table.items()}
    assert (row["quantity"], row["k"], row["t"], row["finite"]) == ("norm2", 8, 0.8, 40)
    assert abs(row["mean"] - values.sum() / 40) < 1e-15
    assert abs(row["std"] - math.sqrt(((values - values.mean()) ** 2).sum() / 39)) < 1e-15
    assert abs(row["standard_error"] - row["std"] / math.sqrt(40)) < 1e-15
    assert [row[f"q{q:02d}"] for q in (5, 50, 95)] == np.quantile(values, [0.05, 0.5, 0.95]).tolist()


def test_runs_that_are_lost_are_counted_and_left_out_of_the_statistics():
    class Cliff(Plane):
        """The gradient is not a number beyond theta_0 = 1/2."""

        def gradient_of(self, theta, indices):
            gradient = super().gradient_of(theta, indices)
            return np.where(theta[..., :1] > 0.5, np.nan, gradient)

    found = simulate_runs(
        ide.RMSProp(0.9), Batches(Cliff(), 2), alpha=0.05, theta0=[0.0, 0.0], steps=20, runs=30, seed=3
    )
    lost = int(np.isnan(found.values["loss"][-1]).sum())
    assert 0 < lost < 30
    assert found.report.status == "diverged"
    assert found.report.details["not_finite"] == lost
    table = found.summary()
    at = np.flatnonzero((table["quantity"] == "loss") & (table["k"] == 20))[0]
    assert table["finite"][at] == 30 - lost
    assert np.isfinite(table["mean"][at])


def test_what_is_observed_is_named_or_refused():
    arguments = {"alpha": 0.05, "theta0": 0.5, "steps": 4, "runs": 2, "seed": 3}
    with pytest.raises(
        ValueError, match="observe: 'speed' is not allowed: must be one of loss, norm2, second"
    ):
        simulate_runs(OPTIMIZERS[1], Batches(DATA, 5), **arguments, observe=["speed"])
    with pytest.raises(ValueError, match=r"at: \[5\] is not allowed: must be iterations in \[0, 4\]"):
        simulate_runs(OPTIMIZERS[1], Batches(DATA, 5), **arguments, at=[5])
    with pytest.raises(ValueError, match="runs: 0 is not allowed"):
        simulate_runs(OPTIMIZERS[1], Batches(DATA, 5), **arguments | {"runs": 0})


def test_a_path_without_randomness_is_observed_in_the_same_way():
    path = ide.solve(ide.models.HalfStep(), OPTIMIZERS[2], DATA, alpha=0.05, theta0=0.5, steps=10)
    found = along(path, DATA, ("loss", "theta_0", "second"), [0, 5, 10])
    assert found.values["theta_0"][:, 0].tolist() == path.theta[[0, 5, 10], 0].tolist()
    np.testing.assert_allclose(found.values["loss"][:, 0], path.loss[[0, 5, 10]], rtol=1e-15)
    assert found.values["second"][:, 0].tolist() == path.moments["v"][[0, 5, 10], 0].tolist()
    with pytest.raises(ValueError, match="the path lacks one of these iterations"):
        along(path, DATA, ("loss",), [0, 11])


def test_files_are_tidy_say_what_they_are_and_have_the_same_bytes_again(tmp_path):
    for name in ("a", "b"):
        found = simulate_runs(
            OPTIMIZERS[2], Batches(DATA, 5), alpha=0.05, theta0=0.5, steps=6, runs=4, seed=3
        )
        write(tmp_path / f"{name}.summary", found.summary(), {"seed": 3}, found.report)
        write(tmp_path / f"{name}.rows", found.rows(), {"seed": 3})
    for kind in ("summary", "rows"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    with pq.ParquetFile(tmp_path / "a.rows") as file:
        table = file.read().to_pylist()
    assert len(table) == 2 * 7 * 4
    assert table[5] == {
        "quantity": "loss", "k": 1, "t": 0.05, "run": 1, "value": found.values["loss"][1, 1]
    }  # fmt: skip
    with pq.ParquetFile(tmp_path / "a.summary") as file:
        about = json.loads(file.schema_arrow.metadata[b"idescent"])
        assert file.schema_arrow.names[:5] == ["quantity", "k", "t", "finite", "mean"]
    assert about["about"] == {"seed": 3}
    assert about["report"]["details"]["sample_gradients"] == 4 * 6 * 5
    assert {p.name for p in tmp_path.iterdir()} == {"a.summary", "a.rows", "b.summary", "b.rows"}


def test_a_job_that_runs_and_writes_loads_no_plotting_or_table_library():
    import subprocess
    import sys

    code = (
        "import sys, tempfile, pathlib, idescent as ide\n"
        "from idescent.stochastic.noise import Additive\n"
        "from idescent.stochastic import simulate_runs, write\n"
        "noise = Additive(ide.Quadratic(4.0), 1.0)\n"
        "e = simulate_runs(ide.RMSProp(0.9), noise, alpha=0.1, theta0=1.0, steps=3, runs=2, seed=0)\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    write(pathlib.Path(folder) / 'x', e.summary(), {})\n"
        "print([m for m in ('pandas', 'matplotlib', 'scipy', 'sklearn', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_statistics_of_too_few_values_are_not_invented():
    assert all(math.isnan(x) for x in ensembles.statistics(np.array([])))
    mean, std, error = ensembles.statistics(np.array([2.0]))
    assert mean == 2.0
    assert math.isnan(std)
    assert math.isnan(error)
