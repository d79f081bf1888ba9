"""The conda environment asks for the packages that pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
# conda-forge splits these; the plain names there pull in a graphical toolkit, or storage and report plugins.
CONDA_NAMES = {"matplotlib": "matplotlib-base", "seaborn": "seaborn-base", "snakemake": "snakemake-minimal"}
REQUIREMENT = re.compile(r"([A-Za-z0-9_-]+)>=([0-9.]+)")


def bounds(lines: list[str]) -> dict[str, str]:
    found = [REQUIREMENT.fullmatch(line) for line in lines]
    assert all(found), lines
    return {match[1]: match[2] for match in found if match}


def test_conda_and_pip_ask_for_the_same_packages_with_the_same_lower_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    wanted = bounds(
        project["project"]["dependencies"]
        + project["build-system"]["requires"]
        + extras["data"]
        + extras["test"]
    )
    wanted = {CONDA_NAMES.get(name, name): version for name, version in wanted.items()}
    wanted["python"] = project["project"]["requires-python"].removeprefix(">=")
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    named = [line for line in conda if isinstance(line, str) and line not in ("pip", "c-compiler")]
    assert bounds(named) == wanted


def test_conda_installs_the_package_itself_from_its_folder() -> None:
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    (own,) = [line["pip"] for line in conda if isinstance(line, dict)]
    assert own == ["-e ."]


def test_the_lock_file_pins_every_dependency_by_hash_and_names_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    pinned = set(re.findall(r"^([a-z0-9.-]+)==", lock, flags=re.MULTILINE))
    assert {line.split(">=")[0].lower().replace("_", "-") for line in wanted} <= pinned
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", lock)) >= len(pinned)
    assert "://" not in lock
