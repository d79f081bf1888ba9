"""Where a run starts: parameters, an iteration of a trajectory, or a checkpoint.

What lives here: the forms of ``start`` (:func:`parsed`), and the state of an optimizer after the iterations
before it (:func:`restored`).  What does not: the run (:mod:`idescent.discrete.loop`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import integer, is_number, numbers, shown
from idescent.optimizers.layout import layout
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.plan import Plan, Values
from idescent.trajectory import Keep, Trajectory, kept

Array = NDArray[np.float64]

FORMS = (
    "must be theta, (trajectory, k), {'theta': ..., 'moments': ..., 'k': ...} "
    "or {'theta': ..., 'iterations': ...}"
)
_KEYS = ("theta", "moments", "k", "iterations")
# Names of moments in torch.optim and optax, by the name here.
_ALIASES = {
    "m": ("exp_avg", "mu"),
    "v": ("exp_avg_sq", "square_avg", "nu"),
    "G": ("sum", "sum_of_squares"),
    "b": ("momentum_buffer", "trace"),
}
_COUNTS = ("step", "count")


@dataclass(frozen=True)
class Start:
    """Parameters and moments after iteration ``k``.

    Attributes
    ----------
    theta : array, shape (n,)
    moments : dict of str to array, shape (width,), or None
        By name, as a run stores them: not corrected.  None: the initial values of the optimizer.
    k : int
    iterations : int or None
        Number of true iterations to make first; None if it is not stated.
    """

    theta: Any
    moments: dict[str, Any] | None = None
    k: int = 0
    iterations: int | None = None


def vector(name: str, value: Any) -> Array:
    """Return a value as a vector of float64, shape (n,), a copy; a list of arrays is joined in its order.

    Arrays of PyTorch, JAX and other libraries are converted.

    Raises
    ------
    ValueError
        If it is empty, or a value is no finite real number.
    """
    if isinstance(value, list | tuple) and value and np.ndim(_plain(value[0])):
        return np.concatenate([vector(name, part) for part in value])
    value = _plain(value)
    if isinstance(value, Mapping) or value is None:
        raise ValueError(f"{name}: {shown(value)} is not allowed: {FORMS}")
    array = numbers(name, value).ravel()
    if not array.size:
        raise ValueError(f"{name}: {shown(value)} is not allowed: must have a parameter")
    return array


def parsed(start: Any, optimizer: Optimizer, vector: Callable[[str, Any], Any] = vector) -> Start:
    """Return a start from one of its forms.

    Parameters
    ----------
    start : array, tuple, dict or object
        See :func:`idescent.leap`.
    optimizer : Optimizer
    vector : callable, optional
        ``vector(name, value)`` converts a value to an array, shape (n,).

    Raises
    ------
    ValueError
        If it has none of the forms, or a part of it has a wrong name, shape or value.
    """
    names = list(optimizer.memories())
    if isinstance(start, Trajectory):
        raise ValueError("start: a Trajectory alone is not allowed: must be (trajectory, k)")
    if isinstance(start, tuple) and start and isinstance(start[0], Trajectory):
        return _row(start, optimizer, names, vector)
    if not isinstance(start, Mapping) and hasattr(start, "theta"):
        start = {name: getattr(start, name) for name in _KEYS if hasattr(start, name)}
    if not isinstance(start, Mapping):
        return Start(vector("start", start))
    unknown = [name for name in start if name not in _KEYS]
    if unknown or "theta" not in start:
        raise ValueError(f"start: the keys {shown(list(start))} are not allowed: {FORMS}")
    theta, moments, k = vector("start['theta']", start["theta"]), start.get("moments"), None
    if moments is not None:
        moments, k = named(moments, names, vector)
    k = _number(start.get("k", k))
    if moments is None and k not in (None, 0):
        raise ValueError(f"start: k = {shown(k)} without moments is not allowed: {FORMS}")
    if moments and k is None:
        raise ValueError(f"start: moments without k are not allowed: {FORMS}")
    k = 0 if k is None else k
    integer("start['k']", k, least=0)
    iterations = start.get("iterations")
    if iterations is not None:
        integer("start['iterations']", iterations, least=0)
        iterations = int(iterations)
    return Start(theta, moments, int(k), iterations)


def _row(start: tuple[Any, ...], optimizer: Optimizer, names: list[str], vector: Callable[..., Any]) -> Start:
    """Return the start at an iteration of a trajectory."""
    run = start[0]
    if len(start) != 2:
        raise ValueError(f"start: {len(start)} values are not allowed: must be (trajectory, k)")
    integer("start: k", start[1], least=0)
    k = int(start[1])
    rows = np.flatnonzero(run.k == k)
    if not rows.size:
        raise ValueError(f"start: k = {k} is not allowed: the trajectory has no row of this iteration")
    if optimizer.evaluate is not None:
        raise ValueError(
            f"start: a trajectory of {type(optimizer).__name__} contains the iterates of evaluate: "
            "must be a dict with theta and moments"
        )
    if k == 0:
        return Start(vector("start", run.theta[rows[0]]))
    missing = [name for name in names if name not in run.moments]
    if missing:
        raise ValueError(f"start: the trajectory has no moment {missing[0]!r}: it is of another optimizer")
    moments = {name: vector(f"start: moment {name!r}", run.moments[name][rows[0]]) for name in names}
    return Start(vector("start", run.theta[rows[0]]), moments, k)


def named(
    moments: Any, names: list[str], vector: Callable[..., Any], *, field: str = "start['moments']"
) -> tuple[dict[str, Any], Any]:
    """Return moments by the names of the optimizer, and the number of iterations if it is among them.

    Parameters
    ----------
    moments : mapping or named tuple
        By the names of this package, of ``torch.optim`` or of ``optax``.
    names : list of str
        Memories of the optimizer.
    vector : callable
        ``vector(name, value)`` converts a value to an array, shape (width,).
    field : str
        First word of the messages.

    Raises
    ------
    ValueError
        If ``moments`` is no mapping, or a memory is missing.
    """
    moments = moments._asdict() if hasattr(moments, "_asdict") else moments
    if not isinstance(moments, Mapping):
        raise ValueError(f"{field}: {shown(moments)} is not allowed: must be a dict by name")
    vectors = {}
    for name in names:
        known = [x for x in (name, *_ALIASES.get(name, ())) if moments.get(x) is not None]
        if not known:
            raise ValueError(f"{field}: {name!r} is missing: must have {', '.join(names)}")
        vectors[name] = vector(f"{field}[{known[0]!r}]", moments[known[0]])
    return vectors, next((moments[name] for name in _COUNTS if name in moments), None)


def _number(k: Any) -> Any:
    """Return a number of iterations; PyTorch and optax store it as an array without axes."""
    k = _plain(k)
    k = k.item() if hasattr(k, "item") and np.ndim(k) == 0 else k
    return int(k) if isinstance(k, float) and k.is_integer() else k


def _plain(value: Any) -> Any:
    """Return an array of another library as an array of NumPy, and any other value as it is."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    foreign = hasattr(value, "shape") and not isinstance(value, np.ndarray | np.generic)
    return np.asarray(value) if foreign else value


def restored(start: Start, optimizer: Optimizer) -> Values:
    """Return the values of an optimizer after iteration ``k``, by name, in the shapes of one run.

    Raises
    ------
    ValueError
        If the declaration does not fit the parameters, or a moment has another number of values.
    """
    plan = Plan(optimizer)
    dims = layout(plan, start.theta.size)
    values: Values = {"theta": start.theta.reshape(plan.shape or start.theta.shape), "alpha": math.nan}
    for name, moment in (start.moments or {}).items():
        size = math.prod(dims[name])
        if moment.size != size:
            raise ValueError(f"start: moment {name!r}: {moment.size} values are not allowed: must be {size}")
        values[name] = moment.reshape(dims[name])
    if start.k:
        # The sequences, which the stored iterate may read.
        plan.place(values, start.k, math.nan)
    values["k"] = start.k
    return values


def kept_from(first: int, steps: int, keep: Keep | None) -> NDArray[np.int64]:
    """Return the iterations whose rows are stored, of a run from ``first`` to ``first + steps``.

    Raises
    ------
    ValueError
        As :func:`idescent.trajectory.kept`.
    """
    if first == 0 or keep is None or is_number(keep):
        return first + kept(steps, keep)
    k = np.asarray(keep)
    if k.ndim == 1 and k.dtype.kind in "iu" and len(k) >= 2 and (k[0] != first or k[-1] != first + steps):
        rule = f"must be from {first} to {first + steps}"
        raise ValueError(f"keep: {k[0]} ... {k[-1]} is not allowed: {rule}")
    return first + kept(steps, k - first if k.dtype.kind in "iu" else keep)
