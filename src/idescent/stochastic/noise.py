r"""Sources of gradient noise, and their covariance for models.

A source serves two users.  A discrete run takes stochastic gradients from it.  A stochastic differential
equation takes a vector :math:`C(\theta)^{1/2}\,\Delta W` with the covariance :math:`C` of one stochastic
gradient, and the diagonal of :math:`C`.

What lives here: mini-batches of a finite sum, and additive Gaussian noise with a known covariance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.objectives.protocol import CountedObjective, FiniteSum, Objective, evaluate
from idescent.stochastic.streams import batches, brownian

Array = NDArray[np.float64]

# Numbers of per-sample gradients in memory at a time (32 MB).
_AT_ONCE = 1 << 22
# Those of which only sums are needed: 2 MB, the second-level cache of a core.
_CACHED = 1 << 18


class Noise(Protocol):
    """A source of stochastic gradients; ``n`` is the number of parameters, ``R`` that of runs."""

    @property
    def objective(self) -> Objective:
        """Objective whose gradient is the mean of the stochastic gradients."""

    def draws(self, n: int, *, seed: int, runs: range) -> Iterator[Any]:
        """Yield the draws of iterations 1, 2, ... of the runs."""

    def gradient(self, theta: Array, drawn: Any) -> tuple[Array, int]:
        """Return stochastic gradients at ``theta``, shape (R, n), and the samples taken for each run."""

    def sources(self, n: int) -> int:
        """Return the dimension of the Brownian motion of a model."""

    def spread(self, theta: Array, increments: Array) -> tuple[Array, Array, Array]:
        r"""Return the mean gradient, :math:`C^{1/2}\Delta W` and the diagonal of C, shape (R, n) each.

        Parameters
        ----------
        theta : ndarray, shape (R, n)
        increments : ndarray, shape (R, sources(n))
            :math:`\Delta W`.
        """

    def variance(self, theta: Array) -> Array:
        """Return the diagonal of C, shape of ``theta``, (..., n)."""


@dataclass(frozen=True)
class Batches:
    r"""Mini-batches of a finite sum.

    With the gradients :math:`g_j` of the N samples, their mean :math:`\bar g` and
    :math:`\Sigma = \frac1N\sum_j (g_j-\bar g)(g_j-\bar g)^T`, the mean over b samples drawn with replacement
    has the covariance :math:`C = \Sigma/b`.  Without replacement it is :math:`C = \frac{N-b}{N-1}\,\Sigma/b`,
    and the batches of an epoch are correlated, which a model driven by Brownian motion cannot express.

    Parameters
    ----------
    objective : FiniteSum
    size : int, >= 1
        b.
    replacement : bool
    covariance : {"full", "diagonal"}
        ``full``: N independent Brownian motions, :math:`C^{1/2}\Delta W = \sqrt{c/N}\sum_j (g_j - \bar
        g)\,\Delta W_j` with :math:`C = c\,\Sigma`: the exact covariance without its root.  ``diagonal``: n
        Brownian motions, without correlations between coordinates.  Both need all N gradients.

    Raises
    ------
    ValueError
        If the objective is not a finite sum, or ``covariance`` is another value.
    """

    objective: FiniteSum
    size: int
    replacement: bool = True
    covariance: Literal["full", "diagonal"] = "full"

    def __post_init__(self) -> None:
        """Check the objective and the kind of covariance."""
        if not isinstance(self.objective, FiniteSum):
            raise ValueError(f"objective: {self.objective!r} is not allowed: must be a mean over samples")
        if self.covariance not in ("full", "diagonal"):
            raise ValueError(
                f"Batches.covariance: {self.covariance!r} is not allowed: must be 'full' or 'diagonal'"
            )

    def draws(self, n: int, *, seed: int, runs: range) -> Iterator[Any]:
        """Yield batches, shape (R, b)."""
        return batches(self.objective.samples, self.size, seed=seed, runs=runs, replacement=self.replacement)

    def gradient(self, theta: Array, drawn: Any) -> tuple[Array, int]:
        """Return the mean gradients of the batches."""
        return evaluate(self.objective, "gradient_of", theta, drawn), self.size

    def sources(self, n: int) -> int:
        """Return N or n."""
        return self.objective.samples if self.covariance == "full" else n

    @property
    def scale(self) -> float:
        r"""The factor c in :math:`C = c\,\Sigma`."""
        samples = self.objective.samples
        fewer = 1.0 if self.replacement else (samples - self.size) / max(samples - 1, 1)
        return fewer / self.size

    def variance(self, theta: Array) -> Array:
        """See :class:`Noise`; costs the gradients of all samples at every point."""
        samples, n = self.objective.samples, theta.shape[-1]
        points = theta.reshape(-1, n)
        means, sums = CountedObjective(self.objective).gradient(points), np.zeros_like(points)
        # The division of the samples depends on no number of points, which would change the bits of a sum.
        at_once, few = max(1, _CACHED // n), max(1, _CACHED // (samples * n))
        for part in (slice(i, i + few) for i in range(0, len(points), few)):
            for start in range(0, samples, at_once):
                some = np.arange(start, min(start + at_once, samples))[:, None]
                each = evaluate(self.objective, "gradient_of", points[part, None], some)
                # Differences from the mean: q - g^2 would lose the digits of a small variance.
                each -= means[part, None]
                each *= each
                sums[part] += each.sum(axis=1)
        return np.asarray(self.scale / samples * sums).reshape(theta.shape)

    def spread(self, theta: Array, increments: Array) -> tuple[Array, Array, Array]:
        """See :class:`Noise`; costs the gradients of all samples at every point."""
        samples, (runs, n) = self.objective.samples, theta.shape
        every = np.arange(samples)[:, None]
        means, vectors, variances = np.empty((3, runs, n))
        at_once = max(1, _AT_ONCE // (samples * n))
        for start in range(0, runs, at_once):
            part = slice(start, start + at_once)
            each = evaluate(self.objective, "gradient_of", theta[part, None], every)
            means[part] = each.mean(axis=1)
            each = each - means[part, None]
            variances[part] = self.scale * np.einsum("rjn,rjn->rn", each, each) / samples
            if self.covariance == "full":
                root = np.sqrt(self.scale / samples)
                vectors[part] = root * np.einsum("rj,rjn->rn", increments[part], each)
        if self.covariance == "diagonal":
            vectors = np.sqrt(variances) * increments
        return means, vectors, variances


@dataclass(frozen=True)
class Additive:
    r"""The gradient plus Gaussian noise of constant covariance, :math:`\nabla f(\theta) + S\xi`.

    The noise of iteration k is the increment, over this iteration, of the Brownian motion of a model with the
    same seed and run number: run and model can be compared path by path.

    Parameters
    ----------
    objective : Objective
    factor : float or array_like, shape (n,) or (n, n)
        S: standard deviations, or a matrix with :math:`C = SS^T`.
    """

    objective: Objective
    factor: ArrayLike
    _matrix: Array = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the factor."""
        matrix = np.asarray(self.factor, dtype=np.float64)
        if matrix.ndim > 2 or not np.isfinite(matrix).all():
            raise ValueError(
                f"Additive.factor: {self.factor!r} is not allowed: must be a number, a vector or a matrix"
            )
        object.__setattr__(self, "_matrix", matrix)

    def draws(self, n: int, *, seed: int, runs: range) -> Iterator[Any]:
        """Yield standard normals, shape (R, n)."""
        return (whole[0] for whole in brownian(n, 1, seed=seed, runs=runs))

    def gradient(self, theta: Array, drawn: Any) -> tuple[Array, int]:
        """Return the gradient plus noise."""
        return CountedObjective(self.objective).gradient(theta) + self._vector(drawn), 1

    def sources(self, n: int) -> int:
        """Return n."""
        return n

    def spread(self, theta: Array, increments: Array) -> tuple[Array, Array, Array]:
        """See :class:`Noise`."""
        return (
            CountedObjective(self.objective).gradient(theta),
            self._vector(increments),
            self.variance(theta),
        )

    def variance(self, theta: Array) -> Array:
        """See :class:`Noise`."""
        square = self._matrix * self._matrix
        return np.broadcast_to(square.sum(axis=1) if square.ndim == 2 else square, theta.shape)

    def _vector(self, increments: Array) -> Array:
        # Not a matrix product, whose bits may depend on the number of runs.
        by_row = self._matrix.ndim == 2
        product = np.einsum("rj,ij->ri", increments, self._matrix) if by_row else self._matrix * increments
        return np.asarray(product)
