"""The structure of a declaration: which memory feeds which, and the order of the second-order model."""

import pytest
from declared_optimizers import OWN

import idescent as ide
from idescent.optimizers.structure import structure

CLAIMS = [
    (ide.GradientDescent(), 2, "flat", "8 iterations", "1/alpha"),
    (ide.Adam(0.9, 0.99), 2, "flat", "8 iterations", "1/alpha"),
    (ide.AdaGrad(), 2, "flat", "8 iterations", "1/alpha^2"),
    (ide.ScheduleFreeSGD(), 2, "flat", "8 iterations", "1/alpha"),
    (ide.HeavyBall(0.9, 0.5), 2, "flat", "8 iterations", "1/alpha"),
    (ide.MomentumRMSProp(0.9), 2, "logarithmic start", "2 ln(1/alpha)/(1-0.9) iterations", "1/alpha"),
    (ide.ADOPT(), 2, "nested: the memory 'm'", "8 iterations", "1/alpha"),
    (ide.AdaBelief(eps=10.0), 2, "nested", "2 ln(1/alpha)/(1-0.999) iterations", "1/alpha"),
    (ide.AdaBelief(eps=0.1), None, "not smooth where the gradient is constant", None, "1/alpha"),
    (ide.AdaBelief(), None, "not smooth where the gradient is constant", None, "alpha^(-1/2)"),
    (ide.CenteredRMSProp(), None, "the root of a variance", None, "alpha^(-1/2)"),
    (ide.AMSGrad(), 2, "the maximum 'u' is sampled", "2 ln(1/alpha)/(1-0.999) iterations", "1/alpha"),
    (ide.Adamax(), 2, "the maximum 'u' is sampled", "8 iterations", "1/alpha"),
    (ide.Lion(), None, "a sign: exact until the sign changes", "8 iterations", "1/alpha"),
    (ide.AdaDelta(), None, "its memory 'u' feeds on itself through D", None, "unknown"),
]


def name(value):
    return type(value).__name__ if isinstance(value, ide.Optimizer) else None


@pytest.mark.parametrize(("optimizer", "order", "why", "start", "horizon"), CLAIMS, ids=name)
def test_the_claim_follows_from_the_declaration(optimizer, order, why, start, horizon):
    claim = structure(optimizer)
    assert claim.order == order
    assert why in claim.why
    assert "\n" not in claim.why
    assert start in (None, claim.start)
    assert claim.horizon.startswith(horizon)


def test_memories_know_what_feeds_them():
    memories = structure(OWN[3]).memories
    assert [memory.depth for memory in memories.values()] == [0, 1, 2, 0]
    assert memories["b"].feeds == ("gradient", "a_old")
    # D contains alpha times d: theta, from which d is computed, feels d at once.
    assert [memory.cyclic for memory in memories.values()] == [False, False, False, True]
    assert memories["d"].beta is None
    assert memories["a"].beta == 0.8


def test_functions_without_a_derivative_are_listed():
    assert structure(ide.Signum()).switches == ("sign in the step",)
    assert structure(ide.Adamax()).switches == ("maximum u", "absolute in the source of u")
    assert structure(ide.ADOPT()).switches == ("clip in the source of m", "maximum in the source of m")
    assert structure(ide.Adam(0.9, 0.99)).switches == ()
