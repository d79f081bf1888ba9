r"""The common structure of the paper's optimizers, read from the declaration: a first moment over a root.

What lives here: :class:`Ratio`, and the test whether an optimizer has this structure.  What does not: models
and compiled loops, which use it.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from idescent.optimizers.declared import DeclaredMemory
from idescent.optimizers.optimizer import Optimizer

Array = NDArray[np.float64]

# Functions without a branch: two compositions of them that agree at a few points agree everywhere.
_ANALYTIC = frozenset(
    (
        *(np.add, np.subtract, np.multiply, np.true_divide, np.negative, np.positive, np.reciprocal),
        *(np.power, np.float_power, np.sqrt, np.square, np.exp, np.expm1, np.log, np.log1p),
    )
)
_ROUNDING = 1e-11
# Whether the ratio of a class of this package is corrected, which does not depend on its hyper-parameters;
# and whether a class is one of this package.
_CORRECTED: dict[Any, bool] = {}
_HOME: dict[Any, bool] = {}


@dataclass(frozen=True)
class Ratio:
    r"""An optimizer whose step is the gradient, or an average of it, over the root of a second moment.

    .. math:: D = \frac{\hat m}{\sqrt{\hat v} + \varepsilon}, \qquad
              \hat M = M \;\text{ or }\; \frac{M}{1-\beta^k} \text{ if corrected}

    Attributes
    ----------
    first : DeclaredMemory or None
        Average of the gradient; None if the step uses the gradient itself.
    second : DeclaredMemory
        Average or sum of its square.
    first_name : str
        Name of the first moment; ``"m"`` if there is none.
    second_name : str
    corrected : bool
        Whether the moments are divided by :math:`1-\beta^k`.
    eps : float
        Added outside the root.
    """

    first: DeclaredMemory | None
    second: DeclaredMemory
    first_name: str
    second_name: str
    corrected: bool
    eps: float

    @property
    def beta1(self) -> float:
        """Decay rate per iteration of the first moment; 0 if the step uses the gradient itself."""
        return 0.0 if self.first is None else self.first.decay

    @property
    def beta2(self) -> float:
        """Decay rate per iteration of the second moment; 1 for a sum."""
        return self.second.decay

    @property
    def sums(self) -> bool:
        """Whether the second moment is a plain sum (AdaGrad)."""
        return self.second.kind == "sum"


def ratio_of(optimizer: Optimizer) -> Ratio | None:
    """Return the structure of an optimizer whose step is such a ratio; None for any other.

    The step is evaluated on numbers that support only functions without a branch, so that a step that agrees
    with the formula there agrees everywhere.  A step with a clip or a condition is not recognised.
    """
    try:
        return _cached(optimizer)
    except TypeError:  # the optimizer cannot be hashed
        return _read(optimizer)


def own(optimizer: Optimizer) -> Ratio | None:
    """Return the structure of an optimizer whose ratio this package itself declares; None for any other.

    Only these optimizers run in the loops whose bits must stay the same.
    """
    return ratio_of(optimizer) if _of_package(type(optimizer)) else None


def _of_package(kind: type[Optimizer]) -> bool:
    """Whether this package declares the memories and the step of a class."""
    if kind not in _HOME:
        declared = (getattr(kind, name, None) for name in ("step", "memories", "sequences"))
        homes = [getattr(part, "__module__", None) or "" for part in declared]
        _HOME[kind] = all(home.startswith("idescent.optimizers.") for home in homes)
    return _HOME[kind]


def _read(optimizer: Optimizer) -> Ratio | None:
    memories = dict(optimizer.memories())
    first = {name: memory for name, memory in memories.items() if memory.of == "gradient"}
    second = {name: memory for name, memory in memories.items() if memory.of == "square"}
    simple = len(first) <= 1 and len(second) == 1 and len(memories) == len(first) + len(second)
    if not simple or optimizer.sequences() or optimizer.shape or optimizer.point or optimizer.evaluate:
        return None
    (second_name, square), eps = next(iter(second.items())), getattr(optimizer, "eps", 0.0)
    (first_name, average) = next(iter(first.items()), ("m", None))
    kinds = (average.kind in ("average",) if average else True, square.kind in ("average", "sum"))
    plain = all(
        memory.constant and memory.read == "new" and memory.from_nothing for memory in memories.values()
    )
    if not (all(kinds) and plain):
        return None
    candidates = {
        corrected: Ratio(average, square, first_name, second_name, corrected, eps)
        for corrected in (True, False)
    }
    kind = type(optimizer)
    if _of_package(kind) and kind in _CORRECTED:
        return candidates[_CORRECTED[kind]]
    # If both agree (decay rates of 0), an optimizer counts as corrected if it has a first moment.
    for corrected in (True, False) if average is not None else (False, True):
        if _agrees(optimizer, candidates[corrected]):
            if _of_package(kind):
                _CORRECTED[kind] = corrected
            return candidates[corrected]
    return None


_cached = lru_cache(maxsize=4096)(_read)


class _Analytic(NDArrayOperatorsMixin):
    """Numbers that support only functions without a branch."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **more: Any) -> _Analytic:
        if ufunc not in _ANALYTIC or method != "__call__" or more:
            raise TypeError(f"{ufunc.__name__} is not analytic")
        return _Analytic(ufunc(*(x.value if isinstance(x, _Analytic) else x for x in inputs)))


def _agrees(optimizer: Optimizer, ratio: Ratio) -> bool:
    """Whether the step agrees with the formula at some points, and has no branch."""
    if ratio.corrected and (ratio.sums or ratio.beta2 == 1.0):
        return False
    gradient, moment, square = np.array([0.3, -1.7]), np.array([0.9, -0.4]), np.array([0.5, 2.3])
    for k in (1.0, 2.0, 7.0):
        values: dict[str, Any] = {"gradient": gradient, "k": np.float64(k)}
        top = gradient if ratio.first is None else moment
        bottom = square
        values |= {ratio.second_name: square} | ({} if ratio.first is None else {ratio.first_name: moment})
        if ratio.corrected:
            # np.power as in the step: for decay rates near 1 cancellation leaves no digit of the mass.
            top, bottom = top / (1.0 - np.power(ratio.beta1, k)), bottom / (1.0 - np.power(ratio.beta2, k))
        try:
            with np.errstate(all="ignore"):
                expected = top / (np.sqrt(bottom) + ratio.eps)
                names = inspect.signature(optimizer.step).parameters
                direction = optimizer.step(*(_Analytic(values[name]) for name in names))
        except Exception:  # the step needs more than these numbers support: it is no ratio
            return False
        if not isinstance(direction, _Analytic) or np.shape(direction.value) != expected.shape:
            return False
        if not np.allclose(direction.value, expected, rtol=_ROUNDING, atol=0.0):
            return False
    return True
