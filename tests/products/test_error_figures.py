"""The overview and the split of the errors draw the numbers of the table, and those only."""

import itertools
import re

import numpy as np
import pytest
from drawn import VISION, cell, lab, put, simulate, stand_in

import idescent as ide
from idescent import trajectory
from idescent.drawing import saving, style
from idescent.figures import render_overview, render_split
from idescent.products.errors import overview, split
from idescent.products.errors import rows as error_rows
from idescent.store import trajectories


def test_the_overview_shows_the_sup_error_of_every_cell_and_crosses_out_what_failed(tmp_path):
    for i, (alpha, status) in enumerate([(0.1, "converged"), (0.05, "not converged")]):
        of = cell(alpha=alpha, beta=0.9)
        run = simulate(of)
        put(tmp_path / str(i), of, run, paper_exact=stand_in(run, status=status))
    table = error_rows.table(sorted(tmp_path.rglob("*.parquet")))
    trajectories.write_table(tmp_path / "errors.parquet", table)
    wanted = ("theta", "sup", "total")
    sup = [row["error"] for row in table.to_pylist() if (row["quantity"], row["norm"], row["kind"]) == wanted]
    assert len(sup) == 2
    with saving.styled():
        figure = overview.overview_figure(overview.overview_rows(table.to_pylist()))
    (ax,) = figure.axes
    dots = np.concatenate([collection.get_offsets()[:, 0] for collection in ax.collections])
    assert sorted(dots) == sorted(sup)
    # Each learning rate has its own line within the row of the configuration, and no mark hides another.
    rows = np.concatenate([collection.get_offsets()[:, 1] for collection in ax.collections])
    assert len(set(rows)) == 2
    assert np.abs(rows).max() < 0.5
    assert all(len(marks.get_facecolor()) == 0 for marks in ax.collections)
    (crosses,) = (line for line in ax.lines if line.get_gid() == "not converged")
    assert list(crosses.get_xdata()) == [sup[1]]
    found = []
    for _ in range(2):
        render_overview(tmp_path / "errors.parquet", [tmp_path / "o.pdf", tmp_path / "o.svg"])
        found.append(((tmp_path / "o.pdf").read_bytes(), (tmp_path / "o.svg").read_bytes()))
    assert found[0] == found[1]


def _grid(rates, factors):
    """Rows of the overview of a square grid, with an error that grows along both axes."""
    return [
        {
            "objective": "quadratic", "configuration": rf"RMSProp, $\beta$ = {0.9 + 0.09 * j / factors:.5g}",
            "alpha": 0.1 / (1 + i), "solution": "exact", "error": 1e-3 * (1 + i) * (1 + j), "good": True,
        }
        for j in range(factors)
        for i in range(rates)
    ]  # fmt: skip


@pytest.mark.parametrize("factors", [1, 2, 40, 100])
def test_the_overview_of_any_grid_fits_on_a_page_and_cuts_no_mark_or_label(factors):
    with saving.styled():
        figure = overview.overview_figure(_grid(25, factors))
        figure.draw_without_rendering()
        (ax,) = figure.axes
        assert figure.get_size_inches()[1] < 9.1
        (marks,) = ax.collections
        frame, radius = ax.get_window_extent(), np.sqrt(marks.get_sizes()[0]) / 2 * figure.dpi / 72
        up = ax.transData.transform(marks.get_offsets())[:, 1]
        assert len(up) == 25 * factors
        assert frame.y0 < up.min() - radius
        assert up.max() + radius < frame.y1
        boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
        assert all(upper.y0 > lower.y1 for upper, lower in itertools.pairwise(boxes))
        labels = [label.get_text() for label in ax.get_yticklabels()]
    if factors == 1:
        assert (ax.get_ylabel(), labels) == ("", [r"RMSProp, $\beta$ = 0.9"])
    else:
        assert (ax.get_ylabel(), labels[0]) == (r"RMSProp, $\beta$", "0.9")


def test_labels_of_configurations_that_differ_in_more_than_one_value_stay_whole():
    whole = ["AdaGrad", r"RMSProp, $\beta$ = 0.9", r"RMSProp, $\beta$ = 0.99"]
    assert style.told_apart(whole) == ("", whole)
    assert style.told_apart(whole[1:]) == (r"RMSProp, $\beta$", ["0.9", "0.99"])
    assert style.told_apart(["AdaGrad", "Sign"]) == ("", ["AdaGrad", "Sign"])


def test_an_overview_of_nothing_is_refused():
    with pytest.raises(ValueError, match="the tables have no sup error of theta"):
        overview.overview_figure([])


# --- the three errors -------------------------------------------------------------------------------------


@pytest.fixture
def measured(tmp_path):
    """Errors of two configurations at two rates: exact solutions, and schemes of which one failed."""
    for i, (alpha, beta) in enumerate([(0.1, 0.0), (0.1, 0.9), (0.05, 0.0), (0.05, 0.9)]):
        of = cell(alpha=alpha, beta=beta)
        run = simulate(of)
        exact = stand_in(run)
        scheme = trajectory.assemble(
            exact.theta + 1e-4 * (i + 1) * np.cos(exact.k)[:, None],
            exact.loss,
            exact.moments,
            alpha,
            ide.Report("smoothing exhausted" if (alpha, beta) == (0.05, 0.9) else "converged"),
        )
        put(tmp_path / str(i), of, run, paper_exact=exact, paper_picard=scheme)
    table = error_rows.table(
        sorted(tmp_path.rglob("paper*.parquet")) + sorted(tmp_path.rglob("discrete.parquet"))
    )
    trajectories.write_table(tmp_path / "errors.parquet", table)
    return tmp_path / "errors.parquet", table.to_pylist()


def drawn_points(figure, colour):
    """Points of one colour by panel and row: (alpha, label of the row, value)."""
    found = []
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    for ax in figure.axes:
        alpha = float(re.search(r"alpha = ([\d.]+)", ax.get_title())[1])
        for line in ax.lines:
            if line.get_color() == colour and line.get_gid() is None:
                found += [(alpha, labels[round(y)], x) for x, y in line.get_xydata()]
    return sorted(found)


def test_the_split_shows_exactly_the_numbers_of_the_table(measured):
    _, rows = measured
    with saving.styled():
        figure = split.split_figure(split.split_rows(rows))
    assert len(figure.axes) == 2
    entries = {entry.get_label(): entry for legend in figure.legends for entry in legend.legend_handles}
    for kind in ("model", "solver", "total"):
        (entry,) = (handle for label, handle in entries.items() if label.startswith(f"{kind}:"))
        expected = sorted(
            (row["alpha"], rf"RMSProp, $\beta$ = {row['beta']:g}", row["error"])
            for row in rows
            if (row["solution"], row["quantity"], row["norm"], row["kind"])
            == ("paper.picard", "theta", "sup", kind)
        )
        assert len(expected) == 4
        assert drawn_points(figure, entry.get_color()) == expected


def test_the_split_crosses_out_the_scheme_that_did_not_converge_and_no_other(measured):
    _, rows = measured
    with saving.styled():
        figure = split.split_figure(split.split_rows(rows))
    crosses = [
        (ax.get_title(), line.get_xydata().tolist())
        for ax in figure.axes
        for line in ax.lines
        if line.get_gid() == "not converged"
    ]
    (failed,) = (
        row
        for row in rows
        if row["status"] != "converged"
        and (row["quantity"], row["norm"], row["kind"]) == ("theta", "sup", "solver")
    )
    assert crosses == [(r"bowl, $\alpha = 0.05$", [[failed["error"], 1.0]])]


def test_no_mark_of_the_split_touches_another(measured):
    _, rows = measured
    with saving.styled():
        figure = split.split_figure(split.split_rows(rows))
    figure.draw_without_rendering()
    for ax in figure.axes:
        marks = [line for line in ax.lines if line.get_gid() is None]
        heights = sorted(ax.transData.transform(line.get_xydata())[0, 1] for line in marks)
        size = max(line.get_markersize() + line.get_markeredgewidth() for line in marks)
        assert min(np.diff(heights)) > size * figure.dpi / 72


def test_errors_of_equal_size_have_marks_beside_each_other_in_the_overview():
    rows = [
        {
            "objective": "bowl", "configuration": "AdaGrad", "alpha": alpha, "solution": name,
            "error": error, "good": True,
        }
        for alpha in (0.1, 0.01)
        for name, error in (("one", 1e-3), ("other", 1.01e-3), ("far", 1.0))
    ]  # fmt: skip
    with saving.styled():
        figure = overview.overview_figure(rows)
        figure.draw_without_rendering()
        (ax,) = figure.axes
    points = [ax.transData.transform(marks.get_offsets()) for marks in ax.collections]
    size = np.sqrt(ax.collections[0].get_sizes()[0]) * figure.dpi / 72
    for i, one in enumerate(points):
        for other in points[:i]:
            assert np.linalg.norm(one[:, None] - other[None], axis=-1).min() > size


def test_of_several_schemes_of_a_cell_the_split_shows_the_first(measured):
    _, rows = measured
    second = [
        row | {"solution": "other.picard", "error": 10 * row["error"]}
        for row in rows
        if row["solution"] == "paper.picard" and row["error"] is not None and row["alpha"] == 0.1
    ]
    assert split.split_rows(rows + second) == split.split_rows(rows)
    only = [row for row in rows + second if row["alpha"] == 0.1 and row["solution"] != "paper.picard"]
    assert {row["solution"] for row in split.split_rows(only)} == {"other.picard"}


def test_the_legend_of_the_split_covers_no_panel_and_its_colours_are_told_apart(measured):
    _, rows = measured
    with saving.styled():
        figure = split.split_figure(split.split_rows(rows))
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
    assert not any(box.overlaps(ax.get_tightbbox()) for ax in figure.axes)
    colours = sorted(
        {handle.get_color() for handle in legend.legend_handles if handle.get_color() != "black"}
    )
    for vision in VISION:
        for i, one in enumerate(colours):
            for other in colours[:i]:
                assert np.linalg.norm(lab(one, vision) - lab(other, vision)) > 15


def test_a_second_split_has_the_same_bytes(measured, tmp_path):
    table, _ = measured
    outputs = [tmp_path / f"s{suffix}" for suffix in (".pdf", ".svg", ".png")]
    found = []
    for _ in range(2):
        render_split(table, outputs)
        found.append([output.read_bytes() for output in outputs])
    assert found[0] == found[1]


def test_a_split_without_a_scheme_is_refused():
    with pytest.raises(ValueError, match="no solution has an exact solution as reference"):
        split.split_figure([])


def test_the_overview_shows_total_errors_only(measured):
    _, rows = measured
    total = [row for row in rows if (row["quantity"], row["norm"], row["kind"]) == ("theta", "sup", "total")]
    assert len(total) == 8
    assert [row["error"] for row in overview.overview_rows(rows)] == [row["error"] for row in total]
