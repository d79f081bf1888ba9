"""Optimizers whose step is a ratio of moments: the paper's five, and user-defined ones."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

import idescent as ide
from idescent.optimizers import Accumulator, Optimizer, average, total


@dataclass(frozen=True)
class Mine(Optimizer):
    """Adam without bias correction; subclasses add weight decay."""

    beta1: float = 0.6
    beta2: float = 0.8
    eps: float = 0.1
    accumulator: Accumulator = "coordinate"

    def memories(self):
        return {"m": average(self.beta1), "v": average(self.beta2, of="square")}

    def step(self, m, v):
        return m / (np.sqrt(v) + self.eps)


@dataclass(frozen=True)
class Decoupled(Mine):
    weight_decay: float = 0.3
    decay: ClassVar[str] = "decoupled"


@dataclass(frozen=True)
class Coupled(Mine):
    weight_decay: float = 0.3
    decay: ClassVar[str] = "coupled"


@dataclass(frozen=True)
class RMS(Optimizer):
    beta: float = 0.8
    eps: float = 0.1
    accumulator: Accumulator = "coordinate"

    def memories(self):
        return {"v": average(self.beta, of="square")}

    def step(self, gradient, v):
        return gradient / (np.sqrt(v) + self.eps)


@dataclass(frozen=True)
class RMSDecoupled(RMS):
    weight_decay: float = 0.3
    decay: ClassVar[str] = "decoupled"


@dataclass(frozen=True)
class RMSCoupled(RMS):
    weight_decay: float = 0.3
    decay: ClassVar[str] = "coupled"


class Corrected(RMS):
    """Adam without a first moment."""

    def step(self, gradient, v, k):
        return gradient / (np.sqrt(v / (1 - self.beta**k)) + self.eps)


@dataclass(frozen=True)
class Sum(Optimizer):
    eps: float = 0.1
    accumulator: Accumulator = "coordinate"

    def memories(self):
        return {"G": total(of="square")}

    def step(self, gradient, G):  # noqa: N803
        return gradient / (np.sqrt(G) + self.eps)


@dataclass(frozen=True)
class SumDecoupled(Sum):
    weight_decay: float = 0.3
    decay: ClassVar[str] = "decoupled"


@dataclass(frozen=True)
class SumCoupled(Sum):
    weight_decay: float = 0.3
    decay: ClassVar[str] = "coupled"


@dataclass(frozen=True)
class SumWithMomentum(Sum):
    beta1: float = 0.5

    def memories(self):
        return {"m": average(self.beta1), **super().memories()}

    def step(self, m, G):  # noqa: N803
        return m / (np.sqrt(G) + self.eps)


class Renamed(Decoupled):
    """AdamW whose moments have names of their own, the second one first."""

    def memories(self):
        return {"power": average(self.beta2, of="square"), "mean": average(self.beta1)}

    def step(self, mean, power, k):
        return mean / (1 - self.beta1**k) / (np.sqrt(power / (1 - self.beta2**k)) + self.eps)


BUILT_IN = (
    ide.AdaGrad(eps=0.1),
    ide.RMSProp(0.8, eps=0.1),
    ide.Adam(0.6, 0.8, eps=0.1),
    ide.AdamW(0.6, 0.8, 0.3, eps=0.1),
    ide.AdamL2(0.6, 0.8, 0.3, eps=0.1),
)
OWN = (
    Mine(),
    Decoupled(),
    Coupled(),
    RMSDecoupled(),
    RMSCoupled(),
    Corrected(),
    SumDecoupled(),
    SumCoupled(),
    SumWithMomentum(),
    Renamed(),
)
