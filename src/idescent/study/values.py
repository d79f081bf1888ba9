"""Types of the values in a configuration: names, numbers, and lists of them.

What lives here: types that check one value; their errors state the rule.  What does not: keys
(:mod:`idescent.study.keys`), checks of several keys together (:mod:`idescent.config`).
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from typing_extensions import TypedDict

WORD = re.compile(r"[A-Za-z0-9_-]+")
_DOTTED = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_CLASS = re.compile(r"([A-Za-z_]\w*(\.[A-Za-z_]\w*)*:)?[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", re.ASCII)

LONGEST_NAME = 60  # a file name is joined from several names; file systems allow 255 bytes
LARGEST_COUNT = 2**53  # larger integers k are not exact in float64
_DEEPEST = 20
LONGEST_FILE = 200
RESERVED = ("figures", "logs", "packs", "tables")  # folders of every study


def _name(value: str) -> str:
    if not WORD.fullmatch(value):
        raise ValueError("must consist of letters, digits, '_' and '-'")
    return _short(value)


def _solution_name(value: str) -> str:
    if not _DOTTED.fullmatch(value) or value == "discrete":
        raise ValueError("must consist of letters, digits, '_', '-' and inner dots, and not be 'discrete'")
    return _short(value)


def _class_name(value: str) -> str:
    if not _CLASS.fullmatch(value):
        raise ValueError("must be a class of the package, or 'module:Class'")
    if len(value.rpartition(":")[2]) > LONGEST_NAME:
        raise ValueError(f"must be a class with a name of at most {LONGEST_NAME} characters")
    return value


def _short(value: str) -> str:
    if value.startswith("-"):
        raise ValueError("must not begin with '-'")
    if len(value) > LONGEST_NAME:
        raise ValueError(f"must be at most {LONGEST_NAME} characters long")
    return value


def numeral(value: Any) -> Any:
    """Convert ``1e-9`` to a number: YAML 1.1 reads an exponent without a dot as text."""
    return float(value) if isinstance(value, str) and _EXPONENT.fullmatch(value) else value


def plain(value: Any, depth: int = 0) -> Any:
    """Return an argument of a class as plain data that JSON can store."""
    if depth > _DEEPEST:
        raise ValueError(f"must be nested at most {_DEEPEST} deep")
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("must have texts as keys")
        return {key: plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    value = numeral(value)
    if value is None or isinstance(value, str | bool):
        return value
    if not isinstance(value, int | float):
        raise ValueError("must consist of numbers, texts, true, false, null, lists and mappings")
    if not abs(value) < math.inf or (isinstance(value, int) and abs(value) >= 2**63):
        raise ValueError("must consist of finite numbers and integers of at most 64 bits")
    return value


def _number(value: Any) -> Any:
    value = numeral(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    if not abs(value) <= sys.float_info.max:
        raise ValueError("must be a finite number")
    return float(value)


def argument(value: Any) -> Any:
    """Return a hyper-parameter: a number or a word, as it is written in the name of a folder."""
    value = numeral(value)
    if isinstance(value, str) and WORD.fullmatch(value):
        return value
    if not isinstance(value, int | float):
        raise ValueError("must be a number or a word")
    if not abs(value) < math.inf or (isinstance(value, int) and abs(value) >= 2**63):
        raise ValueError("must be a finite number")
    return value


def _alpha(value: float) -> float:
    if not 0.0 < value <= 1.0:
        raise ValueError("must be in (0, 1]")
    return value


def _tolerance(value: float) -> float:
    if not 0.0 < value < 1.0:
        raise ValueError("must be in (0, 1)")
    return value


def _positive(value: float) -> float:
    if value <= 0.0:
        raise ValueError("must be > 0")
    return value


def _count(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("must be an integer >= 1")
    if value > LARGEST_COUNT:
        raise ValueError("must be at most 2**53")
    return value


def _seed(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("must be an integer >= 0")
    return value


def _pack_size(value: Any) -> Any:
    if value != "auto" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError("must be auto or an integer >= 1")
    return value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class Drawn(TypedDict):
    """Initial parameters drawn by the objective with a seed."""

    seed: int


def _start(value: Any, numbers: ValidatorFunctionWrapHandler) -> Any:
    if not isinstance(value, Mapping):
        return numbers(value)
    if set(value) != {"seed"} or type(value["seed"]) is not int or value["seed"] < 0:
        raise ValueError("must be a number, a list of numbers, or {seed: an integer >= 0}")
    return dict(value)


def filled(value: list[Any]) -> list[Any]:
    """Refuse an empty list."""
    if not value:
        raise ValueError("must not be empty")
    return value


def unbraced(value: str) -> str:
    """Refuse braces in a path: Snakemake would read the path as a pattern."""
    if "{" in value or "}" in value:
        raise ValueError("must be a path without braces")
    return value


_NUMBER: dict[str, Any] = {"type": "number"}

Name = Annotated[
    str,
    AfterValidator(_name),
    WithJsonSchema({"type": "string", "pattern": f"^(?!-){WORD.pattern}$", "maxLength": LONGEST_NAME}),
]
Number = Annotated[float, BeforeValidator(_number), WithJsonSchema(_NUMBER)]
Alpha = Annotated[
    Number, AfterValidator(_alpha), WithJsonSchema(_NUMBER | {"exclusiveMinimum": 0, "maximum": 1})
]
Tolerance = Annotated[
    Number,
    AfterValidator(_tolerance),
    WithJsonSchema(_NUMBER | {"exclusiveMinimum": 0, "exclusiveMaximum": 1}),
]
Count = Annotated[
    int,
    BeforeValidator(_count),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": LARGEST_COUNT}),
]
Seed = Annotated[int, BeforeValidator(_seed, json_schema_input_type=int)]
PackSize = Annotated[
    int | Literal["auto"], BeforeValidator(_pack_size, json_schema_input_type=int | Literal["auto"])
]
SolutionName = Annotated[
    str,
    AfterValidator(_solution_name),
    WithJsonSchema({"type": "string", "pattern": f"^(?!-){_DOTTED.pattern}$", "maxLength": LONGEST_NAME}),
]
ClassName = Annotated[
    str, AfterValidator(_class_name), WithJsonSchema({"type": "string", "pattern": f"^{_CLASS.pattern}$"})
]
Positive = Annotated[Number, AfterValidator(_positive), WithJsonSchema(_NUMBER | {"exclusiveMinimum": 0})]
Numbers = Annotated[
    list[Number],
    BeforeValidator(_listed, json_schema_input_type=float | list[float]),
    AfterValidator(filled),
]
Start = Annotated[Numbers, WrapValidator(_start, json_schema_input_type=float | list[float] | Drawn)]
Alphas = Annotated[
    list[Alpha], BeforeValidator(_listed, json_schema_input_type=Alpha | list[Alpha]), AfterValidator(filled)
]
Counts = Annotated[
    list[Count], BeforeValidator(_listed, json_schema_input_type=Count | list[Count]), AfterValidator(filled)
]
Values = Annotated[list[Any], BeforeValidator(_listed, json_schema_input_type=Any), AfterValidator(filled)]
"""One value or a list of values."""
