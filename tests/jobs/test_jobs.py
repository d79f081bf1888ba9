"""The workflow's own commands: what is said when a log cannot be written."""

import pytest
from job_words import job_words

from idescent.cli import main


@pytest.fixture
def words(tmp_path):
    cell = {
        "folder": "q/AdaGrad/a",
        "optimizer": {"class": "AdaGrad"},
        "alpha": 0.1,
        "theta0": [1.0],
        "steps": 5,
    }
    pack = {"objective": {"name": "q", "class": "Quadratic"}, "cells": [cell]}
    output = tmp_path / "packs/q/AdaGrad/all/made.json"
    output.parent.mkdir(parents=True)
    return job_words("simulate", tmp_path, [output], given=pack)


def test_a_log_for_which_the_disk_has_no_room_is_said_in_one_line(words, capsys):
    assert main([*words, "--log", "/dev/full"]) == 1
    assert capsys.readouterr().err == "simulate: q AdaGrad a: [Errno 28] No space left on device\n"


def test_a_log_that_cannot_be_opened_is_said_in_one_line(words, tmp_path, capsys):
    (tmp_path / "logs").touch()
    assert main([*words, "--log", str(tmp_path / "logs/simulate.log")]) == 1
    err = capsys.readouterr().err
    assert err.startswith("simulate: q AdaGrad a: ")
    assert err.count("\n") == 1
    assert str(tmp_path / "logs") in err


def test_a_mistake_in_the_code_is_raised_though_its_log_cannot_be_written(words, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("in a model")

    monkeypatch.setattr("idescent.jobs.pack.run", broken)
    with pytest.raises(ZeroDivisionError, match="in a model"):
        main([*words, "--log", "/dev/full"])
