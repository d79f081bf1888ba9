"""Long runs: made in calls from which Ctrl-C can be heard, and refused if they do not fit into memory."""

import numpy as np
import pytest

import idescent as ide
from idescent import cli
from idescent.discrete import kernels, memory
from idescent.discrete.setup import MOST_STEPS

OPTIMIZERS = [
    ide.AdaGrad(),
    ide.RMSProp(0.9),
    ide.Adam(0.9, 0.999),
    ide.AdamW(0.9, 0.999, weight_decay=0.1),
    ide.Adam(0.9, 0.999, accumulator="norm"),
]


def same_bits(one, other):
    assert one.report == other.report
    for name in ("theta", "loss", *one.moments):
        assert one.quantity(name).tobytes() == other.quantity(name).tobytes()


@pytest.mark.parametrize("numbers", [1, 7, 64, 1000])
@pytest.mark.parametrize("n", [1, 3, 20])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_bits_do_not_depend_on_how_a_run_is_divided_into_calls(optimizer, n, numbers, monkeypatch):
    given = {"theta0": np.linspace(1.0, 2.0, n), "schedule": ide.schedules.Cosine(400)}
    several = {**given, "alpha": [0.01, 0.02, 0.03], "steps": [150, 300, 300]}
    objective = ide.Quadratic(center=3.0)
    whole = [ide.simulate(optimizer, objective, alpha=0.01, steps=300, **given)]
    whole += ide.simulate_many(optimizer, objective, **several)
    monkeypatch.setattr(kernels, "_CALL", numbers)
    divided = [ide.simulate(optimizer, objective, alpha=0.01, steps=300, **given)]
    divided += ide.simulate_many(optimizer, objective, **several)
    for one, other in zip(whole, divided, strict=True):
        same_bits(one, other)


def test_a_divergence_in_a_later_call_is_found_at_its_iteration(monkeypatch):
    class Steep:  # curvature by which AdaGrad's sum overflows after some iterations
        def separable_quadratic(self, n):
            return 1e153, 0.0

        def value(self, theta):
            return 0.5e153 * (theta**2).sum(axis=-1)

        def gradient(self, theta):
            return 1e153 * theta

    given = {"alpha": 1e-3, "theta0": np.full(20, 2.5), "steps": 100}
    whole = ide.simulate(ide.AdaGrad(), Steep(), **given)
    monkeypatch.setattr(kernels, "_CALL", 40)  # two rows a call
    divided = ide.simulate(ide.AdaGrad(), Steep(), **given)
    assert 4 < whole.report.diverged_at < 100
    same_bits(whole, divided)


RUNS = {
    "simulate": lambda **more: ide.simulate(ide.Adam(0.9, 0.999), ide.Quadratic(), **more),
    "simulate_many": lambda **more: ide.simulate_many([ide.Adam(0.9, 0.999)] * 2, ide.Quadratic(), **more),
    "solve": lambda **more: ide.solve(ide.models.Paper(), ide.Adam(0.9, 0.999), ide.Quadratic(), **more),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_rows_that_do_not_fit_into_memory_are_refused_before_any_is_made(run, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 2 * 10**9)
    with pytest.raises(ValueError, match=r"^steps: 300000000 is not allowed: .* GB of memory, and 2 GB are"):
        run(alpha=0.1, theta0=1.0, steps=300_000_000)
    found = run(alpha=1e-7, theta0=1.0, steps=3_000_000, keep=1_000_000)  # what is kept fits
    for one in found if isinstance(found, list) else [found]:
        assert one.k.tolist() == [0, 1_000_000, 2_000_000, 3_000_000]


def test_many_runs_that_fit_one_by_one_only_are_refused(monkeypatch):
    # k, t, loss, theta, m, v, and theta twice: eight numbers a row; and 0.6 MB of bias corrections.
    monkeypatch.setattr(memory, "available", lambda: 8 * 8 * 10_000_000)
    given = {"alpha": 0.1, "theta0": 1.0, "steps": 6_000_000}
    with pytest.raises(ValueError, match=r"the rows need 769 MB of memory, and 640 MB are available"):
        ide.simulate_many([ide.Adam(0.9, 0.999)] * 2, ide.Quadratic(), **given)


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_more_iterations_than_time_can_count_are_refused(run):
    with pytest.raises(ValueError, match=r"^steps: 9007199254740993 is not allowed: must be <= 2\*\*53"):
        run(alpha=0.1, theta0=1.0, steps=MOST_STEPS + 1, keep=10**15)


def test_what_is_available_is_what_the_system_and_the_container_leave(tmp_path, monkeypatch):
    machine, limit, used = tmp_path / "meminfo", tmp_path / "max", tmp_path / "current"
    machine.write_text("MemTotal: 900 kB\nMemAvailable:     500 kB\n", encoding="ascii")
    monkeypatch.setattr(memory, "_MEMINFO", machine)
    monkeypatch.setattr(memory, "_LIMITS", ((limit, used),))
    assert memory.available() == 500 * 1024
    limit.write_text("300000\n", encoding="ascii")
    used.write_text("100000\n", encoding="ascii")
    assert memory.available() == 200_000
    limit.write_text("max\n", encoding="ascii")
    assert memory.available() == 500 * 1024
    machine.unlink()
    assert memory.available() is None


def test_the_command_refuses_them_in_one_line_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(memory, "available", lambda: 2 * 10**9)
    assert cli.main(["simulate", "Adam", "--steps", "300000000", "--output", "run.parquet"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("idescent simulate: steps: 300000000 is not allowed: ")
    assert said.err.count("\n") == 1
    assert not list(tmp_path.iterdir())
