"""Runs and exact solutions against thirty digits and more, by methods that share nothing with the package.

``references/generate_mpmath.py`` says how; nothing here repeats a formula of the package.
"""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import idescent as ide
from idescent import models, objectives

FOLDER = Path(__file__).parents[1] / "references"
CELLS = json.loads((FOLDER / "mpmath.json").read_text(encoding="utf-8"))["cells"]
MODELS = {"paper": models.Paper(), "half-step": models.HalfStep()}
EVERY = pytest.mark.parametrize("cell", CELLS, ids=[cell["name"] for cell in CELLS])

# What of a difference may be the rounding of a double: of the stored values, and of the solver's sums.
ROUNDING = 2e-14


class Quadratic:
    def __init__(self, curvature, center):
        self.curvature, self.center = curvature, center

    def value(self, theta):
        return 0.5 * self.curvature * ((theta - self.center) ** 2).sum(axis=-1)

    def gradient(self, theta):
        return self.curvature * (theta - self.center)


class Coupled:
    def __init__(self, matrix):
        self.matrix = np.array(matrix)

    def value(self, theta):
        return 0.5 * (theta * self.gradient(theta)).sum(axis=-1)

    def gradient(self, theta):
        return theta @ self.matrix


def arguments(cell):
    about = dict(cell["objective"])
    kinds = {"quadratic": Quadratic, "coupled": Coupled, "double well": objectives.DoubleWell}
    objective = kinds[about.pop("name")](**about)
    optimizer = getattr(ide, cell["optimizer"])(**cell["arguments"])
    return (optimizer, objective), {key: cell[key] for key in ("alpha", "theta0", "steps")}


def stored(reference):
    """Return the iterations and, by quantity, the values as rows of decimals."""
    tables = {name: table for name, table in reference.items() if name != "digits"}
    k = [int(key) for key in tables["theta"]]
    return k, {name: [[Decimal(x) for x in row] for row in table.values()] for name, table in tables.items()}


def errors(path, reference):
    """Sup norm of the difference at the stored iterations, exactly, and the scale, by quantity."""
    k, tables = stored(reference)
    found = {}
    for name, rows in tables.items():
        values = path.quantity(name)[k]
        assert values.shape == (len(k), len(rows[0]))
        pairs = [
            (Decimal(float(x)), y)
            for a, b in zip(values, rows, strict=True)
            for x, y in zip(a, b, strict=True)
        ]
        found[name] = float(max(abs(x - y) for x, y in pairs)), float(max(abs(y) for _, y in pairs))
    return found


@EVERY
def test_a_discrete_run_has_the_digits_of_arbitrary_precision(cell):
    positional, keywords = arguments(cell)
    run = ide.simulate(*positional, **keywords)
    for name, (error, scale) in errors(run, cell["discrete"]).items():
        assert error <= ROUNDING * scale, (name, error / scale)


@EVERY
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("rtol", [1e-6, 1e-9, 1e-12])
def test_an_exact_solution_is_exact_and_its_certificate_covers_its_true_error(cell, model, rtol):
    positional, keywords = arguments(cell)
    path = ide.solve(MODELS[model], *positional, **keywords, rtol=rtol, atol=0.01 * rtol)
    assert path.report.status == "converged", path.report.message
    found = errors(path, cell[model])
    error, scale = found["theta"]
    assert error <= 1.01 * rtol * scale + ROUNDING * scale
    assert error <= path.report.error_estimate + ROUNDING * scale
    for name, (wrong, size) in found.items():
        assert wrong <= max(10 * rtol, ROUNDING) * size, (name, wrong / size)


def test_ten_cells_are_stored_with_at_least_thirty_certain_digits_each():
    assert len(CELLS) == 10
    assert len({(cell["optimizer"], cell["alpha"], *cell["arguments"].values()) for cell in CELLS}) == 10
    for cell in CELLS:
        for name in ("discrete", *MODELS):
            digits = cell[name]["digits"]
            assert digits >= 30
            _, tables = stored(cell[name])
            assert all(len(x.as_tuple().digits) <= digits for t in tables.values() for row in t for x in row)


@pytest.fixture
def generator(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import generate_mpmath

    return generate_mpmath


@pytest.mark.parametrize("index", range(len(CELLS)), ids=[cell["name"] for cell in CELLS])
def test_the_generator_makes_the_digits_of_discrete_runs_again(generator, index):
    assert generator.make(index, "discrete") == CELLS[index]["discrete"]


@pytest.mark.slow
@pytest.mark.parametrize(("index", "model"), [(2, "paper"), (5, "paper"), (2, "half-step"), (0, "half-step")])
def test_the_generator_makes_the_first_digits_of_solutions_again(generator, index, model):
    with generator.mp.workdps(22):
        rows = generator.solution(
            model, generator.Cell(generator.CELLS[index]), generator.Resolution(22, 7, 12)
        )
        _, tables = stored(CELLS[index][model])
        for name, table in tables.items():
            found = [
                float(Decimal(str(x)) - y)
                for a, b in zip(rows[name].values(), table, strict=True)
                for x, y in zip(a, b, strict=True)
            ]
            assert np.abs(found).max() <= 1e-10 * float(max(abs(y) for b in table for y in b))
