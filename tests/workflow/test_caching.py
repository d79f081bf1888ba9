"""The real workflow on a study of three cells: what runs again after which change, counted by rule."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
from finished import Finished
from projects import STUDY, Project

from idescent.store.trajectories import read_with_metadata
from idescent.study.provenance import is_whole

pytestmark = pytest.mark.workflow

# Two overviews: all errors, and the split into those of the model and of the scheme.
AFTER_A_CELL = {"compare": 1, "tables": 1, "summary": 1, "overview": 2, "report_numbers": 1, "report": 1}
AFTER_ALL_CELLS = {**AFTER_A_CELL, "compare": 3}
CELL = "quadratic/AdaGrad/alpha~0.1"


def add_code(text: str) -> str:
    return text + "\nEDITED = True\n"


def test_the_first_run_has_one_job_for_each_cell_and_solution(first: Finished) -> None:
    assert first.jobs == {
        "simulate": 3,
        "solve": 6,
        "figure": 1,
        "figure_with_errors": 1,
        **AFTER_ALL_CELLS,
    }


def test_the_second_run_has_nothing_to_do(done: Project) -> None:
    assert done.succeed() == {}


def test_one_more_learning_rate_runs_its_cells_and_what_depends_on_them(done: Project) -> None:
    study = copy.deepcopy(STUDY)
    study["runs"][0]["alpha"].append(0.02)
    done.configure(study)
    assert done.succeed() == {"simulate": 1, "solve": 2, **AFTER_A_CELL}
    assert done.succeed() == {}


def test_one_learning_rate_less_runs_only_what_gathers(done: Project) -> None:
    study = copy.deepcopy(STUDY)
    study["runs"][0]["alpha"] = [0.1]
    done.configure(study)
    assert done.succeed("--dry-run") == {rule: n for rule, n in AFTER_A_CELL.items() if rule != "compare"}


def test_a_longer_horizon_runs_the_cells_that_have_it(done: Project) -> None:
    study = copy.deepcopy(STUDY)
    study["runs"][1]["steps"] = 9
    done.configure(study)
    assert done.succeed("--dry-run") == {"simulate": 1, "solve": 2, "figure": 1, **AFTER_A_CELL}


def test_another_tolerance_solves_again_and_simulates_nothing(done: Project) -> None:
    study = copy.deepcopy(STUDY)
    study["solutions"]["paper.exact"]["rtol"] = 1e-7
    done.configure(study)
    assert done.succeed("--dry-run") == {"solve": 3, "figure_with_errors": 1, **AFTER_ALL_CELLS}


def test_another_caption_draws_that_figure_only(done: Project) -> None:
    study = copy.deepcopy(STUDY)
    study["figures"]["adam"]["caption"] = "The same in other words."
    done.configure(study)
    assert done.succeed("--dry-run") == {"figure": 1, "report": 1}


def test_an_edited_figure_module_draws_what_it_draws(done: Project) -> None:
    done.edit("src/idescent/products/paths/figure.py", add_code)
    assert done.succeed("--dry-run") == {"figure": 1, "figure_with_errors": 1, "report": 1}


def test_all_figures_of_a_run_import_their_libraries_once(done: Project) -> None:
    count = "\nwith open('imports', 'a') as file:\n    file.write('x')\n"
    done.edit("src/idescent/drawing/saving.py", lambda text: text + count)
    assert done.succeed() == {"figure": 1, "figure_with_errors": 1, "overview": 2, "report": 1}
    assert (done.folder / "imports").read_text() == "x"


def test_a_figure_has_the_same_bytes_from_a_process_of_its_own(done: Project) -> None:
    before = done.contents()
    jobs = sorted(done.results.glob("logs/jobs/figures/*.json"))
    assert len(jobs) == 4
    for job in jobs:
        for output in json.loads(job.read_text())["output"]:
            (done.folder / output).unlink()
        command = [sys.executable, "-m", "idescent", "job", str(job)]
        subprocess.run(command, cwd=done.folder, env=done.environment, check=True)
    assert done.contents() == before


def test_an_edited_split_draws_the_overviews_only(done: Project) -> None:
    done.edit("src/idescent/products/errors/split.py", add_code)
    assert done.succeed("--dry-run") == {"overview": 2, "report": 1}


def test_an_edited_solver_solves_again_and_simulates_nothing(done: Project) -> None:
    done.edit("src/idescent/solvers/collocation.py", add_code)
    assert done.succeed("--dry-run") == {"solve": 3, "figure_with_errors": 1, **AFTER_ALL_CELLS}


def test_an_edited_scheme_solves_again_by_it_and_draws_no_figure_without_it(done: Project) -> None:
    done.edit("src/idescent/solvers/picard.py", add_code)
    assert done.succeed("--dry-run") == {"solve": 3, **AFTER_ALL_CELLS}


def test_the_code_that_runs_is_the_code_whose_digest_is_recorded(done: Project) -> None:
    file = done.results / CELL / "discrete.parquet"
    before = read_with_metadata(file)
    done.edit(
        "src/idescent/discrete/loop.py", lambda text: text.replace("steps} iterations", "steps} edited")
    )
    done.succeed("results/tiny/packs/" + CELL + "/discrete.json")
    run, metadata = read_with_metadata(file)
    assert run.report.message == "8 edited"
    assert metadata["provenance"]["code"] != before[1]["provenance"]["code"]


def test_edited_errors_run_the_comparison_and_what_follows(done: Project) -> None:
    done.edit("src/idescent/analysis/errors.py", add_code)
    jobs = done.succeed("--dry-run")
    assert not jobs.keys() & {"simulate", "solve"}
    assert {"compare", "tables"} <= jobs.keys()


@pytest.mark.parametrize(
    ("file", "remark"),
    [
        ("src/idescent/discrete/loop.py", "\n# a remark\n\n"),
        ("src/idescent/solvers/collocation.py", "\n# a remark\n\n"),
        ("src/idescent/products/paths/figure.py", "\n\n\n# a remark\n"),
        ("src/idescent/discrete/_kernels.c", "\n/* a remark */\n"),
    ],
)
def test_a_comment_or_an_empty_line_runs_nothing(done: Project, file: str, remark: str) -> None:
    done.edit(file, lambda text: text + remark)
    assert done.succeed("--dry-run") == {}


@pytest.mark.parametrize(
    ("name", "jobs"),
    [
        ("discrete", {"simulate": 1, "figure_with_errors": 1}),
        ("paper.exact", {"solve": 1, "figure_with_errors": 1}),
        ("paper.picard", {"solve": 1}),
    ],
)
def test_a_deleted_file_is_made_again_with_the_same_bytes(
    done: Project, name: str, jobs: dict[str, int]
) -> None:
    before = done.contents()
    (done.results / CELL / f"{name}.parquet").unlink()
    assert done.succeed() == {**jobs, **AFTER_A_CELL}
    assert done.contents() == before


@pytest.mark.parametrize("kept", [0, 1000])
def test_a_truncated_file_is_made_again(done: Project, kept: int) -> None:
    before = done.contents()
    file = done.results / CELL / "paper.exact.parquet"
    file.write_bytes(file.read_bytes()[:kept])
    outcome = done.run()
    assert outcome.jobs == {"solve": 1, "figure_with_errors": 1, **AFTER_A_CELL}
    assert outcome.text.count("is damaged") == 1
    assert done.contents() == before


def test_a_dry_run_reports_a_truncated_file_and_leaves_it(done: Project) -> None:
    file = done.results / CELL / "paper.exact.parquet"
    file.write_bytes(b"PAR1")
    assert "alpha~0.1/paper.exact.parquet is damaged" in done.run("--dry-run").text
    assert file.read_bytes() == b"PAR1"


def test_one_core_and_two_cores_give_the_same_bytes(alone: Finished, packed: Project) -> None:
    one, two = alone.project.contents(), packed.contents()
    # The two cores began with packs of one cell.
    assert {name for name in two.keys() ^ one.keys() if "/alpha~" not in name} == set()
    assert one.keys() <= two.keys()
    assert [name for name in one if one[name] != two[name]] == []
    assert {Path(name).suffix for name in one} >= {
        ".parquet",
        ".pdf",
        ".svg",
        ".png",
        ".csv",
        ".md",
        ".tex",
        ".html",
    }


def test_an_interrupted_run_leaves_no_half_file_and_completes_later(fresh: Project, done: Project) -> None:
    fresh.interrupt("solve 2 of 6")
    assert all(is_whole(file) for file in fresh.results.rglob("*.parquet"))
    jobs = fresh.succeed()
    assert 0 < jobs["solve"] < 6
    assert fresh.contents() == done.contents()
    assert fresh.succeed() == {}


def test_nothing_is_waited_for_at_the_end(done: Project) -> None:
    # Snakemake's scheduler leaves a timer that would start further jobs, and ends with it a second later.
    (done.results / "summary.txt").unlink()
    waits = (
        "import sys, threading\n"
        "from snakemake.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        "timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]\n"
        "print('timers left:', sum(not timer.finished.is_set() for timer in timers))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", waits, *done.command[3:], "--cores", "1"],
        cwd=done.folder,
        env=done.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "timers left: 0" in ended.stdout
    assert (done.results / "summary.txt").is_file()
