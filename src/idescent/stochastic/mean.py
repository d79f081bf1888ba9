r"""The mean of an optimizer over mini-batches: noise in the second moments.

What lives here: :func:`mean_optimizer`.  What does not: the noise (:mod:`idescent.stochastic.noise`), and
models of the resulting optimizer, which are those of any declared one (:mod:`idescent.models`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import offers
from idescent.optimizers.declared import DeclaredMemory
from idescent.optimizers.optimizer import Optimizer, check_declared
from idescent.stochastic.noise import Noise

Array = NDArray[np.float64]

# Points whose variances are kept: a step of a prediction reads those at its start, middle and end repeatedly.
_KEPT = 4


class NoiseVariance:
    """The variance of one stochastic gradient as a function of theta, with a count.

    Attributes
    ----------
    evaluations : int
        Points at which the noise was evaluated.  With mini-batches each costs the gradients of all samples.
    """

    def __init__(self, noise: Noise) -> None:
        self.noise, self.evaluations = noise, 0
        self.dimension = noise.objective.dimension  # type: ignore[attr-defined]  # checked by the caller
        self._last: dict[bytes, Array] = {}

    def __call__(self, theta: Array) -> Array:
        """Return the variances, shape of ``theta``."""
        if self.dimension not in (None, theta.shape[-1]):
            # Models probe the structure of a declaration with few parameters; the noise does not change it.
            return np.zeros_like(theta)
        key = theta.tobytes()
        if theta.ndim > 1 or key not in self._last:
            self.evaluations += theta.size // theta.shape[-1]
            variance = self.noise.variance(theta).astype(theta.dtype, copy=False)
            if theta.ndim > 1:
                return variance
            if len(self._last) == _KEPT:
                del self._last[next(iter(self._last))]
            self._last[key] = variance
        return self._last[key].copy()


def mean_optimizer(optimizer: Optimizer, noise: Noise) -> Optimizer:
    r"""Return an optimizer whose run on the full gradient approximates the mean run on stochastic gradients.

    The mean of a squared stochastic gradient :math:`g_B` is the square of its mean plus its variance.  In
    every second moment the square is replaced by

    .. math::
        E\,g_B^2 = g^2 + c\,(q - g^2), \qquad q = \frac1N \sum_j g_j^2, \qquad
        c = \frac1b \;\text{ or }\; \frac{N-b}{b\,(N-1)}

    with the gradients :math:`g_j` of the N samples, for batches of b samples drawn with or without
    replacement.  For :class:`~idescent.stochastic.Additive` noise the variance is constant.  Without
    replacement the batches of an epoch depend on each other, but each of them alone is a random subset, and
    the mean of a square depends on nothing else.

    The result is a declared optimizer: :func:`idescent.simulate`, :func:`idescent.predict` and
    :func:`idescent.solve` with :class:`~idescent.models.HalfStep` or :class:`~idescent.models.Naive` accept
    it.  For constant :math:`\theta` the mean of v is exact.  Otherwise the approximation neglects

    - the fluctuation of v, and its correlation with the gradient of the same step: they grow with
      :math:`1-\beta_2`, and decrease as :math:`1/k` for a sum;
    - the fluctuation of :math:`\theta`, which adds :math:`\frac12\,\mathrm{tr}(H\,\mathrm{Cov}\,\theta)` to
      the mean loss: it grows with :math:`\alpha`.

    Parameters
    ----------
    optimizer : Optimizer
        Its memories are averages, accumulations or sums, updated before the step, of the gradient or its
        square; other memories do not read the gradient.
    noise : Noise
        For example ``Batches(objective, size=32)``.  The objective has the attribute ``dimension``: the
        number of parameters, or None for any.

    Returns
    -------
    Optimizer
        Of a subclass of the class of ``optimizer``, with the same hyper-parameters.  Its attribute
        ``noise_variance.evaluations`` counts the evaluations of the noise, which are not gradients of the
        report: with mini-batches each costs the gradients of all samples.  It can be pickled if ``optimizer``
        and ``noise`` can; a copy counts from 0.

    Raises
    ------
    ValueError
        If the optimizer has no second moment or another structure, or the objective has no ``dimension``.
    """
    check_declared(optimizer)
    declared = optimizer.memories()
    why = _refused(optimizer, declared)
    if why is not None:
        raise ValueError(f"mean_optimizer does not cover {type(optimizer).__name__}: {why}")
    offers("noise", noise, "objective", "variance")
    offers("objective", noise.objective, "dimension")
    variance = NoiseVariance(noise)

    def square(gradient: Array, theta: Array) -> Array:
        # The square of a standard deviation is a variance, or for the norm the sum of variances.
        return optimizer.squares(gradient) + optimizer.squares(np.sqrt(variance(theta)))

    def memories(self: Optimizer) -> dict[str, DeclaredMemory]:
        return {
            name: replace(memory, of=square) if memory.of == "square" else memory
            for name, memory in declared.items()
        }

    def rebuild(self: Optimizer) -> tuple[Any, ...]:
        # The class has no name that pickle could import.
        return mean_optimizer, (optimizer, noise)

    kind = type(optimizer)
    parts = {
        "memories": memories,
        "noise_variance": variance,
        "__module__": __name__,
        "__reduce__": rebuild,
    }
    mean: Callable[..., Optimizer] = type(f"Mean{kind.__name__}", (kind,), parts)
    return mean(**optimizer.hyperparameters)


def _refused(optimizer: Optimizer, memories: Mapping[str, DeclaredMemory]) -> str | None:
    """Return the reason why the mean of an optimizer is not known, or None."""
    if not any(memory.of == "square" for memory in memories.values()):
        return "it has no memory of the square: its mean run is that on the full gradient, or is not known"
    if optimizer.shape is not None:
        return "its parameter is a matrix"
    if optimizer.point is not None:
        return "its gradient is evaluated at another point than theta"
    for name, memory in memories.items():
        if memory.kind == "maximum":
            return f"its memory {name!r} is a maximum"
        if callable(memory.of) and _reads_gradient(memory.of):
            return f"its memory {name!r} is fed by another function of the gradient than its square"
        if callable(memory.start) and _reads_gradient(memory.start):
            return f"its memory {name!r} starts from the gradient"
        if memory.of == "square" and memory.read == "old":
            return f"its memory {name!r} is updated after the step"
    return None


def _reads_gradient(function: Callable[..., Any]) -> bool:
    return "gradient" in inspect.signature(function).parameters
