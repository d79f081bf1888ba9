"""Cells that differ in a hyper-parameter of a user's optimizer differ in all results."""

from __future__ import annotations

import csv

import pytest
from projects import STUDY, Project
from reported import data_of, table_of

from idescent.drawing.saving import styled
from idescent.products.errors.dots import read_rows
from idescent.products.errors.overview import overview_figure, overview_rows
from idescent.products.errors.split import split_figure, split_rows
from idescent.products.scaling.figure import scaling_figure
from idescent.products.scaling.rows import sup_errors
from idescent.store.tables import hyperparameters, read_errors, read_table

pytestmark = pytest.mark.workflow

# Two names, "steps" and "kind", are also columns of the tables.
OPTIMIZER = """
from dataclasses import dataclass
import numpy as np
from idescent.optimizers import Optimizer, average


@dataclass(frozen=True)
class Mine(Optimizer):
    beta1: float = 0.9
    psi: float = 0.5
    steps: int = 1
    kind: float = 1.0

    def memories(self):
        return {"m": average(self.beta1)}

    def step(self, gradient, m):
        return (1 - self.psi) * gradient + self.psi * m / self.steps
"""
BLOCK = {"objective": "quadratic", "theta0": 1.0, "alpha": [0.1, 0.05], "steps": 8}
PSI = [0.004, 0.5]
CLAIMS = """
sources:
  discrete: {path: discrete, role: discrete}
  exact: {path: paper.exact, role: exact}
claims:
  - id: one
    where: here
    statement: The loss falls
    about: discrete
    checks:
      - {measure: peak, quantity: loss, cell: {psi: 0.004}, expect: {above: 0}}
"""


def labels(figure):
    """All texts of a figure: of ticks, titles and legends."""
    texts = [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    return [text for text in texts if text]


def test_cells_that_differ_in_a_hyperparameter_of_a_users_optimizer_differ_everywhere(fresh: Project) -> None:
    (fresh.folder / "mine.py").write_text(OPTIMIZER, encoding="utf-8")
    (fresh.folder / "config/mine.claims.yaml").write_text(CLAIMS, encoding="utf-8")
    mine = {"optimizer": "mine:Mine", "hyperparameters": {"psi": PSI, "steps": 2, "kind": 3}}
    other = {"optimizer": "Adam", "hyperparameters": {"beta1": 0.9, "beta2": 0.99}}
    study = {key: STUDY[key] for key in ("study", "objectives", "solutions")}
    study |= {"runs": [BLOCK | mine, BLOCK | other], "scaling": {}, "fidelity": {}}
    fresh.configure(study | {"claims": "config/mine.claims.yaml"})
    fresh.succeed()
    tables = fresh.results / "tables"

    with (tables / "errors.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    own = ["optimizer.kind", "optimizer.psi", "optimizer.steps"]
    assert head[:12] == [
        *("objective", "optimizer", "label", "alpha", "beta", "beta1", "beta2", "weight_decay"),
        *own,
        "steps",
    ]
    assert {tuple(row[8:12]) for row in rows} == {
        ("3.0", "0.004", "2.0", "8"),
        ("3.0", "0.5", "2.0", "8"),
        ("", "", "", "8"),
    }
    for name in ("errors", "scaling", "fidelity"):
        table = read_table(tables / f"{name}.parquet")
        assert sorted(table["optimizer.psi"].dropna().unique()) == PSI
        text = (tables / f"{name}.md").read_text(encoding="utf-8")
        assert "kind = 3, ψ = 0.004, steps = 2" in text
        assert r"kind = 3, $\psi$ = 0.004, steps = 2" in (tables / f"{name}.tex").read_text(encoding="utf-8")

    errors = read_rows(tables / "errors.parquet")
    of_mine = [row for row in errors if row["optimizer"] == "mine:Mine"]
    assert {tuple(hyperparameters(row).values()) for row in of_mine} == {(3.0, p, 2.0) for p in PSI}
    scaling = sup_errors(read_errors([tables / "scaling.parquet"]).to_pylist(), "quadratic", "Mine")
    with styled():
        figures = [
            overview_figure(overview_rows(errors)),
            split_figure(split_rows(errors)),
            scaling_figure(scaling),
        ]
    for figure in figures:
        for psi in PSI:
            assert any(rf"kind = 3, $\psi$ = {psi}, steps = 2" in text for text in labels(figure))

    page = (fresh.results / "report.html").read_text(encoding="utf-8")
    assert "ψ = 0.004, steps = 2, kind = 3" in table_of(page, "errors-table")["configuration"]["values"]
    cells = [cell for cell in data_of(page)["cells"] if cell["optimizer"] == "Mine"]
    assert len({cell["configuration"] for cell in cells}) == 2
    assert len({cell["colour"] for cell in cells}) == 2

    assert "ψ = 0.004" in (tables / "claims.md").read_text(encoding="utf-8")
    text = CLAIMS.replace("psi", "phi")
    (fresh.folder / "config/mine.claims.yaml").write_text(text, encoding="utf-8")
    outcome = fresh.run("--dry-run")
    rule = (
        "'phi' must be one of objective, optimizer, alpha, beta, beta1, beta2, weight_decay, psi, steps, kind"
    )
    assert f"one: checks.0.cell: {rule}" in outcome.text
