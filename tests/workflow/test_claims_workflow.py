"""The audit in the workflow: what reruns when the claims change, and what is said of mistakes in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import finished
import pytest
import yaml
from projects import STUDY, Project

pytestmark = pytest.mark.workflow

CLAIMS: dict[str, Any] = {
    "sources": {
        "discrete": {"path": "discrete", "role": "discrete"},
        "exact": {"path": "paper.exact", "role": "exact"},
    },
    "claims": [
        {
            "id": "adagrad-moves",
            "where": "nowhere",
            "statement": "AdaGrad comes nearer to the minimum.",
            "about": "both",
            "checks": [
                {
                    "measure": "last",
                    "quantity": "offset",
                    "cell": {"optimizer": "AdaGrad"},
                    "expect": {"below": 1},
                }
            ],
        }
    ],
}


def name_claims(project: Project, claims: dict[str, Any]) -> None:
    (project.folder / "config/tiny_claims.yaml").write_text(yaml.safe_dump(claims), encoding="utf-8")
    project.configure({**STUDY, "claims": "config/tiny_claims.yaml"})


@pytest.fixture
def audited(tmp_path_factory: pytest.TempPathFactory) -> finished.Finished:
    """The complete study, now with claims."""
    return finished.continued(tmp_path_factory, "audited", lambda project: name_claims(project, CLAIMS))


def test_naming_claims_runs_the_audit_alone_and_editing_them_again(
    audited: finished.Finished, tmp_path: Path
) -> None:
    assert audited.jobs == {"claims": 1, "report_numbers": 1, "report": 1}
    done = audited.copy(tmp_path / "audited")
    table = done.results / "tables/claims.md"
    assert "1 hold, 0 hold only for the scheme, 0 fail" in table.read_text(encoding="utf-8")
    assert done.succeed() == {}
    done.edit("config/tiny_claims.yaml", lambda text: text.replace("below: 1", "below: 0.001"))
    assert done.succeed() == {"claims": 1, "report_numbers": 1, "report": 1}
    assert "0 hold, 0 hold only for the scheme, 1 fail" in table.read_text(encoding="utf-8")


def test_edited_code_of_the_audit_reruns_it_alone(audited: finished.Finished, tmp_path: Path) -> None:
    done = audited.copy(tmp_path / "audited")
    done.edit("src/idescent/products/claims/measures.py", lambda text: text + "\nUNUSED = 1\n")
    assert done.succeed("--dry-run") == {"claims": 1, "report_numbers": 1, "report": 1}


def test_a_mistake_in_the_claims_is_one_line_before_anything_runs(done: Project) -> None:
    wrong = yaml.safe_load(yaml.safe_dump(CLAIMS))
    wrong["claims"][0]["checks"][0]["measure"] = "lst"
    name_claims(done, wrong)
    outcome = done.run()
    assert outcome.status != 0
    said = [line for line in outcome.text.splitlines() if "tiny_claims.yaml" in line]
    assert len(said) == 1
    assert said[0].startswith(
        "config/tiny_claims.yaml: adagrad-moves: checks.0.measure: 'lst' is not allowed: must be one of"
    )
    assert "Traceback" not in outcome.text
    assert not (done.results / "tables/claims.md").exists()


def test_a_claims_file_that_is_not_there_is_one_line(done: Project) -> None:
    done.configure({**STUDY, "claims": "config/nothing.yaml"})
    outcome = done.run()
    assert outcome.status != 0
    assert "config/nothing.yaml: cannot be read: there is no such file" in outcome.text.splitlines()
