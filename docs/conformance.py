"""Tell what shows that the README keeps its promises, and what was measured last.

    python docs/conformance.py            print the page
    python docs/conformance.py --check    print nothing; exit 1 if a promise is not shown

`docs/promises.yaml` names the tests; what they found comes from `build/tests.xml`, which `make test` writes.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import yaml

ROOT = Path(__file__).resolve().parent.parent
FOUND = ROOT / "build" / "tests.xml"
PROMISES = ROOT / "docs" / "promises.yaml"
ABSENT = "The tests have not been run here: run `make test`, then build this site again.\n"


@dataclass
class Case:
    """What one test found."""

    file: str
    name: str
    passed: bool
    noted: list[tuple[str, float]] = field(default_factory=list)


def cases(path: Path = FOUND) -> list[Case]:
    """Return the tests in a JUnit file, each under the file that holds it."""
    return [_case(element) for element in ElementTree.parse(path).iter("testcase")]


def _case(element: Any) -> Case:
    module = element.get("classname").replace(".", "/")
    noted = [(p.get("name"), float(p.get("value"))) for p in element.iter("property")]
    passed = not any(element.find(tag) is not None for tag in ("failure", "error", "skipped"))
    return Case(f"{module}.py", element.get("name").partition("[")[0], passed, noted)


def promises() -> list[dict[str, Any]]:
    """Return the promises with their tests."""
    given: list[dict[str, Any]] = yaml.safe_load(PROMISES.read_text(encoding="utf-8"))
    return given


def shown_by(names: list[str], found: list[Case]) -> list[Case]:
    """Return the tests of a promise; a name is a folder, a file, or a test of a file.

    Raises
    ------
    ValueError
        If no test that was run has one of the names.
    """
    chosen: list[Case] = []
    for name in names:
        place, _, test = name.partition("::")
        matching = [
            case
            for case in found
            if (case.file == place or case.file.startswith(f"{place}/")) and (not test or case.name == test)
        ]
        if not matching:
            raise ValueError(f"docs/promises.yaml: {name}: no such test was run")
        chosen += [case for case in matching if case not in chosen]
    return chosen


def measured(form: str, chosen: list[Case]) -> str:
    """Fill in what the tests have noted.

    Raises
    ------
    ValueError
        If the text asks for what no test has noted.
    """
    values: dict[str, list[float]] = {}
    for case in chosen:
        for name, value in case.noted:
            values.setdefault(name.replace(" ", "_"), []).append(value)
    noted = {n: SimpleNamespace(min=min(v), max=max(v), count=len(v)) for n, v in values.items()}
    try:
        return form.format(passed=sum(case.passed for case in chosen), **noted)
    except KeyError as error:
        raise ValueError(f"docs/promises.yaml: {form!r}: no test has noted {error}") from None


def rows(found: list[Case]) -> Iterator[tuple[str, list[str], str, list[Case]]]:
    """Return promise, names of its tests, what was measured, and the tests that did not pass."""
    for given in promises():
        chosen = shown_by(given["tests"], found)
        failed = [case for case in chosen if not case.passed]
        yield given["promise"], given["tests"], measured(given["measured"], chosen), failed


def page(found: list[Case]) -> str:
    """Return the table as Markdown."""
    lines = ["| promise | shown by | last measured |", "| --- | --- | --- |"]
    for promise, tests, value, failed in rows(found):
        names = "<br>".join(f"`{_short(name)}`" for name in tests)
        value = f"**not shown**: {len(failed)} of these fail" if failed else value
        lines.append(f"| {_cell(promise)} | {names} | {_cell(value)} |")
    return "\n".join(lines) + "\n"


def _short(name: str) -> str:
    place, _, test = name.removeprefix("tests/").partition("::")
    return f"{place}: {test.removeprefix('test_').replace('_', ' ')}" if test else place


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def main() -> None:
    """Print the page, or only check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether every promise is shown")
    check = parser.parse_args().check
    if not FOUND.is_file():
        sys.exit("build/tests.xml is not there: run `make test`")
    try:
        found = cases()
        missing = [f"{promise}: {case.name} fails" for promise, _, _, f in rows(found) for case in f]
    except ValueError as error:
        sys.exit(str(error))
    if missing:
        sys.exit("not shown:\n" + "\n".join(missing))
    print(f"{len(promises())} promises are shown" if check else page(found), end="\n" if check else "")


if __name__ == "__main__":
    main()
