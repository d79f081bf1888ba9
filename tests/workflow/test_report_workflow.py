"""The report in the workflow: made at the end of every study, and again when its own sources change."""

from __future__ import annotations

import re

import pytest
from projects import ROOT, STUDY, Project
from reported import data_of

pytestmark = pytest.mark.workflow


def test_the_report_has_the_cells_figures_and_digests_of_the_run(done: Project) -> None:
    text = (done.results / "report.html").read_text(encoding="utf-8")
    files = {path["file"] for cell in data_of(text)["cells"] for path in cell["paths"].values()}
    runs = {path for path in done.results.rglob("alpha~*/*.parquet") if "packs" not in path.parts}
    assert files == {str(path.relative_to(done.results)) for path in runs}
    for figure in (*STUDY["figures"], "adagrad_errors", "errors_overview", "errors_split"):
        assert f'<figure id="{figure}">' in text


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [("assets/page.css", "2rem", "3rem"), ("templates/odd.html.j2", "None: every", "Nothing: every")],
)
def test_an_edited_style_sheet_or_template_makes_the_report_and_nothing_else(
    done: Project, file: str, old: str, new: str
) -> None:
    done.edit(f"src/idescent/products/report/{file}", lambda text: text.replace(old, new))
    assert done.succeed() == {"report": 1}
    assert new in (done.results / "report.html").read_text(encoding="utf-8")


def test_every_file_of_a_study_is_in_the_list_of_results(done: Project) -> None:
    text = (ROOT / "results/README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^  (\S+)  ", text.partition("results/<study>/\n")[2].partition("```")[0], re.M)
    patterns = {name: _pattern(name) for name in listed}
    files = [str(path.relative_to(done.results)) for path in done.results.rglob("*") if path.is_file()]
    found = {file: [name for name, pattern in patterns.items() if pattern.fullmatch(file)] for file in files}
    assert [file for file, names in found.items() if not names] == []
    absent = set(listed) - {name for names in found.values() for name in names}
    assert {name.partition("/")[0] for name in absent} <= {"ensembles"}  # which this study has not


def _pattern(name: str) -> re.Pattern[str]:
    """Return what matches the files of a line: ``<word>`` is a name, ``{a,b}`` one of them."""
    text = re.sub(r"<\w+>", "[^/]+", name.replace(".", r"\.").replace("<log>", ".+"))
    return re.compile(re.sub(r"\{(.*?)\}", lambda found: f"(?:{found[1].replace(',', '|')})", text))
