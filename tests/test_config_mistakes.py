"""What is said of generated bad configurations: plain lines that name field, value and what is allowed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from bad_configurations import Case, cases
from configured import complete

from idescent import config

CASES = cases()
JARGON = re.compile(
    r"Input|Value error|type=|pydantic|validator|instance of|valid (dict|list|tuple|str|int)|\[key\]"
)


def test_what_the_bad_configurations_are_made_of_is_complete() -> None:
    assert len(config.load(complete()).cells) == 5


def test_there_are_hundreds_of_bad_configurations_and_no_two_are_alike() -> None:
    texts = {f"{case.path!r} {case.value!r:.500}" for case in CASES}
    assert len(texts) == len(CASES) > 400
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mistake_is_said_in_plain_lines_that_name_the_field(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(config.ConfigError) as caught:
        config.load(case.raw)
    lines = str(caught.value).split("\n")
    assert len(lines) == 1
    for line in lines:
        assert line.startswith("config: ")
        assert line.isprintable()
        assert len(line) < 500
        assert " is missing" in line or " is not allowed" in line or " must " in line
        assert not JARGON.search(line)
    assert any(line.startswith(f"config: {case.field}") for line in lines)
    assert not list(tmp_path.iterdir())


def test_what_is_no_mapping_is_one_line() -> None:
    for raw in ([], None, "text", 5):
        with pytest.raises(config.ConfigError, match=r"^config: .* is not allowed: must be a mapping"):
            config.load(raw)  # type: ignore[arg-type]


ROOT = Path(__file__).parent.parent
STUDIES = sorted(set((ROOT / "config").glob("*.yaml")) - {ROOT / "config/claims.yaml"})


@pytest.mark.parametrize("file", STUDIES, ids=lambda path: path.stem)
def test_editors_find_the_schema_by_a_studys_first_line_and_it_accepts_the_study(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert found
    schema = json.loads((file.parent / found[1]).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(text))
