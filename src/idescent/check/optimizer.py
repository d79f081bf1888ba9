"""Checks of an optimizer: its declared attributes describe its update.

What lives here: the properties on which the loops and the models rely.  What does not: the quality of the
update.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from idescent.analysis.verification import verify
from idescent.check.model import use_of_moments
from idescent.check.verdicts import Checks, FaultError, NotOfferedError, Verdict, in_one_line
from idescent.discrete.kernels import compiled
from idescent.discrete.loop import simulate
from idescent.models.card import GENERAL, claim
from idescent.models.equation import derive
from idescent.objectives import DoubleWell, Quadratic
from idescent.optimizers.layout import layout
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.plan import Plan
from idescent.optimizers.ratio import own
from idescent.stochastic import sde
from idescent.stochastic.sde import Compagnoni, Malladi
from idescent.study import registry
from idescent.study.arguments import known
from idescent.trajectory import Trajectory

_CELL: dict[str, Any] = {"alpha": 0.05, "theta0": [1.0, -0.5, 3.0], "steps": 40}
# Iterations and gradients of each measurement of an order.
_WORK = 2e5
_NOT_NUMBERS = (math.nan, math.inf, "0.5", True)


class _Plain:
    """A quadratic without ``separable_quadratic``, so that its runs use the loop in Python."""

    def __init__(self) -> None:
        self._own = Quadratic([4.0, -1.0, 0.5])
        self.value, self.gradient = self._own.value, self._own.gradient


def check(make: Callable[[], Any]) -> list[Verdict]:
    """Check the optimizer that ``make`` returns."""
    checks, built = Checks(), []

    def constructs() -> str:
        built.append(make())
        return repr(built[0])

    checks.add("constructs", constructs)
    if not built:
        return checks.verdicts
    (optimizer,) = built
    checks.add("family", lambda: _family(optimizer), "constructs")
    checks.add("frozen", lambda: _frozen(optimizer, make), "family")
    checks.add("structure", lambda: _structure(optimizer), "family")
    checks.add("shapes", lambda: _shapes(optimizer), "family", "structure")
    checks.add("refuses", lambda: _refuses(optimizer), "family")
    checks.add("run", lambda: _run(optimizer), "structure", "shapes")
    checks.add("loops agree", lambda: _loops(optimizer), "run")
    checks.add("hyper-parameters", lambda: _matter(optimizer), "run", "frozen")
    for name in sorted(known("model")):
        checks.add(f"model {name}", partial(_model, optimizer, name), "structure", "run")
    for equation in (Malladi(), Compagnoni()):
        checks.add(f"model {type(equation).__name__}", partial(_sde, optimizer, equation), "structure", "run")
    for name in GENERAL:
        checks.add(f"order {name}", partial(_order, optimizer, name), "structure", "run", "frozen")
    return checks.verdicts


def _family(optimizer: Any) -> str:
    if not isinstance(optimizer, Optimizer):
        raise FaultError("the class must derive from idescent.optimizers.Optimizer")
    # A subclass of a dataclass has inherited fields, but is no dataclass itself.
    if not is_dataclass(optimizer) or "__dataclass_fields__" not in vars(type(optimizer)):
        raise FaultError("the class is no dataclass: decorate it with @dataclass(frozen=True)")
    return ""


def _frozen(optimizer: Any, make: Callable[[], Any]) -> str:
    for field in fields(optimizer):
        before = getattr(optimizer, field.name)
        try:
            setattr(optimizer, field.name, before)
        except (FrozenInstanceError, AttributeError):
            continue
        raise FaultError(f"{field.name} can be set: decorate the class with @dataclass(frozen=True)")
    other = make()
    try:
        same = other == optimizer and hash(other) == hash(optimizer)
    except TypeError as error:
        raise FaultError(f"it cannot be hashed: all fields must be numbers or texts ({error})") from error
    if not same:
        raise FaultError(
            "two objects with the same hyper-parameters are not equal: remove __eq__ and __hash__, which "
            "the dataclass defines"
        )
    return ""


def _structure(optimizer: Any) -> str:
    try:
        plan = Plan(optimizer)
    except ValueError as error:
        raise FaultError(_without_owner(optimizer, error)) from error
    memories = [
        f"{name} ({memory.kind}{', read old' if memory.read == 'old' else ''})"
        for name, memory in plan.memories.items()
    ]
    return f"memories {', '.join(memories)}" if memories else "no memories"


def _shapes(optimizer: Any) -> str:
    try:
        for n in (1, 3):
            dims = layout(Plan(optimizer), n if optimizer.shape is None else math.prod(optimizer.shape))
    except ValueError as error:
        raise FaultError(_without_owner(optimizer, error)) from error
    return ", ".join(f"{name} {shape}" for name, shape in dims.items())


def _without_owner(optimizer: Any, error: ValueError) -> str:
    return str(error).removeprefix(type(optimizer).__name__).lstrip(":. ")


def _refuses(optimizer: Any) -> str:
    tried = 0
    for field in fields(optimizer):
        bad: tuple[Any, ...] = (*_NOT_NUMBERS, -0.1)
        if field.name == "accumulator":
            bad = ("both", 1)
        elif field.name == "shape":
            bad = ("many", 0.5)
        elif isinstance(getattr(optimizer, field.name), bool):
            bad = (0.5, "yes")
        elif field.name.startswith("beta"):
            bad = (*bad, 1.0)
        for value in bad:
            tried += 1
            try:
                replace(optimizer, **{field.name: value})
            except ValueError as error:
                if field.name not in str(error) or "\n" in str(error):
                    raise FaultError(
                        f"the error for {field.name} = {value!r} must name the field in one line: {error}"
                    ) from error
                continue
            except Exception as error:
                raise FaultError(
                    f"{field.name} = {value!r} raises {in_one_line(error)}: it must be a ValueError"
                ) from error
            raise FaultError(
                f"{field.name} = {value!r} is accepted: call super().__post_init__() in __post_init__"
            )
    return f"{tried} bad values refused"


def _run(optimizer: Any) -> str:
    run = _simulated(optimizer, Quadratic(4.0))
    if not run.report.ok:
        raise FaultError(f"a run on a quadratic: {run.report.message}: the update must be finite")
    return f"{run.steps} iterations"


def _simulated(optimizer: Any, objective: Any) -> Trajectory:
    """Return a short run; its number of parameters is that of the optimizer's shape."""
    if optimizer.shape is None:
        return simulate(optimizer, objective, **_CELL)
    start = np.resize(_CELL["theta0"], math.prod(optimizer.shape))
    return simulate(optimizer, objective, **{**_CELL, "theta0": start})


def _loops(optimizer: Any) -> str:
    ratio = own(optimizer)
    if compiled() is None or ratio is None or (ratio.first is not None) != ratio.corrected:
        raise NotOfferedError("there is no compiled loop for it")
    fast, slow = (simulate(optimizer, f, **_CELL) for f in (Quadratic([4.0, -1.0, 0.5]), _Plain()))
    if not _same(fast, slow):
        k = int(np.argmax((fast.theta != slow.theta).any(axis=1)))
        raise FaultError(
            f"the compiled loop and the loop in Python differ from iteration {k} on: all attributes must be "
            "of Python's types float and bool, and must not change"
        )
    return "compiled loop and Python loop: same bits"


def _same(one: Trajectory, other: Trajectory) -> bool:
    pairs = [(one.theta, other.theta), *((one.moments[m], other.moments[m]) for m in one.moments)]
    return all(np.array_equal(a, b) for a, b in pairs)


def _matter(optimizer: Any) -> str:
    n = 3 if optimizer.shape is None else math.prod(optimizer.shape)
    run = _simulated(optimizer, DoubleWell(n))
    for field in fields(optimizer):
        value = getattr(optimizer, field.name)
        if field.name == "shape":
            continue  # another shape need not fit
        if field.name == "accumulator":
            others: list[Any] = [{"coordinate": "norm", "norm": "coordinate"}[value]]
        elif isinstance(value, bool):
            others = [not value]
        else:
            # Two values: a run may agree by chance with one of them.  A large one: some hyper-parameters have
            # an effect only there.
            large = [] if field.name.startswith("beta") else [value + 10.0]
            others = [0.5 * value + 0.1, 0.5 * value, *large]
        changed = [replace(optimizer, **{field.name: other}) for other in others if other != value]
        if all(_same(run, _simulated(other, DoubleWell(n))) for other in changed):
            raise FaultError(
                f"{field.name} has no effect on a run: use it in memories, sequences or step, or remove it; "
                "for weight_decay set decay"
            )
    return f"all {len(fields(optimizer))} change the run"


def _model(optimizer: Any, name: str) -> str:
    try:
        equation = derive(registry.resolve("model", name)(), optimizer, 0.05)
    except ValueError as refused:
        raise NotOfferedError(_reason(refused)) from refused
    return use_of_moments(equation, optimizer)


def _sde(optimizer: Any, equation: sde.StochasticEquation) -> str:
    try:
        sde.check_covered(equation, optimizer)
    except ValueError as refused:
        raise NotOfferedError(_reason(refused)) from refused
    return f"uses {', '.join(optimizer.moments)}"


def _reason(refused: ValueError) -> str:
    # The name of the check already has the model's name.
    return f"refuses: {str(refused).partition(': ')[2]}"


def _order(optimizer: Any, name: str) -> str:
    """Compare the measured slopes of a model's error with its claim."""
    model, measured = registry.resolve("model", name)(), _short(optimizer)
    claimed = claim(model, measured)
    if claimed.order is None:
        raise NotOfferedError(f"no claim: {claimed.why.removeprefix('refused: ')}")
    # An irregular bowl and start: a gradient of rank one would let errors of a matrix cancel.
    i = np.arange(2 if optimizer.shape is None else math.prod(optimizer.shape))
    bowl, start = Quadratic(4.0 * np.cos(1.3 * i)), 1.5 + np.sin(1.7 * i)
    result = verify(measured, bowl, theta0=start, model=model, work=_WORK)
    changed = [
        f"{name} = {value:g}"
        for name, value in measured.hyperparameters.items()
        if value != getattr(optimizer, name)
    ]
    where = f" ({', '.join(changed)})" if changed else ""
    if result.verdict == "fail":
        advice = "do not rely on this order; idescent.verify returns the errors"
        raise FaultError(f"claimed {claimed.order}, {result.why}{where}: {advice}")
    if result.verdict != "ok":
        raise NotOfferedError(f"{result.verdict}: claimed {claimed.order}, {result.why}{where}")
    return f"claimed {claimed.order}, {result.why.partition(', at least')[0]}{where}"


def _short(optimizer: Any) -> Any:
    """Return the optimizer with short memories: the order does not depend on their lengths, its range does.

    Different decay rates stay different, for equal lags may cancel.
    """
    betas = {
        field.name: round(1.0 - math.sqrt(1.0 - getattr(optimizer, field.name)), 3)
        for field in fields(optimizer)
        if field.name.startswith("beta")
    }
    try:
        return replace(optimizer, **betas)
    except ValueError:  # the optimizer has further rules for its decay rates
        return optimizer
