"""The site: every page's code is run, and what a page shows is what its code prints."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))

import blocks  # noqa: E402 (in the folder above)

PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
# Pages whose blocks are run by tests of their own; `docs/cluster.md` needs a cluster, which CI has.
ELSEWHERE = {
    "cluster.md": ".ci/slurm-smoke",
    "objectives.md": "tests/test_objectives_docs.py",
    "own-objective.md": "tests/test_check.py",
    "scaling.md": "tests/workflow/test_scaling_workflow.py",
}
# Blocks that nothing runs, by page: each says why.
NOT_RUN = {"real-data.md": 1}


def code(page: str) -> list[blocks.Block]:
    return blocks.blocks((ROOT / "docs" / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ELSEWHERE and code(page)])
def test_the_code_of_a_page_runs_and_prints_what_the_page_shows(page: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert blocks.run(text, blocks.project(tmp_path)) == text


@pytest.mark.parametrize("page", sorted(ELSEWHERE))
def test_a_page_that_is_tested_elsewhere_is_named_there(page: str) -> None:
    assert page in PAGES
    test = (ROOT / ELSEWHERE[page]).read_text(encoding="utf-8")
    assert page.removesuffix(".md") in test or page == "cluster.md"


def test_blocks_that_are_not_run_are_few_and_say_why() -> None:
    marked = {page: [block for block in code(page) if block.mark == "not run"] for page in PAGES}
    assert {page: len(found) for page, found in marked.items() if found} == NOT_RUN
    assert all(block.why for found in marked.values() for block in found)


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert page == "index.md" or f"({page})" in index
