"""The family of optimizers, as data: what an optimizer declares, and the checks of it.

What lives here: :class:`Optimizer`.  What does not: any one of them (a file each beside this one), running
them (:mod:`idescent.discrete.loop`) and modelling them in continuous time (:mod:`idescent.models`).
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import is_number, offers

Array = NDArray[np.float64]
Accumulator = Literal["coordinate", "norm"]

# What an object must have to be run as an optimizer.
OPTIMIZER = ("moments", "decay1", "decay2", "squares")


class Optimizer:
    r"""The family that every optimizer here belongs to.

    One iteration with gradient :math:`g = \nabla f(\theta_{k-1}) + c\,\theta_{k-1}` is

    .. math::
        m_k &= \beta_1 m_{k-1} + (1-\beta_1) g, \qquad
        v_k = \beta_2 v_{k-1} + (1-\beta_2) g^2 \quad\text{or}\quad G_k = G_{k-1} + g^2, \\
        \theta_k &= (1-\alpha w)\,\theta_{k-1} - \alpha\,\hat m_k / (\sqrt{\hat v_k} + \varepsilon),

    where hats divide by :math:`1-\beta^k` if ``bias_correction`` is set.  Subclasses are frozen dataclasses
    that fix the class attributes below; models and kernels read only these, never a class name.

    Attributes
    ----------
    eps : float
        Added outside the root.
    moments : tuple of str
        Names of the stored moments, the second moment last.
    summing : bool
        The second moment is a plain sum (AdaGrad), not an average.
    bias_correction : bool
        Moments are divided by :math:`1-\beta^k`.
    """

    eps: float
    moments: ClassVar[tuple[str, ...]] = ("v",)
    summing: ClassVar[bool] = False
    bias_correction: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check every field; the message names field, value and what is allowed."""
        for field in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            _check(type(self).__name__, field.name, getattr(self, field.name))

    @property
    def momentum(self) -> bool:
        """Whether a first moment is kept (and stored)."""
        return "m" in self.moments

    @property
    def decay1(self) -> float:
        """Decay rate per iteration of the first moment; 0 means the gradient itself."""
        return float(getattr(self, "beta1", 0.0))

    @property
    def decay2(self) -> float:
        """Decay rate per iteration of the second moment; 1 for a plain sum."""
        return 1.0 if self.summing else float(getattr(self, "beta2", getattr(self, "beta", 0.0)))

    @property
    def decoupled_decay(self) -> float:
        """PyTorch's ``weight_decay`` where it acts on the parameters (AdamW)."""
        return 0.0

    @property
    def coupled_decay(self) -> float:
        """PyTorch's ``weight_decay`` where it is added to the gradient (AdamL2)."""
        return 0.0

    def width(self, n: int) -> int:
        """Return the number of second-moment accumulators for ``n`` parameters."""
        return 1 if self.norm else n

    @property
    def norm(self) -> bool:
        """One accumulator for all coordinates (the paper's summation convention)."""
        return bool(getattr(self, "accumulator", "coordinate") == "norm")

    def squares(self, gradient: Array) -> Array:
        r"""Return what the second moment accumulates.

        Parameters
        ----------
        gradient : ndarray, shape (..., n)

        Returns
        -------
        ndarray, shape (..., n) or (..., 1)
            :math:`g_i^2` per coordinate, or :math:`\sum_i g_i^2`.  The sum runs from first to last
            coordinate, as in the compiled kernel: numpy's pairwise sum has other bits.
        """
        squared = gradient * gradient
        if self.norm and squared.shape[-1] > 1:
            return np.cumsum(squared, axis=-1)[..., -1:]
        return squared

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """All fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]


def check_declared(optimizer: Optimizer) -> None:
    """Refuse an optimizer that declares what no run and no model reads.

    Raises
    ------
    ValueError
        With :func:`contradiction` as its text, or if ``squares`` or ``width`` is overridden.
    """
    offers("optimizer", optimizer, *OPTIMIZER)
    kind, found = type(optimizer), contradiction(optimizer)
    if found is not None:
        raise ValueError(f"{kind.__name__}: {found}")
    for name in ("squares", "width"):
        if isinstance(optimizer, Optimizer) and getattr(kind, name) is not getattr(Optimizer, name):
            raise ValueError(
                f"{kind.__name__}: {name} is overridden, which the compiled loop ignores: remove it"
            )


def contradiction(optimizer: Optimizer) -> str | None:
    """Return which declaration contradicts the family, and how to mend it; None if none does."""
    moments = optimizer.moments
    texts = isinstance(moments, tuple) and all(isinstance(m, str) and m.isidentifier() for m in moments)
    if not texts or len(set(moments)) != len(moments) or set(moments) & {"k", "t", "theta", "loss"}:
        return f"moments is {moments!r}: name one or two, such as ('v',) or ('m', 'v')"
    if not (len(moments) == 1 or (len(moments) == 2 and moments[0] == "m")) or moments[-1] == "m":
        return f"moments is {moments!r}: the second moment is last, and one before it must be 'm'"
    for name in ("summing", "bias_correction"):
        if not isinstance(getattr(optimizer, name), bool | np.bool_):
            return f"{name} is {getattr(optimizer, name)!r}: it must be True or False"
    if optimizer.summing and optimizer.bias_correction:
        return "summing and bias_correction are both set: a sum has no bias; leave one out"
    for name, most in (("decay1", 1.0), ("decay2", math.inf if optimizer.summing else 1.0)):
        if not 0.0 <= getattr(optimizer, name) < most:
            return f"{name} is {getattr(optimizer, name)!r}: it must be in [0, 1)"
    if optimizer.summing != (optimizer.decay2 == 1.0):
        return (
            f"summing is {optimizer.summing} but decay2 is {optimizer.decay2!r}: "
            "a sum, and nothing else, has decay2 = 1"
        )
    for name in ("eps", "decoupled_decay", "coupled_decay"):
        if not 0.0 <= getattr(optimizer, name) < math.inf:
            return f"{name} is {getattr(optimizer, name)!r}: it must be finite and >= 0"
    if optimizer.decay1 and not optimizer.momentum:
        return f"decay1 is {optimizer.decay1!r} but moments is {moments!r}: a first moment must be named 'm'"
    for name in ("update", "step"):
        if hasattr(optimizer, name):
            return f"it has {name}, which no run calls: the update is that of the family; remove it"
    return None


def _check(owner: str, name: str, value: Any) -> None:
    if name == "accumulator":
        if value not in ("coordinate", "norm"):
            raise ValueError(f"{owner}.accumulator: {value!r} is not allowed: must be 'coordinate' or 'norm'")
        return
    number = is_number(value)
    if name.startswith("beta"):
        if not number or not 0.0 <= value < 1.0:
            raise ValueError(f"{owner}.{name}: {value!r} is not allowed: must be a number in [0, 1)")
    elif not number or not 0.0 <= value < math.inf:
        raise ValueError(f"{owner}.{name}: {value!r} is not allowed: must be a finite number >= 0")
