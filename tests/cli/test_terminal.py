"""The commands on a terminal: windows, Ctrl-C, progress, completion, and what they load."""

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from calling import RUN, call, named
from job_words import job_words

from idescent import cli

BACKEND = """
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg


class FigureManager(FigureManagerBase):
    @classmethod
    def pyplot_show(cls, *, block=None):
        from matplotlib import pyplot
        figure = pyplot.gcf()
        print("window", len(figure.axes), len(figure.axes[0].lines))


class FigureCanvas(FigureCanvasAgg):
    manager_class = FigureManager
    required_interactive_framework = "headless"
"""


def test_a_plot_opens_in_a_window_where_there_is_one(folder):
    (folder / "windowed.py").write_text(BACKEND, encoding="utf-8")
    (folder / "run.py").write_text(
        "import sys\nfrom idescent.cli import main\nsys.exit(main())", encoding="utf-8"
    )
    words = ["show", "Adam", *RUN, "--model", "Paper"]
    environment = {**os.environ, "MPLBACKEND": "module://windowed", "PYTHONPATH": str(folder)}
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        environment.pop(name, None)
    done = call(*words, env=environment)
    # A line for the run's markers, one for the solution, one for the minimum.
    assert (done.returncode, done.stdout, done.stderr) == (0, "window 1 3\n", "")
    done = call(*words, env={**environment, "MPLBACKEND": "agg"})
    assert done.returncode == 1
    assert "name a file with --output" in done.stderr


def test_ctrl_c_ends_with_130_one_line_and_nothing_half_written(folder):
    words = [
        "simulate",
        "Adam",
        "--objective",
        "mine_cli:Endless",
        "--steps",
        "1000000000",
        "--keep",
        "100000000",
    ]
    command = [sys.executable, "-m", "idescent", *words, "--output", "run.parquet"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        while not Path("started").exists():
            assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert err == "idescent simulate: interrupted\n"
    assert {path.name for path in folder.iterdir()} <= {"mine_cli.py", "started", "__pycache__"}


def test_a_reader_that_has_seen_enough_gets_no_traceback(folder):
    line = f"{shlex.quote(sys.executable)} -m idescent simulate Adam --steps 200000 --json | head -c 9"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ('{"cell": ', "")


def on_a_terminal(*words):
    """Run a command whose standard error is a terminal; return its exit status and what that shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "idescent", *words], stdout=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            block = os.read(ours, 4096)
        except OSError:  # the terminal is closed: the process has ended
            break
        shown += block
    os.close(ours)
    return process.wait(), shown.decode()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["solve", "HalfStep", "Adam", "--steps", "3000"],
            r"solve half-step: pass 1, s = .* of 3000 iterations \[",
        ),
        (["solve", "Paper", "Adam", *RUN, "--solver", "Picard"], r"solve paper: sweep 1: error"),
        (["simulate", "Adam", "--objective", "mine_cli:Bowl"], r"simulate: k = 1 of 100 \[\.*\] 1 %"),
        (["fast-forward", "Adam", "--objective", "mine_cli:Bowl"], r"fast-forward: \d+ gradient evaluations"),
        (
            ["predict", "Adam", "--objective", "mine_cli:Bowl"],
            r"\[Kpredict: pass 1, iteration \d+ of 100: \d+ gradients so far, about \d+ to come",
        ),
    ],
    ids=named,
)
def test_long_work_shows_how_far_it_is_on_a_terminal_and_nowhere_else(words, line, folder):
    status, shown = on_a_terminal(*words)
    assert status == 0
    assert re.search(line, shown), shown
    assert shown.endswith("\r\033[K")
    done = call(*words)
    assert (done.returncode, done.stderr) == (0, "")


COMPLETE = """
source completion
given=("$@")
COMP_WORDS=("${given[@]}")
COMP_CWORD=$((${#given[@]} - 1))
function=$(complete -p idescent | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["s"], {"simulate", "solve", "show"}),
        (["j"], set()),
        (
            ["simulate", "Ada"],
            {"AdaBelief", "AdaDelta", "AdaGrad", "Adafactor", "Adam", "AdamL2", "AdamW", "Adamax"},
        ),
        (["simulate", "Adam", "--objective", "Perc"], {"Perceptron", "Perceptron.digits"}),
        (["simulate", "Adam", "--beta"], {"--beta", "--beta1", "--beta2"}),
        (["simulate", "Adam", "--accumulator", ""], {"coordinate", "norm"}),
        (["solve", "Ha"], {"HalfStep"}),
        (["solve", "HalfStep", "RMS"], {"RMSProp"}),
        (["compare", "mine"], {"mine_cli.py"}),
        (["info", "mine"], {"mine_cli.py"}),
        (["info", "HeavyB"], {"HeavyBall"}),
        (["pre"], {"predict"}),
        (["predict", "Adam", "--from", "mine"], {"mine_cli.py"}),
    ],
    ids=named,
)
def test_bash_completes_commands_options_classes_and_files(words, expected, folder, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--print-completion", "bash"])
    assert ended.value.code == 0
    (folder / "completion").write_text(capsys.readouterr().out, encoding="utf-8")
    (folder / "complete").write_text(COMPLETE, encoding="utf-8")
    done = subprocess.run(
        ["bash", "complete", "idescent", *words], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == expected
    assert done.stderr == ""


def test_the_script_for_zsh_names_the_commands_and_the_classes(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--print-completion", "zsh"])
    text = capsys.readouterr().out
    assert text.startswith("#compdef idescent\n")
    assert "fast-forward" in text
    assert re.search(r"\(ADOPT AMSGrad (\w+ )*AdamL2 (\w+ )*RMSProp (\w+ )*Signum\)", text)


HEAVY = {"pandas", "scipy", "matplotlib", "seaborn", "pydantic", "sklearn", "snakemake", "shtab", "jinja2"}


def loaded(*words):
    code = (
        "import sys\nfrom idescent.cli import main\ntry:\n    main(sys.argv[1:])\n"
        "except SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["simulat"], ["simulate", "--help"]], ids=named)
def test_to_be_told_something_nothing_is_computed_with(words):
    assert not loaded(*words) & {"numpy", "pyarrow", *HEAVY}


@pytest.mark.parametrize("stage", ["simulate", "solve"])
def test_jobs_and_commands_of_that_name_load_what_they_need(stage, tmp_path):
    solution = {
        "name": "paper.exact",
        "model": {"class": "Paper"},
        "solver": {"class": "Collocation"},
        "rtol": 1e-6,
        "atol": 1e-9,
    }
    cell = {
        "folder": "q/Adam/a",
        "optimizer": {"class": "AdaGrad"},
        "alpha": 0.1,
        "theta0": [1.0],
        "steps": 5,
    }
    pack = {"objective": {"name": "q", "class": "Quadratic"}, "cells": [cell]}
    pack |= {"solution": solution} if stage == "solve" else {}
    output = tmp_path / "packs/q/AdaGrad/all/made.json"
    output.parent.mkdir(parents=True)
    job = loaded(*job_words(stage, tmp_path, [output], given=pack))
    assert output.is_file()
    assert {"numpy", "pyarrow"} <= job
    assert not job & HEAVY
    commands = {name for name in job if name.startswith("idescent.cli")}
    assert commands == {"idescent.cli", "idescent.cli.interrupt"}
    model = ["Paper"] if stage == "solve" else []
    assert not loaded(stage, *model, "Adam", "--steps", "5") & HEAVY
