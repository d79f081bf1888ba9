"""The first iterations of a model that begins with the optimizer itself.

What lives here: :func:`first_iterations`, with the values of the equation's memories after them, and
:func:`started`, a model that begins at a later iteration.  What does not: the equation
(:mod:`idescent.models.half_step`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import Equation, FirstIterations, LearningRate, Model
from idescent.models.variables import Variable, Variables
from idescent.optimizers.declared import DeclaredMemory
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.plan import Plan, Values

Array = NDArray[np.float64]

_BEGINS = "{} begins at theta0 with the initial memories; HalfStep begins after any iterations"


def first_iterations(
    variables: Variables,
    alpha: float,
    last: int,
    theta: Array,
    gradient: Callable[[Array], Array],
    factors: Array | None = None,
    values: Values | None = None,
) -> FirstIterations:
    """Run the optimizer up to iteration ``last``, and one more whose memories the next step reads.

    Parameters
    ----------
    variables : Variables
        The memories of the equation.
    alpha : float
    last : int
    theta : ndarray, shape (n,)
        Parameters at the start.
    gradient : callable
        Gradient of the objective.
    factors : ndarray, shape (steps,), optional
        Factors of alpha, from iteration 1 on.
    values : dict, optional
        Parameters and memories by name after iteration ``values["k"] <= last``, in the shapes of one run: the
        run starts there.  The initial value of a memory that is a function of the gradient or theta is then
        unknown: the memory contains the rest of it.
    """
    plan, dims = Plan(variables.plan.optimizer), variables.dims(len(theta))
    items = list(variables.items.values())
    rates = np.full(last + 1, alpha)
    if factors is not None:
        rates[: len(factors)] *= factors[: len(rates)]
    scales = [0.0] * len(items)
    initial: Values
    if values is None:
        start = gradient(theta) if plan.starts_from_gradient else np.zeros_like(theta)
        values = plan.starts(theta, start, dims)
        initial = {name: values[name] for name in plan.memories}
    else:
        values = dict(values)
        initial = {name: _declared(memory, dims[name]) for name, memory in plan.memories.items()}
    first = values["k"]
    rows: dict[str, list[Array]] = {"theta": [plan.evaluated(values)]}
    rows |= {name: [np.ravel(values[name])] for name in plan.memories}
    for k in range(first + 1, last + 1):
        plan.advance(values, gradient(plan.place(values, k, float(rates[k - 1]))))
        scales = list(map(max, scales, _sizes(plan, items, values)))
        rows["theta"].append(plan.evaluated(values))
        for name in plan.memories:
            rows[name].append(np.ravel(values[name]))
    end = plan.flat(values["theta"])
    # After the last iteration, and after the next one.
    before = {name: values[name] for name in plan.memories}
    point = plan.place(values, last + 1, float(rates[last]))
    plan.advance(values, gradient(point))
    scales = list(map(max, scales, _sizes(plan, items, values)))
    inputs = {"gradient": plan.flat(values["gradient"]), "theta": end, "point": point}
    kappa, memories = np.array([last + 1.0]), []
    for variable in items:
        if variable.memory is None:
            memories.append(inputs[variable.key])
            continue
        name = variable.memory
        if variable.kind == "start":
            memories.append(np.ravel(initial[name]))
        else:
            # The values after the last and after the next iteration, each by its mass.
            ends = []
            for late, value in ((1.0, before[name]), (0.0, values[name])):
                if variable.kind == "linear":
                    at = kappa + variable.late - late
                    value = (value - variable.lag.kept(at) * initial[name]) / variable.lag.mass(at)
                ends.append(value)
            # Without the product by 0, which would be NaN for a value that is not finite.
            whole = variable.late in (0.0, 1.0)
            late = variable.late
            value = ends[int(1.0 - late)] if whole else late * ends[0] + (1.0 - late) * ends[1]
            memories.append(np.ravel(value))
    stacked = {name: np.stack(row) for name, row in rows.items()}
    theta = stacked.pop("theta")
    return FirstIterations(last, theta, stacked, tuple(memories), tuple(scales), end, first)


def _declared(memory: DeclaredMemory, shape: tuple[int, ...]) -> Array:
    """Return the declared initial value of a memory; 0 for a function of the gradient or theta."""
    start = 0.0 if callable(memory.start) else memory.start
    return np.array(np.broadcast_to(np.asarray(start, dtype=np.float64), shape))


def _sizes(plan: Plan, items: Sequence[Variable], values: Values) -> list[float]:
    """Return the largest absolute source of each variable in the last iteration."""
    sizes = []
    for variable in items:
        name = variable.memory
        source = values[variable.key] if name is None else plan.sources[name](values)
        sizes.append(float(np.max(np.abs(source))))
    return sizes


@dataclass(frozen=True)
class Started:
    """A model whose first iterations begin at a checkpoint.

    Attributes
    ----------
    model : Model
    values : dict
        See :func:`first_iterations`.
    """

    model: Model
    values: Values

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.model.name

    @property
    def order(self) -> int:
        """Order of the model."""
        return self.model.order

    def equation(self, optimizer: Optimizer, alpha: LearningRate) -> Equation:
        """Return the model's equation, which begins at the checkpoint."""
        equation = self.model.equation(optimizer, alpha)
        begin = equation.begin
        if begin is None or "values" not in inspect.signature(begin).parameters:
            text = _BEGINS.format(type(self.model).__name__)
            raise ValueError(f"start: moments after k = {self.values['k']} are not allowed: {text}")
        return replace(equation, begin=partial(begin, values=self.values))


def started(model: Any, first: int, values: Values | None, iterations: int | None) -> Any:
    """Return a model whose equation begins after a checkpoint and a number of true iterations.

    Parameters
    ----------
    model : Model
    first : int
        Iteration of the checkpoint.
    values : dict or None
        The checkpoint; None for the initial values of the optimizer.
    iterations : int or None
        True iterations to make first; None for those of the model, counted from iteration 0, if there are any
        left.

    Raises
    ------
    ValueError
        If the model makes no iterations of the optimizer, or needs more of them.
    """
    count = getattr(model, "start", None)
    if iterations is not None or (values is not None and first > 0):
        if count is None or not is_dataclass(model) or isinstance(model, type):
            raise ValueError(f"start: k = {first} is not allowed: {_BEGINS.format(type(model).__name__)}")
        total = max(first, count) if iterations is None else first + iterations
        try:
            model = replace(model, start=total)
        except ValueError as error:
            rule = str(error).rpartition(": ")[2]
            raise ValueError(f"start: k + iterations = {total} is not allowed: {rule}") from error
    return model if values is None else Started(model, values)
