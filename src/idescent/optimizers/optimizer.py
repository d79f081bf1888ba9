"""The base class of optimizers: hyper-parameters, memories and a step, declared as data.

What lives here: :class:`Optimizer` and the checks of its fields.  What does not: particular optimizers (one
file each in this folder), the functions that declare memories (:mod:`idescent.optimizers.declared`), the
iteration (:mod:`idescent.optimizers.plan`) and models in continuous time (:mod:`idescent.models`).
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import is_number, is_whole, offers, shown
from idescent.optimizers.declared import DeclaredMemory, Recursion

if TYPE_CHECKING:
    from idescent.models.card import Card

Array = NDArray[np.float64]
Accumulator = Literal["coordinate", "norm"]
Decay = Literal["coupled", "decoupled"]

# Attributes that an object needs to be run as an optimizer.
OPTIMIZER = ("memories", "step", "hyperparameters")
# Attributes of the former declaration by flags.
_FORMER = (
    *("moments", "summing", "bias_correction", "decay1", "decay2"),
    *("decoupled_decay", "coupled_decay", "update", "squares", "width"),
)


class Optimizer:
    r"""An optimizer with memory, declared as data.

    .. math::
        g_k &= \nabla f(p_k) \;(+\, w\,p_k), \qquad M_k = \beta M_{k-1} + c\,h_k, \\
        \theta_k &= (1 - \alpha w)\,\theta_{k-1} - \alpha\,D(M, g_k, \theta_{k-1}, k)

    A subclass is a frozen dataclass.  Its fields are the hyper-parameters; :meth:`memories` declares the
    memories M; the method ``step`` returns D, shape (..., n).  The parameters of ``step`` are matched by
    name: ``gradient``, ``theta``, ``point``, ``k``, ``alpha``, the names of memories and sequences, and
    ``theta_old`` or a memory's name followed by ``_old`` for the value before the iteration.  The value of a
    name is the latest one.  Memories declared with ``read="new"`` are updated before the step, in the order
    of their declaration; those with ``read="old"`` are updated after it, when ``theta`` is the new iterate
    and ``direction`` is D.  All functions must be vectorised: leading axes are independent runs.

    The following are optional; parameters of these methods are matched by name as well:

    - ``point``: the point at which the gradient is evaluated (default theta), a function of ``theta``, ``k``,
      ``alpha``, sequences, and memories before the iteration;
    - ``evaluate``: the iterate that is stored and compared (default theta), a function of the values after
      the iteration;
    - :meth:`sequences`: quantities that depend on ``k`` only;
    - a field ``weight_decay`` with ``decay`` = ``"coupled"`` (``w p`` is added to the gradient) or
      ``"decoupled"`` (theta is multiplied by ``1 - alpha w``);
    - a field ``accumulator``: with ``"norm"`` the square is :math:`|g|^2`, of shape (..., 1);
    - a field or class attribute ``shape``: theta, point and gradient have these last axes in place of the
      axis n, in row-major order.

    Attributes
    ----------
    decay : {"coupled", "decoupled"} or None
        Effect of ``weight_decay``; None if there is no weight decay, or the step contains it.
    shape : tuple of int or None
        Shape of parameters that form a matrix or tensor; None for a vector.  As an argument also a list, or a
        text such as ``"2x3"``.
    """

    decay: ClassVar[Decay | None] = None
    shape: Any = None
    step: ClassVar[Callable[..., Any]]
    point: ClassVar[Callable[..., Any] | None] = None
    evaluate: ClassVar[Callable[..., Any] | None] = None

    def __post_init__(self) -> None:
        """Check every field; a message names the field, its value and the allowed values."""
        former(type(self))
        for field in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            check_field(self, field.name, field.type)

    def memories(self) -> Mapping[str, DeclaredMemory]:
        """Return the memories by name, in the order of their updates."""
        return {}

    def sequences(self) -> Mapping[str, Callable[..., Any] | Recursion]:
        """Return sequences by name: functions of ``k`` and of earlier sequences, or recursions."""
        return {}

    @property
    def moments(self) -> tuple[str, ...]:
        """Names of the memories; runs store all of them."""
        return tuple(self.memories())

    @property
    def decoupled_decay(self) -> float:
        """Weight decay w that multiplies theta by ``1 - alpha w``; 0 if there is none."""
        return float(self.weight_decay) if self.decay == "decoupled" else 0.0  # type: ignore[attr-defined]

    @property
    def coupled_decay(self) -> float:
        """Weight decay w that adds ``w p`` to the gradient; 0 if there is none."""
        return float(self.weight_decay) if self.decay == "coupled" else 0.0  # type: ignore[attr-defined]

    @property
    def norm(self) -> bool:
        """Whether all coordinates share one accumulator (the paper's summation convention)."""
        return bool(getattr(self, "accumulator", "coordinate") == "norm")

    def width(self, n: int) -> int:
        """Return the number of coordinates of the square for ``n`` parameters."""
        return 1 if self.norm else n

    def squares(self, gradient: Array) -> Array:
        r"""Return the square of the gradient, by coordinate or norm: the source of second moments.

        Parameters
        ----------
        gradient : ndarray, shape (..., n)

        Returns
        -------
        ndarray, shape (..., n) or (..., 1)
            :math:`g_i^2` for each coordinate, or :math:`\sum_i g_i^2`.  The sum is computed from the first
            to the last coordinate, as in the compiled kernel: NumPy's pairwise sum has other bits.
        """
        squared = gradient * gradient
        if self.norm and squared.shape[-1] > 1:
            return np.cumsum(squared, axis=-1)[..., -1:]
        return squared

    def card(self) -> Card:
        """Return the card of the optimizer: its memories with mass and mean lag, and the models' claims."""
        # By name: models are a layer above, and no run depends on the code of a card.
        card: Card = importlib.import_module("idescent.models.card").card(self)
        return card

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """All fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]


def former(kind: type) -> None:
    """Refuse a class that is declared by flags, as in earlier versions.

    Raises
    ------
    ValueError
        Names the attribute and its replacement.
    """
    for base in kind.__mro__[: kind.__mro__.index(Optimizer)]:
        flag = next((name for name in _FORMER if name in vars(base)), None)
        if flag is not None:
            raise ValueError(
                f"{kind.__name__}: {flag} belongs to the former declaration by flags: "
                "declare memories() and step(...) instead, see docs/own-optimizer.md"
            )


def check_field(optimizer: Optimizer, name: str, annotation: Any) -> None:
    """Refuse a hyper-parameter outside its range; convert a list or text for ``shape`` to a tuple.

    Raises
    ------
    ValueError
        Names, in one line, the field, its value and the allowed values.
    """
    owner, value = type(optimizer).__name__, getattr(optimizer, name)
    if name != "shape" and name in vars(Optimizer):
        raise ValueError(f"{owner}.{name}: this name is reserved: choose another")
    if name == "accumulator":
        if value not in ("coordinate", "norm"):
            raise ValueError(f"{owner}.accumulator: {value!r} is not allowed: must be 'coordinate' or 'norm'")
    elif name == "shape":
        # In a configuration a list is a grid of values: there a shape is a text, 2x3.
        if isinstance(value, str) and re.fullmatch(r"\d+(x\d+)*", value, flags=re.ASCII):
            value = [int(size) for size in value.split("x")]
        if isinstance(value, list):
            value = tuple(value)
            object.__setattr__(optimizer, name, value)
        whole = isinstance(value, tuple) and value and all(is_whole(size) and size >= 1 for size in value)
        if value is not None and not whole:
            raise ValueError(f"{owner}.shape: {shown(value)} is not allowed: must be integers >= 1, or None")
    elif annotation in (bool, "bool"):
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{owner}.{name}: {shown(value)} is not allowed: must be True or False")
    elif name.startswith("beta"):
        if not is_number(value) or not 0.0 <= value < 1.0:
            raise ValueError(f"{owner}.{name}: {value!r} is not allowed: must be a number in [0, 1)")
    elif not is_number(value) or not 0.0 <= value < math.inf:
        raise ValueError(f"{owner}.{name}: {value!r} is not allowed: must be a finite number >= 0")


def check_declared(optimizer: Optimizer) -> None:
    """Refuse an optimizer whose declaration has a fault.

    Raises
    ------
    ValueError
        Names, in one line, the class, the fault and its correction.
    """
    from idescent.optimizers.plan import Plan
    from idescent.optimizers.ratio import own

    offers("optimizer", optimizer, *OPTIMIZER)
    if not isinstance(optimizer, Optimizer):
        raise ValueError(f"optimizer: {shown(optimizer)} is not allowed: must derive from Optimizer")
    if own(optimizer) is None:
        Plan(optimizer)
