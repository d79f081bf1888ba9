"""Names in a configuration become objects, or one line that says why not."""

import sys

import numpy as np
import pytest

import idescent as ide
from idescent.study import registry

OWN = '''
class Quartic:
    """A user's objective, outside the package."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def value(self, theta):
        return self.scale * (theta**4).sum(axis=-1)

    def gradient(self, theta):
        return 4.0 * self.scale * theta**3
'''


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "my_objectives.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "my_objectives"
    sys.modules.pop("my_objectives", None)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"class": "AdaGrad"}, ide.AdaGrad()),
        ({"class": "RMSProp", "arguments": {"beta": 0.9}}, ide.RMSProp(beta=0.9)),
        ({"class": "Adam", "arguments": {"beta1": 0.9, "beta2": 0.99}}, ide.Adam(0.9, 0.99)),
        (
            {"class": "AdamW", "arguments": {"beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1, "eps": 0.0}},
            ide.AdamW(0.9, 0.99, 0.1, eps=0.0),
        ),
        (
            {"class": "idescent.optimizers:AdaGrad", "arguments": {"accumulator": "norm"}},
            ide.AdaGrad(accumulator="norm"),
        ),
    ],
    ids=str,
)
def test_an_optimizer_is_built_from_its_name_and_arguments(spec, expected):
    assert registry.optimizer(spec) == expected


def test_a_dotted_name_is_a_constructor_of_a_class():
    built = registry.objective({"class": "MeanSquaredError.synthetic", "arguments": {"seed": 7, "size": 10}})
    assert built.x.tobytes() == ide.MeanSquaredError.synthetic(seed=7, size=10).x.tobytes()


def test_a_users_own_class_is_found_in_the_current_folder_and_runs(own_module):
    objective = registry.objective({"class": f"{own_module}:Quartic", "arguments": {"scale": 2.0}})
    assert objective.scale == 2.0
    run = ide.simulate(ide.Adam(0.9, 0.99), objective, alpha=0.1, theta0=[1.0, -2.0], steps=10)
    assert run.report.ok


@pytest.mark.parametrize(
    ("kind", "spec", "named"),
    [
        ("optimizer", {"class": "Adamm"}, "'Adamm'"),
        ("optimizer", {"class": "Quadratic"}, "'Quadratic'"),
        ("optimizer", {"class": ""}, "''"),
        ("optimizer", {"class": "math"}, "'math'"),
        ("objective", {"class": "Adam"}, "'Adam'"),
        ("objective", {"class": "MeanSquaredError.sythetic"}, "'MeanSquaredError.sythetic'"),
        ("objective", {"class": "no_such_module:Thing"}, "'no_such_module:Thing'"),
        ("objective", {"class": "json:Thing"}, "'json:Thing'"),
        ("objective", {"class": "json:"}, "'json:'"),
        ("optimizer", {"class": "Adam"}, "Adam: .*beta1"),
        (
            "optimizer",
            {"class": "Adam", "arguments": {"beta1": 0.9, "beta2": 0.99, "beta3": 1}},
            "Adam: .*beta3",
        ),
        ("optimizer", {"class": "RMSProp", "arguments": {"beta": 1.0}}, r"RMSProp\.beta: 1\.0"),
        ("objective", {"class": "Quadratic", "arguments": {"centre": 4.0}}, "Quadratic: .*centre"),
        ("model", {"class": "Papyrus"}, "'Papyrus'"),
        ("solver", {"class": "Colocation"}, "'Colocation'"),
    ],
    ids=str,
)
def test_what_cannot_be_built_is_refused_in_one_line_that_names_it(kind, spec, named):
    with pytest.raises(ValueError, match=named) as caught:
        getattr(registry, kind)(spec)
    assert "\n" not in str(caught.value)


def test_models_and_solvers_are_found_by_name():
    assert registry.resolve("model", "Paper") is ide.models.Paper
    assert registry.resolve("solver", "Collocation") is ide.solvers.Collocation


class Drawn:
    """An objective of three parameters that draws its own starts."""

    dimension = 3

    def initial(self, seed):
        return np.arange(3.0) + seed


@pytest.mark.parametrize(
    ("theta0", "objective", "expected"),
    [
        ([1.0, -2.0], ide.Quadratic(), [1.0, -2.0]),
        (1.5, ide.Quadratic(), [1.5]),
        ([1.5], ide.Quadratic([4.0, 2.0]), [1.5, 1.5]),
        (0.25, Drawn(), [0.25, 0.25, 0.25]),
        ([1.0, 2.0, 3.0], Drawn(), [1.0, 2.0, 3.0]),
        ({"seed": 7}, Drawn(), [7.0, 8.0, 9.0]),
    ],
)
def test_a_start_is_a_number_a_vector_or_drawn_by_the_objective(theta0, objective, expected):
    start = registry.start(theta0, objective)
    assert start.dtype == np.float64
    assert start.tolist() == expected


@pytest.mark.parametrize(
    ("theta0", "objective", "message"),
    [
        ([1.0, 2.0], Drawn(), r"^theta0: shape \(2,\) is not allowed: Drawn has 3 parameters$"),
        (
            {"seed": 1},
            ide.Quadratic(),
            r"^theta0: \{'seed': 1\} is not allowed: Quadratic has no method initial",
        ),
    ],
)
def test_a_start_that_does_not_fit_the_objective_is_refused(theta0, objective, message):
    with pytest.raises(ValueError, match=message):
        registry.start(theta0, objective)
