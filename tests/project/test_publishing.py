"""Figures to publish: fonts that are embedded, widths of columns, lines that differ without their colours."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest
from drawn import lab
from matplotlib.figure import Figure

from idescent.drawing import style
from idescent.drawing.looks import LOOKS, model_look
from idescent.drawing.saving import save, styled
from idescent.products.scaling import figure as scaling


@pytest.mark.parametrize("width", sorted(style.WIDTHS))
def test_a_pdf_embeds_its_fonts_as_truetype_and_has_the_width_of_its_columns(
    tmp_path: Path, width: str
) -> None:
    with styled():
        figure = Figure(figsize=(style.WIDTHS[width], 2.0))
        figure.subplots().set(xlabel=r"$\alpha$", ylabel="error", title="Title")
        save(figure, [tmp_path / "figure.pdf"], "title", "caption")
    data = (tmp_path / "figure.pdf").read_bytes()
    assert (
        len(re.findall(rb"/FontFile2 \d+ 0 R", data)) >= len(re.findall(rb"/Type /FontDescriptor", data)) > 0
    )
    assert b"/Type3" not in data
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ", data)
    assert box is not None
    assert float(box[1]) == pytest.approx(72.0 * style.WIDTHS[width], abs=1.0)


def test_models_differ_in_marker_or_line_or_lightness_without_colour() -> None:
    for one, other in combinations(LOOKS.values(), 2):
        lightness = abs(lab(one[0], "full colour")[0] - lab(other[0], "full colour")[0])
        assert one[1] != other[1] or one[3] != other[3] or lightness > 20.0


def test_a_model_has_the_same_colour_wherever_it_is_drawn() -> None:
    from idescent.products.ensembles import figure as ensembles
    from idescent.products.fidelity import figure as fidelity

    assert ensembles.model_look is fidelity.model_look is scaling.model_look is model_look
    assert not set(ensembles._LOOKS) & set(LOOKS)
    colours = [look[0] for look in (*LOOKS.values(), *ensembles._LOOKS.values())]
    assert len(set(colours)) == len(colours)
