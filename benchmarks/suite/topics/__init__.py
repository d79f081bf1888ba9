"""One module for each topic: ``TITLE``, ``TEXT``, and ``measure(settings) -> rows``."""

from __future__ import annotations

import importlib
from types import ModuleType

# In the order of the report.
NAMES = (
    "kernels",
    "packs",
    "precision",
    "initial_value",
    "cells_of_the_paper",
    "models",
    "steps",
    "dimension",
    "cells",
    "many_cells",
    "leaps",
    "startup",
    "pipeline",
    "study_cost",
    "estimates",
    "installation",
)
# Those in which other packages are measured.
WITH_PEERS = ("kernels", "packs", "precision")


def module(name: str) -> ModuleType:
    """Return a topic's module."""
    return importlib.import_module(f"suite.topics.{name}")
