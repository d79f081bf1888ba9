"""kill -9 at random moments: what was complete stays, and the end is that of a run that nobody disturbed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from faulty import SOLUTIONS, TARGETS, Run, cells, make_slow, partials, running, stopped
from projects import Project, new_project

pytestmark = pytest.mark.workflow

SEED = 20
# A job; Snakemake, whose jobs go on; both, as when the machine goes down.
KILLS = ["job"] * 8 + ["main"] * 6 + ["all"] * 6


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    """Results of the study, and the seconds that it takes."""
    project = make_slow(new_project(tmp_path_factory.mktemp("undisturbed") / "project"))
    # The server of snakemakes.py imports Snakemake before its first run, and not within the seconds.
    project.succeed("--dry-run", *TARGETS)
    start = time.monotonic()
    project.succeed(*TARGETS)
    return project.contents(), time.monotonic() - start


def kill(run: Run, what: str, choice: random.Random) -> bool:
    """Kill some of a run; say whether it was there to be killed."""
    if what == "job":
        if not run.kill_a_job(choice):
            return False
        assert run.end().status != 0
    elif what == "main":
        run.process.kill()
        run.process.wait()
    else:
        run.kill_all()
    return True


def test_twenty_kills_at_random_moments_cost_no_byte_and_no_complete_cell(
    tmp_path: Path,
    undisturbed: tuple[dict[str, bytes], float],
    record_property: Callable[[str, object], None],
) -> None:
    expected, seconds = undisturbed
    choice = random.Random(SEED)
    waiting = choice.sample(KILLS, len(KILLS))
    project = make_slow(new_project(tmp_path / "project"))
    story = [f"seed {SEED}"]
    complete: dict[Path, tuple[int, int]] = {}
    hits = ends = 0
    while True:
        with running(project, *TARGETS) as run:
            moment = choice.uniform(0.1, 0.8) * seconds
            deadline = time.monotonic() + moment
            while waiting and run.alive and time.monotonic() < deadline:
                time.sleep(0.01)
            if waiting and run.alive and kill(run, waiting[0], choice):
                story.append(f"{waiting.pop(0)} after {moment:.2f} s")
                hits += not complete.keys() >= cells(project).keys()
                complete = cells(project) | complete
                continue
            outcome = run.end()
        if "are still at work" in outcome.text:
            # Jobs have outlived their Snakemake: nothing is touched until they have ended.
            assert outcome.status == 1
            assert len(outcome.text.strip().splitlines()) == 2, outcome.text  # the first names the profile
            time.sleep(0.2)
            continue
        assert outcome.status == 0, (story, outcome.text)
        now = cells(project)
        assert {file: now.get(file) for file in complete} == complete, story
        assert partials(project) == [], story
        assert project.contents() == expected, story
        ends += 1
        if not waiting:
            break
        # The study was complete before all kills were used up: once more from the start.
        shutil.rmtree(project.results)
        complete = {}
    print(*story, f"complete {ends} times, progress between kills {hits} times", sep="\n")
    record_property("kills", len(KILLS))
    record_property("progress", hits)
    assert hits >= 3, story
    assert project.succeed(*TARGETS) == {}


def logs(project: Project) -> list[Path]:
    return list((project.results / "logs/solve").rglob("*.log"))


def test_jobs_that_outlive_their_snakemake_are_not_disturbed(tmp_path: Path) -> None:
    project = make_slow(new_project(tmp_path / "project"))
    with running(project, *SOLUTIONS) as run:
        # Both jobs have begun with their cells, and each has others before it.
        run.wait(lambda: cells(project) and all(log.read_bytes() for log in logs(project)))
        left = run.workers()
        assert len(left) == len(logs(project)) == 2
        run.process.kill()
        run.process.wait()
        try:
            assert all(stopped(job) for job in left), "the jobs are too short for this test"
            before = cells(project)
            outcome = project.run(*SOLUTIONS)
            assert outcome.status == 1
            assert "jobs of a run that was killed are still at work (process" in outcome.text
            assert all(str(job.pid) in outcome.text for job in left)
            assert "Traceback" not in outcome.text
            assert cells(project) == before
        finally:
            for job in left:
                with suppress(psutil.NoSuchProcess):
                    job.kill()
            psutil.wait_procs(left, timeout=60)
    project.succeed(*SOLUTIONS)
    assert cells(project).items() >= before.items()
    assert partials(project) == []


@pytest.mark.parametrize("how", ["SIGTERM", "Ctrl-C"])
def test_a_run_that_is_asked_to_stop_leaves_whole_files_and_completes_later(
    tmp_path: Path, how: str, undisturbed: tuple[dict[str, bytes], float]
) -> None:
    project = make_slow(new_project(tmp_path / "project"))
    with running(project, *TARGETS) as run:
        run.wait(lambda: cells(project))
        at_work = run.jobs() + run.workers()
        if how == "SIGTERM":
            run.process.terminate()
        else:
            os.killpg(run.pid, signal.SIGINT)
        outcome = run.end()
        assert psutil.wait_procs(at_work, timeout=60)[1] == []
    assert outcome.status != 0
    assert partials(project) == []
    before = cells(project)
    assert 0 < len(before) < 16
    project.succeed(*TARGETS)
    assert cells(project).items() >= before.items()
    assert project.contents() == undisturbed[0]
