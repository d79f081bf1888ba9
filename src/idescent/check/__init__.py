"""What is wrong with a class of one's own: checks of objectives, optimizers and models, one verdict each.

What lives here: the kinds of classes and what is checked of which.  What does not: finding classes by name
(:mod:`idescent.study.registry`), and printing (:mod:`idescent.cli.check`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from idescent.check.verdicts import Verdict as Verdict

KINDS = ("objective", "optimizer", "model")
_SIGNS = {
    "model": ("equation",),
    "optimizer": ("moments", "decay1", "decay2"),
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
        What it is made with.
    **more
        For objectives: see :func:`idescent.check.objective.check`.

    Returns
    -------
    list of Verdict
        In the order of the checks.  Whatever the class raises is a verdict.
    """
    module: Any = importlib.import_module(f"idescent.check.{kind}")
    found: list[Verdict] = module.check(lambda: constructor(**arguments), **more)
    return found
