"""The workflow as a module of another one: its studies beside that one's own rules."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml
from finished import AUTO
from projects import ROOT, Project, new_project

pytestmark = pytest.mark.workflow

OUTER = """
module idescent:
    snakefile:
        "library/workflow/Snakefile"
    config:
        config["study"]
    {prefix}


use rule * from idescent as idescent_*


rule widest:
    default_target: True
    input:
        table="{folder}results/tiny/tables/errors.csv",
        figure="{folder}results/tiny/figures/adam.pdf",
    output:
        "widest.txt",
    shell:
        "python -c 'import sys; print(len(open(sys.argv[1]).readlines()))' {{input.table}} > {{output}}"
"""


@pytest.fixture
def outer(tmp_path: Path) -> Project:
    """Another workflow, in whose folder this one lies as a library."""
    new_project(tmp_path / "outer" / "library")
    (tmp_path / "outer/config").mkdir()
    project = Project(tmp_path / "outer", sources=tmp_path / "outer/library/src")
    project.configure({"study": AUTO, "of_its_own": 1})
    return project


@pytest.mark.parametrize("folder", ["", "elsewhere/"])
def test_another_workflow_uses_the_tables_of_a_study(outer: Project, done: Project, folder: str) -> None:
    prefix = f'prefix: "{folder.rstrip("/")}"' if folder else ""
    (outer.folder / "Snakefile").write_text(OUTER.format(prefix=prefix, folder=folder), encoding="utf-8")
    jobs = outer.succeed()
    assert jobs["widest"] == 1
    assert jobs["idescent_solve"] == 4
    mine, theirs = (root / "results/tiny" for root in (outer.folder / folder, done.folder))
    for name in (
        "tables/errors.parquet",
        "quadratic/AdaGrad/alpha~0.1/paper.exact.parquet",
        "figures/adam.svg",
    ):
        assert (mine / name).read_bytes() == (theirs / name).read_bytes()
    lines = int((outer.folder / "widest.txt").read_text(encoding="utf-8"))
    assert lines == len((theirs / "tables/errors.csv").read_text(encoding="utf-8").splitlines())
    assert outer.succeed() == {}


def test_the_snakefile_of_the_readme_runs_in_a_folder_with_a_clone(outer: Project, done: Project) -> None:
    (block,) = re.findall(
        r"```snakemake\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL
    )
    (outer.folder / "idescent").symlink_to("library")
    (outer.folder / "Snakefile").write_text(block, encoding="utf-8")
    outer.configure(AUTO)
    assert outer.succeed()["solve"] == 4
    table = "tables/errors.parquet"
    assert (outer.results / table).read_bytes() == (done.results / table).read_bytes()


# As snakedeploy 0.17.1 writes it for a local clone, with the clone's path.
DEPLOYED = """
from snakemake.utils import min_version


min_version("6.10.0")


configfile: "config/config.yaml"


# declare {clone} as a module
module idescent:
    snakefile:
        "{clone}/workflow/Snakefile"
    config:
        config


# use all rules from {clone}
use rule * from idescent
"""


@pytest.fixture
def deployed(tmp_path: Path) -> Path:
    """A folder of a user, beside a clone and an environment into which pip has installed the package."""
    clone, other, folder = tmp_path / "clone", tmp_path / "environment", tmp_path / "user"
    unwanted = shutil.ignore_patterns(
        ".venv", ".git", ".snakemake", "results", "build", "mutants", "*.egg-info", "*.so", "__pycache__"
    )
    shutil.copytree(ROOT, clone, ignore=unwanted)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", other], check=True)
    # The dependencies are those of the tests.  Python ignores .pth files in a folder that a .pth file names:
    # the editable installation of the package stays out.
    (packages,) = other.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed"]
    pip = [sys.executable, "-m", "pip", "--python", other / "bin/python", "install", *options, clone]
    subprocess.run(pip, env=plain(), check=True)
    shutil.rmtree(clone / "src")
    for name in ("config", "profiles"):
        shutil.copytree(clone / name, folder / name)
    (folder / "workflow").mkdir()
    (folder / "workflow/Snakefile").write_text(DEPLOYED.format(clone=clone), encoding="utf-8")
    (folder / "config/config.yaml").write_text(yaml.safe_dump(AUTO), encoding="utf-8")
    return folder


def plain() -> dict[str, str]:
    """Return this environment without a path to the sources."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def test_a_deployed_workflow_runs_with_the_package_that_pip_installed(deployed: Path, done: Project) -> None:
    python = deployed.parent / "environment/bin/python"
    home = subprocess.run(
        [python, "-c", "import idescent; print(idescent.__file__)"],
        cwd=deployed,
        env=plain(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(home.stdout.strip()).is_relative_to(deployed.parent / "environment")
    outcome = subprocess.run(
        [python, "-m", "snakemake", "--cores", "2"],
        cwd=deployed,
        env=plain(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout
    for name in (
        "tables/errors.parquet",
        "quadratic/AdaGrad/alpha~0.1/paper.exact.parquet",
        "figures/adam.svg",
    ):
        assert (deployed / "results/tiny" / name).read_bytes() == (done.results / name).read_bytes()
    assert not (deployed.parent / "clone/results").exists()


def test_the_catalogs_test_runs_in_its_folder(fresh: Project) -> None:
    shutil.copytree(ROOT / ".test/config", fresh.folder / ".test/config")
    outcome = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--directory", ".test"],
        cwd=fresh.folder,
        env=fresh.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout
    assert (fresh.folder / ".test/results/smoke/report.html").is_file()
    assert not fresh.results.parent.exists()
