"""Horizons at which a run has settled, against the definition evaluated on runs that are long enough."""

import numpy as np
import pytest

import idescent as ide
from idescent import config
from idescent.analysis import settling as horizons
from idescent.analysis.settling import Horizon, settling

QUADRATIC = ide.Quadratic(center=4.0)
WITHIN = 1e-3
OPTIMIZERS = {
    "AdaGrad": ide.AdaGrad(),
    "RMSProp": ide.RMSProp(beta=0.99),
    "Adam": ide.Adam(beta1=0.9, beta2=0.99),
    "Adam that passes the minimum": ide.Adam(beta1=0.99, beta2=0.999),
}


def found(optimizer, alpha=0.03, theta0=1.0, at_most=100_000, objective=QUADRATIC):
    return settling(optimizer, objective, alpha=alpha, theta0=theta0, within=WITHIN, at_most=at_most)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_run_stays_near_the_minimum_from_its_horizon_to_twice_that_and_from_no_earlier_iteration(optimizer):
    horizon = found(optimizer)
    assert horizon.settled
    run = ide.simulate(optimizer, QUADRATIC, alpha=0.03, theta0=1.0, steps=4 * horizon.steps)
    slopes = [abs(2.0 * (theta - 4.0)) for theta in run.theta[:, 0]]
    near = [slope <= WITHIN * slopes[0] for slope in slopes]
    rests = [K for K in range(1, 2 * horizon.steps) if all(near[K : 2 * K + 1])]
    assert horizon.steps == rests[0]


def test_passing_the_minimum_does_not_count():
    adam = OPTIMIZERS["Adam that passes the minimum"]
    horizon = found(adam)
    run = ide.simulate(adam, QUADRATIC, alpha=0.03, theta0=1.0, steps=horizon.steps)
    first = int(np.argmax(np.abs(run.theta[:, 0] - 4.0) <= 3.0 * WITHIN))
    assert 0 < first < horizon.steps / 2


@pytest.mark.parametrize("length", [1, 7, 100_000])
def test_the_horizon_does_not_depend_on_how_the_search_is_cut(length, monkeypatch):
    expected = {name: found(optimizer) for name, optimizer in OPTIMIZERS.items()}
    monkeypatch.setattr(horizons, "_FIRST", length)
    assert {name: found(optimizer) for name, optimizer in OPTIMIZERS.items()} == expected


@pytest.mark.parametrize("name", ["AdaGrad", "Adam"])
def test_a_cap_at_the_horizon_leaves_it_and_one_below_cuts_it(name):
    steps = found(OPTIMIZERS[name]).steps
    assert found(OPTIMIZERS[name], at_most=steps) == Horizon(steps, True)
    assert found(OPTIMIZERS[name], at_most=steps - 1) == Horizon(steps - 1, False)


def test_a_run_that_circles_the_minimum_for_ever_is_cut_off():
    assert found(ide.RMSProp(beta=0.0), alpha=0.09, at_most=5000) == Horizon(5000, False)


def test_a_run_that_diverges_is_cut_off_and_not_pursued():
    class Cliff:
        evaluations = 0

        def value(self, theta):
            return (theta**2).sum(axis=-1)

        def gradient(self, theta):
            Cliff.evaluations += theta.size
            return np.where(np.abs(theta) < 0.8, np.inf, 2.0 * theta)

    assert found(ide.AdaGrad(), alpha=0.1, objective=Cliff(), at_most=10**6) == Horizon(10**6, False)
    assert Cliff.evaluations < 5000


def test_the_largest_coordinate_decides_in_several_dimensions():
    # Started at the minimum, a coordinate of AdaGrad stays there: the other decides alone.
    assert found(ide.AdaGrad(), theta0=[1.0, 4.0]) == found(ide.AdaGrad())


def test_adagrads_horizon_is_a_power_of_the_learning_rate_and_that_of_averages_is_not():
    ladder = (0.1, 0.03, 0.01)
    adagrad = [found(ide.AdaGrad(), alpha, at_most=10**6).steps * alpha**2 for alpha in ladder]
    assert max(adagrad) < 1.1 * min(adagrad)
    adam = [found(ide.Adam(beta1=0.99, beta2=0.999), alpha).steps * alpha for alpha in ladder]
    assert max(adam) > 3.0 * min(adam)


def test_the_work_is_bounded_by_the_horizon_and_by_the_cap(monkeypatch):
    lengths = []

    def counted(*given, steps, **more):
        lengths.append(steps)
        return ide.simulate(*given, steps=steps, **more)

    monkeypatch.setattr(horizons, "simulate", counted)
    steps = found(ide.AdaGrad(), at_most=10**6).steps
    assert sum(lengths) < 8 * steps
    lengths.clear()
    found(ide.AdaGrad(), alpha=1e-3, at_most=10_000)
    assert sum(lengths) <= 4 * 10_000


# --- in a configuration -----------------------------------------------------------------------------------


def study(**changes):
    run = {
        "objective": "bowl",
        "optimizer": "Adam",
        "theta0": 1.0,
        "hyperparameters": {"beta1": 0.9, "beta2": [0.9, 0.99]},
        "alpha": [0.1, 0.05],
        "until": {"within": WITHIN, "at_most": 150},
        **changes,
    }
    return {
        "study": "settled",
        "objectives": {"bowl": {"class": "Quadratic", "arguments": {"center": 4.0}}},
        "runs": [{key: value for key, value in run.items() if value is not None}],
        "solutions": {"paper": {"model": "Paper", "solver": "Collocation"}},
        "scaling": {},
    }


def test_a_configuration_asks_for_the_horizon_of_each_cell_and_says_where_it_is_cut():
    read = config.load(study())
    for cell in read.cells:
        adam = ide.Adam(**cell.optimizer["arguments"])
        assert cell.steps == found(adam, cell.alpha, at_most=150).steps
    assert {cell.steps == 150 for cell in read.cells} == {True, False}
    assert read.settings["scaling"]["until"] == [
        {
            "objective": "bowl",
            "optimizer": "Adam",
            "alpha": [0.1, 0.05],
            "at_most": 150,
            "configurations": ["beta1~0.9,beta2~0.9", "beta1~0.9,beta2~0.99"],
        }
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 10}, "config: runs.0: must have exactly one of steps, time and until"),
        ({"until": None}, "config: runs.0: must have exactly one of steps, time and until"),
        (
            {"until": {"within": 2.0, "at_most": 9}},
            "config: runs.0.until.within: 2.0 is not allowed: must be in",
        ),
        ({"until": {"within": 0.1}}, "config: runs.0.until.at_most is missing"),
        (
            {"until": {"within": 0.1, "at_most": 0}},
            "config: runs.0.until.at_most: 0 is not allowed: must be an",
        ),
    ],
)
def test_a_horizon_that_cannot_be_found_is_refused_in_a_line(changes, message):
    with pytest.raises(config.ConfigError) as refused:
        config.load(study(**changes))
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_an_objective_that_cannot_be_run_from_the_start_is_named():
    wrong = study(theta0=[1.0, 2.0])
    wrong["objectives"]["bowl"] = "MeanSquaredError.synthetic"
    with pytest.raises(config.ConfigError, match=r"^config: runs.0.theta0: .* has 1 parameters"):
        config.load(wrong)
