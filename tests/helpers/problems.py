"""Objectives with known difficulties, shared by the tests of models."""

import numpy as np


class Rosenbrock:
    """A curved valley in two dimensions."""

    def value(self, theta):
        x, y = theta[..., 0], theta[..., 1]
        return (1 - x) ** 2 + 100 * (y - x * x) ** 2

    def gradient(self, theta):
        x, y = theta[..., 0], theta[..., 1]
        return np.stack([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)], axis=-1)


class Rotated:
    """A quadratic in three dimensions with a full Hessian, by default an ill-conditioned one."""

    def __init__(self, curvatures=(1.0, 10.0, 100.0)):
        basis = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
        self.matrix = basis @ np.diag(curvatures) @ basis.T

    def value(self, theta):
        return 0.5 * np.einsum("...i,ij,...j", theta, self.matrix, theta)

    def gradient(self, theta):
        return theta @ self.matrix


class DoubleWell:
    """(theta^2 - 1)^2 / 4, summed over coordinates."""

    def value(self, theta):
        return 0.25 * ((theta * theta - 1.0) ** 2).sum(axis=-1)

    def gradient(self, theta):
        return theta * (theta * theta - 1.0)


class Linear:
    """The same gradient everywhere."""

    def __init__(self, slope):
        self.slope = np.asarray(slope, dtype=float)

    def value(self, theta):
        return theta @ self.slope

    def gradient(self, theta):
        return np.broadcast_to(self.slope, theta.shape).copy()


class Cosh:
    """A bowl without symmetry of scale, in one dimension."""

    def value(self, theta):
        return np.cosh(theta[..., 0])

    def gradient(self, theta):
        return np.sinh(theta)


class Opaque:
    """Another objective's value and gradient, without the closed form that the compiled kernel needs."""

    def __init__(self, objective, noise=0.0, seed=0):
        self.objective, self.noise, self.stream = objective, noise, np.random.RandomState(seed)

    def value(self, theta):
        return self.objective.value(theta)

    def gradient(self, theta):
        gradient = self.objective.gradient(theta)
        return (
            gradient + self.noise * self.stream.uniform(-1.0, 1.0, gradient.shape) if self.noise else gradient
        )
