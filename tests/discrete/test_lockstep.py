"""Many runs at once have the bits, the reports and the rows of each run by itself."""

import math
import tracemalloc

import numpy as np
import pytest

import idescent as ide
from idescent.discrete import kernels, lockstep
from idescent.discrete import loop as discrete
from idescent.discrete.setup import Setup
from idescent.jobs import pack
from idescent.jobs import simulate as simulate_stage
from idescent.schedules import Cosine, LinearWarmup

OPTIMIZERS = [
    ide.AdaGrad(),
    ide.RMSProp(0.0),
    ide.RMSProp(0.99, eps=1e-3),
    ide.Adam(0.9, 0.999),
    ide.Adam(0.0, 0.5),
    ide.AdamW(0.9, 0.99, 0.1),
    ide.AdamL2(0.99, 0.9, 0.1),
]
CENTER = [4.0, -1.5, 0.3]


class Steep:
    """A curvature so large that far from the minimum the squared gradient overflows."""

    def value(self, theta):
        return 0.5e150 * (theta * theta).sum(axis=-1)

    def gradient(self, theta):
        return 1e150 * theta

    def separable_quadratic(self, n):
        return 1e150, 0.0


class Opaque:
    """An objective that hides its closed form."""

    def __init__(self, objective):
        self.value, self.gradient = objective.value, objective.gradient


def assert_same(one, other):
    assert one.report == other.report
    assert one.k.tobytes() == other.k.tobytes()
    assert one.t.tobytes() == other.t.tobytes()
    assert list(one.moments) == list(other.moments)
    for quantity in ("theta", "loss", *one.moments):
        assert one.quantity(quantity).shape == other.quantity(quantity).shape
        assert one.quantity(quantity).tobytes() == other.quantity(quantity).tobytes(), quantity


@pytest.fixture
def only_in_lockstep(monkeypatch):
    """No run may go by itself."""

    def alone(self):
        raise AssertionError(f"{self.optimizer} went alone")

    monkeypatch.setattr(discrete.DiscreteRun, "go", alone)


@pytest.mark.usefixtures("only_in_lockstep")
@pytest.mark.parametrize("theta0", [1.0, CENTER[::-1]], ids=["one coordinate", "three"])
def test_runs_of_all_kinds_rates_and_lengths_have_the_bits_of_each_by_itself(theta0):
    objective = ide.Quadratic(4.0 if theta0 == 1.0 else CENTER)
    runs = [
        {"optimizer": optimizer, "alpha": alpha, "steps": steps}
        for optimizer in OPTIMIZERS
        for alpha in (0.1, 0.013, 1.0)
        for steps in (1, 15, 16, 17, 400)
    ]
    many = ide.simulate_many(
        [run["optimizer"] for run in runs],
        objective,
        alpha=[run["alpha"] for run in runs],
        theta0=theta0,
        steps=[run["steps"] for run in runs],
    )
    for run, made in zip(runs, many, strict=True):
        # The objective without its closed form goes through the loop in Python.
        setup = Setup.checked(**run, objective=Opaque(objective), theta0=theta0)
        single = discrete.DiscreteRun(setup, keep=None)
        rows = single.begin()
        single.diverged_at = discrete.run_python(
            run["optimizer"],
            single.objective,
            run["alpha"],
            run["steps"],
            rows.theta,
            rows.first,
            rows.second,
        )
        assert_same(made, single.result())


@pytest.mark.usefixtures("only_in_lockstep")
@pytest.mark.parametrize("count", [1, 2, 16, 17, 33])
def test_any_number_of_runs_fills_the_lanes(count):
    starts = np.linspace(-2.0, 9.0, count)[:, None]
    many = ide.simulate_many(ide.Adam(0.9, 0.999), ide.Quadratic(4.0), alpha=0.1, theta0=starts, steps=50)
    assert len(many) == count
    for start, run in zip(starts, many, strict=True):
        (alone,) = ide.simulate_many(
            ide.Adam(0.9, 0.999), ide.Quadratic(4.0), alpha=0.1, theta0=start, steps=50
        )
        assert_same(run, alone)


def test_schedules_go_beside_runs_that_have_none():
    schedules = [None, Cosine(60), None, LinearWarmup(20, 0.1)]
    arguments = {"alpha": 0.1, "theta0": [1.0, 7.0], "steps": 60}
    many = ide.simulate_many(ide.AdamW(0.9, 0.99, 0.1), ide.Quadratic(4.0), schedule=schedules, **arguments)
    for schedule, run in zip(schedules, many, strict=True):
        optimizer = ide.AdamW(0.9, 0.99, 0.1)
        assert_same(run, ide.simulate(optimizer, ide.Quadratic(4.0), schedule=schedule, **arguments))
        assert_same(run, ide.simulate(optimizer, Opaque(ide.Quadratic(4.0)), schedule=schedule, **arguments))


def test_a_lane_that_leaves_the_finite_numbers_says_where_and_disturbs_no_other():
    optimizers = [ide.AdamW(0.9, 0.99, decay) for decay in (0.1, 30.0, 0.0, 50.0)]
    arguments = {"alpha": 0.1, "theta0": 1.0, "steps": 1200}
    many = ide.simulate_many(optimizers, ide.Quadratic(4.0), **arguments)
    assert [run.report.status for run in many] == ["completed", "diverged", "completed", "diverged"]
    ends = [run.report.diverged_at for run in many if not run.report.ok]
    assert 0 < ends[1] < ends[0] < 1200
    for optimizer, run in zip(optimizers, many, strict=True):
        assert_same(run, ide.simulate(optimizer, Opaque(ide.Quadratic(4.0)), **arguments))


@pytest.mark.parametrize("optimizer", [ide.AdaGrad(), ide.RMSProp(0.9), ide.Adam(0.9, 0.99)], ids=repr)
def test_an_overflowing_moment_of_one_lane_is_a_divergence_of_its_run_alone(optimizer):
    starts = np.array([[0.0, 0.0], [1e5, 0.0], [1e-200, 1e-100]])
    many = ide.simulate_many(optimizer, Steep(), alpha=0.1, theta0=starts, steps=20)
    assert many[1].report.diverged_at == 1
    for start, run in zip(starts, many, strict=True):
        assert_same(run, ide.simulate(optimizer, Opaque(Steep()), alpha=0.1, theta0=start, steps=20))


@pytest.mark.parametrize("keep", [7, [0, 1, 30, 100]])
def test_what_is_kept_is_what_a_run_by_itself_keeps(keep):
    arguments = {"theta0": 1.0, "steps": 100, "keep": keep}
    many = ide.simulate_many(ide.RMSProp(0.9), ide.Quadratic(4.0), alpha=[0.1, 0.01], **arguments)
    for alpha, run in zip([0.1, 0.01], many, strict=True):
        assert_same(run, ide.simulate(ide.RMSProp(0.9), ide.Quadratic(4.0), alpha=alpha, **arguments))


def test_runs_that_do_not_fit_into_a_block_together_go_one_batch_after_the_other(monkeypatch):
    batches = []

    def counted(library, rows, done=0):
        batches.append(sum(one.theta.size for one in rows))
        kernels.fill_many(library, rows, done)

    monkeypatch.setattr(lockstep, "BLOCK", 1000)
    monkeypatch.setattr(lockstep, "fill_many", counted)
    alphas = np.linspace(0.01, 0.1, 10)
    many = ide.simulate_many(ide.AdaGrad(), ide.Quadratic(4.0), alpha=alphas, theta0=1.0, steps=299)
    assert batches == [900, 900, 900, 300]
    for alpha, run in zip(alphas, many, strict=True):
        assert_same(run, ide.simulate(ide.AdaGrad(), ide.Quadratic(4.0), alpha=alpha, theta0=1.0, steps=299))


@pytest.mark.parametrize(
    ("optimizer", "objective", "theta0"),
    [
        (ide.AdaGrad(accumulator="norm"), ide.Quadratic(CENTER), CENTER[::-1]),
        (ide.Adam(0.9, 0.99), ide.Quadratic(0.0), np.arange(1.0, 40.0)),
        (ide.Adam(0.9, 0.99), Opaque(ide.Quadratic(4.0)), 1.0),
    ],
    ids=["one accumulator for all coordinates", "many coordinates", "no closed form"],
)
def test_what_cannot_go_in_lanes_goes_alone(optimizer, objective, theta0):
    many = ide.simulate_many(optimizer, objective, alpha=[0.1, 0.2], theta0=theta0, steps=30)
    for alpha, run in zip([0.1, 0.2], many, strict=True):
        assert_same(run, ide.simulate(optimizer, objective, alpha=alpha, theta0=theta0, steps=30))


@pytest.mark.parametrize("schedule", [None, Cosine(200)], ids=["constant", "cosine"])
@pytest.mark.parametrize("optimizer", [ide.AdaGrad(), ide.Adam(0.9, 0.999)], ids=lambda o: type(o).__name__)
@pytest.mark.parametrize("wrap", [lambda objective: objective, Opaque], ids=["compiled", "python"])
def test_a_run_that_is_thinned_block_by_block_has_the_rows_of_a_whole_one(
    monkeypatch, wrap, optimizer, schedule
):
    # The last rows of blocks of 32, their neighbours, and others.
    keep = [0, 1, 2, 31, 33, 64, 65, 95, 199, 200]
    arguments = {"alpha": 0.1, "theta0": 1.0, "steps": 200, "schedule": schedule}
    every = ide.simulate(optimizer, wrap(ide.Quadratic(4.0)), **arguments)
    whole = ide.simulate(optimizer, wrap(ide.Quadratic(4.0)), keep=keep, **arguments)
    assert whole.k.tolist() == keep
    for quantity in ("theta", "loss", *every.moments):
        assert whole.quantity(quantity).tobytes() == every.quantity(quantity)[keep].tobytes()
    monkeypatch.setattr(discrete, "BLOCK", 32)
    assert_same(ide.simulate(optimizer, wrap(ide.Quadratic(4.0)), keep=keep, **arguments), whole)
    assert_same(ide.simulate(optimizer, wrap(ide.Quadratic(4.0)), **arguments), every)


@pytest.mark.parametrize("wrap", [lambda objective: objective, Opaque], ids=["compiled", "python"])
def test_a_run_that_is_thinned_block_by_block_diverges_where_the_whole_one_does(monkeypatch, wrap):
    arguments = {"alpha": 1.0, "theta0": 1.0, "steps": 3000, "keep": 50}
    objective, optimizer = wrap(ide.Quadratic(4.0)), ide.AdamW(0.9, 0.999, 3.0)
    whole = ide.simulate(optimizer, objective, **arguments)
    assert whole.report.diverged_at > 64
    monkeypatch.setattr(discrete, "BLOCK", 32)
    assert_same(ide.simulate(optimizer, objective, **arguments), whole)


def test_memory_is_that_of_the_rows_kept_and_of_a_block(monkeypatch):
    monkeypatch.setattr(discrete, "BLOCK", 1000)
    tracemalloc.start()
    run = ide.simulate(
        ide.RMSProp(0.9), ide.Quadratic(4.0), alpha=0.001, theta0=1.0, steps=100_000, keep=10_000
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(run.k) == 11
    # A moment and theta of all iterations would be 1.6 MB, of a block 16 kB.
    assert peak < 100_000


@pytest.mark.parametrize("steps", [1, 6, 7, 8, 22, 23, 24, 100])
def test_where_arrays_begin_changes_no_bit(steps):
    """Rows are stored by cache lines, counted from the first; here arrays start at every place of a line."""
    library, optimizer = kernels.compiled(), ide.Adam(0.9, 0.999)
    assert library is not None
    runs = []
    for offset in range(16):
        arrays = [np.full(steps + 18, np.nan)[offset : offset + steps + 1, None] for _ in range(3)]
        for values, start in zip(arrays, (1.0, 0.0, 0.0), strict=True):
            values[0] = start
        runs.append(kernels.RunRows(optimizer, ([2.0], [4.0]), 0.01, None, *arrays))
    kernels.fill_many(library, runs)
    alone = ide.simulate(optimizer, ide.Quadratic(4.0), alpha=0.01, theta0=1.0, steps=steps)
    for rows in runs:
        for values, expected in zip(
            (rows.theta, rows.first, rows.second), (alone.theta, *alone.moments.values()), strict=True
        ):
            assert values.tobytes() == expected.tobytes()
            # Nothing is written beside the rows.
            assert np.isnan(values.base).sum() == 17


@pytest.mark.parametrize("shape", [(1, 1), (8, 1), (13, 3)])
def test_rows_begin_at_a_cache_line(shape):
    for _ in range(10):
        values = kernels.empty(*shape)
        assert values.shape == shape
        assert values.flags.c_contiguous
        assert values.ctypes.data % 64 == 0


def test_corrections_are_computed_once_for_each_distinct_decay_rate(monkeypatch):
    computed = []
    library = kernels.compiled()
    assert library is not None

    class Watched:
        lockstep = library.lockstep

        def corrections(self, beta, count, target):
            computed.append(beta)
            library.corrections(beta, count, target)

    monkeypatch.setattr(discrete, "compiled", Watched)
    optimizers = [ide.Adam(0.9, beta2) for beta2 in (0.99, 0.999) for _ in range(20)]
    ide.simulate_many(optimizers, ide.Quadratic(4.0), alpha=0.1, theta0=1.0, steps=100)
    assert sorted(computed) == [0.9, 0.99, 0.999]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": [0.1, 0.2, 0.3]}, "3 entries of alpha, 2 entries of steps: must be one for each run"),
        (
            {"theta0": [[1.0], [2.0], [3.0]]},
            "2 entries of steps, 3 entries of theta0: must be one for each run",
        ),
        ({"alpha": [0.1, 2.0]}, "alpha: 2.0 is not allowed"),
        ({"alpha": 0.0}, "alpha: 0.0 is not allowed"),
        ({"steps": [10, 0]}, "steps: 0 is not allowed"),
        ({"theta0": [[1.0], [math.nan]]}, "theta0: "),
        ({"keep": [0, 5, 10]}, "keep: "),
    ],
    ids=str,
)
def test_bad_input_is_refused_before_anything_runs(change, message):
    arguments = {"alpha": 0.1, "theta0": 1.0, "steps": [10, 20], **change}
    with pytest.raises(ValueError, match=rf"^{message}"):
        ide.simulate_many(ide.AdaGrad(), ide.Quadratic(4.0), **arguments)


# The job that runs the cells of a pack


def cells(*changes):
    cell = {"optimizer": {"class": "Adam", "arguments": {"beta1": 0.9, "beta2": 0.99}}}
    cell |= {"alpha": 0.1, "theta0": [1.0], "steps": 100}
    return [{"folder": f"f/Adam/{i}", **cell, **change} for i, change in enumerate(changes)]


def packed(entries):
    return {"objective": {"name": "f", "class": "Quadratic", "arguments": {"center": 4.0}}, "cells": entries}


CELLS = cells(
    {},
    {"alpha": 0.01, "steps": 40},
    {"theta0": [2.0]},
    {"schedule": {"name": "c", "class": "Cosine", "arguments": {"steps": 100}}},
    {"optimizer": {"class": "AdamW", "arguments": {"beta1": 0.9, "beta2": 0.99, "weight_decay": 500.0}}},
)


@pytest.mark.usefixtures("only_in_lockstep")
def test_a_pack_goes_in_lockstep_and_each_file_has_the_bytes_of_a_job_by_itself(tmp_path):
    manifest = tmp_path / "together" / "packs/f/Adam/all/discrete.json"
    manifest.parent.mkdir(parents=True)
    line = pack.run("simulate", packed(CELLS), manifest, "digest", lambda _: None)
    assert line == "5 cells: 4 completed, 1 diverged"
    for entry in CELLS:
        alone = tmp_path / "alone" / "packs/f/Adam/all/discrete.json"
        alone.parent.mkdir(parents=True, exist_ok=True)
        pack.run("simulate", packed([entry]), alone, "digest", lambda _: None)
        files = [tmp_path / root / entry["folder"] / "discrete.parquet" for root in ("together", "alone")]
        assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.usefixtures("only_in_lockstep")
def test_of_a_pack_with_cells_that_cannot_be_run_all_others_are(tmp_path):
    manifest = tmp_path / "packs/f/Adam/all/discrete.json"
    manifest.parent.mkdir(parents=True)
    entries = cells({}, {"alpha": 7.0}, {"alpha": 0.2}, {"steps": 0})
    log = []
    with pytest.raises(ValueError, match=r"^f/Adam/1: alpha: 7\.0 is not allowed.* \(and 1 more\)$"):
        pack.run("simulate", packed(entries), manifest, "digest", log.append)
    assert not manifest.exists()
    assert [(tmp_path / f"f/Adam/{i}/discrete.parquet").exists() for i in range(4)] == [
        True,
        False,
        True,
        False,
    ]
    assert log[2:4] == ["--- f/Adam/1", "error: alpha: 7.0 is not allowed: must be a number in (0, 1]"]


def test_a_pack_of_many_parameters_is_divided_into_what_fits_into_a_block(monkeypatch):
    monkeypatch.setattr(simulate_stage, "BLOCK", 250)
    objective = ide.Quadratic(4.0)
    entries = cells({}, {}, {}, {"theta0": [1.0, 2.0]}, {"steps": 1000}, {})
    batches = simulate_stage._batches(entries, objective)
    assert [[entry["folder"][-1] for entry in batch] for batch in batches] == [
        ["0", "1"],
        ["2"],
        ["3"],
        ["4"],
        ["5"],
    ]
