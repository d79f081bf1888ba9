"""The profile for Slurm: every submitted job has time and memory; nothing changes but how a study is run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from configured import complete
from projects import ROOT, STUDY, Project
from snakemake.target_jobs import parse_target_jobs_cli_args
from snakemake_executor_plugin_slurm import ExecutorSettings
from snakemake_interface_executor_plugins.utils import TargetSpec, encode_target_jobs_cli_args

from idescent.config import load, rules

pytestmark = pytest.mark.workflow

FILE = Path("profiles/slurm/config.yaml")
PROFILE: dict[str, Any] = yaml.safe_load((ROOT / FILE).read_text(encoding="utf-8"))


def test_every_rule_is_either_local_or_has_time_and_memory_in_the_profile() -> None:
    declared = rules(load({**complete(), "claims": None}))
    submitted = {r.name for r in declared if r.sort in ("simulate", "solve", "measure") and not r.local}
    assert set(PROFILE["set-resources"]) == submitted
    for resources in PROFILE["set-resources"].values():
        assert set(resources) == {"mem_mb", "runtime"}


def test_a_job_that_is_tried_again_gets_more_time_and_memory() -> None:
    assert PROFILE["retries"] > 0
    for resources in (PROFILE["default-resources"], *PROFILE["set-resources"].values()):
        for expression in (resources["mem_mb"], resources["runtime"]):
            first, second = (eval(expression, {"attempt": attempt}) for attempt in (1, 2))
            assert second > first > 0


def test_the_plugin_knows_every_option_of_its_own() -> None:
    known = {name.replace("_", "-") for name in ExecutorSettings.__dataclass_fields__}
    given = {key.removeprefix("slurm-") for key in PROFILE if key.startswith("slurm-")}
    assert given
    assert given <= known


def test_the_profile_packs_more_into_a_job_and_leaves_the_study_as_it_is(fresh: Project) -> None:
    # Cells that fill several jobs on one machine, and one on a cluster.
    many = {**STUDY["runs"][1], "hyperparameters": {"beta1": [i / 1000 for i in range(150)], "beta2": 0.99}}
    study = {key: value for key, value in STUDY.items() if key != "cells_per_job"}
    fresh.configure({**study, "runs": [STUDY["runs"][0], many], "seconds_per_job": 0.01})
    here = fresh.run("--dry-run")
    there = fresh.run("--dry-run", "--profile", str(FILE.parent))
    assert there.status == 0, there.text
    assert 0 < there.jobs["simulate"] < here.jobs["simulate"]
    assert there.jobs["figure"] == here.jobs["figure"]


def test_the_name_of_every_job_survives_the_way_to_another_machine() -> None:
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    study = load({key: value for key, value in config.items() if key not in ("claims", "figures")})
    for size in (1, 2, None):
        packs = replace(study, cells_per_job=size).packs
        for pack in packs:
            objective, optimizer, name = pack.folder.split("/")
            job = TargetSpec("solve", {"objective": objective, "optimizer": optimizer, "pack": name})
            assert parse_target_jobs_cli_args(encode_target_jobs_cli_args([job])) == [job]
