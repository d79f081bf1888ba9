"""``idescent show`` of what cannot be drawn: the reason, and no file."""

from __future__ import annotations

from pathlib import Path

import pytest
from calling import call

VALLEY = """
import numpy as np

class Valley:
    def value(self, theta):
        return (theta**2 - 9.0).sum(axis=-1)

    def gradient(self, theta):
        return 2.0 * theta
"""


@pytest.fixture
def valley(tmp_path: Path) -> Path:
    """A folder with an objective whose loss is negative below 3."""
    (tmp_path / "valley.py").write_text(VALLEY, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--theta0", "2", "--quantity", "loss", "--log"], "no positive value to draw on a logarithmic axis"),
        (["--theta0", "0", "--model", "Paper", "--errors"], "all errors are zero"),
    ],
)
def test_where_nothing_can_be_drawn_the_reason_is_printed_and_no_file_written(
    words: list[str], reason: str, valley: Path
) -> None:
    given = ["--objective", "valley:Valley", "--alpha", "0.1", "--steps", "10", "--output", "x.svg"]
    done = call("show", "RMSProp", *given, *words, cwd=valley)
    assert done.returncode == 1
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (valley / "x.svg").exists()


def test_what_is_left_out_of_a_curve_is_printed(valley: Path) -> None:
    given = ["--objective", "valley:Valley", "--alpha", "0.5", "--steps", "10", "--theta0", "4"]
    done = call("show", "RMSProp", *given, "--quantity", "loss", "--log", "--output", "x.svg", cwd=valley)
    assert done.returncode == 0, done.stderr
    assert "1 curves; not drawn: " in done.stdout
    assert "negative" in done.stdout
    assert "Not drawn: " in (valley / "x.svg").read_text(encoding="utf-8")
