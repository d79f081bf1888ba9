"""Learning-rate schedules in a configuration."""

import json
from pathlib import Path

import numpy as np
import pytest

from idescent import config
from idescent.schedules import Cosine, LinearWarmup, Sequential, Step
from idescent.study import provenance, registry

with np.load(Path(__file__).parent / "references" / "torch_schedules.npz") as stored:
    TORCH = {name: stored[name] for name in stored.files}


# Configuration.


def study(**changes):
    run = {
        "objective": "quadratic", "optimizer": "RMSProp", "theta0": 1.0, "alpha": [0.1], "steps": 20,
        "hyperparameters": {"beta": 0.9},
    }  # fmt: skip
    parts = [
        {"class": "LinearWarmup", "arguments": {"steps": 5}},
        {"class": "Cosine", "arguments": {"steps": 15}},
    ]
    raw = {
        "study": "schedules",
        "objectives": {"quadratic": {"class": "Quadratic"}},
        "schedules": {
            "halving": {"class": "Step", "arguments": {"every": 5, "factor": 0.5}},
            "both": {"class": "Sequential", "arguments": {"schedules": parts, "milestones": [5]}},
        },
        "runs": [run, run | {"schedule": "halving"}, run | {"schedule": "both"}],
        "solutions": {"half": {"model": "HalfStep", "solver": "Collocation"}},
    }
    return raw | changes


def test_a_schedule_is_part_of_a_cell_and_of_its_folder_only_where_there_is_one():
    plain, halving, both = config.load(study()).cells
    assert plain.label == "alpha~0.1,beta~0.9"
    assert halving.label == "alpha~0.1,beta~0.9,schedule~halving"
    assert "schedule" not in plain.spec()
    assert registry.schedule(plain.spec()) is None
    assert registry.schedule(halving.spec()) == Step(5, 0.5)
    assert registry.schedule(json.loads(json.dumps(both.spec()))) == Sequential(
        (LinearWarmup(5), Cosine(15)), (5,)
    )


def test_a_figure_can_choose_the_cells_of_a_schedule():
    figure = {
        "title": "t", "caption": "c", "quantity": "theta", "objective": "quadratic",
        "panels": [{"alpha": 0.1}],
        "select": [{"optimizer": "RMSProp", "schedule": "halving"}], "show": ["discrete"],
    }  # fmt: skip
    found = config.load(study(figures={"one": figure})).settings["figures"]["one"]
    assert [cell.label for cell, _ in found.shown] == ["alpha~0.1,beta~0.9,schedule~halving"]


def test_the_code_of_a_users_own_schedule_is_part_of_what_a_run_depends_on(tmp_path, monkeypatch):
    source = tmp_path / "my_schedules.py"
    source.write_text("from idescent.schedules import Constant\n\n\nclass Mine(Constant):\n    pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    cell = config.load(study()).cells[1].spec() | {"schedule": {"class": "my_schedules:Mine"}}
    digests = []
    for line in ("", "\nFACTOR = 2\n"):
        source.write_text(source.read_text() + line)
        for cache in (getattr(f, "cache_clear", None) for f in vars(provenance).values()):
            if cache:
                cache()
        digests.append(provenance.cell_digest(cell))
    assert digests[0] != digests[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"schedules": {"halving": {"class": "Step", "arguments": {"every": 0, "factor": 0.5}}}},
            "config: schedules.halving.arguments.every: 0 is not allowed: must be an integer >= 1",
        ),
        (
            {"schedules": {"other": "Constant"}},
            "config: runs.1.schedule: 'halving' is not allowed: must be one of other",
        ),
        (
            {"forecast": [study()["runs"][1]]},
            "config: forecast.0.schedule: 'halving' is not allowed: a forecast has a constant learning rate",
        ),
    ],
)
def test_a_mistake_about_schedules_in_a_configuration_is_one_line(changes, message):
    with pytest.raises(config.ConfigError) as error:
        config.load(study(**changes))
    assert str(error.value) == message
