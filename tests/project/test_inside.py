"""The page for those who change the program: what it names is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/inside.md").read_text(encoding="utf-8")


def test_each_change_names_files_that_there_are() -> None:
    table = TEXT.partition("## Where do I change")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert len(rows) >= 20
    for row in rows:
        named = re.findall(r"`([\w./]+)`", row)
        assert named, row
        assert all((ROOT / name).exists() for name in named if "/" in name), row


def test_every_folder_of_the_package_is_a_layer_of_the_page_and_of_the_contract() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = {name for layer in contract["contracts"][0]["layers"] for name in layer.split(" : ")}
    package = ROOT / "src/idescent"
    folders = {path.name for path in package.iterdir() if (path / "__init__.py").is_file()}
    modules = {path.stem for path in package.glob("*.py")} - {"__init__", "__main__"}
    assert folders | modules == layers | {"figures", "registry"}
    assert len(modules) <= 4
    for name in layers:
        assert f"`{name}`" in TEXT or f"`{name}.py`" in TEXT, name
