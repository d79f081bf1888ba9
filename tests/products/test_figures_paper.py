"""Figures of the paper: every curve is there and can be told from the others, in any sight."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from drawn import VISION, build, lab, lines, put, simulate, stand_in
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from idescent.config import load
from idescent.drawing import style
from idescent.products.paths import curves as data
from idescent.products.paths.spec import parse

CONFIG = Path(__file__).parents[2] / "config" / "config.yaml"
FIGURES = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["figures"]


# --- thinning ---------------------------------------------------------------------------------------------


@given(arrays(float, st.integers(1, 300), elements=st.floats(-1e3, 1e3)), st.integers(16, 64))
def test_thinning_keeps_ends_and_extremes_and_no_more_than_is_asked_for(y, most):
    rows = data.thinned(y, most)
    assert len(rows) <= most
    assert np.all(np.diff(rows) > 0)
    assert (rows[0], rows[-1]) == (0, len(y) - 1)
    assert (y[rows].min(), y[rows].max()) == (y.min(), y.max())


def test_thinning_keeps_the_envelope_of_an_oscillation_everywhere():
    k = np.arange(200_001)
    y = np.exp(-k / 5e4) * np.where(k % 2, 1.0, -1.0)
    rows = data.thinned(y)
    assert len(rows) <= 2000
    for a in range(0, 200_000, 1000):
        here = rows[(rows >= a) & (rows < a + 1000)]
        assert y[here].max() >= 0.98 * y[a : a + 1000].max()
        assert y[here].min() <= 0.98 * y[a : a + 1000].min()


@given(arrays(float, st.integers(1, 200), elements=st.floats(-1e3, 1e3)), st.floats(0, 0.99))
def test_markers_are_few_and_include_first_and_last(y, shift):
    rows = data.spaced(np.arange(len(y), dtype=float), y, 24, shift)
    assert (rows[0], rows[-1]) == (0, len(y) - 1)
    assert np.all(np.diff(rows) > 0)
    assert len(rows) <= 25


# --- colours ----------------------------------------------------------------------------------------------


def paper_groups():
    """The configurations that share a figure of the paper."""
    study = load(yaml.safe_load(CONFIG.read_text(encoding="utf-8")))
    groups = []
    for figure in study.settings["figures"].values():
        group = {json.dumps(of.optimizer): of.optimizer for of in figure.cells}
        groups.append(list(group.values()))
    return groups


@pytest.mark.parametrize("vision", VISION)
def test_colours_that_share_a_figure_are_told_apart(vision):
    for group in paper_groups():
        for i, one in enumerate(group):
            for other in group[:i]:
                distance = np.linalg.norm(lab(style.look(one)[0], vision) - lab(style.look(other)[0], vision))
                assert distance > 15, (one, other, distance)


def test_markers_that_share_a_figure_differ():
    for group in paper_groups():
        assert len({style.look(optimizer)[1] for optimizer in group}) == len(group)


def test_every_configuration_of_the_paper_has_a_colour_of_its_own():
    everything = {json.dumps(optimizer): optimizer for group in paper_groups() for optimizer in group}
    assert len(everything) == 9
    assert len({style.look(optimizer)[0] for optimizer in everything.values()}) == 9


def test_an_unknown_configuration_gets_a_look_that_depends_on_it_alone():
    one = {"class": "AdamW", "arguments": {"beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1}}
    other = {"class": "AdamW", "arguments": {"beta1": 0.9, "beta2": 0.99, "weight_decay": 0.2}}
    reordered = {"arguments": dict(reversed(one["arguments"].items())), "class": "AdamW"}
    assert style.look(one) == style.look(reordered)
    assert style.look(one)[0] != style.look(other)[0]
    assert re.fullmatch("#[0-9A-F]{6}", style.look(one)[0])


def test_a_known_configuration_with_a_further_argument_has_another_colour():
    plain = {"class": "RMSProp", "arguments": {"beta": 0.9}}
    assert style.look(plain) != style.look({"class": "RMSProp", "arguments": {"beta": 0.9, "eps": 0.1}})


# --- the paper --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    """Runs of every cell of the paper, with stand-ins for the solutions, some of which did not converge."""
    root = tmp_path_factory.mktemp("paper")
    study = load(yaml.safe_load(CONFIG.read_text(encoding="utf-8")))
    for of in study.cells:
        run = simulate(of.spec())
        failed = of.alpha == 0.01 and of.optimizer["class"] == "RMSProp"
        scheme = stand_in(run, status="smoothing exhausted" if failed else "converged")
        paths = {"paper.exact": stand_in(run), "paper.picard": scheme, "half-step": stand_in(run)}
        solutions = {name: path for name, path in paths.items() if name in of.solutions}
        put(root / of.folder, of.spec(), run, **solutions)
    return root, study


def test_the_paper_has_sixteen_figures_and_seven_companions():
    study = load(yaml.safe_load(CONFIG.read_text(encoding="utf-8")))
    stems = [stem for figure in study.settings["figures"].values() for stem in figure.stems]
    expected = {f"figure_{i:02d}" for i in range(1, 17)} | {f"figure_{i:02d}_errors" for i in range(8, 15)}
    assert set(stems) == expected


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_of_the_paper_draws_all_its_curves_and_covers_none(name, paper, tmp_path):
    root, study = paper
    figure = study.settings["figures"][name]
    spec = parse(name, figure.spec)
    inputs = [root / file for file in figure.inputs]
    solved = [name for _, name in figure.shown if name != "discrete"]
    built = [build(spec, inputs)]
    if spec.errors:
        built.append(build(spec, inputs, of_errors=True))
    for drawing, shown in zip(built, (figure.shown, solved), strict=False):
        drawing.draw_without_rendering()
        assert len(drawing.axes) == 2
        count = 0
        for ax in drawing.axes:
            gids = [line.get_gid() for line in ax.lines if ":" in (line.get_gid() or "")]
            solutions = [gid for gid in gids if gid.endswith(spec.solutions)] if spec.solutions else []
            runs = [gid for gid in gids if gid.endswith("discrete:markers")]
            count += len(solutions) + len(runs)
            for legend in drawing.legends:
                assert not legend.get_window_extent().overlaps(ax.get_tightbbox())
            for line in ax.lines:
                assert len(line.get_xdata()) <= data.MOST_POINTS
        assert count == len(shown)
        # Only the panel of the smaller rate has failed solutions, and its note covers no label.
        failed = bool(solved) and any("RMSProp" in of.folder for of in figure.cells)
        notes = [[text for text in ax.texts if text.get_gid() == "notes"] for ax in drawing.axes]
        assert [len(texts) for texts in notes] == [0, int(failed)]
        assert ["†" in ax.get_title() for ax in drawing.axes] == [False, failed]
        for note in notes[1]:
            assert "did not converge" in note.get_text()
            ax = drawing.axes[1]
            for label in (ax.xaxis.label, *ax.get_xticklabels()):
                assert not note.get_window_extent().overlaps(label.get_window_extent())
        (legend,) = drawing.legends
        texts = [text.get_text() for text in legend.get_texts() if text.get_text().strip()]
        assert len(set(texts)) == len(texts)
        boxes = [legend.get_window_extent(), *(note.get_window_extent() for note in notes[1])]
        for box in boxes:
            assert box.x0 >= 0
            assert box.x1 <= drawing.bbox.x1
            assert box.y0 >= 0
            assert box.y1 <= drawing.bbox.y1


def test_the_companions_of_the_paper_show_algorithm_4_and_the_exact_solution_apart(paper):
    root, study = paper
    figure = study.settings["figures"]["figure_12"]
    inputs = [root / file for file in figure.inputs]
    spec = parse("figure_12", figure.spec)
    assert spec.show == ("discrete", "paper.picard", "paper.exact", "half-step")
    for drawing in (build(spec, inputs), build(spec, inputs, of_errors=True)):
        drawn = {line.get_gid(): line for line in drawing.axes[0].lines}
        stem = "Adam(beta1~0.9,beta2~0.99):alpha~0.1"
        picard, exact, half_step = (drawn[f"{stem}:{name}"] for name in spec.solutions)
        looks = [(line.get_linestyle(), line.get_linewidth()) for line in (picard, exact, half_step)]
        assert [kind for kind, _ in looks] == ["-", "--", ":"]
        assert looks[0][1] > 2.0 * looks[1][1]
        # They differ in lightness, too, by much more than the eye needs.
        light = [lab(line.get_color(), "full colour")[0] for line in (picard, exact, half_step)]
        assert light[0] > light[1] + 15 > light[2] + 25
        labels = [text.get_text() for legend in drawing.legends for text in legend.get_texts()]
        assert {"IDE, Algorithm 4", "IDE, exact", "half-step"} <= set(labels)
    drawn = {line.get_gid(): line for line in build(spec, inputs).axes[0].lines}
    assert drawn[f"{stem}:paper.exact"].get_linewidth() < drawn[f"{stem}:paper.picard"].get_linewidth()


def test_the_sign_of_every_oscillation_of_rmsprop_without_memory_can_be_seen(paper):
    root, study = paper
    figure = study.settings["figures"]["figure_03"]
    inputs = [root / file for file in figure.inputs]
    built = build(parse("figure_03", figure.spec), inputs)
    for ax, alpha in zip(built.axes, (0.1, 0.01), strict=True):
        (inset,) = ax.child_axes
        _, theta = lines(inset)[f"RMSProp(beta~0.0):alpha~{alpha}:discrete"].T
        crossings = np.count_nonzero(np.diff(np.sign(theta - 4.0)))
        assert crossings > 20
        low, high = inset.get_ylim()
        late = theta[len(theta) // 2 :]
        assert low < late.min() < late.max() < high
        assert np.ptp(late) > 0.1 * (high - low)


@pytest.mark.parametrize(("one", "other"), [(1, 8), (2, 9), (3, 10), (4, 11), (5, 12), (6, 13), (7, 14)])
def test_figures_that_readers_compare_have_the_same_axes_and_ticks_and_cut_nothing(one, other, paper):
    root, study = paper
    built = []
    for number in (one, other):
        figure = study.settings["figures"][f"figure_{number:02d}"]
        spec = parse("f", figure.spec)
        built.append(build(spec, [root / file for file in figure.inputs]))
        built[-1].draw_without_rendering()
        for ax in built[-1].axes:
            assert not any((line.get_gid() or "").endswith(":clipped") for line in ax.lines)
    for ax, same in zip(built[0].axes, built[1].axes, strict=True):
        assert (ax.get_xlim(), ax.get_ylim()) == (same.get_xlim(), same.get_ylim())
        for axis in ("xaxis", "yaxis"):
            ticks = [getattr(each, axis).get_majorticklocs().tolist() for each in (ax, same)]
            assert ticks[0] == ticks[1]


@pytest.mark.parametrize("name", ["figure_03", "figure_10"])
def test_insets_cover_no_data(name, paper):
    root, study = paper
    figure = study.settings["figures"][name]
    built = build(parse(name, figure.spec), [root / file for file in figure.inputs])
    built.draw_without_rendering()
    for ax in built.axes:
        (inset,) = ax.child_axes
        box = inset.get_tightbbox()
        for gid, points in lines(ax).items():
            if ":" in gid:
                # Points between the drawn ones, too: the lines are straight.
                x, y = ax.transData.transform(points).T
                u = np.arange(len(x))
                fine = np.linspace(0, len(x) - 1, 20 * len(x))
                x, y = np.interp(fine, u, x), np.interp(fine, u, y)
                assert not np.any((x > box.x0) & (x < box.x1) & (y > box.y0) & (y < box.y1)), gid


def test_the_half_step_model_is_in_every_figure_of_models_and_their_companions(paper):
    _, study = paper
    for number in range(8, 17):
        figure = study.settings["figures"][f"figure_{number:02d}"]
        with_it = {cell.folder for cell, name in figure.shown if name == "half-step"}
        # Sign descent (RMSProp with beta 0) has no half-step model.
        assert with_it == {cell.folder for cell in figure.cells if "beta~0.0" not in cell.folder}
        assert with_it
