"""Maps of the error over learning rate and beta: cells, marks, and what drawing them leaves alone."""

import json
import subprocess
import sys

import numpy as np
import pytest
from job_words import job_words
from test_scaling import DECLARED, LADDER, LAWS, tidy

from idescent import cli
from idescent.drawing import saving
from idescent.products.errors import rows as error_rows
from idescent.products.scaling import map as heatmap
from idescent.products.scaling import rows as scaling
from idescent.store.trajectories import write_table

MEMORIES = (0.0, 0.9, 0.99)


def mapped(change=None, lost=()):
    """Errors of two models over three memories and three learning rates: the longer the larger; some lost."""
    found = [
        row
        for solution, law in LAWS.items()
        for alpha in LADDER[:3]
        for beta in MEMORIES
        for row in tidy(
            solution,
            alpha,
            np.nan if (alpha, beta) in lost else law(alpha) / (1.0 - beta),
            betas={"beta": beta},
            **(change or {}).get((alpha, beta), {}),
        )
    ]
    return scaling.rows(error_rows.as_table(found).to_pylist(), DECLARED)


def panels(found):
    with saving.styled():
        figure = heatmap.heatmap_figure(heatmap.heatmap_rows(found, "bowl", "RMSProp"))
    return {ax.get_title(): ax for ax in figure.axes if ax.get_title()}


def test_the_map_has_a_panel_for_each_model_with_the_logarithm_of_every_relative_error():
    drawn = panels(mapped())
    assert list(drawn) == list(LAWS)
    for solution, ax in drawn.items():
        (mesh,) = ax.collections
        rates = sorted(LADDER[:3], reverse=True)
        exact = [[LAWS[solution](a) / (1.0 - b) / 2.0 for b in MEMORIES] for a in rates]
        assert np.asarray(mesh.get_array()).reshape(3, 3) == pytest.approx(np.log10(exact))
        assert not ax.patches
    colours = {ax.collections[0].norm.boundaries.tobytes() for ax in drawn.values()}
    assert len(colours) == 1


def test_rows_of_the_map_are_learning_rates_from_the_largest_and_columns_are_betas():
    (ax, other) = panels(mapped()).values()
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_xticklabels()] == [f"{beta:g}" for beta in MEMORIES]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0.1", "0.05", "0.02"]
    assert list(ax.get_xticks()) == list(ax.get_yticks()) == [0.5, 1.5, 2.5]
    assert ax.get_ylim() == other.get_ylim() == (3.0, 0.0)


def test_cells_that_differ_in_another_hyperparameter_have_rows_of_their_own():
    found = []
    for psi in (0.004, 0.5):
        for row in mapped():
            label = f"{row['configuration']},psi~{psi}"
            found.append(row | {"configuration": label, "optimizer.psi": psi})
    with saving.styled():
        figure = heatmap.heatmap_figure(heatmap.heatmap_rows(found, "bowl", "RMSProp"))
    labels = [ax.get_ylabel().partition("\n")[0] for ax in figure.axes if "learning rate" in ax.get_ylabel()]
    assert labels == [r"$\psi$ = 0.004", r"$\psi$ = 0.5"]


def test_the_dashed_line_is_where_the_learning_rate_is_one_minus_beta():
    (ax, _) = panels(mapped()).values()
    across, up = ax.lines[-1].get_data()
    # At 1 - 0.9 = 0.1 it crosses the middle of the cell; from there it rises to the left of beta = 0.9.
    assert np.interp(1.5, across, up) == pytest.approx(0.5)
    assert (np.diff(across) > 0.0).all()
    assert (np.diff(up) > 0.0).all()
    # The border of the memories 10 and 100 is 10^1.5, that of the rates 0.05 and 0.02 is 10^-1.5.
    assert np.interp(2.0, across, up) == pytest.approx(2.0)


def test_cells_that_failed_are_hatched_and_those_near_rounding_are_dotted():
    change = {(0.05, 0.9): {"status": "not converged"}, (0.02, 0.0): {"error_estimate": 1.0}}
    (ax, _) = panels(mapped(change)).values()
    signs = {patch.get_gid(): patch for patch in ax.patches}
    assert set(signs) == {"not converged", "near solver and rounding error"}
    box = signs["not converged"]
    assert (box.get_x(), box.get_y(), box.get_width(), box.get_height()) == (1, 1, 1, 1)


def test_a_diverged_cell_without_any_error_is_hatched_over_grey():
    change = {(0.05, 0.9): {"discrete_status": "diverged"}}
    (ax, _) = panels(mapped(change, lost=[(0.05, 0.9)])).values()
    (box,) = ax.patches
    assert box.get_hatch()
    assert box.get_facecolor()[3] == 1.0


def test_a_map_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no error of theta is given"):
        heatmap.heatmap_figure(heatmap.heatmap_rows(mapped(), "elsewhere", "RMSProp"))


def test_a_map_leaves_the_figures_that_are_drawn_after_it_as_they_were(tmp_path):
    """seaborn, which draws the map, could change matplotlib's settings."""
    code = (
        "import json, sys; from pathlib import Path; import matplotlib\n"
        "from idescent.products.scaling import figure\n"
        "table, folder = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "before = dict(matplotlib.rcParams)\n"
        "figure.render_scaling(table, 'bowl', 'RMSProp', [folder / 'before.svg'])\n"
        "assert 'seaborn' not in sys.modules and 'pandas' not in sys.modules\n"
        "from idescent.products.scaling import map as heatmap\n"
        "for name in ('first.svg', 'second.svg'):\n"
        "    heatmap.render_heatmap(table, 'bowl', 'RMSProp', [folder / name])\n"
        "figure.render_scaling(table, 'bowl', 'RMSProp', [folder / 'after.svg'])\n"
        "after = dict(matplotlib.rcParams)\n"
        "print(json.dumps([name for name in before if before[name] != after[name]]))\n"
    )
    table = tmp_path / "scaling.parquet"
    write_table(table, scaling.as_table(mapped()))
    arguments = [sys.executable, "-c", code, str(table), str(tmp_path)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == []
    for one, other in (("before", "after"), ("first", "second")):
        assert (tmp_path / f"{one}.svg").read_bytes() == (tmp_path / f"{other}.svg").read_bytes()


def test_the_command_draws_the_map_from_the_complete_table_and_fails_without_it(tmp_path):
    write_table(tmp_path / "wide.parquet", scaling.as_table(mapped()))
    figures = [str(tmp_path / f"figure{suffix}") for suffix in (".pdf", ".svg", ".png")]
    shown = {"objective": "bowl", "optimizer": "RMSProp"}
    assert cli.main(job_words("scaling_map", tmp_path, figures, [tmp_path / "wide.parquet"], shown)) == 0
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    assert cli.main(job_words("scaling_map", tmp_path, figures, [tmp_path / "missing.parquet"], shown)) == 1
