"""Along a model's own path the sharpness reaches 1 before the model leaves the run.

The whole grid is in ``docs/edge_numbers.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import idescent as ide
from idescent.objectives import Rosenbrock
from idescent.products.fidelity.rows import horizon, relative_errors

VALLEY = Rosenbrock()


@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
@pytest.mark.parametrize(("beta", "alpha", "steps"), [(0.9, 0.05, 64), (0.9, 0.02, 128), (0.99, 0.03, 512)])
def test_a_model_leaves_the_run_after_the_crossing(
    accumulator: Any, beta: float, alpha: float, steps: int
) -> None:
    optimizer = ide.RMSProp(beta, accumulator=accumulator)
    setting: dict[str, Any] = {"alpha": alpha, "theta0": [-1.2, 1.0], "steps": steps}
    run = ide.simulate(optimizer, VALLEY, **setting)
    path = ide.solve(ide.models.HalfStep(), optimizer, VALLEY, **setting, rtol=1e-4, atol=1e-6)
    k, errors = relative_errors(run, path)
    end = horizon(k, errors["loss"], 0.1)
    assert 0 < end < steps
    result = ide.edge(optimizer, VALLEY, path, k=np.arange(1, end + 1))
    assert result.since is not None
    assert 1 < result.since <= end
    # The oscillation has to grow to the size of the loss first.
    assert result.growth[-1] > 1e3


def test_below_the_edge_the_model_does_not_leave_the_run() -> None:
    setting: dict[str, Any] = {"alpha": 0.002, "theta0": [-1.2, 1.0], "steps": 600}
    optimizer = ide.RMSProp(0.99)
    run = ide.simulate(optimizer, VALLEY, **setting)
    path = ide.solve(ide.models.HalfStep(), optimizer, VALLEY, **setting, rtol=1e-4, atol=1e-6)
    k, errors = relative_errors(run, path)
    assert horizon(k, errors["loss"], 0.1) == 600
    assert ide.edge(optimizer, VALLEY, path).verdict == "holds"
