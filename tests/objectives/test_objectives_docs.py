"""The page on objectives: its code runs, its configurations are valid, its table is right."""

import re
from pathlib import Path

import pytest
import yaml

from idescent import config
from idescent.study import registry

TEXT = (Path(__file__).parents[2] / "docs" / "objectives.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", TEXT, flags=re.S)
STUDIES = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.S)
# Constructors on data, and the numbers of parameters that the table states for them.
STATED = re.findall(r"^\| `(\w+\.\w+)` \| (\d+) \|", TEXT, flags=re.M)


def test_the_code_runs():
    names = {}
    for block in CODE:
        exec(block, names)
    assert len(CODE) == 3
    assert names["Mine"]().dimension == 8


@pytest.mark.parametrize("text", STUDIES)
def test_the_configurations_are_valid(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (own,) = (block for block in CODE if block.startswith("# my_loss.py"))
    Path("my_loss.py").write_text(own, encoding="utf-8")
    assert config.load(yaml.safe_load(text)).cells


@pytest.mark.parametrize(("name", "parameters"), STATED)
def test_the_table_states_the_number_of_parameters(name, parameters):
    assert registry.objective({"class": name}).dimension == int(parameters)


def test_the_table_names_every_objective_of_the_package():
    from idescent import objectives

    classes = set(objectives.__all__) - {"CountedObjective", "FiniteSum", "Objective"}
    assert classes == set(re.findall(r"`([A-Z]\w+)(?:\.\w+)?`", TEXT.split("All gradients")[0])) - {"Class"}
    assert len(STATED) == 4
