"""The page on leaps: its blocks, and the hybrid models that it measures at a zero of a gradient."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import idescent as ide

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import leap_theory_numbers  # noqa: E402 (in the folder above)
import leap_zero_numbers as zero  # noqa: E402

PAGE = (ROOT / "docs/leap.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"<!-- (\w+): measured -->\n(.*?)<!-- \1: end -->", PAGE, flags=re.S))


def test_each_measurement_has_a_block_of_the_page():
    assert list(BLOCKS) == [measure.__name__ for measure in leap_theory_numbers.MEASURES]
    assert all(block.strip() for block in BLOCKS.values())


@pytest.mark.parametrize("name", ["contraction", "lengths"])
def test_a_block_contains_what_the_script_computes(name):
    assert BLOCKS[name].strip() == getattr(leap_theory_numbers, name)()


def test_a_restarted_model_begins_as_the_model_with_a_longer_start():
    optimizer, alpha, count = ide.Adam(0.9, 0.99), 1e-3, 60
    objective, start = zero.Crossing(), np.array(zero.START)
    run = ide.simulate(optimizer, objective, alpha=alpha, theta0=start, steps=count)
    state = {"theta": run.theta[-1]} | {name: rows[-1] for name, rows in run.moments.items()}
    new, known = (
        model.equation(optimizer, alpha).begin(start, objective.gradient, 1000)
        for model in (zero.Restarted(count, state), ide.models.HalfStep(start=count))
    )
    assert new.count == known.count
    np.testing.assert_allclose(new.theta[-1], known.theta[-1], rtol=1e-14)
    np.testing.assert_allclose(new.memories, known.memories, rtol=1e-13)


def test_the_error_before_a_zero_is_that_of_the_formula():
    alpha, optimizer, burst = 2.0**-14, ide.Adam(0.9, 0.9), 64
    run, at = zero.reference(optimizer, alpha, 2**14)
    last = round(at) - burst
    path = zero.solved(zero.MODELS["half-step"], optimizer, alpha, last, [])
    error = (path.theta[-1, 0] - run(last)[0]) / alpha
    assert error == pytest.approx(zero.share(0.9, at - last), rel=0.03)


def test_a_hybrid_is_of_first_order():
    optimizer, burst, errors = ide.Adam(0.9, 0.9), 32, []
    for exponent in (12, 15):
        alpha, steps = 2.0**-exponent, 2**exponent
        run, at = zero.reference(optimizer, alpha, steps)
        errors.append(zero.hybrid(optimizer, alpha, steps, burst, run, at))
    slope = np.log2(errors[0] / errors[1]) / 3.0
    assert slope == pytest.approx(1.0, abs=0.05)
