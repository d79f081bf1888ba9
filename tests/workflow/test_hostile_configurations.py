"""What the workflow does with configurations that are too large, ambiguous, or of a stranger."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml
from projects import ROOT, STUDY, Project

pytestmark = pytest.mark.workflow


class Plain(Project):
    """A project that is run with its default configuration."""

    @property
    def command(self) -> list[str]:
        return [part for part in super().command if part not in ("--configfile", "config/tiny.yaml")]


class Careful(Project):
    """A project in which no code of one's own may run."""

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "IDESCENT_USER_CODE": "no"}


def refusal(project: Project) -> str:
    """Run; return the only line that is said, when nothing was written."""
    outcome = project.run()
    assert outcome.status == 1
    (line,) = [line for line in outcome.text.splitlines() if "profile" not in line]
    assert not (project.folder / "results").exists()
    return line


def study(project: Project, text: str, name: str = "tiny.yaml") -> None:
    (project.folder / "config" / name).write_text(text, encoding="utf-8")


TEXT = yaml.safe_dump(STUDY)


def test_an_alias_bomb_is_refused_in_one_line(fresh: Project) -> None:
    lines = ["x-0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"x-{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    study(fresh, "\n".join(lines) + "\n" + TEXT.replace("center: 4.0", "center: *a8"))
    assert refusal(fresh).startswith("config: config/tiny.yaml: line 6: must have at most 500000 values")


def test_a_run_that_no_machine_can_keep_is_refused_in_one_line(fresh: Project) -> None:
    large = copy.deepcopy(STUDY)
    large["runs"][0]["steps"] = 10**12
    fresh.configure(large)
    assert refusal(fresh).startswith("config: runs.0.steps: 1000000000000 is not allowed: ")


def test_two_blocks_of_one_name_are_refused_in_one_line(fresh: Project) -> None:
    study(fresh, f"{TEXT}runs: []\n")
    first = TEXT.splitlines().index("runs:") + 1
    last = len(TEXT.splitlines()) + 1
    said = f"config: config/tiny.yaml: runs is not allowed twice: it is in line {first} and line {last}"
    assert refusal(fresh) == said
    study(fresh, json.dumps(STUDY, indent="\t").replace('"steps": 8', '"steps": 8, "steps": 9', 1))
    assert refusal(fresh).startswith("config: config/tiny.yaml: steps is not allowed twice: it is in line ")


def test_a_default_configuration_is_checked_before_snakemake_reads_it(fresh: Project) -> None:
    plain = Plain(fresh.folder)
    code = "study: ?__import__('pathlib').Path('marker').touch() or 'paper'\n"
    study(plain, f"__use_yte__: true\n{code}", "config.yaml")
    assert refusal(plain).startswith("config: config/config.yaml: line 1: __use_yte__ is not allowed: ")
    assert not (fresh.folder / "marker").exists()
    study(plain, "a: " + "[" * 5000 + "]" * 5000, "config.yaml")
    assert refusal(plain) == "config: config/config.yaml: line 1: must be nested at most 50 deep"


def test_keys_that_hold_anchors_change_nothing(done: Project) -> None:
    study(done, "x-solver: &solver Collocation\n" + TEXT.replace("solver: Collocation", "solver: *solver"))
    assert done.succeed() == {}


def test_no_code_of_ones_own_runs_where_the_environment_says_no(fresh: Project, done: Project) -> None:
    evil = "open('marker', 'w').close()\nfrom idescent import Quadratic, AdaGrad\n"
    for key, place in (("class", "objectives"), ("optimizer", "runs")):
        own = copy.deepcopy(STUDY)
        target = own["runs"][0] if place == "runs" else own["objectives"]["quadratic"]
        target[key] = "evil:AdaGrad" if place == "runs" else "evil:Quadratic"
        fresh.configure(own)
        (fresh.folder / "evil.py").write_text(evil, encoding="utf-8")
        line = refusal(Careful(fresh.folder))
        assert line.startswith(f"config: {place}.")
        assert line.endswith("is not allowed: IDESCENT_USER_CODE=no allows classes of the package only")
        assert not (fresh.folder / "marker").exists()
    assert Careful(done.folder).succeed() == {}


def test_a_caption_is_no_markup_in_snakemakes_own_report(done: Project) -> None:
    secret = done.folder / "secret.txt"
    secret.write_text("hunter2", encoding="utf-8")
    told = copy.deepcopy(STUDY)
    told["figures"]["adam"]["caption"] = f".. include:: {secret}"
    done.configure(told)
    done.succeed()
    outcome = done.run("--report", "report.html")
    assert outcome.status == 0, outcome.text
    page = (done.folder / "report.html").read_text(encoding="utf-8")
    assert "hunter2" not in page
    assert ".. include:: " in page


def test_the_schema_of_the_repository_allows_keys_that_hold_anchors() -> None:
    schema = json.loads(Path(ROOT, "workflow/schemas/config.schema.json").read_text(encoding="utf-8"))
    assert schema["patternProperties"] == {"^x-": {}}
