"""Rules that all figures share: one legend, readable ticks, curves that begin after copied iterations."""

import numpy as np
import pytest
from drawn import build, cell, lines, put, simulate
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import idescent as ide
from idescent import trajectory
from idescent.drawing.legends import draw_legend
from idescent.drawing.saving import styled
from idescent.drawing.ticks import log_ticks
from idescent.products.errors.split import split_figure
from idescent.products.fidelity.figure import _names_of_bounds
from idescent.products.paths.spec import parse
from idescent.products.scaling.figure import _free_corner

SPEC = {
    "title": "Title",
    "caption": "Caption",
    "quantity": "theta",
    "objective": "bowl",
    "select": [{"optimizer": "RMSProp"}],
    "panels": [{"alpha": 0.1}],
    "show": ["discrete", "paper.exact"],
    "errors": True,
}


def handles(*labels):
    return [Line2D([], [], label=label) for label in labels]


def rows_of(legend, figure):
    """Return the labels of each row of a legend, from left to right."""
    figure.draw_without_rendering()
    places: dict[int, list[tuple[float, str]]] = {}
    for text in legend.get_texts():
        box = text.get_window_extent()
        if text.get_text().strip():
            places.setdefault(round(text.get_transform().transform((0.0, 0.0))[1]), []).append(
                (box.x0, text.get_text())
            )
    return [[label for _, label in sorted(places[y])] for y in sorted(places, reverse=True)]


def test_a_legend_that_fits_is_one_row_and_its_figure_keeps_its_height():
    with styled():
        figure = Figure(figsize=(6.9, 3.0))
        legend = draw_legend(figure, [handles("AdaGrad"), handles("exact", "half-step")])
        assert rows_of(legend, figure) == [["AdaGrad", "exact", "half-step"]]
    assert figure.get_figheight() == 3.0


def test_groups_of_a_longer_legend_begin_rows_of_their_own_inside_the_figure():
    configurations = [rf"Adam, $\beta_1$ = {a:g}, $\beta_2$ = {b:g}" for a in (0, 0.9) for b in (0.99, 0.999)]
    styles = ["discrete", "Algorithm 4", "exact", "half-step", "minimum"]
    with styled():
        figure = Figure(figsize=(6.9, 3.0), layout="constrained")
        legend = draw_legend(figure, [handles(*configurations), handles(*styles)])
        assert rows_of(legend, figure) == [configurations, styles[:4], styles[4:]]
        box = legend.get_window_extent()
        assert 0.0 <= box.x0 < box.x1 <= figure.get_window_extent().width
    assert figure.get_figheight() == pytest.approx(3.3)


@pytest.mark.parametrize(
    ("limits", "labels"),
    [
        ((0.03, 0.8), ["0.05", "0.1", "0.2", "0.5"]),
        ((2e-5, 9e-5), [r"$2\times 10^{-5}$", r"$5\times 10^{-5}$"]),
    ],
)
def test_an_axis_with_few_decades_has_labels_between_them(limits, labels):
    ax = Figure().subplots()
    ax.set(yscale="log", ylim=limits)
    log_ticks(ax.yaxis)
    ax.figure.draw_without_rendering()
    inside = [
        label.get_text()
        for label, at in zip(ax.get_yticklabels(), ax.get_yticks(), strict=True)
        if limits[0] <= at <= limits[1]
    ]
    assert inside == labels


def test_an_axis_with_many_decades_has_labels_at_powers_of_ten_only():
    ax = Figure().subplots()
    ax.set(yscale="log", ylim=(1e-9, 1.0))
    log_ticks(ax.yaxis, most=8)
    powers = np.log10(ax.get_yticks())
    np.testing.assert_allclose(powers, np.round(powers), atol=1e-12)


def test_a_companion_begins_after_the_iterations_that_the_model_copies(tmp_path):
    of = cell(steps=20, beta=0.0)
    run = simulate(of)
    # The model copies iterations 0 to 5 up to rounding; the errors of the later ones are far above.
    errors = np.where(np.arange(21) <= 5, 2.0**-50, 1e-3)[:, None]
    path = trajectory.assemble(run.theta + errors, run.loss, run.moments, 0.1, ide.Report("converged"))
    put(tmp_path / "x", of, run, paper_exact=path)
    figure = build(parse("f", SPEC), sorted(tmp_path.rglob("*.parquet")), of_errors=True)
    drawn = lines(figure.axes[0])
    curve = drawn["RMSProp(beta~0.0):alpha~0.1:paper.exact"]
    assert curve[0, 0] == 6.0
    # It does not leave the panel there, so that it has no arrowhead.
    assert not [name for name in drawn if name.endswith(":clipped")]


def test_names_of_close_bounds_move_apart():
    assert _names_of_bounds([0.01, 0.05, 0.1]) == {0.1: "bottom", 0.05: "top", 0.01: "center_baseline"}
    assert _names_of_bounds([0.1, 0.05, 0.04]) == {0.1: "bottom", 0.05: "top"}


def test_triangles_touch_no_curve_and_are_left_out_without_room():
    rows = [{"solution": "a", "alpha": 10.0**x, "error": 10.0**x} for x in (-0.9, -2.1)]
    corner = _free_corner(rows, 0.25, (-2.2, -0.8), (-2.4, -0.6))
    assert corner is not None
    # The curve is log error = log alpha: the triangle is below it.
    x, y = corner
    assert y + 3 * 0.25 < x or y > x + 0.25
    assert _free_corner(rows, 0.5, (-2.2, -0.8), (-2.4, -0.6)) is None


@pytest.mark.parametrize("status", ["converged", "not converged"])
def test_the_split_explains_crosses_only_if_it_has_any(status):
    row = {"objective": "bowl", "optimizer": "AdaGrad", "label": "x", "alpha": 0.1, "solution": "s"}
    row |= {"quantity": "theta", "norm": "sup", "discrete_status": "completed", "status": status}
    row |= {"beta": None, "beta1": None, "beta2": None}
    rows = [row | {"kind": kind, "error": 0.1} for kind in ("model", "solver", "total")]
    with styled():
        figure = split_figure(rows)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert ("scheme did not converge" in labels) == (status != "converged")
