"""Optimizers, declared as data: hyper-parameters, memories and a step; one file each.

What lives here: Algorithms 1-3 of the paper, the two variants that it names, AdamW and AdamL2, other common
optimizers, and the functions that declare an optimizer.

Conventions, where libraries differ: ``eps`` is added *outside* the root; accumulators start at zero; the
gradient of iteration ``k`` (counted from 1) is evaluated at ``theta_{k-1}``; decoupled weight decay is scaled
by the learning rate.  The docstring of an optimizer states where it follows another convention, that of the
library that defines it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from idescent.optimizers.declared import accumulate, average, maximum, recursion, total
from idescent.optimizers.optimizer import Accumulator, Optimizer

if TYPE_CHECKING:
    from idescent.optimizers.adabelief import AdaBelief as AdaBelief
    from idescent.optimizers.adadelta import AdaDelta as AdaDelta
    from idescent.optimizers.adafactor import Adafactor as Adafactor
    from idescent.optimizers.adagrad import AdaGrad as AdaGrad
    from idescent.optimizers.adam import Adam as Adam
    from idescent.optimizers.adamax import Adamax as Adamax
    from idescent.optimizers.adaml2 import AdamL2 as AdamL2
    from idescent.optimizers.adamw import AdamW as AdamW
    from idescent.optimizers.adopt import ADOPT as ADOPT
    from idescent.optimizers.amsgrad import AMSGrad as AMSGrad
    from idescent.optimizers.gradient_descent import GradientDescent as GradientDescent
    from idescent.optimizers.heavy_ball import HeavyBall as HeavyBall
    from idescent.optimizers.lion import Lion as Lion
    from idescent.optimizers.muon import Muon as Muon
    from idescent.optimizers.nadam import NAdam as NAdam
    from idescent.optimizers.nesterov import Nesterov as Nesterov
    from idescent.optimizers.qhm import QHM as QHM
    from idescent.optimizers.rmsprop import RMSProp as RMSProp
    from idescent.optimizers.rmsprop_centered import CenteredRMSProp as CenteredRMSProp
    from idescent.optimizers.rmsprop_momentum import MomentumRMSProp as MomentumRMSProp
    from idescent.optimizers.schedule_free_adamw import ScheduleFreeAdamW as ScheduleFreeAdamW
    from idescent.optimizers.schedule_free_sgd import ScheduleFreeSGD as ScheduleFreeSGD
    from idescent.optimizers.shampoo import Shampoo as Shampoo
    from idescent.optimizers.signum import Signum as Signum

_OPTIMIZERS = {
    "ADOPT": "adopt",
    "AMSGrad": "amsgrad",
    "AdaBelief": "adabelief",
    "AdaDelta": "adadelta",
    "AdaGrad": "adagrad",
    "Adafactor": "adafactor",
    "Adam": "adam",
    "AdamL2": "adaml2",
    "AdamW": "adamw",
    "Adamax": "adamax",
    "CenteredRMSProp": "rmsprop_centered",
    "GradientDescent": "gradient_descent",
    "HeavyBall": "heavy_ball",
    "Lion": "lion",
    "MomentumRMSProp": "rmsprop_momentum",
    "Muon": "muon",
    "NAdam": "nadam",
    "Nesterov": "nesterov",
    "QHM": "qhm",
    "RMSProp": "rmsprop",
    "ScheduleFreeAdamW": "schedule_free_adamw",
    "ScheduleFreeSGD": "schedule_free_sgd",
    "Shampoo": "shampoo",
    "Signum": "signum",
}

__all__ = ["Accumulator", "Optimizer", "accumulate", "average", "maximum", "recursion", "total", *_OPTIMIZERS]


def __getattr__(name: str) -> Any:
    if name in _OPTIMIZERS:
        return getattr(importlib.import_module(f"idescent.optimizers.{_OPTIMIZERS[name]}"), name)
    raise AttributeError(f"module 'idescent.optimizers' has no attribute {name!r}")
