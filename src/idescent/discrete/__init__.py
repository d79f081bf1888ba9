"""Discrete runs: every iteration of an optimizer, one run (:mod:`.loop`) or many at once (:mod:`.lockstep`).

What lives here: the loops in Python and C, with the same bits.  What does not: the optimizers themselves
(:mod:`idescent.optimizers`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idescent.discrete.lockstep import simulate_many as simulate_many
    from idescent.discrete.loop import simulate as simulate

__all__ = ["simulate", "simulate_many"]

_HOMES = {"simulate": "loop", "simulate_many": "lockstep"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'idescent.discrete' has no attribute {name!r}")
    return getattr(importlib.import_module(f"idescent.discrete.{_HOMES[name]}"), name)
