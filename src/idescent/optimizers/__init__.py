"""Optimizers, declared as data: hyper-parameters, memories and a step; one file each.

What lives here: Algorithms 1-3 of the paper and the two variants that it names, AdamW and AdamL2; and the
words of a declaration.

Conventions, where libraries differ: ``eps`` is added *outside* the root; accumulators start at zero; the
gradient of iteration ``k`` (counted from 1) is taken at ``theta_{k-1}``; decoupled weight decay is scaled by
the learning rate.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from idescent.optimizers.declared import accumulate, average, maximum, recursion, total
from idescent.optimizers.optimizer import Accumulator, Optimizer

if TYPE_CHECKING:
    from idescent.optimizers.adagrad import AdaGrad as AdaGrad
    from idescent.optimizers.adam import Adam as Adam
    from idescent.optimizers.adaml2 import AdamL2 as AdamL2
    from idescent.optimizers.adamw import AdamW as AdamW
    from idescent.optimizers.rmsprop import RMSProp as RMSProp

_OPTIMIZERS = {
    "AdaGrad": "adagrad",
    "Adam": "adam",
    "AdamL2": "adaml2",
    "AdamW": "adamw",
    "RMSProp": "rmsprop",
}

__all__ = ["Accumulator", "Optimizer", "accumulate", "average", "maximum", "recursion", "total", *_OPTIMIZERS]


def __getattr__(name: str) -> Any:
    if name in _OPTIMIZERS:
        return getattr(importlib.import_module(f"idescent.optimizers.{_OPTIMIZERS[name]}"), name)
    raise AttributeError(f"module 'idescent.optimizers' has no attribute {name!r}")
