"""The README keeps its promises: its code runs, its pictures exist, its commands are those of CI."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import yaml

from idescent.study.keys import RunSpec

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.S)


def test_the_python_example_runs_and_the_second_order_model_wins(tmp_path):
    (code,) = blocks("python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    errors = {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}
    assert errors["half-step"] < 0.05 * errors["paper"]


def test_the_two_commands_are_targets_of_the_makefile():
    commands = blocks("sh")[0].split("\n")[:-1]
    assert commands == ["make", "make test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^all:", makefile, flags=re.M)
    assert re.search(r"^test:", makefile, flags=re.M)


def test_the_commands_run_and_make_their_files(tmp_path):
    lines = blocks("sh")[1].splitlines()
    assert len(lines) == 4
    for line in lines:
        words = shlex.split(line)
        assert words[0] == "idescent"
        command = [sys.executable, "-m", *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"adam.png", "half-step.parquet"}


def test_every_picture_and_linked_file_exists():
    local = [target for target in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in target]
    assert len([target for target in local if target.endswith(".png")]) == 5
    assert all((ROOT / target).is_file() for target in local), local


def test_the_example_of_a_grid_is_a_valid_block():
    (text,) = blocks("yaml")
    for run in yaml.safe_load(text)["runs"]:
        RunSpec.model_validate(run)


def test_generated_blocks_are_filled():
    for name, mark, least in (("errors", "|", 200), ("claims", "×", 2), ("timings", "|", 20)):
        (block,) = re.findall(rf"<!-- {name}: generated -->\n(.*?)<!-- {name}: end -->", TEXT, flags=re.S)
        assert block.count(mark) >= least, name


def test_the_half_step_model_is_closer_than_the_papers_equation_wherever_a_number_is_given():
    (block,) = re.findall(r"<!-- errors: generated -->\n(.*?)<!-- errors: end -->", TEXT, flags=re.S)
    head, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines())
    cells = [dict(zip(head, row, strict=True)) for row in rows]
    solved = [cell for cell in cells if cell["half-step"] != "–"]
    assert [(cell["optimizer"], cell["β"]) for cell in cells if cell not in solved] == [("RMSProp", "0")] * 2
    assert all(float(cell["half-step"]) < float(cell["model"]) for cell in solved)
