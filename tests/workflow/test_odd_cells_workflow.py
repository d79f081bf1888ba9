"""A study in which whatever can go wrong with a drawing does: it ends in a report that says so."""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import STUDY, Project

pytestmark = pytest.mark.workflow

OBJECTIVES = '''
"""Objectives whose runs are odd cells."""

import numpy as np


class StyblinskiTang:
    """Negative losses."""

    def value(self, theta):
        return 0.5 * (theta**4 - 16.0 * theta**2 + 5.0 * theta).sum(axis=-1)

    def gradient(self, theta):
        return 0.5 * (4.0 * theta**3 - 32.0 * theta + 5.0)


class Edge:
    """Not finite beyond 1."""

    def value(self, theta):
        return np.where(theta <= 1.0, 1.0, np.nan).sum(axis=-1)

    def gradient(self, theta):
        return np.where(theta <= 1.0, -1.0, np.nan)
'''

RUN = {"optimizer": "RMSProp", "hyperparameters": {"beta": 0.9}, "alpha": [0.1, 0.05], "steps": 8}
FIGURE = {**STUDY["figures"]["adagrad"], "select": [{"optimizer": "RMSProp"}], "y_scale": "log"}


def study() -> dict[str, Any]:
    where = {"tang": 0.5, "edge": 1.0, "rest": 4.0}
    return {
        "study": "tiny",
        "objectives": {
            "tang": {"class": "odd_objectives:StyblinskiTang"},
            "edge": {"class": "odd_objectives:Edge"},
            "rest": {"class": "Quadratic", "arguments": {"center": 4.0}},
        },
        "runs": [{**RUN, "objective": name, "theta0": theta0} for name, theta0 in where.items()],
        "solutions": {"paper.exact": STUDY["solutions"]["paper.exact"]},
        "figures": {
            name: {**FIGURE, "objective": name, "quantity": "loss" if name == "tang" else "theta"}
            for name in where
        },
        "scaling": {},
        "fidelity": {},
    }


def test_a_study_of_odd_cells_ends_and_its_tables_figures_and_report_say_why(fresh: Project) -> None:
    (fresh.sources / "odd_objectives.py").write_text(OBJECTIVES, encoding="utf-8")
    fresh.configure(study())
    outcome = fresh.run()
    assert outcome.status == 0, outcome.text
    assert "Warning" not in outcome.text
    figures = {file.stem: file.read_text(encoding="utf-8") for file in fresh.results.glob("figures/*.svg")}
    none_positive = "no positive value to draw on a logarithmic axis"
    for figure, words in {
        "tang": none_positive,
        "edge_errors": "all runs diverged",
        "rest_errors": "all errors are zero",
        "scaling_edge_RMSProp": "all runs diverged",
        "scaling_rest_RMSProp": "all errors are zero",
        "fidelity_rest_RMSProp": "all errors are zero",
    }.items():
        assert words in figures[figure], figure
    assert "nothing drawn" not in figures["fidelity_tang_RMSProp"]
    rows = pq.read_table(fresh.results / "tables/scaling.parquet").to_pylist()
    reasons = {row["objective"]: row["reason"] for row in rows if row["norm"] == "sup"}
    assert reasons == {
        "tang": "too few: 2 errors",
        "edge": "not counted: 0 of 2 errors count",
        "rest": "too few: 2 errors",
    }
    page = (fresh.results / "report.html").read_text(encoding="utf-8")
    assert "not counted: 0 of 2 errors count" in page
    largest = [
        row["largest"]
        for row in pq.read_table(fresh.results / "tables/fidelity.parquet").to_pylist()
        if (row["objective"], row["quantity"]) == ("tang", "loss")
    ]
    assert all(0.0 < value < 1.0 for value in largest)
