"""An installation without compiled kernels: the same numbers, and one warning that says what is missing."""

import json
import subprocess
import sys
import warnings
from functools import cache

import numpy as np
import pytest
from projects import Project, new_project

import idescent as ide
from idescent.discrete import kernels
from idescent.discrete import loop as discrete
from idescent.objectives import Rosenbrock

LINE = f"warning: {kernels.MISSING}\n"


@pytest.fixture
def hidden(monkeypatch):
    """Hide the compiled library from a process that has not looked for it yet."""
    monkeypatch.setattr(kernels, "EXTENSION_SUFFIXES", [])
    monkeypatch.setattr(discrete, "compiled", cache(kernels.compiled.__wrapped__))


@pytest.fixture
def project(tmp_path) -> Project:
    """A copy of workflow and package without it."""
    project = new_project(tmp_path / "project")
    for library in project.sources.glob("idescent/discrete/_kernels*.so"):
        library.unlink()
    return project


def call(project, *words):
    return subprocess.run(
        [sys.executable, "-m", "idescent", *words],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_library_warns_once_and_the_numbers_are_the_same(monkeypatch, request):
    given = {"alpha": 0.1, "theta0": [1.0, 2.0], "steps": 50}
    fast = ide.simulate(ide.Adam(0.9, 0.999), ide.Quadratic(), **given)
    request.getfixturevalue("hidden")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        slow = ide.simulate(ide.Adam(0.9, 0.999), ide.Quadratic(), **given)
        ide.simulate(ide.AdaGrad(), ide.Quadratic(), **given)
    assert [str(warning.message) for warning in heard] == [kernels.MISSING]
    assert heard[0].category is RuntimeWarning
    np.testing.assert_array_equal(slow.theta, fast.theta)


def test_an_objective_that_no_kernel_serves_is_run_without_a_warning(hidden):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ide.simulate(ide.AdaGrad(), Rosenbrock(), alpha=0.1, theta0=[1.0, 2.0], steps=5)


def test_a_command_warns_in_one_line_and_info_says_what_is_missing(project):
    done = call(project, "simulate", "Adam", "--json")
    assert (done.returncode, done.stderr) == (0, LINE)
    assert json.loads(done.stdout)["report"]["status"] == "completed"
    done = call(project, "info")
    assert (done.returncode, done.stderr) == (0, "")
    assert kernels.MISSING in done.stdout


@pytest.mark.workflow
def test_a_study_warns_once_a_run_and_not_once_a_job(project):
    outcome = project.run("--until", "simulate")
    assert outcome.status == 0, outcome.text
    assert outcome.jobs["simulate"] > 1
    assert outcome.text.count(LINE) == 1
