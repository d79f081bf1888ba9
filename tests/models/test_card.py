"""The card of an optimizer: its memories, with mass and mean lag, and the order that each model claims."""

import inspect
import math

import numpy as np
import pytest

import idescent as ide
from idescent.models.card import claim
from idescent.optimizers import _OPTIMIZERS, Optimizer, average
from idescent.optimizers.structure import structure

BETAS = {"beta": 0.9, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1, "shape": (2, 3)}


def package(name):
    kind = getattr(ide, name)
    return kind(**{k: BETAS[k] for k in BETAS if k in inspect.signature(kind).parameters})


@pytest.mark.parametrize("name", sorted(_OPTIMIZERS))
def test_a_card_has_every_memory_and_the_claims_of_its_structure(name):
    optimizer = package(name)
    card = optimizer.card()
    declared, parts = optimizer.memories(), structure(optimizer)
    assert list(card.memories) == list(declared)
    text = str(card)
    assert text.startswith(f"{name}(")
    for memory, entry in card.memories.items():
        assert f"\n{memory} " in text
        assert (entry.kind, entry.read) == (declared[memory].kind, declared[memory].read)
        assert entry.depth == parts.memories[memory].depth
    claims = {one.model: one for one in card.models}
    assert claims["half-step"].order == (None if claims["half-step"].refused else parts.order)
    assert all(one.why and "\n" not in one.why for one in card.models)
    assert card.to_dict()["memories"].keys() == declared.keys()


def evaluated(formula, k):
    text = formula.replace("^", "**").replace("10 (", "10 * (").replace("**-k", "**(-k)")
    return eval(text.replace("**-(k - 1)", "**(-(k - 1))"), {"k": k})


@pytest.mark.parametrize(
    ("optimizer", "name"),
    [(ide.Adam(0.9, 0.99), "v"), (ide.HeavyBall(0.9), "b"), (ide.Lion(), "m"), (ide.AdaGrad(), "G")],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
@pytest.mark.parametrize("k", [3, 40])
def test_the_formulas_of_mass_and_mean_lag_are_those_of_the_discrete_memory(optimizer, name, k):
    memory, entry = optimizer.memories()[name], optimizer.card().memories[name]
    last = k - 1 if memory.read == "old" else k
    weights = np.array([memory.gain * memory.decay ** (last - i) for i in range(1, last + 1)])
    ages = np.array([k - 0.5 - (i - 1) for i in range(1, last + 1)])
    assert evaluated(entry.mass, k) == pytest.approx(weights.sum(), rel=1e-12)
    assert evaluated(entry.lag, k) == pytest.approx((weights * ages).sum() / weights.sum(), rel=1e-12)
    assert entry.age == ages[-1]
    if memory.kind == "sum":
        assert entry.mass_limit == entry.lag_limit == math.inf
    else:
        assert evaluated(entry.mass, 10**5) == pytest.approx(entry.mass_limit, rel=1e-12)
        assert entry.lag_limit == pytest.approx(entry.age + memory.decay / (1.0 - memory.decay))


def test_a_memory_without_constant_decay_has_no_mean_lag():
    entries = {**ide.ScheduleFreeSGD().card().memories, **ide.AMSGrad().card().memories}
    assert (entries["x"].mass, entries["x"].lag) == ("depends on k", "depends on k")
    assert (entries["u"].mass, entries["u"].lag) == ("none", "none")
    assert math.isnan(entries["x"].lag_limit)
    assert math.isnan(entries["u"].mass_limit)


def test_a_memory_lags_behind_its_own_source():
    nested = ide.MomentumRMSProp(0.9, 0.9).card().memories
    assert (nested["v"].age, nested["b"].age) == (0.5, 0.0)
    assert (nested["v"].lag_limit, nested["b"].lag_limit) == pytest.approx((9.5, 9.0))
    # The mean of the iterates contains theta after the step.
    assert ide.ScheduleFreeSGD().card().memories["x"].age == 0.5


def test_a_memory_without_decay_has_the_lag_of_its_source():
    entry = ide.QHM(0.0).card().memories["m"]
    assert (entry.mass, entry.lag, entry.lag_limit) == ("1", "0.5", 0.5)


def test_a_refusal_is_no_claim():
    refused = claim(ide.models.HalfStep(), ide.AdaBelief(0.9, 0.99))
    assert (refused.order, refused.refused) == (None, True)
    assert refused.why.startswith("refused: ")


def test_a_declaration_with_a_fault_has_no_card():
    class Wrong(Optimizer):
        def memories(self):
            return {"m": average(0.9)}

    with pytest.raises(ValueError, match="there is no method step"):
        Wrong().card()
