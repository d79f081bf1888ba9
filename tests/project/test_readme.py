"""The README keeps its promises: its code runs, its pictures exist, its commands are those of CI."""

import re
import sys
from pathlib import Path

import pytest
import yaml

import idescent as ide
from idescent.cli import listing

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import blocks  # noqa: E402 (in the folder above)

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def code(language):
    return [block.code for block in blocks.blocks(TEXT) if block.language == language]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The README with the outputs that its blocks print now, and the folder in which they were run."""
    folder = blocks.project(tmp_path_factory.mktemp("readme"))
    return blocks.run(TEXT, folder), folder


def test_the_blocks_print_what_the_readme_shows_and_write_the_files_it_names(page):
    text, folder = page
    assert text == TEXT
    names = (
        "adam.png",
        "half-step.parquet",
        "results/qhadam/report.html",
        "results/qhadam/tables/errors.csv",
    )
    for name in (*names, "my-study/results/first/report.html"):
        assert (folder / name).is_file(), name


def test_the_second_order_model_wins_in_the_example(page):
    errors = dict(re.findall(r"^([\w-]+): error (\S+), solver's share", page[0], flags=re.M))
    assert set(errors) == {"paper", "half-step"}
    assert float(errors["half-step"]) < 0.05 * float(errors["paper"])


def test_ten_million_iterations_take_some_ten_thousand_gradients():
    assert "fast-forward Adam --alpha 1e-6 --steps 10000000\n" in TEXT
    cell = {"alpha": 1e-6, "theta0": 1.0, "steps": 10_000_000}
    path = ide.leap(ide.Adam(0.9, 0.999), ide.Quadratic(4.0), **cell)
    assert path.report.status == "converged"
    assert 8_000 <= path.report.gradient_evaluations <= 13_000


def test_the_optimizer_is_declared_and_verified_in_fifteen_lines(page):
    declared, verified = (
        [line for line in block.splitlines() if line.strip() and not re.match("#|from |import ", line)]
        for block in code("python")[:2]
    )
    assert declared[0] == "@dataclass(frozen=True)"
    assert "ide.verify" in verified[-1]
    assert len(declared) + len(verified) <= 15
    ok = re.search(r"^claim: order 2.*\nok: slopes ([\d.]+), ([\d.]+), at least 1.9$", page[0], flags=re.M)
    assert all(1.9 <= float(slope) <= 2.1 for slope in ok.groups())


def test_the_two_commands_are_targets_of_the_makefile():
    assert code("sh")[0].splitlines() == ["make", "make test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^all:", makefile, flags=re.M)
    assert re.search(r"^test:", makefile, flags=re.M)


def test_only_the_two_commands_and_the_module_are_run_elsewhere():
    marked = [(block.language, block.mark, block.why) for block in blocks.blocks(TEXT) if block.mark]
    assert marked == [
        ("sh", "run by", ".ci/run"),
        ("snakemake", "run by", "tests/workflow/test_module.py"),
    ]


def test_tables_and_timings_are_folded_and_the_rest_is_short():
    rest = re.sub(r"<details>\n.*?</details>\n", "", TEXT, flags=re.S)
    assert "details>" not in rest
    assert "<!-- errors:" not in rest
    assert "<!-- timings:" not in rest
    assert len([line for line in rest.splitlines() if line.strip()]) <= 165


def test_every_picture_and_linked_file_exists():
    local = [target for target in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in target]
    assert len([target for target in local if target.endswith(".png")]) == 5
    headings = {
        "#" + re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.+)$", TEXT, flags=re.M)
    }
    assert all((ROOT / name).is_file() or name in headings for name in local), local


def test_the_numbers_of_optimizers_and_figures_are_those_of_the_package():
    assert f"{len(listing.names('optimizers'))} optimizers are declared so" in TEXT
    paper = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    assert len(paper["figures"]) == 16
    assert "all sixteen figures" in " ".join(TEXT.split())


def test_generated_blocks_are_filled():
    for name, mark, least in (
        ("answer", "e-", 4),
        ("errors", "|", 200),
        ("claims", "×", 2),
        ("timings", "|", 20),
    ):
        (block,) = re.findall(rf"<!-- {name}: generated -->\n(.*?)<!-- {name}: end -->", TEXT, flags=re.S)
        assert block.count(mark) >= least, name


def test_the_half_step_model_is_closer_than_the_papers_equation_wherever_a_number_is_given():
    (block,) = re.findall(r"<!-- errors: generated -->\n(.*?)<!-- errors: end -->", TEXT, flags=re.S)
    head, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines())
    cells = [dict(zip(head, row, strict=True)) for row in rows]
    solved = [cell for cell in cells if cell["half-step"] != "–"]
    assert [(cell["optimizer"], cell["β"]) for cell in cells if cell not in solved] == [("RMSProp", "0")] * 2
    assert all(float(cell["half-step"]) < float(cell["model"]) for cell in solved)
