"""The automatic second-order model of declared optimizers whose memories are averages and sums.

What lives here: :class:`SecondOrder`.  What does not: the lags of its memories
(:mod:`idescent.models.lags`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import integer
from idescent.models.averages import refusal
from idescent.models.equation import Equation, FirstIterations, LearningRate, Memory
from idescent.models.half_step import decoupled_decay
from idescent.models.lags import Lag
from idescent.models.recipe import refuse_structure
from idescent.optimizers.declared import average
from idescent.optimizers.layout import layout
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.plan import Plan, Values

Array = NDArray[np.float64]

# Weights of the values at kappa - 2 ... kappa + 2: the average of the weighted sum over step k is the value
# at k, up to differences of sixth order.
_AVERAGE = np.array([3 / 640, -1 / 24 - 12 / 640, 1 + 2 / 24 + 18 / 640, -1 / 24 - 12 / 640, 3 / 640])
_SHIFTS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
_GRADIENT = "gradient"
# Iteration at which the step is tested for smoothness.
_LATE = 1e4


@dataclass(frozen=True)
class SecondOrder:
    r"""A second-order model of a declared optimizer, derived automatically.

    In k-time, with :math:`\kappa = s + \frac12`, each memory of the gradient or its square has the mean lag L
    and the mass N of the discrete memory at the middle of every step (``idescent.models.lags.Lag``).
    The step D is the declared one:

    .. math::
        \hat M' = \frac{1-L'}{L}\,(h - \hat M), \qquad
        \theta' = -\alpha\,\Bigl[D - \tfrac1{24}\delta^2 D + \tfrac{3}{640}\delta^4 D\Bigr], \qquad
        D = D\bigl(\beta^\kappa M_0 + N(\kappa)\,\hat M,\ \hat g,\ \hat\theta,\ \kappa\bigr),

    with the source h and the initial value :math:`M_0` of each memory.  :math:`\hat g` and
    :math:`\hat\theta` have the lag of half an iteration.  The central differences :math:`\delta` are taken in
    :math:`\kappa` at constant :math:`\hat M`: the average of the bracket over step k is D at ``k``.
    Decoupled weight decay enters as in :class:`idescent.models.HalfStep`.

    The optimizer itself runs the first ``start`` iterations.  Each :math:`\hat M` then has the value that the
    next step reads, and keeps it until the middle of that step.  The derivation is that of
    :class:`idescent.models.HalfStep` (``docs/theory.md``) with two changes: the lag of every iteration
    replaces its limit, and the average over a step replaces :math:`\lceil s\rceil`.  A step with a sign
    is exact until the sign changes.

    Rows of the solution contain :math:`N(k)\,\hat M(k-\frac12)` for memories that start at 0 and have
    ``read="new"``; other memories are not reported.

    Parameters
    ----------
    start : int, >= 3
        Number of discrete iterations at the start.

    Raises
    ------
    ValueError
        If ``start`` is less than 3.  By :meth:`equation`, if the optimizer has a maximum, a memory whose
        source is not the gradient or its square, a decay rate that depends on k, an initial value that
        depends on the gradient, a step that reads values before the iteration, parameters with a shape, a
        gradient at another point than theta, or a step without a derivative at a constant gradient, for
        example the root of a variance: its error would be of first order.
    """

    start: int = 8
    name: str = "second-order"
    order: int = 2

    def __post_init__(self) -> None:
        """Check the number of discrete iterations."""
        integer("SecondOrder.start", self.start, least=3)

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the model's equation for the declaration of ``optimizer``."""
        plan = Plan(optimizer)
        _check(plan)
        begin = self.start + 0.5
        lags = {name: Lag(memory) for name, memory in plan.memories.items()}
        sources = {name: memory.of for name, memory in plan.memories.items()}
        if _GRADIENT in plan.asked:
            # An average with the decay rate 0 has the lag of half an iteration.
            lags[_GRADIENT], sources[_GRADIENT] = Lag(average(0.0)), "gradient"
        names, starts = list(lags), {name: np.asarray(m.start) for name, m in plan.memories.items()}
        shrink, push = decoupled_decay(alpha, optimizer.decoupled_decay)

        def step(kappa: Array, theta: Array, means: dict[str, Array]) -> Array:
            values: Values = {"alpha": alpha, "theta": theta, **plan.continued(kappa)}
            for name, mean in means.items():
                mass = lags[name].mass(kappa)
                values[name] = mass * mean
                if name in starts and starts[name].any():
                    values[name] = values[name] + lags[name].kept(kappa) * starts[name]
            return np.asarray(plan.direction(values))

        gradient = np.array([[0.7, -1.3]])
        constant = {
            name: optimizer.squares(gradient) if of == "square" else gradient for name, of in sources.items()
        }
        with np.errstate(all="ignore"):
            late, origin = np.array([[_LATE]]), np.zeros_like(gradient)
            if not _smooth(lambda means: step(late, origin, means), constant):
                raise refusal(
                    "SecondOrder", optimizer, "its step is not smooth where the gradient is constant"
                )

        def direction(s: Array, theta: Array, means: dict[str, Array]) -> Array:
            if "theta" in plan.asked:
                # Theta of half an iteration ago.
                theta = theta + 0.5 * alpha * step(s + 0.5, theta, means)
            kappa = np.maximum(s + 0.5 + _SHIFTS.reshape(-1, *[1] * s.ndim), 0.5)
            return np.tensordot(_AVERAGE, step(kappa, theta, means), 1)

        def velocity(s: Array, theta: Array, gradient: Array, memories: Sequence[Array]) -> Array:
            means = dict(zip(names, memories, strict=True))
            return -push * alpha * direction(s, theta, means) - shrink * theta

        return Equation(
            memories=tuple(_memory(name, lags[name], sources[name], plan) for name in names),
            velocity=velocity,
            mobility=None,
            coupled_decay=optimizer.coupled_decay,
            moment_offset=-0.5,
            held_until=begin,
            begin=lambda theta, gradient: _first_iterations(
                optimizer, alpha, self.start, lags, theta, gradient
            ),
        )


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
            raise refusal("SecondOrder", plan.optimizer, why)
    refuse_structure("SecondOrder", plan)


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


def _memory(name: str, lag: Lag, of: Any, plan: Plan) -> Memory:
    """Return the normalised memory."""
    declared = plan.memories.get(name)
    stored = declared is not None and declared.read == "new" and declared.from_nothing
    return Memory(
        name,
        1.0,
        lag.rate,
        squared=of == "square",
        readout=lag.mass,
        stored=stored,
        change=lambda s: lag.change(s + 0.5),
    )


def _first_iterations(
    optimizer: Optimizer,
    alpha: LearningRate,
    count: int,
    lags: dict[str, Lag],
    theta: Array,
    gradient: Callable[[Array], Array],
) -> FirstIterations:
    """Run ``count`` iterations of the optimizer, and update its memories once more, for the next step."""
    if np.ndim(alpha):
        raise refusal("SecondOrder", optimizer, "under a schedule its first iterations are not known")
    plan = Plan(optimizer)
    values = plan.starts(theta, np.zeros_like(theta), layout(plan, len(theta)))
    rows: dict[str, list[Array]] = {"theta": [theta], **{name: [values[name]] for name in plan.memories}}
    scales = dict.fromkeys(lags, 0.0)

    def measure() -> None:
        for name in lags:
            source = plan.sources[name](values) if name in plan.sources else values[_GRADIENT]
            scales[name] = max(scales[name], float(np.max(np.abs(source))))

    for k in range(1, count + 1):
        plan.advance(values, gradient(plan.place(values, k, float(alpha))))
        measure()
        for name, row in rows.items():
            row.append(values[name])
    plan.remember(values, gradient(plan.place(values, count + 1, float(alpha))))
    measure()
    kappa, memories = np.array([count + 1.0]), []
    for name, lag in lags.items():
        start = np.asarray(plan.memories[name].start) if name in plan.memories else 0.0
        memories.append((values[name] - lag.kept(kappa) * start) / lag.mass(kappa))
    stacked = {name: np.stack(row) for name, row in rows.items()}
    return FirstIterations(count, stacked.pop("theta"), stacked, tuple(memories), tuple(scales.values()))
