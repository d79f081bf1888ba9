"""Checks of arguments: an error has one line with the name, the value and the rule.

What lives here: checks that several modules share.  What does not: checks of configurations
(:mod:`idescent.study.values`).
"""

from __future__ import annotations

import math
import reprlib
from typing import Any, TypeGuard

import numpy as np

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60


def shown(value: Any) -> str:
    """Return a value as text: one line of limited length."""
    return " ".join(_REPR.repr(value).split())


def is_number(value: Any) -> bool:
    """Whether a value is one real number; booleans are not."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def is_whole(value: Any) -> TypeGuard[int | np.integer[Any]]:
    """Whether a value is one integer; booleans are not."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def positive(name: str, value: Any) -> None:
    """Raise ValueError unless a value is a finite number > 0."""
    if not is_number(value) or not 0.0 < value < math.inf:
        raise ValueError(f"{name}: {shown(value)} is not allowed: must be a finite number > 0")


def integer(name: str, value: Any, least: int = 1, most: int | None = None) -> None:
    """Raise ValueError unless a value is an integer in a range."""
    if not is_whole(value) or value < least or (most is not None and value > most):
        rule = f"an integer >= {least}" if most is None else f"an integer in [{least}, {most}]"
        raise ValueError(f"{name}: {shown(value)} is not allowed: must be {rule}")


def iterations(k: Any, first: int, last: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return iterations as an array of shape (m,) or ().

    Raises
    ------
    ValueError
        If one is no integer, or outside [first, last].
    """
    try:
        points = np.asarray(k, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"k: {shown(k)} is not allowed: must be integers") from error
    if points.ndim > 1 or not (points == np.floor(points)).all():
        raise ValueError(f"k: {shown(k)} is not allowed: must be an integer or integers, shape (m,)")
    if points.size and not (points.min() >= first and points.max() <= last):
        extent = f"{points.min():g} ... {points.max():g}"
        raise ValueError(f"k: {extent} is not allowed: must be in [{first}, {last}]")
    return points.astype(np.int64)


def fraction(name: str, value: Any) -> None:
    """Raise ValueError unless a value is a number in (0, 1)."""
    if not is_number(value) or not 0.0 < value < 1.0:
        raise ValueError(f"{name}: {shown(value)} is not allowed: must be a number in (0, 1)")


def offers(name: str, value: Any, *parts: str) -> None:
    """Raise ValueError unless a value is an object, not a class, that has these attributes or methods."""
    if isinstance(value, type) or not all(hasattr(value, part) for part in parts):
        rule = f"an object with {' and '.join(parts)}"
        raise ValueError(f"{name}: {shown(value)} is not allowed: must be {rule}")


def numbers(name: str, value: Any, *, allow_complex: bool = False) -> np.ndarray[Any, Any]:
    """Return a value as an array of finite float64 or complex128.

    Raises
    ------
    ValueError
        If it contains text, booleans, objects, masked or non-finite values.
    """
    kinds = "iufc" if allow_complex else "iuf"
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.array(None)
    if array.dtype.kind not in kinds or np.ma.is_masked(value):
        rule = "numbers, real or complex" if allow_complex else "real numbers"
        raise ValueError(f"{name}: {shown(value)} is not allowed: must be {rule}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: {shown(value)} is not allowed: every value must be finite")
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
