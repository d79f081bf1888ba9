"""Each fault that `idescent check` knows of is told in its own words, with what to do about it."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

import idescent as ide
from idescent.check import model, objective, optimizer
from idescent.optimizers import average, recursion, total


def failed(verdicts):
    return [(verdict.check, verdict.text) for verdict in verdicts if verdict.status == "fail"]


# Optimizers -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plain(ide.Optimizer):
    beta: float = 0.9
    eps: float = 1e-8
    accumulator: str = "coordinate"

    def memories(self):
        return {"v": average(self.beta, of="square")}

    def step(self, gradient, v):
        return gradient / (np.sqrt(v) + self.eps)


class NoDataclass(Plain):
    extra: float = 0.5


@dataclass
class Settable(ide.Optimizer):
    beta: float = 0.9
    eps: float = 1e-8
    memories, step = Plain.memories, Plain.step


@dataclass(frozen=True)
class Listed(Plain):
    __hash__ = None


def changed(**attributes):
    """Plain, with other class attributes."""
    return type("Changed", (Plain,), {"__dataclass_fields__": Plain.__dataclass_fields__, **attributes})


def remembering(**memories):
    """Plain, with other memories."""
    return changed(memories=lambda self: {name: make() for name, make in memories.items()})


@dataclass(frozen=True)
class WrongError(Plain):
    def __post_init__(self):
        if not isinstance(self.beta, float) or not 0.0 <= self.beta < 1.0:
            raise ArithmeticError("no")
        super().__post_init__()


@dataclass(frozen=True)
class Nameless(Plain):
    def __post_init__(self):
        if self.beta != 0.9:
            raise ValueError("no")
        super().__post_init__()


def wide(theta):
    return np.ones((*theta.shape[:-1], 7))


OPTIMIZERS = [
    (NoDataclass, "family", "decorate it with @dataclass(frozen=True)"),
    (Settable, "frozen", "beta can be set: decorate the class"),
    (Listed, "frozen", "it cannot be hashed: all fields must be numbers or texts"),
    (
        changed(memories=lambda self: ["v"]),
        "structure",
        "memories: ['v'] is not allowed: must be a dict by name",
    ),
    (
        remembering(v=lambda: 0.9),
        "structure",
        "memories: v is 0.9: must be average(...), accumulate(...), total(...) or",
    ),
    (
        changed(memories=lambda self: {"a b": total()}),
        "structure",
        "'a b' is not allowed: must be an identifier",
    ),
    (remembering(v_old=lambda: total()), "structure", "the name 'v_old' is reserved"),
    (remembering(loss=lambda: total()), "structure", "the name 'loss' is reserved"),
    (
        remembering(v=lambda: average(1.5)),
        "structure",
        "average: beta = 1.5 is not allowed: must be in",
    ),
    (remembering(v=lambda: average("0.5")), "structure", "must be a number in [0, 1] or a function of k"),
    (
        remembering(v=lambda: total(of="cube")),
        "structure",
        "sum: of = 'cube' is not allowed: must be 'gradient', 'square'",
    ),
    (
        remembering(v=lambda: total(read="late")),
        "structure",
        "read = 'late' is not allowed: must be 'new'",
    ),
    (
        remembering(v=lambda: total(start=math.inf)),
        "structure",
        "start = inf is not allowed: must be finite",
    ),
    (
        remembering(v=lambda: total(of=lambda direction: direction)),
        "structure",
        "of: parameter 'direction' is unknown",
    ),
    (
        remembering(v=lambda: total(start=lambda k: k)),
        "structure",
        "v', start: parameter 'k' is unknown: must be one of gradient",
    ),
    (
        remembering(v=lambda: average(lambda v: v)),
        "structure",
        "v', beta: parameter 'v' is unknown: must be one of k",
    ),
    (remembering(v=lambda: total(of=wide)), "shapes", "D has shape (7,): it must be (1,), that of theta"),
    (
        remembering(v=lambda: total(of="square", start=np.ones(7))),
        "shapes",
        "start has shape (7,) but the source has",
    ),
    (
        changed(sequences=lambda self: {"v": lambda k: k}),
        "structure",
        "'v' is the name of a memory and of a seq",
    ),
    (
        changed(sequences=lambda self: {"q": 1.0}),
        "structure",
        "q is 1.0: must be a function or recursion(...)",
    ),
    (
        changed(sequences=lambda self: {"q": lambda p: p}),
        "structure",
        "sequences 'q': parameter 'p' is unknown",
    ),
    (
        changed(sequences=lambda self: {"q": recursion("1", None)}),
        "structure",
        "recursion: start = '1' is not",
    ),
    (
        changed(sequences=lambda self: {"q": recursion(1.0, None)}),
        "structure",
        "recursion: function = None is",
    ),
    (changed(step=None), "structure", "there is no method step: define step(self, ...) that returns D"),
    (
        changed(decay="half"),
        "structure",
        "decay: 'half' is not allowed: must be 'coupled', 'decoupled' or None",
    ),
    (changed(decay="coupled"), "structure", "decay is 'coupled' but there is no field weight_decay"),
    (changed(point=lambda self, gradient: gradient), "structure", "point: parameter 'gradient' is unknown"),
    (changed(evaluate=lambda self, theta: theta[..., :1] * 0.0), "shapes", "evaluate: shape"),
    (changed(summing=True), "constructs", "summing belongs to the former declaration by flags"),
    (changed(decay2=0.5), "constructs", "decay2 belongs to the former declaration by flags"),
    (WrongError, "refuses", "raises ArithmeticError: no: it must be a ValueError"),
    (Nameless, "refuses", "must name the field in one line"),
]


@pytest.mark.parametrize(
    ("make", "check", "said"), OPTIMIZERS, ids=lambda value: value if isinstance(value, str) else None
)
def test_a_fault_of_an_optimizer_is_told(make, check, said):
    (first, *_) = failed(optimizer.check(make))
    assert first[0] == check
    assert said in first[1]


def test_an_optimizer_that_cannot_be_made_is_judged_no_further():
    verdicts = optimizer.check(lambda: Plain(beta=2.0))
    assert [verdict.check for verdict in verdicts] == ["constructs"]
    assert failed(verdicts)


# Models -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Local:
    name: str = "mine"
    order: int = 1
    made: ClassVar = ide.models.Local()

    def equation(self, optimizer, alpha):
        return self.made.equation(optimizer, alpha)


class TwoLines(Local):
    def equation(self, optimizer, alpha):
        raise ValueError("one\ntwo")


class NoEquation(Local):
    def equation(self, optimizer, alpha):
        return "theta' = -g"


class ZeroOverZero(Local):
    def equation(self, optimizer, alpha):
        made = super().equation(optimizer, alpha)
        return replace(made, velocity=lambda s, theta, g, memories: theta * np.where(s < 1.0, math.nan, 1.0))


class Counting(Local):
    calls: ClassVar = []

    def equation(self, optimizer, alpha):
        made = super().equation(optimizer, alpha)

        def velocity(s, theta, g, memories):
            self.calls.append(1)
            return made.velocity(s, theta, g, memories) * len(self.calls)

        return replace(made, velocity=velocity)


MODELS = [
    (lambda: Local(order=0), "attributes", "order is 0: must be the order"),
    (lambda: Local(name="a/b"), "attributes", "name is 'a/b': must be a word"),
    (TwoLines, "equations", "is not one line"),
    (NoEquation, "equations", "is a str: return idescent.models.Equation"),
    (ZeroOverZero, "velocity", "avoid 0/0"),
    (Counting, "velocity", "differs from call to call"),
]


@pytest.mark.parametrize(("make", "check", "said"), MODELS, ids=[said for _, _, said in MODELS])
def test_a_fault_of_a_model_is_told(make, check, said):
    (first, *_) = failed(model.check(make))
    assert first[0] == check
    assert said in first[1]


def test_a_model_that_cannot_be_made_is_judged_no_further():
    verdicts = model.check(lambda: ide.models.Local("no closure"))
    assert [verdict.check for verdict in verdicts] == ["constructs"]


# Objectives -------------------------------------------------------------------------------------------------


class Bowl:
    def value(self, theta):
        return (theta * theta).sum(axis=-1)

    def gradient(self, theta):
        return 2.0 * theta


def with_(**attributes):
    return type("Changed", (Bowl,), attributes)


class Sum(Bowl):
    """The mean over three samples of |theta - x|^2, whose parts can be overridden one by one."""

    samples = 3
    data = np.array([-1.0, 0.0, 1.0])

    def value(self, theta):
        return self.value_of(theta, np.arange(3))

    def gradient(self, theta):
        return self.gradient_of(theta, np.arange(3))

    def away(self, theta, indices):
        return theta[..., None] - self.data[indices][..., None, :]

    def value_of(self, theta, indices):
        return (self.away(theta, indices) ** 2).mean(axis=-1).sum(axis=-1)

    def gradient_of(self, theta, indices):
        return 2.0 * self.away(theta, indices).mean(axis=-1)


class Undivided(Sum):
    def gradient(self, theta):
        return super().gradient_of(theta, np.arange(3))

    def gradient_of(self, theta, indices):
        return 2.0 * self.away(theta, indices).sum(axis=-1) / 3.0


class FirstBatch(Sum):
    def gradient_of(self, theta, indices):
        return super().gradient_of(theta, indices.reshape(-1, indices.shape[-1])[0])


OBJECTIVES = [
    (with_(dimension=0), "dimension is 0: must be an integer"),
    (with_(initial=lambda self, seed: np.array([math.nan, 1.0])), "initial(seed) is not finite"),
    (with_(value=lambda self, theta: "much"), "value returns str: return an array of numbers"),
    (with_(hessian=lambda self, theta: 2.0 * np.eye(3)), "hessian of theta (2,) has shape (3, 3)"),
    (
        with_(separable_quadratic=lambda self, n: (np.ones(7), 0.0)),
        "curvature of separable_quadratic has shape",
    ),
    (type("NoSamples", (Sum,), {"samples": 0}), "samples is 0: must be the number of samples"),
    (type("OneShort", (Sum,), {"gradient_of": lambda self, theta, i: theta[..., :1]}), "must be (2,)"),
    (Undivided, "is not the mean of gradient_of of each: divide by the number of samples"),
    (FirstBatch, "uses wrong rows of indices"),
]


@pytest.mark.parametrize(("make", "said"), OBJECTIVES, ids=[said for _, said in OBJECTIVES])
def test_a_fault_of_an_objective_is_told(make, said):
    texts = [text for _, text in failed(objective.check(make))]
    assert any(said in text for text in texts), texts


def test_a_start_that_is_drawn_with_another_number_of_parameters_is_told():
    made = with_(initial=lambda self, seed: np.ones(2))
    (first, *_) = failed(objective.check(made, theta0=[1.0, 2.0, 3.0]))
    assert first == ("theta0", "initial(seed) has shape (2,): must be (3,), the shape of theta0")
