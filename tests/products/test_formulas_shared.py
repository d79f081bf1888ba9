"""Formulas are parsed once for all renderers of a process, and the files do not change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib import _mathtext

# Draws the same figure into each folder of the command line.
DRAW = r"""
import sys
from pathlib import Path
from matplotlib.figure import Figure
from idescent.drawing import formulas
from idescent.drawing.saving import save, styled
def draw(folder):
    with styled():
        figure = Figure()
        figure.subplots().set_title(r"$\alpha^{2} + \beta_1$, text")
        save(figure, [Path(folder, f"figure.{name}") for name in ("pdf", "svg", "png")], "title", "caption")
"""
OWN_CACHE = DRAW + "formulas.share = lambda: None\ndraw(sys.argv[1])\n"


def test_an_equal_figure_parses_no_formula_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    parse = _mathtext.Parser.parse

    def counted(self: _mathtext.Parser, text: str, *rest: object) -> object:
        parsed.append(text)
        return parse(self, text, *rest)

    monkeypatch.setattr(_mathtext.Parser, "parse", counted)
    scope: dict[str, object] = {}
    exec(DRAW, scope)
    draw = scope["draw"]
    counts = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        draw(tmp_path / name)  # type: ignore[operator]
        counts.append(len(parsed))
    assert counts[1] == counts[0]
    own = tmp_path / "own"
    own.mkdir()
    subprocess.run([sys.executable, "-c", OWN_CACHE, str(own)], check=True)
    for name in ("figure.pdf", "figure.svg", "figure.png"):
        contents = {(tmp_path / folder / name).read_bytes() for folder in ("first", "second", "own")}
        assert len(contents) == 1, name


def test_a_figure_parses_a_formula_once_for_its_vector_files(tmp_path: Path) -> None:
    program = DRAW + (
        "from matplotlib import _mathtext\nparse, texts = _mathtext.Parser.parse, []\n"
        "def counted(self, text, fontset, *rest):\n"
        "    texts.append((text, *rest))\n"
        "    return parse(self, text, fontset, *rest)\n"
        "_mathtext.Parser.parse = counted\n"
        "draw(sys.argv[1])\nprint(max(map(texts.count, texts)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True, text=True
    )
    # Once for PDF and SVG at 72 dpi, once for the layout and the PNG.
    assert done.stdout.split() == ["1"]
