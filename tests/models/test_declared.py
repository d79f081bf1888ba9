"""No model drops what an optimizer declares: every model with every optimizer, one's own included."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from declared_optimizers import OWN as EVERY_KIND
from members import BUILT_IN, OWN, Coupled, Decoupled, Mine
from scipy.integrate import quad

import idescent as ide
from idescent import models as M  # noqa: N812  # as in other tests
from idescent.check import check
from idescent.models.equation import Equation, Memory, derive
from idescent.objectives import DoubleWell
from idescent.optimizers.structure import structure
from idescent.solvers import Picard
from idescent.study.arguments import known

OTHERS = {"beta": 0.6, "beta1": 0.8, "beta2": 0.6, "eps": 0.2, "accumulator": "norm", "weight_decay": 0.5}
HOW = [
    *((getattr(M, name)(), None) for name in sorted(known("model"))),
    (M.Local(closure="relaxed"), None),
    (M.Paper(), Picard(tolerance=1e-9, quadrature="exact")),
    (M.Paper(), Picard(tolerance=1e-9, quadrature="exact", alignment="published")),
]
CELL = {"alpha": 0.1, "theta0": [2.0, -0.4], "steps": 8}


def quick(hows):
    """Mark all models as slow except the recipe of the paper and the half-step model."""
    first = ("paper", "half-step")
    marks = [() if how[0].name in first and how[1] is None else pytest.mark.slow for how in hows]
    return [pytest.param(how, marks=mark) for how, mark in zip(hows, marks, strict=True)]


def labelled(value):
    if isinstance(value, tuple):
        return value[0].name + ("" if value[1] is None else f"-{value[1].alignment}")
    return type(value).__name__


def solved(how, optimizer, **cell):
    model, solver = how
    return ide.solve(model, optimizer, DoubleWell(2), **(CELL | cell), rtol=1e-6, solver=solver)


def refusal(model, optimizer):
    """Return whether the model refuses, in a line that names the optimizer."""
    try:
        derive(model, optimizer, 0.1)
    except ValueError as error:
        said = str(error)
    else:
        return False
    assert "\n" not in said
    assert type(optimizer).__name__ in said
    return True


@pytest.mark.parametrize("optimizer", [*BUILT_IN, *OWN], ids=labelled)
@pytest.mark.parametrize("how", quick(HOW), ids=labelled)
def test_every_hyperparameter_moves_the_solution_or_the_model_refuses_or_eliminates(how, optimizer):
    model, solver = how
    if refusal(model, optimizer):
        with pytest.raises(ValueError, match=type(optimizer).__name__):
            solved(how, optimizer)
        return
    equation = derive(model, optimizer, 0.1)
    left_out = [m for m in optimizer.moments if m not in {memory.name for memory in equation.memories}]
    assert set(left_out) <= set(equation.eliminates)
    assert all(equation.eliminates.values())
    assert {memory.name for memory in equation.memories if memory.stored} <= set(optimizer.moments)
    path = solved(how, optimizer)
    if not path.report.ok:
        return  # and says so
    for name in optimizer.hyperparameters:
        if model.name == "sign-flow" and name.startswith("beta"):
            continue  # with the moments
        published = solver is not None and solver.alignment == "published"
        if published and name == "eps" and optimizer.moments == ("G",):
            continue  # as in the published run of AdaGrad; stated in the docstring
        other = solved(how, replace(optimizer, **{name: OTHERS[name]}))
        assert np.abs(other.theta - path.theta).max() > 1e-4, name


@pytest.mark.parametrize("optimizer", OWN, ids=labelled)
@pytest.mark.parametrize("how", quick(HOW[:-2]), ids=labelled)
def test_the_model_of_an_optimizer_of_ones_own_has_its_declared_order(how, optimizer):
    model, optimizer = how[0], replace(optimizer, eps=1e-8)
    if refusal(model, optimizer):
        return
    errors = []
    for steps in (128, 256):
        cell = {"alpha": 1.0 / steps, "theta0": [3.0, 4.5], "steps": steps}
        run = ide.simulate(optimizer, DoubleWell(2), **cell)
        path = ide.solve(model, optimizer, DoubleWell(2), **cell, rtol=1e-11)
        errors.append(ide.compare(run, path).sup["theta"])
    # The window of AdamW's higher orders begins later: its slopes rise towards 2 and 3 from below.
    assert np.log2(errors[0] / errors[1]) >= model.order - 0.4, errors


def test_the_first_moment_without_bias_correction_is_that_of_proposition_3_on_a_slope():
    class Slope:
        def value(self, theta):
            return theta.sum(axis=-1)

        def gradient(self, theta):
            return np.ones_like(theta)

    path = ide.solve(M.Paper(), Mine(0.9, 0.99, eps=0.0), Slope(), alpha=0.1, theta0=0.0, steps=20)
    k = path.k[:, None]
    np.testing.assert_allclose(path.moments["m"], 1.0 - np.exp(-0.1 * k), atol=1e-9)
    np.testing.assert_allclose(path.moments["v"], 1.0 - np.exp(-0.01 * k), atol=1e-9)
    expected, _ = quad(lambda s: -np.expm1(-0.1 * s) / np.sqrt(-np.expm1(-0.01 * s)), 0.0, 20.0)
    assert abs(path.theta[-1, 0] + 0.1 * expected) < 1e-8


@dataclass(frozen=True)
class MyModel:
    """An equation of Adam with what a test leaves out of it."""

    without: str = ""
    eliminates: bool = False
    name: str = "mine"
    order: int = 1

    def equation(self, optimizer, alpha):
        out, decay = self.without, alpha * optimizer.decoupled_decay

        def velocity(s, theta, gradient, memories):
            moment = gradient if out else memories[-2]
            root = 1.0 if out == "unused v" else np.sqrt(memories[-1]) + optimizer.eps
            return -alpha * moment / root - (0.0 if out == "decay" else decay) * theta

        def mobility(s, memories):
            return alpha / (np.sqrt(memories[-1]) + optimizer.eps)

        m, v = Memory("m", 0.4, 0.4, squared=False), Memory("v", 0.2, 0.2, squared=True)
        return Equation(
            (v,) if out == "m" else (m, v),
            velocity,
            mobility,
            coupled_decay=0.0 if out == "coupled" else optimizer.coupled_decay,
            eliminates={"m": "the gradient is constant"} if self.eliminates else {},
        )


LEFT_OUT = [
    ("m", Mine(), "the equation has no memory 'm': add it, or state in eliminates why it needs none"),
    ("unused m", Mine(), "the velocity does not depend on the memory 'm': use it, or state in eliminates"),
    ("unused v", Mine(), "the velocity does not depend on the memory 'm'"),
    ("decay", Decoupled(), "the velocity does not depend on the memory 'm'"),
    (
        "coupled",
        Coupled(),
        "coupled_decay of the equation is 0.0, of the optimizer 0.3: "
        "set coupled_decay=optimizer.coupled_decay",
    ),
]


@pytest.mark.parametrize(("without", "optimizer", "said"), LEFT_OUT, ids=[row[0] for row in LEFT_OUT])
@pytest.mark.parametrize("solver", [None, Picard()], ids=["collocation", "picard"])
@pytest.mark.parametrize("schedule", [None, ide.schedules.LinearWarmup(3)], ids=["constant", "schedule"])
def test_a_model_of_ones_own_that_leaves_something_out_is_refused(without, optimizer, said, solver, schedule):
    ide.solve(MyModel(), optimizer, DoubleWell(2), **CELL, rtol=1e-4)
    with pytest.raises(ValueError, match=f"^MyModel does not model {type(optimizer).__name__}: ") as refused:
        ide.solve(MyModel(without), optimizer, DoubleWell(2), **CELL, solver=solver, schedule=schedule)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_model_that_states_a_derivation_may_leave_a_moment_out():
    path = ide.solve(MyModel("m", eliminates=True), Mine(), DoubleWell(2), **CELL, rtol=1e-4)
    assert path.report.ok
    with pytest.raises(ValueError, match="does not depend on the memory 'v'"):
        derive(MyModel("unused v", eliminates=True), Mine(), 0.1)
    with pytest.raises(ValueError, match="does not depend on theta, but decoupled_decay is 0"):
        derive(MyModel("decay", eliminates=True), Decoupled(), 0.1)


@pytest.mark.parametrize(
    "optimizer",
    [
        ide.AdamW(1e-300, 1e-300, 3e-87, eps=0.0),
        ide.AdamW(0.9, 0.99, 1e-12, eps=1e300),
        ide.AdamW(1.0 - 1e-16, 1.0 - 1e-16, 5.0),
        ide.AdamW(0.9, 0.99, 9.9, eps=1e30, accumulator="norm"),
        ide.RMSProp(1e-30),
    ],
    ids=repr,
)
def test_an_effect_that_is_lost_in_rounding_is_no_omission(optimizer):
    for name in ("Paper", "Local", "LogRate", "HalfStep"):
        derive(getattr(M, name)(), optimizer, 0.1)


def test_check_compares_and_says_what_each_model_does():
    verdicts = {v.check: v for v in check("model", MyModel, {"without": "m"})}
    assert verdicts["memories"].status == "fail"
    assert "the equation has no memory 'G'" in verdicts["memories"].text
    assert verdicts["order"].status == "not checked"
    verdicts = {v.check: v for v in check("optimizer", Mine, {})}
    assert verdicts["model Paper"].text == "uses m, v"
    assert verdicts["model SignFlow"].text.startswith("eliminates m, v (")
    assert verdicts["model HalfStep"].text == "uses m, v"
    assert verdicts["model LogRate"].status == "not offered"
    assert verdicts["model LogRate"].text == "refuses: it has a first moment without bias correction"
    assert verdicts["model Malladi"].text.startswith("refuses: Mine is not allowed")
    verdicts = {v.check: v for v in check("model", M.SignFlow, {})}
    assert "RMSProp: eliminates v (" in verdicts["memories"].text


def test_a_stochastic_equation_that_drops_a_moment_or_the_decay_is_refused():
    from idescent.stochastic import Additive, Compagnoni, simulate_paths

    class Memoryless(Compagnoni):
        def slopes(self, optimizer, at):
            slopes = super().slopes(optimizer, at)
            return slopes._replace(theta=-at.rate * at.gradient / np.sqrt(at.second))

    class Undecayed(Compagnoni):
        def slopes(self, optimizer, at):
            return super().slopes(optimizer, at._replace(theta=0.0 * at.theta))

    cell = {**CELL, "runs": 2, "seed": 1}
    noise = Additive(DoubleWell(2), 0.1)
    for equation, name in ((Memoryless(), "'m'"), (Undecayed(), "'theta'")):
        with pytest.raises(ValueError, match=f"compagnoni does not model AdamW: .* depend on {name}"):
            simulate_paths(equation, BUILT_IN[3], noise, **cell)
    with pytest.raises(ValueError, match="compagnoni: Mine is not allowed"):
        simulate_paths(Compagnoni(), Mine(), noise, **cell)
    assert simulate_paths(Compagnoni(), BUILT_IN[3], noise, **cell).report.ok


CATALOGUE = [
    *(getattr(ide.optimizers, name) for name in sorted(known("optimizer"))),
]
ARGUMENTS = {"RMSProp": (0.9,), "Adam": (0.9, 0.9), "AdamL2": (0.9, 0.9, 0.1), "AdamW": (0.9, 0.9, 0.1)}
# For two parameters, as in the points at which an equation is compared with a declaration.
SHAPES = {name: {"shape": (1, 2)} for name in ("Adafactor", "Muon", "Shampoo")}
DECLARED = [
    *(kind(*ARGUMENTS.get(kind.__name__, ()), **SHAPES.get(kind.__name__, {})) for kind in CATALOGUE),
    *EVERY_KIND,
]


@pytest.mark.parametrize("optimizer", DECLARED, ids=labelled)
@pytest.mark.parametrize("name", sorted(known("model")))
def test_every_model_of_every_optimizer_has_its_memories_or_refuses_in_one_line(name, optimizer):
    model = getattr(M, name)()
    if refusal(model, optimizer):
        assert name != "Naive"
        return
    equation = model.equation(optimizer, 0.1)
    names = {memory.name for memory in equation.memories}
    assert all(memory in names | set(equation.eliminates) for memory in optimizer.moments)
    assert all(equation.eliminates.values())
    if name == "HalfStep":
        claim = structure(optimizer)
        assert claim.order == model.order or "sign" in claim.why


@pytest.mark.parametrize("optimizer", [ide.AdaBelief(eps=10.0), ide.HeavyBall(0.9, 0.5)], ids=labelled)
def test_the_automatic_models_cover_settings_of_their_own(optimizer):
    for model in (M.HalfStep(), M.Naive()):
        derive(model, optimizer, 0.1)
