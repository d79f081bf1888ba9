"""A study with hostile texts in every field ends with a report that shows them, letter for letter."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from hostile import BESIDE_ONLY, SHORT
from projects import ROOT, STUDY, Project
from reported import table_of

from idescent.products.report import claims as claims_section
from idescent.trajectory import read_with_metadata

pytestmark = pytest.mark.workflow

# What is drawn has no tab, no formula that fails, and fewer characters; the rest takes everything.
DRAWN = " ".join(text for text in SHORT if "$" not in text) + r" $\theta_{k}$"
BESIDE = " ".join((*SHORT, *BESIDE_ONLY))

LABELLED = """
from idescent.objectives import Quadratic


class Labelled(Quadratic):
    def __init__(self, center, text):
        super().__init__(center)
        self.text = text
"""


def study() -> dict[str, Any]:
    """The small study with texts in all fields that take any."""
    found = copy.deepcopy(STUDY)
    found["objectives"]["quadratic"] = {
        "class": "labelled:Labelled",
        "arguments": {"center": 4.0, "text": BESIDE},
    }
    for figure in found["figures"].values():
        figure |= {"title": BESIDE, "caption": BESIDE, "x_label": DRAWN, "y_label": DRAWN}
        figure["panels"][0]["title"] = DRAWN
    found["figures"]["adagrad"]["lines"] = {"paper.exact": {"label": DRAWN}}
    found["claims"] = "config/claims $(x) 'of' the paper.yaml"
    return found


def claims() -> dict[str, Any]:
    """A claims file with texts in all fields that take any."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "config/claims.yaml").read_text(encoding="utf-8"))
    found["claims"] = found["claims"][:2]
    for claim in found["claims"]:
        claim |= {"where": BESIDE, "statement": BESIDE, "reason": BESIDE}
    found["sources"][BESIDE] = {"path": "paper.picard", "role": "scheme"}
    return found


class Page(HTMLParser):
    """Texts of a page, by the element that they stand in."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag in ("figcaption", "pre", "script", "h3"):
            self.open.append(tag)
            self.found.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open:
            self.found[self.open[-1]][-1] += data


def test_hostile_texts_in_every_field_end_in_a_report_that_shows_them(fresh: Project) -> None:
    (fresh.folder / "labelled.py").write_text(LABELLED, encoding="utf-8")
    given = study()
    fresh.configure(given)
    (fresh.folder / given["claims"]).write_text(yaml.safe_dump(claims()), encoding="utf-8")
    before = {path.name for path in fresh.folder.iterdir()}
    fresh.succeed("--dry-run")
    assert not fresh.results.exists()
    fresh.succeed()
    assert {path.name for path in fresh.folder.iterdir()} - before <= {"results", ".snakemake", "__pycache__"}

    text = (fresh.results / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.found["figcaption"].count(BESIDE) == 2
    assert sum(title.startswith(BESIDE) for title in page.found["h3"]) == 3  # one has a companion
    (shown,) = [text for text in page.found["pre"] if "\nstudy: tiny\n" in text]
    assert yaml.safe_load(shown) == {key: value for key, value in given.items() if key != "cells_per_job"}
    table = table_of(text, "claims-table")
    assert BESIDE in table
    assert {claim["statement"] for claim in table["claim"]["values"]} == {BESIDE}
    # The explorer's data and the code; the other scripts are compressed blocks.
    assert sum(re.fullmatch(r"[\w+/=]+", script) is None for script in page.found["script"]) == 2

    drawing = ElementTree.parse(fresh.results / "figures/adam.svg")
    for name in ("title", "description"):
        assert drawing.findtext(f".//{{http://purl.org/dc/elements/1.1/}}{name}") == BESIDE
    rows = claims_section.read(fresh.results / "tables/claims.csv")
    assert {row[name] for row in rows for name in ("where", "statement", "reason")} == {BESIDE}
    assert f"{BESIDE} state" in rows[0]
    _, metadata = read_with_metadata(fresh.results / "quadratic/AdaGrad/alpha~0.1/paper.exact.parquet")
    assert metadata["cell"]["objective"]["arguments"]["text"] == BESIDE
    job = json.loads((fresh.results / "logs/jobs/figures/adam.pdf.json").read_text(encoding="utf-8"))
    assert job["given"]["figure"]["caption"] == BESIDE
    assert fresh.succeed() == {}


def test_an_edited_caption_draws_its_figure_again_and_nothing_else(done: Project) -> None:
    jobs = sorted((done.results / "logs/jobs").rglob("*.json"))
    assert len(jobs) > 10
    changed = copy.deepcopy(STUDY)
    changed["figures"]["adam"]["caption"] = "{new}"
    done.configure(changed)
    expected = {"figure": 1, "report": 1}
    assert done.succeed("--dry-run") == expected
    assert done.succeed() == expected
    assert sorted((done.results / "logs/jobs").rglob("*.json")) == jobs
    assert '"{new}"' in (done.results / "logs/jobs/figures/adam.pdf.json").read_text(encoding="utf-8")
    done.succeed("--delete-all-output")
    done.succeed("results/tiny/figures/adam.pdf")
    assert '"{new}"' in (done.results / "logs/jobs/figures/adam.pdf.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        (
            "caption",
            "a\x07b",
            r"config: figures.adam.caption: 'a\x07b' is not allowed: text must not contain control",
        ),
        (
            "x_label",
            r"$\notacommand$",
            r"config: figures.adam.x_label: '$\\notacommand$' is not allowed: must be a valid formula",
        ),
        (
            "y_label",
            "漢",
            "config: figures.adam.y_label: '漢' is not allowed: the font lacks some of its characters",
        ),
    ],
)
def test_what_cannot_be_shown_is_one_line_before_anything_runs(
    fresh: Project, key: str, text: str, said: str
) -> None:
    changed = copy.deepcopy(STUDY)
    changed["figures"]["adam"][key] = text
    fresh.configure(changed)
    outcome = fresh.run()
    assert outcome.status != 0
    (line,) = [line for line in outcome.text.splitlines() if "profile" not in line]
    assert line.startswith(said)
    assert not (fresh.folder / "results").exists()
