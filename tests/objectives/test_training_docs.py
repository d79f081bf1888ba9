"""The page on training runs: its code runs and prints what the page shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import idescent as ide
from idescent.store import trajectories

TEXT = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^(<!-- run by: \S+ -->\n)?```(\w+)\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)
CODE = [(language, code) for mark, language, code in BLOCKS if not mark]
OPTAX, TORCH = (code for mark, _, code in BLOCKS if mark)


NUMBER = r"\d[\d.]*(?:e[-+]\d+)?"


def assert_same(shown, printed):
    """Compare words literally, and numbers to 4 %: the last digits depend on the processor and its load."""
    assert re.sub(NUMBER, "#", shown) == re.sub(NUMBER, "#", printed)
    numbers, others = ([float(number) for number in re.findall(NUMBER, text)] for text in (shown, printed))
    assert numbers == pytest.approx(others, rel=0.04)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Write the files of the page to the current folder."""
    monkeypatch.chdir(tmp_path)
    for _, code in CODE:
        if saved := re.match(r"# (\S+\.py)\n", code):
            Path(saved[1]).write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("my_network", "my_transformer"):
        sys.modules.pop(name, None)


def run(language, code):
    command = (
        ["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-W", "error", "-c"]
    )
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run([*command, code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_examples_run_and_print_what_the_page_shows(folder):
    assert " ".join(language for language, _ in CODE) == "python python sh text sh text python python text"
    printed = ""
    for language, code in CODE:
        if language == "text":
            assert_same(code, printed)
        elif not code.startswith("# my_"):  # these are imported by the others
            printed = run(language, code)
    # The recorded loop against the package's own run of the same optimizer on the same loss.
    from my_network import network

    objective = network()
    given = {"alpha": 0.01, "theta0": objective.initial(1), "steps": 40}
    recorded = trajectories.read("run.parquet")
    own = ide.simulate(ide.Adam(0.9, 0.999), objective, **given, keep=4)
    np.testing.assert_allclose(recorded.theta, own.theta, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(recorded.loss, own.loss, rtol=1e-9)
    for name in ("m", "v"):
        np.testing.assert_allclose(recorded.moments[name], own.moments[name], rtol=1e-9, atol=1e-15)
    assert recorded.report.details["shapes"] == [[3, 3, 1, 4], [3, 3, 4, 8], [8, 10]]


def test_the_examples_have_at_most_40_lines():
    for name in ("my_network", "my_transformer"):
        (code,) = (code for _, code in CODE if code.startswith(f"# {name}.py"))
        assert len(code.splitlines()) <= 40


def test_a_loop_of_optax_is_recorded_like_one_by_hand(folder):
    pytest.importorskip("optax")
    (by_hand,) = (code for _, code in CODE if code.startswith("# train_network.py"))
    names = {}
    exec(by_hand, names)
    exec(OPTAX, names)
    one, other = trajectories.read("run.parquet"), trajectories.read("optax.parquet")
    np.testing.assert_allclose(one.theta, other.theta, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(one.loss, other.loss, rtol=1e-9)
    for name in ("m", "v"):
        np.testing.assert_allclose(one.moments[name], other.moments[name], rtol=1e-9, atol=1e-15)


def test_a_loop_of_pytorch_is_recorded_and_solved(folder):
    pytest.importorskip("torch")
    names = {}
    exec(TORCH, names)
    recorded = trajectories.read("torch.parquet")
    own = ide.simulate(names["adam"], names["objective"], **names["given"], keep=4)
    np.testing.assert_allclose(recorded.theta, own.theta, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(recorded.loss, own.loss, rtol=1e-9)
    for name in ("m", "v"):
        np.testing.assert_allclose(recorded.moments[name], own.moments[name], rtol=1e-9, atol=1e-15)
    assert names["path"].report.ok
    assert 0.0 < names["errors"].relative_sup["theta"] < 1e-2
