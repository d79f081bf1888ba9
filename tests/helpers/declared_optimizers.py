"""Optimizers of one's own, as a user declares them; each in a way that no optimizer of the paper needs."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from idescent.optimizers import Optimizer, accumulate, average, maximum, recursion, total


@dataclass(frozen=True)
class NAdam(Optimizer):
    """Sequences, one of them by recursion."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    psi: float = 4e-3

    def memories(self):
        return {"m": average(self.beta1), "v": average(self.beta2, of="square")}

    def sequences(self):
        def momentum(k):
            return self.beta1 * (1 - 0.5 * 0.96 ** (k * self.psi))

        product = recursion(1.0, lambda product_old, mu: product_old * mu)
        return {"mu": momentum, "next_mu": lambda k: momentum(k + 1), "product": product}

    def step(self, gradient, m, v, mu, next_mu, product, k):
        top = (1 - mu) / (1 - product) * gradient + next_mu / (1 - product * next_mu) * m
        return top / (np.sqrt(v / (1 - self.beta2**k)) + self.eps)


@dataclass(frozen=True)
class AdaDelta(Optimizer):
    """A memory that is fed by the step itself."""

    beta: float = 0.9
    eps: float = 1e-3

    def memories(self):
        return {
            "v": average(self.beta, of="square"),
            "u": average(self.beta, of=lambda direction: direction**2, read="old"),
        }

    def step(self, gradient, u, v):
        return np.sqrt(u + self.eps) / np.sqrt(v + self.eps) * gradient


@dataclass(frozen=True)
class ScheduleFree(Optimizer):
    """A gradient at another point, a decay that depends on k, and another iterate that is stored."""

    beta: float = 0.9

    def memories(self):
        return {
            "x": average(lambda k: 1 - 1 / k, of=lambda theta: theta, read="old", start=lambda theta: theta)
        }

    def point(self, theta, x):
        return (1 - self.beta) * theta + self.beta * x

    def step(self, gradient):
        return gradient

    def evaluate(self, x):
        return x


@dataclass(frozen=True)
class Mixed(Optimizer):
    """Every kind of memory, starts of every kind, old values, decay at the point."""

    beta: float = 0.8
    weight_decay: float = 0.3
    decay: ClassVar[str] = "coupled"

    def memories(self):
        return {
            "a": accumulate(self.beta, start=lambda gradient: -gradient),
            "b": maximum(self.beta, of=lambda gradient, a_old: np.abs(gradient - a_old)),
            "c": total(of=lambda b: b[..., :1], start=np.array([2.0])),
            "d": average(lambda k: 1 / (k + 1), of=lambda theta, theta_old: theta - theta_old, read="old"),
        }

    def point(self, theta, d):
        return theta + 0.5 * d

    def step(self, a, b, b_old, c, d, alpha):
        return a / (1 + b + b_old + np.sqrt(c)) + alpha * d


@dataclass(frozen=True)
class Polar(Optimizer):
    """A matrix parameter: the polar factor of its momentum."""

    beta: float = 0.9
    shape: Any = (2, 3)
    weight_decay: float = 0.1
    decay: ClassVar[str] = "decoupled"

    def memories(self):
        return {
            "m": average(self.beta),
            "left": total(
                of=lambda gradient: gradient @ np.swapaxes(gradient, -1, -2), start=np.zeros((2, 2))
            ),
        }

    def step(self, m, left):
        u, _, v = np.linalg.svd(m, full_matrices=False)
        return u @ v / (1 + np.trace(left, axis1=-2, axis2=-1)[..., None, None])


OWN = (NAdam(), AdaDelta(), ScheduleFree(), Mixed(), Polar())
