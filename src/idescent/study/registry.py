"""From names in a configuration to objects.

What lives here: the one place where a class is found by name, and where ``theta0`` becomes a point.  A name
without a colon is looked up in the package (``Adam``, ``MeanSquaredError.synthetic``, ``Paper``);
``module:Class`` names a user's own class, imported from the current folder or the environment; importing and
building it runs what whoever wrote it wants, unless the environment forbids it (:func:`check_trusted`).
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEEDED = {
    "objective": ("value", "gradient"),
    "optimizer": ("moments", "decay1", "decay2", "squares", "hyperparameters"),
    "model": ("name", "order", "equation"),
    "solver": ("solve",),
    "schedule": ("rate", "breaks"),
}
"""What an object must have to serve as one of a kind."""

_HOMES = {kind: f"idescent.{kind}s" for kind in NEEDED}


VARIABLE = "IDESCENT_USER_CODE"
"""The environment variable that forbids classes of a user's own: no file that a stranger wrote can set it."""


def check_trusted(module: str) -> None:
    """Refuse modules of the user's own if the environment allows only the package, and Python's always.

    Raises
    ------
    ValueError
        If ``IDESCENT_USER_CODE`` is set to anything but ``yes``, or the module is of the standard library: a
        file that names ``os:system`` could run any command, without any module of its own.
    """
    value = os.environ.get(VARIABLE, "")
    if value not in ("", "yes"):
        raise ValueError(f"{VARIABLE}={value} allows classes of the package only")
    if module.partition(".")[0] in sys.stdlib_module_names:
        raise ValueError(f"{module!r} is a module of Python's own")


def resolve(kind: str, name: str) -> Any:
    """Return the class (or constructor) that ``name`` stands for.

    Parameters
    ----------
    kind : {"objective", "optimizer", "model", "solver", "schedule"}
    name : str
        ``Name`` in the package, or ``module:Class``.

    Raises
    ------
    ValueError
        If there is no such class, or the environment allows none of the user's own.
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
        found = reduce(getattr, attribute.split("."), importlib.import_module(home))
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{kind}: {name!r} is not known: {error}") from error
    if not callable(found):
        raise ValueError(f"{kind}: {name!r} is not a class")
    return found


def _of_package(kind: str, name: str) -> Any:
    """Return a class of the package, or a class method of one; never what its modules import."""
    first, _, method = name.partition(".")
    try:
        found = getattr(importlib.import_module(_HOMES[kind]), first)
        if method:
            inspect.getattr_static(found, method)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{kind}: {name!r} is not known: {error}") from error
    if not (inspect.isclass(found) and found.__module__.startswith("idescent.")):
        raise ValueError(f"{kind}: {name!r} is not a class")
    if not method:
        return found
    if not isinstance(inspect.getattr_static(found, method), classmethod):
        raise ValueError(f"{kind}: {name!r} is not a class method")
    return getattr(found, method)


def build(kind: str, spec: Mapping[str, Any]) -> Any:
    """Build the object that ``{"class": ..., "arguments": {...}}`` describes.

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
    """Return the initial parameters that the ``theta0`` of a cell stands for.

    Parameters
    ----------
    theta0 : float, list of float, or ``{"seed": int}``
        A single number stands for the same one in every coordinate of an objective that has a ``dimension``;
        a seed for ``objective.initial(seed)``.
    objective : Objective

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ValueError
        If the objective draws no starts, or has another number of parameters.
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

    Arguments that describe a schedule themselves, or are lists of such, are built first.
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
