"""Integro-differential equations for adaptive gradient descent.

This module exports the whole public API.  Each name is imported at its first use, so that a job of a discrete
optimizer loads neither a solver nor a plotting library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_EXPORTS = {
    "ADOPT": "optimizers",
    "AMSGrad": "optimizers",
    "AdaBelief": "optimizers",
    "AdaDelta": "optimizers",
    "AdaGrad": "optimizers",
    "Adafactor": "optimizers",
    "Adam": "optimizers",
    "AdamL2": "optimizers",
    "AdamW": "optimizers",
    "Adamax": "optimizers",
    "CenteredRMSProp": "optimizers",
    "GradientDescent": "optimizers",
    "HeavyBall": "optimizers",
    "Lion": "optimizers",
    "MeanSquaredError": "objectives",
    "MomentumRMSProp": "optimizers",
    "Muon": "optimizers",
    "NAdam": "optimizers",
    "Nesterov": "optimizers",
    "Objective": "objectives",
    "Optimizer": "optimizers",
    "QHM": "optimizers",
    "Quadratic": "objectives",
    "RMSProp": "optimizers",
    "Recorder": "store.recorder",
    "Report": "trajectory",
    "ScheduleFreeAdamW": "optimizers",
    "ScheduleFreeSGD": "optimizers",
    "Shampoo": "optimizers",
    "Signum": "optimizers",
    "Trajectory": "trajectory",
    "compare": "analysis.errors",
    "edge": "analysis.edge",
    "fast_forward": "solvers.fast_forward",
    "leap": "solvers.leap",
    "predict": "prediction.predict",
    "read_table": "store.tables",
    "simulate": "discrete.loop",
    "simulate_many": "discrete.lockstep",
    "solve": "solvers.solve",
    "verify": "analysis.verification",
}
_MODULES = ("models", "schedules", "solvers", "stochastic")

__all__ = ["__version__", *_EXPORTS, *_MODULES]

if TYPE_CHECKING:
    from idescent import models as models
    from idescent import schedules as schedules
    from idescent import solvers as solvers
    from idescent import stochastic as stochastic
    from idescent.analysis.edge import edge as edge
    from idescent.analysis.errors import compare as compare
    from idescent.analysis.verification import verify as verify
    from idescent.discrete.lockstep import simulate_many as simulate_many
    from idescent.discrete.loop import simulate as simulate
    from idescent.objectives import MeanSquaredError as MeanSquaredError
    from idescent.objectives import Objective as Objective
    from idescent.objectives import Quadratic as Quadratic
    from idescent.optimizers import ADOPT as ADOPT
    from idescent.optimizers import QHM as QHM
    from idescent.optimizers import AdaBelief as AdaBelief
    from idescent.optimizers import AdaDelta as AdaDelta
    from idescent.optimizers import Adafactor as Adafactor
    from idescent.optimizers import AdaGrad as AdaGrad
    from idescent.optimizers import Adam as Adam
    from idescent.optimizers import Adamax as Adamax
    from idescent.optimizers import AdamL2 as AdamL2
    from idescent.optimizers import AdamW as AdamW
    from idescent.optimizers import AMSGrad as AMSGrad
    from idescent.optimizers import CenteredRMSProp as CenteredRMSProp
    from idescent.optimizers import GradientDescent as GradientDescent
    from idescent.optimizers import HeavyBall as HeavyBall
    from idescent.optimizers import Lion as Lion
    from idescent.optimizers import MomentumRMSProp as MomentumRMSProp
    from idescent.optimizers import Muon as Muon
    from idescent.optimizers import NAdam as NAdam
    from idescent.optimizers import Nesterov as Nesterov
    from idescent.optimizers import Optimizer as Optimizer
    from idescent.optimizers import RMSProp as RMSProp
    from idescent.optimizers import ScheduleFreeAdamW as ScheduleFreeAdamW
    from idescent.optimizers import ScheduleFreeSGD as ScheduleFreeSGD
    from idescent.optimizers import Shampoo as Shampoo
    from idescent.optimizers import Signum as Signum
    from idescent.prediction.predict import predict as predict
    from idescent.solvers.fast_forward import fast_forward as fast_forward
    from idescent.solvers.leap import leap as leap
    from idescent.solvers.solve import solve as solve
    from idescent.store.recorder import Recorder as Recorder
    from idescent.store.tables import read_table as read_table
    from idescent.trajectory import Report as Report
    from idescent.trajectory import Trajectory as Trajectory


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(f"idescent.{_EXPORTS[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"idescent.{name}")
    raise AttributeError(f"module 'idescent' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
