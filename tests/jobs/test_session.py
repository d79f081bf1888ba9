"""What Snakemake is told about a study, and what it is kept from, without running Snakemake."""

from __future__ import annotations

import copy
import json
import logging
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from projects import STUDY
from snakemake_interface_logger_plugins.common import LogEvent

from idescent.discrete.kernels import MISSING
from idescent.jobs import session as module
from idescent.jobs.locks import VARIABLE as LOCK
from idescent.jobs.session import Session, one_of, quiet
from idescent.store.files import write_text
from idescent.study.packs import write_manifest

ADAM = "quadratic/Adam/alpha~0.1+beta1~0.9+beta2~0.99"


def workflow(pending: Iterable[str] = (), *, dryrun: bool = False, forceall: bool = False) -> Any:
    """Return what the session reads of Snakemake's workflow."""
    return SimpleNamespace(
        is_main_process=True,
        output_settings=SimpleNamespace(dryrun=dryrun, verbose=False, printshellcmds=False),
        dag_settings=SimpleNamespace(forceall=forceall, forcerun=(), forcetargets=False),
        deployment_settings=SimpleNamespace(deployment_method=frozenset()),
        dag=SimpleNamespace(needrun_jobs=lambda: [SimpleNamespace(output=list(pending))]),
        modifier=SimpleNamespace(is_main_snakefile=lambda: True),
    )


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (LOCK, "IDESCENT_FRESH", "IDESCENT_PYTHON"):
        monkeypatch.setenv(name, "")  # set by the session; forgotten after the test


def begun(**options: Any) -> Session:
    return Session(copy.deepcopy(STUDY), workflow(**options))


def rule(session: Session, name: str) -> Any:
    return next(rule for rule in session.rules if rule.name == name)


def test_a_wrong_configuration_ends_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        Session(copy.deepcopy(STUDY) | {"runs": 3}, workflow())
    assert ended.value.code == 1
    assert capsys.readouterr().err == "config: runs: 3 is not allowed: must be a list\n"


def test_every_file_of_every_rule_is_a_target() -> None:
    session = begun()
    targets = session.targets()
    assert len(targets) == len(set(targets))
    assert {f"results/tiny/{file}" for rule in session.rules for file in rule.made()} == set(targets)
    assert "results/tiny/report.html" in targets


def test_only_files_with_a_caption_are_in_snakemakes_report() -> None:
    session = begun()
    marked = session.outputs(rule(session, "tables"), lambda path, **about: (path, about))
    flagged = [entry for entry in marked if isinstance(entry, tuple)]
    assert [path for path, _ in flagged] == ["results/tiny/tables/errors.csv"]
    assert flagged[0][1]["labels"] == {"table": "errors"}
    assert "results/tiny/tables/errors.tex" in marked


def test_wildcards_take_exactly_the_values_of_the_jobs() -> None:
    session = begun()
    assert session.constraints(rule(session, "figure")) == {"figure": "adam"}
    assert one_of(["a.b", "c"]) == r"a\.b|c"


def test_a_job_names_its_inputs_and_its_file() -> None:
    session = begun()
    figure = rule(session, "figure")
    wildcards = SimpleNamespace(figure="adam")
    assert session.inputs(figure)(wildcards) == [f"results/tiny/packs/{ADAM}/discrete.json"]
    file = session.parameters(figure)["job"](wildcards, ["results/tiny/figures/adam.pdf"])
    assert json.loads(Path(file).read_text())["files"] == [
        f"results/tiny/{ADAM.replace('+', ',')}/discrete.parquet"
    ]


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    session = begun(dryrun=True)
    figure = rule(session, "figure")
    session.parameters(figure)["job"](SimpleNamespace(figure="adam"), ["results/tiny/figures/adam.pdf"])
    assert list(tmp_path.iterdir()) == []


def test_the_plan_counts_the_cells_that_will_run() -> None:
    pending = f"results/tiny/packs/{ADAM}/discrete.json"
    session = begun(pending=[pending])
    session.start()
    assert json.loads(Path("results/tiny/logs/plan.json").read_text()) == {"simulate": [pending], "solve": []}


@pytest.mark.parametrize("forceall", [False, True])
def test_cells_are_made_anew_only_if_snakemake_is_forced(forceall: bool) -> None:
    begun(forceall=forceall).start()
    assert os.environ["IDESCENT_FRESH"] == ("1" if forceall else "")


def test_missing_kernels_are_reported_once_a_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "compiled", lambda: None)
    begun().start()
    assert capsys.readouterr().err == f"warning: {MISSING}\n"


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize(
    ("kind", "pending", "own"),
    [
        (
            "drawing",
            ["results/tiny/figures/adam.pdf", "results/tiny/tables/errors.parquet"],
            ["idescent.products.errors.table", "idescent.products.paths.figure"],
        ),
        (
            "computing",
            [
                f"results/tiny/packs/quadratic/AdaGrad/alpha~0.1/{n}"
                for n in ("discrete.json", "errors.parquet")
            ],
            ["idescent.jobs.pack", "idescent.products.errors.rows"],
        ),
    ],
)
def test_a_shared_process_is_started_for_two_of_its_jobs(
    kind: str, pending: list[str], own: list[str], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: dict[str, list[str]] = {}
    monkeypatch.setattr(module.shared_process, "start", lambda modules, kind: started.update({kind: modules}))
    begun(pending=pending[:count]).start()
    assert started == ({kind: [*module.SHARED[kind][1], *own]} if count > 1 else {})


def cell_with_manifest() -> tuple[Path, Path]:
    file, manifest = (
        Path(f"results/tiny/{ADAM}/discrete.parquet"),
        Path(f"results/tiny/packs/{ADAM}/discrete.json"),
    )
    for path in (file, manifest):
        path.parent.mkdir(parents=True)
    write_text(file, "ten bytes.")
    write_manifest(manifest, {f"{ADAM}/discrete.parquet": file}, {f"{ADAM}/discrete.parquet": "completed"})
    return file, manifest


def test_a_damaged_cell_is_removed_with_its_manifest(capsys: pytest.CaptureFixture[str]) -> None:
    file, manifest = cell_with_manifest()
    begun()
    assert file.exists()
    assert manifest.exists()
    file.write_text("ten")
    begun()
    assert not file.exists()
    assert not manifest.exists()
    assert f"{file} is damaged" in capsys.readouterr().err


def test_a_dry_run_leaves_a_damaged_cell(capsys: pytest.CaptureFixture[str]) -> None:
    file, manifest = cell_with_manifest()
    file.write_text("ten")
    begun(dryrun=True)
    assert file.exists()
    assert manifest.exists()
    assert f"{file} is damaged" in capsys.readouterr().err


def test_a_table_that_was_cut_short_is_removed() -> None:
    table = Path("results/tiny/tables/errors.parquet")
    table.parent.mkdir(parents=True)
    table.write_bytes(b"PAR1 and no more")
    begun()
    assert not table.exists()


def test_the_end_prints_the_summary_and_cancels_timers(capsys: pytest.CaptureFixture[str]) -> None:
    session = begun()
    Path("results/tiny").mkdir(parents=True)
    Path("results/tiny/summary.txt").write_text("Study tiny\n")
    timer = threading.Timer(60.0, lambda: None)
    timer.start()
    session.end()
    timer.join(10.0)
    assert not timer.is_alive()
    assert capsys.readouterr().err == "Study tiny\n"


@pytest.mark.parametrize(
    ("event", "text", "shown"),
    [
        (LogEvent.JOB_STARTED, "", False),
        (LogEvent.PROGRESS, "1 of 3 steps", False),
        (None, "Select jobs to execute...", False),
        (LogEvent.JOB_ERROR, "Error in rule solve", True),
        (None, "Nothing to be done", True),
    ],
)
def test_the_screen_shows_what_went_wrong_and_no_events_of_jobs(event: Any, text: str, shown: bool) -> None:
    record = logging.LogRecord("snakemake", logging.INFO, "", 0, text, (), None)
    record.event = event
    assert quiet(record) is shown
