"""The recipes of CONTRIBUTING.md, line by line: outside the package, then moved into a copy of it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = {
    name: TEXT.split(f"\n## A{name}\n")[1].split("\n## ")[0]
    for name in ("n optimizer", "n objective", " model")
}
HOMES = {
    "n optimizer": ("my_optimizer.py", "src/idescent/optimizers/uncorrected_adam.py"),
    "n objective": ("my_objective.py", "src/idescent/objectives/log_cosh.py"),
    " model": ("my_model.py", "src/idescent/models/warm_start.py"),
}
# What is run in the package afterwards: the tables that have a new row, and what lists all names.
TABLES = {
    "n optimizer": [
        "tests/discrete/test_discrete.py",
        "tests/optimizers/test_optimizers.py",
        "tests/project/test_public_api.py",
    ],
    "n objective": [
        "tests/objectives/test_objectives_derivatives.py",
        "tests/objectives/test_objectives_docs.py",
    ],
    " model": [],
}


def blocks(recipe, language):
    return re.findall(rf"```{language}\n(.*?)```", RECIPES[recipe], flags=re.S)


def files(recipe):
    return {block.split("\n")[0].removeprefix("# "): block for block in blocks(recipe, "python")}


def run(words, folder, **environment):
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def patched(folder, block):
    """Apply a block ``--- file`` with lines that are there, and new ones after a plus."""
    name, *lines = block.rstrip("\n").split("\n")
    file = folder / name.removeprefix("--- ")
    before = "".join(f"{line[1:]}\n" for line in lines if line[0] == " ")
    after = "".join(f"{line[1:]}\n" for line in lines)
    text = file.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{file.name}: {before}"
    file.write_text(text.replace(before, after), encoding="utf-8")


@pytest.mark.parametrize("recipe", RECIPES, ids=str.strip)
def test_a_recipe_works_outside_the_package(recipe, tmp_path):
    for name, text in files(recipe).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (test,) = tmp_path.glob("test_*.py")
    assert "passed" in run(
        ["-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", test.name], tmp_path
    )
    commands = [line for block in blocks(recipe, "sh") for line in block.splitlines()]
    assert commands
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "idescent"
        assert run(["-m", *words], tmp_path)


@pytest.mark.parametrize("recipe", RECIPES, ids=str.strip)
def test_a_recipe_works_inside_the_package(recipe, tmp_path):
    for name in ("src", "tests", "docs"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    own, home = HOMES[recipe]
    code = files(recipe)[own]
    target = tmp_path / home
    target.write_text(code, encoding="utf-8")
    # The package's own name for the class, now that it has one.
    (test,) = (text for name, text in files(recipe).items() if name.startswith("test_"))
    module = home.removeprefix("src/").removesuffix(".py").replace("/", ".")
    moved = test.replace(f"from {own.removesuffix('.py')} import", f"from {module} import")
    assert moved != test
    (tmp_path / "tests/test_moved.py").write_text(moved, encoding="utf-8")
    for block in blocks(recipe, "diff"):
        patched(tmp_path, block)
    chosen = ["tests/test_moved.py", *TABLES[recipe]]
    words = ["-m", "pytest", "-v", "-p", "no:cacheprovider", *chosen]
    rows = run(words, tmp_path, PYTHONPATH=str(tmp_path / "src"))
    assert "passed" in rows
    assert rows.count("UncorrectedAdam" if recipe == "n optimizer" else "log cosh") >= 5 or recipe == " model"
    (name,) = re.findall(r"^class (\w+)", code, flags=re.M)
    kinds = {
        "n optimizer": [name],
        "n objective": ["Adam", "--objective", name],
        " model": ["RMSProp", "--model", name],
    }
    command = ["-m", "idescent", "show", *kinds[recipe], "--output", "a.png"]
    assert "a.png: " in run(command, tmp_path, PYTHONPATH=str(tmp_path / "src"))


def test_what_the_page_names_exists():
    named = set(re.findall(r"`((?:src|tests|docs)/[\w/.]+\.\w+)`", TEXT)) - {
        home for _, home in HOMES.values()
    }
    named |= {target for target in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in target}
    assert len(named) >= 5
    assert not [name for name in named if not (ROOT / name).is_file()]
    targets = re.findall(r"`make (\w+)`", TEXT)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"test", "lint", "schema", "lock", "install"} <= set(targets)
    assert all(re.search(rf"^{target}:", makefile, flags=re.M) for target in targets)
