r"""An integro-differential equation with checked arguments.

What lives here: the equation, the checks of F, K, the initial value, the grid and the bounds of the integral,
and the checks of the values that F and K return.  What does not: solving (:mod:`idescent.solvers.ide`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.common.numeric import is_number, numbers, shown
from idescent.solvers.quadrature import (
    ExponentialKernel,
    Integral,
    Interpolation,
    Kernel,
    Quadrature,
)

Array = NDArray[Any]
RightHandSide = Callable[[Array, Array, Array], Array]
Bound = float | Callable[[Array], ArrayLike]

# A path that exceeds its initial value by this factor has diverged: overflow in K is then no fault of K.
MODERATE = 1e6


@dataclass(frozen=True)
class IntegroDifferential:
    r"""The equation :math:`y' = F(t, y, I)`, :math:`I(t) = \int_{a(t)}^{b(t)} K(t, \tau, y(\tau))\,d\tau`.

    Attributes
    ----------
    right, kernel : callable
        F and K: the user's functions with checks of their values.
    y0 : ndarray, shape (n,)
    grid : ndarray, shape (N,)
    width : int
        m, the components of I.
    lower, upper : float, callable or None
        Default: the first point of the grid, and t.
    """

    right: RightHandSide
    kernel: Kernel
    y0: Array
    grid: Array
    width: int
    lower: Bound | None
    upper: Bound | None

    def integral(self, grid: Array, rule: Quadrature, interpolation: Interpolation) -> Integral:
        """Return the integral on a grid with the same first and last point as the equation's grid."""
        lower = self._bound("lower", self.lower, np.full_like(grid, grid[0]), grid)
        upper = self._bound("upper", self.upper, grid, grid)
        return Integral(self.kernel, grid, grid, lower, upper, rule, interpolation)

    def check_values(self, integral: Integral, path: Array) -> None:
        """Raise ValueError if F at the first point or the integral of K along a moderate path is not finite.

        In place of a path that has diverged, K is evaluated along the constant initial value.
        """
        if not np.abs(path[1:]).max() <= MODERATE * (1.0 + np.abs(self.y0).max()):
            path = np.array(np.broadcast_to(self.y0, path.shape))
        with np.errstate(all="ignore"):
            memory = integral(path)
            slope = self.right(self.grid[:1], self.y0, memory[0])
        finite = np.isfinite(memory).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"K: infinite or NaN values in the integral at t = {float(self.grid[np.argmin(finite)]):g} "
                "are not allowed: must be finite between the bounds "
                "(use 'tanh-sinh' if K is singular at tau = t)"
            )
        if not np.isfinite(slope).all():
            value = shown(slope.tolist())
            raise ValueError(f"F: {value} at the first point is not allowed: every value must be finite")

    def _bound(self, name: str, bound: Bound | None, default: Array, grid: Array) -> Array:
        if bound is None:
            return default
        if callable(bound):
            values = numbers(name, bound(grid))
            if values.shape not in ((), grid.shape):
                raise ValueError(
                    f"{name}: a result of shape {values.shape} is not allowed: must be {grid.shape}, as t"
                )
        elif is_number(bound):
            values = numbers(name, bound)
        else:
            raise ValueError(f"{name}: {shown(bound)} is not allowed: must be a number or a function of t")
        first, last = float(self.grid[0]), float(self.grid[-1])
        step = last - float(self.grid[-2])
        slack = 1e-9 * step + 4.0 * float(np.spacing(max(abs(first), abs(last))))
        outside = (values < first - slack) | (values > last + step + slack)
        if np.any(outside):
            value = float(values if values.ndim == 0 else values[np.argmax(outside)])
            raise ValueError(
                f"{name}: {value:g} is not allowed: must be in [{first:g}, {last + step:g}], "
                "from the first point of t to one step beyond the last"
            )
        return np.array(np.broadcast_to(values, grid.shape))


def checked(
    right: Any,
    kernel: Any,
    y0: ArrayLike,
    t: ArrayLike,
    lower: Bound | None,
    upper: Bound | None,
    first: Array | None,
) -> IntegroDifferential:
    """Check the arguments of an equation and return it; F and K are called once, near the first point.

    Raises
    ------
    ValueError
        If an argument is outside its range, or F or K returns another shape.
    """
    for name, function in (("F", right), ("K", kernel)):
        if not _takes_three(function):
            raise ValueError(
                f"{name}: {shown(function)} is not allowed: must be a function of three arguments"
            )
    grid = numbers("t", t)
    if grid.ndim != 1 or len(grid) < 2:
        raise ValueError(
            f"t: shape {grid.shape} is not allowed: must be an increasing grid of 2 points or more"
        )
    if not np.all(np.diff(grid) > 0.0):
        i = int(np.argmin(np.diff(grid) > 0.0))
        raise ValueError(
            f"t: {float(grid[i]):g} before {float(grid[i + 1]):g} is not allowed: must be an increasing grid"
        )
    start = np.atleast_1d(numbers("y0", y0, allow_complex=True))
    if start.ndim != 1 or not len(start):
        raise ValueError(f"y0: shape {start.shape} is not allowed: must be a number or a vector (n,)")
    with np.errstate(all="ignore"):
        # tau between the first two points: a singular kernel has no value at tau = t.
        middle = 0.5 * (grid[:1] + grid[1:2])
        memory = np.asarray(kernel(grid[1:2], middle, start))
        _check_kind("K", memory)
        width = memory.shape[-1] if memory.ndim else 1
        slope = np.asarray(right(grid[:1], start, np.zeros(width, dtype=memory.dtype)))
        _check_kind("F", slope)
    _shaped("K", memory, (), width)
    _shaped("F", slope, (), len(start))
    if np.iscomplexobj(slope) or (first is not None and np.iscomplexobj(first)):
        start = start.astype(np.complex128)
    real = not np.iscomplexobj(start)

    def checked_right(at: Array, y: Array, integral: Array) -> Array:
        values = _shaped("F", right(at, y, integral), y.shape[:-1], len(start))
        if real and np.iscomplexobj(values):
            raise ValueError(
                f"F: complex values at t = {float(np.ravel(at)[0]):g} are not allowed with real y0: "
                "pass a complex y0"
            )
        return values

    def checked_kernel(at: Array, tau: Array, y: Array) -> Array:
        batch = np.broadcast_shapes(np.shape(at)[:-1], np.shape(tau)[:-1], y.shape[:-1])
        return _shaped("K", kernel(at, tau, y), batch, width)

    # An exponential kernel stays as it is: the exact rule reads its constants.
    integrand = kernel if isinstance(kernel, ExponentialKernel) else checked_kernel
    return IntegroDifferential(checked_right, integrand, start, grid, width, lower, upper)


def _takes_three(function: Any) -> bool:
    try:
        inspect.signature(function).bind(None, None, None)
    except TypeError:
        return False
    except ValueError:  # a function written in C has no signature: the first call checks it
        return callable(function)
    return True


def _check_kind(name: str, values: Array) -> None:
    if values.dtype.kind not in "iufcb":
        raise ValueError(f"{name}: a result of type {values.dtype} is not allowed: must be numbers")


def _shaped(name: str, values: Any, batch: tuple[int, ...], width: int) -> Array:
    """Return a value of F or K with shape (*batch, width); repeat constants and vectors (width,)."""
    array = np.asarray(values)
    if array.shape == (*batch, width):
        return array
    fits = (array.ndim == 0 and width == 1) or (
        array.ndim in (1, len(batch) + 1) and array.shape[-1] == width
    )
    if fits:
        try:
            return np.broadcast_to(array, (*batch, width))
        except ValueError:
            pass
    raise ValueError(
        f"{name}: a result of shape {array.shape} is not allowed: must be {(*batch, width)}, "
        "the last axis for components"
    )
