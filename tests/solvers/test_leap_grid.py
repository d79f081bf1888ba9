"""Leaps on a grid of cells: the error estimate covers the error at every iteration."""

import itertools

import numpy as np
import pytest

import idescent as ide
from idescent.optimizers.ratio import ratio_of

OBJECTIVES = {"quadratic": (ide.Quadratic(4.0), 1.0), "mse": (ide.MeanSquaredError.synthetic(), 0.0)}
OPTIMIZERS = [
    ide.AdaGrad(),
    *(ide.RMSProp(beta) for beta in (0.0, 0.5, 0.9, 0.99)),
    *(ide.Adam(beta1, beta2) for beta1 in (0.0, 0.9) for beta2 in (0.9, 0.99, 0.999)),
    ide.AdamW(0.9, 0.99, 0.1),
    ide.AdamL2(0.9, 0.99, 0.1),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_estimate_covers_the_true_error(name):
    """104 cells an objective: 13 optimizers, 4 rates, horizons before and beyond the minimum."""
    objective, theta0 = OBJECTIVES[name]
    cells = list(itertools.product(OPTIMIZERS, (3e-2, 1e-2, 3e-3, 1e-3), (1.0, 3.0)))
    assert len(cells) == 104
    missed = []
    for optimizer, alpha, time in cells:
        steps = min(200_000, round(time / alpha**2)) if ratio_of(optimizer).sums else round(time / alpha)
        settings = {"alpha": alpha, "theta0": theta0, "steps": steps}
        leap = ide.leap(optimizer, objective, **settings)
        assert leap.report.ok
        run = ide.simulate(optimizer, objective, **settings)
        error = np.abs(leap(run.k) - run.theta).max()
        if not error <= leap.report.error_estimate:
            missed.append((optimizer, alpha, steps, error, leap.report))
    assert not missed
