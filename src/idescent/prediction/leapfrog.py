r"""The exponential leapfrog on the half-step model: one gradient for a step of any number of iterations.

What lives here: the state, the step, and the velocity.  What does not: the choice of steps
(:mod:`idescent.prediction.path`), and the first state (:mod:`idescent.prediction.start`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from idescent.models.averages import decoupled_decay, refusal
from idescent.models.lags import Lag
from idescent.models.variables import STEP, Variable, Variables
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.plan import Plan, Values
from idescent.optimizers.structure import structure, unsolvable
from idescent.prediction.arrays import Array, Counted, namespace, plain, sent, wrapped

# Nodes and weights that integrate the rate of a memory over a step.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


@dataclass(frozen=True)
class State:
    r"""A state of the model at the middle of an iteration.

    Attributes
    ----------
    s : float
        k-time, a half-integer.
    theta : array, shape (n,)
    memories : tuple of array
        :math:`\hat M` of each variable of the model.
    gradient : array, shape (n,)
        At ``theta``, with coupled weight decay.
    before : array, shape (n,)
        An earlier gradient.
    distance : float
        k-time since that gradient.
    """

    s: float
    theta: Array
    memories: tuple[Array, ...]
    gradient: Array
    before: Array
    distance: float


class Leapfrog:
    r"""Steps of the half-step model of an optimizer.

    Between s and s + d each source h is taken to be linear in s.  The memory then has the exact solution

    .. math::
        \hat M(s+d) = E\,\hat M(s) + w_0\,h(s) + w_1\,h(s+d), \qquad E = e^{-\int r\,ds}, \quad
        w_1 = 1 - \frac{L(s+d) - E\,L(s)}{d}, \quad w_0 = 1 - E - w_1

    with the mean lag L and the rate :math:`r = (1-L')/L` of the discrete memory
    (:class:`idescent.models.lags.Lag`).  The rate of a memory does not limit d.  A step evaluates D with the
    memories at its middle, from the extrapolated gradient there:

    .. math::
        g_{1/2} = g + \frac{d}{2}\,\frac{g - g_-}{d_-}, \qquad
        \theta \leftarrow \theta - \tfrac{\alpha d}2 \bigl[D(\kappa + c) + D(\kappa - c)\bigr], \qquad
        c^2 = \frac{d^2-1}{12},

    where c gives both values of :math:`\kappa` the variance of the d iterations.  The error is of second
    order in d.

    The indicator of a step compares the extrapolation with the gradient at its end,
    :math:`\eta^2 = |e\cdot\delta\theta| / |g\cdot\Delta\theta|`, where e is the error of the extrapolated
    gradient at s + d and :math:`\delta\theta` the change of the step by the interpolated gradient at the
    middle.  It is of second order in d where the path is smooth, and grows to 1 where the step is unstable.
    It steers the steps and is no error estimate.

    Parameters
    ----------
    optimizer : Optimizer
    alpha : float
        Learning rate.

    Raises
    ------
    ValueError
        In one line, if the optimizer has another memory than averages, accumulations and sums of functions of
        gradient and theta with constant decay rates, or evaluates the gradient at another point.
    """

    def __init__(self, optimizer: Optimizer, alpha: float) -> None:
        self.plan, self.alpha = Plan(optimizer), alpha
        why = unsolvable(self.plan, structure(optimizer).memories) or _refused(self.plan)
        if why is None:
            self.variables = Variables(self.plan, 1)
            self.items = list(self.variables.items.values())
            why = next(filter(None, map(_uncovered, self.items)), None)
        if why is not None:
            raise refusal("predict", optimizer, why)
        self.shrink, self.push = decoupled_decay(alpha, self.plan.decoupled)
        names = set(self.variables.asked[STEP]).union(*(self.variables.asked[x] for x in self.plan.memories))
        self.reads_theta = bool(names & {"theta", "theta_old", "point"})

    def gradient(self, objective: Counted, theta: Array) -> Array:
        """Return the gradient with coupled weight decay."""
        gradient = objective.gradient(theta)
        return gradient + self.plan.coupled * theta if self.plan.coupled else gradient

    def step(self, objective: Counted, state: State, d: float, watch: bool = False) -> tuple[State, float]:
        """Return the state ``d`` iterations later and the indicator of the step; evaluates one gradient.

        The indicator is NaN unless ``watch``: it costs one more evaluation of D.
        """
        # Below one iteration the variance would be negative: D at the middle is then its own average.
        spread = math.sqrt(max(0.0, d * d - 1.0) / 12.0)
        ahead = 0.5 * d / state.distance
        direction = self._halfway(state, d, spread, (1.0 + ahead) * state.gradient - ahead * state.before)
        theta = self._moved(state.theta, direction, d)
        gradient = self.gradient(objective, theta)
        indicator = math.nan
        if watch:
            direction = self._halfway(state, d, spread, 0.5 * (state.gradient + gradient)) - direction
            ahead = d / state.distance
            surprise = gradient - (1.0 + ahead) * state.gradient + ahead * state.before
            xp = namespace(theta)
            missed = self.alpha * d * float(xp.sum(surprise * direction))
            moved = float(xp.sum(state.gradient * (theta - state.theta)))
            indicator = math.sqrt(abs(missed) / abs(moved)) if moved else 0.0
            del surprise
        del direction
        memories = self._remembered(state, state.s + d, gradient, theta)
        return State(state.s + d, theta, memories, gradient, state.gradient, d), indicator

    def _halfway(self, state: State, d: float, spread: float, gradient: Array) -> Array:
        """Return the mean D of a step from the gradient at its middle."""
        middle, theta = state.s + 0.5 * d, state.theta
        if self.reads_theta:
            theta = self._moved(theta, self._direction(state, state.s, 0.0), 0.5 * d)
        memories = self._remembered(state, middle, gradient, theta)
        return self._direction(State(middle, theta, memories, gradient, gradient, 1.0), middle, spread)

    def velocity(self, state: State) -> Array:
        """Return d(theta)/ds at a state."""
        direction = self._direction(state, state.s, 0.0)
        return -self.push * self.alpha * direction - self.shrink * state.theta

    def _moved(self, theta: Array, direction: Array, d: float) -> Array:
        """Return theta after ``d`` iterations with a constant direction, decoupled decay solved exactly."""
        if self.shrink == 0.0:
            return theta - self.alpha * d * direction
        lost = -math.expm1(-self.shrink * d)
        return (1.0 - lost) * theta - (self.push * self.alpha * lost / self.shrink) * direction

    def _remembered(self, state: State, s: float, gradient: Array, theta: Array) -> tuple[Array, ...]:
        """Return the memories at ``s``, with sources that are linear from the state to ``s``."""
        memories = []
        for variable, memory in zip(self.items, state.memories, strict=True):
            if variable.kind == "start":
                memories.append(memory)
                continue
            kept, first, last = weights(variable.lag, state.s, s)
            old = self.source(variable, state.gradient, state.theta)
            memories.append(kept * memory + first * old + last * self.source(variable, gradient, theta))
        return tuple(memories)

    def source(self, variable: Variable, gradient: Array, theta: Array) -> Array:
        """Return the source of a variable."""
        if variable.memory is None:
            return gradient if variable.key == "gradient" else theta
        values: Values = {"gradient": gradient, "theta": theta, "theta_old": theta}
        values = {key: self.shaped(value) for key, value in values.items()} | {"alpha": self.alpha}
        return plain(self.plan.sources[variable.memory](values))

    def shaped(self, value: Array) -> Any:
        """Return parameters as an operand of the declaration, in the shape of the parameters."""
        value = wrapped(value)
        return value if self.plan.shape is None else value.reshape(self.plan.shape)

    def _direction(self, state: State, s: float, spread: float) -> Array:
        """Return D at ``s``, the mean of its values with the masses at ``s + 1/2 -+ spread``."""
        if spread == 0.0:
            return self._at(state, s, s + 0.5)
        return 0.5 * (self._at(state, s, s + 0.5 - spread) + self._at(state, s, s + 0.5 + spread))

    def _at(self, state: State, s: float, kappa: float) -> Array:
        """Return D at ``s`` with the masses at ``kappa``."""
        values: Values = {key: float(x) for key, x in self.plan.continued(np.asarray(kappa)).items()}
        values["alpha"] = self.alpha
        means = {variable.key: value for variable, value in zip(self.items, state.memories, strict=True)}
        for asked in self.variables.asked[STEP]:
            if (STEP, asked) not in self.variables.lookup:
                continue
            variable = self.variables.items[self.variables.lookup[STEP, asked]]
            value = means[variable.key]
            if variable.memory is None:
                values[asked] = self.shaped(value)
                continue
            pair = self.variables.late(STEP, asked)
            late = variable.late if pair is None else pair[1]
            if late != variable.late:
                change = float(variable.lag.change(np.array([s + 0.5]))[0])
                source = self.source(variable, state.gradient, state.theta)
                value = value + ((variable.late - late) * change) * (source - value)
            values[asked] = wrapped(self._massed(variable, value, means, kappa + variable.late - late))
        direction = plain(self.plan.direction(values))
        return direction if self.plan.shape is None else namespace(direction).reshape(direction, (-1,))

    def _massed(self, variable: Variable, mean: Array, means: dict[str, Array], kappa: float) -> Array:
        """Return a memory of the optimizer from its normalised value."""
        at = np.array([kappa])
        value = float(variable.lag.mass(at)[0]) * mean
        start = self.plan.memories[variable.memory or ""].start
        if f"{variable.key}_start" in means:
            return value + float(variable.lag.kept(at)[0]) * means[f"{variable.key}_start"]
        if not callable(start) and np.any(start):
            return value + float(variable.lag.kept(at)[0]) * plain(sent(start, wrapped(value)))
        return value

    def moments(self, state: State, kappa: float) -> Values:
        """Return the memories of the optimizer after iteration ``kappa``, as operands of the declaration."""
        means = {variable.key: value for variable, value in zip(self.items, state.memories, strict=True)}
        return {
            variable.memory: wrapped(self._massed(variable, means[variable.key], means, kappa))
            for variable in self.items
            if variable.kind == "linear" and variable.memory is not None
        }


def weights(lag: Lag, first: float, last: float) -> tuple[float, float, float]:
    """Return the factors of a memory at ``first``, and of its source at ``first`` and ``last``."""
    d = last - first
    at = first + 0.5 + 0.5 * d * (1.0 + _NODES)
    kept = math.exp(-0.5 * d * float(lag.change(at) @ _WEIGHTS))
    late = 1.0 - (mean_lag(lag, last + 0.5) - kept * mean_lag(lag, first + 0.5)) / d
    return kept, 1.0 - kept - late, late


def mean_lag(lag: Lag, kappa: float) -> float:
    """Return the mean lag of a memory with a constant decay rate."""
    count = kappa - lag.late
    if lag.beta == 1.0:
        return lag.age + 0.5 * (count - 1.0)
    if lag.beta == 0.0:
        return lag.age
    x = lag.log * count
    return lag.age + lag.beta / (1.0 - lag.beta) - (count / math.expm1(x) if x < 700.0 else 0.0)


def _refused(plan: Plan) -> str | None:
    """Return the reason why the leapfrog refuses an optimizer that the half-step model covers, or None."""
    if plan.optimizer.point is not None:
        return "its gradient is evaluated at another point than theta"
    if plan.optimizer.evaluate is not None:
        return "it stores another iterate than theta"
    for name, memory in plan.memories.items():
        if memory.kind == "maximum":
            return f"its memory {name!r} is a maximum"
        if not memory.constant:
            return f"the decay rate of its memory {name!r} depends on k"
    return None


def _uncovered(variable: Variable) -> str | None:
    """Return the reason why the leapfrog does not cover a variable of the half-step model, or None."""
    if variable.kind == "linear" and not variable.flat:
        return f"its memory {variable.memory!r} is fed by other memories"
    if variable.kind == "linear" and variable.late != 0.0:
        return f"its memory {variable.memory!r} is fed by theta after the step"
    return None
