"""The half-step model: memories that match the discrete ones in mass and mean lag at mid-step.

What lives here: :class:`HalfStep`, derived from a declaration.  What does not: which values the declaration
needs (:mod:`idescent.models.variables`), the lags of its memories (:mod:`idescent.models.lags`).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import integer
from idescent.models.averages import decoupled_decay, refusal
from idescent.models.beginning import first_iterations
from idescent.models.equation import (
    Equation,
    HessianVector,
    LearningRate,
    Memory,
    Source,
)
from idescent.models.variables import OLD, PLACE, STEP, Variable, Variables
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.plan import Plan, Values
from idescent.optimizers.structure import FIRST, feeds, slowest, structure, unsolvable

Array = NDArray[np.float64]

# Coefficients of the differences of order 0, 2, ..., 8, those of arcsinh(x/2)/(x/2): the average of the sum
# over step k is the value at k, up to differences of tenth order.
_COEFFICIENTS = (1.0, -1 / 24, 3 / 640, -5 / 7168, 35 / 294912)
_SHIFTS = np.arange(-4.0, 5.0)
_AVERAGE = np.array(
    [
        sum(c * (-1) ** (j + m) * math.comb(2 * j, j + m) for j, c in enumerate(_COEFFICIENTS) if abs(m) <= j)
        for m in range(-4, 5)
    ]
)

# Numbers in one array of all shifts up to which the step is evaluated at all shifts at once; above, at one
# shift at a time: temporary arrays are a ninth as large.
MOST_AT_ONCE = 2**19


@dataclass(frozen=True)
class HalfStep:
    r"""A second-order model of any declared optimizer, without look-ahead.

    In k-time, with :math:`\kappa = s + \frac12`, each memory has the mean lag L and the mass N of the
    discrete memory at the middle of every step (``idescent.models.lags.Lag``).  The step D is the declared
    one:

    .. math::
        \hat M' &= \frac{1-L'}{L}\,(h - \hat M), \qquad
        \theta' = -\alpha\,\Bigl[D - \tfrac1{24}\delta^2 D + \tfrac{3}{640}\delta^4 D
                  - \tfrac5{7168}\delta^6 D + \tfrac{35}{294912}\delta^8 D\Bigr], \\
        D &= D\bigl(\beta^\kappa M_0 + N(\kappa)\,\hat M,\ \hat g,\ \hat\theta,\ \kappa\bigr),

    with the source h and the initial value :math:`M_0` of each memory.  :math:`\hat g` and
    :math:`\hat\theta` have the lag of half an iteration.  The central differences :math:`\delta` are taken in
    :math:`\kappa` at constant :math:`\hat M`: the average of the bracket over step k is D at ``k``, up to
    differences of tenth order.
    For constant D the step :math:`(1-\alpha w)\theta - \alpha D` with decoupled weight decay w is the exact
    solution, one iteration later, of :math:`\theta' = -c\,\theta - \frac{c}{w}\,D` with
    :math:`c = -\ln(1-\alpha w)`.

    - A source that reads other memories or k is evaluated with values at mid-step: its age is 0.
    - For a decay rate that depends on k, N and L follow from their recursions.
    - Every linear memory has the age of half an iteration, for which the variance of its lag is right up to a
      constant.  Its value half an iteration later (a source of mid-step values) or one iteration earlier
      (``read="old"``, ``_old``) follows from its rate.
    - A maximum is sampled at the middle of every step: :math:`M_k = \max(\beta M_{k-1}, h(k-\frac12))`.
    - A gradient at another point is evaluated there, with the memories at the end of the step.

    The optimizer itself runs the first iterations: ``start`` of them, and
    :math:`2\ln(1/\alpha)/(1-\beta)` if a memory is fed by a memory with a transient, with the largest decay
    rate of both (:math:`\alpha^{-2/3}` for a sum).  If this is more than half of the horizon, no order is
    claimed; up to there the solution is the discrete run itself.  Each :math:`\hat M` then has the value that
    the next step reads, and keeps it until the middle of that step (derivation: ``docs/memories.md``).
    A step with a sign is exact until the sign changes.

    Rows of the solution contain :math:`N(k)\,\hat M(k-\frac12)` for flat memories that start at 0 and
    have ``read="new"``, and for maxima; other memories are not reported.

    Parameters
    ----------
    start : int, >= 5
        Least number of discrete iterations at the start.

    Raises
    ------
    ValueError
        If ``start`` is less than 5, or ``alpha * weight_decay`` of decoupled decay is not below 1.  By
        :meth:`equation`, if a memory feeds on itself or on the step, if the step has no derivative at a
        constant gradient, for example the root of a variance (its error would be of first order), if the
        point of the gradient reads a sum of gradients or values before the iteration, or if a maximum is read
        before and after its update.
    """

    start: int = FIRST
    name: str = "half-step"
    order: int = 2

    def __post_init__(self) -> None:
        """Check the number of discrete iterations."""
        integer("HalfStep.start", self.start, least=5)

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the model's equation for the declaration of ``optimizer``."""
        variables, beta = _variables(optimizer, self.start)
        count = self.start
        if beta is not None and not np.ndim(alpha):
            count = max(count, _settled(beta, float(alpha)))
        system = _System(variables, alpha)
        return Equation(
            memories=system.memories(),
            velocity=system.velocity,
            mobility=None,
            coupled_decay=optimizer.coupled_decay,
            moment_offset=-0.5,
            held_until=count + 0.5,
            begin=lambda theta, gradient, steps, factors=None, values=None: first_iterations(
                variables, float(alpha), min(count, steps), theta, gradient, factors, values
            ),
            point=None if optimizer.point is None else system.point,
            evaluate=None if optimizer.evaluate is None else system.evaluate,
        )


# Cached: under a schedule every evaluation of the velocity derives the equation anew.
@lru_cache(maxsize=64)
def _variables(optimizer: Optimizer, start: int) -> tuple[Variables, float | None]:
    """Return the variables of an optimizer, and the decay rate of the slowest nested memory; or refuse it."""
    plan = Plan(optimizer)
    why = unsolvable(plan, structure(optimizer).memories) or _refused(plan)
    if why is not None:
        raise refusal("HalfStep", optimizer, why)
    return Variables(plan, start), slowest(optimizer)


def _shifted(s: Array) -> Array:
    """Return kappa at the nine shifts of the average, with a new first axis."""
    return np.maximum(s + 0.5 + _SHIFTS.reshape(-1, *[1] * s.ndim), 0.5)


def _settled(beta: float, alpha: float) -> int:
    """Return the number of iterations after which a source of a nested memory has no transient."""
    return math.ceil(2.0 * math.log(1.0 / alpha) / (1.0 - beta) if beta < 1.0 else alpha ** (-2.0 / 3.0))


def _refused(plan: Plan) -> str | None:
    """Return the reason why the model refuses an optimizer whose structure it covers; None if it does not."""
    variables = Variables(plan, 1)
    for variable in variables.items.values():
        if variable.kind == "maximum" and variable.late != (
            plan.memories[variable.memory or ""].read == "old"
        ):
            return f"the maximum {variable.memory!r} is read before and after its update"
    for name in variables.asked[PLACE]:
        if (PLACE, name) in variables.lookup:
            variable = variables.items[variables.lookup[PLACE, name]]
            late = variable.kind == "linear" and variable.late != 0.5
            if late and "gradient" in feeds(plan, plan.memories[variable.memory or ""]):
                return f"its point reads {variable.memory!r}, a sum of gradients"
    if any(name.endswith(OLD) for name in variables.asked[PLACE]):
        return "its point asks for values before the iteration"
    return None


class _System:
    """The functions of the equation: every value of the declaration at mid-step, from the variables."""

    def __init__(self, variables: Variables, alpha: LearningRate) -> None:
        self.variables, self.alpha = variables, alpha
        self.plan, self.items = variables.plan, list(variables.items.values())
        self.shrink, self.push = decoupled_decay(alpha, self.plan.decoupled)
        # None: a value that the step asks for needs more than a mass (:meth:`_read`).
        self._simple = variables.simple(STEP)
        # What the velocity needs at s alone, for the last s: all sweeps of a window have the same s.
        self._s = np.empty(0)
        self._kappa, self._numbers_at_s = np.empty(0), Values()
        self._at_s: dict[str, tuple[Array, Array]] = {}
        self._masses: list[Array | None] = []

    def memories(self) -> tuple[Memory, ...]:
        """Return the memories of the equation."""
        return tuple(self._memory(i, variable) for i, variable in enumerate(self.items))

    def velocity(self, s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
        """Return d(theta)/ds."""
        if len(_SHIFTS) * theta.size <= MOST_AT_ONCE:
            count = len(_SHIFTS)
            if s.shape != self._s.shape or not (s == self._s).all():
                self._remember(s)
            kappa, numbers, known = self._kappa, self._numbers_at_s, self._at_s
        else:
            count, kappa, numbers, known = 1, _shifted(s), None, None
        average = None
        for i in range(0, len(_SHIFTS), count):
            if numbers is not None and self._simple is not None:
                values = numbers.copy()
                for (asked, index, _), mass in zip(self._simple, self._masses, strict=True):
                    values[asked] = memories[index] if mass is None else mass * memories[index]
            else:
                at = kappa[i : i + count]
                values = self._read(STEP, s, at, theta, gradient, memories, numbers, known)
            steps = self.plan.flat(np.asarray(self.plan.direction(values)))
            if steps.ndim == s.ndim:
                # A step without masses and without k has no axis of shifts: it is its own average.
                average = steps
                break
            if average is None:
                # numpy.tensordot by hand: its checks take longer than the product of small arrays.
                average = np.dot(_AVERAGE[i : i + count], steps.reshape(count, -1)).reshape(steps.shape[1:])
            else:
                average += _AVERAGE[i] * steps[0]
        assert average is not None
        return -self.push * self.alpha * average - self.shrink * theta

    def _remember(self, s: Array) -> None:
        """Compute the masses and numbers of the velocity that depend on ``s`` alone."""
        self._s, self._at_s, self._kappa = s.copy(), {}, _shifted(s)
        self._numbers_at_s = self._numbers(self._kappa)
        simple = self._simple or ()
        self._masses = [None if lag is None else lag.mass(self._kappa) for _, _, lag in simple]

    def point(self, s: Array, theta: Array, memories: Sequence[Array]) -> Array:
        """Return the point whose gradient the optimizer evaluates in the iteration after ``s``."""
        values = self._read(PLACE, s, s + 0.5, theta, theta, memories)
        values |= self._numbers(s + 1.0)
        point = self.plan.optimizer.point
        if point is None:
            return theta
        names = inspect.signature(point).parameters
        return self.plan.flat(point(*(values[name] for name in names if name in values)))

    def evaluate(self, s: Array, theta: Array, memories: Sequence[Array]) -> Array:
        """Return the iterate that the optimizer stores after iteration ``s``."""
        values = self._read(PLACE, s, s + 0.5, theta, theta, memories)
        return self.plan.evaluated(values | self._numbers(s))

    def _numbers(self, k: Array) -> Values:
        """Return k, the sequences and alpha, with axes for the shape of the parameters."""
        axes = len(self.plan.shape or (1,))
        return {"alpha": self.alpha, **self.plan.continued(k.reshape(*k.shape[:-1], *[1] * axes))}

    def _shaped(self, value: Array, shape: tuple[int, ...] | None) -> Array:
        return value if shape is None or len(shape) == 1 else value.reshape(*value.shape[:-1], *shape)

    def _read(
        self,
        reader: str,
        s: Array,
        kappa: Array,
        theta: Array,
        gradient: Array,
        memories: Sequence[Array],
        numbers: Values | None = None,
        known: dict[str, tuple[Array, Array]] | None = None,
    ) -> Values:
        """Return the values that a reader finds at ``s``, by name, with the masses at ``kappa``.

        ``numbers`` and ``known`` contain what depends on ``kappa`` alone; ``known`` is completed.
        """
        values, shape = self._numbers(kappa) if numbers is None else numbers.copy(), self.plan.shape
        known = {} if known is None else known
        means = dict(zip((variable.key for variable in self.items), memories, strict=False))
        dims = self.variables.dims(theta.shape[-1])
        if reader == PLACE:
            values["theta"] = self._shaped(theta, shape)
        for asked in self.variables.asked[reader]:
            if (reader, asked) not in self.variables.lookup:
                continue
            key = self.variables.lookup[reader, asked]
            variable = self.variables.items[key]
            if variable.kind == "input":
                value = means[key]
                after = asked == "theta" and reader in self.plan.memories
                if after and self.plan.memories[reader].read == "old":
                    # Theta after the step: linear in s, it is as far ahead as the mean is behind.
                    value = 2.0 * theta - value
                values[asked] = self._shaped(value, shape)
                continue
            name = variable.memory
            assert name is not None
            value, lag = means[key], variable.lag
            pair = self.variables.late(reader, asked)
            late = variable.late if pair is None else pair[1]
            if variable.kind == "linear" and late != variable.late:
                h = self._source(variable, s, theta, gradient, memories)
                value = value + (variable.late - late) * lag.change(s + 0.5) * (h - value)
            value = self._shaped(value, dims[name])
            if variable.kind == "linear":
                if asked not in known:
                    at = kappa.reshape(*kappa.shape[:-1], *[1] * len(dims[name])) + variable.late - late
                    known[asked] = lag.mass(at), lag.kept(at)
                mass, kept = known[asked]
                value = mass * value
                start = self.plan.memories[name].start
                if callable(start) and f"{key}_start" in means:
                    value = value + kept * self._shaped(means[f"{key}_start"], dims[name])
                elif not callable(start) and np.any(start):
                    value = value + kept * np.asarray(start)
            values[asked] = value
        return values

    def _memory(self, index: int, variable: Variable) -> Memory:
        """Return the memory of the equation for a variable, the one at ``index``."""
        key, lag = variable.key, variable.lag

        def change(s: Array) -> Array:
            return lag.change(s + 0.5)

        if variable.kind == "start":
            return Memory(key, 0.0, 0.0, squared=False, stored=False, source=self._constant(variable))
        if variable.kind == "input":
            source = None if key == "gradient" else self._input(key)
            return Memory(key, 1.0, lag.rate, squared=False, stored=False, source=source, change=change)
        name = variable.memory
        assert name is not None
        memory = self.plan.memories[name]
        stored = key == name and variable.late == 0.0 and memory.from_nothing
        squared = memory.of == "square"
        if variable.kind == "maximum":
            return Memory(
                key,
                1.0,
                0.0,
                squared=squared,
                stored=stored,
                source=self._sourced(variable),
                maximum=memory.decay,
            )
        return Memory(
            key,
            1.0,
            lag.rate,
            squared=squared,
            readout=lag.mass,
            stored=stored,
            source=self._sourced(variable) if callable(memory.of) else None,
            change=change,
        )

    def _constant(self, variable: Variable) -> Source:
        def source(
            s: Array, theta: Array, gradient: Array, memories: Sequence[Array], hessian_vector: HessianVector
        ) -> Array:
            width = math.prod(self.variables.dims(theta.shape[-1])[variable.memory or ""])
            return np.zeros((*s.shape[:-1], width))

        return source

    def _input(self, key: str) -> Source:
        def source(
            s: Array, theta: Array, gradient: Array, memories: Sequence[Array], hessian_vector: HessianVector
        ) -> Array:
            return theta if key == "theta" else self.point(s, theta, memories)

        return source

    def _sourced(self, variable: Variable) -> Source:
        def source(
            s: Array, theta: Array, gradient: Array, memories: Sequence[Array], hessian_vector: HessianVector
        ) -> Array:
            return self._source(variable, s, theta, gradient, memories)

        return source

    def _source(
        self, variable: Variable, s: Array, theta: Array, gradient: Array, memories: Sequence[Array]
    ) -> Array:
        """Return the source of a memory: of the present values if it is flat, else of those at mid-step."""
        name, shape = variable.memory or "", self.plan.shape
        if variable.flat:
            present = {"gradient": gradient, "theta": theta, f"theta{OLD}": theta}
            values: Values = {key: self._shaped(value, shape) for key, value in present.items()}
            values["alpha"] = self.alpha
        elif callable(self.plan.memories[name].of):
            values = self._read(name, s, s + 0.5, theta, gradient, memories)
        else:
            index = [item.key for item in self.items].index("gradient")
            values = {"gradient": self._shaped(memories[index], shape)}
        h = np.asarray(self.plan.sources[name](values))
        dims = self.variables.dims(theta.shape[-1])[name]
        return h if len(dims) == 1 else h.reshape(*h.shape[: -len(dims)], -1)
