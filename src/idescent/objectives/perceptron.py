"""A perceptron with two layers, the smallest kind of neural network."""

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
from idescent.objectives.protocol import Array


class Perceptron(Classifier):
    r"""A network with one hidden layer of hyperbolic tangents, trained by cross-entropy.

    .. math:: z_j = \tanh(x_j W_1 + b_1) W_2 + b_2, \qquad \theta = (W_1, b_1, W_2, b_2)

    with matrices row by row, and f as in :class:`~idescent.objectives.classification.Classifier`.  Not
    convex, as hidden units can be exchanged.  The gradient is computed by back-propagation, products with the
    Hessian by the method of Pearlmutter (1994); both are exact.

    Parameters
    ----------
    split : Split
        The data; classes 0, 1, ...
    hidden : int
        Number of hidden units h; there are n = (p + 1) h + (h + 1) k parameters for p features and k classes.
    ridge : float
        :math:`\rho`.

    Raises
    ------
    ValueError
        If ``hidden`` < 1 or ``ridge`` < 0.
    """

    def __init__(self, split: Split, hidden: int = 66, ridge: float = 0.0) -> None:
        if hidden < 1:
            raise ValueError(f"Perceptron.hidden: {hidden!r} is not allowed: must be >= 1")
        self._features, self.hidden, self._outputs = split.x.shape[1], hidden, int(split.y.max()) + 1
        dimension = (self._features + 1) * hidden + (hidden + 1) * self._outputs
        super().__init__(split, ridge, dimension, max(self._features, hidden, self._outputs))

    @classmethod
    def digits(cls, hidden: int = 66, ridge: float = 0.0, test: float = 0.2, seed: int = 0) -> Perceptron:
        """Classify the 1797 images of scikit-learn's digits; 4 960 parameters with 66 hidden units.

        Parameters
        ----------
        hidden : int
        ridge : float
        test : float
            Fraction of the samples that is held out.
        seed : int
            Seed of the split.
        """
        return cls(split(*read("digits"), test, seed), hidden, ridge)

    @property
    def scores_per_sample(self) -> int:
        """Number of classes."""
        return self._outputs

    def initial(self, seed: int) -> Array:
        """Return weights of variance 1 / inputs of their layer and biases 0, shape (n,)."""
        stream = np.random.RandomState(seed)
        first = drawn(stream, self._features, self.hidden)
        start: Array = flattened(first, drawn(stream, self.hidden, self._outputs))[0]
        return start

    def scores(self, theta: Array, x: Array) -> Array:
        """Return the scores (m, b, k) of samples (b, p) or (m, b, p) at points (m, n)."""
        (w1, b1), (w2, b2) = self._layers(theta)
        return np.asarray(np.tanh(x @ w1 + b1) @ w2 + b2)

    def _layers(self, theta: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        w1, b1, end = layer(theta, 0, self._features, self.hidden)
        w2, b2, _ = layer(theta, end, self.hidden, self._outputs)
        return (w1, b1), (w2, b2)

    def _loss_gradient(self, theta: Array, x: Array, targets: Array) -> Array:
        (w1, b1), (w2, b2) = self._layers(theta)
        units = np.tanh(x @ w1 + b1)
        by_score = (probabilities(units @ w2 + b2) - targets) / x.shape[-2]
        by_sum = (1.0 - units * units) * (by_score @ _turned(w2))
        return flattened(
            (_turned(x) @ by_sum, by_sum.sum(axis=-2)), (_turned(units) @ by_score, by_score.sum(axis=-2))
        )

    def _loss_product(self, theta: Array, direction: Array, x: Array, targets: Array) -> Array:
        (w1, b1), (w2, b2) = self._layers(theta)
        (dw1, db1), (dw2, db2) = self._layers(direction)
        units = np.tanh(x @ w1 + b1)
        slope = 1.0 - units * units
        probability = probabilities(units @ w2 + b2)
        by_score = (probability - targets) / x.shape[-2]
        by_unit = by_score @ _turned(w2)
        # Derivatives of all of the above along the direction.
        d_units = slope * (x @ dw1 + db1)
        d_score = d_units @ w2 + units @ dw2 + db2
        d_by_score = probability_change(probability, d_score) / x.shape[-2]
        d_by_unit = d_by_score @ _turned(w2) + by_score @ _turned(dw2)
        d_by_sum = slope * d_by_unit - 2.0 * units * d_units * by_unit
        second = _turned(d_units) @ by_score + _turned(units) @ d_by_score
        return flattened((_turned(x) @ d_by_sum, d_by_sum.sum(axis=-2)), (second, d_by_score.sum(axis=-2)))

    def __repr__(self) -> str:
        """Return a summary."""
        return (
            f"Perceptron(N={self.samples}, hidden={self.hidden}, dimension={self.dimension}, "
            f"ridge={self.ridge})"
        )


def _turned(matrices: Array) -> Array:
    return np.swapaxes(matrices, -1, -2)
