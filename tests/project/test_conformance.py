"""The page of promises: what the README promises is there, with tests that exist and what they found."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import conformance  # noqa: E402 (in the folder above)

README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
PROMISES = conformance.promises()
# Sections in which every sentence is a promise, or is named here because it is none.
PROMISING = ("How it is checked",)

XML = """<testsuites><testsuite>
<testcase classname="tests.test_one" name="test_a[1]"><properties><property name="error" value="1e-3"/>
</properties></testcase>
<testcase classname="tests.test_one" name="test_a[2]"><properties><property name="error" value="2e-3"/>
</properties></testcase>
<testcase classname="tests.deep.test_two" name="test_b"/>
<testcase classname="tests.deep.test_two" name="test_c"><failure message="no"/></testcase>
<testcase classname="tests.deep.test_two" name="test_d"><skipped message="no"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def found(tmp_path: Path) -> list[conformance.Case]:
    path = tmp_path / "tests.xml"
    path.write_text(XML, encoding="utf-8")
    return conformance.cases(path)


@pytest.mark.parametrize("given", PROMISES, ids=lambda given: given["promise"][:40])
def test_a_promise_stands_in_the_readme_and_its_tests_exist(given: dict[str, object]) -> None:
    assert given["promise"] in README
    assert isinstance(given["tests"], list)
    for name in given["tests"]:
        place, _, test = name.partition("::")
        if test:
            text = (ROOT / place).read_text(encoding="utf-8")
            assert re.search(rf"^def {test}\(", text, flags=re.MULTILINE), name
        else:
            assert (ROOT / place).exists(), name


@pytest.mark.parametrize("section", PROMISING)
def test_every_sentence_of_a_section_of_promises_has_one(section: str) -> None:
    text = README.partition(f"## {section} ")[2].partition(" ## ")[0]
    sentences = re.split(r"(?<=[.;]) ", text)
    assert len(sentences) > 2
    for sentence in sentences:
        assert any(given["promise"].rstrip(".") in sentence for given in PROMISES), sentence


def test_every_point_of_what_is_new_has_a_promise() -> None:
    points = README.partition("## What is new - ")[2].partition(" ## ")[0].split(" - **")
    assert len(points) >= 9
    for point in points:
        assert "](docs/" in point or "](#" in point, point
        assert any(given["promise"] in point for given in PROMISES), point


def test_what_tests_have_noted_is_filled_in(found: list[conformance.Case]) -> None:
    chosen = conformance.shown_by(["tests/test_one.py::test_a", "tests/deep"], found)
    assert [case.passed for case in chosen] == [True, True, True, False, False]
    text = conformance.measured("{error.min:g} to {error.max:g}, {error.count}, {passed}", chosen)
    assert text == "0.001 to 0.002, 2, 3"


@pytest.mark.parametrize("name", ["tests/test_one.py::test_z", "tests/test_on", "tests/test_two.py"])
def test_a_test_that_was_not_run_is_named(found: list[conformance.Case], name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: no such test was run"):
        conformance.shown_by([name], found)


def test_a_value_that_nothing_has_noted_is_named(found: list[conformance.Case]) -> None:
    with pytest.raises(ValueError, match="no test has noted 'slope'"):
        conformance.measured("{slope.max}", found)


def test_a_promise_whose_test_fails_is_said_to_be_not_shown(
    found: list[conformance.Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [
        {"promise": "a | b", "tests": ["tests/test_one.py::test_a"], "measured": "{error.max:.0e}"},
        {"promise": "c", "tests": ["tests/deep/test_two.py"], "measured": "{passed}"},
    ]
    monkeypatch.setattr(conformance, "promises", lambda: given)
    _, _, kept, broken = conformance.page(found).splitlines()
    assert kept == "| a \\| b | `test_one.py: a` | 2e-03 |"
    assert broken.endswith("| **not shown**: 2 of these fail |")
