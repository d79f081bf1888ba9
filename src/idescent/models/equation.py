r"""The equation of a continuous-time model: exponential memories and a velocity.

What lives here: the data types that models define and solvers read, and :func:`derive`, which compares an
equation with the declarations of its optimizer.  What does not: any particular model, any method.

The independent variable is k-time :math:`s = t/\alpha`: all rates are per iteration, and ``alpha`` occurs
only in the velocity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from idescent.optimizers.optimizer import Optimizer, check_declared

Array = NDArray[np.float64]

# The effect of hyper-parameters below this on a velocity may be lost in rounding.
_TRACE = 1e-6

LearningRate = float | Array
"""``alpha``: a number, or an array with one for each ``s``, shape (..., 1), of the equation's functions."""

HessianVector = Callable[[Array], Array]
"""``hessian_vector(direction)``: the Hessian along the path times directions, shape (..., n)."""

Source = Callable[[Array, Array, Array, Sequence[Array], HessianVector], Array]
"""``source(s, theta, gradient, memories, hessian_vector)``: any source but the gradient and its square.

``memories`` are those listed before it, as the velocity reads them: at ``s + lookahead``; in an equation
without look-ahead, also its own and later ones.
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
        ``c`` and :math:`\lambda`, per iteration.  The rate ``math.inf`` means no memory: :math:`M = c\,h`
        (with an ``initial`` equal to the gain).
    squared : bool
        ``h`` is the squared gradient (per coordinate or norm), else the gradient.
    initial : float
        :math:`M_0`.
    readout : callable or None
        Factor, as a function of k >= 1, that converts the memory to the optimizer's moment; None is 1.
    stored : bool
        Whether the optimizer has this moment; False for a memory that only the model has.
    source : callable or None
        ``h`` itself; see :data:`Source`.  ``squared`` then only determines its width.  Evaluated at ``s = 0``
        only if ``initial`` is not 0.
    ahead : bool
        Whether the velocity reads it one look-ahead later, in an equation that has one.
    maximum : float or None
        Decay rate of a maximum of the source, sampled at the middle of every iteration; None for a linear
        memory.  Only for equations without look-ahead.
    change : callable or None
        Rate r(s) of a normalised memory, :math:`M' = r(s)\,(c\,h - M)`, per iteration.  ``rate`` is then its
        limit for a long run.  Only for equations without look-ahead.
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
    change: Callable[[Array], Array] | None = None
    maximum: float | None = None


Place = Callable[[Array, Array, Sequence[Array]], Array]
"""``place(s, theta, memories)``: a point in the space of theta, shape (..., n)."""

Velocity = Callable[[Array, Array, Array, Sequence[Array]], Array]
"""``velocity(s, theta, gradient, memories)``: d(theta)/ds, shape (..., n), from ``s`` of shape (..., 1)."""

Mobility = Callable[[Array, Sequence[Array]], Array]
"""``mobility(s, memories)``: minus the velocity's derivative by its direction, shape (..., n or 1)."""


@dataclass(frozen=True)
class FirstIterations:
    """First iterations of the optimizer itself, and the state after them, from which an equation is solved.

    Attributes
    ----------
    count : int
        The last of them.
    theta : ndarray, shape (count - first + 1, n)
    moments : mapping of str to ndarray, shape (count - first + 1, width)
        The optimizer's memories after each iteration.
    memories : tuple of ndarray, shape (width,)
        Values of the equation's memories at ``s = count``.
    scales : tuple of float, or None
        Largest absolute source of each memory so far; None if there are no iterations.
    last : ndarray, shape (n,), or None
        The path at ``s = count``, if ``theta`` contains another iterate, that of ``Equation.evaluate``.
    first : int
        Iteration after which the first row of ``theta`` and ``moments`` is.
    """

    count: int
    theta: Array
    moments: Mapping[str, Array]
    memories: tuple[Array, ...]
    scales: tuple[float, ...] | None = None
    last: Array | None = None
    first: int = 0

    def rows(self, k: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the indices of the rows of iterations ``k``; the first row for earlier ones."""
        return np.maximum(k - self.first, 0)


@dataclass(frozen=True)
class Equation:
    r"""A model of one optimizer at one learning rate.

    .. math:: \theta'(s) = V\bigl(s, \theta(s), g(\theta(s)), M_1(s+\ell), M_2(s+\ell), \dots\bigr)

    Attributes
    ----------
    memories : tuple of Memory
    velocity : callable
        ``V``; see :data:`Velocity`.  Finite for every ``s > 0``; never evaluated at ``s = 0``.
    lookahead : float
        :math:`\ell` in iterations; 0 makes the model an initial-value problem.
    mobility : callable or None
        See :data:`Mobility`; solvers of stiff equations need it.  With None they compute the derivatives of
        the velocity by its memories as difference quotients.
    direction : int or None
        Index of the memory to which the velocity is proportional; None is the local gradient.
    coupled_decay : float
        The gradient is :math:`\nabla f(\theta)` plus this times :math:`\theta`.
    moment_offset : float in (-1, 0]
        Row k of the moments is read at ``s = k + moment_offset``; row 0 is 0 unless the offset is.
    breaks_until : float
        Up to this ``s`` the velocity may jump at every whole ``s``.
    breaks : tuple of float
        Other points at which the velocity or a derivative may jump, in increasing order.
    held_until : float
        Up to this ``s`` all memories keep their initial values.
    eliminates : mapping of str to str
        Moments of the optimizer that the equation does not contain, with the derivation that eliminates them.
    begin : callable or None
        ``begin(theta, gradient, steps, factors=None)`` runs the first iterations of the optimizer itself, at
        most ``steps``, from the initial theta and the gradient of the objective, with the learning-rate
        ``factors`` of a schedule (:func:`idescent.schedules.factors`), and returns :class:`FirstIterations`:
        the equation is solved from the last of them, with the memories stored there instead of ``initial``.
        If it has an argument ``values=None`` it can begin at a checkpoint
        (``idescent.models.beginning.first_iterations``).
    point : callable or None
        Point at which the gradient is evaluated, see :data:`Place`; None is theta.
    evaluate : callable or None
        Iterate that the solution contains, see :data:`Place`; None is theta.
    """

    memories: tuple[Memory, ...]
    velocity: Velocity
    mobility: Mobility | None
    lookahead: float = 0.0
    direction: int | None = None
    coupled_decay: float = 0.0
    moment_offset: float = 0.0
    breaks_until: float = 0.0
    breaks: tuple[float, ...] = ()
    held_until: float = 0.0
    eliminates: Mapping[str, str] = field(default_factory=dict)
    begin: Callable[..., FirstIterations] | None = None
    point: Place | None = None
    evaluate: Place | None = None


class Model(Protocol):
    """A continuous-time model of the optimizers.

    Attributes
    ----------
    name : str
        Name in files and tables.
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

        Under a schedule ``alpha`` is an array with the shape of the argument ``s`` of the equation's
        functions.
        """


def derive(model: Model, optimizer: Optimizer, alpha: LearningRate) -> Equation:
    """Return the model's equation after a comparison with the optimizer's declaration.

    Raises
    ------
    ValueError
        If the model refuses the optimizer, the optimizer's declaration contradicts itself, or the equation
        omits a moment or the weight decay (:func:`omission`).
    """
    check_declared(optimizer)
    equation = model.equation(optimizer, alpha)
    omitted = omission(equation, optimizer)
    if omitted is not None:
        raise ValueError(f"{type(model).__name__} does not model {type(optimizer).__name__}: {omitted}")
    return equation


def omission(equation: Equation, optimizer: Optimizer) -> str | None:
    """Return a message about the first term of the optimizer that an equation omits; None if it has all.

    Every moment must be the name of a memory on which the velocity depends, or a key of ``eliminates``; the
    equation must have the optimizer's weight decay.
    """
    present = {memory.name for memory in equation.memories} | set(equation.eliminates)
    for moment in optimizer.moments:
        if moment not in present:
            return f"the equation has no memory {moment!r}: add it, or state in eliminates why it needs none"
    if equation.coupled_decay != optimizer.coupled_decay:
        return (
            f"coupled_decay of the equation is {equation.coupled_decay!r}, "
            f"of the optimizer {optimizer.coupled_decay!r}: set coupled_decay=optimizer.coupled_decay"
        )
    unused = _unused(
        equation, optimizer, [name for name in felt(optimizer) if name not in equation.eliminates]
    )
    if unused == "theta":
        return (
            f"the velocity does not depend on theta, but decoupled_decay is {optimizer.decoupled_decay!r}: "
            "add the decay"
        )
    if unused is not None:
        return (
            f"the velocity does not depend on the memory {unused!r}: "
            "use it, or state in eliminates why it needs none"
        )
    return None


def felt(optimizer: Optimizer) -> list[str]:
    """Return the names of the memories, and ``theta`` for decoupled decay, whose effect exceeds rounding."""
    names = []
    for name, memory in optimizer.memories().items():
        # With a decay of 0 a memory is the present value of its quantity; beside a large eps the root is
        # negligible.
        negligible = memory.of == "square" and getattr(optimizer, "eps", 0.0) >= 1.0 / _TRACE
        if not negligible and (not memory.constant or memory.decay > _TRACE):
            names.append(name)
    return [*names, "theta"] if optimizer.decoupled_decay > _TRACE else names


def _unused(equation: Equation, optimizer: Optimizer, names: Sequence[str]) -> str | None:
    """Return the first of ``names``, memories or theta, that affects the velocity at none of three points."""
    s, gradient = np.array([[0.75], [3.5], [40.5]]), np.array([[0.5, -1.0], [2.0, 0.25], [-0.75, 1.5]])
    squares, memories = optimizer.squares(gradient) + 0.5, equation.memories

    def velocity(changed: str) -> Array:
        # The decay is tested with zero moments, and moments without decay: one could cancel the other.
        signed = 0.0 * gradient if changed in ("theta", "at rest") else gradient
        values = [
            (2.0 if memory.name == changed else 1.0) * squares
            if memory.squared
            else (-1.5 if memory.name == changed else 1.0) * signed
            for memory in memories
        ]
        theta = np.ones_like(gradient) if changed == "theta" else np.zeros_like(gradient)
        change = np.asarray(equation.velocity(s, theta, signed.copy(), values))
        # A memory may act through the point of the gradient.
        return change if equation.point is None else change + 0.1 * equation.point(s, theta, values)

    with np.errstate(all="ignore"):
        try:
            base = velocity("")
        except ValueError:
            # Under a schedule these points may be beyond the horizon, with rates that the model refuses.  The
            # equation at a constant rate is compared as well; a refused rate within the horizon raises in the
            # solver.
            return None
        # No test is possible if a schedule makes the velocity 0 at all three points.
        for name in names if base.any() else ():
            # Memories after this one may have a source that depends on it: then no test is possible.
            later = memories[max((i for i, m in enumerate(memories) if m.name == name), default=-1) + 1 :]
            still = velocity("at rest") if name == "theta" else base
            if not any(m.source is not None for m in later) and np.array_equal(still, velocity(name)):
                return name
    return None
