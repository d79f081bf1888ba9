"""The functions that draw a study's figures, loaded on first use; they live in :mod:`idescent.products`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idescent.products.errors.overview import render_overview as render_overview
    from idescent.products.errors.split import render_split as render_split
    from idescent.products.paths.figure import render as render
    from idescent.products.paths.figure import render_errors as render_errors

__all__ = ["render", "render_errors", "render_overview", "render_split"]

_HOMES = {
    "render": "products.paths.figure",
    "render_errors": "products.paths.figure",
    "render_overview": "products.errors.overview",
    "render_split": "products.errors.split",
}
_MODULES = {"style": "drawing.style", "saving": "drawing.saving", "spec": "products.paths.spec"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"idescent.{_MODULES[name]}")
    if name not in _HOMES:
        raise AttributeError(f"module 'idescent.figures' has no attribute {name!r}")
    return getattr(importlib.import_module(f"idescent.{_HOMES[name]}"), name)
