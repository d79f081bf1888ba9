"""The commands for people: what they print, write and refuse, how they end, and what they load."""

import csv
import json
import math
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from calling import RUN, named

import idescent as ide
from idescent import cli
from idescent.products.errors import rows as error_rows
from idescent.store import trajectories


def printed(capsys, *words):
    assert cli.main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def told(command, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def examples(text):
    return re.findall(r"^  (idescent .*)$", text, flags=re.MULTILINE)


@pytest.mark.parametrize("command", [[], *([name] for name in cli.COMMANDS)], ids=named)
def test_every_example_in_the_help_runs_and_writes_what_it_names(command, folder, capsys):
    found = examples(told(command, capsys))
    assert found
    for example in found:
        words = shlex.split(example)[1:]
        assert cli.main(words) == 0, example
        assert capsys.readouterr().out, example
        if "--output" in words:
            assert (folder / words[words.index("--output") + 1]).stat().st_size > 0


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_the_help_of_a_command_begins_with_a_sentence_and_says_where_results_go(command, capsys):
    text = told([command], capsys)
    first = text.split("\n\n")[1]
    assert first[0].isupper()
    assert first.endswith(".")
    assert "--output" in text or "The command prints" in " ".join(text.split())


NEEDY = ["init", "simulate", "solve", "compare", "fast-forward", "predict", "check", "show"]


@pytest.mark.parametrize("command", [[], *([name] for name in NEEDY)], ids=named)
def test_a_command_that_requires_arguments_prints_its_help_without_them(command, folder, capsys):
    assert cli.main(command) == 0
    text = capsys.readouterr()
    assert text.out == told(command, capsys)
    assert text.err == ""
    assert not list(folder.glob("*.parquet"))


def test_commands_that_require_nothing_run_without_arguments(capsys):
    assert {*cli.COMMANDS} - {*NEEDY} == {"run", "report", "list", "info"}
    for command in ("list", "info"):
        assert cli.main([command]) == 0
        assert not capsys.readouterr().out.startswith("usage")
    assert "exit status: 0 done, or help;" in told([], capsys)


def test_whole_numbers_may_have_an_exponent_wherever_a_command_counts(folder, capsys):
    long = ["--steps", "3e1", "--alpha", "0.1"]
    schedule = ["--schedule", "Cosine", "--schedule-set", "steps=3e1"]
    found = printed(capsys, "simulate", "Adam", *long, *schedule, "--keep", "1e1")
    assert found["rows"]["k"] == [0, 10, 20, 30]
    assert found["cell"]["schedule"]["arguments"] == {"steps": 30}
    assert printed(capsys, "solve", "HalfStep", "Adam", *long)["rows"]["k"][-1] == 30
    assert printed(capsys, "fast-forward", "Adam", *long, "--at", "1e1,3e1")["k"] == [10, 30]
    counts = ["--budget", "1e3", "--start-iterations", "1e1", "--at", "1e1,3e1"]
    assert printed(capsys, "predict", "Adam", *long, *counts)["k"] == [10, 30]
    assert cli.main(["check", "Quadratic", "--dimension", "2e0", "--seed", "1e1"]) == 0
    many = ["--objective", "RotatedQuadratic", "--set", "dimension=1e1"]
    capsys.readouterr()
    assert printed(capsys, "simulate", "Adam", *long, *many)["cell"]["objective"]["arguments"] == {
        "dimension": 10
    }


def test_the_main_help_names_every_command_and_not_those_of_the_workflow(capsys):
    text = told([], capsys)
    assert all(f"\n    {name} " in text for name in cli.COMMANDS)
    assert "job" not in text
    assert "description of the job" in told(["job"], capsys)


def test_a_run_is_that_of_adams_formulas(folder, capsys):
    words = ["Adam", "--beta1", "0.8", "--beta2", "0.99", "--set", "center=3", "--theta0", "-1"]
    rows = printed(capsys, "simulate", *words, "--alpha", "0.1", "--steps", "20")["rows"]
    theta, m, v, expected = -1.0, 0.0, 0.0, [-1.0]
    for k in range(1, 21):
        g = 2.0 * (theta - 3.0)
        m, v = 0.8 * m + 0.2 * g, 0.99 * v + 0.01 * g * g
        theta -= 0.1 * (m / (1 - 0.8**k)) / (math.sqrt(v / (1 - 0.99**k)) + 1e-8)
        expected.append(theta)
    np.testing.assert_allclose(np.array(rows["theta"])[:, 0], expected, rtol=1e-12)
    np.testing.assert_allclose(rows["loss"], (np.array(expected) - 3.0) ** 2, rtol=1e-12)
    np.testing.assert_allclose(rows["t"], 0.1 * np.arange(21), rtol=1e-15)


def test_a_solution_is_within_its_own_estimate_of_a_stricter_one(folder, capsys):
    found = printed(capsys, "solve", "HalfStep", "RMSProp", "--beta", "0.9", *RUN, "--rtol", "1e-6")
    path = ide.solve(
        ide.models.HalfStep(), ide.RMSProp(0.9), ide.Quadratic(), alpha=0.1, theta0=1.0, steps=30, rtol=1e-12
    )
    distance = np.abs(np.array(found["rows"]["theta"]) - path.theta).max()
    assert found["report"]["status"] == "converged"
    assert 0.0 < distance <= found["report"]["error_estimate"] <= 1e-6 * 4.3
    assert found["cell"]["solution"]["name"] == "half-step.exact"


def test_what_is_compared_is_what_the_files_hold(folder, capsys):
    assert cli.main(["simulate", "Adam", *RUN, "--output", "run.parquet"]) == 0
    assert cli.main(["solve", "Paper", "Adam", *RUN, "--output", "path.parquet"]) == 0
    capsys.readouterr()
    (entry,) = printed(capsys, "compare", "run.parquet", "path.parquet")["paths"]
    run, path = trajectories.read("run.parquet"), trajectories.read("path.parquet")
    for name in ("theta", "loss", "m", "v"):
        e = np.abs(run.quantity(name) - path.quantity(name))[:, 0]
        size = np.abs(run.quantity(name))[:, 0]
        said = entry["errors"][name]
        expected = {"sup": e.max(), "rms": np.sqrt((e**2).mean()), "final": e[-1]}
        assert said["absolute"] == pytest.approx(expected, rel=1e-12)
        scale = {"sup": size.max(), "rms": np.sqrt((size**2).mean()), "final": size[-1]}
        assert said["relative"] == pytest.approx({n: expected[n] / scale[n] for n in expected}, rel=1e-12)
        assert said["at"] == e.argmax()
    assert cli.main(["compare", "run.parquet", "path.parquet"]) == 0
    text = capsys.readouterr()
    assert f"{entry['errors']['theta']['absolute']['sup']:.3e}" in text.out
    assert text.err == ""


def test_files_of_different_runs_are_compared_with_a_warning(folder, capsys):
    assert cli.main(["simulate", "Adam", *RUN, "--output", "a.parquet"]) == 0
    assert cli.main(["simulate", "AdaGrad", *RUN, "--output", "b.parquet"]) == 0
    capsys.readouterr()
    assert cli.main(["compare", "a.parquet", "b.parquet"]) == 0
    assert "note: b.parquet belongs to another run: AdaGrad on Quadratic" in capsys.readouterr().err


def test_written_files_are_those_of_the_workflow(folder, capsys):
    assert cli.main(["simulate", "Adam", *RUN, "--output", "run.parquet"]) == 0
    assert cli.main(["solve", "Paper", "Adam", *RUN, "--output", "path.parquet"]) == 0
    rows = error_rows.table(["run.parquet", "path.parquet"]).to_pylist()
    assert {(row["solution"], row["kind"]) for row in rows} == {
        ("paper.exact", "total"),
        ("paper.exact", "model"),
    }
    first = Path("run.parquet").read_bytes()
    assert cli.main(["simulate", "Adam", *RUN, "--output", "run.parquet"]) == 0
    assert Path("run.parquet").read_bytes() == first


def test_classes_of_ones_own_serve_wherever_a_class_is_asked_for(folder, capsys):
    own = printed(
        capsys, "solve", "mine_cli:MyModel", "mine_cli:MyAdam", "--objective", "mine_cli:Bowl", *RUN
    )
    ours = printed(capsys, "solve", "Paper", "Adam", *RUN)
    np.testing.assert_allclose(own["rows"]["theta"], ours["rows"]["theta"], rtol=1e-9)
    assert own["cell"]["optimizer"]["class"] == "mine_cli:MyAdam"


@pytest.mark.parametrize(
    ("words", "theta0"),
    [
        (["--theta0", "-1.5,2e-1"], [-1.5, 0.2]),
        (["--theta0=-1.5,2e-1"], [-1.5, 0.2]),
        (["--theta0", "-.5"], [-0.5, -0.5]),
        (["--theta0", "seed:3"], np.random.RandomState(3).standard_normal(2)),
    ],
)
def test_starts_are_numbers_vectors_or_seeds(words, theta0, folder, capsys):
    given = ["--objective", "Rosenbrock", *words, "--steps", "2"]
    rows = printed(capsys, "simulate", "Adam", *given)["rows"]
    np.testing.assert_allclose(rows["theta"][0], theta0, rtol=1e-15)


def test_schedules_solvers_and_rows_to_keep_are_taken(folder, capsys):
    schedule = ["--schedule", "Cosine", "--schedule-set", "steps=30"]
    found = printed(capsys, "simulate", "Adam", *RUN, *schedule, "--keep", "7")
    run = ide.simulate(
        ide.Adam(0.9, 0.999),
        ide.Quadratic(),
        alpha=0.1,
        theta0=1.0,
        steps=30,
        schedule=ide.schedules.Cosine(30),
    )
    assert found["rows"]["k"] == [0, 7, 14, 21, 28, 30]
    np.testing.assert_array_equal(found["rows"]["theta"], run.theta[[0, 7, 14, 21, 28, 30]])
    found = printed(
        capsys, "solve", "Paper", "Adam", *RUN, "--solver", "Collocation", "--solver-set", "stages=5"
    )
    assert found["cell"]["solution"]["solver"] == {"class": "Collocation", "arguments": {"stages": 5}}


def test_a_run_is_leapt_over_within_its_estimate(folder, capsys):
    words = ["NAdam", "--alpha", "0.0001", "--steps", "1e4", "--at", "0,10,5e3,10000"]
    words += ["--schedule", "Cosine", "--schedule-set", "steps=10000"]
    result = printed(capsys, "fast-forward", *words)
    schedule = ide.schedules.Cosine(10_000)
    run = ide.simulate(
        ide.NAdam(),
        ide.Quadratic(),
        alpha=1e-4,
        theta0=1.0,
        steps=10_000,
        schedule=schedule,
        keep=result["k"],
    )
    assert result["k"] == [0, 10, 5000, 10_000]
    estimate = result["report"]["error_estimate"]
    assert 0.0 < estimate < 1e-9
    assert np.abs(np.array(result["theta"]) - run.theta).max() <= estimate
    assert cli.main(["fast-forward", *words, "--output", "run.csv"]) == 0
    with Path("run.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["theta"]) for row in rows] == [row[0] for row in result["theta"]]
    assert [row["k"] for row in rows] == ["0", "10", "5000", "10000"]


def test_the_table_of_a_long_run_ends_with_its_error_and_its_cost(capsys):
    words = ["fast-forward", "AdaGrad", "--alpha", "0.001", "--steps", "1e6", "--rtol", "1e-9"]
    assert cli.main(words) == 0
    output = capsys.readouterr()
    assert output.err == ""
    *table, error, where, cost = output.out.splitlines()
    assert [line.split()[0] for line in table[3:14]] == [str(100_000 * i) for i in range(11)]
    assert re.fullmatch(r"error estimate \S+ \(sup norm .*\): resolution \S+, rounding \S+", error)
    assert re.fullmatch(r"one by one: k = 0-40, (\d+-\d+, ){3}\.\.\., \d+-1000000 \(\d+ stretches\)", where)
    assert re.fullmatch(
        r"converged: \d+ elements, \d+ iterations made one by one; \d+ gradient evaluations", cost
    )


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (
            ["Signum", "--alpha", "0.1", "--steps", "1000", "--limit", "300"],
            "not converged: the limit of 300",
        ),
        (["Adam", "--objective", "DoubleWell", "--theta0", "1e70"], "diverged: iteration 1 is not finite"),
    ],
    ids=named,
)
def test_a_leap_that_ends_early_prints_what_it_reached(words, status, folder, capsys):
    assert cli.main(["fast-forward", *words, "--output", "run.csv"]) == 0
    output = capsys.readouterr()
    assert output.out.startswith("run.csv: ")
    assert f" rows, {status}" in output.out
    assert output.err.startswith(f"note: {status}")
    last = int(Path("run.csv").read_text(encoding="utf-8").splitlines()[-1].split(",")[0])
    assert cli.main(["fast-forward", *words, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["k"][-1] == last == result["report"]["details"]["where"][-1][1] - status.startswith("div")


@pytest.mark.parametrize(
    ("words", "status", "parts"),
    [
        (["simulat"], 2, ["'simulat'", "simulate, solve, compare"]),
        (["simulate", "--json"], 2, ["OPTIMIZER"]),
        (["solve", "HalfStep"], 2, ["OPTIMIZER"]),
        (["simulate", "Adamm"], 1, ["'Adamm'", "AdaGrad, Adafactor, Adam,", "module:Class"]),
        (["simulate", "Adam", "--beta", "0.9"], 1, ["--beta", "Adam", "beta1, beta2"]),
        (["simulate", "Adam", "--weight-decay", "0.9"], 1, ["--weight-decay", "Adam", "beta1, beta2"]),
        (["simulate", "Adam", "--beta1", "1"], 1, ["Adam.beta1", "1.0", "[0, 1)"]),
        (["simulate", "Adam", "--beta1", "high"], 2, ["--beta1", "'high'"]),
        (["simulate", "Adam", "--alpha", "2"], 1, ["alpha", "2.0", "(0, 1]"]),
        (["simulate", "Adam", "--alpha", "-2"], 1, ["alpha", "-2.0", "(0, 1]"]),
        (["simulate", "Adam", "--steps", "0"], 1, ["steps", "0", ">= 1"]),
        (["simulate", "Adam", "--steps", "1.5"], 2, ["--steps", "'1.5'"]),
        (["simulate", "Adam", "--theta0", "one"], 2, ["--theta0", "'one'", "seed:N"]),
        (["simulate", "Adam", "--theta0", "seed:1"], 1, ["theta0", "Quadratic", "initial"]),
        (["simulate", "Adam", "--set", "center"], 2, ["--set", "'center'", "NAME=VALUE"]),
        (["simulate", "Adam", "--set", "centre=1"], 1, ["--set", "'centre'", "must be one of center"]),
        (["simulate", "Adam", "--set", "center=left"], 1, ["left"]),
        (["simulate", "Adam", "--objective", "Kwadratic"], 1, ["'Kwadratic'", "Quadratic", "module:Class"]),
        (["simulate", "Adam", "--objective", "none:Bowl"], 1, ["'none:Bowl'", "No module"]),
        (["simulate", "Adam", "--objective", "mine_cli:Bow"], 1, ["'mine_cli:Bow'", "Bow"]),
        (["simulate", "Adam", "--objective", "mine_cli:Broken"], 1, ["mine_cli:Broken", "KeyError"]),
        (["simulate", "Adam", "--output", "run.txt"], 1, ["--output", "'run.txt'", ".parquet"]),
        (["simulate", "Adam", "--output", "no/run.parquet"], 1, ["--output", "no folder no"]),
        (["simulate", "Adam", "--schedule", "Cosinus"], 1, ["'Cosinus'", "Cosine"]),
        (["solve", "Papier", "Adam"], 1, ["'Papier'", "HalfStep", "module:Class"]),
        (["solve", "Paper", "Adam", "--rtol", "2"], 1, ["rtol", "2.0", "(0, 1)"]),
        (["solve", "Paper", "Adam", "--solver", "Euler"], 1, ["'Euler'", "Collocation"]),
        (["solve", "Paper", "Adam", "--solver-set", "nodes=3"], 1, ["--solver-set", "'nodes'", "stages"]),
        (["compare", "mine_cli.py", "mine_cli.py"], 1, ["mine_cli.py", "not a whole trajectory file"]),
        (["compare", "none.parquet", "none.parquet"], 1, ["none.parquet: there is no such file"]),
        (["show", "none.parquet", "--output", "x.png"], 1, ["none.parquet: there is no such file"]),
        (
            ["simulate", "Adam", "--schedule", "Cosine"],
            1,
            ["steps must be set: --schedule-set steps=VALUE"],
        ),
        (["simulate", "Muon"], 1, ["shape must be set: --optimizer-set shape=VALUE"]),
        (["simulate", "Adam", "--objective", "RotatedQuadratic"], 1, ["dimension", "--set dimension=VALUE"]),
        (["fast-forward", "Adam", "--at", "0,101"], 1, ["--at", "101", "[0, 100]"]),
        (["fast-forward", "Adam", "--at", "-1"], 1, ["--at", "-1", "[0, 100]"]),
        (["fast-forward", "Adam", "--at", "end"], 2, ["--at", "'end'"]),
        (["fast-forward", "Adam", "--at", "0,2.5"], 2, ["--at", "'2.5'", "whole numbers separated"]),
        (["fast-forward", "Adam", "--limit", "0"], 1, ["limit", "0", ">= 1"]),
        (["fast-forward", "Adam", "--rtol", "2"], 1, ["rtol", "2.0", "(0, 1)"]),
        (
            ["show", "Adam", "--quantity", "G", "--output", "a.png"],
            1,
            ["--quantity", "'G'", "theta, loss, m, v"],
        ),
        (["show", "Adam", "--errors", "--output", "a.png"], 1, ["--errors", "solution"]),
        (["show", "Adam", "--output", "a.gif"], 1, ["--output", "'a.gif'", ".png"]),
        (["show", "Adam", "RMSProp"], 1, ["'RMSProp'", "a single optimizer"]),
        (["info", "nowhere"], 1, ["nowhere", "no such file"]),
        (["info", "mine_cli.py"], 1, ["mine_cli.py", ".parquet"]),
        (["info", "adamm"], 1, ["adamm: there is no such file, folder or optimizer; did you mean Adam?"]),
        (["info", "mine_cli:Nothing"], 1, ["Nothing"]),
        (["info", "Adam", "--beta1", "2"], 1, ["Adam.beta1: 2.0 is not allowed"]),
        (["info", "AdaGrad", "--beta1", "0.9"], 1, ["--beta1", "no argument of AdaGrad"]),
        (["info", ".", "--beta1", "0.9"], 1, ["--beta1 is for optimizers: . is none"]),
        (["--print-completion", "tcsh"], 2, ["'tcsh'", "bash"]),
    ],
    ids=named,
)
def test_bad_input_is_one_line_that_names_it_and_nothing_is_written(words, status, parts, folder, capsys):
    try:
        ended = cli.main(words)
    except SystemExit as error:
        ended = error.code
    said = capsys.readouterr()
    assert ended == status
    assert said.out == ""
    assert said.err.startswith("idescent")
    assert said.err.count("\n") == 1
    assert all(part in said.err for part in parts), said.err
    assert {path.name for path in folder.iterdir()} <= {"mine_cli.py", "__pycache__"}


def test_a_damaged_file_is_said_to_be_and_left_where_it_is(folder, capsys):
    assert cli.main(["simulate", "Adam", *RUN, "--output", "run.parquet"]) == 0
    content = bytearray(Path("run.parquet").read_bytes())
    content[200] ^= 1
    Path("run.parquet").write_bytes(content)
    capsys.readouterr()
    assert cli.main(["info", "run.parquet"]) == 1
    assert "run.parquet: not a whole trajectory file" in capsys.readouterr().err
    assert Path("run.parquet").read_bytes() == content


def test_a_run_that_diverges_is_written_and_said_to_have(folder, capsys):
    words = ["simulate", "Adam", "--objective", "DoubleWell", "--theta0", "1e70", "--output", "run.parquet"]
    assert cli.main(words) == 0
    said = capsys.readouterr()
    assert said.err.startswith("note: diverged: iteration")
    assert trajectories.read("run.parquet").report.status == "diverged"


def test_info_tells_of_files_folders_and_the_installation(folder, capsys):
    assert cli.main(["simulate", "Adam", *RUN, "--output", "run.parquet"]) == 0
    assert cli.main(["solve", "Paper", "Adam", *RUN, "--output", "path.parquet"]) == 0
    trajectories.write_table("errors.parquet", error_rows.table(["run.parquet", "path.parquet"]))
    Path("cut.parquet").write_bytes(Path("run.parquet").read_bytes()[:-9])
    capsys.readouterr()
    found = printed(capsys, "info", "path.parquet")
    assert (found["kind"], found["rows"], found["report"]["status"]) == ("solution", 31, "converged")
    assert found["provenance"]["version"] == ide.__version__
    assert printed(capsys, "info", "errors.parquet")["kind"] == "table"
    found = printed(capsys, "info", ".")
    assert found["discrete runs"] == {"completed": 1}
    assert found["solutions"] == {"paper.exact": {"converged": 1}}
    assert (found["tables"], found["cannot be read"]) == (["errors.parquet"], ["cut.parquet"])
    assert printed(capsys, "info")["numpy"] == np.__version__
    assert cli.main(["info", "run.parquet"]) == 0
    assert "Adam(beta1=0.9, beta2=0.999) on Quadratic, alpha 0.1" in capsys.readouterr().out


def test_info_prints_the_card_of_an_optimizer(folder, capsys):
    assert cli.main(["info", "mine_cli:MyAdam", "--beta1", "0.8"]) == 0
    text = capsys.readouterr().out
    card = ide.Adam(0.8, 0.999).card()
    assert text == f"{card}\n".replace("Adam(", "MyAdam(")
    found = printed(capsys, "info", "NAdam", "--optimizer-set", "psi=0.01")
    assert (found["kind"], list(found["memories"])) == ("optimizer", ["m", "v"])
    assert found["optimizer"] == repr(ide.NAdam(psi=0.01))
    assert found["memories"]["m"]["mass"] == "1 - 0.9^k"


def test_a_file_with_the_name_of_an_optimizer_is_described_as_a_file(folder, capsys):
    (folder / "Adam").mkdir()
    assert printed(capsys, "info", "Adam")["kind"] == "folder of results"
