"""What an objective is to the rest of the package.

What lives here: the contracts :class:`Objective` and :class:`FiniteSum`, and a count of the evaluations.
What does not: any particular objective.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.numeric import shown

Array = NDArray[np.float64]
Indices = NDArray[np.integer[Any]]
DENSE = 100
"""Largest dimension for which the objectives of this package offer a full Hessian."""


@runtime_checkable
class Objective(Protocol):
    r"""A differentiable :math:`f: \mathbb{R}^n \to \mathbb{R}`.

    Both methods take parameters of shape (..., n): leading axes are independent points.  If yours can only
    take one point of shape (n,), set ``vectorized = False`` on it and points are passed one by one.

    Optional, for those who solve:

    - ``hessian(theta)``, shape (..., n, n), or ``hessian_diagonal(theta)``, shape (..., n), where the Hessian
      is diagonal, speeds up the solution of stiff models;
    - ``hessian_vector(theta, direction)``, the Hessian times directions of the shape of ``theta``, serves
      models that contain the Hessian;
    - ``separable_quadratic(n)`` returning ``(curvature, center)`` with :math:`g_i = a_i(\theta_i - c_i)` lets
      the compiled kernels run.

    Optional, for those who start and judge:

    - ``dimension``, the number of parameters n, or None for any;
    - ``initial(seed)``, a start of shape (n,) drawn from that seed, the same forever;
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
    r"""An objective that is a mean over samples, and so can be asked for mini-batches.

    .. math:: f(\theta) = \frac1N \sum_{j<N} f_j(\theta) \quad (+ \text{ regularisation})

    The indices of a mini-batch have shape (..., b); their leading axes are broadcast against those of
    ``theta``: (b,) is one mini-batch for all points, (runs, b) one for each of (runs, n) points.
    All samples in order, ``numpy.arange(samples)``, give ``value`` and ``gradient`` to rounding.
    """

    samples: int

    def value_of(self, theta: Array, indices: Indices) -> Array:
        r"""Return the mean of :math:`f_j(\theta)` over the given samples (+ regularisation), shape (...)."""

    def gradient_of(self, theta: Array, indices: Indices) -> Array:
        r"""Return the gradient of :meth:`value_of`, shape (..., n)."""


class CountedObjective:
    """An objective that counts the points at which it is asked for a gradient.

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
        return self.call("gradient", theta)

    def value(self, theta: Array) -> Array:
        """Return the values, shape of ``theta`` without its last axis."""
        return self.call("value", theta)

    def call(self, method: str, theta: Array, *more: Array) -> Array:
        """Evaluate a method of the objective at points of shape (..., n), one by one if it asks for that.

        Further arguments have the shape of ``theta``.
        """
        function = getattr(self.objective, method)
        if self.vectorized or theta.ndim == 1:
            return np.asarray(function(theta, *more), dtype=np.float64)
        points = [argument.reshape(-1, theta.shape[-1]) for argument in (theta, *more)]
        values = np.stack(
            [np.asarray(function(*point), dtype=np.float64) for point in zip(*points, strict=True)]
        )
        return values.reshape(*theta.shape[:-1], *values.shape[1:])


def finite(name: str, value: ArrayLike) -> Array:
    """Return a value as numbers; raise ValueError with its name if one of them is not finite."""
    try:
        if np.asarray(value).dtype.kind in "bUS":
            raise TypeError("text and booleans are no numbers")
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {shown(value)} is not allowed: must be a number or numbers") from error
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: {shown(value)} is not allowed: every value must be finite")
    return array
