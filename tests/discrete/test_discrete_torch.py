"""Discrete runs against stored trajectories of torch.optim."""

import json
from pathlib import Path

import numpy as np
import pytest
from problems import Opaque

import idescent as ide
from idescent.study import registry

REFERENCE = Path(__file__).parents[1] / "references" / "torch_optim.npz"
with np.load(REFERENCE) as stored:
    TORCH = {name: stored[name] for name in stored.files}
ABOUT = json.loads(str(TORCH["about"]))
KEPT = ABOUT["kept"]

# Cases in which PyTorch and idescent part: (objective, coordinates, optimizer, its parameters, alpha).
SENSITIVE = {
    ("Quadratic", 1, "Adam", (0.5, 0.9), 0.1),
    ("Quadratic", 3, "Adam", (0.5, 0.9), 0.1),
    ("MeanSquaredError.synthetic", 1, "Adam", (0.5, 0.9), 0.1),
    ("MeanSquaredError.synthetic", 1, "RMSProp", (0.9,), 0.1),
    ("MeanSquaredError.synthetic", 1, "RMSProp", (0.9,), 0.01),
}


def torch_case(number):
    case = ABOUT["cases"][number]
    parameters = tuple(v for k, v in case["optimizer"]["arguments"].items() if k != "weight_decay")
    name = (
        case["objective"]["class"],
        len(case["theta0"]),
        case["optimizer"]["class"],
        parameters,
        case["alpha"],
    )
    return case, name


def simulate_case(case, noise_seed=None):
    objective = registry.objective(case["objective"])
    if noise_seed is not None:
        # Half a unit in the last place of the first gradient: what any order of operations may add.
        noise = 2.0**-53 * abs(objective.gradient(np.array(case["theta0"]))).max()
        objective = Opaque(objective, noise, noise_seed)
    optimizer = registry.optimizer(case["optimizer"])
    return ide.simulate(
        optimizer, objective, alpha=case["alpha"], theta0=case["theta0"], steps=ABOUT["steps"]
    )


def describe(number):
    case, name = torch_case(number)
    return f"{name[2]}{name[3]}-{name[0]}-{case['theta0']}-{case['alpha']}"


def numbers(sensitive):
    return [i for i in range(len(ABOUT["cases"])) if (torch_case(i)[1] in SENSITIVE) == sensitive]


def discrepancies(run, number):
    """Yield, for theta and each moment, the largest difference to PyTorch at every kept iteration."""
    yield abs(run.theta[KEPT] - TORCH[f"{number}.theta"]).max(axis=1)
    for name, values in run.moments.items():
        reference = TORCH[f"{number}.{name}"]
        yield abs(values[KEPT] - reference).max(axis=1) / abs(reference).max()


def test_the_stored_trajectories_cover_five_optimizers_and_three_objectives():
    assert ABOUT["torch"].startswith("2.13.0")
    assert {case["optimizer"]["class"] for case in ABOUT["cases"]} == {
        "AdaGrad",
        "RMSProp",
        "Adam",
        "AdamW",
        "AdamL2",
    }
    assert len({json.dumps(case["objective"]) for case in ABOUT["cases"]}) == 3
    assert {case["alpha"] for case in ABOUT["cases"]} == {0.1, 0.01}
    assert {torch_case(i)[1] for i in numbers(sensitive=True)} == SENSITIVE


@pytest.mark.parametrize("number", numbers(sensitive=False), ids=describe)
def test_runs_agree_with_torch_at_every_stored_iteration(record_property, number):
    for difference in discrepancies(simulate_case(ABOUT["cases"][number]), number):
        record_property("difference", float(difference.max()))
        assert difference.max() <= 1e-12


@pytest.mark.parametrize("number", numbers(sensitive=True), ids=describe)
def test_where_rounding_grows_runs_agree_with_torch_as_long_as_with_themselves(number):
    """Past a minimum with v -> 0 these iterations expand: not even the same code has twelve digits in common.

    The run is repeated with gradients that differ by half a unit in the last place.  Up to where the copies
    part, PyTorch must agree; that they part, and no later than PyTorch, proves that nothing else is at work.
    """
    case = ABOUT["cases"][number]
    run = simulate_case(case)
    copies = [simulate_case(case, seed) for seed in range(3)]
    apart = np.max([abs(run.theta - copy.theta).max(axis=1) for copy in copies], axis=0)
    parting = int(np.argmax(apart > 1e-12))
    assert 50 < parting < ABOUT["steps"]
    trusted = np.array(KEPT) < parting
    differences = list(discrepancies(run, number))
    for difference in differences:
        assert difference[trusted].max() <= 1e-12
    assert max(difference.max() for difference in differences) > 1e-12
    assert apart.max() > differences[0].max()
