"""Another name of :mod:`idescent.study.registry`."""

from __future__ import annotations

from idescent.study.registry import build, model, objective, optimizer, resolve, schedule, solver, start

__all__ = ["build", "model", "objective", "optimizer", "resolve", "schedule", "solver", "start"]
