"""Configurations that are too large: refused in one line, in an instant, before anything is computed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from configured import complete, figure, minimal

from idescent import config
from idescent.products.claims.statements import ClaimsError
from idescent.products.claims.statements import read as read_claims
from idescent.study import limits
from idescent.study.documents import DocumentError, check, read

ROOT = Path(__file__).parents[1]


def bomb(opening: str, closing: str, item: str, levels: int = 9) -> str:
    """Short lines with 10**levels values: each line holds the one before ten times."""
    lines = [f"x-0: &a0 {opening}{', '.join(item.format(j=j, value='1') for j in range(10))}{closing}"]
    for i in range(1, levels):
        inner = ", ".join(item.format(j=j, value=f"*a{i - 1}") for j in range(10))
        lines.append(f"x-{i}: &a{i} {opening}{inner}{closing}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def quickly() -> Iterator[None]:
    start = time.process_time()
    yield
    assert time.process_time() - start < 2.0


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(
    "text",
    [bomb("[", "]", "{value}"), bomb("{{", "}}", "k{j}: {value}").replace("{{", "{").replace("}}", "}")],
)
def test_an_alias_bomb_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DocumentError, match=r"^line \d: must have at most 500000 values, with each alias"):
        check(file)
    with pytest.raises(ClaimsError, match=r"^.*study\.yaml: line \d: must have at most 500000 values"):
        read_claims(file)


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("place", ["objectives", "x-0"])
def test_an_alias_bomb_that_has_been_read_is_refused_too(place: str) -> None:
    raw, value = minimal(), [1] * 10
    for _ in range(8):
        value = [value] * 10  # type: ignore[list-item]
    if place == "x-0":
        raw[place] = value
    else:
        raw[place]["quadratic"]["arguments"]["center"] = value
    with pytest.raises(config.ConfigError, match=rf"^config: {place}: must have at most 500000 values"):
        config.load(raw)


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("levels", [51, 5_000, 100_000])
@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_what_is_nested_deep_is_refused(tmp_path: Path, levels: int, suffix: str) -> None:
    file = tmp_path / f"study.{suffix}"
    file.write_text('{"a": ' + "[" * levels + "]" * levels + "}", encoding="utf-8")
    with pytest.raises(DocumentError, match=r"must be nested at most 50 deep$"):
        check(file)


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: &a {b: *a}\n", "a: *b\n"])
def test_an_alias_of_what_is_not_complete_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(
        DocumentError, match=r"^line 1: \*[ab] is not allowed: there is no complete &[ab] above$"
    ):
        check(file)


@pytest.mark.usefixtures("quickly")
def test_a_file_of_many_bytes_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(f"a: {'x' * 10_000_000}\n", encoding="ascii")
    with pytest.raises(DocumentError, match=r"^10000004 bytes are not allowed: must be at most 10000000$"):
        check(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: \xff\n", "not YAML: not UTF-8: invalid start byte"),
        (b"a: [1\n", "not YAML: did not find expected ',' or ']' in line 2"),
        (b"a: 'secret\n", "not YAML: found unexpected end of stream in line 2"),
        (b"a: \x00\n", "not YAML: control characters are not allowed"),
    ],
)
def test_what_is_no_yaml_is_one_line_without_the_files_text(
    tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "study.yaml"
    file.write_bytes(content)
    with pytest.raises(DocumentError) as caught:
        check(file)
    assert str(caught.value) == said


@pytest.mark.parametrize("name", ["absent.yaml", ".", "/dev/zero", "/dev/null"])
def test_what_is_no_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ClaimsError, match=rf"^{re.escape(name)}: cannot be read: there is no such file$"):
        read_claims(name)


def _many(count: int) -> list[float]:
    return [(i + 1) / (count + 1) for i in range(count)]


def changed(path: str, value: Any) -> dict[str, Any]:
    raw = complete()
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    target: Any = raw
    for part in parents:
        target = target[part]
    target[last] = value
    return raw


LARGE: list[tuple[str, Any, str]] = [
    (
        "runs/0/steps",
        10**12,
        r"runs\.0\.steps: 1000000000000 is not allowed: iterations times parameters \(2\)",
    ),
    ("runs/0/steps", [8, 500_000_001], r"runs\.0\.steps: 500000001 is not allowed: iterations times param"),
    (
        "runs/1/time",
        1e11,
        r"runs\.1\.time: 100000000000\.0 is not allowed: iterations times parameters \(1\)",
    ),
    (
        "runs/0/hyperparameters/beta2",
        _many(250_000),
        r"runs\.0: 1500000 runs and solutions up to here are not allowed: ",
    ),
    (
        "runs/1/alpha",
        _many(300_000),
        r"runs\.1: 1200012 runs and solutions up to here are not allowed: must be at most 1000000 ",
    ),
    ("forecast/0/alpha", [1.0] * 500_000, r"forecast: must have at most 500000 values"),
    (
        "forecast/0/alpha",
        _many(10_001),
        r"forecast\.0: 10001 forecasts up to here are not allowed: must be at",
    ),
    ("ensembles/0/batch", [1] * 10_001, r"ensembles\.0: 10001 ensembles up to here are not allowed: must be"),
    ("ensembles/0/runs", 10**9, r"ensembles\.0\.runs: 1000000000 is not allowed: runs times batch must be"),
    (
        "ensembles/0/steps",
        10**12,
        r"ensembles\.0\.steps: 1000000000000 is not allowed: all runs .* must have at most 1e\+13",
    ),
    (
        "objectives/mse/arguments/size",
        10**9,
        r"objectives\.mse\.arguments\.size: 1000000000 is not allowed: ",
    ),
    (
        "figures",
        {f"f{i}": figure() for i in range(1001)},
        r"figures: 1001 are not allowed: must be at most 1000",
    ),
    ("figures/one/panels", [{"alpha": 0.1}] * 101, r"figures\.one\.panels: 101 are not allowed: must be at"),
    (
        "objectives",
        {f"o{i}": "DoubleWell" for i in range(1001)},
        r"objectives: 1001 are not allowed: must be",
    ),
]


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(
    ("path", "value", "said"), LARGE, ids=[f"{i}-{path}" for i, (path, _, _) in enumerate(LARGE)]
)
def test_a_study_that_is_too_large_is_refused_before_it_is_expanded(path: str, value: Any, said: str) -> None:
    with pytest.raises(config.ConfigError, match=f"^config: {said}") as caught:
        config.load(changed(path, value))
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("quickly")
def test_a_product_of_a_billion_cells_is_refused() -> None:
    raw = minimal()
    raw["runs"][0]["hyperparameters"] = {name: _many(1000) for name in ("beta1", "beta2", "eps")}
    with pytest.raises(
        config.ConfigError, match=r"^config: runs\.0: 4000000000 runs and solutions up to here are "
    ):
        config.load(raw)


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(
    "horizon", [{"steps": 100_001}, {"time": 1e4}, {"until": {"within": 0.1, "at_most": 100_001}}]
)
def test_a_start_at_one_number_counts_as_many_as_the_objective_has(horizon: dict[str, Any]) -> None:
    raw = minimal()
    raw["objectives"]["quadratic"] = {"class": "DoubleWell", "arguments": {"dimension": 10_000}}
    del raw["runs"][0]["steps"]
    raw["runs"][0] |= {"alpha": 0.1, **horizon}
    if "time" in horizon:
        raw["runs"][0]["time"] = 1.1e4
    with pytest.raises(
        config.ConfigError, match=r"iterations times parameters \(10000\) must be at most 10{9}$"
    ):
        config.load(raw)


def test_runs_that_nobody_waits_for_are_refused_though_each_could_be_kept() -> None:
    raw = minimal()
    raw["runs"][0] |= {"hyperparameters": {"beta1": _many(101), "beta2": _many(100)}, "steps": 10**9}
    with pytest.raises(
        config.ConfigError, match=r"^config: runs\.0\.steps: .* must have at most 1e\+13 iterations"
    ):
        config.load(raw)


def test_a_forecast_may_be_longer_than_a_run_but_not_than_float64_counts() -> None:
    assert config.load(changed("forecast/0/steps", 2**53)).settings["forecast"][0]["steps"] == 2**53
    raw = changed("forecast/0/time", 1e20)
    del raw["forecast"][0]["steps"]
    rule = r"^config: forecast\.0\.time: 1e\+20 is not allowed: must be at most 9007199254740992 iterations$"
    with pytest.raises(config.ConfigError, match=rule):
        config.load(raw)


def test_a_hundred_thousand_cells_are_allowed() -> None:
    raw = minimal()
    raw["runs"][0] |= {"hyperparameters": {"beta1": 0.9, "beta2": 0.99}, "alpha": _many(100_000), "steps": 10}
    assert len(config.load(raw).cells) == 100_000
    for file in sorted((ROOT / "config").glob("*.yaml")):
        if file.stem != "claims":
            limits.check_values(read(file))


def test_the_documentation_states_the_limits() -> None:
    text = " ".join((ROOT / "config/README.md").read_text(encoding="utf-8").split())
    for number in (
        limits.LARGEST_FILE,
        limits.MOST_VALUES,
        limits.DEEPEST,
        limits.MOST_NAMES,
        limits.MOST_PANELS,
        limits.MOST_RESULTS,
        limits.MOST_PREDICTIONS,
        limits.LARGEST_RUN,
        limits.LARGEST_FORECAST,
        limits.LARGEST_SIZE,
    ):
        assert f" {number:,} ".replace(",", " ") in text
    assert "10¹³" in text
    assert limits.MOST_ITERATIONS == 10**13


def test_the_command_line_checks_a_configuration_without_snakemake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from idescent.cli import main

    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(minimal()), encoding="utf-8")
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().out == "ok    configuration  study tiny: 4 runs, 4 solutions\n"
    file.write_text(yaml.safe_dump(changed("runs/0/steps", 10**12)), encoding="utf-8")
    assert main(["check", str(file), "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)["checks"]
    assert found["status"] == "fail"
    assert found["text"].startswith("config: runs.0.steps: 1000000000000 is not allowed: ")
    file.write_text("a: 1\na: 2\n", encoding="utf-8")
    assert main(["check", str(file)]) == 1
    said = "FAIL  configuration  a is not allowed twice: it is in line 1 and line 2\n"
    assert capsys.readouterr().out == said
