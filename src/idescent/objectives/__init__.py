"""Objective functions: what is minimised; one family, one file, imported on first use.

An objective knows nothing of optimizers, files or time.  Your own needs no base class: any object with
``value`` and ``gradient`` will do (:class:`~idescent.objectives.protocol.Objective`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from idescent.objectives.protocol import CountedObjective, FiniteSum, Objective

if TYPE_CHECKING:
    from idescent.objectives.mean_squared_error import MeanSquaredError as MeanSquaredError
    from idescent.objectives.quadratic import Quadratic as Quadratic

_OBJECTIVES = {
    "MeanSquaredError": "mean_squared_error",
    "Quadratic": "quadratic",
}

__all__ = ["CountedObjective", "FiniteSum", "Objective", *_OBJECTIVES]


def __getattr__(name: str) -> Any:
    if name in _OBJECTIVES:
        return getattr(importlib.import_module(f"idescent.objectives.{_OBJECTIVES[name]}"), name)
    raise AttributeError(f"module 'idescent.objectives' has no attribute {name!r}")
