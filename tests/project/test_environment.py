"""Lock files and conda environments name the packages of pyproject.toml, in the same versions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.markers import Marker
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
# conda-forge splits these; the plain names there pull in a graphical toolkit, or storage and report plugins.
CONDA_NAMES = {"matplotlib": "matplotlib-base", "seaborn": "seaborn-base", "snakemake": "snakemake-minimal"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Extras of each lock; run.lock also contains the dependencies of the package.
SETS = {
    "run": ["build"],
    "test": ["test", "data", "jax", "arrays", "slurm"],
    "docs": ["docs"],
    "development": ["lint", "mutants"],
    "installer": ["installer"],
    "wheel": ["wheel"],
}
LINUX = {
    "sys_platform": "linux",
    "platform_machine": "x86_64",
    "platform_system": "Linux",
    "os_name": "posix",
}


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(line.split(">=")[0]) for line in requirements}


def of(extras: list[str]) -> set[str]:
    return names([line for extra in extras for line in EXTRAS[extra]])


def text(lock: str) -> str:
    return (ROOT / f"requirements/{lock}.lock").read_text(encoding="utf-8")


def entries(lock: str) -> list[tuple[str, str, str]]:
    """Return name, version and marker of every entry."""
    found = re.findall(r"^([a-z0-9.-]+)==([^ ;]+)(?: ; ([^\\\n]+))?", text(lock), flags=re.MULTILINE)
    return [(name, version, marker.strip()) for name, version, marker in found]


def pins(locks: list[str], python: str) -> dict[str, set[str]]:
    """Return the versions that Linux installs from these locks, by name."""
    environment = {**LINUX, "python_version": python, "python_full_version": f"{python}.9"}
    versions: dict[str, set[str]] = {}
    for name, version, marker in (entry for lock in locks for entry in entries(lock)):
        if not marker or Marker(marker).evaluate(environment):
            versions.setdefault(name, set()).add(version)
    return versions


def conda(file: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))


def test_every_extra_belongs_to_one_lock() -> None:
    assert sorted(extra for extras in SETS.values() for extra in extras) == sorted(EXTRAS)
    assert {path.stem for path in (ROOT / "requirements").glob("*.lock")} == set(SETS)


@pytest.mark.parametrize("lock", SETS)
def test_a_lock_pins_its_packages_by_hash_and_names_no_address(lock: str) -> None:
    pinned = {name for name, _, _ in entries(lock)}
    direct = of(SETS[lock]) | (names(PROJECT["dependencies"]) if lock == "run" else set())
    assert direct <= pinned | {name for name, _, _ in entries("run")}
    blocks = re.findall(r"^\S.*\n(?: .*\n)*", text(lock), flags=re.MULTILINE)
    assert len(blocks) == len(entries(lock))
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", block) for block in blocks)
    assert "://" not in text(lock)


def test_the_run_lock_contains_nothing_that_only_tests_docs_or_development_need() -> None:
    run = {name for name, _, _ in entries("run")}
    other = of([extra for lock, extras in SETS.items() if lock != "run" for extra in extras])
    assert not run & other
    assert not run & {
        "pytest",
        "sphinx",
        "jaxlib",
        "jupyter-client",
        "ipython",
        "mypy-extensions",
        "coverage",
    }


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_all_locks_agree_in_one_version_of_each_package(python: str) -> None:
    versions = pins(list(SETS), python)
    assert len(versions) > 100
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    ("file", "locks"),
    [("environment.yml", ["run", "test", "docs"]), ("workflow/envs/idescent.yaml", ["run"])],
)
def test_conda_pins_the_direct_dependencies_at_the_versions_of_the_locks(file: str, locks: list[str]) -> None:
    lines = [line for line in conda(file)["dependencies"] if isinstance(line, str)]
    assert {"pip", "c-compiler"} <= set(lines)
    pinned = dict(line.split("=") for line in lines if line not in ("pip", "c-compiler"))
    python = pinned.pop("python")
    direct = names(PROJECT["dependencies"]) | of([extra for lock in locks for extra in SETS[lock]])
    versions = pins(locks, python)
    assert pinned == {CONDA_NAMES.get(name, name): next(iter(versions[name])) for name in direct}
    assert tuple(map(int, python.split("."))) >= (3, 11)


def test_conda_installs_the_package_itself_from_its_folder() -> None:
    (own,) = [line["pip"] for line in conda("environment.yml")["dependencies"] if isinstance(line, dict)]
    assert own == ["-e ."]


def test_each_target_of_the_makefile_installs_its_own_lock() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    locks = dict(
        re.findall(r"^(\w+): install(?: \$\(call locked,([\w ]+)\))?$", makefile, flags=re.MULTILINE)
    )
    assert locks["all"] == locks["schema"] == ""
    assert (locks["test"], locks["docs"], locks["lint"]) == ("test", "docs", "development")


def test_the_public_continuous_integration_runs_the_projects_own() -> None:
    workflow = conda(".github/workflows/ci.yml")
    (job,) = workflow["jobs"].values()
    assert job["steps"][-1] == {"run": ".ci/run"}
