"""What a job is given stands in a file: whole, the same for the same content, gone with what the job made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from job_words import job_words

from idescent.cli import main
from idescent.jobs import job_files
from idescent.store.files import DamagedError

CONTENT = {
    "name": "n",
    "function": "m:f",
    "code": "c",
    "given": {"α": [0.1, "{x} $(y)"]},
    "files": [],
    "output": ["o"],
    "plan": "p",
}


def test_what_is_written_is_read_again_and_can_be_read_by_people(tmp_path: Path) -> None:
    file = tmp_path / "deep/er/job.json"
    job_files.write(file, CONTENT)
    assert job_files.read(file) == CONTENT
    assert '  "{x} $(y)"\n' in file.read_text(encoding="utf-8")
    assert "α" in file.read_text(encoding="utf-8")


def test_only_what_has_changed_is_written(tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    job_files.write(file, CONTENT)
    before = file.stat()
    job_files.write(file, json.loads(json.dumps(CONTENT)))
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    job_files.write(file, CONTENT | {"code": "d"})
    assert job_files.read(file)["code"] == "d"
    assert [path.name for path in tmp_path.iterdir()] == ["job.json"]


def test_the_digest_changes_with_what_is_given() -> None:
    assert job_files.digest({"a": (1.0, 2)}) == job_files.digest({"a": [1.0, 2]})
    assert len({job_files.digest(given) for given in ({}, [], {"a": 1}, {"a": "1"}, {"a": "{b}"})}) == 5


@pytest.mark.parametrize("prefix", ["", "elsewhere/"])
def test_each_output_has_a_file_of_its_own_below_the_study_wherever_that_lies(prefix: str) -> None:
    outputs = ["report.html", "report.json", "packs/results/tiny/all/discrete.json"]
    places = [job_files.place("results/tiny", f"{prefix}results/tiny/{output}") for output in outputs]
    assert places == [f"{prefix}results/tiny/logs/jobs/{output}.json" for output in outputs]


def test_files_of_results_that_are_gone_are_removed(tmp_path: Path) -> None:
    root = str(tmp_path / "study")
    for name in ("figures/a.pdf", "figures/b.pdf", "packs/q/A/alpha~0.1+b~x/discrete.json"):
        job_files.write(job_files.place(root, f"{root}/{name}"), CONTENT)
        Path(root, name).parent.mkdir(parents=True, exist_ok=True)
        Path(root, name).touch()
    Path(root, "figures/b.pdf").unlink()
    job_files.remove_stale(root)
    left = sorted(path.name for path in Path(root, "logs/jobs").rglob("*.json"))
    assert left == ["a.pdf.json", "discrete.json.json"]


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"code": ""}', "\x00"])
def test_a_damaged_file_is_said_in_one_line_and_removed(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = job_words("compare", tmp_path, [tmp_path / "errors.parquet"])
    Path(words[-1]).write_text(text, encoding="utf-8")
    with pytest.raises(DamagedError):
        job_files.read(words[-1])
    assert main(words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"job: {words[-1]}: not a whole description of a job")
    assert line.endswith("removed; run again to create it again")
    assert not Path(words[-1]).exists()


def test_a_missing_file_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["job", str(tmp_path / "none.json")]) == 1
    assert "none.json: not a whole description of a job ([Errno 2] No such file" in capsys.readouterr().err


def test_more_input_files_than_a_command_line_takes(tmp_path: Path) -> None:
    inputs = [tmp_path / f"{'x' * 150}{i}.json" for i in range(20_000)]
    words = job_words("compare", tmp_path, [tmp_path / "errors.parquet"], inputs)
    assert sum(map(len, words)) < 1000
    assert job_files.read(words[-1])["files"] == [str(file) for file in inputs]
