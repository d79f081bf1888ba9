"""Objective functions, one family in each file, imported on first use.

An objective does not depend on optimizers, files or time.  Your own needs no base class: any object with
``value`` and ``gradient`` is one (:class:`~idescent.objectives.protocol.Objective`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from idescent.objectives.protocol import CountedObjective, FiniteSum, Objective

if TYPE_CHECKING:
    from idescent.objectives.autodiff import JaxObjective as JaxObjective
    from idescent.objectives.autodiff import TorchObjective as TorchObjective
    from idescent.objectives.double_well import DoubleWell as DoubleWell
    from idescent.objectives.mean_squared_error import MeanSquaredError as MeanSquaredError
    from idescent.objectives.perceptron import Perceptron as Perceptron
    from idescent.objectives.quadratic import Quadratic as Quadratic
    from idescent.objectives.recorded_loss import RecordedLoss as RecordedLoss
    from idescent.objectives.regression import LogisticRegression as LogisticRegression
    from idescent.objectives.regression import SoftmaxRegression as SoftmaxRegression
    from idescent.objectives.rosenbrock import Rosenbrock as Rosenbrock
    from idescent.objectives.rotated_quadratic import RotatedQuadratic as RotatedQuadratic

_OBJECTIVES = {
    "DoubleWell": "double_well",
    "JaxObjective": "autodiff",
    "LogisticRegression": "regression",
    "MeanSquaredError": "mean_squared_error",
    "Perceptron": "perceptron",
    "Quadratic": "quadratic",
    "Rosenbrock": "rosenbrock",
    "RotatedQuadratic": "rotated_quadratic",
    "SoftmaxRegression": "regression",
    "TorchObjective": "autodiff",
}

__all__ = ["CountedObjective", "FiniteSum", "Objective", *_OBJECTIVES]


# The class of runs recorded elsewhere, which no configuration can choose.
_OBJECTIVES["RecordedLoss"] = "recorded_loss"


def __getattr__(name: str) -> Any:
    if name in _OBJECTIVES:
        return getattr(importlib.import_module(f"idescent.objectives.{_OBJECTIVES[name]}"), name)
    raise AttributeError(f"module 'idescent.objectives' has no attribute {name!r}")
