"""The names that others script against, and what importing them costs."""

import importlib.metadata
import inspect
import subprocess
import sys
from dataclasses import fields

import pytest

import idescent as ide

HEAVY = ("pandas", "scipy", "matplotlib", "seaborn", "pydantic", "snakemake", "jinja2")


def modules_after(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("name", ide.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(ide, name) is not None
    assert name in dir(ide)


def test_the_optimizers_take_the_parameters_of_their_algorithms_in_order():
    expected = {
        ide.AdaGrad: ["eps", "accumulator"],
        ide.RMSProp: ["beta", "eps", "accumulator"],
        ide.Adam: ["beta1", "beta2", "eps", "accumulator"],
        ide.AdamW: ["beta1", "beta2", "weight_decay", "eps", "accumulator"],
        ide.AdamL2: ["beta1", "beta2", "weight_decay", "eps", "accumulator"],
    }
    for optimizer, names in expected.items():
        assert [field.name for field in fields(optimizer)] == names
        defaults = {field.name: field.default for field in fields(optimizer)}
        assert (defaults["eps"], defaults["accumulator"]) == (1e-8, "coordinate")


@pytest.mark.parametrize(
    ("function", "positional", "keywords"),
    [
        ("simulate", ["optimizer", "objective"], {"alpha", "theta0", "steps"}),
        ("simulate_many", ["optimizer", "objective"], {"alpha", "theta0", "steps"}),
        (
            "solve",
            ["model", "optimizer", "objective"],
            {"alpha", "theta0", "steps", "rtol", "atol", "solver"},
        ),
    ],
)
def test_the_entry_points_take_objects_by_position_and_numbers_by_name(function, positional, keywords):
    parameters = inspect.signature(getattr(ide, function)).parameters.values()
    assert [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD] == positional
    assert {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} >= keywords


def test_solve_asks_for_nine_digits_unless_told_otherwise():
    parameters = inspect.signature(ide.solve).parameters
    assert (parameters["rtol"].default, parameters["atol"].default) == (1e-9, 1e-12)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'Adamm'"):
        ide.Adamm  # noqa: B018  # the access is the test


def test_the_version_is_that_of_the_installed_package():
    assert importlib.metadata.version("idescent") == ide.__version__


def test_importing_the_package_loads_nothing_of_it():
    loaded = modules_after("import idescent")
    assert not {name for name in loaded if name.startswith("idescent.")}
    assert not loaded & {"numpy", "pyarrow", *HEAVY}


def test_a_discrete_run_loads_numpy_and_nothing_heavier():
    loaded = modules_after(
        "import idescent as ide\n"
        "ide.simulate(ide.Adam(0.9, 0.99), ide.Quadratic(), alpha=0.1, theta0=1.0, steps=10)"
    )
    assert "numpy" in loaded
    assert not loaded & {"pyarrow", *HEAVY}
    assert not loaded & {"idescent.solvers", "idescent.models", "idescent.figures"}


def test_a_solution_loads_nothing_that_draws_or_tabulates():
    loaded = modules_after(
        "import idescent as ide\n"
        "ide.solve(ide.models.Paper(), ide.Adam(0.9, 0.99), ide.Quadratic(), alpha=0.1, theta0=1.0, steps=10)"
    )
    assert "idescent.models" in loaded
    assert not loaded & set(HEAVY)
