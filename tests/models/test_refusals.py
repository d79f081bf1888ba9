"""What objects of the package, the command line and the report refuse, word for word."""

import re

import numpy as np
import pytest
import yaml

import idescent as ide
from idescent.cli import main
from idescent.products.formats import in_order
from idescent.products.report.figures import described
from idescent.stochastic.noise import Additive, Batches
from idescent.store.tables import read_errors
from idescent.study import packs


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (
            lambda: ide.Quadratic(np.ones((2, 2))),
            "Quadratic.center: shape (2, 2) is not allowed: must be () or (n,)",
        ),
        (
            lambda: Batches(ide.MeanSquaredError.synthetic(size=4), 2, covariance="all"),
            "Batches.covariance: 'all' is not allowed: must be 'full' or 'diagonal'",
        ),
        (
            lambda: Additive(ide.Quadratic(), np.inf),
            "Additive.factor: inf is not allowed: must be a number, a vector or a matrix",
        ),
        (lambda: read_errors([]), "tables: 0 error files are not allowed: must be at least 1"),
    ],
    ids=["quadratic", "batches", "additive", "tables"],
)
def test_what_cannot_be_is_one_line(make, line):
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        make()


def test_a_table_of_no_errors_is_in_order():
    import pyarrow as pa

    nothing = pa.table({name: pa.array([], pa.string()) for name in ("objective", "optimizer", "label")})
    assert in_order(nothing) is nothing


def test_objectives_say_how_they_are_made():
    assert repr(ide.objectives.DoubleWell(3)) == "DoubleWell(dimension=3)"
    assert repr(ide.objectives.Rosenbrock(4, b=7.0)) == "Rosenbrock(dimension=4, b=7.0)"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<svg", "not a whole SVG (unclosed token"),
        ("<svg/>", "it has no title or no caption in its metadata"),
    ],
)
def test_a_figure_that_is_none_is_refused_with_what_to_do(tmp_path, text, words):
    file = tmp_path / "figure.svg"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        described(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert str(caught.value).endswith("; delete it and rerun")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["check", "Quadratic", "--arguments", "[1]"],
            "--arguments: '[1]' is not allowed: must be a JSON object",
        ),
        (
            ["check", "Quadratic", "--arguments", "{"],
            "--arguments: '{' is not allowed: must be a JSON object",
        ),
        (["check", "Quadratic", "--arguments", '{"middle": 1}'], "'middle' is no argument of Quadratic"),
        (["check", "yaml:YAMLError"], "yaml:YAMLError: it has neither value, memories nor equation"),
    ],
    ids=["list", "brace", "unknown", "nothing"],
)
def test_check_says_what_is_wrong_with_what_it_was_given(words, line, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    said = capsys.readouterr()
    assert line in said.err
    assert said.err.count("\n") == 1
    assert not said.out


@pytest.mark.parametrize("seed", ["-1", "1.5", str(2**32)])
def test_a_seed_is_a_whole_number_of_32_bits(seed, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["check", "Quadratic", f"--seed={seed}"])
    assert caught.value.code == 2
    assert f"'{seed}' is not allowed: must be a whole number in [0, 2**32)" in capsys.readouterr().err


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A folder with a run and a solution of it."""
    monkeypatch.chdir(tmp_path)
    adam = ["Adam", "--alpha", "0.1", "--steps", "20"]
    assert main(["simulate", *adam, "--output", "run.parquet"]) == 0
    assert main(["solve", "HalfStep", *adam, "--output", "path.parquet"]) == 0
    return tmp_path


def test_a_solution_in_the_place_of_the_run_is_said_to_be_one(written, capsys):
    capsys.readouterr()
    assert main(["compare", "path.parquet", "run.parquet"]) == 0
    assert "path.parquet is not a discrete run but the solution half-step.exact" in capsys.readouterr().err


def test_info_tells_of_the_list_of_a_pack_and_what_it_lacks(written, capsys):
    place = written / "results/tiny/packs/quadratic/Adam/all/discrete.json"
    cell = written / "results/tiny/quadratic/Adam/x/discrete.parquet"
    for file in (place, cell):
        file.parent.mkdir(parents=True)
    cell.write_bytes((written / "run.parquet").read_bytes())
    name = "quadratic/Adam/x/discrete.parquet"
    packs.write_manifest(place, {name: cell}, {name: "completed"})
    capsys.readouterr()
    assert main(["info", str(place), "--json"]) == 0
    facts = yaml.safe_load(capsys.readouterr().out)
    assert (facts["kind"], facts["cells"], facts["status"]) == ("list of a pack", 1, {"completed": 1})
    assert facts["missing or damaged"] == []
    cell.unlink()
    assert main(["info", str(place), "--json"]) == 0
    assert len(yaml.safe_load(capsys.readouterr().out)["missing or damaged"]) == 1


def test_what_is_called_parquet_and_is_not_is_one_line(written, capsys):
    (written / "run.parquet").write_bytes(b"PAR1")
    capsys.readouterr()
    assert main(["info", "run.parquet"]) == 1
    assert capsys.readouterr().err.startswith("idescent info: run.parquet: not a whole Parquet file (")


def test_files_are_drawn_as_they_are(written, capsys):
    capsys.readouterr()
    assert main(["show", "run.parquet", "--model", "Paper", "--output", "x.png"]) == 1
    assert "--model is not allowed with files" in capsys.readouterr().err
    assert not (written / "x.png").exists()
