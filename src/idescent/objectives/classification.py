"""The common base of classifiers trained by cross-entropy.

What lives here: the cross-entropy and its derivatives, mini-batches, ridge, accuracy, and the division of
many points into chunks that fit in a cache.  What does not: the scores as a function of parameters and
features (the subclasses), the data (:mod:`idescent.objectives.data`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from idescent.objectives.data import Labels, Split
from idescent.objectives.protocol import Array, Indices

# Numbers in one intermediate array: 2 MB, the second-level cache of a core.
_CHUNK = 2**18


class Classifier(ABC):
    r"""The mean cross-entropy of a classifier over training samples, and a ridge on all its parameters.

    .. math:: f(\theta) = \frac1N \sum_j \Bigl(\log \sum_k e^{z_{jk}} - z_{j y_j}\Bigr)
              + \frac\rho2 |\theta|^2

    with scores :math:`z_j = z(\theta, x_j)`.  For two classes there is a single score z: their scores are 0
    and z.

    Parameters
    ----------
    split : Split
        The data.
    ridge : float
        :math:`\rho \geq 0`.
    dimension : int
        Number of parameters n.
    width : int
        Numbers in the largest layer for one sample.
    """

    def __init__(self, split: Split, ridge: float, dimension: int, width: int) -> None:
        if not 0.0 <= ridge < np.inf:
            raise ValueError(
                f"{type(self).__name__}.ridge: {ridge!r} is not allowed: must be >= 0 and finite"
            )
        self.split, self.ridge, self.dimension, self._width = split, float(ridge), dimension, width
        self.samples = len(split.x)
        classes = self.scores_per_sample
        # The labels as numbers 0 and 1, with one column for each score.
        self._targets: Array = (
            split.y[:, None].astype(np.float64) if classes == 1 else np.eye(classes)[split.y]
        )

    @property
    @abstractmethod
    def scores_per_sample(self) -> int:
        """Number of scores k: the number of classes, or 1 if there are two."""

    @abstractmethod
    def scores(self, theta: Array, x: Array) -> Array:
        """Return the scores (m, b, k) of samples (b, p) or (m, b, p) at points (m, n)."""

    @abstractmethod
    def _loss_gradient(self, theta: Array, x: Array, targets: Array) -> Array:
        """Return the gradient of the mean cross-entropy, (m, n), at points (m, n)."""

    @abstractmethod
    def _loss_product(self, theta: Array, direction: Array, x: Array, targets: Array) -> Array:
        """Return the Hessian of the mean cross-entropy times directions, (m, n), at points (m, n)."""

    def value(self, theta: Array) -> Array:
        """Return the mean over all training samples, shape (...)."""
        return self._penalised(theta, self._chunks(self._loss, None, theta))

    def gradient(self, theta: Array) -> Array:
        """Return the gradient of :meth:`value`, shape (..., n)."""
        return self._chunks(self._loss_gradient, None, theta) + self.ridge * theta

    def value_of(self, theta: Array, indices: Indices) -> Array:
        """Return the mean over a mini-batch; shapes as in ``FiniteSum``."""
        return self._penalised(theta, self._chunks(self._loss, indices, theta))

    def gradient_of(self, theta: Array, indices: Indices) -> Array:
        """Return the gradient of :meth:`value_of`, shape (..., n)."""
        return self._chunks(self._loss_gradient, indices, theta) + self.ridge * theta

    def hessian_vector(self, theta: Array, direction: Array) -> Array:
        """Return the exact Hessian times directions of the shape of ``theta``."""
        return self._chunks(self._loss_product, None, theta, direction) + self.ridge * direction

    def accuracy(self, theta: Array, split: str = "test") -> Array:
        """Return the fraction of samples classified correctly, shape (...).

        Parameters
        ----------
        theta : ndarray, shape (..., n)
        split : {"train", "test"}

        Raises
        ------
        ValueError
            If ``split`` is neither.
        """
        if split not in ("train", "test"):
            raise ValueError(f"split: {split!r} is not allowed: must be 'train' or 'test'")
        data = self.split
        x, y = (data.x, data.y) if split == "train" else (data.x_test, data.y_test)
        points = theta.reshape(-1, self.dimension)
        right = [np.mean(self._classes(point[None], x) == y) for point in points]
        return np.asarray(right).reshape(theta.shape[:-1])

    def _classes(self, theta: Array, x: Array) -> Labels:
        scores = self.scores(theta, x)[0]
        classes: Labels = (scores[:, 0] > 0.0).astype(np.intp) if scores.shape[-1] == 1 else scores.argmax(-1)
        return classes

    def _penalised(self, theta: Array, loss: Array) -> Array:
        return np.asarray(loss + 0.5 * self.ridge * (theta * theta).sum(axis=-1))

    def _loss(self, theta: Array, x: Array, targets: Array) -> Array:
        scores = self.scores(theta, x)
        return np.asarray((log_sum_exp(scores) - (scores * targets).sum(axis=-1)).mean(axis=-1))

    def _chunks(self, evaluate: Callable[..., Array], indices: Indices | None, *points: Array) -> Array:
        """Evaluate at points (..., n), a chunk of them at a time.

        The bits of a point's result do not depend on the other points: products are computed point by point.
        """
        own = indices is not None and indices.ndim > 1
        lead = points[0].shape[:-1]
        if indices is not None and own:
            lead = np.broadcast_shapes(lead, indices.shape[:-1])
            indices = np.broadcast_to(indices, (*lead, indices.shape[-1])).reshape(-1, indices.shape[-1])
        flat = [np.broadcast_to(p, (*lead, self.dimension)).reshape(-1, self.dimension) for p in points]
        x, targets = self.split.x, self._targets
        if indices is not None and not own:
            x, targets = x[indices], targets[indices]
        batch = self.samples if indices is None else indices.shape[-1]
        size = max(1, _CHUNK // (batch * self._width))
        parts = []
        for i in range(0, max(1, len(flat[0])), size):
            if indices is not None and own:
                x, targets = self.split.x[indices[i : i + size]], self._targets[indices[i : i + size]]
            parts.append(evaluate(*(p[i : i + size] for p in flat), x, targets))
        whole = np.concatenate(parts)
        return whole.reshape((*lead, *whole.shape[1:]))


def log_sum_exp(scores: Array) -> Array:
    """Return the logarithm of the sum of exponentials over the last axis; a single score z means (0, z)."""
    if scores.shape[-1] == 1:
        return np.logaddexp(0.0, scores[..., 0])
    largest = scores.max(axis=-1, keepdims=True)
    return np.asarray(largest[..., 0] + np.log(np.exp(scores - largest).sum(axis=-1)))


def probabilities(scores: Array) -> Array:
    """Return the derivative of :func:`log_sum_exp`, shape of ``scores``: softmax or logistic function."""
    if scores.shape[-1] == 1:
        return 0.5 * (1.0 + np.tanh(0.5 * scores))  # no overflow, unlike 1 / (1 + exp(-z))
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def probability_change(probability: Array, change: Array) -> Array:
    """Return the derivative of :func:`probabilities` along changes of the scores, shape of ``change``."""
    if change.shape[-1] == 1:
        return probability * (1.0 - probability) * change
    return np.asarray(probability * (change - (probability * change).sum(axis=-1, keepdims=True)))


def layer(theta: Array, offset: int, inputs: int, outputs: int) -> tuple[Array, Array, int]:
    """Return a layer's weights (m, inputs, outputs), biases (m, 1, outputs), and the next layer's offset."""
    middle = offset + inputs * outputs
    end = middle + outputs
    weights = theta[:, offset:middle].reshape(-1, inputs, outputs)
    return weights, theta[:, None, middle:end], end


def flattened(*layers: tuple[Array, Array]) -> Array:
    """Return parameters (m, n) from pairs of weights (m, inputs, outputs) and biases (m, outputs)."""
    whole: Array = np.concatenate([part.reshape(len(part), -1) for pair in layers for part in pair], axis=-1)
    return whole


def drawn(stream: np.random.RandomState, inputs: int, outputs: int) -> tuple[Array, Array]:
    """Draw a layer: weights with variance 1 / inputs, biases 0 (LeCun et al. 1998, Section 4.6)."""
    weights = stream.standard_normal((1, inputs, outputs)) / np.sqrt(inputs)
    return weights, np.zeros((1, outputs))
