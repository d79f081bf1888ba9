"""A folder with classes of one's own, in which commands are called."""

import sys

import pytest

MINE = """
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from idescent import Adam, models


class Bowl:
    def __init__(self, center=4.0):
        self.center = center

    def value(self, theta):
        return ((theta - self.center) ** 2).sum(axis=-1)

    def gradient(self, theta):
        return 2.0 * (theta - self.center)


class Endless(Bowl):
    def gradient(self, theta):
        Path("started").touch()
        return super().gradient(theta)


class Broken(Bowl):
    def __init__(self):
        raise KeyError("weights")


class MyAdam(Adam):
    pass


class MyModel(models.Paper):
    pass
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder, but for a module of the user's own."""
    (tmp_path / "mine_cli.py").write_text(MINE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine_cli", raising=False)
    return tmp_path
