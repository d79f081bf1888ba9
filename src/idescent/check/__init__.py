"""Checks of a user's class: objectives, optimizers and models, with one verdict for each check.

What lives here: the kinds of classes, and the entry point :func:`check`.  What does not: finding classes by
name (:mod:`idescent.study.registry`), printing verdicts (:mod:`idescent.cli.check`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from idescent.check.verdicts import Verdict as Verdict

KINDS = ("objective", "optimizer", "model")
# A class is of the first kind of which it has at least one of these attributes.
_SIGNS = {
    "model": ("equation",),
    "optimizer": ("memories", "step"),
    "objective": ("value", "gradient", "vectorized", "hessian_vector"),
}


def kind_of(thing: Any) -> str | None:
    """Return the kind of a class or object, guessed from its attributes."""
    return next((kind for kind, signs in _SIGNS.items() if any(hasattr(thing, name) for name in signs)), None)


def check(
    kind: str, constructor: Callable[..., Any], arguments: Mapping[str, Any], **more: Any
) -> list[Verdict]:
    """Check a class.

    Parameters
    ----------
    kind : {"objective", "optimizer", "model"}
    constructor : callable
        The class.
    arguments : mapping
        Arguments of the class, by name.
    **more
        For objectives: see :func:`idescent.check.objective.check`.

    Returns
    -------
    list of Verdict
        In the order of the checks.  An exception of the class is a verdict, too.
    """
    module: Any = importlib.import_module(f"idescent.check.{kind}")
    verdicts: list[Verdict] = module.check(lambda: constructor(**arguments), **more)
    return verdicts
