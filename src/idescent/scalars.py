"""What counts as a number in an argument: Python's and numpy's scalars, no truth values.

What lives here: the two tests that every check of an argument shares.  What does not: ranges and messages.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np


def is_number(value: Any) -> bool:
    """Whether a value is a real number: int, float, or a scalar of numpy."""
    return isinstance(value, int | float | np.floating | np.integer) and not isinstance(value, bool)


def is_whole(value: Any) -> TypeGuard[int | np.integer[Any]]:
    """Whether a value is an integer: int, or an integer scalar of numpy."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
