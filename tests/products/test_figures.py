"""Figures show the data of the trajectories, all of it, the same way every time."""

import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest
from drawn import build, cell, lines, put, simulate, stand_in

import idescent as ide
from idescent import trajectory
from idescent.products.paths import curves as data
from idescent.products.paths import figure as draw
from idescent.products.paths.spec import parse, required
from idescent.store import trajectories

BASIC = {
    "title": "Title",
    "caption": "A caption with θ.",
    "quantity": "theta",
    "objective": "bowl",
    "select": [{"optimizer": "RMSProp"}],
    "panels": [{"alpha": 0.1}, {"alpha": 0.05, "k_max": 20}],
    "show": ["discrete", "paper.exact"],
    "errors": True,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    root = tmp_path_factory.mktemp("bowl")
    for i, of in enumerate(cell(alpha=alpha, beta=beta) for alpha in (0.1, 0.05) for beta in (0.0, 0.9)):
        run = simulate(of)
        put(root / str(i), of, run, paper_exact=stand_in(run))
    return sorted(root.rglob("*.parquet"))


def find(files, alpha, beta, name):
    for file in files:
        path, metadata = trajectories.read_with_metadata(file)
        of = metadata["cell"]
        if file.stem == name and of["alpha"] == alpha and of["optimizer"]["arguments"]["beta"] == beta:
            return path
    raise AssertionError((alpha, beta, name))


# --- what a figure is -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"panels": [{"alpha": 2.0}]},
            r"figures\.f\.panels\.0\.alpha: 2\.0 is not allowed: must be in \(0, 1\]",
        ),
        ({"panels": []}, r"figures\.f\.panels: \(\) is not allowed|figures\.f\.panels: \[\] is not allowed"),
        ({"colour": "red"}, r"figures\.f\.colour: 'red' is not allowed: Extra inputs are not permitted"),
        ({"show": ["discrete", "discrete"]}, r"figures\.f:.*contains a path twice"),
        ({"show": ["discrete"]}, r"figures\.f:.*show must contain 'discrete' and a solution"),
        ({"lines": {"other": {"line": "dashed"}}}, r"figures\.f:.*lines: 'other' is not allowed"),
        ({"panels": [{"alpha": 0.1, "inset": {"k": [5, 1], "y": [0, 1]}}]}, r"inset: .*low < high"),
        ({"select": [{"beta": 0.9}]}, r"figures\.f\.select\.0\.optimizer: Field required"),
    ],
)
def test_a_wrong_entry_is_one_line_that_names_the_field(change, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse("f", BASIC | change)
    assert "\n" not in str(caught.value)


def test_a_specification_survives_json_with_its_hyperparameters():
    spec = parse("f", BASIC | {"select": [{"optimizer": "Adam", "beta1": 0.9, "beta2": 0.99}]})
    again = parse("f", json.loads(json.dumps(spec.model_dump(mode="json"))))
    assert again == spec
    assert again.select[0].arguments == {"beta1": 0.9, "beta2": 0.99}


def test_a_figure_needs_the_paths_it_shows_of_the_cells_it_selects():
    cells = [cell(alpha=alpha, beta=beta) for beta in (0.0, 0.9) for alpha in (0.05, 0.1)] + [cell("AdaGrad")]
    spec = parse("f", BASIC | {"select": [{"optimizer": "RMSProp", "beta": 0.9}, {"optimizer": "RMSProp"}]})
    wanted = [(0.1, 0.9), (0.1, 0.0), (0.05, 0.9), (0.05, 0.0)]
    found = required(spec, cells)
    assert [
        (of["alpha"], of["optimizer"]["arguments"]["beta"]) for of, name in found if name == "discrete"
    ] == wanted
    assert [name for _, name in found] == ["discrete", "paper.exact"] * 4


def test_a_selection_that_no_cell_matches_is_refused():
    with pytest.raises(
        ValueError, match=r"'RMSProp beta 0\.5' is not allowed: no cell of objective 'bowl' with alpha 0\.1"
    ):
        required(parse("f", BASIC | {"select": [{"optimizer": "RMSProp", "beta": 0.5}]}), [cell(beta=0.9)])


def test_a_panel_beyond_the_horizon_is_refused():
    spec = parse("f", BASIC | {"panels": [{"alpha": 0.1, "k_max": 41}]})
    with pytest.raises(ValueError, match=r"k_max 41 is not allowed: must be at most 40, the steps of a cell"):
        required(spec, [cell(beta=0.9)])


# --- what is drawn ----------------------------------------------------------------------------------------


def test_lines_are_the_solutions_and_markers_rows_of_the_runs(files):
    spec = parse("f", BASIC)
    figure = build(spec, files)
    for ax, alpha, last in zip(figure.axes, (0.1, 0.05), (40, 20), strict=True):
        drawn = lines(ax)
        for beta in (0.0, 0.9):
            stem = f"RMSProp(beta~{beta}):alpha~{alpha}"
            solution, run = (find(files, alpha, beta, name) for name in ("paper.exact", "discrete"))
            expected = np.column_stack([solution.k, solution.theta[:, 0]])[: last + 1]
            np.testing.assert_array_equal(drawn[f"{stem}:paper.exact"], expected)
            marked = drawn[f"{stem}:discrete:markers"]
            k = marked[:, 0].astype(int)
            np.testing.assert_array_equal(marked[:, 1], run.theta[k, 0])
            assert (k[0], k[-1]) == (0, last)
            assert f"{stem}:discrete" not in drawn


def test_a_run_shown_alone_is_a_line_through_every_iteration(files):
    figure = build(parse("f", BASIC | {"show": ["discrete"], "errors": False}), files)
    drawn = lines(figure.axes[0])["RMSProp(beta~0.0):alpha~0.1:discrete"]
    np.testing.assert_array_equal(drawn[:, 1], find(files, 0.1, 0.0, "discrete").theta[:, 0])


@pytest.mark.parametrize("quantity", ["loss", "v"])
def test_other_quantities_are_drawn_as_well(files, quantity):
    figure = build(parse("f", BASIC | {"quantity": quantity}), files)
    drawn = lines(figure.axes[0])["RMSProp(beta~0.9):alpha~0.1:paper.exact"]
    np.testing.assert_array_equal(drawn[:, 1], find(files, 0.1, 0.9, "paper.exact").quantity(quantity)[:, 0])
    assert "minimum" not in lines(figure.axes[0])


def test_a_quantity_that_the_optimizer_does_not_have_is_refused(files):
    with pytest.raises(ValueError, match="'G' is not allowed: the trajectory has theta, loss, v"):
        build(parse("f", BASIC | {"quantity": "G"}), files)


def test_the_minimum_is_that_of_the_objective(files):
    figure = build(parse("f", BASIC), files)
    assert set(lines(figure.axes[0])["minimum"][:, 1]) == {3.0}
    noisy = {"class": "MeanSquaredError.synthetic", "arguments": {"seed": 42}}
    assert data.minimiser(noisy) == pytest.approx(2.0108373, abs=1e-7)
    assert data.minimiser({"class": "Quadratic", "arguments": {"center": [1.0, 2.0]}}) is None


def test_an_inset_marks_every_iteration_of_its_window(files):
    window = {"k": [10, 20], "y": [1.5, 3.5]}
    figure = build(parse("f", BASIC | {"panels": [{"alpha": 0.1, "inset": window}]}), files)
    (inset,) = figure.axes[0].child_axes
    drawn = lines(inset)["RMSProp(beta~0.0):alpha~0.1:discrete"]
    run = find(files, 0.1, 0.0, "discrete")
    np.testing.assert_array_equal(drawn, np.column_stack([run.k, run.theta[:, 0]])[9:22])
    assert inset.get_xlim() == (10, 20)


def test_the_companion_shows_the_distance_without_its_zeros(files):
    spec = parse("f", BASIC)
    figure = build(spec, files, of_errors=True)
    drawn = lines(figure.axes[0])["RMSProp(beta~0.9):alpha~0.1:paper.exact"]
    run, path = (find(files, 0.1, 0.9, name) for name in ("discrete", "paper.exact"))
    expected = np.abs(run.theta[:, 0] - path.theta[:, 0])
    assert expected[0] == 0.0
    np.testing.assert_array_equal(drawn, np.column_stack([run.k, expected])[1:])
    assert figure.axes[0].get_yscale() == "log"
    assert set(lines(figure.axes[0])["estimate"][:, 1]) == {1e-5}


def test_a_curve_below_the_floor_leaves_the_panel_at_a_mark(tmp_path):
    of = cell(steps=3, beta=0.0)
    run = simulate(of)
    path = trajectory.assemble(
        run.theta + np.array([[0.0], [1.0], [1e-14], [1e-3]]),
        run.loss,
        run.moments,
        0.1,
        ide.Report("converged"),
    )
    put(tmp_path / "x", of, run, paper_exact=path)
    spec = parse("f", BASIC | {"panels": [{"alpha": 0.1}]})
    figure = build(spec, sorted(tmp_path.rglob("*.parquet")), of_errors=True)
    drawn = lines(figure.axes[0])["RMSProp(beta~0.0):alpha~0.1:paper.exact"]
    np.testing.assert_allclose(drawn[:, 1], [1.0, 1e-14, 1e-3], rtol=1e-2)
    assert figure.axes[0].get_ylim()[0] == pytest.approx(1e-10)
    marks = lines(figure.axes[0])["RMSProp(beta~0.0):alpha~0.1:paper.exact:clipped"]
    # Straight lines on the logarithmic axis: 10 of 14 decades down, then 4 of 11 up.
    np.testing.assert_allclose(marks, [[1 + 10 / 14, 1e-10], [2 + 4 / 11, 1e-10]], rtol=1e-2)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels.count("continues outside") == 1


def test_limits_of_a_panel_cut_the_curves_visibly_and_draw_no_mark_outside(files):
    spec = parse("f", BASIC | {"panels": [{"alpha": 0.1, "y": [1.5, 2.5]}]})
    figure = build(spec, files)
    (ax,) = figure.axes
    assert ax.get_ylim() == (1.5, 2.5)
    for name, points in lines(ax).items():
        if name.endswith((":markers", ":clipped")):
            assert np.all((points[:, 1] >= 1.5) & (points[:, 1] <= 2.5))
    # One curve crosses both limits: each has marks of its own.
    marks = [line for line in ax.lines if line.get_gid() == "RMSProp(beta~0.9):alpha~0.1:paper.exact:clipped"]
    assert [(line.get_marker(), set(line.get_ydata())) for line in marks] == [("v", {1.5}), ("^", {2.5})]


@pytest.mark.parametrize("y", [[2.0, 1.0], [1.0, 1.0]])
def test_limits_that_do_not_increase_are_refused(y):
    with pytest.raises(ValueError, match=r"figures\.f\.panels\.0:.*must be \[low, high\] with low < high"):
        parse("f", BASIC | {"panels": [{"alpha": 0.1, "y": y}]})


def test_curves_of_errors_carry_a_few_markers_of_their_configuration_for_print_in_grey(files):
    figure = build(parse("f", BASIC), files, of_errors=True)
    drawn = [line for line in figure.axes[0].lines if ":" in (line.get_gid() or "")]
    markers = {line.get_gid().partition(":")[0]: line.get_marker() for line in drawn}
    assert len(set(markers.values())) == len(markers) > 1
    for line in drawn:
        at = line.get_markevery()
        assert 3 <= len(at) <= 7
        assert at == sorted(set(at))
        assert 0 <= at[0] < at[-1] < len(line.get_xdata())
    assert len({tuple(line.get_markevery()) for line in drawn}) == len(drawn)
    (legend,) = figure.legends[:1]
    assert [entry.get_marker() for entry in legend.legend_handles][: len(markers)] == list(markers.values())


def test_a_memory_that_starts_just_off_zero_leaves_no_trace_at_the_start_of_the_companion(tmp_path):
    of = cell(steps=3, beta=0.9)
    run = simulate(of)
    moments = {"v": run.moments["v"] + np.array([[1e-12], [1e-2], [1e-3], [1e-4]])}
    put(
        tmp_path / "x",
        of,
        run,
        paper_exact=trajectory.assemble(run.theta, run.loss, moments, 0.1, ide.Report("converged")),
    )
    spec = parse("f", BASIC | {"quantity": "v", "panels": [{"alpha": 0.1}]})
    figure = build(spec, sorted(tmp_path.rglob("*.parquet")), of_errors=True)
    drawn = lines(figure.axes[0])["RMSProp(beta~0.9):alpha~0.1:paper.exact"]
    np.testing.assert_allclose(drawn, [[1, 1e-2], [2, 1e-3], [3, 1e-4]], rtol=1e-9)
    assert figure.axes[0].get_ylim()[0] > 1e-5


def test_an_equal_path_gives_an_empty_companion_and_not_an_error(tmp_path):
    of = cell(steps=3, beta=0.0)
    run = simulate(of)
    put(tmp_path / "x", of, run, paper_exact=run)
    spec = parse("f", BASIC | {"panels": [{"alpha": 0.1}]})
    draw.render_errors(spec, tmp_path.rglob("*.parquet"), [tmp_path / "f_errors.svg"])
    assert (tmp_path / "f_errors.svg").stat().st_size > 0


def test_vectors_are_drawn_by_their_length(tmp_path):
    of = cell(steps=5, beta=0.9) | {"theta0": [1.0, -2.0]}
    run = simulate(of)
    put(tmp_path / "x", of, run, paper_exact=stand_in(run))
    spec = parse("f", BASIC | {"panels": [{"alpha": 0.1}]})
    figure = build(spec, sorted(tmp_path.rglob("*.parquet")))
    drawn = lines(figure.axes[0])["RMSProp(beta~0.9):alpha~0.1:paper.exact"]
    np.testing.assert_allclose(drawn[:, 1], np.hypot(*stand_in(run).theta.T), rtol=1e-15)
    assert "Vert" in figure.axes[0].get_ylabel()
    assert "minimum" not in lines(figure.axes[0])


def notes_of(figure):
    """The marks behind the labels of the legend, and the notes below the panels by their mark."""
    labels = [entry.get_text() for legend in figure.legends for entry in legend.get_texts()]
    marks = {label: set(re.findall("[†‡§¶]", label)) for label in labels}
    notes = {}
    for ax in figure.axes:
        (text,) = (text.get_text() for text in ax.texts if text.get_gid() == "notes")
        notes |= {line[0]: (ax.get_title(), line[2:]) for line in text.splitlines()}
        assert all(mark in ax.get_title() for mark in (line[0] for line in text.splitlines()))
    return {label: found for label, found in marks.items() if found}, notes


def test_a_solution_that_did_not_converge_and_a_run_that_diverged_are_marked_and_noted(tmp_path):
    of, other = cell(steps=5, beta=0.9), cell(steps=5, beta=0.0)
    run = simulate(of)
    theta = np.where(run.k[:, None] < 4, run.theta, math.nan)
    broken = trajectory.assemble(theta, run.loss, run.moments, 0.1, ide.Report("diverged", diverged_at=4))
    put(tmp_path / "x", of, broken, paper_exact=stand_in(run, status="not converged"))
    put(tmp_path / "y", other, run, paper_exact=stand_in(run))
    spec = parse("f", BASIC | {"panels": [{"alpha": 0.1}]})
    figure = build(spec, sorted(tmp_path.rglob("*.parquet")))
    marks, notes = notes_of(figure)
    (label,) = marks
    assert r"$\beta$ = 0.9" in label
    assert {notes[mark][1] for mark in marks[label]} == {
        "discrete: diverged at k = 4",
        "IDE, exact: did not converge",
    }
    assert len(notes) == 2
    assert lines(figure.axes[0])["RMSProp(beta~0.9):alpha~0.1:discrete:markers"][-1, 0] == 3


def test_configurations_that_failed_alike_share_a_mark_and_those_that_did_not_have_none(tmp_path):
    for i, (alpha, beta, status) in enumerate(
        [
            (0.1, 0.0, "smoothing exhausted"),
            (0.1, 0.9, "smoothing exhausted"),
            (0.1, 0.99, "converged"),
            (0.05, 0.0, "smoothing exhausted"),
            (0.05, 0.9, "converged"),
            (0.05, 0.99, "converged"),
        ]
    ):
        of = cell(alpha=alpha, beta=beta)
        run = simulate(of)
        put(tmp_path / str(i), of, run, paper_exact=stand_in(run), paper_picard=stand_in(run, status=status))
    spec = parse("f", BASIC | {"show": ["discrete", "paper.picard", "paper.exact"]})
    files = sorted(tmp_path.rglob("*.parquet"))
    for figure in (build(spec, files), build(spec, files, of_errors=True)):
        marks, notes = notes_of(figure)
        assert [note for _, note in notes.values()] == ["IDE, Algorithm 4: did not converge"] * 2
        (one,) = (mark for mark, (title, _) in notes.items() if "0.1" in title)
        assert {re.search(r"beta\$ = ([\d.]+)", label)[1]: found for label, found in marks.items()} == {
            "0": set(notes),
            "0.9": {one},
        }


def test_a_second_solution_is_drawn_thin_and_in_the_style_that_is_asked_for(tmp_path):
    of = cell(steps=5, beta=0.9)
    run = simulate(of)
    put(tmp_path / "x", of, run, paper_exact=stand_in(run), paper_picard=stand_in(run))
    change = {"show": ["discrete", "paper.picard", "paper.exact"], "panels": [{"alpha": 0.1}]}
    spec = parse("f", BASIC | change | {"lines": {"paper.exact": {"line": "dotted", "width": 0.5}}})
    figure = build(spec, sorted(tmp_path.rglob("*.parquet")))
    drawn = {line.get_gid().rpartition(":")[2]: line for line in figure.axes[0].lines}
    assert (drawn["paper.picard"].get_linestyle(), drawn["paper.exact"].get_linestyle()) == ("-", ":")
    assert drawn["paper.exact"].get_linewidth() == 0.5 < drawn["paper.picard"].get_linewidth()


def test_a_missing_path_is_refused_and_nothing_is_written(files, tmp_path):
    runs = [file for file in files if file.stem == "discrete"]
    with pytest.raises(ValueError, match=r"show: no file contains 'paper\.exact' of .* with alpha"):
        draw.render(parse("f", BASIC), runs, [tmp_path / "f.pdf"])
    with pytest.raises(ValueError, match=r"'\.jpg' is not allowed: must be one of \.pdf, \.svg, \.png"):
        draw.render(parse("f", BASIC), files, [tmp_path / "f.pdf", tmp_path / "f.jpg"])
    assert list(tmp_path.iterdir()) == []


# --- files ------------------------------------------------------------------------------------------------


def test_a_second_rendering_has_the_same_bytes(files, tmp_path):
    found = []
    for attempt in ("first", "second"):
        (tmp_path / attempt).mkdir()
        outputs = [tmp_path / attempt / f"f{suffix}" for suffix in (".pdf", ".svg", ".png")]
        companions = [output.with_stem("f_errors") for output in outputs]
        draw.render(parse("f", BASIC), files, outputs)
        draw.render_errors(parse("f", BASIC), reversed(files), companions)
        found.append([output.read_bytes() for output in outputs + companions])
    assert found[0] == found[1]


def test_the_users_matplotlibrc_changes_nothing(files, tmp_path):
    import matplotlib

    draw.render(parse("f", BASIC), files, [tmp_path / "a.svg"])
    with matplotlib.rc_context({"lines.linewidth": 9.0, "font.size": 30.0, "axes.grid": True}):
        draw.render(parse("f", BASIC), files, [tmp_path / "b.svg"])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_files_carry_title_and_caption_but_no_date(files, tmp_path):
    outputs = [tmp_path / f"f{suffix}" for suffix in (".pdf", ".svg", ".png")]
    draw.render(parse("f", BASIC), files, outputs)
    pdf, svg, png = (output.read_bytes() for output in outputs)
    assert b"CreationDate" not in pdf
    assert b"<dc:date>" not in svg
    assert BASIC["caption"].encode() in svg
    assert BASIC["caption"].encode() in png
    assert b"/Title (Title)" in pdf


def test_fonts_are_embedded_in_the_pdf_as_truetype(files, tmp_path):
    draw.render(parse("f", BASIC), files, [tmp_path / "f.pdf"])
    pdf = (tmp_path / "f.pdf").read_bytes()
    assert b"/FontFile2" in pdf
    assert b"/Subtype /Type3" not in pdf


def test_drawing_does_not_load_pyplot_or_pandas(files, tmp_path):
    code = (
        "import sys, json; from idescent import figures; from idescent.products.paths.spec import parse\n"
        "figures.render(parse('f', json.loads(sys.argv[1])), sys.argv[3:], [sys.argv[2]])\n"
        "print(json.dumps(sorted({'pandas', 'matplotlib.pyplot', 'seaborn', 'scipy'} & set(sys.modules))))"
    )
    arguments = [sys.executable, "-c", code, json.dumps(BASIC), str(tmp_path / "f.svg"), *map(str, files)]
    assert json.loads(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout) == []
