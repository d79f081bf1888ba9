"""What a stranger's configuration, claims file or trajectory can do: nothing, unless it names a module."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from configured import complete, figure, minimal
from docutils.core import publish_parts
from docutils.writers import html4css1

from idescent import config
from idescent.cli import main
from idescent.drawing.markup import restructured
from idescent.products.claims.statements import ClaimsError
from idescent.products.claims.statements import read as read_claims
from idescent.study import registry
from idescent.study.documents import DocumentError, check

EVIL = """
from pathlib import Path

Path("marker").touch()

from idescent import *
from idescent.models import *
from idescent.schedules import *
from idescent.solvers import *
"""
OWN = [
    ("objective", ("objectives", "quadratic"), {"class": "evil:Quadratic", "arguments": {"center": 4.0}}),
    ("optimizer", ("runs", 0, "optimizer"), "evil:Adam"),
    ("optimizer", ("forecast", 0, "optimizer"), "evil:AdaGrad"),
    ("optimizer", ("ensembles", 0, "optimizer"), "evil:Adam"),
    ("model", ("solutions", "half", "model"), {"class": "evil:HalfStep", "arguments": {"start": 20}}),
    ("solver", ("solutions", "half", "solver"), "evil:Collocation"),
    ("schedule", ("schedules", "fall"), {"class": "evil:Cosine", "arguments": {"steps": 16}}),
    (
        "schedule",
        ("schedules", "both", "arguments", "schedules", 0),
        {"class": "evil:Constant"},
    ),
]
CALLS = [
    ["simulate", "evil:Adam"],
    ["simulate", "Adam", "--objective", "evil:Quadratic"],
    ["simulate", "Adam", "--schedule", "evil:Constant"],
    ["solve", "evil:Paper", "Adam"],
    ["solve", "Paper", "Adam", "--solver", "evil:Collocation"],
    ["fast-forward", "evil:Adam"],
    ["predict", "evil:Adam"],
    ["show", "Adam", "--model", "evil:Paper", "--output", "x.png"],
    ["check", "evil:Adam"],
]
ESCAPES = [
    "importlib.import_module",
    "importlib._bootstrap_external._os.system",
    "Quadratic.__class__",
    "Quadratic.mro",
    "Quadratic.__init__.__globals__.get",
    "Quadratic.value",
    "MeanSquaredError.synthetic.__func__",
    "annotations",
    "TYPE_CHECKING",
    "Any",
    "data.Path.cwd",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with a module that leaves a mark when it is imported."""
    (tmp_path / "evil.py").write_text(EVIL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv(registry.VARIABLE, raising=False)
    yield tmp_path
    sys.modules.pop("evil", None)


def with_own(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    raw = complete()
    target: Any = raw
    for part in place[:-1]:
        target = target[part]
    target[place[-1]] = copy.deepcopy(value)
    return raw


@pytest.mark.parametrize(
    ("kind", "place", "value"), OWN, ids=[".".join(map(str, place)) for _, place, _ in OWN]
)
def test_a_class_of_ones_own_is_refused_where_the_environment_says_no(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str, place: tuple[Any, ...], value: Any
) -> None:
    monkeypatch.setenv(registry.VARIABLE, "no")
    with pytest.raises(config.ConfigError) as caught:
        config.load(with_own(place, value))
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(f"config: {'.'.join(map(str, place[:2]))}")
    assert "evil:" in said
    assert said.endswith("IDESCENT_USER_CODE=no allows classes of the package only")
    assert not (folder / "marker").exists()


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
@pytest.mark.parametrize("value", ["no", "0", "off"])
def test_the_command_line_refuses_it_too(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    call: list[str],
    value: str,
) -> None:
    monkeypatch.setenv(registry.VARIABLE, value)
    try:
        status = main(call)
    except SystemExit as end:
        status = int(end.code or 0)
    said = capsys.readouterr()
    assert status in (1, 2)
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert f"is not allowed: IDESCENT_USER_CODE={value} allows classes of the package only" in said.err
    assert not (folder / "marker").exists()


@pytest.mark.parametrize("value", [None, "", "yes"])
def test_it_is_allowed_otherwise(folder: Path, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is not None:
        monkeypatch.setenv(registry.VARIABLE, value)
    assert config.load(with_own(("forecast", 0, "optimizer"), "evil:AdaGrad")).settings["forecast"]
    assert (folder / "marker").exists()


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("kind", ["objective", "optimizer", "model", "solver", "schedule"])
def test_a_name_without_a_module_is_a_class_of_the_package_and_nothing_that_it_imports(
    kind: str, name: str
) -> None:
    with pytest.raises(ValueError, match=f"^{kind}: '{name}' is not ") as caught:
        registry.resolve(kind, name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["importlib.import_module", "importlib._bootstrap_external._os.system"])
def test_a_configuration_cannot_call_what_the_package_imports(folder: Path, name: str) -> None:
    argument = {"name": "evil"} if name.endswith("module") else {"command": "touch marker"}
    raw = minimal()
    raw["objectives"]["quadratic"] = {"class": name, "arguments": argument}
    with pytest.raises(
        config.ConfigError, match=r"^config: objectives\.quadratic: .* must be one of DoubleWell"
    ):
        config.load(raw)
    raw = complete()
    raw["schedules"]["both"]["arguments"]["schedules"][0] = {"class": name, "arguments": argument}
    with pytest.raises(config.ConfigError, match=r"^config: schedules\.both: "):
        config.load(raw)
    assert not (folder / "marker").exists()


@pytest.mark.parametrize("place", [place for _, place, _ in OWN], ids=str)
def test_no_module_of_pythons_own_is_called(folder: Path, place: tuple[Any, ...]) -> None:
    raw = with_own(place, {"class": "os:system", "arguments": {"command": "touch marker"}})
    if place[-1] == "optimizer":
        raw[place[0]][place[1]] |= {"optimizer": "os:system", "hyperparameters": {"command": "marker"}}
    with pytest.raises(
        config.ConfigError, match="'os:system' is not allowed: 'os' is a module of Python's standard library"
    ):
        config.load(raw)
    with pytest.raises(
        ValueError, match="'os:system' is not allowed: 'os' is a module of Python's standard library"
    ):
        registry.build("objective", {"class": "os:system", "arguments": {"command": "touch marker"}})
    assert not (folder / "marker").exists()


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system ['touch marker']\n",
        "a: !!python/name:os.system\n",
        "a: !!python/module:evil\n",
        "? !!python/tuple [1, 2]\n: 1\n",
        "a: !mine 1\n",
        "__use_yte__: true\nstudy: ?__import__('os').system('touch marker')\n",
        '{"__use_yte__": true}',
        "&k __use_yte__: true\n",
    ],
)
def test_a_file_that_runs_code_is_refused_unrun(folder: Path, text: str) -> None:
    file = folder / "study.yaml"
    file.write_text(text, encoding="utf-8")
    for reader, error in ((check, DocumentError), (read_claims, ClaimsError)):
        with pytest.raises(error, match=r"line 1: \S+ is not allowed: (with this key|must be)"):
            reader(file)  # type: ignore[operator]
    assert not (folder / "marker").exists()


def test_the_tags_of_yaml_itself_are_read(folder: Path) -> None:
    file = folder / "study.yaml"
    file.write_text("a: !!float 1\nb: !!str 3\nc: ! x\n", encoding="utf-8")
    assert yaml.safe_load(check(file)) == {"a": 1.0, "b": "3", "c": "x"}


def test_a_mistake_in_any_file_named_as_claims_does_not_show_what_is_in_it(folder: Path) -> None:
    (folder / "secret").write_text("password: [hunter2\n", encoding="utf-8")
    with pytest.raises(ClaimsError) as caught:
        read_claims("secret")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "caption",
    [
        ".. include:: secret",
        "a\n\n.. raw:: html\n\n   <script>x</script>",
        "`x <javascript:alert(1)>`_ |s| :file:`x` *b* theta_k \\q",
        "* item",
        "Title\n=====\n\ntext::\n\n   block",
        r"$\theta_{k}$ < 3",
    ],
)
def test_a_caption_is_text_in_snakemakes_report(folder: Path, caption: str) -> None:
    (folder / "secret").write_text("hunter2", encoding="utf-8")
    shown = publish_parts(restructured(caption), writer=html4css1.Writer())["body"]
    escaped = " ".join(caption.split()).replace("<", "&lt;").replace(">", "&gt;")
    assert shown == f"<p>{escaped}</p>\n"


def test_a_stranger_cannot_leave_the_folder_of_results(folder: Path) -> None:
    for name in ("../..", "/etc", "a/../../b"):
        with pytest.raises(config.ConfigError, match=r"^config: study: "):
            config.load(minimal() | {"study": name})
        with pytest.raises(config.ConfigError, match=r"^config: figures\."):
            config.load(minimal() | {"figures": {name: figure()}})
