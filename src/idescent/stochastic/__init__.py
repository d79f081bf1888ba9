"""Stochastic gradients: seeded runs, stochastic differential equations, and weak errors between them.

Names are imported on first use from their modules.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idescent.stochastic.mean import mean_optimizer as mean_optimizer
    from idescent.stochastic.noise import Additive as Additive
    from idescent.stochastic.noise import Batches as Batches
    from idescent.stochastic.runs import Ensemble as Ensemble
    from idescent.stochastic.runs import along as along
    from idescent.stochastic.runs import simulate_runs as simulate_runs
    from idescent.stochastic.sde import Compagnoni as Compagnoni
    from idescent.stochastic.sde import Malladi as Malladi
    from idescent.stochastic.sde import simulate_paths as simulate_paths
    from idescent.stochastic.weak import columns as columns
    from idescent.stochastic.weak import largest as largest
    from idescent.stochastic.weak import weak_errors as weak_errors
    from idescent.store.tables import write_columns as write

_HOMES = {
    "Additive": "noise",
    "Batches": "noise",
    "Compagnoni": "sde",
    "Ensemble": "runs",
    "Malladi": "sde",
    "along": "runs",
    "columns": "weak",
    "largest": "weak",
    "mean_optimizer": "mean",
    "simulate_paths": "sde",
    "simulate_runs": "runs",
    "weak_errors": "weak",
}

__all__ = [*_HOMES, "write"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"idescent.stochastic.{_HOMES[name]}"), name)
    if name == "write":
        return importlib.import_module("idescent.store.tables").write_columns
    raise AttributeError(f"module 'idescent.stochastic' has no attribute {name!r}")
