"""The interface of objectives.

What lives here: the contracts :class:`Objective` and :class:`FiniteSum`, their evaluation, and the count of
evaluations.  What does not: any particular objective.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.common.numeric import shown

Array = NDArray[np.float64]
Indices = NDArray[np.integer[Any]]
_FLOAT64 = np.dtype(np.float64)
DENSE = 100
"""Largest dimension for which the objectives of this package offer a full Hessian."""


@runtime_checkable
class Objective(Protocol):
    r"""A differentiable :math:`f: \mathbb{R}^n \to \mathbb{R}`.

    Both methods take parameters of shape (..., n): leading axes are independent points.  If an objective
    accepts only one point of shape (n,), set ``vectorized = False`` on it: points are then passed one by one.
    The arrays passed are read-only: ``theta -= c`` would change the run.

    Optional, for solvers and discrete runs:

    - ``hessian(theta)``, shape (..., n, n), or ``hessian_diagonal(theta)``, shape (..., n), where the Hessian
      is diagonal: speeds up the solution of stiff models;
    - ``hessian_vector(theta, direction)``, the Hessian times directions of the shape of ``theta``: for models
      that contain the Hessian;
    - ``separable_quadratic(n)`` returning ``(curvature, center)`` with :math:`g_i = a_i(\theta_i - c_i)`:
      allows the compiled kernels.

    Optional, for starts and results:

    - ``dimension``, the number of parameters n, or None for any;
    - ``initial(seed)``, a start of shape (n,) drawn from a seed, always the same for the same seed;
    - ``minimum``, where it is known;
    - ``accuracy(theta, split)``, the fraction of samples classified correctly, shape (...); ``split`` is
      ``"train"`` or ``"test"``.
    """

    def value(self, theta: Array) -> Array:
        r"""Return :math:`f(\theta)`, shape (...)."""

    def gradient(self, theta: Array) -> Array:
        r"""Return :math:`\nabla f(\theta)`, shape (..., n)."""


@runtime_checkable
class FiniteSum(Objective, Protocol):
    r"""An objective that is a mean over samples, and so offers mini-batches.

    .. math:: f(\theta) = \frac1N \sum_{j<N} f_j(\theta) \quad (+ \text{ regularisation})

    The indices of a mini-batch have shape (..., b); their leading axes are broadcast against those of
    ``theta``: (b,) is one mini-batch for all points, (runs, b) one for each of (runs, n) points.
    With the indices ``numpy.arange(samples)`` the methods agree with ``value`` and ``gradient`` up to
    rounding.
    """

    samples: int

    def value_of(self, theta: Array, indices: Indices) -> Array:
        r"""Return the mean of :math:`f_j(\theta)` over the given samples (+ regularisation), shape (...)."""

    def gradient_of(self, theta: Array, indices: Indices) -> Array:
        r"""Return the gradient of :meth:`value_of`, shape (..., n)."""


class CountedObjective:
    """An objective that counts the points at which its gradient is evaluated.

    Attributes
    ----------
    gradients : int
        Gradient evaluations so far; a batch of shape (a, b, n) counts a*b.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.vectorized = bool(getattr(objective, "vectorized", True))
        self.gradients = 0

    def gradient(self, theta: Array) -> Array:
        """Return the gradient, shape of ``theta``."""
        self.gradients += theta.size // theta.shape[-1]
        return self._shaped("gradient", theta, theta.shape)

    def value(self, theta: Array) -> Array:
        """Return the values, shape of ``theta`` without its last axis."""
        return self._shaped("value", theta, theta.shape[:-1])

    def call(self, method: str, theta: Array, *more: Array) -> Array:
        """Evaluate a method of the objective at points of shape (..., n), one by one if it is not vectorized.

        Further arguments have the shape of ``theta``.
        """
        if self.vectorized or theta.ndim == 1:
            return evaluate(self.objective, method, theta, *more)
        points = [argument.reshape(-1, theta.shape[-1]) for argument in (theta, *more)]
        values = np.stack([evaluate(self.objective, method, *point) for point in zip(*points, strict=True)])
        return values.reshape(*theta.shape[:-1], *values.shape[1:])

    def _shaped(self, method: str, theta: Array, shape: tuple[int, ...]) -> Array:
        values = self.call(method, theta)
        # The check before a run names theta0.  A later call may return another shape, which would broadcast.
        if values.shape != shape:
            raise ValueError(
                f"objective.{method}: shape {values.shape} for theta of shape {theta.shape}: must be {shape}"
            )
        return values


def evaluate(objective: Any, method: str, theta: Array, *more: Any) -> Array:
    """Call a method of an objective with read-only arrays; return a new array of float64.

    The arguments are read-only views, as a method that works in place would change a run.  The result is a
    copy, as a method may return its argument, or the same buffer from every call.

    Raises
    ------
    ValueError
        If the method writes to its arguments, or returns anything but real numbers.
    """
    views = [read_only(other) if isinstance(other, np.ndarray) else other for other in more] if more else ()
    try:
        values = getattr(objective, method)(read_only(theta), *views)
    except ValueError as error:
        if "read-only" in str(error) or "readonly" in str(error):
            raise ValueError(
                f"objective.{method} writes to its argument, which is read-only: "
                "use theta = theta - c, not theta -= c, or copy it first"
            ) from error
        raise
    if type(values) is np.ndarray and values.dtype is _FLOAT64:
        return values.copy("K")
    values = np.asarray(values)
    if values.dtype.kind not in "fiuO":
        raise ValueError(f"objective.{method} returns {values.dtype}: must be real numbers")
    return np.array(values, dtype=np.float64)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view."""
    view = array.view()
    view.setflags(write=False)
    return view


def finite(name: str, value: ArrayLike) -> Array:
    """Return a value as an array of numbers; raise ValueError with its name if one of them is not finite."""
    try:
        if np.asarray(value).dtype.kind in "bUS":
            raise TypeError("text and booleans are not numbers")
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {shown(value)} is not allowed: must be a number or numbers") from error
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: {shown(value)} is not allowed: every value must be finite")
    return array
