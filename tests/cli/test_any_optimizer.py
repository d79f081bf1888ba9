"""A declared optimizer on the command line and in a configuration gives what it gives in Python."""

import shutil
from pathlib import Path

import numpy as np
import yaml
from declared_optimizers import NAdam

import idescent as ide
from idescent import cli
from idescent.store import trajectories
from idescent.study import registry

HERE = Path(__file__).parents[1] / "helpers"


def test_the_command_line_takes_any_hyper_parameter(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(HERE / "declared_optimizers.py", tmp_path / "mine_cli_declared.py")
    words = "simulate mine_cli_declared:NAdam --beta1 0.8 --optimizer-set psi=0.01 --alpha 0.05 --steps 30"
    assert cli.main([*words.split(), "--output", "run.parquet"]) == 0
    expected = ide.simulate(NAdam(beta1=0.8, psi=0.01), ide.Quadratic(), alpha=0.05, theta0=1.0, steps=30)
    found = trajectories.read(tmp_path / "run.parquet")
    for name in ("theta", "loss", "m", "v"):
        assert found.quantity(name).tobytes() == expected.quantity(name).tobytes(), name


def test_a_hyper_parameter_that_there_is_not_is_refused(capsys):
    words = "simulate declared_optimizers:NAdam --optimizer-set phi=0.01"
    assert cli.main(words.split()) == 1
    said = capsys.readouterr().err
    assert "phi" in said
    assert "psi" in said
    assert said.count("\n") == 1


def test_a_configuration_runs_it(tmp_path, monkeypatch):
    from idescent.config import load
    from idescent.study.documents import read

    monkeypatch.chdir(tmp_path)
    shutil.copy(HERE / "declared_optimizers.py", tmp_path / "mine_study_declared.py")
    study = {
        "study": "own",
        "solutions": {},
        "objectives": {"bowl": {"class": "Quadratic", "arguments": {"center": 4.0}}},
        "runs": [
            {
                "objective": "bowl",
                "optimizer": "mine_study_declared:NAdam",
                "theta0": 1.0,
                "hyperparameters": {"beta1": [0.8, 0.9], "psi": 0.01},
                "alpha": 0.05,
                "steps": 30,
            }
        ],
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    cells = load(read("own.yaml")).cells
    assert [cell.optimizer["arguments"] for cell in cells] == [
        {"beta1": beta1, "psi": 0.01} for beta1 in (0.8, 0.9)
    ]
    for cell in cells:
        built = registry.optimizer(cell.optimizer)
        run = ide.simulate(built, ide.Quadratic(4.0), alpha=0.05, theta0=1.0, steps=30)
        expected = ide.simulate(
            NAdam(**cell.optimizer["arguments"]), ide.Quadratic(4.0), alpha=0.05, theta0=1.0, steps=30
        )
        np.testing.assert_array_equal(run.theta, expected.theta)
