"""Keys that stand twice in one mapping: the file is refused with the key and both lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from configured import minimal

from idescent import config
from idescent.products.claims.statements import ClaimsError
from idescent.products.claims.statements import read as read_claims
from idescent.study.documents import DocumentError, check, read

ROOT = Path(__file__).parents[1]


def refusal(folder: Path, text: str, name: str = "study.yaml") -> str:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        check(file)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("runs: []\nother: 1\nruns: [1]\n", "runs", (1, 3)),
        ("a:\n  b:\n    - c: 1\n      d: 2\n      c: 3\n", "c", (3, 5)),
        ("a: {b: 1, c: 2,\n  b: 3}\n", "b", (1, 2)),
        ('a: 1\n"a": 2\n', "a", (1, 2)),
        ("a: 1\n? a\n: 2\n", "a", (1, 2)),
        ("&k a: 1\n*k : 2\n", "a", (1, 2)),
        ("0.1: x\n0.1: y\n", "0.1", (1, 2)),
        ("? [1, 2]\n: x\na: 1\na: 2\n", "a", (3, 4)),
        ("x-1: &one {a: 1}\nm:\n  <<: *one\n  <<: *one\n", "<<", (3, 4)),
        ('{\n\t"a": 1,\n\t"b": {"c": 1,\n\t"c": 2}\n}', "c", (3, 4)),
        ("é: 1\né: 2\n", "é", (1, 2)),
        (f"{'k' * 90}: 1\nb: 0\n{'k' * 90}: 2\n", "'kkkkk", (1, 3)),
    ],
    ids=range(12),
)
def test_a_key_given_twice_is_refused_with_both_lines(
    tmp_path: Path, text: str, key: str, lines: tuple[int, int]
) -> None:
    said = refusal(tmp_path, text)
    assert said.startswith(key)
    assert said.endswith(f"is not allowed twice: it is in line {lines[0]} and line {lines[1]}")


def test_json_that_is_no_yaml_is_read_as_json(tmp_path: Path) -> None:
    # A pair of surrogates, and a key of more than 1024 characters: JSON for Snakemake, no YAML for libyaml.
    for raw in ({"a": "\U0001d6fc"}, {"k" * 2000: 1}):
        file = tmp_path / "study.json"
        file.write_text(json.dumps(raw), encoding="ascii")
        assert read(file) == raw
    assert refusal(tmp_path, '{"b": "\\ud835\\udefc", "a": 1, "a": 2}') == "a is not allowed twice"


@pytest.mark.parametrize(
    "text",
    [
        "a: {b: 1}\nc: {b: 1}\n",
        "- a: 1\n- a: 2\n",
        "x-base: &base {a: 1, b: 2}\nm:\n  <<: *base\n  a: 3\n",
        "one: &one {a: 1}\ntwo: &two {a: 2}\nm:\n  <<: [*one, *two]\n",
        "a: b\nb: a\n",
        "a: [a, a]\n",
    ],
)
def test_what_is_no_repetition_is_read_as_yaml_says(tmp_path: Path, text: str) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(text, encoding="utf-8")
    assert read(file) == yaml.safe_load(text)


@pytest.mark.parametrize("file", sorted((ROOT / "config").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_files_of_the_project_say_nothing_twice(file: Path) -> None:
    assert read(file) == yaml.safe_load(file.read_text(encoding="utf-8"))


def test_a_claims_file_that_says_something_twice_is_refused(tmp_path: Path) -> None:
    text = (ROOT / "config/claims.yaml").read_text(encoding="utf-8")
    file = tmp_path / "claims.yaml"
    file.write_text(
        text.replace("    about: discrete\n", "    about: discrete\n    about: model\n", 1), "utf-8"
    )
    with pytest.raises(ClaimsError) as caught:
        read_claims(file)
    assert str(caught.value).startswith(f"{file}: about is not allowed twice: it is in line ")


@pytest.mark.parametrize("name", ["x-base", "x-", "x-1"])
def test_keys_that_begin_with_x_hold_anchors_and_mean_nothing(tmp_path: Path, name: str) -> None:
    file = tmp_path / "study.yaml"
    raw = minimal()
    (block,) = raw.pop("runs")
    base = {key: block.pop(key) for key in ("objective", "optimizer", "theta0", "hyperparameters")}
    lines = [
        f"{name}: &base {json.dumps(base)}",
        yaml.safe_dump(raw),
        "runs:",
        f"  - <<: *base\n    alpha: {block['alpha']}\n    steps: {block['steps']}",
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    assert config.load(read(file)) == config.load(minimal())


def test_keys_that_begin_with_x_are_for_the_top_level_and_in_the_schema() -> None:
    raw = minimal()
    raw["runs"][0]["x-base"] = 1
    with pytest.raises(config.ConfigError, match=r"^config: runs\.0\.x-base: this key is not allowed"):
        config.load(raw)
    assert config.schema()["patternProperties"] == {"^x-": {}}
