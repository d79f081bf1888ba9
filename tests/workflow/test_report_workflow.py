"""The report in the workflow: made at the end of every study, and again when its own sources change."""

from __future__ import annotations

import json
import re

import pytest
from conftest import STUDY, Project

pytestmark = pytest.mark.workflow


def test_the_report_has_the_cells_figures_and_digests_of_the_run(done: Project) -> None:
    text = (done.results / "report.html").read_text(encoding="utf-8")
    found = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    files = {path["file"] for cell in data["cells"] for path in cell["paths"].values()}
    runs = {path for path in done.results.rglob("alpha~*/*.parquet") if "packs" not in path.parts}
    assert files == {str(path.relative_to(done.results)) for path in runs}
    for figure in (*STUDY["figures"], "adagrad_errors", "errors_overview", "errors_split"):
        assert f'<figure id="{figure}">' in text


def test_an_edited_style_sheet_makes_the_report_and_nothing_else(done: Project) -> None:
    done.edit("src/idescent/report/assets/page.css", lambda text: text.replace("2rem", "3rem"))
    assert done.succeed() == {"report_numbers": 1, "report": 1}
    assert "3rem" in (done.results / "report.html").read_text(encoding="utf-8")


def test_how_cells_are_packed_into_jobs_changes_nothing_in_the_report(done: Project) -> None:
    before = (done.results / "report.html").read_bytes()
    done.configure({**STUDY, "cells_per_job": 1})
    done.succeed()
    assert (done.results / "report.html").read_bytes() == before
