"""The half-step model: memories that match the discrete ones in mass and mean lag at mid-step.

What lives here: :class:`HalfStep`, derived from a declaration.  What does not: the lags of its memories
(:mod:`idescent.models.lags`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import integer
from idescent.models.averages import decoupled_decay, refusal
from idescent.models.equation import Equation, FirstIterations, LearningRate, Memory
from idescent.models.lags import Lag
from idescent.models.recipe import refuse_structure
from idescent.optimizers.declared import average
from idescent.optimizers.layout import layout
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.plan import Plan, Values

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
_GRADIENT = "gradient"
# Iteration at which the step is tested for smoothness.
_LATE = 1e4


@dataclass(frozen=True)
class HalfStep:
    r"""A second-order model of any declared optimizer, without look-ahead.

    In k-time, with :math:`\kappa = s + \frac12`, each memory of the gradient or its square has the mean lag L
    and the mass N of the discrete memory at the middle of every step (``idescent.models.lags.Lag``).
    The step D is the declared one:

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

    The optimizer itself runs the first ``start`` iterations.  Each :math:`\hat M` then has the value that the
    next step reads, and keeps it until the middle of that step (derivation: ``docs/theory.md``).  A step with
    a sign is exact until the sign changes.

    Rows of the solution contain :math:`N(k)\,\hat M(k-\frac12)` for memories that start at 0 and have
    ``read="new"``; other memories are not reported.

    Parameters
    ----------
    start : int, >= 5
        Number of discrete iterations at the start.

    Raises
    ------
    ValueError
        If ``start`` is less than 5, or ``alpha * weight_decay`` of decoupled decay is not below 1.  By
        :meth:`equation`, if the optimizer has a maximum, a memory whose source is not the gradient or its
        square, a decay rate that depends on k, an initial value that depends on the gradient, a step that
        reads values before the iteration, parameters with a shape, a gradient at another point than theta, or
        a step without a derivative at a constant gradient, for example the root of a variance: its error
        would be of first order.
    """

    start: int = 8
    name: str = "half-step"
    order: int = 2

    def __post_init__(self) -> None:
        """Check the number of discrete iterations."""
        integer("HalfStep.start", self.start, least=5)

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the model's equation for the declaration of ``optimizer``."""
        rule = _rule(optimizer)
        shrink, push = decoupled_decay(alpha, optimizer.decoupled_decay)

        def direction(s: Array, theta: Array, means: dict[str, Array]) -> Array:
            if "theta" in rule.plan.asked:
                # Theta of half an iteration ago.
                theta = theta + 0.5 * alpha * rule.step(s + 0.5, theta, means, alpha)
            kappa = np.maximum(s + 0.5 + _SHIFTS.reshape(-1, *[1] * s.ndim), 0.5)
            return np.tensordot(_AVERAGE, rule.step(kappa, theta, means, alpha), 1)

        def velocity(s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
            means = dict(zip(rule.lags, memories, strict=True))
            return -push * alpha * direction(s, theta, means) - shrink * theta

        return Equation(
            memories=tuple(rule.memory(name) for name in rule.lags),
            velocity=velocity,
            mobility=None,
            coupled_decay=optimizer.coupled_decay,
            moment_offset=-0.5,
            held_until=self.start + 0.5,
            begin=lambda theta, gradient, factors=None: _first_iterations(
                rule, float(alpha), self.start, theta, gradient, factors
            ),
        )


@dataclass(frozen=True)
class _Rule:
    """What the declaration of an optimizer determines: its lags, and its step as a function of averages."""

    plan: Plan
    lags: dict[str, Lag]
    sources: dict[str, Any]
    starts: dict[str, Array]

    def step(self, kappa: Array, theta: Array, means: dict[str, Array], alpha: LearningRate) -> Array:
        """Return D, shape of ``kappa`` broadcast against ``theta``, from the normalised memories."""
        values: Values = {"alpha": alpha, "theta": theta, **self.plan.continued(kappa)}
        for name, mean in means.items():
            values[name] = self.lags[name].mass(kappa) * mean
            if name in self.starts:
                values[name] = values[name] + self.lags[name].kept(kappa) * self.starts[name]
        return np.asarray(self.plan.direction(values))

    def memory(self, name: str) -> Memory:
        """Return a normalised memory of the equation."""
        lag, declared = self.lags[name], self.plan.memories.get(name)
        return Memory(
            name,
            1.0,
            lag.rate,
            squared=self.sources[name] == "square",
            readout=lag.mass,
            stored=declared is not None and declared.read == "new" and declared.from_nothing,
            change=lambda s: lag.change(s + 0.5),
        )


# Cached: under a schedule every evaluation of the velocity derives the equation anew.
@lru_cache(maxsize=64)
def _rule(optimizer: Optimizer) -> _Rule:
    """Derive the rule of an optimizer, or refuse it."""
    plan = Plan(optimizer)
    _check(plan)
    lags = {name: Lag(memory) for name, memory in plan.memories.items()}
    sources = {name: memory.of for name, memory in plan.memories.items()}
    starts = {name: np.asarray(m.start) for name, m in plan.memories.items() if not m.from_nothing}
    if _GRADIENT in plan.asked:
        # An average with the decay rate 0 has the lag of half an iteration.
        lags[_GRADIENT], sources[_GRADIENT] = Lag(average(0.0)), "gradient"
    rule = _Rule(plan, lags, sources, starts)
    gradient = np.array([[0.7, -1.3]])
    constant = {
        name: optimizer.squares(gradient) if of == "square" else gradient for name, of in sources.items()
    }
    with np.errstate(all="ignore"):
        late, origin = np.array([[_LATE]]), np.zeros_like(gradient)
        if not _smooth(lambda means: rule.step(late, origin, means, 0.01), constant):
            raise refusal("HalfStep", optimizer, "its step is not smooth where the gradient is constant")
    return rule


def _check(plan: Plan) -> None:
    """Refuse optimizers that the model cannot express."""
    for name, memory in plan.memories.items():
        why = None
        if memory.kind == "maximum":
            why = f"its memory {name!r} is a maximum"
        elif callable(memory.of):
            why = f"its memory {name!r} is not one of the gradient or its square"
        elif not memory.constant:
            why = f"the decay of its memory {name!r} depends on k"
        elif callable(memory.start):
            why = f"its memory {name!r} starts from the gradient"
        if why is not None:
            raise refusal("HalfStep", plan.optimizer, why)
    refuse_structure("HalfStep", plan)


def _smooth(step: Callable[..., Array], means: dict[str, Array]) -> bool:
    """Whether a step has a derivative by every memory at a constant gradient."""
    for name, value in means.items():
        slopes = []
        for size in (1e-4, -1e-4, 1e-6):
            ends = [step({**means, name: value * (1.0 + shift)}) for shift in (size, 0.0)]
            slopes.append((ends[0] - ends[1]) / size)
        largest = max(float(np.max(np.abs(slope))) for slope in slopes)
        if not all(np.allclose(slope, slopes[0], rtol=0.1, atol=1e-3 * largest + 1e-6) for slope in slopes):
            return False
    return True


def _first_iterations(
    rule: _Rule,
    alpha: float,
    count: int,
    theta: Array,
    gradient: Callable[[Array], Array],
    factors: Array | None,
) -> FirstIterations:
    """Run ``count`` iterations of the optimizer, and update its memories once more, for the next step."""
    plan = Plan(rule.plan.optimizer)
    values = plan.starts(theta, np.zeros_like(theta), layout(plan, len(theta)))
    rows: dict[str, list[Array]] = {"theta": [theta], **{name: [values[name]] for name in plan.memories}}
    scales = dict.fromkeys(rule.lags, 0.0)
    for k in range(1, count + 2):
        rate = alpha if factors is None else alpha * float(factors[min(k, len(factors)) - 1])
        place = plan.place(values, k, rate)
        if k <= count:
            plan.advance(values, gradient(place))
            for name, row in rows.items():
                row.append(values[name])
        else:
            plan.remember(values, gradient(place))
        for name in rule.lags:
            source = plan.sources[name](values) if name in plan.sources else values[_GRADIENT]
            scales[name] = max(scales[name], float(np.max(np.abs(source))))
    kappa, memories = np.array([count + 1.0]), []
    for name, lag in rule.lags.items():
        memories.append((values[name] - lag.kept(kappa) * rule.starts.get(name, 0.0)) / lag.mass(kappa))
    stacked = {name: np.stack(row) for name, row in rows.items()}
    return FirstIterations(count, stacked.pop("theta"), stacked, tuple(memories), tuple(scales.values()))
