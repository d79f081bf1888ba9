"""Continuous-time models of adaptive optimizers, one in each file, imported on first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from idescent.models.equation import Equation, Memory, Model

if TYPE_CHECKING:
    from idescent.models.barakat_bianchi import BarakatBianchi as BarakatBianchi
    from idescent.models.cattaneo import Cattaneo as Cattaneo
    from idescent.models.da_silva_gazeau import DaSilvaGazeau as DaSilvaGazeau
    from idescent.models.half_step import HalfStep as HalfStep
    from idescent.models.heredia_second_order import HerediaSecondOrder as HerediaSecondOrder
    from idescent.models.local import Local as Local
    from idescent.models.log_rate import LogRate as LogRate
    from idescent.models.naive import Naive as Naive
    from idescent.models.paper import Paper as Paper
    from idescent.models.sign_flow import SignFlow as SignFlow
    from idescent.models.third_order import ThirdOrder as ThirdOrder

_MODELS = {
    "BarakatBianchi": "barakat_bianchi",
    "Cattaneo": "cattaneo",
    "DaSilvaGazeau": "da_silva_gazeau",
    "HalfStep": "half_step",
    "HerediaSecondOrder": "heredia_second_order",
    "Local": "local",
    "LogRate": "log_rate",
    "Naive": "naive",
    "Paper": "paper",
    "SignFlow": "sign_flow",
    "ThirdOrder": "third_order",
}

__all__ = ["Equation", "Memory", "Model", *_MODELS]


def __getattr__(name: str) -> Any:
    if name in _MODELS:
        return getattr(importlib.import_module(f"idescent.models.{_MODELS[name]}"), name)
    raise AttributeError(f"module 'idescent.models' has no attribute {name!r}")
