"""Scaling tables and figures in the workflow: made where a study asks for them, and only then."""

from __future__ import annotations

import pytest
from conftest import STUDY, Project

pytestmark = pytest.mark.workflow


def test_asking_for_scaling_makes_its_table_and_figures_and_solves_nothing_again(done: Project) -> None:
    assert not (done.results / "tables/scaling.csv").exists()
    done.configure({**STUDY, "scaling": {"reference": "paper.exact"}})
    # The summary lists all figures.
    assert done.succeed() == {"scaling": 1, "scaling_figure": 2, "summary": 1, "report": 1}
    table = (done.results / "tables/scaling.csv").read_text(encoding="utf-8").splitlines()
    # Three cells, two solutions each, three norms.
    assert len(table) == 1 + 3 * 2 * 3
    for optimizer in ("AdaGrad", "Adam"):
        assert (done.results / f"figures/scaling_quadratic_{optimizer}.pdf").is_file()
    assert done.succeed() == {}
    done.configure({**STUDY, "scaling": {"reference": "paper.exact", "alpha": [0.05]}})
    assert done.succeed("--dry-run") == {"scaling": 1, "scaling_figure": 2, "report": 1}


def test_edited_code_of_the_fit_reruns_the_tables_and_figures_alone(done: Project) -> None:
    done.configure({**STUDY, "scaling": {}})
    done.succeed()
    done.edit("src/idescent/orders.py", lambda text: text + "\nUNUSED = 1\n")
    assert done.succeed("--dry-run") == {"scaling": 1, "scaling_figure": 2, "report": 1}
