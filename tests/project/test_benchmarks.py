"""The benchmarks run and are complete; how fast anything is, no test says."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import run  # noqa: E402 (in the folder above)
from suite import records, report, targets, text, topics  # noqa: E402
from suite.peers import CutError, Peers, Worker  # noqa: E402
from suite.problems import PROBLEMS  # noqa: E402
from suite.rows import Row, Spread  # noqa: E402
from suite.settings import Settings  # noqa: E402
from suite.timing import in_turns  # noqa: E402
from suite.topics import installation, precision, study_cost  # noqa: E402

# Those that run no workflow.
SHORT = ("kernels", "packs", "precision", "models", "steps", "dimension", "leaps")


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quick")
    assert run.main(["--quick", "--output", str(folder), *SHORT]) == 0
    return folder


def test_a_quick_run_writes_every_table_and_figure_whole(quick: Path) -> None:
    names = {path.name for path in quick.iterdir() if path.is_file()}
    drawn = {"work_precision", "work_precision_half_step", "kernels"}
    tables = {f"benchmarks{suffix}" for suffix in (".md", ".csv", ".json")} | {"machine.json"}
    assert names == tables | {f"{name}{suffix}" for name in drawn for suffix in (".pdf", ".png")}
    assert {path.stem for path in (quick / "topics").iterdir()} == set(SHORT)


def test_every_topic_has_rows_whose_quantities_are_numbers(quick: Path) -> None:
    found = {record.topic: record.rows for record in records.read(quick / "topics", topics.NAMES)}
    assert list(found) == list(SHORT)
    for name, rows in found.items():
        assert rows, name
        assert all(spread.runs >= 1 for row in rows for spread in row.values.values())
        medians = [spread.median for row in rows for spread in row.values.values()]
        assert np.isfinite(medians).all(), name


def test_the_tidy_table_has_all_that_the_records_have(quick: Path) -> None:
    with (quick / "benchmarks.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    whole = json.loads((quick / "benchmarks.json").read_text(encoding="utf-8"))
    assert len(lines) == sum(len(row["values"]) or 1 for topic in whole["topics"] for row in topic["rows"])
    assert {line["topic"] for line in lines} == set(SHORT)


def test_the_report_says_that_a_quick_run_is_one_and_who_was_left_out(quick: Path) -> None:
    said = (quick / "benchmarks.md").read_text(encoding="utf-8")
    assert "its times say nothing" in said
    assert "Left out: torch, optax, diffrax, idesolver." in said
    for name in SHORT:
        assert f"## {topics.module(name).TITLE}" in said


def test_a_topic_that_this_code_was_measured_on_is_not_measured_again(
    quick: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "NAMES", SHORT)
    before = {path: path.read_bytes() for path in (quick / "topics").iterdir()}
    assert run.main(["--quick", "--output", str(quick)]) == 0
    assert capsys.readouterr().out.count("with this code") == len(SHORT)
    assert {path: path.read_bytes() for path in (quick / "topics").iterdir()} == before


def test_times_of_a_quick_run_are_not_stored(quick: Path, tmp_path: Path) -> None:
    found = records.read(quick / "topics", topics.NAMES)
    with pytest.raises(
        ValueError, match=r"^measured.json: a quick run's times say nothing: run `make bench`"
    ):
        report.store(tmp_path / "measured.json", tmp_path, quick, found)
    assert not list(tmp_path.iterdir())


def test_a_complete_run_is_stored_with_its_figures_and_one_of_two_codes_is_not(
    quick: Path, tmp_path: Path
) -> None:
    found = {record.topic: record for record in records.read(quick / "topics", topics.NAMES)}
    one = Spread.exact(1.0)
    seconds = {
        f"{name}, s": one for name in ("plan", "run", "again", "compute", "whole", "one more", "import")
    }
    values = {"s": one, "error": one, "gradients": one, "memory, MB": one, "overhead, %": one, **seconds}
    made = [Row("paper", "exact", "1,000 cells", 1000.0, values=values)]
    first = found["kernels"]
    complete = [
        replace(found.get(name, replace(first, topic=name, rows=made)), quick=False, code=records.code(name))
        for name in topics.NAMES
    ]
    report.write(tmp_path, complete)
    report.store(tmp_path / "measured.json", tmp_path, tmp_path, complete)
    stored = json.loads((tmp_path / "measured.json").read_text(encoding="utf-8"))
    (only,) = stored["runs"]
    assert {target["name"] for target in only["targets"]} == {target.name for target in targets.TARGETS}
    assert all((tmp_path / f"benchmarks_{name}.png").is_file() for name in stored["figures"])
    assert "precision" in stored["tables"]
    with pytest.raises(ValueError, match=r"^measured.json: kernels measured on different code"):
        report.store(
            tmp_path / "other.json", tmp_path, tmp_path, [replace(complete[0], code="other"), *complete[1:]]
        )
    assert not (tmp_path / "other.json").exists()
    # On another machine: both are kept, the last first; on one of the two again, its own are replaced.
    other = [replace(record, machine=record.machine | {"processor": "another"}) for record in complete]
    for again in (other, complete):
        report.store(tmp_path / "measured.json", tmp_path, tmp_path, again)
        runs = json.loads((tmp_path / "measured.json").read_text(encoding="utf-8"))["runs"]
        assert [run["machine"].startswith("another") for run in runs] == [again is other, again is complete]
    _store_parts(tmp_path, complete)


def _store_parts(folder: Path, complete: Sequence[records.Record]) -> None:
    """Some topics: beside complete runs of other machines, once for each machine, and nowhere else."""
    name, before = folder / "measured.json", json.loads((folder / "measured.json").read_text("utf-8"))
    part = [record for record in complete if record.topic == "cells"]
    with pytest.raises(
        ValueError, match=r"^measured.json: kernels, .* not measured: run `make bench` first$"
    ):
        report.store(name, folder, folder, part)
    with pytest.raises(ValueError, match=r"kernels, .* not measured"):
        report.store(folder / "new.json", folder, folder, part)
    assert not (folder / "new.json").exists()
    elsewhere = [replace(record, machine=record.machine | {"processor": "a third"}) for record in part]
    for _ in range(2):
        report.store(name, folder, folder, elsewhere)
        stored = json.loads(name.read_text(encoding="utf-8"))
        assert stored | {"runs": before["runs"], "tables": before["tables"]} == before
        # The table of the topic is that of the last machine, and says so.
        changed = {topic for topic, table in stored["tables"].items() if table != before["tables"][topic]}
        assert changed == {"cells"}
        assert stored["tables"]["cells"]["measured"].startswith("a third")
        *kept, last = stored["runs"]
        assert kept == before["runs"]
        assert last["machine"].startswith("a third")
        known = {target["name"] for target in last["targets"] if target["verdict"] != "not measured"}
        assert known == {"overhead"}
        assert {timing["measured"] for timing in last["timings"]} == {"–"}


def test_a_topic_that_does_not_exist_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main(["speed"])
    assert ended.value.code == 2
    assert "topic: 'speed' is not allowed: must be one of kernels" in capsys.readouterr().err


@pytest.mark.parametrize("name", PROBLEMS)
def test_equations_written_by_hand_are_those_that_the_exact_solver_solves(name: str) -> None:
    import idescent as ide

    problem = PROBLEMS[name]
    reference = precision.independent(problem)
    path = ide.solve(
        problem.model,
        problem.optimizer,
        problem.objective,
        alpha=problem.alpha,
        theta0=problem.theta0,
        steps=problem.steps,
        rtol=1e-12,
        atol=1e-14,
    )
    assert path.report.ok
    np.testing.assert_allclose(path.theta[:, 0], reference, rtol=0.0, atol=1e-11)


def test_a_peer_that_cannot_be_installed_is_a_row_and_not_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from suite.settings import Settings
    from suite.topics import packs

    monkeypatch.setattr("suite.peers.FOLDER", tmp_path)
    (tmp_path / "requirements-torch.txt").write_text("no such requirement ==\n", encoding="utf-8")
    settings = Settings(True, Peers(tmp_path / "made", ["torch"]), tmp_path, 1, 20.0, lambda _: None)
    absent = [row for row in packs.measure(settings) if row.status == "not installed"]
    assert {row.method for row in absent} == {"torch.optim", "torch.optim, fused"}
    assert all("requirement" in row.note for row in absent)
    assert "not installed: " in text.topic_table(absent)


def test_a_worker_that_takes_too_long_is_ended_and_the_next_question_answered(tmp_path: Path) -> None:
    script = tmp_path / "slow.py"
    script.write_text(
        "import json, sys, time\n"
        "print('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    time.sleep(json.loads(line)['sleep'])\n"
        "    print(json.dumps('answer'), flush=True)\n",
        encoding="utf-8",
    )
    with Worker(script=script) as worker:
        assert worker.ask({"sleep": 0.0}) == "answer"
        with pytest.raises(CutError, match=r"more than 0\.2 s"):
            worker.ask({"sleep": 60.0}, limit=0.2)
        assert worker.ask({"sleep": 0.0}) == "answer"


def test_a_worker_that_fails_says_why(tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text("raise SystemExit('no NumPy here')\n", encoding="utf-8")
    with Worker(script=script) as worker, pytest.raises(RuntimeError, match="no NumPy here"):
        worker.ask({})


def test_calls_in_turns_take_turns_and_begin_with_another_each_round() -> None:
    order: list[str] = []

    def called(name: str) -> float:
        order.append(name)
        return float(len(order))

    times = in_turns([lambda: called("a"), lambda: called("b")], rounds=2, budget=1e9)
    assert order == ["a", "b", "a", "b", "b", "a"]
    assert times == [[3.0, 6.0], [4.0, 5.0]]


def test_a_target_is_judged_by_its_worst_row_and_one_without_rows_is_not_measured() -> None:
    rows = [
        Row("Adam", "kernel", values={"ratio to C loop": Spread(1.3, 1.2, 1.4, 9)}),
        Row("AdaGrad", "kernel", values={"ratio to C loop": Spread(1.1, 1.0, 1.2, 9)}),
        Row("AdaGrad", "simulate", values={"ratio to C loop": Spread(9.0, 9.0, 9.0, 9)}),
    ]
    verdicts = {target["name"]: target for target in targets.judged({"kernels": rows})}
    assert verdicts["kernel"]["verdict"] == "missed"
    assert verdicts["kernel"]["measured"] == 1.3
    assert {t["verdict"] for name, t in verdicts.items() if name != "kernel"} == {"not measured"}
    rows[0].values["ratio to C loop"] = Spread(1.2, 1.1, 1.3, 9)
    assert targets.judged({"kernels": rows})[0]["verdict"] == "met"


def test_spreads_are_medians_with_quartiles() -> None:
    spread = Spread.of([4.0, 1.0, 3.0, 2.0, 5.0])
    assert (spread.median, spread.low, spread.high, spread.runs) == (3.0, 2.0, 4.0, 5)


def test_what_is_stored_has_every_target_and_is_what_readme_and_docs_show() -> None:
    measured = json.loads((ROOT / "benchmarks/measured.json").read_text(encoding="utf-8"))
    for once in measured["runs"]:
        assert [target["name"] for target in once["targets"]] == [target.name for target in targets.TARGETS]
    pages = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/benchmarks.md")]
    for same in zip(*(once["targets"] for once in measured["runs"]), strict=True):
        shown = " | ".join(
            f"**{t['shown']}, missed**" if t["verdict"] == "missed" else t["shown"] for t in same
        )
        line = f"| {same[0]['what']} | {same[0]['target']} | {shown} |"
        assert all(line in page for page in pages), same[0]["name"]
    for name in measured["figures"]:
        assert (ROOT / f"docs/images/benchmarks_{name}.png").is_file()
        assert f"images/benchmarks_{name}.png" in pages[1]


def test_targets_are_looked_for_in_topics_that_there_are() -> None:
    assert {target.topic for target in targets.TARGETS} <= set(topics.NAMES)


@pytest.mark.parametrize("topic", [installation, study_cost])
def test_a_clone_without_the_earlier_commit_says_so(
    topic: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_cost, "COMMIT", "0" * 40)
    settings = Settings(False, Peers(tmp_path, ()), tmp_path, 2, 20.0, print)
    (row,) = topic.measure(settings)
    assert row.status == "not measured"
    assert row.note == f"{'0' * 40} is not in this clone"
