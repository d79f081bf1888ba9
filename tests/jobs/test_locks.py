"""Locks of a study's results: who holds them, and file systems that have none.  Runs: tests/workflow."""

import errno
import os
import subprocess
import sys

import pytest

from idescent.jobs import locks

HOLDER = """
import sys
from pathlib import Path
from idescent.jobs import locks
if sys.argv[2] == "run":
    locks.hold(Path(sys.argv[1]), "results/a")
with locks.signed_in():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _own(monkeypatch):
    held = {}
    monkeypatch.setattr(locks, "_held", held)
    monkeypatch.setenv(locks.VARIABLE, "")
    yield
    for file in held.values():
        file.close()


def holder(folder, kind, **variables):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_names_the_first(tmp_path):
    with holder(tmp_path, "run") as other:
        with pytest.raises(locks.BusyError, match=rf"^results/a: another run is at work.*\b{other.pid}\b"):
            locks.hold(tmp_path, "results/a")
        locks.hold(tmp_path, "results/b")
        other.stdin.close()


def test_jobs_that_outlive_their_run_are_named_and_leave_no_lock_behind(tmp_path):
    jobs = tmp_path / "results_a.jobs"
    with holder(tmp_path, "job", **{locks.VARIABLE: str(jobs)}) as job:
        with pytest.raises(locks.BusyError, match=rf"jobs of a run that was killed .*\b{job.pid}\b"):
            locks.hold(tmp_path, "results/a")
        job.stdin.close()
    for name in list(locks._held):
        locks._held.pop(name).close()
    locks.hold(tmp_path, "results/a")
    assert os.environ[locks.VARIABLE] == str(jobs)


def test_the_same_process_may_claim_twice(tmp_path):
    locks.hold(tmp_path, "results/a")
    held = dict(locks._held)
    locks.hold(tmp_path, "results/a")
    assert locks._held == held


def test_a_file_system_without_locks_is_told_of_and_used(tmp_path, monkeypatch, capsys):
    def unsupported(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", unsupported)
    locks.hold(tmp_path, "results/a")
    run, jobs = capsys.readouterr().err.splitlines()
    assert (
        run
        == f"{tmp_path}/results_a.run: this file system does not support locks: do not start two runs at once"
    )
    assert jobs.startswith(f"{tmp_path}/results_a.jobs: this file system does not support locks")


def test_a_job_outside_the_workflow_signs_in_nowhere(monkeypatch):
    monkeypatch.delenv(locks.VARIABLE)
    with locks.signed_in():
        pass
