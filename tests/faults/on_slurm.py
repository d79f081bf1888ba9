"""Faults of a cluster: a job is cancelled, or its node drained, in the middle of a study.

For ``.ci/with-slurm .ci/slurm-faults``: by its name it is not collected where there is no Slurm.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from faulty import TARGETS, Run, cells, make_slow, partials, running
from projects import Project, new_project

# One machine without accounting: its queue is asked, and often; failures show instead of being retried.
ON_SLURM = [
    *("--profile", "profiles/slurm", "--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "10", "--retries", "0"),
    *("--default-resources", "mem_mb=300", "runtime=5"),
]


# Long enough for a job to be met at work; the same for all runs, since files record the code of objectives.
PAUSE = 0.03


def slurm(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def jobs(state: str, rule: str = "") -> list[str]:
    """Return the jobs in a state; the plugin names rule and pack in their comments."""
    lines = slurm("squeue", "--noheader", "--states", state, "--format", "%A %k").splitlines()
    return [line.split()[0] for line in lines if f"rule_{rule}" in line]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Results of the study on this machine, without Slurm."""
    project = make_slow(new_project(tmp_path_factory.mktemp("expected") / "project"), PAUSE)
    project.succeed(*TARGETS)
    return project.contents()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_slow(new_project(tmp_path / "project"), PAUSE)


def wait_for_cells(run: Run, project: Project) -> None:
    """Until a job has made some of its cells, and still runs: one that solves, cell by cell."""
    run.wait(lambda: any(file.stem != "discrete" for file in cells(project)) and jobs("RUNNING", "solve"))


def test_a_cancelled_job_loses_only_itself_and_the_next_run_completes(
    project: Project, expected: dict[str, bytes]
) -> None:
    with running(project, *TARGETS, *ON_SLURM) as run:
        wait_for_cells(run, project)
        slurm("scancel", *jobs("RUNNING", "solve"))
        outcome = run.end()
    assert outcome.status != 0
    assert "Error in rule" in outcome.text
    assert "Traceback" not in outcome.text, outcome.text
    while jobs("RUNNING,COMPLETING"):
        time.sleep(0.5)
    before = cells(project)
    assert 0 < len(before) < 16
    project.succeed(*TARGETS, *ON_SLURM)
    assert cells(project).items() >= before.items()
    assert partials(project) == []
    assert project.contents() == expected


def test_a_drained_node_ends_what_it_runs_and_the_study_goes_on_when_it_is_back(
    project: Project, expected: dict[str, bytes]
) -> None:
    (node,) = slurm("sinfo", "--noheader", "--format", "%n").split()
    try:
        with running(project, *TARGETS, *ON_SLURM) as run:
            wait_for_cells(run, project)
            slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
            run.wait(lambda: not jobs("RUNNING,COMPLETING"))
            drained = cells(project)
            time.sleep(5)
            assert run.alive
            assert cells(project) == drained  # nothing starts there
            slurm("scontrol", "update", f"nodename={node}", "state=resume")
            outcome = run.end()
            assert outcome.status == 0, outcome.text
    finally:
        if "drain" in slurm("sinfo", "--noheader", "--format", "%T"):
            slurm("scontrol", "update", f"nodename={node}", "state=resume")
    assert cells(project).items() >= drained.items()
    assert project.contents() == expected


def test_a_job_that_is_requeued_keeps_the_cells_it_has_made(
    project: Project, expected: dict[str, bytes]
) -> None:
    with running(project, *TARGETS, *ON_SLURM) as run:
        wait_for_cells(run, project)
        slurm("scontrol", "requeue", jobs("RUNNING", "solve")[0])
        before = cells(project)
        outcome = run.end()
    assert outcome.status == 0, outcome.text
    assert cells(project).items() >= before.items()
    assert partials(project) == []
    assert project.contents() == expected
