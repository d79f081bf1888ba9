"""Snakemake's own report of a study, and what the catalog of workflows asks for."""

from __future__ import annotations

import json
import re
import zipfile
from typing import Any

import pytest
import yaml
from projects import ROOT, STUDY, Project


@pytest.mark.workflow
def test_snakemakes_own_report_has_every_table_and_figure_with_a_caption(scaled: Project) -> None:
    scaled.succeed("--report", "report.zip")
    with zipfile.ZipFile(scaled.folder / "report.zip") as archive:
        page = archive.read("report/report.html").decode()
        names = [name.rpartition("/")[2] for name in archive.namelist()]
    found = re.search(r"^ *var results = ({.*});$", page, re.MULTILINE)
    assert found is not None
    results: dict[str, dict[str, Any]] = json.loads(found[1])
    tables = {f"tables/{name}.csv" for name in ("errors", "scaling")}
    stems = ("adagrad", "adagrad_errors", "adam", "scaling_quadratic_AdaGrad")
    figures = {f"figures/{stem}.svg" for stem in stems}
    assert {name.removeprefix("results/tiny/") for name in results} == tables | figures
    for name, entry in results.items():
        words = re.sub(r"<[^>]*>", "", entry["caption"]).split()
        assert words, name
        assert "{" not in entry["caption"]
        assert entry["labels"]
        assert name.rpartition("/")[2] in names
    # That of a figure is the study's own.
    adam = results["results/tiny/figures/adam.svg"]["caption"]
    assert STUDY["figures"]["adam"]["caption"] in adam


def test_the_catalog_of_workflows_finds_what_it_looks_for() -> None:
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8"))["usage"]
    assert usage["report"] is True
    assert set(usage["software-stack-deployment"].values()) == {False}
    # Standardised usage: these names, and no path of the caller's in the workflow.
    for name in ("workflow/Snakefile", "config/README.md", "config/config.yaml", "README.md", "LICENSE"):
        assert (ROOT / name).is_file()
