"""Ctrl-C: every command ends with status 130 and one line, also from within compiled code."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from calling import named
from job_words import job_words

# Minutes within one call of a compiled library, during which Python hears no signal.
SLOW = """
import hashlib
from pathlib import Path


def deaf():
    Path("started").touch()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)


class Slow:
    def value(self, theta):
        return (theta**2).sum(axis=-1)

    def gradient(self, theta):
        deaf()
        return 2.0 * theta
"""
# As a run that is over signals it; only the time that the machine needs to get there is unknown.
PATIENCE = 60.0

PACK = {
    "objective": {"name": "q", "class": "slow_cli:Slow"},
    "cells": [
        {"folder": "q/A/a", "optimizer": {"class": "AdaGrad"}, "alpha": 0.1, "theta0": [1.0], "steps": 5}
    ],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "slow_cli.py").write_text(SLOW, encoding="utf-8")
    (tmp_path / "packs/q/A/all").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def interrupted(command):
    """Start a program, interrupt it when it has begun; return status, output and errors."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        while not Path("started").exists():
            assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


@pytest.mark.parametrize(
    "words",
    [
        ["simulate", "Adam", "--objective", "slow_cli:Slow", "--output", "run.parquet"],
        ["solve", "Paper", "Adam", "--objective", "slow_cli:Slow", "--output", "run.parquet"],
        ["fast-forward", "Adam", "--objective", "slow_cli:Slow", "--output", "run.csv"],
        ["predict", "Adam", "--objective", "slow_cli:Slow", "--output", "run.csv"],
        ["show", "Adam", "--objective", "slow_cli:Slow", "--output", "run.png"],
        ["check", "slow_cli:Slow", "--dimension", "1"],
        ["job"],
    ],
    ids=named,
)
def test_a_command_that_is_deep_in_compiled_code_ends_on_ctrl_c(words, folder):
    if words == ["job"]:
        words = job_words("simulate", folder, ["packs/q/A/all/discrete.json"], given=PACK)
    status, out, err = interrupted([sys.executable, "-m", "idescent", *words])
    assert (status, out, err) == (130, "", f"idescent {words[0]}: interrupted\n")
    made = {path.name for path in Path().rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert made - {"simulate.json"} == {"slow_cli.py", "started"}


def test_what_is_half_written_is_removed_on_ctrl_c(folder):
    program = """
from idescent.cli import interrupt
from idescent.store.files import whole
from slow_cli import deaf

interrupt.watch("program")
with whole("result.txt") as partial:
    partial.write_text("half")
    deaf()
"""
    Path("program.py").write_text(program, encoding="utf-8")
    assert interrupted([sys.executable, "program.py"]) == (130, "", "program: interrupted\n")
    assert not [path for path in folder.iterdir() if "result" in path.name]


def test_a_run_in_compiled_loops_ends_on_ctrl_c_within_the_library(folder):
    program = """
import threading
import time
from pathlib import Path

import idescent as ide

objective = ide.Quadratic()


def start():
    time.sleep(0.5)  # by then the loops run
    Path("started").touch()


threading.Thread(target=start).start()
try:
    ide.simulate(ide.Adam(0.9, 0.999), objective, alpha=0.1, theta0=1.0, steps=10**12, keep=10**11)
except KeyboardInterrupt:
    print("heard")
"""
    Path("program.py").write_text(program, encoding="utf-8")
    assert interrupted([sys.executable, "program.py"]) == (0, "heard\n", "")
