"""What is typed: counts, misspelt names, classes in files, outputs; and terminals of every encoding."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from calling import RUN, call, named

from idescent import cli, trajectory


def refusal(capsys, *words):
    """Return exit status and the one line that a command ends with."""
    try:
        status = cli.main(words)
    except SystemExit as ended:
        status = ended.code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return status, said.err


@pytest.mark.parametrize(
    ("text", "steps"), [("100", 100), ("1e2", 100), ("1.2E+1", 12), ("1_0", 10), ("3.0", 3)]
)
def test_counts_may_have_an_exponent(text, steps, folder, capsys):
    words = ["simulate", "Adam", "--steps", text, "--keep", "1e1", "--output", "run.parquet"]
    assert cli.main(words) == 0
    run = trajectory.read("run.parquet")
    assert run.steps == steps
    assert run.k.tolist() == sorted({*range(0, steps, 10), steps})


@pytest.mark.parametrize(
    "text", ["1.5", "1e-2", "1e400", "1e999999999", "1e16", "nan", "snan", "inf", "ten", "0x10", ""]
)
@pytest.mark.parametrize(
    "words",
    [["simulate", "Adam", "--steps"], ["solve", "Paper", "Adam", "--keep"], ["check", "Quadratic", "--seed"]],
    ids=named,
)
def test_what_is_no_count_is_refused(words, text, folder, capsys):
    status, said = refusal(capsys, *words, text)
    assert status == 2
    assert f"{words[-1]}: {text!r} is not allowed: must be a whole number" in said


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["simulat"], "simulate"),
        (["fastforward"], "fast-forward"),
        (["simulate", "adamm"], "Adam"),
        (["simulate", "RMSprp"], "RMSProp"),
        (["solve", "half-stp", "Adam"], "HalfStep"),
        (["solve", "third_ordr", "Adam"], "ThirdOrder"),
        (["solve", "Paper", "Adam", "--solver", "colocation"], "Collocation"),
        (["simulate", "Adam", "--objective", "double-wel"], "DoubleWell"),
        (["simulate", "Adam", "--schedule", "linear-warm"], "LinearWarmup"),
        (["simulate", "Adam", "--accumulator", "nrm"], "norm"),
        (["simulate", "Adam", "--set", "centre=1"], "center"),
        (["simulate", "Adam", "--alpah", "1"], "--alpha"),
        (["check", "Quadratik"], "Quadratic"),
        (["show", "Adam", "--quantity", "los", "--output", "a.png"], "loss"),
    ],
    ids=named,
)
def test_a_misspelt_word_is_answered_with_the_one_that_is_meant(words, meant, folder, capsys):
    status, said = refusal(capsys, *words)
    assert status in (1, 2)
    assert f"; did you mean {meant}?" in said


@pytest.mark.parametrize(
    ("words", "spelled"),
    [
        (["simulate", "adam"], ["simulate", "Adam"]),
        (
            ["solve", "half-step", "rms_prop", "--steps", "20"],
            ["solve", "HalfStep", "RMSProp", "--steps", "20"],
        ),
        (
            ["simulate", "Adam", "--objective", "double-well", "--schedule", "cosine"],
            ["simulate", "Adam", "--objective", "DoubleWell", "--schedule", "Cosine"],
        ),
        (
            ["simulate", "Adam", "--objective", "mean-squared-error.synthetic"],
            ["simulate", "Adam", "--objective", "MeanSquaredError.synthetic"],
        ),
        (["info", "ams-grad"], ["info", "AMSGrad"]),
    ],
    ids=named,
)
def test_a_class_is_found_in_either_spelling_and_recorded_in_one(words, spelled, folder, capsys):
    outputs = []
    for line in (words, spelled):
        more = ["--schedule-set", "steps=9"] if "--schedule" in line else []
        assert cli.main([*line, *more, "--json"]) == 0
        outputs.append(json.loads(capsys.readouterr().out))
        outputs[-1].pop("provenance", None)
        outputs[-1].get("report", {}).pop("seconds", None)
    assert outputs[0] == outputs[1]


def test_a_word_like_no_other_is_answered_with_those_that_there_are(folder, capsys):
    status, said = refusal(capsys, "simulate", "Xyzzy")
    assert status == 1
    assert "must be one of ADOPT, AMSGrad, AdaBelief, AdaDelta, AdaGrad, Adafactor, Adam, " in said
    assert "did you mean" not in said


def test_without_a_command_the_help_is_printed(capsys):
    assert cli.main([]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("usage: idescent")
    assert "fast-forward" in said.out
    assert said.err == ""


@pytest.mark.parametrize("place", ["mine_cli.py", "./mine_cli.py", "{folder}/mine_cli.py"])
@pytest.mark.parametrize("command", [["simulate", "Adam", "--objective"], ["check"]], ids=named)
def test_a_file_in_place_of_a_module_is_refused_with_the_way_to_name_it(command, place, folder, capsys):
    given = place.format(folder=folder) + ":Bowl"
    status, said = refusal(capsys, *command, given)
    assert status in (1, 2)
    assert f"{given!r} is not allowed: must be module:Class" in said
    assert "such as mine_cli:Bowl" in said


@pytest.mark.parametrize(
    "name", [".:Bowl", "..mine_cli:Bowl", ":Bowl", ":", "mine_cli:Bowl:x", "a b:Bowl", "sub/m:B"]
)
def test_what_can_be_no_module_is_refused(name, folder, capsys):
    status, said = refusal(capsys, "simulate", "Adam", "--objective", name)
    assert status == 1
    assert f"objective: {name!r} is not allowed: must be module:Class" in said


@pytest.mark.parametrize(
    ("words", "lacking"),
    [
        (["simulate", "mine_cli:Bowl"], "memories"),
        (["solve", "mine_cli:Bowl", "Adam"], "equation"),
        (["solve", "Paper", "Adam", "--solver", "mine_cli:Bowl"], "solve"),
        (["simulate", "Adam", "--schedule", "mine_cli:Bowl"], "rate"),
        (["simulate", "Adam", "--objective", "mine_cli:MyModel"], "gradient"),
    ],
    ids=named,
)
def test_a_class_of_another_kind_is_refused_with_what_it_lacks(words, lacking, folder, capsys):
    status, said = refusal(capsys, *words)
    assert status == 1
    assert "is not allowed: must have " in said
    assert lacking in said


WRITING = [
    (["simulate", "Adam"], ".parquet"),
    (["solve", "Paper", "Adam"], ".parquet"),
    (["fast-forward", "Adam"], ".csv"),
    (["predict", "Adam"], ".csv"),
    (["show", "Adam"], ".png"),
]


@pytest.mark.parametrize(("words", "suffix"), WRITING, ids=named)
def test_an_output_that_is_a_folder_or_write_protected_is_refused_before_any_work(
    words, suffix, folder, capsys
):
    Path(f"taken{suffix}").mkdir()
    Path(f"kept{suffix}").write_text("mine")
    Path(f"kept{suffix}").chmod(0o444)
    before = sorted(folder.iterdir())
    endless = [*words, "--objective", "mine_cli:Endless", "--output"]
    status, said = refusal(capsys, *endless, f"taken{suffix}")
    assert (status, said.endswith("is not allowed: it is a folder\n")) == (1, True)
    status, said = refusal(capsys, *endless, f"kept{suffix}")
    assert (status, said.endswith("is not allowed: it is write-protected\n")) == (1, True)
    assert Path(f"kept{suffix}").read_text() == "mine"
    assert [path for path in sorted(folder.iterdir()) if path.name != "__pycache__"] == before


@pytest.mark.parametrize("content", [None, b"", b"hello", b"PAR1PAR1", "folder"], ids=repr)
@pytest.mark.parametrize("command", ["info", "show", "compare"])
def test_an_input_that_is_no_trajectory_is_refused(command, content, folder, capsys):
    assert cli.main(["simulate", "Adam", *RUN, "--output", "run.parquet"]) == 0
    capsys.readouterr()
    if content == "folder":
        Path("other.parquet").mkdir()
    elif content is not None:
        Path("other.parquet").write_bytes(content)
    words = {"show": ["--output", "a.png"], "compare": ["run.parquet"], "info": []}[command]
    if (command, content) == ("info", "folder"):
        assert cli.main(["info", "other.parquet"]) == 0
        return
    status, said = refusal(capsys, command, "other.parquet", *words)
    assert status == 1
    assert "other.parquet: " in said
    assert not Path("a.png").exists()


def test_file_names_that_are_no_utf_8_are_read_and_written(folder):
    name = os.fsdecode(b"caf\xe9")
    run, picture, table = f"{name}.parquet", f"{name}.png", f"{name}.csv"
    for words in (
        ["simulate", "Adam", *RUN, "--output", run],
        ["info", run],
        ["info", "."],
        ["compare", run, run],
        ["show", run, "--output", picture],
        ["fast-forward", "Adam", "--output", table],
    ):
        done = call(*words)
        assert (done.returncode, done.stderr) == (0, ""), words
    assert {os.fsencode(path) for path in folder.glob("caf*")} == {
        b"%b/caf\xe9.%b" % (os.fsencode(folder), suffix) for suffix in (b"parquet", b"png", b"csv")
    }


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "ascii:strict"])
@pytest.mark.parametrize(
    "words",
    [
        ["check", "Quadratic", "--dimension", "2"],
        ["check", "--help"],
        ["simulate", "Adam", "--objective", "pär:Bowl"],
    ],
    ids=named,
)
def test_what_is_printed_survives_every_encoding(words, encoding, folder):
    (folder / "pär.py").write_text((folder / "mine_cli.py").read_text(encoding="utf-8"), encoding="utf-8")
    command = [sys.executable, "-m", "idescent", *words]
    done = subprocess.run(
        command, capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": encoding}
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode(encoding.partition(":")[0])


@pytest.mark.parametrize(
    ("line", "status", "err"),
    [
        ("check Quadratic --dimension 2 | true", 141, ""),
        ("simulate Adam >&-", 0, ""),
        ("simulate Adam --steps 0 2>&-", 1, ""),
        ("simulate Adam >/dev/full", 1, "idescent simulate: [Errno 28] No space left on device\n"),
    ],
)
def test_streams_that_are_closed_or_full_bring_no_traceback(line, status, err, folder):
    program = f"set -o pipefail; {shlex.quote(sys.executable)} -m idescent {line}"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", err)
