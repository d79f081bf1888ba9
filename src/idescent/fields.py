"""Values of a configuration: names, numbers, and lists of them.

What lives here: types that check one value and say what is allowed.  What does not: keys, and what depends on
several of them (:mod:`idescent.config`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ValidatorFunctionWrapHandler, WrapValidator
from typing_extensions import TypedDict

WORD = re.compile(r"[A-Za-z0-9_-]+")
_DOTTED = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_CLASS = re.compile(r"([A-Za-z_]\w*(\.[A-Za-z_]\w*)*:)?[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


def _name(value: str) -> str:
    if not WORD.fullmatch(value):
        raise ValueError("must consist of letters, digits, '_' and '-'")
    return value


def _solution_name(value: str) -> str:
    if not _DOTTED.fullmatch(value) or value == "discrete":
        raise ValueError("must consist of letters, digits, '_', '-' and inner dots, and not be 'discrete'")
    return value


def _class_name(value: str) -> str:
    if not _CLASS.fullmatch(value):
        raise ValueError("must be a class of the package, or 'module:Class'")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return float(value)


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
    return value


def _pack_size(value: Any) -> Any:
    if value != "auto" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError("must be auto or an integer >= 1")
    return value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class Drawn(TypedDict):
    """A start that the objective draws."""

    seed: int


def _start(value: Any, numbers: ValidatorFunctionWrapHandler) -> Any:
    if not isinstance(value, Mapping):
        return numbers(value)
    if set(value) != {"seed"} or type(value["seed"]) is not int or value["seed"] < 0:
        raise ValueError(
            f"{dict(value)!r} is not allowed: must be a number, a vector, or seed: and an integer >= 0"
        )
    return dict(value)


def filled(value: list[Any]) -> list[Any]:
    """Refuse an empty list."""
    if not value:
        raise ValueError("must not be empty")
    return value


Name = Annotated[str, AfterValidator(_name)]
Number = Annotated[float, BeforeValidator(_number, json_schema_input_type=float)]
Alpha = Annotated[Number, AfterValidator(_alpha)]
Tolerance = Annotated[Number, AfterValidator(_tolerance)]
Count = Annotated[int, BeforeValidator(_count, json_schema_input_type=int)]
PackSize = Annotated[
    int | Literal["auto"], BeforeValidator(_pack_size, json_schema_input_type=int | Literal["auto"])
]
SolutionName = Annotated[str, AfterValidator(_solution_name)]
ClassName = Annotated[str, AfterValidator(_class_name)]
Positive = Annotated[Number, AfterValidator(_positive)]
Numbers = Annotated[
    list[Number],
    BeforeValidator(_listed, json_schema_input_type=float | list[float]),
    AfterValidator(filled),
]
Start = Annotated[Numbers, WrapValidator(_start, json_schema_input_type=float | list[float] | Drawn)]
Alphas = Annotated[
    list[Alpha], BeforeValidator(_listed, json_schema_input_type=float | list[float]), AfterValidator(filled)
]
Counts = Annotated[
    list[Count], BeforeValidator(_listed, json_schema_input_type=int | list[int]), AfterValidator(filled)
]
Values = Annotated[
    list[Any], BeforeValidator(_listed, json_schema_input_type=Any), AfterValidator(filled)
]  # one value or a list of them
