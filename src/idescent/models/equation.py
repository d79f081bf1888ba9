r"""What a continuous-time model is, to a solver: exponential memories and a velocity.

What lives here: the data types that models fill in and solvers read.  What does not: any particular model,
any method.

Everything is in k-time :math:`s = t/\alpha`, in which all rates are per iteration and every ``alpha`` stands
in the velocity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from idescent.optimizers import Optimizer

Array = NDArray[np.float64]

LearningRate = float | Array
"""``alpha``: a number, or one for every ``s`` of shape (..., 1) that the equation's functions are given."""

HessianVector = Callable[[Array], Array]
"""``hessian_vector(direction)``: the Hessian along the path times directions of shape (..., n)."""

Source = Callable[[Array, Array, Sequence[Array], HessianVector], Array]
"""``source(s, gradient, memories, hessian_vector)``: what it remembers, if not the gradient or its square.

``memories`` are those listed before it, as the velocity feels them.
"""


@dataclass(frozen=True)
class Memory:
    r"""An exponential memory of the gradient or its square.

    .. math:: M(s) = M_0\,h(0)\,e^{-\lambda s} + \int_0^s c\,e^{-\lambda(s-\sigma)}\,h(\sigma)\,d\sigma
              \quad\Longleftrightarrow\quad M' = c\,h - \lambda M, \quad M(0) = M_0\,h(0)

    Attributes
    ----------
    name : str
        Name of the optimizer's moment that it models.
    gain, rate : float
        ``c`` and :math:`\lambda`, per iteration.  The rate ``math.inf`` is no memory at all: :math:`M = c\,h`
        (its ``initial`` is then its gain).
    squared : bool
        ``h`` is the squared gradient (per coordinate or norm), else the gradient.
    initial : float
        :math:`M_0`.
    readout : callable or None
        Factor, as a function of k >= 1, that turns the memory into the optimizer's moment; None is 1.
    stored : bool
        Whether the optimizer has this moment; False for a memory that only the model has.
    source : callable or None
        ``h`` itself; see :data:`Source`.  ``squared`` then only says its width.  Never asked for at ``s = 0``
        unless ``initial`` is not 0.
    ahead : bool
        Whether it is felt one look-ahead later, in an equation that has one.
    """

    name: str
    gain: float
    rate: float
    squared: bool
    initial: float = 0.0
    readout: Callable[[Array], Array] | None = None
    stored: bool = True
    source: Source | None = None
    ahead: bool = True


Velocity = Callable[[Array, Array, Array, Sequence[Array]], Array]
"""``velocity(s, theta, gradient, memories)``: d(theta)/ds, shape (..., n), from ``s`` of shape (..., 1)."""

Mobility = Callable[[Array, Sequence[Array]], Array]
"""``mobility(s, memories)``: minus the velocity's derivative by its direction, shape (..., n or 1)."""


@dataclass(frozen=True)
class Equation:
    r"""A model of one optimizer at one learning rate.

    .. math:: \theta'(s) = V\bigl(s, \theta(s), g(\theta(s)), M_1(s+\ell), M_2(s+\ell), \dots\bigr)

    Attributes
    ----------
    memories : tuple of Memory
    velocity : callable
        ``V``; see :data:`Velocity`.  Finite for every ``s > 0``; never asked for at ``s = 0``.
    lookahead : float
        :math:`\ell` in iterations; 0 makes the model an initial-value problem.
    mobility : callable
        See :data:`Mobility`; lets solvers treat stiff equations.
    direction : int or None
        What the velocity is proportional to: the memory of this index, or (None) the local gradient.
    coupled_decay : float
        The gradient is :math:`\nabla f(\theta)` plus this times :math:`\theta`.
    moment_offset : float in (-1, 0]
        Row k of the moments is read at ``s = k + moment_offset``; row 0 is 0 unless the offset is.
    breaks_until : float
        Up to here the velocity may jump at every whole ``s``.
    breaks : tuple of float
        Where else it or a derivative may jump, in increasing order.
    held_until : float
        Up to here all memories keep their initial values.
    """

    memories: tuple[Memory, ...]
    velocity: Velocity
    mobility: Mobility
    lookahead: float = 0.0
    direction: int | None = None
    coupled_decay: float = 0.0
    moment_offset: float = 0.0
    breaks_until: float = 0.0
    breaks: tuple[float, ...] = ()
    held_until: float = 0.0


class Model(Protocol):
    """A continuous-time model of the optimizers.

    Attributes
    ----------
    name : str
        As in file names and tables.
    order : int
        Declared order in ``alpha`` of its error against the discrete optimizer.
    """

    @property
    def name(self) -> str:
        """See above."""

    @property
    def order(self) -> int:
        """See above."""

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the model's equation for this optimizer at learning rate ``alpha``.

        Under a schedule ``alpha`` is an array of the shape of the ``s`` that the equation's functions are
        then called with.
        """


def derive(model: Model, optimizer: Optimizer, alpha: LearningRate) -> Equation:
    """Return a model's equation for an optimizer at a learning rate.

    Raises
    ------
    ValueError
        If the model does not take the optimizer, or not at this learning rate.
    """
    return model.equation(optimizer, alpha)
