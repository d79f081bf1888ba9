"""Mistakes in a file of claims: each one line that names file, claim and field."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from idescent.products.claims import statements as spec

ROOT = Path(__file__).parents[2]


def bad(change: Any) -> str:
    raw = yaml.safe_load((ROOT / "config/claims.yaml").read_text(encoding="utf-8"))
    raw = copy.deepcopy(raw)  # YAML's aliases are shared objects
    change(raw)
    with pytest.raises(spec.ClaimsError) as caught:
        spec.parse(raw, "claims.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def first_check(**changes: Any) -> Any:
    return lambda raw: raw["claims"][0]["checks"].__setitem__(0, {**raw["claims"][0]["checks"][0], **changes})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (first_check(measure="setling"), ["checks.0.measure: 'setling' is not allowed", "settling"]),
        (first_check(quantity="x"), ["checks.0.quantity: 'x' is not allowed", "'theta'"]),
        (first_check(options={}), ["checks.0: options: within is missing"]),
        (first_check(options={"within": 0.1, "to": 1}), ["checks.0: options: 'to' is not allowed", "within"]),
        (first_check(options={"within": "1 %"}), ["options.within: '1 %' is not allowed", "number"]),
        (
            first_check(options={"within": 0.1, "target": "middle"}),
            ["options.target: 'middle' is not allowed: must be zero or last"],
        ),
        (first_check(expect={}), ["checks.0.expect: must have at least one of above"]),
        (first_check(expect={"under": 3}), ["checks.0.expect.under: this key is not allowed"]),
        (first_check(k=[5, 2]), ["checks.0: k: [5, 2] is not allowed", "first < last"]),
        (first_check(against="exact"), ["checks.0: against: 'exact' is not allowed", "settling"]),
        (first_check(measure="gap", options={}), ["checks.0: against: None is not allowed", "gap"]),
        (first_check(source="nobody"), ["checks.0.source: 'nobody' is not allowed", "discrete, exact"]),
        (
            first_check(relative_to={"source": "discrete"}),
            ["about: 'discrete' is not allowed", "compare the discrete path with itself"],
        ),
        (lambda raw: raw["claims"][0].__setitem__("about", "me"), ["about: 'me' is not allowed"]),
        (lambda raw: raw["claims"][0].__delitem__("where"), ["where is missing"]),
        (
            lambda raw: raw["claims"][1].__setitem__("id", "adagrad-under-2000"),
            ["id: is not allowed", "another claim has this id"],
        ),
    ],
)
def test_a_mistake_in_a_claim_is_one_line_that_names_claim_and_field(change: Any, words: list[str]) -> None:
    message = bad(change)
    for word in ["claims.yaml: ", "adagrad-under-2000: ", *words]:
        assert word in message


def test_claims_measure_one_discrete_and_one_exact_path() -> None:
    message = bad(lambda raw: raw["sources"].__setitem__("again", {"path": "other", "role": "exact"}))
    assert "sources: exactly one source must have the role exact" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("claims: [", "not YAML"),
        ("[]", "dictionary"),
        ("claims: []", "sources is missing"),
        ("sources: {a: {path: discrete, role: discrete}}\nclaims: [3]", "0: "),
    ],
)
def test_a_file_that_is_no_list_of_claims_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "claims.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(spec.ClaimsError) as caught:
        spec.read(file)
    assert str(file) in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(spec.ClaimsError, match=r"nowhere\.yaml: cannot be read: there is no such file"):
        spec.read(tmp_path / "nowhere.yaml")
