"""Arrays of any library that follows the array API standard, and objectives on them.

What lives here: the namespace of an array, NumPy's functions on arrays of other libraries, and the count of
gradients.  What does not: the method (:mod:`idescent.prediction.leapfrog`).
"""

from __future__ import annotations

import importlib
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from idescent.common.numeric import is_number, shown
from idescent.objectives.protocol import CountedObjective

Array = Any
"""An array of NumPy, JAX, PyTorch or another library that follows the standard."""

# Functions of NumPy whose names differ in the standard.
_NAMES = {"absolute": "abs", "power": "pow", "float_power": "pow", "true_divide": "divide", "amax": "max"}
_OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
    "float_power": operator.pow,
    "negative": operator.neg,
    "positive": operator.pos,
}


def namespace(array: Array) -> Any:
    """Return the functions of an array's library, by the names of the array API standard.

    Raises
    ------
    ValueError
        If the library does not follow the standard and ``array-api-compat`` is not installed.
    """
    if hasattr(array, "__array_namespace__"):
        return array.__array_namespace__()
    # PyTorch follows the standard except for some names and defaults.
    try:
        compat = importlib.import_module("array_api_compat")
        return compat.array_namespace(array)
    except ImportError as error:
        raise ValueError(
            f"predict: {type(array).__name__}: pip install 'idescent[arrays]': {error}"
        ) from error
    except TypeError as error:
        raise ValueError(f"start: {shown(array)} is not allowed: must be an array of floats") from error


class Foreign(NDArrayOperatorsMixin):
    """An array of another library, on which NumPy's functions call the functions of that library.

    Declarations are written with NumPy.  Without this class their functions would copy each array to the
    processor, or fail.
    """

    def __init__(self, array: Array) -> None:
        self.array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(self.array.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **more: Any) -> Any:
        """Call the function of the array's library."""
        if method != "__call__" or more:
            raise TypeError(f"numpy.{ufunc.__name__}.{method} is not in the array API standard")
        values = [plain(x) for x in inputs]
        if ufunc.__name__ in _OPERATORS:
            return Foreign(_OPERATORS[ufunc.__name__](*values))
        # Functions of the standard take arrays only, operators also numbers.
        arrays = [_copied(x, self.array) if is_number(x) else x for x in values]
        return Foreign(_function(namespace(self.array), ufunc.__name__)(*arrays))

    def __array_function__(self, function: Any, types: Any, arguments: Any, more: Any) -> Any:
        """Call the function of the array's library."""
        xp = namespace(self.array)
        more = {name: plain(value) for name, value in more.items()}
        if function is np.cumsum:
            return Foreign(xp.cumulative_sum(*map(plain, arguments), **more))
        return Foreign(_function(xp, function.__name__)(*map(plain, arguments), **more))

    def __array__(self, *arguments: Any, **more: Any) -> Any:
        """Refuse a copy to the processor."""
        raise TypeError("numpy.asarray would copy an array of another library")

    def __getitem__(self, index: Any) -> Foreign:
        """Return a part."""
        return Foreign(self.array[index])

    def sum(self, axis: Any = None, keepdims: bool = False) -> Foreign:
        """Return the sum over axes."""
        return Foreign(namespace(self.array).sum(self.array, axis=axis, keepdims=keepdims))

    def mean(self, axis: Any = None, keepdims: bool = False) -> Foreign:
        """Return the mean over axes."""
        return Foreign(namespace(self.array).mean(self.array, axis=axis, keepdims=keepdims))

    def reshape(self, *shape: Any) -> Foreign:
        """Return the array with another shape."""
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        return Foreign(namespace(self.array).reshape(self.array, sizes))


def _function(xp: Any, name: str) -> Callable[..., Any]:
    name = _NAMES.get(name, name)
    if not hasattr(xp, name):
        raise TypeError(f"numpy.{name} is not in the array API standard")
    function: Callable[..., Any] = getattr(xp, name)
    return function


def _copied(value: Any, like: Array) -> Array:
    """Return numbers as an array of the library, the dtype and the device of another array."""
    return namespace(like).asarray(value, dtype=like.dtype, device=like.device)


def wrapped(value: Any) -> Any:
    """Return an array as an operand of NumPy's functions: itself, or a :class:`Foreign`."""
    return value if isinstance(value, np.ndarray | Foreign) or is_number(value) else Foreign(value)


def plain(value: Any) -> Any:
    """Return the array behind :func:`wrapped`; a number of NumPy as one of Python, which has no dtype."""
    if isinstance(value, np.generic):
        return value.item()
    return value.array if isinstance(value, Foreign) else value


def sent(value: Any, like: Any) -> Any:
    """Return numbers of a declaration as an operand of an array: in its library and of its dtype."""
    if isinstance(value, Foreign) or np.ndim(value) == 0:
        return value
    if isinstance(like, Foreign):
        return Foreign(_copied(value, like.array))
    return np.asarray(value, dtype=np.float64) if isinstance(like, np.ndarray) else value


def understood(owner: str, call: Callable[[], Any]) -> Any:
    """Call a function of a declaration on arrays of another library.

    Raises
    ------
    ValueError
        If the library lacks a function that the declaration calls.
    """
    try:
        return call()
    except (TypeError, AttributeError) as error:
        text = " ".join(str(error).split())
        raise ValueError(f"predict: {owner} takes arrays of NumPy only: {text}") from error


class Counted:
    """An objective whose gradients are counted, on arrays of any library.

    Attributes
    ----------
    gradients, values : int
        Number of gradients and of values evaluated.
    """

    def __init__(self, objective: Any) -> None:
        self.objective = objective
        self.numpy = CountedObjective(objective)
        self.gradients = self.values = 0

    def gradient(self, theta: Array) -> Array:
        """Return the gradient at one point, shape (n,)."""
        self.gradients += 1
        if isinstance(theta, np.ndarray) and theta.dtype == np.float64:
            return self.numpy.gradient(theta)
        gradient = self.objective.gradient(theta)
        if type(gradient) is not type(theta) or gradient.shape != theta.shape:
            raise ValueError(
                f"objective.gradient: {type(gradient).__name__} of shape {tuple(np.shape(gradient))}: "
                f"must be {type(theta).__name__} of shape {tuple(theta.shape)}, like theta"
            )
        return gradient

    def value(self, theta: Array) -> float:
        """Return the objective at one point."""
        self.values += 1
        if isinstance(theta, np.ndarray) and theta.dtype == np.float64:
            return float(self.numpy.value(theta))
        return float(self.objective.value(theta))


def finite(array: Array) -> bool:
    """Whether every number is finite."""
    xp = namespace(array)
    return bool(xp.all(xp.isfinite(array)))
