"""The data of the report's explorer: the numbers of the files, thinned without losing a peak."""

import drawn
import numpy as np
import pytest
import reported
import yaml
from hypothesis import given
from hypothesis import strategies as st
from projects import ROOT

from idescent.analysis.errors import compare, distance
from idescent.config import load
from idescent.drawing import style
from idescent.drawing.looks import model_look
from idescent.products.report import explorer
from idescent.products.report.selection import selected
from idescent.store.trajectories import read, read_with_metadata, write
from idescent.study.cells import Cell
from idescent.trajectory import assemble


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return reported.page(tmp_path_factory.mktemp("report") / "small")


@pytest.fixture(scope="module")
def text(made):
    return made.read_text(encoding="utf-8")


def test_the_explorer_shows_the_numbers_of_the_files_rounded(made, text):
    data = reported.data_of(text)
    assert len(data["cells"]) == 5
    for cell in data["cells"]:
        paths = {name: read(made.parent / path["file"]) for name, path in cell["paths"].items()}
        for quantity, view in cell["views"].items():
            rows = np.array(data["grids"][cell["grid"]][quantity])
            for name, values in view["value"].items():
                expected = paths[name].quantity(quantity)[rows, 0]
                assert values == [float(f"{x:.7g}") for x in expected]
            for name, values in view["error"].items():
                expected = distance(paths["discrete"], paths[name], quantity)[rows]
                assert values == [float(f"{x:.7g}") for x in expected]


def test_a_long_run_is_thinned_and_keeps_its_ends_and_its_largest_error(made, text):
    data = reported.data_of(text)
    (cell,) = [cell for cell in data["cells"] if cell["steps"] == reported.LONG]
    paths = {name: read(made.parent / path["file"]) for name, path in cell["paths"].items()}
    for quantity, view in cell["views"].items():
        rows = data["grids"][cell["grid"]][quantity]
        assert rows[0] == 0
        assert rows[-1] == reported.LONG
        assert 400 < len(rows) <= 1.1 * data["rows"]
        for name, values in view["error"].items():
            # The table's sup is over all iterations: the thinned curve attains it, at the same one.
            full = compare(paths["discrete"], paths[name])
            assert max(values) == float(f"{full.sup[quantity]:.7g}")
            assert full.at[quantity] in rows
    others = [cell for cell in data["cells"] if cell["steps"] < data["rows"]]
    for cell in others:
        assert data["grids"][cell["grid"]]["theta"] == list(range(cell["steps"] + 1))


@given(
    st.lists(st.integers(0, 10_000), min_size=1, max_size=4),
    st.integers(100, 5000),
    st.integers(64, 800),
)
def test_thinning_loses_no_peak(seeds, length, most):
    curves = [np.random.default_rng(seed).normal(size=length) for seed in seeds]
    rows = explorer.kept_rows(curves, curves, most)
    assert (np.diff(rows) > 0).all()
    assert rows[0] == 0
    assert rows[-1] == length - 1
    assert len(rows) <= most + 2 + len(curves)
    for curve in curves:
        assert {int(np.argmax(curve)), int(np.argmin(curve))} <= set(rows.tolist())
    if length <= most:
        assert len(rows) == length


def test_what_diverged_is_empty_and_hides_no_peak():
    curve = np.array([1.0, 9.0, 2.0, np.inf, np.nan] + [np.nan] * 1000)
    assert {0, 1, 1004} <= set(explorer.kept_rows([curve], [curve], 100).tolist())
    assert explorer.rounded(curve[:5]) == [1.0, 9.0, 2.0, None, None]


def test_paths_stored_on_different_iterations_are_shown_on_those_in_common(tmp_path):
    cell = drawn.cell("AdaGrad", alpha=0.05, steps=20)
    files = reported.put(tmp_path, cell)
    run = read(files[0])
    for file, every in zip(files, (2, 3, 1), strict=True):
        trajectory, said = read_with_metadata(file)
        kept = np.union1d(np.arange(0, 21, every), [20])
        write(file, trajectory.rows(kept), said["cell"], said["provenance"])
    data = reported.merged(*explorer.gather(files, tmp_path))
    k = data["grids"][0]["theta"]
    assert k == [0, 6, 12, 18, 20]
    assert data["cells"][0]["views"]["theta"]["value"]["discrete"] == [
        float(f"{run.theta[i, 0]:.7g}") for i in k
    ]


def test_many_long_runs_together_stay_within_the_bound_and_keep_their_largest_errors(tmp_path, monkeypatch):
    monkeypatch.setattr(explorer, "MOST_ROWS", 80)
    monkeypatch.setattr(explorer, "LEAST_ROWS", 80)
    cells = [drawn.cell("RMSProp", steps=400, beta=0.5 + i / 20) for i in range(8)]
    files = {i: reported.put(tmp_path, cell) for i, cell in enumerate(cells)}
    data = reported.merged(*explorer.gather([file for own in files.values() for file in own], tmp_path))
    for cell, own in zip(data["cells"], files.values(), strict=True):
        run, exact = read(own[0]), read(own[1])
        for quantity, view in cell["views"].items():
            k = data["grids"][cell["grid"]][quantity]
            assert len(k) <= 1.5 * 80
            assert {0, 400, compare(run, exact).at[quantity]} <= set(k)
            assert max(view["error"]["paper.exact"]) == float(f"{compare(run, exact).sup[quantity]:.7g}")
    common = set.intersection(*(set(data["grids"][cell["grid"]]["theta"]) for cell in data["cells"]))
    assert len(common) >= 30


def test_each_file_is_read_once_and_each_plot_is_a_block(tmp_path):
    cells = [drawn.cell("RMSProp", steps=9, beta=beta) for beta in (0.5, 0.9)]
    cells += [drawn.cell("AdaGrad", alpha=alpha, steps=9) for alpha in (0.05, 5e-5)]
    files = [file for cell in cells for file in reported.put(tmp_path, cell)]
    reads, reader = [], explorer.Reader()

    def read(file):
        reads.append(file)
        return reader(file)

    index, blocks = explorer.gather(files, tmp_path, read=read)
    assert reads == files
    assert list(reader.metadata) == files
    assert [plot["block"] for plot in index["plots"]] == list(blocks)
    named = [[plot[name] for name in reported.PLOT] for plot in index["plots"]]
    assert named == [["bowl", "RMSProp", 0.1], ["bowl", "AdaGrad", 0.05], ["bowl", "AdaGrad", 5e-5]]
    assert [len(reported.unpacked(block)["cells"]) for block in blocks.values()] == [2, 1, 1]


def vector(width, steps=6):
    theta = np.random.default_rng(1).normal(size=(steps + 1, width))
    run = assemble(theta, theta[:, 0] ** 2, {"v": theta**2}, 0.1, reported.ide.Report("completed"))
    path = assemble(theta + 0.5, theta[:, 0] ** 2, {"v": theta**2}, 0.1, reported.ide.Report("converged"))
    return {"discrete": run, "paper.exact": path}


def test_a_vector_is_shown_by_its_norm_and_a_long_one_without_moments():
    short, long = explorer.views(vector(3)), explorer.views(vector(5000))
    assert list(short) == ["theta", "loss", "v", "theta1", "theta2", "theta3"]
    assert list(long) == ["theta", "loss", "theta1"]
    assert short["theta"].symbol == "‖θ‖"
    assert long["theta1"].symbol == "θ₁"
    np.testing.assert_allclose(short["theta"].errors["paper.exact"], 0.5 * np.sqrt(3))
    np.testing.assert_allclose(short["theta2"].errors["paper.exact"], 0.5)


def test_the_first_path_that_the_figures_show_has_the_solid_line(text):
    paths = reported.data_of(text)["paths"]
    assert paths["paper.picard"]["line"] == "solid"
    assert paths["paper.exact"]["line"] == "dashed"
    assert paths["paper.exact"]["colour"] == model_look("paper")[0]
    assert paths["half-step"]["colour"] == model_look("half-step")[0]


def test_a_configuration_has_the_colour_of_the_figures(text):
    for cell in reported.data_of(text)["cells"]:
        of = read_with_metadata_of(cell, text)
        assert cell["colour"] == style.look(of["optimizer"])[0]


def read_with_metadata_of(cell, text):
    arguments = dict(part.split("~") for part in cell["key"].split(",") if part)
    return {
        "optimizer": {"class": cell["optimizer"], "arguments": {k: float(v) for k, v in arguments.items()}}
    }


def grid(configurations, alphas, solutions):
    names = tuple(f"s{i}" for i in range(solutions))
    objective = {"name": "bowl", "class": "Quadratic", "arguments": {}}
    optimizers = [{"class": "RMSProp", "arguments": {"beta": i / 1000}} for i in range(configurations)]
    return [
        Cell(objective, optimizer, 1 / (i + 1), [1.0], 10, names)
        for optimizer in optimizers
        for i in range(alphas)
    ]


def test_the_explorer_has_every_cell_of_the_scaling_study():
    study = load(yaml.safe_load((ROOT / "config/scaling.yaml").read_text(encoding="utf-8")))
    assert len(study.cells) > 400
    assert selected(study.cells) == list(study.cells)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 4), st.integers(4, 100))
def test_the_explorer_takes_all_cells_or_as_many_as_fit(configurations, alphas, solutions, most):
    cells = grid(configurations, alphas, solutions)
    found = selected(cells, most)
    assert found == [cell for cell in cells if cell in found]
    assert 0 < len(found) * solutions <= most
    if len(cells) * solutions <= most:
        assert found == cells
    elif alphas * solutions <= most:
        # Whole ladders of learning rates, as many as fit.
        assert len(found) == alphas * (most // (alphas * solutions))
        assert len({cell.optimizer["arguments"]["beta"] for cell in found}) * alphas == len(found)
