"""Look-up of classes by the names in a configuration, and construction of their objects.

What lives here: the only code that finds a class by name, and that turns ``theta0`` into a point.  What does
not: checks of a configuration (:mod:`idescent.study.arguments`).

A name without a colon is a class of the package or one of its class methods (``Adam``, ``Paper``,
``MeanSquaredError.synthetic``).  ``module:Class`` is a user's class; its module is imported from the current
folder or the environment.  Importing it runs the code of its author; :func:`check_trusted` refuses it if the
environment forbids users' code.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Iterable, Mapping
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEEDED = {
    "objective": ("value", "gradient"),
    "optimizer": ("memories", "step", "hyperparameters"),
    "model": ("name", "order", "equation"),
    "solver": ("solve",),
    "schedule": ("rate", "breaks"),
}
"""Attributes that an object of each kind must have."""

_HOMES = {kind: f"idescent.{kind}s" for kind in NEEDED}


VARIABLE = "IDESCENT_USER_CODE"
"""Environment variable that forbids users' classes.

It is not a key of the configuration, because a file from a stranger could set a key.
"""


def check_trusted(module: str) -> None:
    """Refuse users' modules if the environment forbids them; refuse the standard library always.

    Raises
    ------
    ValueError
        If ``IDESCENT_USER_CODE`` is set to anything but ``yes``, or the module is part of the standard
        library: a configuration with the class ``os:system`` could run any command without a module of its
        own.
    """
    value = os.environ.get(VARIABLE, "")
    if value not in ("", "yes"):
        raise ValueError(f"{VARIABLE}={value} allows classes of the package only")
    if module.partition(".")[0] in sys.stdlib_module_names:
        raise ValueError(f"{module!r} is a module of Python's standard library")


def resolve(kind: str, name: str) -> Any:
    """Return the class, or the class method, with a name.

    Parameters
    ----------
    kind : {"objective", "optimizer", "model", "solver", "schedule"}
    name : str
        ``Name`` in the package, or ``module:Class``.

    Raises
    ------
    ValueError
        If there is no such class, or the environment forbids users' classes.
    """
    home, _, attribute = name.rpartition(":")
    if home:
        try:
            check_trusted(home)
        except ValueError as error:
            raise ValueError(f"{kind}: {name!r} is not allowed: {error}") from None
        folder = str(Path.cwd())
        if folder not in sys.path:
            sys.path.insert(0, folder)
    else:
        return _of_package(kind, name)
    try:
        constructor = reduce(getattr, attribute.split("."), importlib.import_module(home))
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{kind}: {name!r} is not known: {error}") from error
    if not callable(constructor):
        raise ValueError(f"{kind}: {name!r} is not a class")
    return constructor


def _of_package(kind: str, name: str) -> Any:
    """Return a class of the package or one of its class methods.

    Other names in the package's modules are refused: through the modules that they import, a configuration
    could reach any function of Python.
    """
    first, _, method = name.partition(".")
    try:
        class_ = getattr(importlib.import_module(_HOMES[kind]), first)
        if method:
            inspect.getattr_static(class_, method)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{kind}: {name!r} is not known: {error}") from error
    if not (inspect.isclass(class_) and class_.__module__.startswith("idescent.")):
        raise ValueError(f"{kind}: {name!r} is not a class")
    if not method:
        return class_
    if not isinstance(inspect.getattr_static(class_, method), classmethod):
        raise ValueError(f"{kind}: {name!r} is not a class method")
    return getattr(class_, method)


def spelled(kind: str, name: str) -> str:
    """Return the name of a class of the package as the package spells it.

    ``half-step``, ``half_step`` and ``halfstep`` are ``HalfStep``; the name of a class method stays as it is.
    Unknown names and ``module:Class`` are returned unchanged.
    """
    first, dot, method = name.partition(".")
    home = importlib.import_module(_HOMES[kind])
    if ":" in name or inspect.isclass(getattr(home, first, None)):
        return name
    matches = [
        known
        for known in getattr(home, "__all__", dir(home))
        if plain(known) == plain(first) and inspect.isclass(getattr(home, known))
    ]
    return f"{matches[0]}{dot}{method}" if len(matches) == 1 else name


def question(names: Iterable[str], word: str) -> str:
    """Return ``; did you mean b?`` with the name that is most similar to a word; empty if none is."""
    import difflib  # for errors only

    by_plain = {plain(name): name for name in names}
    similar = difflib.get_close_matches(plain(word), by_plain, n=1)
    return f"; did you mean {by_plain[similar[0]]}?" if similar else ""


def plain(name: str) -> str:
    """Return a name in lower case without hyphens and underscores: ``half-step`` matches ``HalfStep``."""
    return name.lower().replace("-", "").replace("_", "")


def build(kind: str, spec: Mapping[str, Any]) -> Any:
    """Build an object from ``{"class": ..., "arguments": {...}}``.

    Raises
    ------
    ValueError
        If the class is not known or does not take these arguments.
    """
    constructor = resolve(kind, spec["class"])
    try:
        return constructor(**spec.get("arguments", {}))
    except TypeError as error:
        raise ValueError(f"{kind} {spec['class']}: {error}") from error


def objective(spec: Mapping[str, Any]) -> Any:
    """Build an objective; see :func:`build`."""
    return build("objective", spec)


def optimizer(spec: Mapping[str, Any]) -> Any:
    """Build an optimizer; see :func:`build`."""
    return build("optimizer", spec)


def model(spec: Mapping[str, Any]) -> Any:
    """Build a continuous-time model; see :func:`build`."""
    return build("model", spec)


def solver(spec: Mapping[str, Any]) -> Any:
    """Build a solver; see :func:`build`."""
    return build("solver", spec)


def start(theta0: Any, objective: Any) -> NDArray[np.float64]:
    """Return the initial parameters for the ``theta0`` of a cell.

    Parameters
    ----------
    theta0 : float, list of float, or ``{"seed": int}``
        A single number is used for every coordinate if the objective has a ``dimension``.  A seed calls
        ``objective.initial(seed)``.
    objective : Objective

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ValueError
        If the objective cannot draw a start, or has another number of parameters.
    """
    import numpy as np

    name = type(objective).__name__
    if isinstance(theta0, Mapping):
        if not hasattr(objective, "initial"):
            raise ValueError(f"theta0: {dict(theta0)!r} is not allowed: {name} has no method initial(seed)")
        try:
            point = np.asarray(objective.initial(theta0["seed"]), dtype=np.float64)
        except ValueError as error:
            raise ValueError(f"theta0: {dict(theta0)!r} is not allowed: {error}") from error
    else:
        point = np.atleast_1d(np.asarray(theta0, dtype=np.float64))
    dimension = getattr(objective, "dimension", None)
    if dimension is None:
        return point
    if point.shape == (1,):
        return np.full(dimension, point[0])
    if point.shape != (dimension,):
        raise ValueError(f"theta0: shape {point.shape} is not allowed: {name} has {dimension} parameters")
    return point


def schedule(cell: Mapping[str, Any]) -> Any:
    """Build the learning-rate schedule of a cell, or return None if it has none.

    An argument that is a schedule, or a list of schedules, is built first.
    """
    spec = cell.get("schedule")
    return None if spec is None else _nested_schedule(spec)


def _nested_schedule(value: Any) -> Any:
    if isinstance(value, list):
        return [_nested_schedule(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    arguments = {name: _nested_schedule(item) for name, item in value.get("arguments", {}).items()}
    return build("schedule", {"class": value["class"], "arguments": arguments})
