"""Classes of one's own for the checks: right ones, and wrong ones with the check that catches each."""

OBJECTIVES = '''
import numpy as np


class Ripple:
    """sum of cosh(x_i - i) and a coupling of neighbours."""

    def __init__(self, weight=0.5):
        self.weight = weight

    def value(self, theta):
        i = np.arange(theta.shape[-1])
        beside = theta[..., 1:] * theta[..., :-1]
        return np.cosh(theta - i).sum(axis=-1) + self.weight * beside.sum(axis=-1)

    def gradient(self, theta):
        g = np.sinh(theta - np.arange(theta.shape[-1]))
        g[..., 1:] += self.weight * theta[..., :-1]
        g[..., :-1] += self.weight * theta[..., 1:]
        return g

    def hessian(self, theta):
        n = theta.shape[-1]
        h = np.cosh(theta - np.arange(n))[..., None] * np.eye(n)
        return h + self.weight * (np.eye(n, k=1) + np.eye(n, k=-1))

    def hessian_vector(self, theta, direction):
        return (self.hessian(theta) @ direction[..., None])[..., 0]


class Mean:
    """Half the mean squared distance to three points on a line."""

    samples = 3
    data = np.array([0.0, 1.0, 5.0])

    def value(self, theta):
        return self.value_of(theta, np.arange(3))

    def gradient(self, theta):
        return self.gradient_of(theta, np.arange(3))

    def value_of(self, theta, indices):
        return 0.5 * ((theta[..., None] - self.data[indices][..., None, :]) ** 2).mean(axis=-1).sum(axis=-1)

    def gradient_of(self, theta, indices):
        return (theta[..., None] - self.data[indices][..., None, :]).mean(axis=-1)


class Bowl:
    def value(self, theta):
        return ((theta - 4.0) ** 2).sum(axis=-1)

    def gradient(self, theta):
        return 2.0 * (theta - 4.0)


class OnePoint(Bowl):
    vectorized = False

    def value(self, theta):
        return float(theta @ theta) + theta[0] * theta[1]

    def gradient(self, theta):
        return 2.0 * theta + np.array([theta[1], theta[0]])


class Walled(Bowl):
    def value(self, theta):
        return -np.log(1.01 - theta).sum(axis=-1)

    def gradient(self, theta):
        return 1.0 / (1.01 - theta)


class Looped(Bowl):
    def gradient(self, theta):
        rows = theta.reshape(-1, theta.shape[-1])
        return np.stack([2.0 * (row - 4.0) for row in rows]).reshape(theta.shape)


class WrongSign(Ripple):
    def gradient(self, theta):
        return -super().gradient(theta)


class SlightlyOff(Ripple):
    def gradient(self, theta):
        return super().gradient(theta) * (1.0 + 1e-5)


class OneComponentOff(Ripple):
    def gradient(self, theta):
        g = super().gradient(theta)
        g[..., 1] *= 1.0 + 1e-5
        return g


class KeptAxis(Bowl):
    def value(self, theta):
        return ((theta - 4.0) ** 2).sum(axis=-1, keepdims=True)


class InPlace(Bowl):
    def gradient(self, theta):
        theta -= 4.0
        return 2.0 * theta


class Noisy(Bowl):
    def gradient(self, theta):
        return super().gradient(theta) + 1e-9 * np.random.default_rng().standard_normal(theta.shape)


class Counting(Bowl):
    calls = 0

    def value(self, theta):
        self.calls += 1
        return super().value(theta) / self.calls


class Cached(Bowl):
    away = None

    def value(self, theta):
        self.away = theta - 4.0
        return (self.away**2).sum(axis=-1)

    def gradient(self, theta):
        if self.away is None or self.away.shape != theta.shape:
            self.away = theta - 4.0
        return 2.0 * self.away


class Buffered(Bowl):
    buffer = {}

    def gradient(self, theta):
        out = self.buffer.setdefault(theta.shape, np.empty(theta.shape))
        out[...] = 2.0 * (theta - 4.0)
        return out


class Single(Bowl):
    def gradient(self, theta):
        return (2.0 * (theta - 4.0)).astype(np.float32)


class SingleInside(Bowl):
    def value(self, theta):
        return ((theta.astype(np.float32) - np.float32(4.0)) ** 2).sum(axis=-1).astype(np.float64)


class Undeclared(OnePoint):
    vectorized = True


class MixedRows(Ripple):
    def gradient(self, theta):
        g = super().gradient(theta)
        return g if theta.ndim == 1 else g[..., ::-1, :]


class NotANumber(Bowl):
    def value(self, theta):
        return np.log(theta - 1.0).sum(axis=-1)

    def gradient(self, theta):
        return 1.0 / (theta - 1.0)


class Jump(Bowl):
    def value(self, theta):
        return super().value(theta) + 1e-3 * np.floor(1e7 * theta[..., 0])


class Asymmetric(Ripple):
    def hessian(self, theta):
        n = theta.shape[-1]
        return super().hessian(theta) + 0.1 * np.eye(n, k=1)

    def hessian_vector(self, theta, direction):
        return (Ripple.hessian(self, theta) @ direction[..., None])[..., 0]


class WrongHessian(Asymmetric):
    def hessian(self, theta):
        return 1.001 * Ripple.hessian(self, theta)


class WrongProduct(Ripple):
    def hessian_vector(self, theta, direction):
        return super().hessian_vector(theta, direction) + 1e-4 * direction


class NotDiagonal(Ripple):
    def hessian_diagonal(self, theta):
        return np.cosh(theta - np.arange(theta.shape[-1]))


class NotSeparable(Bowl):
    def separable_quadratic(self, n):
        return np.full(n, 2.0), np.full(n, 3.0)


class OtherRidge(Mean):
    def gradient_of(self, theta, indices):
        return super().gradient_of(theta, indices) + 1e-3 * theta

    def gradient(self, theta):
        return Mean.gradient_of(self, theta, np.arange(3))


class HalfASum(Bowl):
    samples = 3

    def gradient_of(self, theta, indices):
        return self.gradient(theta)


class NoGradient:
    def value(self, theta):
        return (theta**2).sum(axis=-1)


class Raises(Bowl):
    def gradient(self, theta):
        return self.weights * theta


class Unmade(Bowl):
    def __init__(self):
        raise KeyError("weights")


class OtherStart(Bowl):
    dimension = 2

    def initial(self, seed):
        return np.random.default_rng().standard_normal(2)
'''
OPTIMIZERS = """
from dataclasses import dataclass

import numpy as np

from idescent.optimizers import Optimizer, average, maximum, recursion


@dataclass(frozen=True)
class Plain(Optimizer):
    beta1: float
    beta2: float
    eps: float = 1e-8

    def memories(self):
        return {"m": average(self.beta1), "v": average(self.beta2, of="square")}

    def step(self, m, v, k):
        return m / (1 - self.beta1**k) / (np.sqrt(v / (1 - self.beta2**k)) + self.eps)


@dataclass(frozen=True)
class Sign(Optimizer):
    beta: float = 0.9
    nesterov: bool = False

    def memories(self):
        return {"m": average(self.beta)}

    def step(self, m, gradient):
        return np.sign(self.beta * m + (1 - self.beta) * gradient if self.nesterov else m)


@dataclass(frozen=True)
class Reserved(Plain):
    def memories(self):
        return {**super().memories(), "gradient": average(self.beta1)}


@dataclass(frozen=True)
class Unknown(Plain):
    def step(self, m, v, t):
        return m / (np.sqrt(v) + self.eps)


@dataclass(frozen=True)
class Flagged(Optimizer):
    beta1: float
    beta2: float
    moments = ("m", "v")


@dataclass(frozen=True)
class ForgottenDecay(Plain):
    weight_decay: float = 0.1


@dataclass(frozen=True)
class OneNumber(Plain):
    def step(self, m, v):
        return m / np.sqrt((v * v).sum())


@dataclass(frozen=True)
class Scalar(Plain):
    def step(self, m, v):
        return m.sum(axis=-1)


@dataclass(frozen=True)
class NoRoot(Plain):
    def step(self, m, v):
        return m / np.sqrt(-v)


@dataclass(frozen=True)
class InPlace(Plain):
    def step(self, m, v):
        m /= np.sqrt(v) + self.eps
        return m


@dataclass(frozen=True)
class Typo(Plain):
    def step(self, m, v):
        return m / (np.sqrt(v) + self.epsilon)


@dataclass(frozen=True)
class Unchecked(Plain):
    def __post_init__(self):
        pass


class Stranger:
    memories = step = None


@dataclass(frozen=True, eq=False)
class Unequal(Plain):
    __hash__ = object.__hash__
"""
MODELS = """
import numpy as np
from dataclasses import dataclass, replace

from idescent.models import Paper


@dataclass(frozen=True)
class Fine(Paper):
    name: str = "fine"

    def equation(self, optimizer, alpha):
        if "m" in optimizer.moments:
            raise ValueError(f"Fine does not model {optimizer!r}: it has momentum")
        return super().equation(optimizer, alpha)


@dataclass(frozen=True)
class TooProud(Paper):
    order: int = 2


@dataclass(frozen=True)
class TooModest(Paper):
    name: str = "a/b"


@dataclass(frozen=True)
class Falls(Paper):
    def equation(self, optimizer, alpha):
        if "G" in optimizer.moments:
            raise KeyError("decay")
        return super().equation(optimizer, alpha)


@dataclass(frozen=True)
class Refuses(Paper):
    def equation(self, optimizer, alpha):
        raise ValueError("no")


@dataclass(frozen=True)
class Half(Paper):
    def equation(self, optimizer, alpha):
        whole = super().equation(optimizer, alpha)
        return replace(whole, velocity=lambda *given: whole.velocity(*given)[..., :1])


@dataclass(frozen=True)
class Uphill(Paper):
    def equation(self, optimizer, alpha):
        whole = super().equation(optimizer, alpha)
        return replace(whole, velocity=lambda *given: 2.0 * whole.velocity(*given))
"""
