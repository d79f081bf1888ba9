"""Bad configurations, made of a valid one by one change each, in every field of every section.

Every case names the field that its message must name.
"""

from __future__ import annotations

import copy
import datetime
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from configured import complete

DELETED = object()


@dataclass(frozen=True)
class Case:
    """A change of the valid configuration, and the field that is to be named."""

    name: str
    path: tuple[Any, ...]
    value: Any
    field: str

    @property
    def raw(self) -> dict[str, Any]:
        return changed(self.path, self.value)


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    raw = complete()
    target: Any = raw
    for part in path[:-1]:
        target = target[part]
    if value is DELETED:
        del target[path[-1]]
    else:
        target[path[-1]] = copy.deepcopy(value)
    return raw


def _deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def _circular() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


ESCAPES = [
    "../x",
    "..",
    ".",
    "/etc",
    "a/b",
    "",
    "a\0b",
    "a\nb",
    "a b",
    "x" * 300,
    "-rf",
    "\u00e4",
    "~",
    "*",
    "%s",
]
"""Names that leave the folder of results, or make none of their own there."""

NUMBERS = [math.nan, math.inf, -math.inf, 10**400, True, None, "one", "0x10", [], {}, [[1.0]], _deep(50)]
NUMBERS += [datetime.date(2024, 1, 1), yaml.safe_load("1e5x"), yaml.safe_load("0o10")]
"""What is no number, YAML's surprises among it."""

REQUIRED = [
    *[(key,) for key in ("study", "objectives", "runs", "solutions")],
    ("objectives", "quadratic", "class"),
    *[("runs", 0, key) for key in ("objective", "optimizer", "theta0", "alpha")],
    *[("forecast", 0, key) for key in ("objective", "optimizer", "theta0", "alpha")],
    *[("ensembles", 0, key) for key in ("objective", "optimizer", "theta0", "alpha", "batch", "runs")],
    *[("solutions", "paper.exact", key) for key in ("model", "solver")],
    ("solutions", "half", "model", "class"),
    *[("figures", "one", key) for key in ("title", "caption", "quantity", "objective", "select", "panels")],
    ("figures", "one", "select", 0, "optimizer"),
    ("figures", "one", "panels", 0, "alpha"),
    *[("figures", "one", "panels", 0, "inset", key) for key in ("k", "y")],
]
SECTIONS = [
    (),
    ("objectives", "quadratic"),
    ("runs", 0),
    ("forecast", 0),
    ("solutions", "paper.exact"),
    ("solutions", "half", "model"),
    ("figures", "one"),
    ("figures", "one", "panels", 0),
    ("figures", "one", "panels", 0, "inset"),
    ("figures", "one", "lines", "paper.exact"),
    ("scaling",),
    ("ensembles", 0),
    ("fidelity",),
]
REFERENCES = [
    ("runs", 0, "objective"),
    ("runs", 0, "optimizer"),
    ("runs", 0, "solutions", 0),
    ("runs", 0, "schedule"),
    ("schedules", "fall", "class"),
    ("forecast", 0, "objective"),
    ("forecast", 0, "optimizer"),
    ("objectives", "quadratic", "class"),
    ("solutions", "paper.exact", "model"),
    ("solutions", "paper.exact", "solver"),
    ("solutions", "paper.picard", "reference"),
    ("figures", "one", "objective"),
    ("figures", "one", "quantity"),
    ("figures", "one", "show", 0),
    ("figures", "one", "select", 0, "optimizer"),
    ("scaling", "reference"),
    ("scaling", "quantities", 0),
    ("ensembles", 0, "objective"),
    ("ensembles", 0, "optimizer"),
    ("ensembles", 0, "solutions", 0),
    ("ensembles", 0, "equations", 0),
    ("ensembles", 0, "observe", 0),
    ("fidelity", "curves", 0),
]
OUT_OF_RANGE: list[tuple[tuple[Any, ...], list[Any]]] = [
    (("runs", 0, "alpha", 0), [0.0, -0.1, 1.5, *NUMBERS]),
    (("runs", 0, "theta0", 0), NUMBERS),
    (("runs", 0, "steps", 0), [0, -5, 2.5, 10**30, 1e5, *NUMBERS]),
    (("runs", 1, "time"), [0.0, -1.0, 1e-9, 1e308, *[n for n in NUMBERS if n is not None]]),
    (("runs", 0, "hyperparameters", "beta1"), [1.0, -0.1, 2, "high", *NUMBERS]),
    (("solutions", "paper.exact", "rtol"), [0.0, 1.0, -1e-9, *NUMBERS]),
    (("solutions", "paper.exact", "atol"), [0.0, 1.0, *NUMBERS]),
    (("figures", "one", "panels", 0, "alpha"), [0.0, 2.0, *NUMBERS]),
    (("figures", "one", "panels", 0, "k_max"), [0, 1.5, "8", True, [], 10**30, 1000]),
    (("figures", "one", "panels", 0, "inset", "k", 0), NUMBERS),
    (("figures", "one", "panels", 0, "inset", "k"), [[1], [1, 2, 3], [4, 1], "1-4", 3, {}]),
    (
        ("figures", "one", "lines", "paper.exact", "width"),
        [0.0, -1.0, *[n for n in NUMBERS if n is not None]],
    ),
    (("figures", "one", "lines", "paper.exact", "line"), ["wavy", 1, []]),
    (("figures", "one", "width"), ["triple", 2, None]),
    (("figures", "one", "x_scale"), ["sqrt", True]),
    (("figures", "one", "errors"), ["yes please", 1, None, []]),
    (("figures", "one", "select", 0, "beta2"), ["0.9 9", [0.9], math.nan, {}, None]),
    (("cells_per_job",), [0, -1, 1.5, "many", True, []]),
    (("seconds_per_job",), [0.0, -1.0, *NUMBERS]),
    (("scaling", "alpha", 0), [0.0, 2.0, 0.03, *NUMBERS]),
    *[
        (
            ("ensembles", 0, key),
            [*([40, 41] if key == "start" else []), 0, -1, 1.5, 10**30, *[n for n in NUMBERS if n != []]],
        )
        for key in ("runs", "substeps", "start", "points")
    ],
    (("ensembles", 0, "batch", 1), [0, -1, 1.5, *NUMBERS]),
    (("ensembles", 0, "seed"), [-1, 1.5, "x", None, []]),
    (("fidelity", "within", 0), [0.0, 1.0, -0.1, *NUMBERS]),
    (
        ("objectives", "quadratic", "arguments", "center"),
        ["middle", [1, "x"], math.nan, _deep(50), _circular()],
    ),
    (("objectives", "mse", "arguments", "size"), [0, -1, 1.5, "big", True, 10**12, 10**400]),
    (("objectives", "mse", "arguments", "noise"), ["loud", math.inf]),
    (("objectives", "mse", "arguments", "seed"), [-1, "x", datetime.date(2024, 1, 1)]),
    (("solutions", "half", "model", "arguments", "start"), [0, 4, 5.5, "x", None]),
    (("solutions", "half", "solver", "arguments", "stages"), ["x", 1.5, None]),
]
WRONG_KIND: list[tuple[tuple[Any, ...], list[Any]]] = [
    (("study",), [5, yaml.safe_load("on"), None, [], {}, datetime.date(2024, 1, 1)]),
    *[((key,), [5, "text", [1], [[]]]) for key in ("objectives", "solutions", "figures", "scaling")],
    (("runs",), [5, "text", {}, [], [5], [None], _circular()]),
    (("forecast",), [5, "text", {}, [5]]),
    (("claims",), [5, "", [], {}]),
    (("objectives", "quadratic"), [5, None, []]),
    (("objectives", "quadratic", "arguments"), [5, "x", [1], {5: 1}, {"center": {1, 2}}]),
    (("runs", 0, "hyperparameters"), [5, "x", [1], {1: 2}]),
    (("runs", 0, "solutions"), [5, "half", {}, [], [5]]),
    (("solutions", "half", "model"), [5, None, []]),
    (("figures", "one"), [5, None, "text", []]),
    *[
        (("figures", "one", key), [5, None, []])
        for key in ("title", "caption", "objective", "select", "show")
    ],
    (("scaling", "quantities"), [[], 5, {}]),
    (("ensembles",), [5, "text", {}, [5]]),
    (("ensembles", 0, "equations"), [5, "Malladi", {}, [5]]),
    (("ensembles", 0, "observe"), [5, [], {}, [5]]),
    (("fidelity",), [5, "text", [1]]),
    (("fidelity", "within"), [[], 5, {}]),
    (("fidelity", "curves"), [5, {}]),
]


def _adagrad() -> dict[str, Any]:
    block = complete()["ensembles"][0] | {"optimizer": "AdaGrad"}
    del block["hyperparameters"]
    return dict(block)


NAMED = [("study",), ("scaling", "name")]
KEYED = ["objectives", "schedules", "solutions", "figures"]
SPECIAL: list[tuple[str, tuple[Any, ...], Any, str]] = [
    ("neither steps nor time", ("runs", 1, "time"), DELETED, "runs.1"),
    ("steps and time", ("runs", 0, "time"), 1.0, "runs.0"),
    ("more steps than learning rates", ("runs", 0, "steps"), [1, 2, 3], "runs.0"),
    ("the same learning rate twice", ("runs", 0, "alpha"), [0.1, 0.1], "runs.0"),
    ("the same hyper-parameter twice", ("runs", 0, "hyperparameters", "beta2"), [0.9, 0.9], "runs.0"),
    ("a run twice", ("runs",), [complete()["runs"][1]] * 2, "runs.1"),
    ("an argument too many", ("objectives", "quadratic", "arguments", "centre"), 4.0, "objectives.quadratic"),
    (
        "an unknown hyper-parameter",
        ("runs", 0, "hyperparameters", "beta3"),
        0.9,
        "runs.0.hyperparameters.beta3",
    ),
    ("a path for a hyper-parameter", ("runs", 0, "hyperparameters", "../x"), 0.9, "runs.0.hyperparameters"),
    ("a path for its value", ("runs", 0, "hyperparameters", "accumulator"), "../x", "runs.0.hyperparameters"),
    ("an unknown word", ("runs", 0, "hyperparameters", "accumulator"), "both", "runs.0.hyperparameters"),
    (
        "a hyper-parameter missing",
        ("runs", 0, "hyperparameters", "beta1"),
        DELETED,
        "runs.0.hyperparameters.beta1",
    ),
    ("a class of another kind", ("objectives", "quadratic", "class"), "Adam", "objectives.quadratic"),
    ("what is no class", ("objectives", "quadratic", "class"), "np.zeros", "objectives.quadratic"),
    ("the contract itself", ("objectives", "quadratic"), "Objective", "objectives.quadratic"),
    ("a module that is not there", ("objectives", "quadratic"), "nowhere:Mine", "objectives.quadratic"),
    ("a file for a module", ("objectives", "quadratic"), "mine.py:", "objectives.quadratic.class"),
    ("a path for a module", ("objectives", "quadratic"), "../mine:Mine", "objectives.quadratic.class"),
    ("a module without the class", ("objectives", "quadratic"), "problems:Mine", "objectives.quadratic"),
    (
        "its own reference",
        ("solutions", "paper.picard", "reference"),
        "paper.picard",
        "solutions.paper.picard",
    ),
    ("a solution without its reference", ("runs", 0, "solutions"), ["paper.picard"], "runs.0.solutions"),
    ("a line that is not shown", ("figures", "one", "lines", "half"), {}, "figures.one"),
    ("a path shown twice", ("figures", "one", "show"), ["discrete", "discrete"], "figures.one"),
    ("errors of nothing", ("figures", "one", "show"), ["paper.exact"], "figures.one"),
    ("a moment that Adam has not", ("figures", "one", "quantity"), "G", "figures.one.quantity"),
    (
        "a figure called as a companion",
        ("figures", "one_errors"),
        complete()["figures"]["one"],
        "figures.one_errors",
    ),
    ("a map of nothing", ("scaling", "maps"), ["Nobody"], "scaling.maps"),
    ("a map of too little", ("scaling", "maps"), ["quadratic"], "scaling.maps"),
    ("tables called as others", ("scaling", "name"), "errors", "scaling.name"),
    ("an ensemble twice", ("ensembles",), [complete()["ensembles"][0]] * 2, "ensembles.1"),
    ("a batch size twice", ("ensembles", 0, "batch"), [2, 2], "ensembles.0"),
    ("too few iterations for the equations", ("ensembles", 0, "steps"), 5, "ensembles.0.start"),
    ("a start of another size", ("ensembles", 0, "theta0"), [0.0, 1.0], "ensembles.0.theta0"),
    ("samples of what has none", ("ensembles", 0, "objective"), "quadratic", "ensembles.0.objective"),
    ("accuracy of a regression", ("ensembles", 0, "observe"), ["accuracy"], "ensembles.0.observe"),
    ("equations of AdaGrad", ("ensembles", 0), _adagrad(), "ensembles.0.equations"),
    ("a figure called as a ladder", ("figures", "ladder_x"), complete()["figures"]["one"], "scaling.name"),
    (
        "a figure called as loss curves",
        ("figures", "fidelity_x"),
        complete()["figures"]["one"],
        "figures.fidelity_x",
    ),
    (
        "a solution called as the run",
        ("solutions", "discrete"),
        complete()["solutions"]["half"],
        "solutions.discrete",
    ),
    *[
        (f"an objective called {name}", ("objectives", name), "Quadratic", "objectives")
        for name in ("figures", "logs", "packs", "tables")
    ],
    ("a key that is no text", ("runs", 0, True), 1, "runs.0"),
    ("a key that is a date", (datetime.date(2024, 1, 1),), 1, "datetime"),
]


def cases() -> list[Case]:
    """All of them; the same ones at every call."""
    return list(_cases())


def _cases() -> Iterator[Case]:
    for path in REQUIRED:
        yield Case(f"{_dotted(path)} missing", path, DELETED, _dotted(path))
    for path in SECTIONS:
        yield Case(f"{_dotted(path)}: a key too many", (*path, "alfa"), 1, _dotted((*path, "alfa")))
        yield Case(f"{_dotted(path)}: a long key", (*path, "k" * 5000), 1, _dotted(path))
    for path in REFERENCES:
        field = _dotted([part for part in path if part != "class"][: 3 if path[0] != "figures" else 2])
        for name in ("Nobody", "", "a/b", "x\ny"):
            yield Case(f"{_dotted(path)} = {name!r}", path, name, field)
    for path, values in OUT_OF_RANGE + WRONG_KIND:
        for i, value in enumerate(values):
            field = path[:-1] if isinstance(path[-1], int) else path
            yield Case(f"{_dotted(path)}, value {i}", path, value, _dotted(_section(field)))
    for name in ESCAPES:
        for path in NAMED:
            yield Case(f"{_dotted(path)} = {name!r:.20}", path, name, _dotted(path))
        for section in KEYED:
            yield Case(
                f"{section} {name!r:.20}", (section, name), next(iter(complete()[section].values())), section
            )
    for name, path, value, field in SPECIAL:
        yield Case(name, path, value, field)


def _section(path: tuple[Any, ...]) -> tuple[Any, ...]:
    """Where a mistake may concern several keys, the section of them."""
    return path[: {"figures": 2, "runs": 2, "objectives": 3}.get(path[0], len(path))]


def _dotted(path: Any) -> str:
    return ".".join(map(str, path))
