r"""The structure that the paper's optimizers share, read from the declaration: a first moment over a root.

What lives here: :class:`Ratio`, and how an optimizer is recognised as one.  What does not: what models and
compiled loops do with it.
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

# Functions without a branch: what is composed of them and agrees at a few points agrees everywhere.
_ANALYTIC = frozenset(
    (
        *(np.add, np.subtract, np.multiply, np.true_divide, np.negative, np.positive, np.reciprocal),
        *(np.power, np.float_power, np.sqrt, np.square, np.exp, np.expm1, np.log, np.log1p),
    )
)
_ROUNDING = 1e-11


@dataclass(frozen=True)
class Ratio:
    r"""An optimizer whose step is the gradient, or an average of it, over the root of a second moment.

    .. math:: D = \frac{\hat m}{\sqrt{\hat v} + \varepsilon}, \qquad
              \hat M = M \;\text{ or }\; \frac{M}{1-\beta^k} \text{ if corrected}

    Attributes
    ----------
    first : DeclaredMemory or None
        The average of the gradient; None where the step takes the gradient itself.
    second : DeclaredMemory
        The average or sum of its square.
    first_name : str
        Name of the first memory; ``"m"`` where there is none.
    second_name : str
    corrected : bool
        Whether moments are divided by :math:`1-\beta^k`.
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
        """Decay rate per iteration of the first moment; 0 for the gradient itself."""
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

    The step is evaluated at numbers that admit only functions without a branch, so that agreement with the
    formula there is agreement everywhere; anything else (a clip, a condition) is not recognised.
    """
    try:
        return _cached(optimizer)
    except TypeError:  # it cannot be hashed
        return _read(optimizer)


def own(optimizer: Optimizer) -> Ratio | None:
    """Return the structure of an optimizer that this package declares; None for any other.

    Only these take the loops whose bits are promised.
    """
    kind = type(optimizer)
    for name in ("step", "memories", "sequences"):
        home = getattr(getattr(kind, name, None), "__module__", None) or ""
        if not home.startswith("idescent.optimizers."):
            return None
    return ratio_of(optimizer)


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
    # Where the two cannot be told apart (no memory at all) a first moment counts as corrected.
    order = (True, False) if average is not None else (False, True)
    for corrected in order:
        found = Ratio(average, square, first_name, second_name, corrected, eps)
        if _agrees(optimizer, found):
            return found
    return None


_cached = lru_cache(maxsize=4096)(_read)


class _Analytic(NDArrayOperatorsMixin):
    """Numbers that admit only functions without a branch."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **more: Any) -> _Analytic:
        if ufunc not in _ANALYTIC or method != "__call__" or more:
            raise TypeError(f"{ufunc.__name__} is not analytic")
        return _Analytic(ufunc(*(x.value if isinstance(x, _Analytic) else x for x in inputs)))


def _agrees(optimizer: Optimizer, ratio: Ratio) -> bool:
    """Whether the step is the formula at some points, and made of functions without a branch."""
    if ratio.corrected and (ratio.sums or ratio.beta2 == 1.0):
        return False
    gradient, moment, square = np.array([0.3, -1.7]), np.array([0.9, -0.4]), np.array([0.5, 2.3])
    for k in (1.0, 2.0, 7.0):
        values: dict[str, Any] = {"gradient": gradient, "k": np.float64(k)}
        top = gradient if ratio.first is None else moment
        bottom = square
        values |= {ratio.second_name: square} | ({} if ratio.first is None else {ratio.first_name: moment})
        if ratio.corrected:
            # The same power as that of the step: for decays next to 1 no digit of the mass is left.
            top, bottom = top / (1.0 - np.power(ratio.beta1, k)), bottom / (1.0 - np.power(ratio.beta2, k))
        try:
            with np.errstate(all="ignore"):
                expected = top / (np.sqrt(bottom) + ratio.eps)
                names = inspect.signature(optimizer.step).parameters
                found = optimizer.step(*(_Analytic(values[name]) for name in names))
        except Exception:  # whatever it does with such numbers, it is no ratio
            return False
        if not isinstance(found, _Analytic) or np.shape(found.value) != expected.shape:
            return False
        if not np.allclose(found.value, expected, rtol=_ROUNDING, atol=0.0):
            return False
    return True
