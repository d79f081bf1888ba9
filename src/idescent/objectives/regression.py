"""Logistic and softmax regression: convex classifiers on real data."""

from __future__ import annotations

import numpy as np

from idescent.objectives.classification import (
    Classifier,
    drawn,
    flattened,
    layer,
    probabilities,
    probability_change,
)
from idescent.objectives.data import Split, read, split
from idescent.objectives.protocol import DENSE, Array


class _Linear(Classifier):
    """Scores that are linear in the features: ``z = x W + b``, parameters ``W`` row by row, then ``b``."""

    def __init__(self, split: Split, ridge: float) -> None:
        self._features, self._outputs = split.x.shape[1], self._count(split)
        super().__init__(split, ridge, (self._features + 1) * self._outputs, self._features + self._outputs)

    @staticmethod
    def _count(split: Split) -> int:
        return int(split.y.max()) + 1

    @property
    def scores_per_sample(self) -> int:
        """Number of classes, or 1 if there are two."""
        return self._outputs

    def initial(self, seed: int) -> Array:
        """Return weights of variance 1/p and biases 0, shape (n,)."""
        start: Array = flattened(drawn(np.random.RandomState(seed), self._features, self._outputs))[0]
        return start

    def scores(self, theta: Array, x: Array) -> Array:
        """Return the scores (m, b, k) of samples (b, p) or (m, b, p) at points (m, n)."""
        weights, biases, _ = layer(theta, 0, self._features, self._outputs)
        return np.asarray(x @ weights + biases)

    def _loss_gradient(self, theta: Array, x: Array, targets: Array) -> Array:
        return self._pulled(x, probabilities(self.scores(theta, x)) - targets)

    def _loss_product(self, theta: Array, direction: Array, x: Array, targets: Array) -> Array:
        probability = probabilities(self.scores(theta, x))
        return self._pulled(x, probability_change(probability, self.scores(direction, x)))

    @staticmethod
    def _pulled(x: Array, by_score: Array) -> Array:
        """Return the derivative by the parameters from that by the scores (chain rule)."""
        samples = x.shape[-2]
        pulled: Array = flattened((np.swapaxes(x, -1, -2) @ by_score, by_score.sum(axis=-2))) / samples
        return pulled


class LogisticRegression(_Linear):
    r"""Logistic regression of two classes, with a ridge on all parameters.

    .. math:: f(\theta) = \frac1N \sum_j \log(1 + e^{z_j}) - y_j z_j + \frac\rho2 |\theta|^2, \qquad
              z_j = w \cdot x_j + b, \quad \theta = (w, b)

    Strongly convex for :math:`\rho > 0`.

    Parameters
    ----------
    split : Split
        The data; classes 0 and 1.
    ridge : float
        :math:`\rho`.

    Raises
    ------
    ValueError
        If ``ridge`` is negative, or there are other classes than 0 and 1.
    """

    def __init__(self, split: Split, ridge: float = 1e-3) -> None:
        super().__init__(split, ridge)
        if self.dimension <= DENSE:
            self.hessian = self._hessian

    @staticmethod
    def _count(split: Split) -> int:
        if set(np.unique(split.y)) != {0, 1}:
            raise ValueError(f"LogisticRegression: classes {np.unique(split.y).tolist()}: must be 0 and 1")
        return 1

    @classmethod
    def breast_cancer(cls, ridge: float = 1e-3, test: float = 0.2, seed: int = 0) -> LogisticRegression:
        """Classify the 569 tumours of scikit-learn's breast-cancer data; 31 parameters.

        Parameters
        ----------
        ridge : float
        test : float
            Fraction of the samples that is held out.
        seed : int
            Seed of the split.
        """
        return cls(split(*read("breast_cancer"), test, seed), ridge)

    def _hessian(self, theta: Array) -> Array:
        points = theta.reshape(-1, self.dimension)
        x = np.concatenate([self.split.x, np.ones((self.samples, 1))], axis=-1)
        full = np.empty((len(points), self.dimension, self.dimension))
        for i, point in enumerate(points):
            probability = probabilities(self.scores(point[None], self.split.x))[0]
            full[i] = (probability * (1.0 - probability) * x).T @ x / self.samples
        full += self.ridge * np.eye(self.dimension)
        return full.reshape(*theta.shape, self.dimension)

    def __repr__(self) -> str:
        """Return a summary."""
        return f"LogisticRegression(N={self.samples}, dimension={self.dimension}, ridge={self.ridge})"


class SoftmaxRegression(_Linear):
    r"""Softmax regression, with a ridge on all parameters.

    .. math:: f(\theta) = \frac1N \sum_j \Bigl(\log \sum_k e^{z_{jk}} - z_{j y_j}\Bigr)
              + \frac\rho2 |\theta|^2, \qquad z_j = x_j W + b

    Convex, and strongly convex for :math:`\rho > 0`; for :math:`\rho = 0` f does not change if a constant is
    added to all scores.

    Parameters
    ----------
    split : Split
        The data; classes 0, 1, ...
    ridge : float
        :math:`\rho`.

    Raises
    ------
    ValueError
        If ``ridge`` is negative.
    """

    def __init__(self, split: Split, ridge: float = 1e-3) -> None:
        super().__init__(split, ridge)

    @classmethod
    def digits(cls, ridge: float = 1e-3, test: float = 0.2, seed: int = 0) -> SoftmaxRegression:
        """Classify the 1797 images of scikit-learn's digits; 650 parameters.

        Parameters
        ----------
        ridge : float
        test : float
            Fraction of the samples that is held out.
        seed : int
            Seed of the split.
        """
        return cls(split(*read("digits"), test, seed), ridge)

    def __repr__(self) -> str:
        """Return a summary."""
        return f"SoftmaxRegression(N={self.samples}, dimension={self.dimension}, ridge={self.ridge})"
