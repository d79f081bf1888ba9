"""The wheel: what it holds, and a study from it in an environment without a compiler."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = (
    "LICENSE",
    "README.md",
    "Snakefile",
    "config",
    "profiles",
    "pyproject.toml",
    "setup.py",
    "src",
    "workflow",
)
COMPILERS = re.compile(r"(.*-)?(gcc|g\+\+|cc|c\+\+|c89|c99|clang|cpp|ld|as|tcc)(-.*)?")
STUDY = ("Snakefile", "config", "profiles", "workflow")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the project."""
    folder = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.so")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / "tree" / name, ignore=ignored)
        else:
            (folder / "tree").mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder / "tree")
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(folder), str(folder / "tree"))
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture
def bare(wheel: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """An environment with the wheel, and the variables of a shell in it that finds no compiler."""
    folder = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    # The dependencies are those of this environment; its own editable package is not on this path.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pip("--python", str(folder / "bin/python"), "install", "--ignore-installed", str(wheel))
    tools = tmp_path / "tools"
    tools.mkdir()
    programs = {path.name: path for place in reversed(os.get_exec_path()) for path in Path(place).glob("*")}
    for name, program in programs.items():
        if not COMPILERS.fullmatch(name):
            (tools / name).symlink_to(program)
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return packages / "idescent", {**variables, "PATH": f"{folder / 'bin'}:{tools}"}


def pip(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *words, "--no-deps"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_wheel_holds_the_workflow_as_in_the_tree_and_serves_every_python(wheel: Path) -> None:
    assert re.fullmatch(r"idescent-[\d.]+-cp311-abi3-linux_\w+\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert [name for name in names if name.endswith(".so")] == ["idescent/discrete/_kernels.abi3.so"]
        copies = {
            name.removeprefix("idescent/_study/") for name in names if name.startswith("idescent/_study/")
        }
        files = [
            path for name in STUDY for path in (ROOT / name, *(ROOT / name).rglob("*")) if path.is_file()
        ]
        expected = {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}
        assert copies == expected
        for name in copies:
            assert archive.read(f"idescent/_study/{name}") == (ROOT / name).read_bytes()


@pytest.mark.workflow
def test_a_study_runs_from_the_wheel_without_a_compiler(
    bare: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    package, variables = bare
    tried = subprocess.run(["sh", "-c", "gcc --version || cc --version"], env=variables, capture_output=True)
    assert tried.returncode != 0

    def call(*words: str, folder: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["idescent", *words], env=variables, cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    info = call("info").stdout
    assert re.search(rf"^package +{package}$", info, re.MULTILINE)
    assert re.search(r"^discrete runs +compiled$", info, re.MULTILINE)
    call("init", "mine")
    done = call("run", "--cores", "2", folder=tmp_path / "mine")
    assert "first: 14 of 14 jobs\n" in done.stderr
    assert "warning" not in done.stderr
    tables = {p: p.read_bytes() for p in (tmp_path / "mine/results/first/tables").glob("*.csv")}
    assert tables

    # The same numbers without compiled kernels, and one warning for the whole study.
    (package / "discrete/_kernels.abi3.so").unlink()
    shutil.rmtree(tmp_path / "mine/results")
    done = call("run", "--cores", "2", folder=tmp_path / "mine")
    assert done.stderr.count("no compiled kernels") == 1
    assert tables == {path: path.read_bytes() for path in tables}
    once = call("simulate", "Adam", "--steps", "5")
    assert once.stderr.count("no compiled kernels") == 1
