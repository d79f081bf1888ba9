"""From names in a configuration to objects.

What lives here: the one place where a class is found by name, and where ``theta0`` becomes a point.  A name
without a colon is looked up in the package (``Adam``, ``MeanSquaredError.synthetic``, ``Paper``);
``module:Class`` names a user's own class, imported from the current folder or the environment.
"""

from __future__ import annotations

import importlib
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
        If there is no such class.
    """
    home, _, attribute = name.rpartition(":")
    if home:
        folder = str(Path.cwd())
        if folder not in sys.path:
            sys.path.insert(0, folder)
    else:
        home = _HOMES[kind]
    try:
        found = reduce(getattr, attribute.split("."), importlib.import_module(home))
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{kind}: {name!r} is not known: {error}") from error
    if not callable(found):
        raise ValueError(f"{kind}: {name!r} is not a class")
    return found


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
